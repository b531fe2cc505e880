"""How the numbers of a table are written, and what to say in a spec where that is not plain."""

from collections.abc import Collection, Iterable, Iterator

from graphspec.headers.cell_reader import looks_blank
from graphspec.headers.columns import Column
from graphspec.headers.numbers import NumberFormat, look_alike
from graphspec.reading.suggestions import few
from graphspec.text.yaml_words import plain

FORMATS = (NumberFormat(), NumberFormat(","), NumberFormat(",", "."), NumberFormat(".", ","))


def number_format(columns: Iterable[Column]) -> NumberFormat:
    """The way of writing numbers that most columns have, cells apart that say a blank."""
    cells = [_said(column) for column in columns]

    def fitting(numbers: NumberFormat) -> int:
        return sum(all(number is not None for number in numbers.all_of(values)) for values in cells)

    return max(FORMATS, key=fitting)


def _said(column: Column) -> list[str]:
    """Cells that are no blanks by any usual coding."""
    return [cell for cell in column.values if cell and not looks_blank(cell)]


def data_marks(numbers: NumberFormat) -> list[str]:
    """What `data` says of numbers that are not plain: `decimal: ","`."""
    if numbers == NumberFormat():
        return []
    return [f"decimal: {plain(numbers.decimal)}"] + (
        [f"thousands: {plain(numbers.thousands)}"] if numbers.thousands else []
    )


def notes_on_texts(columns: Collection[Column]) -> Iterator[str]:
    """What columns of text seem to be, if no texts, and what to do about it: columns of one advice together.

    Blanks by any usual coding are left aside.
    """
    numbers, alike = number_format(columns), dict[str, tuple[str, list[str]]]()
    for column in columns:
        cells = _said(column)
        if column.kind != "text" or column.classes or not cells:
            continue
        if None not in numbers.all_of(cells):
            advice = f" looks like a number: say data: {{{', '.join(data_marks(numbers))}}}"
        else:
            advice = look_alike(cells, NumberFormat()).removeprefix(repr(cells[0]))
        if advice:
            alike.setdefault(advice, (cells[0], []))[1].append(column.name)
    return (f"{few(names, 6)}: {cell!r}{advice}" for advice, (cell, names) in alike.items())
