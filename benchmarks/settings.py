"""What is compared: the graphs with their step, and the implementations of each. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
SPECS = HERE.parent / "specs"
TABLE = HERE / "table.csv"

CLASSES = 10
PIXELS = 784
SCALE_FLOOR = 1e-4
"""Every scale is softplus(head) + this."""


@dataclass(frozen=True)
class Implementation:
    """One row of the table.

    target: `module:Class` of a `Contender`. needs: a package it imports, of the extra `bench`. bf16: whether its
    products are bfloat16. compiled: torch.compile. summed: values of y that an unlabelled row's step goes through, for
    the count of its work. stochastic: its loss equals the others' in the mean over its own draws only. environment:
    what its process is told besides. elsewhere: it is another commit's, from the worktree that the command names.
    """

    target: str
    needs: str = ""
    bf16: bool = False
    compiled: bool = False
    summed: int = CLASSES
    stochastic: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    elsewhere: bool = False


@dataclass(frozen=True)
class Setting:
    """A graph and its step: `unlabelled` and `labelled` rows, Adam at `learning_rate`, the labelled rows' classifier
    loss times `alpha`, `samples` draws of each of `latents` (sizes by name), uniform ones of each of `uniforms`.

    label: the supervised variable. rows_from: what the implementations beside graphspec read; "the spec": there is none
    but other commits of graphspec.
    implementations: the first is what the others are held against. tolerance: relative difference of float32 losses.
    rows: training rows in all, of which `labels` carry a label. spec, overrides: what graphspec compiles.
    turned: graphspec's strided convolutions put the odd zero after an image, torch's `padding` before it; on images
    turned by 180 degrees they are the same function, so that the losses can be compared.
    """

    spec: Path
    implementations: Mapping[str, Implementation]
    overrides: tuple[str, ...] = ()
    unlabelled: int = 200
    labelled: int = 200
    rows: int = 60000
    labels: int = 3000
    alpha: float = 50.0
    learning_rate: float = 3e-4
    samples: int = 1
    latents: Mapping[str, int] = field(default_factory=lambda: {"z": 50})
    uniforms: Mapping[str, int] = field(default_factory=lambda: {"y": CLASSES})
    label: str = "y"
    rows_from: Literal["mnist", "table", "the spec"] = "mnist"
    temperature: float | None = None
    turned: bool = False
    tolerance: float = 1e-5

    @property
    def examples(self) -> int:
        """Rows a step, of both kinds."""
        return self.unlabelled + self.labelled


def _ours(summed: int = CLASSES, stochastic: bool = False) -> dict[str, Implementation]:
    target = "benchmarks.compiled_spec:CompiledSpec"
    plain = {
        f"graphspec without kernels{' bf16' if bf16 else ''}": Implementation(
            target, bf16=bf16, summed=summed, stochastic=stochastic, environment={"GRAPHSPEC_KERNELS": "off"}
        )
        for bf16 in (False, True)
    }
    return plain | {
        f"graphspec{' --compile' if compiled else ''}{' bf16' if bf16 else ''}": Implementation(
            target, bf16=bf16, compiled=compiled, summed=summed, stochastic=stochastic
        )
        for bf16 in (False, True)
        for compiled in (False, True)
    }


def _by_hand(target: str, summed: int = CLASSES) -> dict[str, Implementation]:
    return {
        "hand-eager": Implementation(target, summed=summed),
        "hand-eager bf16": Implementation(target, bf16=True, summed=summed),
    }


_PEERS = {
    "pyro": Implementation("benchmarks.pyro_m2:PyroM2", needs="pyro"),
    "pixyz": Implementation("benchmarks.pixyz_m2:PixyzM2", needs="pixyz"),
}
_FULL = _by_hand("benchmarks.hand_m2:HandM2")

SETTINGS: Mapping[str, Setting] = {
    "m2": Setting(HERE / "m2.yaml", {**_FULL, **_ours(), **_PEERS}),
    "m2-sparse": Setting(HERE / "m2-sparse.yaml", {**_FULL, **_ours(summed=2, stochastic=True)}),
    "m2-relaxed": Setting(
        HERE / "m2-relaxed.yaml",
        {**_by_hand("benchmarks.hand_m2:HandRelaxedM2", summed=1), **_ours(summed=1)},
        temperature=0.5,
    ),
    "adgm": Setting(
        SPECS / "adgm.yaml",
        {**_by_hand("benchmarks.hand_adgm:HandADGM"), **_ours()},
        overrides=("data.validation=0", "data.labels.y=100"),
        unlabelled=100,
        labelled=100,
        labels=100,
        alpha=60.0,
        samples=5,
        latents={"a": 100, "z": 100},
    ),
    "conv": Setting(
        SPECS / "mnist-m2-conv.yaml",
        {**_by_hand("benchmarks.hand_conv:HandConvM2"), **_ours()},
        overrides=(
            *("data.validation=0", "data.labels.y=100"),
            "data.variables.x=image",  # images as they are: augmentation is no part of the step that is compared
            "networks.trunk.dropout=0",  # its masks are drawn differently
            "training.learning_rate=1e-3",
            "training.ema=null",
        ),
        unlabelled=100,
        labelled=50,
        labels=100,
        learning_rate=1e-3,
        turned=True,
    ),
    "table": Setting(
        HERE / "table.yaml",
        {**_by_hand("benchmarks.hand_table:HandTable", summed=3), **_ours(summed=3)},
        unlabelled=64,
        labelled=64,
        rows=877,
        labels=621,
        alpha=20.0,
        learning_rate=1e-3,
        latents={"condition": 2},
        uniforms={f"recognition.h/hidden/{layer}/dropout": 64 for layer in (0, 1)},
        label="diagnosis",
        rows_from="table",
    ),
    "digits": Setting(
        HERE / "digits.yaml",
        {
            "commit bb4ddbc": Implementation("benchmarks.whole_training:WholeTraining", elsewhere=True),
            "graphspec": Implementation("benchmarks.whole_training:WholeTraining"),
        },
        unlabelled=100,
        labelled=100,
        rows=1212,
        labels=100,
        learning_rate=2e-3,
        rows_from="the spec",
    ),
}
"""By the name that `--graph` takes."""

ON_CUDA = ("m2", "m2-sparse", "m2-relaxed", "conv", "table")
"""Graphs that `--device cuda` measures, in this order."""


def implementations_on(graph: str, device: str) -> Mapping[str, Implementation]:
    """What is measured of a graph; on a graphics processor float32 by hand and by graphspec, plain, compiled, and with
    what is compiled replayed as CUDA graphs."""
    setting = SETTINGS[graph]
    if device == "cpu":
        return setting.implementations
    names = ("hand-eager", "graphspec", "graphspec --compile")
    found = {name: setting.implementations[name] for name in names}
    graphed = replace(found["graphspec --compile"], environment={"TORCHINDUCTOR_CUDAGRAPHS": "1"})
    return found | {"graphspec --compile, CUDA graphs": graphed}
