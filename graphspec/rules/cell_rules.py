"""Whether cells of a column can be values of a variable, as far as declarations and first rows tell."""

import math

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import CellReader, looks_blank, read_as, signs_problem
from graphspec.headers.columns import Column
from graphspec.headers.numbers import NumberFormat, is_integer, look_alike
from graphspec.language import ColumnSpec, Domain
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.class_folder_rules import listed_folders, problem_with_class_folders, with_folder_names
from graphspec.text.yaml_words import cell_list

Problem = tuple[str, str]
READABLE: dict[Domain, tuple[Domain, ...]] = {
    "unit": ("unit", "real"),
    "category": ("category", "count", "real"),
    "direction": ("direction", "real"),
}
"""What a column that a known data set declares as KEY can feed."""
OBJECTS_HINT = (
    "save plain numbers or text; what differs in length by row one after the other with a column of lengths (.npz), or "
    "with a line an element (tables)"
)
MOST_NAMES = 50
"""More values than this in a column are hardly names of classes."""
FEW_BLANKS = 3
"""More kinds of wrong cells than this are hardly blanks."""


def problem_with_cells(variable: Variable, entry: ColumnSpec, column: Column, numbers: NumberFormat) -> Problem | None:
    """(message, hint) where the column's cells are no values of the variable; None where nothing speaks against it."""
    if column.kind == "other":
        return f"column {column.name} holds objects that cannot be read", OBJECTS_HINT
    if column.picture or column.domain == "unit":
        return _problem_with_pixels(variable, entry, column)
    if column.domain is not None and variable.domain not in READABLE[column.domain]:
        return _wrong_domain(variable, column)
    if column.classes is not None and not column.values:
        return _problem_with_classes(variable, column, column.classes)
    if column.values:
        return _problem_with_values(variable, entry, column, numbers)
    if column.kind == "text" and not variable.names and not entry.missing:
        return f"column {column.name} holds text, and '{variable.name}' is {_title(variable)}", _text_hint(variable)
    return None


def _title(variable: Variable) -> str:
    return (
        f"a {variable.domain}"
        if variable.discrete or variable.domain in ("direction", "simplex")
        else (f"{variable.domain}")
    )


def _text_hint(variable: Variable) -> str:
    if variable.domain in ("category", "binary"):
        return "declare `names: [...]` in the order of the classes"
    return "choose another column, or list the cells that mean blank: {column: ..., missing: [unknown]}"


def _wrong_domain(variable: Variable, column: Column) -> Problem:
    return f"'{variable.name}' is {_title(variable)}, and column {column.name} is a {column.domain}", (
        f"declare `domain: {column.domain}`"
    )


def _problem_with_pixels(variable: Variable, entry: ColumnSpec, column: Column) -> Problem | None:
    if variable.domain in READABLE["unit"] or (variable.domain == "binary" and entry.binarize is not None):
        return None
    if variable.domain == "binary":
        return f"column {column.name} holds grey values, and '{variable.name}' is a binary", (
            f"add {{column: {column.name}, binarize: threshold}}, or declare `domain: unit`"
        )
    return f"column {column.name} holds pixels in [0, 1], and '{variable.name}' is {_title(variable)}", (
        "declare `domain: unit`"
    )


def _problem_with_classes(variable: Variable, column: Column, classes: int) -> Problem | None:
    """A column that counts its classes from 0, of which no cell is known."""
    if variable.domain == "category" and variable.support != classes:
        return f"'{variable.name}' has {variable.support} classes, column {column.name} has {classes}", (
            f"declare `classes: {classes}`"
        )
    if variable.domain == "count" and variable.support is not None:
        highest = variable.minimum + variable.support - 1
        if variable.minimum > 0 or highest < classes - 1:
            return f"'{variable.name}' counts from {variable.minimum} to {highest}, column {column.name} from 0 to " + (
                str(classes - 1)
            ), f"declare `min: 0, max: {classes - 1}`"
    return None


def _problem_with_values(
    variable: Variable, entry: ColumnSpec, column: Column, numbers: NumberFormat
) -> Problem | None:
    missing = entry.missing_in(column.name)
    if column.classes is not None:
        folders = sorted(column.values)
        problem = problem_with_class_folders(variable, column.name, folders, listed_folders(folders, missing))
        if problem is not None:
            return problem
        variable = with_folder_names(variable, folders, missing)
    variable = read_as(variable, entry)
    reader = CellReader(variable, missing, column.values, numbers)
    if reader.could_be_signs:
        counted = dict(zip(column.values, column.counts, strict=True))
        minus_ones = sum(count for cell, count in counted.items() if is_integer(cell) and float(cell) == -1)
        zeros = any(value == 0 for value in reader.values)
        return signs_problem(variable, column.name, minus_ones, zeros)
    cells = list(zip(column.values, reader.values, strict=True))
    if variable.role == "observed" and not variable.missing and any(v is not None and math.isnan(v) for _, v in cells):
        return f"'{variable.name}' is observed, and column {column.name} has blank cells", (
            "fill them, declare `missing: true` if nothing in `generative` depends on it, or make it `supervised`"
        )
    given = [cell for cell, value in cells if value is None or not math.isnan(value)]
    wrong = [cell for cell, value in cells if value is None or not (math.isnan(value) or reader.in_range(value))]
    if not wrong:
        return None
    message = f"column {column.name} holds {few(map(repr, wrong), 3)}, which is no value of "
    hint = look_alike(wrong, numbers) or _values_hint(variable, given, wrong, entry, column)
    return f"{message}'{variable.name}': {_expectation(variable)}", hint


def _expectation(variable: Variable) -> str:
    if variable.domain in ("category", "binary"):
        top = (variable.support or 2) - 1
        return f"one of {few(variable.names)}, or 0 to {top}" if variable.names else f"0 to {top}"
    if variable.domain == "count":
        bounds = f" from {variable.minimum}"
        return "a whole number" + (f"{bounds} to {variable.minimum + variable.support - 1}" if variable.support else
                                   bounds)  # fmt: skip
    return {"positive": "a number above 0", "unit": "a number in [0, 1]", "simplex": "a number of 0 or more"}.get(
        variable.domain or "", "a number"
    )


def _values_hint(variable: Variable, given: list[str], wrong: list[str], entry: ColumnSpec, column: Column) -> str:
    """Names for classes, cells that look like blanks; never a list of everything that is wrong as blanks."""
    words = [cell for cell in wrong if looks_blank(cell)] or _code_of_blank(variable, wrong, classes=len(given) - 1)
    values = [cell for cell in given if cell not in words]
    if variable.domain in ("category", "binary") and column.complete and not variable.names:
        blank = f"; if {few(map(repr, words))} means blank: {_missing(entry, words)}" if words else ""
        if words and words == wrong:
            return blank.removeprefix("; ")
        if len(values) == variable.support:
            return f"declare `names: {cell_list(sorted(values))}`, in the order you want{blank}"
        if len(values) > MOST_NAMES:
            return f"the column has {len(values)} different values; if they are numbers, use another domain{blank}"
        return f"the column has {len(values)} different values: {few(sorted(values))}{blank}"
    likely = words or (wrong if len(wrong) <= FEW_BLANKS and len(wrong) < len(given) else [])
    blank = f"list what means blank: {_missing(entry, likely)}" if likely else ""
    if variable.names:
        otherwise = f"add it to `names`, or {blank}" if blank else "add what is missing to `names`"
        return did_you_mean(wrong[0], variable.names, otherwise)
    if blank and not words:  # numbers: as likely values of another domain as codes of a blank
        code = f"if {few(map(repr, likely))} means blank: {_missing(entry, likely)}"
        return f"{code}; otherwise take another domain (real)"
    return blank or "choose another column, or another domain"


def _code_of_blank(variable: Variable, wrong: list[str], classes: int) -> list[str]:
    """The one number far from all classes, such as 255 or -999, where every class has rows."""
    if len(wrong) != 1 or classes != variable.support or not is_integer(wrong[0]):
        return []
    return wrong if not 0 <= float(wrong[0]) <= variable.support else []


def _missing(entry: ColumnSpec, cells: list[str]) -> str:
    place = f"column: {entry.column}" if entry.column is not None else "columns: ..."
    return f"{{{place}, missing: {cell_list(cells)}}}"
