"""The rows that runs trained on: kept with a run, and kept out of what a later training is judged by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Graphs
from graphspec.reading.spec_files import beside
from runtime.data.preparation.earlier_rows import EarlierRows, RecordedRows
from runtime.data.preparation.preparation import prepare
from runtime.data.read.unpacked_copies import Tell
from runtime.data.stream.known_rows import SourceRows, TrainedRows
from runtime.data.stream.rows import PreparedData
from runtime.errors import DataError, RunError
from runtime.runs.checkpoints import read_tensors, write_tensors
from runtime.runs.included_runs import changed_since, included_runs
from runtime.runs.recorded_units import counted_far, joint_units, recorded_units, units_of_weights
from runtime.runs.run_folder import Run, find_run, graphs_of

_UNKNOWN = (
    "train {run} again with this version, which keeps what its rows hold; or bring back the data that it was trained on"
)


def rows_to_train(
    graphs: Graphs,
    *,
    data_dir: Path | None = None,
    spec_path: Path | None = None,
    tell: Tell | None = None,
    resumed: Run | None = None,
) -> PreparedData:
    """`prepare` for a training: the rows of the run that is resumed, else none held out that trained the weights which
    `training.initialize` takes. RunError if a run is not there, or nobody can tell any more which rows it had."""
    folder = Path() if spec_path is None else spec_path.parent
    if resumed is not None:
        earlier = EarlierRows(RecordedRows.of(resumed.manifest()))
        units = recorded_units(resumed, graphs.variables)
    else:
        runs = included_runs(graphs, folder)
        earlier = EarlierRows(None, tuple(_trained(run, name, data_dir) for name, run in runs.items()))
        starts = graphs.spec.training.initialize
        found = {f"{e.run}, {i}": units_of_weights(graphs, runs[e.run], e) for i, e in enumerate(starts)}
        units = joint_units(found, spec_path)
    data = prepare(graphs, data_dir=data_dir, spec_path=spec_path, tell=tell, units=units, earlier=earlier)
    notes = counted_far(graphs, data, units) if resumed is None else changed_since(resumed, folder)
    return replace(data, notes=(*data.notes, *notes))


def rows_of_run(run: Run) -> EarlierRows:
    """What opens a run's own data again: the same rows, and in data that changed none of those that trained it among
    those held out (which a run of an older version cannot tell)."""
    trained = (kept_rows(run, str(run.folder)),) if run.rows_file.exists() else ()
    return EarlierRows(RecordedRows.of(run.manifest()), trained)


def keep_rows(run: Run, graphs: Graphs, data: PreparedData) -> None:
    """Write which rows train `run`, those of the runs that it starts from included (by what they hold)."""
    source = data.rows_of_source
    if source is None:
        return
    own = _of_training(data, source, str(run.folder))
    folder = Path(graphs.source.name).parent
    started_from = [find_run(beside(entry.run, folder)) for entry in graphs.spec.training.initialize]
    cells = [own.cells, *(kept_rows(other, "").cells for other in started_from if other.rows_file.exists())]
    tensors = {
        "identities": torch.from_numpy(own.identities.view(np.int64)),
        "cells": torch.from_numpy(np.concatenate(cells).view(np.int64)),
    }
    texts = {"place": own.place, "fingerprint": own.fingerprint, "named": "yes" if own.named else ""}
    write_tensors(run.rows_file, tensors, texts)


def kept_rows(run: Run, name: str) -> TrainedRows:
    """What `keep_rows` wrote. RunError if it is damaged."""
    tensors, texts = read_tensors(run.rows_file)
    found = [tensors.get(part) for part in ("identities", "cells")]
    if any(part is None or part.dtype != torch.int64 or part.dim() != 1 for part in found):
        raise RunError(f"{run.rows_file} does not say which rows trained the run", "the file is damaged")
    identities, cells = (part.numpy().view(np.uint64) for part in found if part is not None)
    place, fingerprint = texts.get("place", ""), texts.get("fingerprint", "")
    return TrainedRows(name, place, fingerprint, bool(texts.get("named")), identities, cells)


def _of_training(data: PreparedData, source: SourceRows, name: str) -> TrainedRows:
    rows = data.training.source.cpu().numpy()
    return TrainedRows(
        name, source.place, source.fingerprint, source.named, source.identities[rows], source.cells(rows)
    )


def _trained(run: Run, name: str, data_dir: Path | None) -> TrainedRows:
    """The rows that trained `run`. An older one has them by number: its data are read again."""
    if run.rows_file.exists():
        return kept_rows(run, name)
    recorded = RecordedRows.of(run.manifest())
    try:
        graphs = graphs_of(run.resolved_file.read_text(encoding="utf-8"), str(run.resolved_file))
        data = prepare(graphs, data_dir=data_dir, spec_path=run.spec_path, earlier=EarlierRows(recorded))
    except (OSError, UnicodeDecodeError, SpecError, DataError) as error:
        raise RunError(f"which rows trained {name} cannot be told: {error}", _UNKNOWN.format(run=name)) from None
    if recorded is None or data.fingerprint != recorded.fingerprint or data.rows_of_source is None:
        raise RunError(
            f"which rows trained {name} cannot be told: its data have changed since", _UNKNOWN.format(run=name)
        )
    return _of_training(data, data.rows_of_source, name)
