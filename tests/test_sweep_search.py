"""`graphspec sweep --search`: what is drawn, what the study keeps, and who goes on with it."""

import json
import sys
from pathlib import Path

import pytest
from sweep_runs import InlinePool, inline, summary, sweep_tiny
from tiny_runs import write_tiny

from graphspec.loading import load
from runtime.errors import RunError
from runtime.runs.run_folder import Run
from runtime.sweeping.run_commands import RunCommand
from runtime.sweeping.study import Figure

pytest.importorskip("optuna")

__all__ = ["inline"]
RANGES = ("--over", "training.learning_rate=log(1e-4,1e-1)", "--over", "networks.default.hidden=choice([4],[6, 5])")


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured_runs(folder: Path | str) -> list[str]:
    return sorted(path.parent.name for path in Path(folder).rglob("evaluation-test.json"))


def test_a_search_ends_with_its_trials_best_first_and_one_look_at_the_test_rows(inline: list[RunCommand]) -> None:
    result = sweep_tiny("--search", "3", *RANGES, "--seeds", "2", "--out", "here")
    assert result.exit_code == 0, result.output
    found = summary("here")
    rows = found["rows"]
    assert len(rows) == 3 and len(inline) == 3 * 2 + 2
    values = [row["value"]["mean"] for row in rows]
    assert values == sorted(values) and found["search"]["direction"] == "minimize"
    for row in rows:
        assert 1e-4 <= row["over"]["training.learning_rate"] <= 1e-1
        assert row["over"]["networks.default.hidden"] in ([4], [6, 5])
        for seed in row["seeds"]:
            run = Run(Path("here") / seed["run"])
            chosen = run.metrics()[run.manifest()["best_epoch"] - 1]["validation"]
            assert seed["value"] == pytest.approx(100 * chosen["variables"]["y"]["error"])
            spec = load(run.resolved_file).spec
            assert spec.training.learning_rate == row["over"]["training.learning_rate"]
    assert "test_error" not in rows[1]
    assert rows[0]["test_error"]["n"] == 2
    assert measured_runs("here") == sorted(Path(seed["run"]).name for seed in rows[0]["seeds"])
    assert f"test error of trial {rows[0]['trial']}, measured once" in result.stdout


def test_the_same_command_trains_nothing_again_and_more_trials_are_new_ones(inline: list[RunCommand]) -> None:
    arguments = ("--search", "2", *RANGES, "--out", "here", "--measure", "validation")
    assert sweep_tiny(*arguments).exit_code == 0
    assert len(inline) == 2 and not measured_runs("here")
    before = {row["trial"]: row for row in summary("here")["rows"]}
    assert sweep_tiny(*arguments).exit_code == 0
    assert len(inline) == 2
    assert sweep_tiny("--search", "4", *arguments[2:]).exit_code == 0
    after = {row["trial"]: row for row in summary("here")["rows"]}
    assert len(inline) == 4 and sorted(after) == [0, 1, 2, 3]
    assert {number: after[number] for number in before} == before
    rates = [row["over"]["training.learning_rate"] for row in after.values()]
    assert len(set(rates)) == 4, "a search that goes on does not begin to draw anew"


def test_an_interrupted_trial_is_finished_and_not_replaced(inline: list[RunCommand]) -> None:
    arguments = ("--search", "2", *RANGES, "--seeds", "2", "--out", "here", "--measure", "validation")
    InlinePool.interrupt_after = 1
    result = sweep_tiny(*arguments)
    assert result.exit_code == 130 and "0 of 2 trials complete" in result.stderr
    (first,) = inline
    InlinePool.interrupt_after = None
    assert sweep_tiny(*arguments).exit_code == 0
    rows = {row["trial"]: row for row in summary("here")["rows"]}
    assert sorted(rows) == [0, 1] and len(inline) == 4
    assert rows[0]["seeds"][0]["run"] == f"runs/{first.name}"


@pytest.mark.parametrize("storage", ["study.log", "sqlite:///study.db"])
def test_two_folders_share_one_study(inline: list[RunCommand], storage: str) -> None:
    arguments = (*RANGES, "--storage", storage, "--measure", "validation")
    assert sweep_tiny("--search", "2", *arguments, "--out", "one").exit_code == 0
    assert sweep_tiny("--search", "3", *arguments, "--out", "two").exit_code == 0
    assert len(inline) == 3 and inline[-1].folder.parts[0] == "two"
    assert len(summary("one")["rows"]) == 2 and len(summary("two")["rows"]) == 3


def test_a_failed_trial_counts_and_is_told(inline: list[RunCommand]) -> None:
    result = sweep_tiny("--search", "1", "--over", "training.learning_rate=uniform(1e29,1e30)", "--out", "here",
                        "--set", "training.epochs=2")  # fmt: skip
    assert result.exit_code == 1 and "failed: trial-0-seed-0" in result.stderr
    assert summary("here")["rows"] == [] and summary("here")["search"]["trials"] == 1
    assert "Traceback" not in result.output


def test_another_search_in_the_same_study_is_refused(inline: list[RunCommand]) -> None:
    assert sweep_tiny("--search", "1", *RANGES, "--out", "here", "--measure", "validation").exit_code == 0
    result = sweep_tiny("--search", "2", *RANGES[:2], "--out", "here")
    assert result.exit_code == 1 and "--over changed" in result.stderr
    result = sweep_tiny("--over", "objective.rho=0.5", "--out", "here")
    assert result.exit_code == 1 and "its kind (grid or search)" in result.stderr


def test_ends_of_ranges_are_checked_before_anything_runs(inline: list[RunCommand], tmp_path: Path) -> None:
    result = sweep_tiny("--search", "2", "--over", "objective.rho=uniform(0.5,2)", "--over", "training.epoch=int(1,2)")
    assert result.exit_code == 1 and not inline and not (tmp_path / "sweeps").exists()
    assert "objective.rho" in result.stderr and "training.epoch" in result.stderr


def test_without_optuna_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = sweep_tiny("--search", "2", *RANGES)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2:] == [
        "error: --search needs Optuna, which is not installed", '  = help: pip install "optuna>=4,<5"'
    ]  # fmt: skip


def test_a_storage_that_cannot_be_used_is_told() -> None:
    result = sweep_tiny("--search", "2", *RANGES, "--storage", "nosuchdriver://here")
    assert result.exit_code == 1 and "cannot use nosuchdriver://here as storage" in result.stderr
    assert "Traceback" not in result.output


def test_the_figure_is_what_training_select_names() -> None:
    assert Figure.of(load("tiny.yaml")).variable == "y"
    elbo = Figure.of(load("tiny.yaml", ["training.select=elbo"]))
    assert (elbo.variable, elbo.direction) == (None, "maximize")
    assert elbo.read(load("tiny.yaml"), {"elbo": -3.5, "variables": {}}) == -3.5
    f1 = Figure.of(load("tiny.yaml", ["training.select=y.macro_f1"]))
    assert (f1.variable, f1.name, f1.direction) == ("y", "macro_f1", "maximize")
    assert f1.read(load("tiny.yaml"), {"variables": {"y": {"macro_f1": 0.5}}}) == 0.5
    assert Figure.of(load("tiny.yaml", ["training.select=y.log_loss"])).direction == "minimize"
    with pytest.raises(RunError, match=r"training\.select is last"):
        Figure.of(load("tiny.yaml", ["training.select=last"]))


def test_json_is_the_summary(inline: list[RunCommand]) -> None:
    result = sweep_tiny("--search", "1", *RANGES, "--out", "here", "--json")
    assert json.loads(result.stdout) == summary("here")
