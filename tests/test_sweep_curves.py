"""Curves of a sweep: figures of every epoch against minutes of training, over seeds."""

import json
from pathlib import Path
from typing import Any

import pytest
from sweep_runs import graphspec, inline
from tiny_runs import write_tiny

from runtime.sweeping.error_curves import curves_of, draw_curves
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import SweepPlan, build_plan
from runtime.sweeping.swept_values import read_fields

__all__ = ["inline"]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def two_points() -> SweepPlan:
    fields = read_fields(["data.labels.y=6,60"])
    return build_plan("tiny.yaml", Path("tiny.yaml").read_text(), (), fields, (0, 1), (), ("labels-only",))


def fake_run(plan: SweepPlan, folder: SweepFolder, place: tuple[int, int, int], epochs: list[dict[str, Any]]) -> None:
    """A finished run of (point, column, seed) that left these records."""
    point, column, seed = place
    run = folder.run(plan.points[point].columns[column].runs[seed].name)
    run.folder.mkdir(parents=True)
    run.manifest_file.write_text(json.dumps({"status": "finished"}))
    run.metrics_file.write_text("".join(json.dumps(entry) + "\n" for entry in epochs))


def epoch(number: int, seconds: float, error: float | None) -> dict[str, Any]:
    measured = None if error is None else {"elbo": -1.0, "variables": {"y": {"error": error}}}
    return {"epoch": number, "seconds": seconds, "validation": measured}


def test_minutes_add_up_and_errors_are_means_over_seeds(tmp_path: Path) -> None:
    plan, folder = two_points(), SweepFolder(tmp_path / "swept")
    fake_run(plan, folder, (0, 0, 0), [epoch(1, 60, 0.5), epoch(2, 30, None), epoch(3, 30, 0.25)])
    fake_run(plan, folder, (0, 0, 1), [epoch(1, 120, 0.3), epoch(2, 60, 0.3), epoch(3, 60, 0.15)])
    (curve,) = curves_of(plan, folder)
    assert (curve["over"], curve["model"]) == ({"data.labels.y": 6}, "")
    assert curve["epochs"] == [1, 3], "epoch 2 was measured in one of the runs only"
    assert curve["minutes"] == pytest.approx([1.5, 3.0])
    assert [stats["mean"] for stats in curve["error"]] == pytest.approx([40.0, 20.0])
    assert [stats["n"] for stats in curve["error"]] == [2, 2]


def test_runs_that_points_share_give_one_curve(tmp_path: Path) -> None:
    """A baseline does not depend on rho."""
    fields = read_fields(["objective.rho=0.5,0.1"])
    plan = build_plan("tiny.yaml", Path("tiny.yaml").read_text(), (), fields, (0,), (), ("labels-only",))
    folder = SweepFolder(tmp_path / "swept")
    fake_run(plan, folder, (0, 1, 0), [epoch(1, 60, 0.5), epoch(2, 60, 0.4)])
    assert [curve["model"] for curve in curves_of(plan, folder)] == ["labels only"]


def test_what_is_not_finished_is_left_out(tmp_path: Path) -> None:
    plan, folder = two_points(), SweepFolder(tmp_path / "swept")
    fake_run(plan, folder, (0, 0, 0), [epoch(1, 60, 0.5)])
    folder.run(plan.points[0].columns[0].runs[0].name).manifest_file.write_text('{"status": "running"}')
    assert curves_of(plan, folder) == []
    assert not draw_curves(plan, [], tmp_path / "curves.png") and not (tmp_path / "curves.png").exists()


def test_a_sweep_leaves_curves(inline: Any, tmp_path: Path) -> None:
    done = graphspec(
        *("sweep", "tiny.yaml", "--device", "cpu", "--set", "training.epochs=2"),
        *("--over", "data.labels.y=6,60", "--out", "here"),
    )
    assert done.exit_code == 0, done.output
    assert "curves.png" in done.stdout
    found = json.loads((tmp_path / "here/curves.json").read_text())
    assert [curve["epochs"] for curve in found] == [[1, 2], [1, 2]]
    assert all(first < second for first, second in (curve["minutes"] for curve in found))
    assert (tmp_path / "here/curves.png").stat().st_size > 0
