"""Gradients of two processes in shared memory: sums, parameters without a gradient, buffers, and a process that ends."""

from pathlib import Path
from typing import Any

import pytest
import torch
from exchange_runs import STEPS
from process_runs import start_two


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exchange")
    (folder / "memory").mkdir()
    for process in start_two("tests/exchange_runs.py", str(folder)):
        errors = process.communicate(timeout=200)[1]
        assert process.returncode == 0, errors
    assert not list((folder / "memory").iterdir()), "no memory is left behind"
    return folder


def found(folder: Path, rank: int) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = torch.load(folder / f"found-{rank}.pt")
    return states


def test_both_begin_with_the_main_process_s_weights(exchanged: Path) -> None:
    assert all(float(found(exchanged, rank)[0]["everywhere"].abs().max()) == 0 for rank in range(2))


@pytest.mark.parametrize("rank", range(2))
def test_every_process_has_the_sum_and_none_where_there_is_none(exchanged: Path, rank: int) -> None:
    for step, state in enumerate(found(exchanged, rank)[1:]):
        assert state.keys() == {"everywhere", "somewhere", "mean", "count"}
        assert torch.equal(state["everywhere"], torch.full((2, 3), 20.0 * step + 1, dtype=torch.float64))
        assert torch.equal(state["somewhere"], torch.full((4,), 7.0, dtype=torch.float64))
    assert step == STEPS - 1


@pytest.mark.parametrize("rank", range(2))
def test_buffers_are_the_main_process_s(exchanged: Path, rank: int) -> None:
    for step, state in enumerate(found(exchanged, rank)[1:]):
        assert torch.equal(state["mean"], torch.full((2,), float(step), dtype=torch.float64))
        assert int(state["count"]) == step


def test_a_process_left_alone_says_so(exchanged: Path) -> None:
    assert "another process of this training ended" in (exchanged / "left-alone.txt").read_text()
