"""Lines of metrics.jsonl: one JSON object per epoch."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.runs.checkpoints import write_text
from runtime.runs.run_folder import read_records


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(finite(record)) + "\n")


def cut_records(path: Path, epochs: int) -> None:
    """Leave out what was logged after `epochs` finished epochs: a resumed training logs it again."""
    kept = [record for record in read_records(path) if record["epoch"] <= epochs]
    write_text(path, "".join(json.dumps(record) + "\n" for record in kept))


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Numbers of a nested record by path: `validation/variables/y/error`."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)):
            yield f"{prefix}{name}", float(value)


def finite(value: Any) -> Any:
    """The value as JSON can say it: null for NaN and infinities."""
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
