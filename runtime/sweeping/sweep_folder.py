"""A sweep's folder: what it was made for, which runs in it are finished, and who is at work in it.

sweep.json    what was asked, minutes so far      runs/NAME      run folders of `train`, NAME.log beside each
summary.json  rows with every figure              table.txt, table.md, plot.png
curves.json   error after each epoch            curves.png
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import RunError
from runtime.runs.atomic_files import write_text
from runtime.runs.records import read_object, understood
from runtime.runs.run_folder import Run as TrainedRun
from runtime.runs.run_lock import FolderLock
from runtime.sweeping.sweep_plan import SweepPlan

FORMAT = 1


@dataclass(frozen=True)
class SweepFolder:
    """Where the files of a sweep are. Nothing is read until asked for."""

    path: Path

    @property
    def record_file(self) -> Path:
        """What the sweep was made for."""
        return self.path / "sweep.json"

    @property
    def runs(self) -> Path:
        """Folder of the run folders."""
        return self.path / "runs"

    def run(self, name: str) -> TrainedRun:
        """The run folder of one run; it may not exist yet."""
        return TrainedRun(self.runs / name)

    def record(self) -> dict[str, Any] | None:
        """What stands in sweep.json; None in a new folder. RunError if the folder is something else."""
        if not self.path.exists():
            return None
        if not self.path.is_dir():
            raise RunError(f"{self.path} is not a folder", "name another --out")
        if not self.record_file.exists():
            if any(entry.name != ".lock" for entry in self.path.iterdir()):
                raise RunError(f"{self.path} exists and is no sweep's folder", "name another --out")
            return None
        plain = read_object(self.record_file)
        with understood(self.record_file):
            float(plain.get("minutes", 0.0))
            [" ".join(plain.get(key) or ()) for key in ("overrides", "fields")]
        return plain

    def join(self, plan: SweepPlan, kind: str) -> float:
        """Make the folder this plan's, or find that it is; returns the minutes spent in it so far.

        More values, seeds, variants or baselines extend a sweep. Another spec, other --set or other fields would put
        runs into one table that do not belong together: RunError.
        """
        asked = {
            "format": FORMAT,
            "kind": kind,
            "spec": plan.spec,
            "text": plan.text,
            "overrides": list(plan.overrides),
            "fields": [field.name for field in plan.fields],
        }
        before = self.record()
        if before is not None:
            self._compare(before, asked)
        minutes = float((before or {}).get("minutes", 0.0))
        self._write(asked, minutes)
        return minutes

    def spent(self, minutes: float) -> None:
        """Note how long the sweep has taken so far."""
        record = self.record()
        if record is not None:
            self._write(record, minutes)

    def _write(self, record: dict[str, Any], minutes: float) -> None:
        write_text(self.record_file, json.dumps(record | {"minutes": round(minutes, 3)}, indent=1) + "\n")

    def _compare(self, before: dict[str, Any], asked: dict[str, Any]) -> None:
        words = {
            "format": "its format",
            "kind": "its kind (grid or search)",
            "text": f"the text of {asked['spec']}",
            "overrides": "--set",
            "fields": "the fields of --over",
        }
        changed = [word for key, word in words.items() if before.get(key) != asked[key]]
        if changed:
            raise RunError(
                f"{self.path} holds a sweep that was made otherwise: {', '.join(changed)} changed"
                f"{_was(before, asked, 'overrides')}{_was(before, asked, 'fields')}",
                "name another --out; only values, seeds, variants and baselines may be added to a sweep",
            )

    @contextmanager
    def locked(self) -> Iterator[int | None]:
        """No second sweep works in this folder meanwhile, nor while processes of a killed one still save.

        Gives the lock's file descriptor, for the processes to hold; None on systems without such locks.
        """
        lock = FolderLock(self.path, "sweep")
        try:
            yield lock.descriptor
        finally:
            lock.release()


def _was(before: dict[str, Any], asked: dict[str, Any], key: str) -> str:
    if before.get(key) == asked[key]:
        return ""
    return f"; it was {' '.join(before.get(key) or ['nothing'])}, it is {' '.join(asked[key] or ['nothing'])}"
