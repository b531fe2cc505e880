"""Initial weights, terms of the bound, gradients and answers of every spec are what they were (`golden_steps.py`).

Every spec in specs/, and in tests/specs/steps small ones that between them have what those lack: all families, flows,
relaxed and scored draws, budgets, several labels above and below draws, one masked program for all patterns.

A change that is meant: `pytest --update-golden tests/test_golden_steps.py`, then read what moved; files whose numbers
stand are left as they are. Any other difference is a mistake, however small: see the tolerances.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from golden_numbers import as_text
from golden_steps import steps_of
from test_specs import SPECS

SMALL_SPECS = sorted((Path(__file__).parent / "specs" / "steps").glob("*.yaml"))
FOLDER = Path(__file__).parent / "golden_steps"
VALUES = 1e-12
"""Of a pass's largest term, at least 1 nat. Other vector instructions, and other numbers of threads, move terms by
3e-15 of it."""
GRADIENTS = 1e-10
"""Of a tensor's norm. Sums over thousands of terms that cancel, in the order that the processor likes: other vector
instructions move projections by 5e-12 of the norm, so 1e-12 would hold on one machine only."""
SMALL = 1e-3
"""Of the largest gradient's norm: smaller ones are measured against that. Some are zero but for rounding (a bias before
batch normalization)."""


@pytest.mark.parametrize("path", [*SPECS, *SMALL_SPECS], ids=lambda path: path.stem)
def test_a_step_is_what_it_was(path: Path, pytestconfig: pytest.Config) -> None:
    kept, found = FOLDER / f"{path.stem}.json", steps_of(path)
    changed = list(differences(json.loads(kept.read_text()), found)) if kept.exists() else [f"{kept.name} is missing"]
    if changed and pytestconfig.getoption("--update-golden"):
        kept.write_text(as_text(found) + "\n")
        return
    assert not changed, "\n".join(
        [*changed[:20], f"{len(changed)} in all; if meant: pytest --update-golden {__file__}"]
    )


def test_no_golden_is_left_of_a_spec_that_went(pytestconfig: pytest.Config) -> None:
    named = {spec.stem for spec in (*SPECS, *SMALL_SPECS)}
    orphans = [path for path in sorted(FOLDER.iterdir()) if path.stem not in named]
    if pytestconfig.getoption("--update-golden"):
        for path in orphans:
            path.unlink()
        return
    assert not orphans, f"no spec has these names: {[path.name for path in orphans]}"


def differences(kept: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """A line for everything that is not what it was."""
    yield from _unequal("weights", kept["weights"], found["weights"])
    yield from _moved("buffers", kept["buffers"], found["buffers"])
    yield from _moved("answers", kept["answers"], found["answers"])
    yield from _unequal("passes", dict.fromkeys(kept["passes"]), dict.fromkeys(found["passes"]))
    for name in kept["passes"].keys() & found["passes"].keys():
        before, now = kept["passes"][name], found["passes"][name]
        numbers, others = _numbers(before), _numbers(now)
        largest = max(1.0, *map(abs, numbers.values()))
        yield from _unequal(name, dict.fromkeys(numbers), dict.fromkeys(others))
        for what in numbers.keys() & others.keys():
            if not abs(numbers[what] - others[what]) <= VALUES * largest:
                yield f"{name}: {what} was {numbers[what]!r}, is {others[what]!r}"
        yield from _moved(f"{name}: gradient", before["gradients"], now["gradients"])


def _numbers(one: Mapping[str, Any]) -> dict[str, float]:
    kinds = ("terms", "effective samples")
    return {"bound": one["bound"], **{f"{kind} of {n}": value for kind in kinds for n, value in one[kind].items()}}


def _unequal(what: str, kept: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in kept.keys() | found.keys():
        if name not in kept or name not in found:
            yield f"{what}: {name} is {'new' if name in found else 'gone'}"
        elif kept[name] != found[name]:
            yield f"{what}: {name} differs"


def _moved(what: str, kept: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Norms and projections [1 + DIRECTIONS] by name; None where no gradient is."""
    yield from _unequal(what, {n: v is None for n, v in kept.items()}, {n: v is None for n, v in found.items()})
    largest = max((value[0] for value in kept.values() if value is not None), default=0.0)
    for name, value in kept.items():
        if value is None or found.get(name) is None:
            continue
        distance = max(abs(a - b) for a, b in zip(value, found[name], strict=True))
        scale = max(value[0], SMALL * largest)
        if not distance <= GRADIENTS * scale:
            yield f"{what} of {name} moved by {distance / scale if scale else math.inf:.1e} of its norm {value[0]:.3g}"
