"""`graphspec sweep`: grids, what goes on after a stop, what is refused, and the files it leaves."""

import json
import math
import os
import signal
import statistics as reference
import subprocess
import sys
import time
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console
from sweep_runs import InlinePool, graphspec, inline, summary, sweep_tiny
from tiny_runs import write_tiny

from graphspec.loading import load
from runtime.data.stream.streams import BatchRows
from runtime.runs.run_folder import Run
from runtime.sweeping.grid import share_cores
from runtime.sweeping.plot import draw_plot, series
from runtime.sweeping.results import in_table_units, statistics
from runtime.sweeping.run_commands import RunCommand
from runtime.sweeping.run_pool import Pool, cores
from runtime.sweeping.sweep_plan import build_plan
from runtime.sweeping.sweep_progress import LiveDisplay
from runtime.sweeping.sweep_tables import build_table, show_statistics
from runtime.sweeping.swept_values import read_fields
from runtime.training.step.stepping import Stepper

__all__ = ["inline"]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


Trained = Sequence[RunCommand]


def test_a_grid_ends_with_one_table_and_its_files(inline: Trained, tmp_path: Path) -> None:
    result = sweep_tiny("--over", "data.labels.y=6,60", "--seeds", "2", "--baseline", "labels-only")
    assert result.exit_code == 0, result.output
    assert len(inline) == 8 and not any("--resume" in training.arguments for training in inline)
    table = [line for line in result.stdout.splitlines() if " ± " in line or "y test" in line]
    header, *lines = [line.split("  ") for line in table if not line.startswith(("mean", "y test:", "y validation:"))]
    assert [cell.strip() for cell in header if cell.strip()] == [
        "labels.y", "model", "y test %", "y validation %", "elbo test", "minutes", "n"
    ]  # fmt: skip
    assert len(lines) == 4
    found = summary("sweeps/tiny")
    assert set(found) == {"spec", "command", "minutes", "versions", "machine", "rows"}
    assert [row["labels"] for row in found["rows"]] == [6, 60]
    for row in found["rows"]:
        assert row["over"] == {"data.labels.y": row["labels"]}
        for figures in (row, row["labels_only"]):
            for split in ("test", "validation"):
                values = [seed[f"{split}_error"] for seed in figures["seeds"]]
                assert figures[f"{split}_error"]["n"] == 2
                assert figures[f"{split}_error"]["mean"] == pytest.approx(reference.mean(values))
                assert figures[f"{split}_error"]["std"] == pytest.approx(reference.stdev(values))
    for name in ("table.md", "table.txt", "plot.png"):
        assert (tmp_path / "sweeps/tiny" / name).stat().st_size > 0


def test_figures_are_those_of_the_runs_and_errors_are_per_cent(inline: Trained) -> None:
    assert sweep_tiny("--over", "objective.rho=0.3", "--out", "here").exit_code == 0
    (row,) = summary("here")["rows"]
    (seed,) = row["seeds"]
    run = Run(Path("here") / seed["run"])
    report = json.loads((run.folder / "evaluation-test.json").read_text())
    assert seed["test_error"] == pytest.approx(100 * report["variables"]["y"]["error"])
    assert seed["test_elbo"] == report["elbo"]
    chosen = run.metrics()[run.manifest()["best_epoch"] - 1]["validation"]
    assert seed["validation_error"] == pytest.approx(100 * chosen["variables"]["y"]["error"])
    assert seed["seconds"] == run.manifest()["wall_seconds"]
    assert row["test_error"] == {"mean": seed["test_error"], "std": None, "n": 1}
    assert row["test_interval"] == pytest.approx([100 * x for x in report["variables"]["y"]["interval"]])
    assert row["test_rows"] == report["variables"]["y"]["rows"] == 24
    assert "y test: 24 labelled rows only" in Path("here/table.txt").read_text()


def test_seeds_vary_the_labelled_rows_and_baselines_share_them(inline: Trained) -> None:
    assert sweep_tiny("--seeds", "2", "--baseline", "generative-off", "--out", "here").exit_code == 0
    (row,) = summary("here")["rows"]
    rows = {
        (key, seed["seed"]): Run(Path("here") / seed["run"]).manifest()["labelled"]["y"]
        for key, figures in (("whole", row), ("off", row["generative_off"]))
        for seed in figures["seeds"]
    }
    assert rows["whole", 0] == rows["off", 0] != rows["whole", 1] == rows["off", 1]


def test_the_same_command_trains_nothing_again_and_more_values_only_what_is_new(inline: list[RunCommand]) -> None:
    assert sweep_tiny("--over", "objective.rho=0.3,0.5", "--out", "here").exit_code == 0
    before = summary("here")
    inline.clear()
    assert sweep_tiny("--over", "objective.rho=0.3,0.5", "--out", "here").exit_code == 0
    assert not inline and summary("here")["rows"] == before["rows"]
    result = sweep_tiny(
        "--over", "objective.rho=0.3,0.9,0.5", "--seeds", "2", "--variant", "still: training.learning_rate=1e-9",
        "--out", "here",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(inline) == 10
    rows = summary("here")["rows"]
    assert [row["over"]["objective.rho"] for row in rows] == [0.3, 0.9, 0.5]
    assert rows[0]["seeds"][0] == before["rows"][0]["seeds"][0]
    assert rows[0]["still"]["test_error"]["n"] == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--over", "objective.rho=0.3", "--set", "objective.alpha=2"), "--set changed"),
        (("--over", "objective.alpha=0.3"), "the fields of --over changed"),
    ],
)
def test_a_folder_of_another_sweep_is_refused(inline: list[RunCommand], arguments: tuple[str, ...], word: str) -> None:
    assert sweep_tiny("--over", "objective.rho=0.3", "--out", "here").exit_code == 0
    inline.clear()
    result = sweep_tiny(*arguments, "--out", "here")
    assert result.exit_code == 1 and not inline
    assert word in result.stderr and "name another --out" in result.stderr


def test_another_spec_text_and_a_folder_that_is_no_sweep_are_refused(inline: Trained, tmp_path: Path) -> None:
    assert sweep_tiny("--out", "here").exit_code == 0
    text = (tmp_path / "tiny.yaml").read_text()
    (tmp_path / "tiny.yaml").write_text(text.replace("alpha: 5", "alpha: 6"))
    result = sweep_tiny("--out", "here")
    assert result.exit_code == 1 and "the text of tiny.yaml changed" in result.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    result = sweep_tiny("--out", "mine")
    assert result.exit_code == 1 and "is no sweep's folder" in result.stderr
    assert os.listdir("mine") == ["letter.txt"]


def test_a_failed_run_is_told_the_others_go_on_and_the_exit_is_1(inline: Trained) -> None:
    result = sweep_tiny("--over", "training.learning_rate=1e-2,1e30", "--set", "training.epochs=2", "--out", "here")
    assert result.exit_code == 1, result.output
    good, bad = summary("here")["rows"]
    assert good["test_error"]["n"] == 1 and "failed" not in good
    assert bad["test_error"] == {"mean": None, "std": None, "n": 0}
    (failure,) = bad["failed"]
    assert failure["seed"] == 0 and failure["message"] and Path(failure["log"]).is_file()
    assert failure["message"] in result.stderr and failure["log"] in result.stderr
    assert "not every run is there" in result.stdout
    assert "Traceback" not in result.output


def test_nothing_is_written_where_a_point_is_wrong(inline: Trained, tmp_path: Path) -> None:
    result = sweep_tiny("--over", "objective.rho=0.5,2,3")
    assert result.exit_code == 1 and not inline and not (tmp_path / "sweeps").exists()
    assert "at objective.rho=2" in result.stderr and "at objective.rho=3" not in result.stderr.split("--over")[0]
    assert "--over:1:15" in result.stderr


def test_data_that_are_not_there_are_told_before_anything_trains(inline: Trained) -> None:
    Path("rows.npz").unlink()
    result = sweep_tiny("--over", "objective.rho=0.2,0.5")
    assert result.exit_code == 1 and not inline
    assert result.stderr.count("rows.npz") >= 1 and "Traceback" not in result.output


def test_validation_alone_leaves_the_test_rows_until_they_are_asked_for(
    inline: list[RunCommand], tmp_path: Path
) -> None:
    result = sweep_tiny("--measure", "validation", "--out", "here", "--set", "training.epochs=2")
    assert result.exit_code == 0 and "y test" not in result.stdout
    assert not list(tmp_path.rglob("evaluation-test.json"))
    (row,) = summary("here")["rows"]
    assert "test_error" not in row and row["validation_error"]["n"] == 1
    weights = next((tmp_path / "here").rglob("best.safetensors")).read_bytes()
    assert sweep_tiny("--out", "here", "--set", "training.epochs=2").exit_code == 0
    (row,) = summary("here")["rows"]
    assert row["test_error"]["n"] == 1
    assert next((tmp_path / "here").rglob("best.safetensors")).read_bytes() == weights


def test_interrupted_it_says_how_to_go_on_and_does(inline: list[RunCommand]) -> None:
    InlinePool.interrupt_after = 1
    result = sweep_tiny("--seeds", "3", "--out", "here")
    assert result.exit_code == 130
    assert "2 of 3 runs unfinished" in result.stderr and "the same command goes on" in result.stderr
    assert summary("here")["rows"][0]["test_error"]["n"] == 1
    InlinePool.interrupt_after = None
    assert sweep_tiny("--seeds", "3", "--out", "here").exit_code == 0
    assert len(inline) == 3 and summary("here")["rows"][0]["test_error"]["n"] == 3


def test_json_is_the_summary_and_nothing_else(inline: Trained) -> None:
    result = sweep_tiny("--json", "--out", "here")
    assert json.loads(result.stdout) == summary("here")


def test_list_prints_the_runs_and_writes_nothing(inline: Trained, tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    result = sweep_tiny("--over", "objective.rho=0.2,0.5", "--seeds", "2", "--list")
    assert result.stdout.splitlines() == [
        "objective.rho=0.2, seed 0", "objective.rho=0.5, seed 0",
        "objective.rho=0.2, seed 1", "objective.rho=0.5, seed 1", "4 runs",
    ] or result.stdout.splitlines()[-1] == "4 runs"  # fmt: skip
    listed = json.loads(sweep_tiny("--over", "objective.rho=0.2,0.5", "--dry-run", "--json").stdout)
    assert "objective.rho=0.2" in listed["runs"][0]["overrides"]
    assert sorted(os.listdir(tmp_path)) == before and not inline


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "x"), "neither a count nor a list"),
        (("--baseline", "labels"), "use labels-only or generative-off"),
        (("--storage", "a.db"), "add --search"),
        (("--search", "2", "--baseline", "labels-only"), "compares values, not models"),
        (("--search", "2"), "nothing to vary"),
    ],
)
def test_options_that_do_not_go_together_are_told(arguments: tuple[str, ...], message: str) -> None:
    result = sweep_tiny(*arguments)
    assert result.exit_code == 1 and message in result.stderr


def test_labels_alone_take_as_many_steps_without_computing_unlabelled_rows(
    inline: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[int, int]] = []
    take = Stepper.take

    def spy(self: Stepper, step: BatchRows, epoch: float) -> None:
        taken.append((len(step.unlabelled), len(step.labelled)))
        take(self, step, epoch)

    monkeypatch.setattr(Stepper, "take", spy)
    assert sweep_tiny("--baseline", "labels-only", "--baseline", "generative-off").exit_code == 0
    steps = len(taken) // 3
    whole, alone, off = taken[:steps], taken[steps : 2 * steps], taken[2 * steps :]
    assert len(taken) == 3 * steps and steps > 2
    assert whole == off and all(unlabelled > 0 for unlabelled, _ in whole)
    assert alone == [(0, labelled) for _, labelled in whole]


# --- statistics, table, plot --------------------------------------------------------------------------------------


def test_statistics_leave_out_what_is_not_there() -> None:
    assert statistics([1.0, None, 4.0, math.nan]) == {"mean": 2.5, "std": pytest.approx(math.sqrt(4.5)), "n": 2}
    assert statistics([]) == {"mean": None, "std": None, "n": 0}
    assert show_statistics(statistics([2.0, 4.0])) == "3.00 ± 1.41"
    assert show_statistics(statistics([0.03])) == "0.03"
    assert show_statistics(statistics([])) == "-"


def test_errors_of_continuous_variables_stay_in_data_units() -> None:
    graphs = load(Path(__file__).parents[1] / "specs" / "continuous-label.yaml")
    (name,) = graphs.supervised
    report = {"variables": {name: {"error": 0.25}}}
    assert in_table_units(graphs, name, report) == 0.25
    assert in_table_units(load("tiny.yaml"), "y", {"variables": {"y": {"error": 0.25}}}) == 25.0
    assert in_table_units(graphs, name, None) is None


def rows_for(plan: Any) -> list[dict[str, Any]]:
    stats = [{"mean": 30.0 / (index + 1), "std": 2.0, "n": 2} for index in range(len(plan.points))]
    return [
        {
            "over": point.over,
            "test_error": s,
            "test_elbo": s,
            "minutes": s,
            "labels_only": {"test_error": s, "minutes": s},
        }
        for point, s in zip(plan.points, stats, strict=True)
    ]


def test_lines_of_the_plot_are_values_of_the_other_field_and_a_baseline_is_one_line(tmp_path: Path) -> None:
    text = Path("tiny.yaml").read_text()
    fields = read_fields(["objective.rho=0.5,0.1", "data.labels.y=60,6,12"])
    plan = build_plan("tiny.yaml", text, (), fields, (0, 1), (), ("labels-only",))
    rows = rows_for(plan)
    lines = series(plan, rows, 1, "test")
    assert set(lines) == {("", "rho 0.5"), ("", "rho 0.1"), ("labels only", "")}
    assert [x for x, _, _ in lines["", "rho 0.5"]] == [6.0, 12.0, 60.0]
    assert draw_plot(plan, rows, "test", tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert len(picture.convert("RGB").getcolors(10**6)) > 50
    table = build_table(plan, rows, ("test",))
    assert [line[:3] for line in table.lines[:3]] == [
        ("0.1", "6", "as written"), ("0.1", "6", "labels only"), ("0.1", "12", "as written")
    ]  # fmt: skip
    assert not draw_plot(build_plan("tiny.yaml", text, (), (), (0,)), [], "test", tmp_path / "plot.png")
    assert not (tmp_path / "plot.png").exists()


def test_the_live_display_follows_the_epochs_of_each_run(tmp_path: Path) -> None:
    task = RunCommand("one", "rho=0.5, seed 0", tmp_path / "one", 4, ())
    (tmp_path / "one").mkdir()
    record = {"epoch": 3, "validation": {"elbo": -4.0, "variables": {"y": {"error": 0.25, "log_loss": 1.0}}}}
    (tmp_path / "one" / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    written = StringIO()
    with LiveDisplay(Console(file=written, force_terminal=True, width=120), 2) as display:
        display.started(task)
        display.tick([task])
        display._live.refresh()
        display.ended(task, 0, 7.0)
    shown = written.getvalue()
    assert "3/4" in shown and "25.00%" in shown and "1/2" in shown and "done   rho=0.5, seed 0" in shown


# --- processes ----------------------------------------------------------------------------------------------------


def test_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.sweeping.grid.cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert share_cores(None, 20, "cpu") == (8, 1)
    assert share_cores(None, 2, "cpu") == (2, 4)
    assert share_cores(3, 20, "cpu") == (3, 2)
    assert share_cores(None, 20, "cuda:0") == (1, 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert share_cores(None, 20, "cpu") == (4, 2)
    assert cores() >= 1


class Watching:
    def __init__(self) -> None:
        self.most, self.codes = 0, dict[str, int]()

    def started(self, task: RunCommand) -> None:
        pass

    def ended(self, task: RunCommand, code: int, seconds: float) -> None:
        self.codes[task.name] = code

    def tick(self, running: Sequence[RunCommand]) -> None:
        self.most = max(self.most, len(running))


def test_a_pool_runs_some_at_a_time_and_hears_every_exit_code(tmp_path: Path) -> None:
    commands = {"a": ("check", "tiny.yaml"), "b": ("check", "no.yaml"), "c": ("check", "tiny.yaml")}
    tasks = [RunCommand(name, name, tmp_path / "runs" / name, 1, command) for name, command in commands.items()]
    watching, told = Watching(), []
    Pool[RunCommand](2, 1, watching).run(iter(tasks), lambda task, code: told.append((task.name, code)))
    assert watching.codes == {"a": 0, "b": 1, "c": 0} == dict(told)
    assert watching.most == 2
    assert "no.yaml" in (tmp_path / "runs" / "b.log").read_text()


def test_a_killed_sweep_leaves_nothing_running_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """A real SIGKILL, in the middle of a training: its process saves and ends by itself, the next sweep resumes it."""
    sets = ["--set", "training.epochs=20", "--set", "training.patience=null"]
    command = [sys.executable, "-m", "runtime.cli", "sweep", "tiny.yaml", *sets, "--device", "cpu", "--out", "here"]
    sweep = subprocess.Popen([*command, "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics, end = tmp_path / "here" / "runs", time.monotonic() + 120
    while not any(len(file.read_text().splitlines()) > 2 for file in metrics.glob("*/metrics.jsonl")):
        assert time.monotonic() < end and sweep.poll() is None
        time.sleep(0.05)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    (run,) = [Run(folder) for folder in metrics.iterdir() if folder.is_dir()]
    while run.manifest()["status"] == "running":
        assert time.monotonic() < end, "the orphaned training goes on"
        time.sleep(0.05)
    assert run.manifest()["status"] == "interrupted"
    done = run.manifest()["epochs"]
    assert 0 < done < 20
    while (again := subprocess.run(command, capture_output=True, text=True, check=False)).returncode == 1:
        assert "another sweep is at work" in again.stderr and time.monotonic() < end
    assert again.returncode == 0, again.stderr
    assert len(run.manifest()["resumed"]) == 1
    assert [record["epoch"] for record in run.metrics()] == list(range(1, 21))
    assert summary("here")["rows"][0]["test_error"]["n"] == 1


def test_help_shows_an_example() -> None:
    result = graphspec("sweep", "--help")
    assert "Example:  graphspec sweep specs/digits.yaml" in result.stdout
