"""Whether suggestions pay: a spec trained again and again, with labels that it asked for or with as many drawn at
random; the labels were there all the time and are uncovered as they are asked for."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compiler import compile_spec
from graphspec.loading import load
from runtime.data import PreparedData, prepare
from runtime.errors import RunError
from runtime.measures.evaluation import measure
from runtime.predicting.used_run import use_run
from runtime.runs.run_folder import Run, open_run
from runtime.suggesting.suggestions import rows_of_training, suggest_rows
from runtime.training.loop.fitting import fit

WAYS = ("suggested", "random")


@dataclass(frozen=True)
class Replay:
    """What is replayed: the spec of `run`, for `label`. count: labels more a round; data_dir: of the data."""

    run: Run
    label: str
    rounds: int
    count: int
    data_dir: Path | None
    overrides: tuple[str, ...] = ()

    def results(self, seeds: Sequence[int], tell: Callable[[str], None]) -> list[dict[str, Any]]:
        """`{seed, way, labels, error}` of every training: the error on the test rows."""
        found: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory(prefix="graphspec-replay-") as folder:
            for seed in seeds:
                found += self._seed(seed, Path(folder), tell)
        return found

    def _seed(self, seed: int, folder: Path, tell: Callable[[str], None]) -> list[dict[str, Any]]:
        run, data = self._trained(folder / f"{seed}", seed, None)
        start = [int(row) for row in data.training.source[data.label_rows[self.label]]]
        found = [self._told(run, data, seed, way, len(start), tell) for way in WAYS]
        for way in WAYS:
            rows, last, last_data = list(start), run, data
            for number in range(1, self.rounds + 1):
                rows += self._more(way, last, last_data, seed, number)
                listed = folder / f"{seed}-{way}-{number}.txt"
                listed.write_text("".join(f"{row}\n" for row in sorted(rows)))
                last, last_data = self._trained(folder / f"{seed}-{way}-{number}", seed, listed)
                found.append(self._told(last, last_data, seed, way, len(rows), tell))
        return found

    def _trained(self, out: Path, seed: int, rows: Path | None) -> tuple[Run, PreparedData]:
        sets = [*self.overrides, f"data.seed={seed}", f"training.seed={seed}"]
        sets += [] if rows is None else [f"data.labels.{self.label}={{rows: {rows}}}"]
        text = self.run.resolved_file.read_text(encoding="utf-8")
        graphs = load(str(self.run.spec_path), sets, text=text, data_dir=self.data_dir)
        data = prepare(graphs, data_dir=self.data_dir, spec_path=self.run.spec_path)
        run = fit(compile_spec(graphs, seed=seed), data, out=out, progress=False, device="cpu", data_dir=self.data_dir)
        return run, data

    def _more(self, way: str, run: Run, data: PreparedData, seed: int, number: int) -> list[int]:
        given = {*data.label_rows[self.label].tolist()}
        left = [place for place in range(len(data.training)) if place not in given]
        if len(left) < self.count:
            raise RunError(
                f"only {len(left)} training rows have no label yet", "ask for fewer rounds, or a smaller --count"
            )
        if way == "random":
            picked = np.random.default_rng([seed, number]).choice(left, self.count, replace=False)
            return [int(row) for row in data.training.source[np.sort(picked)]]
        used = use_run(run.folder, data_dir=self.data_dir)
        found = suggest_rows(used, self.label, rows_of_training(used, data, self.label), self.count, seed)
        return [int(each.row.removeprefix("row ")) for each in found.suggestions]

    def _told(
        self, run: Run, data: PreparedData, seed: int, way: str, labels: int, tell: Callable[[str], None]
    ) -> dict[str, Any]:
        report = measure(open_run(run.folder), data.test, units=data.units, binarize=data.binarize).report
        error = report["variables"][self.label]["error"]
        tell(f"seed {seed}, {way}, {labels} labels: {100 * error:.2f} % wrong")
        return {"seed": seed, "way": way, "labels": labels, "error": error}


def summarized(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By number of labels: the mean error of each way over the seeds, and their paired difference with its standard
    error."""
    lines = []
    for labels in sorted({each["labels"] for each in results}):
        by_way = {
            way: {r["seed"]: r["error"] for r in results if r["way"] == way and r["labels"] == labels} for way in WAYS
        }
        line: dict[str, Any] = {"labels": labels}
        line |= {way: float(np.mean([*found.values()])) for way, found in by_way.items() if found}
        both = [seed for seed in by_way["suggested"] if seed in by_way["random"]]
        apart = np.array([by_way["suggested"][seed] - by_way["random"][seed] for seed in both])
        if len(apart):
            line["difference"] = float(apart.mean())
        if len(apart) > 1:
            line["standard_error"] = float(apart.std(ddof=1) / np.sqrt(len(apart)))
        lines.append(line)
    return lines
