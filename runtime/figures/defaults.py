"""The pictures every training ends with."""

from collections.abc import Callable
from pathlib import Path

from compiler.model.model import Model
from runtime.answering.panels import Panel
from runtime.answering.queries import analogies, reconstruct, sample
from runtime.answering.traversal import traverse
from runtime.data import PreparedData
from runtime.errors import RunError
from runtime.figures.learning_curves import draw_curves
from runtime.figures.panel_files import default_path, write_panel
from runtime.runs.records import read_records


def default_figures(model: Model, data: PreparedData, folder: Path, *, seed: int = 0) -> list[Path]:
    """Samples, reconstructions, analogies, a traversal and the learning curves of a run, into `folder`.

    `folder` is the run's figures folder; the curves are read from `metrics.jsonl` beside it. A query this graph cannot
    answer is left out; where nothing looks like a picture, tables are written. Returns what was written.
    """
    rows = next((split for split in (data.test, data.validation, data.training) if len(split)), data.training)
    queries: dict[str, Callable[[], Panel]] = {
        "analogies": lambda: analogies(model, rows, seed=seed, called=data.called),
        "reconstructions": lambda: reconstruct(model, rows, seed=seed, called=data.called),
        "samples": lambda: sample(model, rows, seed=seed),
        "traverse": lambda: traverse(model, rows, seed=seed, scales=data.units, called=data.called),
    }
    written = []
    was_training = model.training
    model.eval()
    try:
        for name, query in queries.items():
            try:
                panel = query()
            except RunError:
                continue
            path = default_path(panel, model.graphs.by_row, folder, name)
            columns = {name: spec.names for name, spec in data.columns.items()}
            written.append(write_panel(panel, model.graphs.by_row, path, data.units, columns))
    finally:
        model.train(was_training)
    return written + _curves(model, folder)


def _curves(model: Model, folder: Path) -> list[Path]:
    path = folder / "curves.png"
    records = read_records(folder.parent / "metrics.jsonl")
    return [path] if draw_curves(records, path, title=model.graphs.by_row.spec.name) else []
