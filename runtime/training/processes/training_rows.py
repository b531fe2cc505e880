"""The rows of a training: read by every process, the same everywhere, near the device where they fit."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from compiler.model.model import Model
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import RunError
from runtime.runs.run_folder import Run
from runtime.training.processes.collectives import from_all

if TYPE_CHECKING:
    from runtime.data import PreparedData


def prepare_rows(
    model: Model, data_dir: Path | None, resumed: Run | None = None, tell: Tell | None = None
) -> "PreparedData":
    """What the spec's `data` section says, or the rows of the run that is resumed; RunError without that section."""
    from runtime.runs.run_rows import rows_to_train

    if model.graphs.spec.data is None:
        raise RunError("the spec has no `data` section, so there is nothing to train on", "add `data: {source: ...}`")
    spec_path = Path(model.graphs.source.name)
    return rows_to_train(model.graphs, data_dir=data_dir, spec_path=spec_path, tell=tell, resumed=resumed)


def same_everywhere(data: "PreparedData") -> None:
    """RunError if another machine's process reads other data: rows are named by number only."""
    if len(set(from_all((data.fingerprint, len(data.training), len(data.labelled))))) > 1:
        raise RunError(
            f"{data.source} differs between the processes of this training",
            "every machine must have the same data; copy them, or share the folder",
        )


def near(data: "PreparedData", device: torch.device) -> "PreparedData":
    """Training rows on the GPU where they fill at most a quarter of what is free there: no copy per step."""
    if device.type != "cuda":
        return data
    fits = data.training.nbytes <= torch.cuda.mem_get_info(device)[0] / 4
    return replace(data, training=data.training.to(device)) if fits else data
