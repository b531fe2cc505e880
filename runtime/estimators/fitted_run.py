"""The run behind a fitted estimator: trained in a folder of the caller's, or in one of its own that goes with it."""

import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from compiler.model.model import Model
from runtime.data.read.table import Column
from runtime.predicting.input_tables import in_memory
from runtime.predicting.input_values import InputReader
from runtime.predicting.predict_rows import BATCH_ROWS, answered_parts, joined_answers
from runtime.predicting.row_answers import Answer, AskedFor
from runtime.predicting.used_run import UsedRun, use_model, use_run
from runtime.runs.run_folder import Run

_NEEDED = ("spec.yaml", "resolved.yaml", "manifest.json")


class OwnFolder:
    """A temporary folder that is there as long as this object."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="graphspec-"))
        self._end = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class FittedRun:
    """A finished run, opened. own: its folder goes with this object, and a pickle holds its files; else its path.
    model: as it was trained, with the selected weights; None: it is read."""

    def __init__(
        self, folder: Path, own: OwnFolder | None, device: str, allow_python: bool, model: Model | None = None
    ) -> None:
        self.folder, self.own, self.device, self.allow_python = folder, own, device, allow_python
        self.used: UsedRun = (
            use_run(folder, device=device, allow_python=allow_python)
            if model is None
            else use_model(Run(folder), model)
        )

    def __getstate__(self) -> dict[str, Any]:
        state = {"folder": str(self.folder), "device": self.device, "allow_python": self.allow_python}
        if self.own is not None:
            files = [self.folder / name for name in _NEEDED] + [self.used.run.checkpoint]
            state["files"] = {file.relative_to(self.folder).as_posix(): file.read_bytes() for file in files}
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        own, folder = None, Path(state["folder"])
        if "files" in state:
            own = OwnFolder()
            folder = own.path / "run"
            for name, content in state["files"].items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        self.__init__(folder, own, state["device"], state["allow_python"])  # type: ignore[misc]

    def answers(self, arrays: Mapping[str, Column], asked: AskedFor) -> dict[str, Answer]:
        """What the run says of rows [N, ...] by column, in the units of the data. Raises DataError."""
        table = in_memory("X", arrays)
        reader = InputReader(self.used, table)
        parts = [draws[0] for _, draws in answered_parts(self.used, table, reader, asked, BATCH_ROWS)]
        return {answer.variable.name: answer for answer in joined_answers(parts)}


def write_rows(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Arrays as an .npz file, whatever they are called (`numpy.savez` takes no array called `file`)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
