"""GS028: `data.plates` says of each plate where its elements stand, in one way that can be followed.

What the spec alone tells; the files are held against it in `layout_file_rules`.
"""

from collections.abc import Iterator

from graphspec.graphs.reading_across import variable_path
from graphspec.headers.element_tables import Layouts, layouts_of
from graphspec.language import DataSection, PlateColumns, Spec
from graphspec.language.plates import path_of
from graphspec.reading.suggestions import counted, did_you_mean, few, listed
from graphspec.text.report import Report
from graphspec.text.tree import Path

Finding = tuple[Path, str, str]
"""Where, what is wrong, and what to do."""


def check_layouts(spec: Spec, report: Report) -> Layouts | None:
    """Where elements stand; None where that is not clear, and has been reported."""
    assert spec.data is not None
    problems = [*_problems(spec, spec.data)]
    for path, message, hint in problems:
        report.error("GS028", path, message, key=True, hint=hint)
    if problems or not all(_has_place(spec, name) for name in spec.plates):
        return None
    layouts = layouts_of(spec)
    untold = [*_untold_counts(spec, spec.data, layouts)]
    for path, message, hint in untold:
        report.error("GS028", path, message, key=True, hint=hint)
    return layouts if not untold else None


def _has_place(spec: Spec, name: str) -> bool:
    """GS020 says so where it has none."""
    inside = spec.plates[name].inside
    return inside is None or inside in spec.plates


def _problems(spec: Spec, data: DataSection) -> Iterator[Finding]:
    known = {}
    for name, entry in data.plates.items():
        path = ("data", "plates", name)
        if name not in spec.plates:
            hint = did_you_mean(name, spec.plates, f"plates are {few(spec.plates)}", quote="'")
            yield (
                path,
                f"there is no plate '{name}'",
                hint if spec.plates else "declare it under `plates`, or leave it out",
            )
        else:
            known[name] = entry
    for name, entry in known.items():
        yield from _of_entry(spec, known, name, entry)
    yield from _sharing(spec, known)
    yield from _mixed(spec, known)


def _of_entry(spec: Spec, entries: dict[str, PlateColumns], name: str, entry: PlateColumns) -> Iterator[Finding]:
    path: Path = ("data", "plates", name)
    depth = len(path_of(spec.plates, name))
    if entry.key and len(entry.key) != depth:
        levels = ["row", *path_of(spec.plates, name)[:-1]]
        message = f"`key` of {name} names {counted(len(entry.key), 'column')}, and {depth} tell whose a line is"
        yield (*path, "key"), message, f"one column for each of {listed(levels)}: outermost first"
    if entry.column is not None and not entry.key and not _told_inside(spec, entries, name):
        hint = "say whose element a line is: `key: COLUMN`"
        yield (
            (*path, "order"),
            f"`order` sorts the lines of {name}, and no `key` says that its elements are lines",
            hint,
        )


def _told_inside(spec: Spec, entries: dict[str, PlateColumns], name: str) -> bool:
    """A plate inside of it stands on lines that tell its elements too."""
    return any(name in path_of(spec.plates, other)[:-1] for other, entry in entries.items() if entry.key)


def _sharing(spec: Spec, entries: dict[str, PlateColumns]) -> Iterator[Finding]:
    """Plates whose lines stand in one table are inside each other."""
    by_source: dict[str | None, list[str]] = {}
    for name, entry in entries.items():
        if entry.key:
            by_source.setdefault(entry.source, []).append(name)
    for source, names in by_source.items():
        deepest = max(names, key=lambda name: len(path_of(spec.plates, name)))
        beside = next((name for name in names if name not in path_of(spec.plates, deepest)), None)
        where = source or "the rows' own source"
        if beside is not None:
            hint = "plates side by side need a `source` each: one line cannot be an element of both"
            yield ("data", "plates", beside), f"{beside} and {deepest} both have their lines in {where}", hint
            continue
        key = entries[deepest].key
        unlike = next((name for name in names if entries[name].key != key[: len(entries[name].key)]), None)
        if unlike is not None:
            message = f"`key` of {unlike} is no beginning of the key of {deepest}, whose lines tell it"
            yield ("data", "plates", unlike, "key"), message, f"lines of one table have one key: {few(key)}"


def _mixed(spec: Spec, entries: dict[str, PlateColumns]) -> Iterator[Finding]:
    """A plate inside another stands as that one does: padded in padded, lengths in lengths, lines in lines."""
    for name, entry in entries.items():
        path = path_of(spec.plates, name)
        way = _way(entry)
        for outer in path[:-1]:
            other = _way(entries.get(outer))
            told = way == "lines" and other == "padded"  # by the lines of the plate inside
            if way != other and not told:
                hint = f"say of {listed(path)} alike: `lengths` each, or `key` each"
                yield (
                    ("data", "plates", name),
                    f"{name} has {_WAYS[way]}, and {outer}, which it is inside of, {_WAYS[other]}",
                    hint,
                )
                break
        if way == "lines" and entry.source is None:
            apart = next((outer for outer in path[:-1] if outer in entries and entries[outer].source is not None), None)
            if apart is not None:
                message = f"the lines of {name} stand in the rows' own source, and those of {apart} in another one"
                yield ("data", "plates", name), message, f"give {name} a `source` of its own"
    for name in spec.plates:
        path = path_of(spec.plates, name)
        odd = next((outer for outer in path[:-1] if _way(entries.get(outer)) != "padded"), None)
        if name not in entries and odd is not None:
            way = _way(entries[odd])
            instead = "lengths: COLUMN" if way == "flat" else "key: [COLUMN, COLUMN]"
            message = f"nothing says where the elements of {name} stand, which is inside of {odd}"
            yield ("data", "plates"), message, f"add `{name}: {{{instead}}}`"


_WAYS = {"flat": "lengths", "lines": "a line for each element", "padded": "its elements beside each other in a row"}


def _way(entry: PlateColumns | None) -> str:
    if entry is None or not (entry.key or entry.lengths is not None):
        return "padded"
    return "flat" if entry.lengths is not None else "lines"


def told_counts(spec: Spec, layouts: Layouts) -> dict[str, str]:
    """Counts that the layout tells, and of which plate: how many elements are found."""
    return {
        plate.count: name
        for name, plate in spec.plates.items()
        if plate.count is not None and layouts.kinds[name] != "padded"
    }


def _untold_counts(spec: Spec, data: DataSection, layouts: Layouts) -> Iterator[Finding]:
    """A ragged plate whose count nothing tells, although its elements are data."""
    told = told_counts(spec, layouts)
    for name, plate in spec.plates.items():
        count = spec.variables.get(plate.count or "")
        if plate.count is None or count is None or count.role not in ("observed", "supervised"):
            continue
        if plate.count in told or plate.count in data.variables:
            continue
        if not any(name in variable_path(spec, each) for each in data.variables if each in spec.variables):
            continue  # nothing of it stands in the data: GS080 asks for the column
        message = f"nothing tells how many {name} a row has: {plate.count} has no column"
        hint = (
            f"give {plate.count} its column, or say how the elements stand: "
            f"`plates: {{{name}: {{lengths: COLUMN}}}}` or `{{key: COLUMN}}`"
        )
        yield ("data", "variables"), message, hint
