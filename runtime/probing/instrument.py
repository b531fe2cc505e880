"""The measuring instrument: a classifier trained on real rows with every label that the source has, kept for reuse.

It knows more labels than the model it measures, and nothing of that model: it is a ruler, not a competitor.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from graphspec.headers.sources import cache_folder
from runtime.answering.panels import Target
from runtime.data import PreparedData, Rows, prepare
from runtime.data.preparation.earlier_rows import NONE, EarlierRows
from runtime.data.read.unpacked_copies import Tell
from runtime.data.stream.patterns import given_elements
from runtime.errors import RunError
from runtime.probing.reader import Reader

VERSION = 1
"""Raised with every change of how instruments are trained, so that kept ones are not taken for new ones."""
BATCH = 128
STEPS, MOST_PASSES = 1500, 60
"""Training ends after so many steps, or passes over the rows if these are fewer."""
LEARNING_RATE = 2e-3
CHUNK = 500


@dataclass(frozen=True)
class Instrument:
    """A trained reader of one discrete label. error: share of test rows it reads wrongly; None without test rows."""

    target: Target
    reader: Reader
    error: float | None
    training_rows: int
    test_rows: int

    def read(self, values: Mapping[str, Tensor]) -> Tensor:
        """Class index [B] of generated or real rows {name: [B, *shape]}."""
        self.reader.eval()
        names = [variable.name for variable in self.reader.variables]
        with torch.no_grad():
            parts = zip(*(values[name].float().cpu().split(CHUNK) for name in names), strict=True)
            return torch.cat([self.reader(dict(zip(names, part, strict=True))).argmax(dim=1) for part in parts])


def with_all_labels(
    graphs: Graphs,
    data_dir: Path | None = None,
    spec_path: Path | None = None,
    tell: Tell | None = None,
    earlier: EarlierRows = NONE,
) -> PreparedData:
    """The data of a spec, split as in training, with every label that the source has."""
    return prepare(graphs, data_dir=data_dir, spec_path=spec_path, tell=tell, earlier=earlier, every_label=True)


def instrument_for(
    target: Target,
    variables: tuple[Variable, ...],
    data: PreparedData,
    *,
    folder: Path | None = None,
    seed: int = 0,
    tell: Tell | None = None,
) -> Instrument:
    """The instrument that reads `target` off `variables`: the kept one, else trained now and kept.

    data: of `with_all_labels`. folder: where instruments are kept; the user's cache folder if left out. A key of the
    data's fingerprint, rows, variables and recipe names the file.
    Raises RunError where fewer than two classes have a labelled training row.
    """
    training, test = labelled_rows(target, data.training), labelled_rows(target, data.test)
    count = classes(target)
    found = target_values(target, data.training, training).unique()
    if len(found) < 2:
        raise RunError(
            f"no instrument can learn {target}: training rows have {len(found)} of its {count} values",
            "leave out --interventions",
        )
    with torch.random.fork_rng(devices=[]):
        reader = Reader(variables, count)
    file = (folder or cache_folder() / "instruments") / f"{_key(target, variables, data, training, seed)}.safetensors"
    if not _restore(reader, file):
        if tell is not None:
            shown = ", ".join(variable.name for variable in variables)
            tell(f"training the instrument that reads {target} off {shown}: {len(training)} rows with every label")
        _train(reader, target, data, training, seed)
        _keep(reader, file)
    found_error = _error(Instrument(target, reader, None, 0, 0), data.test, test)
    return Instrument(target, reader, found_error, len(training), len(test))


def classes(target: Target) -> int:
    """Number of values of one element."""
    assert target.variable.support is not None, f"{target} has finitely many values"
    return target.variable.support


def labelled_rows(target: Target, rows: Rows) -> Tensor:
    """Positions [n] of rows with a value for `target`."""
    values = rows.values[target.variable.name].cpu()
    return given_elements(values, target.variable.discrete)[target.index].nonzero().flatten()


def target_values(target: Target, rows: Rows, positions: Tensor) -> Tensor:
    """Class indices [n], from 0, at `positions`."""
    values = rows.values[target.variable.name].cpu()[target.index][positions]
    return values.round().long() - target.variable.minimum


def _train(reader: Reader, target: Target, data: PreparedData, positions: Tensor, seed: int) -> None:
    """Adam with a rate that falls to zero, on rows as the spec's own augmentation changes them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout and initial weights
        reader.begin()
        reader.standardize(data.training.batch(positions[_order(len(positions), generator)[:5000]], torch.float32))
        steps = min(STEPS, MOST_PASSES * -(-len(positions) // BATCH))
        _steps(reader, target, data, positions, steps, generator)


def _steps(
    reader: Reader, target: Target, data: PreparedData, positions: Tensor, steps: int, generator: torch.Generator
) -> None:
    optimizer = torch.optim.Adam(reader.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    truth = target_values(target, data.training, positions)
    reader.train()
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < min(BATCH, len(positions)):
            order = _order(len(positions), generator)
        chosen, order = order[:BATCH], order[BATCH:]
        batch = data.training.batch(positions[chosen], torch.float32)
        batch = data.binarize(data.augment(batch, generator), generator)
        loss = F.cross_entropy(reader(batch), truth[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    reader.eval()


def _order(count: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator)


def _error(instrument: Instrument, rows: Rows, positions: Tensor) -> float | None:
    """Share of rows at `positions` that are read wrongly."""
    if not len(positions):
        return None
    wrong = 0
    truth = target_values(instrument.target, rows, positions)
    for part, labels in zip(positions.split(CHUNK), truth.split(CHUNK), strict=True):
        wrong += int((instrument.read(rows.batch(part, torch.float32)) != labels).sum())
    return wrong / len(positions)


def _key(target: Target, variables: tuple[Variable, ...], data: PreparedData, positions: Tensor, seed: int) -> str:
    """Everything that decides the trained weights, hashed."""
    columns = {name: spec.model_dump(mode="json", by_alias=True) for name, spec in data.columns.items()}
    facts = {
        "version": VERSION,
        "torch": torch.__version__,
        "seed": seed,
        "target": [str(target), classes(target), target.variable.minimum],
        "variables": [[v.name, v.domain, list(v.shape), v.support] for v in variables],
        "columns": {name: columns[name] for name in (target.variable.name, *(v.name for v in variables))},
        "fingerprint": data.fingerprint,
        "rows": hashlib.sha256(data.training.source[positions].numpy().tobytes()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _restore(reader: Reader, file: Path) -> bool:
    """Weights from a kept file; False if there is none, or none that fits."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        reader.load_state_dict(load_file(str(file)))
    except (OSError, SafetensorError, RuntimeError):  # not there, damaged, of another shape: train anew
        return False
    return True


def _keep(reader: Reader, file: Path) -> None:
    """Written beside its place and moved there, so that nobody reads half a file; a full disk costs only the reuse."""
    from safetensors.torch import save_file

    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as temporary:
            path = Path(temporary) / file.name
            save_file(reader.state_dict(), str(path))
            path.replace(file)
