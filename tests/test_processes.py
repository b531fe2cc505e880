"""Two processes train as one does: the same rows, noise, objective and gradients; stopping; who writes and prints."""

import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from process_runs import CASES, MESSAGES, Case, start_two, train_case, write_data

from runtime.runs.checkpoints import read_weights
from runtime.runs.run_folder import Run
from runtime.training.loop.state import read_state
from runtime.training.processes.exchange import SHARED_FOLDER
from runtime.training.step.noise import BatchNoise
from runtime.training.step.step_metrics import Meter

TOLERANCE = 1e-9
STEPPED = {"from-two-to-one", "from-one-to-two"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case trained by one process and by two (the mixed ones partly by one, partly by two)."""
    folder = tmp_path_factory.mktemp("processes")
    write_data(folder)
    mixed = {case.name: case for case in CASES if case.stop}
    train_case(folder, mixed["from-one-to-two"], "from-one-to-two-mixed", stop=mixed["from-one-to-two"].stop)
    pair = start_two("tests/process_runs.py", str(folder), "memory")
    try:
        for case in CASES:
            train_case(folder, case, f"{case.name}-one")
        succeed(pair)
    finally:
        for process in pair:
            process.kill()
    train_case(folder, mixed["from-two-to-one"], "from-two-to-one-mixed", resume=True)
    return folder


@pytest.fixture(scope="module")
def messages(trained: Path) -> Path:
    """Some of the cases trained by two processes that take themselves for two machines."""
    pair = start_two("tests/process_runs.py", str(trained), "messages", LOCAL_WORLD_SIZE="1", LOCAL_RANK="0")
    try:
        succeed(pair)
    finally:
        for process in pair:
            process.kill()
    return trained


def succeed(pair: list[Any]) -> None:
    for code, output, errors in finish(pair):
        assert code == 0, errors
        assert output == ""


def finish(pair: list[Any]) -> list[tuple[int, str, str]]:
    """(exit code, standard output, standard error) of each process."""
    told = [process.communicate(timeout=400) for process in pair]
    return [(process.returncode, *both) for process, both in zip(pair, told, strict=True)]


def runs_of(folder: Path, case: Case) -> tuple[Run, Run]:
    other = "mixed" if case.stop else "two"
    return Run(folder / f"{case.name}-one"), Run(folder / f"{case.name}-{other}")


def far(left: Mapping[str, torch.Tensor], right: Mapping[str, torch.Tensor]) -> float:
    assert set(left) == set(right)
    return max(float((left[name] - right[name]).abs().max()) for name in left)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_processes_end_with_the_weights_of_one(trained: Path, case: Case) -> None:
    one, other = runs_of(trained, case)
    assert one.finished
    assert other.finished
    for file in ("best_file", "last_file"):
        assert far(*(read_weights(getattr(run, file)).weights for run in (one, other))) < TOLERANCE
    states = [read_state(run.state_file) for run in (one, other)]
    assert states[0].position.step == states[1].position.step
    assert far(states[0].weights, states[1].weights) < TOLERANCE


@pytest.mark.parametrize("name", MESSAGES)
def test_two_machines_end_with_the_weights_of_one_process(messages: Path, name: str) -> None:
    one, other = (read_weights(Run(messages / f"{name}-{way}").last_file).weights for way in ("one", "messages"))
    assert far(one, other) < TOLERANCE


@pytest.mark.parametrize("way", ["memory", "messages"])
def test_processes_of_one_machine_share_memory(messages: Path, way: str) -> None:
    if way == "memory" and not os.access(SHARED_FOLDER, os.W_OK):
        pytest.skip(f"no memory to share: {SHARED_FOLDER} cannot be written")
    assert [(messages / f"{way}-{rank}.txt").read_text() for rank in range(2)] == [way] * 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_processes_log_what_one_logs(trained: Path, case: Case) -> None:
    records = [[numbers({**r, "seconds": 0}) for r in run.metrics()] for run in runs_of(trained, case)]
    assert len(records[0]) == len(records[1]) > 0
    for left, right in zip(*records, strict=True):
        assert left == pytest.approx(right, abs=TOLERANCE)


def numbers(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in record.items():
        value = dict(enumerate(value)) if isinstance(value, list) else value
        flat |= numbers(value, f"{prefix}{name}/") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def test_the_weighed_case_has_effective_samples_and_the_pixels_are_random(trained: Path) -> None:
    """What the cases above are about is there."""
    weighed = Run(trained / "weighed-two").metrics()[0]
    assert 1 <= weighed["ess"]["y"] <= 4
    assert 1 <= weighed["validation"]["ess"]["y"] <= 4
    rows = Run(trained / "one-labelled-row-two").manifest()
    assert rows["processes"] == 2


def test_the_main_process_alone_makes_the_folder(trained: Path) -> None:
    one, two = (sorted(p.name for p in Run(trained / f"plain-{n}").folder.rglob("*")) for n in ("one", "two"))
    assert one == two


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_once_and_ctrl_c_stops_both(tmp_path: Path) -> None:
    """Twice the signal, as a terminal and torchrun each send it; both end with 130 and the run can be resumed."""
    write_data(tmp_path)
    command = ["-m", "runtime.cli", "train", str(tmp_path / "tiny.yaml"), "--no-figures", "--device", "cpu"]
    command += ["--set", "training.epochs=500", "--out", str(tmp_path / "run")]
    pair = start_two(*command)
    run, deadline = Run(tmp_path / "run"), time.monotonic() + 200
    while len(run.metrics()) < 1 and time.monotonic() < deadline and pair[0].poll() is None:
        time.sleep(0.05)
    for _ in range(2):
        for process in pair:
            process.send_signal(signal.SIGINT)
    (first, output, errors), (second, nothing, no_errors) = finish(pair)
    assert (first, second) == (130, 130), errors + no_errors
    assert nothing == no_errors == ""
    assert "Traceback" not in errors
    assert "note: 2 processes share out the rows of each step" in output
    assert output.splitlines()[-1].endswith(f"--out {tmp_path / 'run'} --resume")
    assert "interrupted after" in output
    assert run.manifest()["status"] == "interrupted"
    assert read_state(run.state_file).position.step == run.manifest()["step"] > 0


def test_a_mistake_of_the_spec_is_told_once(tmp_path: Path) -> None:
    write_data(tmp_path)
    command = ["-m", "runtime.cli", "train", str(tmp_path / "tiny.yaml"), "--set", "training.epoch=1"]
    (first, _, errors), (second, _, silence) = finish(start_two(*command))
    assert (first, second) == (1, 1)
    assert "epochs" in errors
    assert silence == ""


def test_what_the_main_process_finds_wrong_stops_all(trained: Path) -> None:
    told = [(trained / f"told-{rank}.txt").read_text() for rank in range(2)]
    assert told[0] == told[1]
    assert told[0].endswith("exists and is not empty")


# --- the parts --------------------------------------------------------------------------------------------------------


def test_a_row_gets_the_same_noise_in_any_part_of_the_batch() -> None:
    whole = BatchNoise(5, 10)
    every = whole.normal("z", (3,), (2,), torch.float64)
    mask = whole.uniform("dropout", (), (4,), torch.float32)
    places = torch.tensor([7, 1, 4])
    for part in (
        BatchNoise(5, 10, places),
        whole.select(places),
        BatchNoise(5, 10, torch.arange(1, 10)).select(places - 1),
    ):
        assert torch.equal(part.normal("z", (3,), (2,), torch.float64), every[:, places])
        assert torch.equal(part.uniform("dropout", (), (4,), torch.float32), mask[places])
        assert part.batch == 3
    assert torch.equal(whole.select(slice(2, 5)).normal("z", (3,), (2,), torch.float64), every[:, 2:5])
    assert not torch.equal(whole.normal("w", (3,), (2,), torch.float64), every)
    assert not torch.equal(BatchNoise(6, 10).normal("z", (3,), (2,), torch.float64), every)
    assert bool((mask > 0).all())


def test_draws_are_made_once_for_all_patterns_of_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    draw = BatchNoise._draw
    monkeypatch.setattr(BatchNoise, "_draw", lambda self, key: calls.append(key) or draw(self, key))
    whole = BatchNoise(0, 6)
    for rows in (torch.tensor([0, 2]), torch.tensor([1, 3, 4, 5])):
        whole.select(rows).normal("z", (), (2,), torch.float32)
    assert len(calls) == 1


def test_meters_of_two_processes_add_up_to_the_meter_of_all_rows() -> None:
    torch.manual_seed(0)
    bound, weights = torch.randn(6).double(), torch.rand(6).double()
    terms = {"a": torch.randn(6).double(), "b": torch.cat([torch.full((3,), torch.nan), torch.randn(3)]).double()}
    effective = {"y": torch.tensor([torch.nan, torch.nan, torch.nan, 2.0, 3.0, 4.0]).double()}
    parts = (torch.tensor([0, 2, 4]), torch.tensor([1, 3, 5]))
    whole, joined = Meter(), Meter()
    whole.add(-(weights * bound).sum(), bound, terms, effective, weights, 3)
    for part, unlabelled in zip(parts, (2, 1), strict=True):
        own = Meter()
        mine = {name: values[part] for name, values in terms.items()}
        loss = -(weights[part] * bound[part]).sum()
        own.add(loss, bound[part], mine, {"y": effective["y"][part]}, weights[part], unlabelled)
        joined.take_in(json_round(own))
    left, right = whole.read(), joined.read()
    assert left.loss == pytest.approx(right.loss, abs=1e-12)
    assert left.terms == pytest.approx(right.terms, abs=1e-12)
    assert left.effective_samples == right.effective_samples == {"y": 3.0}


def json_round(meter: Meter) -> Any:
    tensors, plain = meter.state()
    return tensors, json.loads(json.dumps(plain))


def test_a_row_without_weight_counts_nowhere() -> None:
    meter, one = Meter(), torch.ones(2)
    weights = torch.tensor([1.0, 0.0])
    meter.add(torch.tensor(1.0), one, {"a": torch.tensor([2.0, 9.0])}, {"y": torch.tensor([3.0, 1.0])}, weights, 2)
    assert meter.read().terms == {"a": 2.0}
    assert meter.read().effective_samples == {"y": 3.0}


def test_a_resumed_run_by_two_processes_does_not_count_the_log_twice(trained: Path, tmp_path: Path) -> None:
    """A stop within an epoch: the log of the first part comes from the state, once."""
    case = next(case for case in CASES if case.name == "from-one-to-two")
    shutil.copytree(trained / f"{case.name}-mixed", tmp_path / "run")
    one, mixed = (Run(trained / f"{case.name}-{n}").metrics() for n in ("one", "mixed"))
    assert [r["loss"] for r in one] == pytest.approx([r["loss"] for r in mixed], abs=TOLERANCE)
