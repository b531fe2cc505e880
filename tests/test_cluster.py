"""A scheduler and workers on this machine: runs end with the same bits as here, whatever happens to the workers."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sweep_runs import graphspec, summary
from tiny_runs import train_tiny, write_tiny

from runtime.errors import RunError
from runtime.runs.checkpoints import read_weights
from runtime.runs.run_folder import Run
from runtime.sweeping.run_commands import RunCommand

distributed = pytest.importorskip("distributed", reason="dask.distributed (extra `cluster`) is not installed")

EPOCHS = ("training.epochs=24", "training.patience=null")
SETS = tuple(part for text in EPOCHS for part in ("--set", text))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers of one thread each, as processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as found:
        yield found


class Hands:
    """A watcher that does something once a run has logged three epochs."""

    def __init__(self, act: Any) -> None:
        self.act, self.codes = act, dict[str, int]()

    def started(self, task: RunCommand) -> None:
        """Nothing."""

    def ended(self, task: RunCommand, code: int, seconds: float) -> None:
        self.codes[task.name] = code

    def tick(self, running: Sequence[RunCommand]) -> None:
        if self.act is not None and any(len(Run(task.folder).metrics()) > 2 for task in running):
            act, self.act = self.act, None
            act()


def tasks(folder: Path, *names: str) -> list[RunCommand]:
    found = []
    for name in names:
        out = folder / "runs" / name
        found.append(
            RunCommand(name, name, out, 24, ("train", "tiny.yaml", *SETS, "--out", str(out), "--device", "cpu", "-q"))
        )
    return found


def run_on(cluster: Any, folder: Path, wanted: list[RunCommand], act: Any) -> Hands:
    from runtime.cluster.cluster_pool import ClusterPool
    from runtime.cluster.connecting import connected

    hands = Hands(act)
    with connected(cluster.scheduler_address, folder) as found:
        ClusterPool[RunCommand](found, hands, None, lambda text: None).run(iter(wanted), lambda task, code: None)
    return hands


@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_dies_costs_a_retry_and_nothing_else(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)

    def kill() -> None:
        while not any(len(Run(folder.parent).metrics()) > 2 for folder in Path("s/runs").glob("*/metrics.jsonl")):
            time.sleep(0.05)
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            at_work = [worker for worker, keys in client.processing().items() if keys]
            for pid in client.run(os.getpid, workers=at_work).values():
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    result = graphspec("sweep", "tiny.yaml", *SETS, "--device", "cpu", "--out", "s", "--on", cluster.scheduler_address)
    killer.join()
    assert result.exit_code == 0, result.output
    assert "at a time on 2 workers, 1 thread each" in result.stdout
    assert summary("s")["machine"]["workers"] == 2 and summary("s")["rows"][0]["test_error"]["n"] == 1
    (run,) = [Run(folder) for folder in Path("s/runs").iterdir() if folder.is_dir()]
    assert len(run.manifest()["resumed"]) == 1, "it was carried out twice, and went on where it stood"
    alone = train_tiny(tmp_path, *EPOCHS, out="alone")
    one, other = (read_weights(each.last_file).weights for each in (run, alone))
    assert all(torch.equal(one[name], other[name]) for name in one | other)


@pytest.mark.filterwarnings("ignore")
def test_ctrl_c_stops_what_works_elsewhere_and_saves(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_on(cluster, tmp_path, tasks(tmp_path, "stopped"), stop)
    manifest = Run(tmp_path / "runs" / "stopped").manifest()
    assert manifest["status"] == "interrupted" and 2 < manifest["epochs"] < 24


@pytest.mark.filterwarnings("ignore")
def test_parts_are_predicted_by_workers_as_here(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train_tiny(tmp_path, "training.epochs=1")
    Path("parts").mkdir()
    for number in range(2):
        np.savez(Path("parts") / f"{number}.npz", x=np.random.default_rng(number).integers(0, 2, (4, 6)))
    here = ("predict", "run", "parts/*.npz", "-o", "here", "--device", "cpu")
    assert graphspec(*here).exit_code == 0
    there = (*here[:4], "there", *here[5:], "--on", cluster.scheduler_address)
    monkeypatch.setattr("sys.argv", ["graphspec", *there])
    result = graphspec(*there)
    assert result.exit_code == 0, result.output
    assert "there  (2 files; 8 rows)" in result.stdout
    for path in Path("here").glob("*.npz"):
        one, other = np.load(path), np.load(Path("there") / path.name)
        assert all(np.array_equal(one[name], other[name]) for name in one.files) and one.files == other.files


def test_an_address_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.cluster import connecting

    monkeypatch.setattr(connecting, "CONNECTING", 0.5)
    with (
        pytest.raises(RunError, match="no scheduler answers at tcp://127") as caught,
        connecting.connected("tcp://127.0.0.1:9", tmp_path),
    ):
        pass
    assert "dask scheduler" in caught.value.hint


def test_workers_have_the_same_code_and_folders(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.cluster import connecting, on_worker

    monkeypatch.setattr(on_worker, "source_digest", lambda: "another")
    with (
        pytest.raises(RunError, match=r"has graphspec \w{12}, this is another"),
        connecting.connected(cluster.scheduler_address, tmp_path),
    ):
        pass
