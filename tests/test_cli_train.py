"""`graphspec train` and `graphspec doctor`: what is printed, where, and with which exit code."""

import json
import re
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tiny_runs import write_tiny
from typer.testing import CliRunner, Result

from runtime.cli.app import app
from runtime.cli.doctor import Finding, examine, package_finding
from runtime.runs.run_folder import Run
from runtime.training.loop.loop import Training
from runtime.training.loop.progress import BarReporter, PlainReporter, choose_reporter
from runtime.training.step.step_metrics import StepInfo


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def graphspec(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_training_ends_with_the_test_error_and_where_the_pictures_are(tmp_path: Path) -> None:
    result = graphspec("train", "tiny.yaml", "--device", "cpu")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/3", "2/3", "3/3"]
    assert all("log q(y)" in line and "validation elbo" in line and "y error" in line for line in epochs)
    assert re.search(
        r"^test error of y: \d+\.\d\d % of 24 rows \(95 % interval [\d.]+ to [\d.]+; always \d: \d+\.\d\d %\)$",
        result.stdout,
        re.MULTILINE,
    )
    assert re.search(r"^test elbo: -\d+\.\d\d nats per row$", result.stdout, re.MULTILINE)
    assert "run        runs/tiny" in lines
    pictures = [line.split()[-1] for line in lines if "runs/tiny/figures/" in line]
    assert pictures
    assert all((tmp_path / path).stat().st_size > 0 for path in pictures)
    report = json.loads((tmp_path / "runs/tiny/evaluation-test.json").read_text())
    assert report["split"] == "test"
    assert 0 <= report["variables"]["y"]["error"] <= 1


def test_json_is_one_object_and_nothing_else() -> None:
    result = graphspec(
        "train", "tiny.yaml", "--json", "--no-figures", "--out", "here", "--seed", "3", "--device", "cpu"
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["run"] == "here"
    assert answer["status"] == "finished"
    assert answer["test"]["variables"]["y"]["rows"] == 24
    assert answer["figures"] == []
    run = Run(Path("here"))
    assert run.manifest()["seed"] == 3
    assert "seed: 3" in run.resolved_file.read_text()


def test_quiet_prints_the_result_only() -> None:
    result = graphspec("train", "tiny.yaml", "-q", "--no-figures", "--set", "training.epochs=1", "--device", "cpu")
    assert result.exit_code == 0
    assert not [line for line in result.stdout.splitlines() if line.startswith("epoch ")]
    assert "test error of y" in result.stdout


def test_a_taken_folder_and_a_missing_run_are_told_and_nothing_is_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    result = graphspec("train", "tiny.yaml", "--out", "mine")
    assert result.exit_code == 1
    assert "error: mine exists and is not empty" in result.stderr
    assert "Traceback" not in result.output
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    result = graphspec("train", "tiny.yaml", "--resume")
    assert result.exit_code == 1
    assert "no run to resume" in result.stderr
    result = graphspec("train", "tiny.yaml", "--resume", "--out", "mine")
    assert result.exit_code == 1
    assert "not a run folder" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["absent.yaml"], "absent.yaml"),
        (["tiny.yaml", "--set", "training.epoch=1"], "epochs"),
        (["tiny.yaml", "--set", "data=null"], "data"),
        (["tiny.yaml", "--set", "data.source=absent.npz"], "absent.npz"),
        (["tiny.yaml", "--device", "cuda:42"], "cuda:42"),
        (["tiny.yaml", "--set", "training.initialize={from: gone, factors: [recognition.h]}"], "gone"),
    ],
)
def test_mistakes_are_told_without_a_traceback_and_leave_nothing(arguments: list[str], expected: str) -> None:
    result = graphspec("train", *arguments)
    assert result.exit_code == 1, result.output
    assert "error" in result.stderr
    assert expected in result.stderr
    assert "Traceback" not in result.output
    assert not Path("runs").exists()


def test_wrong_usage_exits_with_2() -> None:
    assert graphspec("train").exit_code == 2
    assert graphspec("train", "tiny.yaml", "--precision", "fp8").exit_code == 2


def test_a_source_with_nan_or_no_rows_is_a_data_error() -> None:
    np.savez("rows.npz", x=np.full((30, 6), np.nan), y=np.arange(30) % 3)
    result = graphspec("train", "tiny.yaml")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    np.savez("rows.npz", x=np.zeros((0, 6)), y=np.zeros(0))
    result = graphspec("train", "tiny.yaml")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert not Path("runs").exists()


def test_ctrl_c_says_how_to_go_on_and_the_command_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted_once(self: PlainReporter, record: Mapping[str, Any]) -> None:
        signal.raise_signal(signal.SIGINT)
        monkeypatch.undo()
        monkeypatch.chdir(folder)

    folder = Path.cwd()
    monkeypatch.setattr(PlainReporter, "epoch", interrupted_once)
    result = graphspec("train", "tiny.yaml", "--set", "training.epochs=3", "--no-figures", "--device", "cpu")
    assert result.exit_code == 130, result.output
    assert "interrupted after 1 of 3 epochs (4 steps); everything up to here is saved in runs/tiny" in result.stdout
    command = shlex.split(result.stdout.splitlines()[-1])
    assert command[:2] == ["graphspec", "train"]
    assert command[-3:] == ["--out", "runs/tiny", "--resume"]
    result = graphspec(*command[1:], "--no-figures")
    assert result.exit_code == 0, result.output
    assert [record["epoch"] for record in Run(Path("runs/tiny")).metrics()] == [1, 2, 3]


def test_a_second_ctrl_c_ends_at_once_and_loses_no_more_than_the_open_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    step_of = Training._step

    def twice(self: Training, step: Any) -> None:
        if self.position.step == 6:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        step_of(self, step)

    monkeypatch.setattr(Training, "_step", twice)
    result = graphspec("train", "tiny.yaml", "--no-figures", "--device", "cpu")
    monkeypatch.setattr(Training, "_step", step_of)
    assert result.exit_code == 130, result.output
    assert "Traceback" not in result.output
    assert "what was saved last is in runs/tiny" in result.stdout
    assert Run(Path("runs/tiny")).manifest()["status"] == "interrupted"
    again = graphspec(*shlex.split(result.stdout.splitlines()[-1])[1:], "--no-figures")
    assert again.exit_code == 0, again.output
    assert [record["step"] for record in Run(Path("runs/tiny")).metrics()] == [4, 8, 12]


def test_ctrl_c_while_measuring_says_that_the_model_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runtime.cli.train.measure", interrupted)
    result = graphspec("train", "tiny.yaml", "--no-figures", "--device", "cpu")
    assert result.exit_code == 130
    assert "interrupted after training: the trained model is in runs/tiny" in result.stderr
    assert result.stderr.splitlines()[-1].strip() == "graphspec evaluate runs/tiny"
    assert Run(Path("runs/tiny")).finished


def test_ctrl_c_before_anything_is_written_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runtime.runs.run_rows.prepare", interrupted)
    result = graphspec("train", "tiny.yaml", "--device", "cpu")
    assert result.exit_code == 130
    assert result.stderr == "interrupted\n"
    assert not Path("runs").exists()


def test_the_speed_and_the_profile_are_told() -> None:
    result = graphspec("train", "tiny.yaml", "--no-figures", "--device", "cpu", "--profile")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"^[\d.]+ examples/s \(data \d+ %, forward \d+ %, backward \d+ %, optimizer \d+ %", result.stdout, re.M
    )
    assert re.search(r"^p x +\d+\.\d+ +\d+\.\d+ +\d+\.\d %$", result.stdout, re.M)
    assert "profile    runs/tiny/profile/trace.json" in result.stdout
    assert "note: float32 products (" in result.stdout or "note: bfloat16 products (" in result.stdout
    assert "note: networks not compiled (" in result.stdout
    result = graphspec("train", "tiny.yaml", "--no-figures", "--device", "cpu", "--json")
    answer = json.loads(result.stdout)
    assert answer["examples_per_second"] > 0
    assert set(answer["time_shares"]) == {"data", "forward", "backward", "optimizer", "other"}


# --- progress ---------------------------------------------------------------------------------------------------------

RECORD = {
    "epoch": 2,
    "loss": 12.345,
    "terms": {"log p(x)": -80.125, "KL z": 12.0},
    "validation": {"elbo": -95.2, "variables": {"y": {"error": 0.041, "log_loss": 1.0}, "w": {"error": 2.5}}},
    "seconds": 0.8,
}


def test_a_terminal_gets_a_bar_with_terms_errors_and_the_time_left() -> None:
    console = Console(force_terminal=True, width=150, record=True)
    reporter = choose_reporter(True, console)
    assert isinstance(reporter, BarReporter)
    reporter.start(5, 10, 0)
    reporter.step(3, 25, StepInfo(11.0, {"log p(x)": -79.0}))
    reporter.epoch(RECORD)
    reporter.stop()
    shown = console.export_text()
    assert "epoch 3/5" in shown
    assert "50%" in shown
    assert "left" in shown
    assert re.search(r"loss 12.35 +log p\(x\) -80.12 +KL z 12.00", shown)
    assert "validation elbo -95.20  y error 4.10%  w error 2.5" in shown


def test_anything_else_gets_one_line_per_epoch() -> None:
    console = Console(force_terminal=False, width=40, record=True)
    reporter = choose_reporter(True, console)
    assert isinstance(reporter, PlainReporter)
    reporter.start(12, 10, 0)
    reporter.epoch(RECORD)
    reporter.epoch({**RECORD, "validation": None})
    first, second = console.export_text().splitlines()
    assert first.startswith("epoch  2/12  loss 12.35  log p(x) -80.12  KL z 12.00  | validation elbo -95.20")
    assert first.endswith("0.8 s")
    assert "validation" not in second


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_the_doctor_looks_at_everything_and_json_says_the_same() -> None:
    result = graphspec("doctor", "--json")
    answer = json.loads(result.stdout)
    names = [finding["name"] for finding in answer["findings"]]
    assert {"python", "threads", "device", "torchvision import", "data folder", "data: digits"} <= set(names)
    broken = [finding for finding in answer["findings"] if finding["status"] == "error"]
    assert result.exit_code == (1 if broken else 0)
    assert answer["ok"] is not bool(broken)
    assert all(finding["fix"] for finding in answer["findings"] if finding["status"] != "ok")


def test_the_doctor_prescribes(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Finding("torchvision import", "error", "broken", "mend")
    monkeypatch.setattr("runtime.cli.doctor._torchvision", lambda: broken)
    result = graphspec("doctor")
    assert result.exit_code == 1
    assert "fix: mend" in result.stdout


def test_packages_out_of_range_are_errors_and_extras_are_notes() -> None:
    assert package_finding("numpy", ">=1,<99", optional=False).status == "ok"
    old = package_finding("numpy", ">=99", optional=False)
    assert (old.status, old.fix) == ("error", "pip install 'numpy>=99'")
    assert package_finding("no-such-package", ">=1", optional=True).status == "note"
    assert package_finding("no-such-package", ">=1", optional=False).status == "error"


def test_the_doctor_finds_data_sets_by_folder(tmp_path: Path) -> None:
    found = {finding.name: finding for finding in examine(tmp_path / "data")}
    assert found["data: digits"].status == "ok"
    assert found["data: mnist"].status == "note"
    assert str(tmp_path / "data") in found["data: mnist"].fix
