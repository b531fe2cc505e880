"""Examples a second, shares of time, and `--profile`: what is counted, what is left out, what is written."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import tiny_model, train_tiny

from runtime.training.loop.progress import SilentReporter
from runtime.training.speed import timing
from runtime.training.speed.profiling import REST, Profile, describe_table, range_names, ranges
from runtime.training.speed.timing import PHASES, StepTimes, describe_speed, first_steps

CPU = torch.device("cpu")


class Watch:
    """A clock that moves when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def step(self, times: StepTimes, seconds: float, rows: int = 10) -> None:
        for phase, part in (("data", 0.1), ("forward", 0.4), ("backward", 0.3), ("optimizer", 0.15)):
            self.now += part * seconds
            times.mark(phase)
        self.now += 0.05 * seconds
        times.step_over(rows)


def test_first_steps_saving_and_validation_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, times = Watch(monkeypatch), StepTimes(CPU, 2)
    times.go_on()
    for seconds in (30.0, 20.0):  # allocation, compilation
        watch.step(times, seconds)
    assert times.speed().examples_per_second is None
    for _ in range(3):
        watch.step(times, 2.0)
    times.pause()
    watch.now += 1000  # validation
    times.go_on()
    watch.step(times, 2.0, rows=30)
    speed = times.speed()
    assert speed.examples_per_second == pytest.approx((10 * 3 + 30) / 8.0)
    assert speed.steps == 4
    assert speed.time_shares == pytest.approx(dict(zip(PHASES, (0.1, 0.4, 0.3, 0.15, 0.05), strict=True)))
    assert speed.facts()["measured_steps"] == 4


class FakeEvent:
    """A mark on a GPU's stream: the time of the stream when it was recorded."""

    stream = 0.0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at = FakeEvent.stream

    def elapsed_time(self, later: "FakeEvent") -> float:
        return 1000 * (later.at - self.at)


def test_on_a_gpu_shares_come_from_the_stream_and_only_pauses_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    watch, times = Watch(monkeypatch), StepTimes(torch.device("cuda"), 1)
    times.go_on()
    watch.step(times, 1.0)
    assert len(waits) == 1, "once, after the first steps"
    for _ in range(5):
        for phase, part in (("data", 0.0), ("forward", 1.0), ("backward", 2.0), ("optimizer", 1.0)):
            FakeEvent.stream += part
            watch.now += 0.01  # the host only queues
            times.mark(phase)
        times.step_over(8)
    assert len(waits) == 1
    watch.now += 19.8  # the host waits here for the stream
    times.pause()
    assert len(waits) == 2
    FakeEvent.stream += 500.0
    times.go_on()
    times.pause()
    speed = times.speed()
    assert speed.examples_per_second == pytest.approx(40 / 20.0)
    assert speed.time_shares == pytest.approx(
        {"data": 0, "forward": 0.25, "backward": 0.5, "optimizer": 0.25, "other": 0}
    )


@pytest.mark.parametrize(
    ("total", "epoch", "profiled", "expected"),
    [(1000, 0, False, 10), (12, 0, False, 6), (1, 0, False, 1), (1000, 40, False, 40), (1000, 0, True, 16)],
)
def test_how_many_first_steps(total: int, epoch: int, profiled: bool, expected: int) -> None:
    assert first_steps(total, epoch, profiled) == expected


def test_a_run_ends_with_its_speed(tmp_path: Path) -> None:
    """Twelve steps of 20 + 12 rows (65 unlabelled rows make batches of 16 or 17): six of them are measured."""
    began = time.perf_counter()
    manifest = train_tiny(tmp_path).manifest()
    wall = time.perf_counter() - began
    assert manifest["measured_steps"] == 6
    assert manifest["examples_per_second"] > 6 * 28 / wall
    assert sum(manifest["time_shares"].values()) == pytest.approx(1, abs=1e-3)
    assert set(manifest["time_shares"]) == set(PHASES)
    told = describe_speed(manifest["examples_per_second"], manifest["time_shares"])
    assert "examples/s (data " in told
    short = train_tiny(tmp_path, "training.epochs=1", "training.batch_size=100", out="short").manifest()
    assert short["examples_per_second"] is None
    assert "too few" in describe_speed(short["examples_per_second"], short["time_shares"])


def test_a_resumed_run_measures_its_own_steps(tmp_path: Path) -> None:
    train_tiny(tmp_path, "training.epochs=1")
    assert train_tiny(tmp_path, resume=True).manifest()["measured_steps"] == 4


# --- profile ----------------------------------------------------------------------------------------------------------


class Notes(SilentReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_profile_has_every_variable_and_changes_nothing(tmp_path: Path) -> None:
    notes = Notes()
    run = train_tiny(tmp_path, "training.epochs=5", profile=True, progress=notes)
    trace = json.loads((run.folder / "profile" / "trace.json").read_text())
    names = {event.get("name") for event in trace["traceEvents"]}
    assert {"q h", "q y", "q z", "p x", "log p x", "log q y", "KL z"} <= names
    assert run.manifest()["profile"] == "profile/trace.json"
    (table,) = [note for note in notes.notes if note.startswith("profile of 5 steps")]
    rows = {
        line[:24].strip(): [float(v) for v in line[24:].replace("%", "").split()] for line in table.splitlines()[2:]
    }
    assert {"q h", "q z", "p x", "log p x", REST} <= set(rows)
    assert all(rows[name][0] > 0 for name in ("q h", "q y", "q z", "p x"))
    assert all(rows[name][1] > 0 for name in ("q h", "q y", "q z", "p x")), "the backward pass is told apart"
    assert sum(row[2] for row in rows.values()) == pytest.approx(100, abs=0.1 * len(rows))
    plain = train_tiny(tmp_path, "training.epochs=5", out="plain")
    assert [r["loss"] for r in plain.metrics()] == [r["loss"] for r in run.metrics()]
    assert "profile" not in plain.manifest()


def test_ranges_leave_no_trace(tmp_path: Path) -> None:
    from compiler.plan.run import watch

    model = tiny_model(tmp_path)
    with ranges(model):
        assert watch.get() is not None
    assert watch.get() is None
    assert {"q z", "log p x", "KL z"} <= set(range_names(model))


@pytest.mark.parametrize(("total", "kept"), [(100, 5), (6, 5), (3, 2), (1, 1)])
def test_a_short_training_is_profiled_as_far_as_it_goes(tmp_path: Path, total: int, kept: int) -> None:
    profile = Profile(tiny_model(tmp_path), tmp_path / "trace.json", False, total)
    profile.start()
    written = [profile.step() for _ in range(total)]
    profile.stop()
    assert profile.steps == kept
    assert sum(written) == 1
    assert (tmp_path / "trace.json").exists()
    assert describe_table(profile.table)


def test_an_interrupted_profile_writes_nothing_and_puts_things_back(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    profile = Profile(model, tmp_path / "trace.json", False, 100)
    profile.start()
    for _ in range(10):
        profile.step()
    profile.stop()
    assert not any("forward" in vars(module) for module in model.factors.values())
