"""A few of the kills, full disks and damaged files that `python -m experiments.robustness` makes by the thousand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """In a process of its own: it forks, and must not have trained before."""
    out = tmp_path_factory.mktemp("robustness") / "found.json"
    counts = ("--kills-at-file-operations=3", "--kills-at-random-moments=1", "--full-disks=2", "--random-specs=1")
    counts += ("--damaged-data-files=12", "--damaged-run-folders=12")
    command = [sys.executable, "-m", "experiments.robustness", *counts, "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert out.exists(), done.stdout + done.stderr
    found = json.loads(out.read_text())
    return {kind: found[kind]["found"] for kind in found if kind != "machine"}


@pytest.mark.parametrize("kind", ["kills at file operations", "kills at random moments", "full disks"])
def test_what_is_killed_or_has_no_space_ends_with_the_same_bits(
    kind: str, tallies: dict[str, dict[str, object]]
) -> None:
    assert tallies[kind]["wrong"] == [] and tallies[kind]["finished"]


@pytest.mark.parametrize("kind", ["damaged run folders", "damaged data files"])
def test_what_is_damaged_is_told_in_words(kind: str, tallies: dict[str, dict[str, object]]) -> None:
    assert tallies[kind]["wrong"] == [] and tallies[kind]["refused"]
