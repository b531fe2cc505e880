"""Steps of specs with plates: what a plate costs beside rows, and what short batches and maps made before walks save.

`python -m benchmarks.plates`: one thread, a bound and its gradient, the arms of each pair in turn; medians of the
processor's time, and of the pairs' ratios. MB are what autograd keeps for the gradient. Arms "padded", "in the walk"
and "one by one" switch off what is measured: batches as long as their plates allow, every input mapped where its
element is, rows of each pattern of labels by themselves.
"""

import argparse
import json
import os
import shlex
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.machine import processor
from compiler import compile_spec
from compiler.model import compiled
from compiler.model.model import Model
from compiler.tensors import presence
from graphspec.loading import load
from runtime.training.step.noise import BatchNoise

ELEMENTS, MOST, ROWS = 20, 200, 64
FLAT = """
graphspec: 1
variables:
  x: {role: observed, size: 50}
  z: {role: latent, size: 10}
generative: {z: {}, x: {parents: [z]}}
recognition: {z: {parents: [x]}}
networks: {default: {kind: mlp, hidden: [100]}}
"""
PLATE = FLAT.replace("variables:", f"plates: {{items: {{size: {ELEMENTS}}}}}\nvariables:").replace(
    "}\n  z", ", plate: items}\n  z"
).replace("size: 10}", "size: 10, plate: items}")  # fmt: skip
VISITS = f"""
graphspec: 1
plates: {{visits: {{count: n, ordered: true}}}}
variables:
  n: {{role: observed, domain: count, max: {MOST}}}
  x: {{role: observed, size: 50, plate: visits}}
  u: {{role: latent, size: 10}}
  z: {{role: latent, size: 10, plate: visits}}
generative: {{u: {{}}, z: {{parents: [u]}}, x: {{parents: [z, u]}}}}
recognition: {{u: {{parents: [x@mean, n]}}, z: {{parents: [x, u]}}}}
networks: {{default: {{kind: mlp, hidden: [100]}}}}
"""
WALK = f"""
graphspec: 1
plates: {{time: {{count: n, ordered: true}}}}
variables:
  n: {{role: observed, domain: count, max: {MOST}}}
  x: {{role: observed, size: 50, plate: time}}
  z: {{role: latent, size: 10, plate: time}}
  h: {{role: deterministic, plate: time}}
generative: {{z: {{parents: [z@previous]}}, x: {{parents: [z]}}}}
recognition:
  h: {{parents: [h@next, x], network: {{kind: gru, hidden: 64}}}}
  z: {{parents: [h, x, z@previous]}}
networks: {{default: {{kind: mlp, hidden: [64]}}}}
"""
LABELS = f"""
graphspec: 1
plates: {{time: {{count: n, ordered: true}}}}
variables:
  n: {{role: observed, domain: count, max: {MOST}}}
  x: {{role: observed, size: 50, plate: time}}
  y: {{role: supervised, domain: category, classes: 3, plate: time}}
  z: {{role: latent, size: 10, plate: time}}
generative: {{z: {{parents: [z@previous]}}, y: {{parents: [z]}}, x: {{parents: [z]}}}}
recognition: {{z: {{parents: [x, z@previous]}}, y: {{parents: [x]}}}}
networks: {{default: {{kind: mlp, hidden: [64]}}}}
"""


class InOrder(BatchNoise):
    """The same draws; who uses them believes that their order matters, and runs one group of rows after the other."""

    in_order = True


def lengths(count: int) -> Tensor:
    """Of rows, with a long tail: log-normal, median 6, as long as `MOST` once in ten thousand rows."""
    drawn = torch.randn(count, generator=torch.Generator().manual_seed(0))
    return (6 * (0.9 * drawn).exp()).round().clamp(1, MOST)


def rows_of(counts: Tensor | None, *shape: int) -> dict[str, Tensor]:
    """x [*shape, 50], and how many elements each row has."""
    x = torch.randn(*shape, 50, generator=torch.Generator().manual_seed(1))
    return {"x": x} if counts is None else {"x": x, "n": counts}


def with_labels(rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """A third of the rows with every label, a third with that of the first element only, a third with none."""
    first, last = len(rows["x"]) // 3, 2 * len(rows["x"]) // 3
    y = torch.randint(0, 3, rows["x"].shape[:2], generator=torch.Generator().manual_seed(2))
    y[first:, 1:], y[last:] = -1, -1
    return {**rows, "y": y}


def step(model: Model, rows: dict[str, Tensor], noise: type[BatchNoise] = BatchNoise) -> Callable[[], None]:
    """One bound and its gradient."""
    count = len(rows["x"])

    def run() -> None:
        model.zero_grad()
        (-model.bound(rows, noise=noise(0, count)).mean()).backward()

    return run


def kept_megabytes(run: Callable[[], None]) -> float:
    """What a step keeps for its gradient, each storage once."""
    kept: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        run()
    return sum(kept.values()) / 2**20


def whole_plates(graphs: Any, rows: Any) -> dict[str, int]:
    """A batch as long as its plates allow."""
    return {plate.name: plate.size for plate in graphs.plates.values() if plate.count is not None}


def padded(run: Callable[[], None]) -> Callable[[], None]:
    """The step of batches that have a place for every element of a plate."""

    def whole() -> None:
        with patch.object(presence, "needed_rooms", whole_plates):
            run()

    return whole


def in_the_walk(text: str) -> Model:
    """The model whose walks map every input where its element is."""
    model = compile_spec(load("-", text=text))
    with patch.object(compiled, "with_inputs_entered", lambda plan, modules: plan):
        model.bound(rows_of(lengths(2), 2, MOST), noise=BatchNoise(0, 2))
    return model


def pairs() -> dict[str, dict[str, Callable[[], None]]]:
    """{what is compared: {arm: its step}}, the arm that is told of first."""
    texts = (FLAT, PLATE, VISITS, WALK, LABELS)
    flat, plate, visits, walk, labels = (compile_spec(load("-", text=text)) for text in texts)
    tail, even = lengths(ROWS), torch.full((ROWS,), 30.0)
    long, walking = step(visits, rows_of(tail, ROWS, MOST)), step(walk, rows_of(tail, ROWS, MOST))
    thirty = rows_of(even, ROWS, MOST)
    return {
        **{f"a plate of {ELEMENTS}, {rows} rows": {
            "plate": step(plate, rows_of(None, rows, ELEMENTS)), "batch": step(flat, rows_of(None, rows * ELEMENTS)),
        } for rows in (1, ROWS)},
        "visits with a long tail": {"longest row": long, "padded": padded(long)},
        "walks with a long tail": {"longest row": walking, "padded": padded(walking)},
        "walks of thirty steps": {
            "before the walk": step(walk, thirty), "in the walk": step(in_the_walk(WALK), thirty),
        },
        "walks with labels, whole, in part and none": {
            "together": step(labels, with_labels(thirty)), "one by one": step(labels, with_labels(thirty), InOrder),
        },
    }  # fmt: skip


def measured(arms: dict[str, Callable[[], None]], repeats: int) -> dict[str, Any]:
    """Medians of both arms, their ratio by pairs, and what each keeps."""
    kept = {name: kept_megabytes(run) for name, run in arms.items()}  # warms up too
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(repeats):
        for name, run in arms.items():
            start = time.process_time()
            run()
            taken[name].append(1000 * (time.process_time() - start))
    ratios = [one / other for one, other in zip(*taken.values(), strict=True)]
    told = {name: {"ms": statistics.median(taken[name]), "mb": kept[name]} for name in arms}
    return {**told, "ratio": statistics.median(ratios), "quartiles": statistics.quantiles(ratios, n=4)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("results/plates.json"))
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = {name: measured(arms, options.repeats) for name, arms in pairs().items()}
    tail = lengths(ROWS)
    whole = {
        "command": shlex.join(["python", "-m", "benchmarks.plates", "--repeats", str(options.repeats)]),
        "lengths": {"mean": float(tail.mean()), "longest": float(tail.max()), "of": MOST},
        **found,
        "machine": processor() | {"threads": 1, "load": os.getloadavg()[0]},
        "torch": torch.__version__,
    }  # fmt: skip
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(whole, indent=1) + "\n")
    for name, told in found.items():
        arms = ", ".join(f"{arm} {told[arm]['ms']:.1f} ms, {told[arm]['mb']:.1f} MB" for arm in list(told)[:2])
        print(f"{name}: {arms}, ratio {told['ratio']:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
