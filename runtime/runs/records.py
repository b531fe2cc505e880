"""JSON of a run: one object a file, or one a line (metrics.jsonl, by epochs). Read as what others may have damaged."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.errors import RunError, UnwritableError
from runtime.runs.atomic_files import write_text

DAMAGED = "the file is damaged: bring an undamaged copy, or train into another folder"


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """What the block finds wrong with the contents of `path` is a RunError that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error or type(error).__name__}", DAMAGED) from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. FileNotFoundError if there is none; RunError if it cannot be read or is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    with understood(path):
        plain = json.loads(content.decode("utf-8"))
    if not isinstance(plain, dict):
        raise RunError(f"{path} is damaged: it holds no JSON object", DAMAGED)
    return plain


def write_object(path: Path, plain: Mapping[str, Any]) -> None:
    """Replace a file by one JSON object, numbers that are none as null."""
    write_text(path, json.dumps(finite(plain), indent=1, ensure_ascii=False) + "\n")


def read_records(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of JSON objects up to the first that is none (a kill cuts the last one short); none if
    there is no file."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
    records: list[dict[str, Any]] = []
    for line in lines:
        try:
            record = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            break
        if not _is_record(record):
            break
        records.append(record)
    return records


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or type(record.get("epoch")) is not int:
        return False
    parts = [record.get(name) or {} for name in ("validation", "terms", "ess")]
    if not all(isinstance(part, dict) for part in parts):
        return False
    figures = parts[0].get("variables") or {}
    return isinstance(figures, dict) and all(isinstance(each, dict) for each in figures.values())


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line. Raises UnwritableError."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(record)) + "\n")
    except OSError as error:
        raise UnwritableError.of(path, error) from None


def cut_records(path: Path, epochs: int) -> int:
    """Leave out what was logged after `epochs` finished epochs: a resumed training logs it again. Returns how many of
    those epochs are there."""
    kept = [record for record in read_records(path) if record["epoch"] <= epochs]
    write_text(path, "".join(json.dumps(record) + "\n" for record in kept))
    return len(kept)


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
    if isinstance(value, (list, tuple)):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
