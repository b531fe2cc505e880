"""Trainings that are killed, or whose disk is full, and go on: does every one end with the same bits, is none stuck?"""

import random
import shutil
import time
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from experiments.harm.forked import Outcome, graphspec
from experiments.harm.tally import Tally

TRAIN = ("train", "plain.yaml", "-q", "--no-figures", "--device", "cpu", "--out", "run")
WEIGHTS = ("best", "last")
MOST_TURNS = 60
"""A training that is not over after so many goes is stuck: each go does at least one file operation more."""

SPEC = """\
graphspec: 1
variables:
  a: {role: observed, domain: real}
  b: {role: observed, domain: real}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, z: {}, a: {parents: [y, z]}, b: {parents: [y, z]}}
recognition: {y: {parents: [a, b]}, z: {parents: [a, b, y]}}
networks: {default: {kind: mlp, hidden: [8], dropout: 0.1}}
data: {source: plain.csv, variables: {a: a, b: b, y: y}, labels: {y: 0.5}}
training: {epochs: 3, batch_size: 16, ema: 0.9}
"""


def write_example(folder: Path, rows: int = 80) -> None:
    """A small spec and its table."""
    draw = random.Random(0)
    lines = [f"{draw.gauss(i % 3, 1):.3f},{draw.gauss(-(i % 3), 1):.3f},{i % 3}" for i in range(rows)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plain.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    (folder / "plain.yaml").write_text(SPEC)


def whole(folder: Path) -> tuple[dict[str, bytes], int, float]:
    """(weights, file operations, seconds) of a training that nothing happens to."""
    began = time.monotonic()
    outcome = graphspec(TRAIN, folder)
    assert outcome.code == 0, outcome.output
    return weights_of(folder), outcome.operations, time.monotonic() - began


def weights_of(folder: Path) -> dict[str, bytes]:
    """Every number of the best and the last weights."""
    from runtime.runs.checkpoints import read_weights

    found: dict[str, bytes] = {}
    for name in WEIGHTS:
        weights = read_weights(folder / "run" / "checkpoints" / f"{name}.safetensors").weights
        found |= {f"{name} {key}": tensor.numpy().tobytes() for key, tensor in weights.items()}
    return found


def killed(
    folder: Path, expected: dict[str, bytes], harms: Iterator[dict[str, float]], kills: int, tally: Tally
) -> None:
    """One training after the other, each go with the next of `harms`, until there were so many kills more."""
    enough = tally.done + kills
    while tally.done < enough:
        shutil.rmtree(folder / "run", ignore_errors=True)
        if not _to_its_end(folder, expected, tally, takewhile(lambda _: tally.done < enough, harms)):
            tally.done = max(enough, tally.done)


def full_at_operations(folder: Path, expected: dict[str, bytes], operations: Sequence[int], tally: Tally) -> None:
    """A training that finds no space from operation N on, told in words; then, with space, it goes on to its end."""
    for operation in operations:
        shutil.rmtree(folder / "run", ignore_errors=True)
        outcome = graphspec(TRAIN, folder, full_at=operation, torn=True)
        tally.done += 1
        tally.goes += 1
        if outcome.code and not (outcome.code == 1 and outcome.in_words and "no space left" in outcome.output.lower()):
            tally.wrong.append(f"full at {operation}: exit {outcome.code}: {outcome.output[-400:]}")
        if ".part" in outcome.output:
            tally.wrong.append(f"full at {operation} names a file that nobody knows: {outcome.output[-400:]}")
        files = [path for path in (folder / "run").rglob("*") if path.is_file() and path.name != ".lock"]
        remains = [path.name for path in files if path.suffix == ".part" or not path.stat().st_size]
        if remains:
            tally.wrong.append(f"full at {operation} left {remains}")
        _to_its_end(folder, expected, tally, iter(()))


def _to_its_end(folder: Path, expected: dict[str, bytes], tally: Tally, harms: Iterator[dict[str, float]]) -> bool:
    """Go on until the training is over; `harms` says what happens to each go, nothing once they are used up. False
    where it never is over, or another training than that which nothing happened to."""
    for _ in range(MOST_TURNS):
        harm: dict[str, float] = next(harms, {})
        outcome = _go_on(folder, harm)
        tally.goes += 1
        tally.done += outcome.code == -9
        if outcome.code == 0:
            break
        if outcome.code != -9:
            tally.wrong.append(f"stuck ({harm}): exit {outcome.code}: {outcome.output[-400:]}")
            return False
    else:
        tally.wrong.append("not over after many goes")
        return False
    tally.finished += 1
    if weights_of(folder) != expected:
        tally.wrong.append("other bits than those of the training that nothing happened to")
        return False
    return True


def _go_on(folder: Path, harm: dict[str, float]) -> Outcome:
    """With --resume where a run is, else as a new one; where the first is refused for there being none, as new."""
    run = folder / "run"
    if run.exists() and any(run.iterdir()):
        outcome = graphspec((*TRAIN, "--resume"), folder, **harm)  # type: ignore[arg-type]
        if outcome.code != 1 or "not a run folder" not in outcome.output:
            return outcome
    return graphspec(TRAIN, folder, **harm)  # type: ignore[arg-type]
