"""What a user must never lose to an output: the spec, the data that it reads, and any file that we did not write."""

from pathlib import Path

from graphspec.drawing.raster import WRITTEN_BY
from graphspec.graphs.graph import Graphs
from graphspec.headers import expand
from graphspec.headers.sources import FileSource, find_file, resolve_source
from runtime.errors import RunError

MARKS = (
    WRITTEN_BY.encode(),
    WRITTEN_BY.encode("utf-16-be"),
    b"row,column,cell",
    b": generative and recognition graph",
    b"subgraph cluster_generative",
    b"subgraph cluster_recognition",
    b"subgraph generative[",
    b"subgraph recognition[",
    b"generative graph p",
    b"recognition graph q",
)
"""One of these stands at either end of everything that is written with -o: pictures, tables, drawings as text."""
_LOOKED_AT = 8000
"""Bytes of either end."""


def refuse_foreign(path: Path) -> None:
    """RunError where a file is there that graphspec did not write, be it a picture or a text: it is a user's own. What
    graphspec wrote is replaced, and so is an empty file."""
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        begins = file.read(_LOOKED_AT)
        file.seek(max(0, path.stat().st_size - _LOOKED_AT))
        ends = file.read()
    if not any(mark in begins or mark in ends for mark in MARKS):
        raise RunError(f"{path} is there, and graphspec did not write it", "name another file, or remove this one")


def refuse_users_own(path: Path, graphs: Graphs, spec_path: Path | None, data_dir: Path | None = None) -> None:
    """RunError if `path` (a file, or a run's folder) is the spec or its data, or lies in a folder of data: pictures
    found there later would be rows."""
    target = path.resolve()
    if spec_path is not None and spec_path.is_file() and target in (spec_path.resolve(), spec_path.resolve().parent):
        _refuse_spec(path, target, spec_path)
    for own in _data_files(graphs, spec_path, data_dir):
        if own.is_dir() and (target == own or own in target.parents):
            raise RunError(f"{path} lies in {own}, a folder of data that this spec reads", "name a place outside of it")
        if target == own:
            raise RunError(f"{path} is a file that this spec reads as data", "name another file")


def _refuse_spec(path: Path, target: Path, spec_path: Path) -> None:
    if target == spec_path.resolve():
        raise RunError(f"{path} is the spec itself", "name another file")
    if spec_path.name == "spec.yaml":  # a run folder has a file of that name
        raise RunError(f"{path} holds the spec itself as spec.yaml", "name another folder for the run")


def _data_files(graphs: Graphs, spec_path: Path | None, data_dir: Path | None) -> list[Path]:
    """Files and folders of the spec's sources and its lists of rows, as far as they are there."""
    data = graphs.spec.data
    if data is None:
        return []
    sources = [data.source, *(entry.source for entry in data.plates.values() if entry.source is not None)]
    found = [resolve_source(source, spec_path, data_dir) for source in dict.fromkeys(sources)]
    files = [file for each in found if isinstance(each, FileSource) for file in expand(each.path)]
    for budget in data.labels.values():
        rows = getattr(budget, "rows", None)
        listed = find_file(rows, spec_path, data_dir) if isinstance(rows, str) else None
        files += [listed] if isinstance(listed, Path) else []
    return [file.resolve() for file in files]
