"""A run folder: where each file is, how a new one is made, and how its model is opened again.

spec.yaml        the spec as written            resolved.yaml   overrides and defaults filled in
manifest.json    versions, seed, rows, command  metrics.jsonl   one JSON object per epoch
checkpoints/     best, last: model weights; state: what resumes; rows: what trained them
figures/         pictures
"""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import RunError
from runtime.runs.manifest_facts import refuse_damaged_facts
from runtime.runs.records import read_object, read_records, understood

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compiler.model.model import Model
    from compiler.model.trained_units import TrainedRange
    from graphspec.graphs.graph import Graphs
    from graphspec.graphs.start import Start

_STATE = "state.safetensors"


@dataclass(frozen=True)
class Run:
    """The folder of one training. Nothing is read until asked for."""

    folder: Path

    @property
    def spec_file(self) -> Path:
        """The spec as the user wrote it, without `--set`."""
        return self.folder / "spec.yaml"

    @property
    def resolved_file(self) -> Path:
        """The spec that was trained: overrides applied, defaults filled in."""
        return self.folder / "resolved.yaml"

    @property
    def manifest_file(self) -> Path:
        """Versions, seed, data fingerprint, rows of each split, command, device."""
        return self.folder / "manifest.json"

    @property
    def metrics_file(self) -> Path:
        """One JSON object per epoch."""
        return self.folder / "metrics.jsonl"

    @property
    def best_file(self) -> Path:
        """Weights of the epoch that `training.select` liked best."""
        return self.folder / "checkpoints" / "best.safetensors"

    @property
    def last_file(self) -> Path:
        """Weights of the last epoch."""
        return self.folder / "checkpoints" / "last.safetensors"

    @property
    def state_file(self) -> Path:
        """What `--resume` reads: raw weights, average, optimizer, position."""
        return self.folder / "checkpoints" / _STATE

    @property
    def rows_file(self) -> Path:
        """Which rows trained the weights, as other data may know them again."""
        return self.folder / "checkpoints" / "rows.safetensors"

    @property
    def figures(self) -> Path:
        """Folder of the pictures."""
        return self.folder / "figures"

    @property
    def checkpoint(self) -> Path:
        """The weights that stand for this run: the best, or the last where none was selected yet. RunError where
        there are none, and where the best are said to have been there and are not."""
        if self.best_file.exists():
            return self.best_file
        best = self.lost_best()
        if best is not None:
            raise RunError(
                f"{self.best_file} is missing: epoch {best} was selected",
                "bring it back, or take the last epoch's weights: --checkpoint last",
            )
        if not self.last_file.exists():
            raise RunError(
                f"{self.folder} has no weights yet", "its training has not finished an epoch; train it with --resume"
            )
        return self.last_file

    def lost_best(self) -> int | None:
        """The selected epoch whose weights are not there any more; None if nothing is missing.

        Killed between the first `last` and the first `best`, a training has lost nothing: both are the same.
        """
        if self.best_file.exists():
            return None
        best = self.manifest().get("best_epoch")
        return best if isinstance(best, int) else None

    @property
    def spec_path(self) -> Path:
        """Where the spec stood when it was trained (its data may lie beside it); the run's own copy if unknown."""
        written = self.manifest().get("spec")
        return Path(written) if isinstance(written, str) and written else self.spec_file

    @property
    def finished(self) -> bool:
        """Training came to its end, by epochs or by patience."""
        return self.manifest().get("status") == "finished"

    def manifest(self) -> dict[str, Any]:
        """The manifest as plain values; RunError if this is not a run folder, or what it says is of no use."""
        try:
            plain = read_object(self.manifest_file)
        except FileNotFoundError:
            raise not_a_run(self.folder) from None
        refuse_damaged_facts(plain, self.manifest_file)
        return plain

    def _repr_html_(self) -> str:
        """What it is and how it went, as a notebook shows it. (By name: that file reads this one.)"""
        shown: str = import_module("runtime.runs.run_card").run_card(self)
        return shown

    def metrics(self) -> list[dict[str, Any]]:
        """One record per finished epoch, in order; a last line cut short by a kill is left out."""
        return read_records(self.metrics_file)


def find_run(folder: Path | str) -> Run:
    """The run in `folder`; RunError if there is none."""
    run = Run(Path(folder))
    if not run.manifest_file.is_file():
        raise not_a_run(run.folder)
    return run


def open_run(folder: Path | str, *, allow_python: bool = False) -> "Model":
    """The trained model of a run folder (or of one of its `.safetensors` files), in evaluation mode, on the CPU.

    The weights are the best ones (averaged, where the spec has `ema`). RunError if there is no run, its weights do
    not fit, or the spec names python targets without `allow_python`.
    """
    import torch

    from compiler import compile_spec
    from compiler.symbolic.schedules import Rates
    from runtime.runs.checkpoints import load_weights, read_weights
    from runtime.runs.memory_guard import refuse_too_large

    path = Path(folder)
    run = None if path.suffix == ".safetensors" and not path.is_dir() else find_run(path)
    file = path if run is None else run.checkpoint
    checkpoint = read_weights(file)
    if not checkpoint.spec or file.name == _STATE:
        raise RunError(f"{file} holds no model weights", "name a run folder, or its best.safetensors")
    graphs = graphs_of(checkpoint.spec, str(file) if run is None else str(run.resolved_file))
    graphs = replace(graphs, written_at=_spec_of(file))
    with understood(file):
        graphs = graphs.with_starts(starts_in(checkpoint.facts))
    refuse_too_large(graphs)
    dtype = next((t.dtype for t in checkpoint.weights.values() if t.is_floating_point()), None)
    model = compile_spec(graphs, dtype=dtype or torch.float32, allow_python=allow_python)
    load_weights(model, checkpoint.weights, str(file))
    if checkpoint.facts.get("rates"):
        with understood(file):
            model.rates = Rates(**checkpoint.facts["rates"])
    if run is not None:
        with understood(run.manifest_file):
            model.ranges = _ranges(run.manifest())
    return model.eval()


def _ranges(manifest: "Mapping[str, Any]") -> "dict[str, TrainedRange]":
    """Of each standardized variable, what training rows held, and its scales by element (of pictures, by channel)."""
    import torch

    from compiler.model.trained_units import TrainedRange

    found, units = {}, manifest.get("units") or {}
    for name, seen in (manifest.get("seen") or {}).items():
        if name in units and "low" in seen:
            logarithm = bool(units[name].get("logarithm"))
            ends = [torch.tensor(seen[key], dtype=torch.float64) for key in ("low", "high")]
            low, high = (end.clamp_min(1e-30).log() if logarithm else end for end in ends)
            spread = torch.tensor(seen["spread"], dtype=torch.float64)
            channels = (torch.tensor(units[name][key], dtype=torch.float64) for key in ("mean", "std"))
            mean, std = (each.repeat_interleave(len(low) // len(each)) for each in channels)
            found[name] = TrainedRange(low, high, spread, mean, std, logarithm)
    return found


def starts_in(facts: "Mapping[str, Any]") -> "dict[str, Start]":
    """Where far variables started, as a checkpoint's facts or a manifest have it. Raises KeyError, TypeError,
    AttributeError or ValueError for anything else."""
    from graphspec.graphs.start import Start

    return {name: Start.from_json(plain) for name, plain in facts.get("starts", {}).items()}


def _spec_of(weights: Path) -> Path:
    """The spec that weights were trained from; their own file where they stand in no run folder, or it is gone."""
    run = Run(weights.resolve().parent.parent)
    spec = run.spec_path if run.manifest_file.is_file() else weights
    return spec if spec.is_file() else weights


def graphs_of(text: str, name: str) -> "Graphs":
    """The graphs of a resolved spec. It was checked when it was trained; its data may have gone since, so that the
    rules are not asked again. SpecError if this version cannot read it."""
    from graphspec.diagnostics import SpecError
    from graphspec.graphs.connect import connect
    from graphspec.graphs.declared_names import outline_of
    from graphspec.reading.validation import read_spec
    from graphspec.text.report import Report
    from graphspec.text.source import read_document

    report = Report(read_document(text, name))
    spec = read_spec(report.document, report)
    graphs = None if spec is None else connect(outline_of(spec, report), report)
    if graphs is None or report.failed:
        raise SpecError(report.diagnostics)
    return graphs


def not_a_run(folder: Path) -> RunError:
    """What is at `folder` instead of a run."""
    hint = "name a folder that `graphspec train` wrote"
    if not folder.exists():
        return RunError(f"there is no run folder {folder}", hint)
    return RunError(f"{folder} is not a run folder: it has no manifest.json", hint)
