"""Lists of single-place faults for `experiments.mutations`.

Golden numbers (tests/test_golden_steps.py) are in none of the lists of tests: they notice every change, so they would
hide which other test does.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`old` occurs exactly once in `file` (a path from the root); `tests`: every test file once, likeliest first."""

    id: str
    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]
