"""How many rows `predict` answers beside the bare networks of the same graph, and what memory it takes of many rows.

python -m benchmarks.predicting --json results/predict.json

Throughput: processor time of one thread, batches of the same rows in turns, reading and writing left out. `predict` is
all that it does between: blanks, patterns of labels, probabilities, units, names. The bare network is torch.nn modules
of the same sizes with what they need (of a table zeros and flags for blanks) and a softmax: of the label alone
(`--latents none`), or of the label and, for each of its classes, of the latent (`--latents mean`). Weights are those of
one epoch; they do not matter here.
Memory: peak of resident memory of whole processes that predict tables of more and more rows.
"""

import argparse
import csv
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table as Shown
from torch import Tensor, nn

from benchmarks.machine import processor
from compiler import compile_spec
from graphspec import load
from runtime import fit
from runtime.measures.evaluation import placement
from runtime.predicting.input_tables import open_input
from runtime.predicting.input_values import InputReader, batch_of
from runtime.predicting.predict_rows import answered_batch
from runtime.predicting.row_answers import AskedFor, Latents
from runtime.predicting.used_run import UsedRun, use_run

HERE = Path(__file__).parent
ROWS = 5_000
SECONDS = 0.3
"""Of each turn, at least."""
PEAK = """
import sys
from pathlib import Path
from runtime.cli.app import app
sys.argv = ["graphspec", "predict", *sys.argv[1:]]
try:
    app()
finally:  # of this program alone: what getrusage tells counts the one that started it
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--rows", default="10000,100000,1000000", help="of the tables whose memory is measured")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    report: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.predicting", "--repeats", str(options.repeats)]),
        "machine": processor() | {"load": os.getloadavg(), "threads": 1},
        "versions": {name: version(name) for name in ("torch", "numpy")},
        "throughput": [],
        "memory": [],
    }
    speed, memory = report["throughput"], report["memory"]
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: trained(name, Path(folder) / name) for name in NETWORKS}
        for name, run in runs.items():
            speed += throughput(name, run, options.repeats)
            write(options.json, report)
        for rows in map(int, filter(None, options.rows.split(","))):
            memory.append(peak(runs["table"], rows))
            write(options.json, report)
    table = Shown("spec", "latents", "batch", "predict, rows/s", "bare, rows/s", "ratio", "range")
    for row in speed:
        low, high = row["range"]
        numbers = (f"{row[way]:,.0f}" for way in ("predict_rows_per_s", "bare_rows_per_s"))
        batch = str(row["batch_rows"])
        table.add_row(row["spec"], row["latents"], batch, *numbers, f"{row['ratio']:.2f}", f"{low:.2f} - {high:.2f}")
    Console().print(table)
    for row in memory:
        print(f"{row['rows']:>9,} rows: {row['peak_mib']:.0f} MiB, {row['seconds']:.0f} s")
    return 0


def write(path: Path | None, report: dict[str, Any]) -> None:
    """What is measured by now: the largest table takes minutes."""
    if path is not None:
        path.write_text(json.dumps(report, indent=1) + "\n")


def trained(name: str, folder: Path) -> Path:
    """A run of one epoch on made-up or own rows, beside its data."""
    folder.mkdir()
    shutil.copy(HERE / f"{name}.yaml", folder)
    overrides = ["training.epochs=1"]
    if name == "table":
        shutil.copy(HERE / "table.csv", folder)
    else:
        side, rng = (28 if name == "m2" else 8), np.random.default_rng(0)
        images = rng.integers(0, 256, (ROWS, side, side), dtype=np.uint8)
        np.savez(folder / "rows.npz", image=images, label=np.arange(ROWS) % 10)
        overrides += ["data.source=rows.npz", "data.labels.y=1000"]
        overrides += ["data.variables.x=image"] if name == "digits" else []
    model = compile_spec(load(folder / f"{name}.yaml", overrides))
    return fit(model, out=folder / "run", progress=False, device="cpu").folder


def throughput(name: str, run: Path, repeats: int) -> list[dict[str, Any]]:
    """A row for each way in which latents are answered."""
    used, found = use_run(run), []
    label, latent = NETWORKS[name]()
    for batch_rows in (500, 5_000):
        batches = read(used, run.parent / ("table.csv" if name == "table" else "rows.npz"), batch_rows)
        for latents in ("none", "mean"):
            bare = Bare(name, label, latent if latents == "mean" else None).eval()
            told = {"spec": f"benchmarks/{name}.yaml", "latents": latents, "batch_rows": batch_rows}
            found.append(told | in_turns(partial(by_predict, used, batches, latents), partial(by_hand, bare, batches),
                                         sum(map(rows_of, batches)), repeats))  # fmt: skip
    return found


def by_predict(used: UsedRun, batches: Sequence[Mapping[str, Tensor]], latents: Latents) -> None:
    """Every batch once."""
    for batch in batches:
        answered_batch(used, batch, AskedFor(latents=latents), 0)


def by_hand(bare: "Bare", batches: Sequence[Mapping[str, Tensor]]) -> None:
    """The same rows."""
    with torch.no_grad():
        for batch in batches:
            bare(batch)


def rows_of(batch: Mapping[str, Tensor]) -> int:
    """How many."""
    return len(next(iter(batch.values())))


def read(used: UsedRun, source: Path, batch_rows: int) -> list[dict[str, Tensor]]:
    """The rows without their labels, as `predict` has them when reading is done; of a short table again and again."""
    dtype = placement(used.model)[1]
    with ExitStack() as stack:
        table = open_input(str(source), used, lambda _: None, stack)
        values = InputReader(used, table).read(next(iter(table.parts(ROWS))))
    rows = rows_of(values)
    places = torch.arange(max(ROWS, batch_rows)) % rows
    seen = {n: v[places] for n, v in values.items() if used.graphs.variables[n].role == "observed"}
    return [batch_of(seen, slice(start, start + batch_rows), dtype) for start in range(0, len(places), batch_rows)]


def in_turns(predict: Callable[[], None], bare: Callable[[], None], rows: int, repeats: int) -> dict[str, Any]:
    """Rows a second of processor time; ratio: the median over pairs of turns."""
    seconds: dict[str, list[float]] = {"predict": [], "bare": []}
    predict(), bare()
    for _ in range(repeats):
        for way, run in (("predict", predict), ("bare", bare)):
            began, times = time.process_time(), 0
            while time.process_time() - began < SECONDS:
                run()
                times += 1
            seconds[way].append((time.process_time() - began) / times)
    ratios = [b / p for p, b in zip(seconds["predict"], seconds["bare"], strict=True)]
    rates = {f"{way}_rows_per_s": rows / statistics.median(taken) for way, taken in seconds.items()}
    return rates | {"ratio": statistics.median(ratios), "range": [min(ratios), max(ratios)], "repeats": repeats}


class Bare(nn.Module):
    """The networks of q as anybody would write them: of a label, and of a latent for each of its classes."""

    def __init__(self, name: str, label: nn.Module, latent: "nn.Module | None") -> None:
        super().__init__()
        self.name, self.label, self.latent = name, label, latent

    def inputs(self, batch: Mapping[str, Tensor]) -> Tensor:
        """[B, n] that the networks read: of the table numbers, zeros for blanks, and flags of these."""
        if self.name != "table":
            return next(iter(batch.values())).flatten(1).float()
        parts = []
        for name, values in batch.items():
            blank = (values < 0).float() if name == "site" else values.isnan().float()
            shown = (
                nn.functional.one_hot(values.long().clamp_min(0), 3).float() if name == "site" else values.nan_to_num()
            )
            parts += [shown.reshape(len(values), -1), blank.reshape(len(values), -1)]
        return torch.cat(parts, 1)

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[np.ndarray, ...]:
        """Probabilities [B, K]; and the latent's mean and deviation [B, D]."""
        values = self.inputs(batch)
        shares, features = self.label(values)
        shares = shares.softmax(-1)
        if self.latent is None:
            return (shares.numpy(),)
        mean, squares = torch.zeros(()), torch.zeros(())
        for k in range(shares.shape[-1]):
            location, scale = self.latent(features, k)
            weight = shares[:, k : k + 1]
            mean, squares = mean + weight * location, squares + weight * (location**2 + scale**2)
        return shares.numpy(), mean.numpy(), (squares - mean**2).clamp_min(0).sqrt().numpy()


WIDTH = 16
"""Numbers and flags of blanks of a row of the table."""


class Label(nn.Module):
    """Logits, and what the latent's network reads besides the label."""

    def __init__(self, trunk: nn.Module, head: nn.Module, *, shared: bool) -> None:
        super().__init__()
        self.trunk, self.head, self.shared = trunk, head, shared

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """[B, K] and [B, H]."""
        hidden = self.trunk(values)
        return self.head(hidden), hidden if self.shared else values


class Latent(nn.Module):
    """Location and scale [B, D] with the label at class k, whose one-hot vector adds a column of weights."""

    def __init__(self, first: nn.Module, classes: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.first, self.classes, self.last = first, classes, last

    def forward(self, features: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Two halves of the output."""
        location, raw = self.last(self.first(features) + self.classes.weight[k]).chunk(2, -1)
        return location, nn.functional.softplus(raw)


def _m2() -> tuple[Label, Latent]:
    trunk = nn.Sequential(nn.Linear(784, 500), nn.Softplus())
    latent = Latent(nn.Linear(784, 500), nn.Embedding(10, 500), nn.Sequential(nn.Softplus(), nn.Linear(500, 100)))
    return Label(trunk, nn.Linear(500, 10), shared=False), latent


def _digits() -> tuple[Label, Latent]:
    trunk = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    return Label(trunk, nn.Linear(256, 10), shared=True), Latent(
        nn.Linear(256, 12), nn.Embedding(10, 12), nn.Identity()
    )


def _table() -> tuple[Label, Latent]:
    trunk = nn.Sequential(nn.Linear(WIDTH, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
    return Label(trunk, nn.Linear(64, 3), shared=True), Latent(nn.Linear(64, 4), nn.Embedding(3, 4), nn.Identity())


NETWORKS: Mapping[str, Callable[[], tuple[Label, Latent]]] = {"m2": _m2, "digits": _digits, "table": _table}


def peak(run: Path, rows: int) -> dict[str, Any]:
    """A whole `predict` of a table of so many rows."""
    with (run.parent / "table.csv").open(newline="") as file:
        header, *own = csv.reader(file)
    source = run.parent / "many.csv"
    with source.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(own[row % len(own)] for row in range(rows))
    began = time.perf_counter()
    command = [sys.executable, "-c", PEAK, str(run), str(source), "-o", str(run.parent / "answers.csv")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return {"rows": rows, "peak_mib": int(done.stderr.split()[-1]) / 1024, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    sys.exit(main())
