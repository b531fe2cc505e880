"""A run's model with what its data call the classes, for whoever shows its answers to people."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runtime.runs.records import understood
from runtime.runs.run_folder import Run, find_run, open_run

if TYPE_CHECKING:
    from compiler.model.model import Model


def open_with_names(
    folder: Path, checkpoint: Literal["best", "last"] = "best", *, allow_python: bool = False
) -> "tuple[Run, Model]":
    """The run in `folder`, and its model with class names. RunError (or SpecError) says why it cannot be opened."""
    run = find_run(folder)
    file = run.checkpoint if checkpoint == "best" else run.last_file
    model = open_run(file, allow_python=allow_python)
    with understood(run.manifest_file):
        model.graphs = model.graphs.with_names(run.manifest().get("class_names") or {})
    return run, model
