"""Rows of a .jsonl file, one JSON object a line, as the cells of a table of text: Hugging Face's metadata.jsonl.

A key that an object lacks, and null, are blank cells; lists and objects are their JSON text, which no column of numbers
or classes takes.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from graphspec.headers.table import SourceError

ENDING = ".jsonl"
_HINT = 'one object a line, such as {"file_name": "a.png", "kind": "ant"}'


def json_header(path: Path, lines: Iterable[str]) -> list[str]:
    """Every key of any object, in the order in which they are first met. Raises SourceError for what is no object."""
    keys = dict.fromkeys(key for _, row in _objects(path, lines) for key in row)
    if not keys:
        raise SourceError(f"{path.name} is empty", _HINT)
    return list(keys)


def json_rows(path: Path, lines: Iterable[str], header: Iterable[str], decimal: str) -> Iterator[tuple[int, list[str]]]:
    """(the number of the line from 1, its cells in the order of `header`); lines without anything are passed over.
    decimal: the sign with which whoever reads the cells writes numbers."""
    names = list(header)
    for number, row in _objects(path, lines):
        yield number, [_cell(row.get(name), decimal) for name in names]


def _objects(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path.name} line {number} cannot be read ({error})", _HINT) from error
        if not isinstance(found, dict):
            raise SourceError(f"{path.name} line {number} is no JSON object", _HINT)
        yield number, {key.strip(): value for key, value in found.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose keys are different."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in names if names.count(key) > 1)!r} is there twice")
    return found


def _cell(value: Any, decimal: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        return repr(value).replace(".", decimal)
    return json.dumps(value, ensure_ascii=False)
