"""What a run needs to be understood later: versions, seed, rows, command, machine."""

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from graphspec.graphs.graph import Graphs
from graphspec.language import TrainingSection
from runtime.runs.records import write_object
from runtime.training.processes.devices import Placement

_PACKAGES = ("graphspec", "torch", "torchvision", "accelerate", "numpy", "scikit-learn", "safetensors", "pydantic")


def first_manifest(
    graphs: Graphs,
    training: TrainingSection,
    data: Mapping[str, Any],
    placement: Placement,
    command: Sequence[str] | None,
    compiled: bool,
) -> dict[str, Any]:
    """The manifest as training begins. `data` is `PreparedData.manifest()`: fingerprint, counts, rows by split."""
    written = graphs.source.name
    return {
        "format": 1,
        "name": graphs.spec.name,
        "status": "running",
        "command": list(sys.argv if command is None else command),
        "spec": str(Path(written).resolve()) if Path(written).is_file() else "",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": training.seed,
        "epochs": 0,
        "wall_seconds": 0.0,
        **asdict(placement),
        "compiled": compiled,
        "versions": versions(),
        "data_seed": data.get("seed"),
        **{name: value for name, value in data.items() if name != "seed"},
    }


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write (or replace, in one step) a manifest."""
    write_object(path, manifest)


def versions() -> dict[str, str]:
    """Python's and the main packages' versions, and the platform."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
