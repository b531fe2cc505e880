"""`graphspec data`: which data sets there are, where they are looked for, and what a spec makes of its data."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.common import DataDirOption, JsonOption, SetOption, console, print_json, tell

if TYPE_CHECKING:
    from graphspec.headers.columns import Column
    from graphspec.headers.sources import KnownSet, SourceInfo

TargetArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME|SPEC]", help="A data set, a data file, or a spec; left out, all sets.")
]


def data(
    target: TargetArgument = None,
    data_dir: DataDirOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the known data sets, look into one, or count a spec's rows per split and pattern of labels.

    Examples:

        graphspec data

        graphspec data mnist --data-dir ~/data

        graphspec data specs/digits.yaml
    """
    from graphspec.headers.sources import KNOWN_SETS, data_folder

    folder = data_folder(data_dir)
    if target is None:
        _show_all(folder, as_json)
    elif target in KNOWN_SETS:
        _show_set(KNOWN_SETS[target], folder, as_json)
    elif target == "-" or Path(target).suffix in (".yaml", ".yml"):
        _show_spec(target, overrides or (), data_dir, as_json)
    else:
        _show_file(target, data_dir, as_json)


def _facts(known: "KnownSet", folder: Path) -> dict[str, Any]:
    """One set as plain values."""
    from graphspec.headers.sources import KnownSource, describe
    from runtime.data.read.known_sets import is_present

    embedded = not known.folder
    return {
        "name": known.name,
        "title": known.title,
        "folder": known.folder,
        "place": "embedded" if embedded else str(folder / known.folder),
        "present": is_present(known, folder),
        **_description(describe(KnownSource(known))),
    }


def _description(info: "SourceInfo") -> dict[str, Any]:
    from graphspec.drafting.written_numbers import notes_on_texts

    columns = info.columns or {}
    return {
        "rows": dict(info.rows),
        "columns": {
            name: {"shape": column.shape, "kind": column.kind, "classes": column.classes, **_folders(column)}
            for name, column in columns.items()
        },
        "notes": [
            *(remark.message for remark in info.remarks),
            *_doubtful(columns.values()),
            *notes_on_texts(columns.values()),
        ],
    }


def _folders(column: "Column") -> dict[str, Any]:
    """The class folders that a column of labels is made of."""
    return {"folders": list(column.values)} if column.classes and column.values else {}


def _doubtful(columns: "Iterable[Column]") -> "Iterator[str]":
    """What to write where class folders look like a place for images without a label."""
    from graphspec.headers.cell_reader import looks_blank

    for column in columns:
        blank = ", ".join(value for value in column.values if column.classes and looks_blank(value))
        if blank:
            yield f"images without a label in {blank}? then read {{column: {column.name}, missing: [{blank}]}}"


def _show_all(folder: Path, as_json: bool) -> None:
    from graphspec.headers.sources import KNOWN_SETS

    facts = [_facts(known, folder) for known in KNOWN_SETS.values()]
    if as_json:
        print_json({"folder": str(folder), "sets": facts})
        return
    from rich.table import Table

    from graphspec.headers.sources import FORMATS

    table = Table("name", "rows", "columns", "there", box=None, pad_edge=False)
    for fact in facts:
        there = fact["place"] if not fact["folder"] else "yes" if fact["present"] else "no"
        table.add_row(fact["name"], _counts(fact["rows"]), ", ".join(fact["columns"]), there)
    console.print(table)
    console.print(f"\ndata folder: {folder}", soft_wrap=True, highlight=False)
    console.print("(--data-dir, else $GRAPHSPEC_DATA, else the user's cache folder)", highlight=False)
    console.print(f"\nA source may also be {FORMATS}.", highlight=False)


def _show_set(known: "KnownSet", folder: Path, as_json: bool) -> None:
    facts = _facts(known, folder)
    if as_json:
        print_json({"folder": str(folder), **facts})
        return
    console.print(f"{facts['name']}: {facts['title']}", highlight=False)
    _print_columns(facts)
    where = known.origin or facts["place"]
    missing = "" if facts["present"] else " (not there)"
    console.print(f"place: {where}{missing}", soft_wrap=True, highlight=False)


def _print_columns(facts: dict[str, Any]) -> None:
    from graphspec.headers.columns import show_shape
    from graphspec.reading.suggestions import few

    console.print(f"rows: {_counts(facts['rows'])}", highlight=False)
    for name, column in facts["columns"].items():
        folders = f": {few(column['folders'])}" if "folders" in column else ""
        classes = f", {column['classes']} classes{folders}" if column["classes"] else ""
        shape = show_shape(column["shape"])
        console.print(f"  {name}: {column['kind']} {shape}{classes}", markup=False, highlight=False)
    for note in facts["notes"]:
        console.print(f"note: {note}", soft_wrap=True, highlight=False, markup=False)


def _counts(rows: dict[str, int | None]) -> str:
    return ", ".join(f"{split} {'?' if count is None else count}" for split, count in rows.items())


def _show_file(target: str, data_dir: Path | None, as_json: bool) -> None:
    """A data file's columns, from its headers. Raises DataError where there is nothing to look into."""
    from graphspec.headers import SourceError
    from graphspec.headers.sources import KNOWN_SETS, MissingSource, describe, resolve_source
    from graphspec.reading.suggestions import did_you_mean
    from runtime.errors import DataError

    found = resolve_source(target, None, data_dir)
    if isinstance(found, MissingSource):
        known = f"known data sets: {', '.join(KNOWN_SETS)}; a spec ends in .yaml"
        raise DataError(
            f"{target} is no known data set, and no file of that name is there",
            f"{did_you_mean(target, KNOWN_SETS)} {known}".strip(),
        )
    try:
        facts = {"name": target, "place": str(getattr(found, "path", "")), **_description(describe(found))}
    except SourceError as error:
        raise DataError(error.message, error.hint) from error
    if as_json:
        print_json(facts)
        return
    console.print(f"{target}: {facts['place']}", soft_wrap=True, highlight=False)
    _print_columns(facts)


def _show_spec(target: str, overrides: "list[str] | tuple[()]", data_dir: Path | None, as_json: bool) -> None:
    """Prepare the data as `train` would, and count."""
    from graphspec.loading import load
    from runtime.runs.run_rows import rows_to_train

    graphs = load(target, overrides, data_dir=data_dir)
    prepared = rows_to_train(graphs, data_dir=data_dir, spec_path=None if target == "-" else Path(target), tell=tell)
    manifest = prepared.manifest()
    if as_json:
        labelled = {name: len(rows) for name, rows in manifest["labelled"].items()}
        rest = {
            name: manifest[name]
            for name in ("source", "seed", "rows", "patterns", "label_counts", "given", "units", "fingerprint", "notes")
        }
        rest |= {"elements": manifest["elements"]} if "elements" in manifest else {}
        print_json({"spec": target, **rest, "labelled": labelled})
        return
    console.print(f"source: {manifest['source']}", soft_wrap=True, highlight=False)
    console.print(prepared.describe(), highlight=False, markup=False)
    for note in prepared.notes:
        console.print(f"note: {note}", soft_wrap=True, highlight=False, markup=False)
