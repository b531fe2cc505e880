"""Threads sleep soon where other processes compute, unless the user said how they wait."""

from pathlib import Path

import pytest

from runtime.cli import thread_waiting

BUSY, IDLE, ENDED, BLIP = "3.10 1.0 0.9 4/321 99", "0.02 0.1 0.1 1/321 99", "3.10 1 1 1/321 99", "0.02 0 0 5/321 99"


@pytest.mark.parametrize(("told", "others"), [(BUSY, 3.0), (IDLE, 0.0), (ENDED, 0.0), (BLIP, 0.02), ("?", 0.0)])
def test_others_running(tmp_path: Path, told: str, others: float) -> None:
    (tmp_path / "loadavg").write_text(told)
    assert thread_waiting.others_running(tmp_path / "loadavg") == others


def test_a_system_that_does_not_say(tmp_path: Path) -> None:
    assert thread_waiting.others_running(tmp_path / "none") == 0.0


@pytest.mark.parametrize(
    ("others", "before", "after"),
    [
        (8.0, {}, {"GOMP_SPINCOUNT": thread_waiting.SPINS}),
        (0.4, {}, {}),
        (8.0, {"OMP_NUM_THREADS": "4"}, {"OMP_NUM_THREADS": "4", "GOMP_SPINCOUNT": thread_waiting.SPINS}),
        (8.0, {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "1"}),
        (8.0, {"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        (8.0, {"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_only_on_a_busy_machine_and_where_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, others: float, before: dict[str, str], after: dict[str, str]
) -> None:
    monkeypatch.setattr(thread_waiting, "others_running", lambda: others)
    monkeypatch.setattr(thread_waiting.os, "cpu_count", lambda: 4)
    thread_waiting.wait_as_the_machine_allows(before)
    assert before == after
