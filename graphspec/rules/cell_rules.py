"""Whether cells of a column can be values of a variable, as far as declarations and first rows tell."""

import math

from graphspec.graphs.graph import Variable
from graphspec.headers import is_integer, is_number
from graphspec.headers.columns import Column
from graphspec.language import ColumnSpec, Domain
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.class_folder_rules import classes_of_folders, problem_with_class_folders

Problem = tuple[str, str]
READABLE: dict[Domain, tuple[Domain, ...]] = {
    "unit": ("unit", "real"),
    "category": ("category", "count", "real"),
    "direction": ("direction", "real"),
}
"""What a column that a known data set declares as KEY can feed."""
MARKED_BY_MINUS_ONE = ("category", "binary", "count")


def problem_with_cells(variable: Variable, entry: ColumnSpec, column: Column) -> Problem | None:
    """(message, hint) where the column's cells are no values of the variable; None where nothing speaks against it."""
    if column.kind == "other":
        return f"column {column.name} holds objects that cannot be read", "save it as plain numbers or text"
    if column.picture or column.domain == "unit":
        return _problem_with_pixels(variable, entry, column)
    if column.domain is not None and variable.domain not in READABLE[column.domain]:
        return _wrong_domain(variable, column)
    if column.classes is not None and not column.values:
        return _problem_with_classes(variable, column, column.classes)
    if column.values:
        return _problem_with_values(variable, entry, column)
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


def _problem_with_values(variable: Variable, entry: ColumnSpec, column: Column) -> Problem | None:
    cells = [cell for cell in column.values if not _is_blank(cell, variable, entry)]
    if len(cells) < len(column.values) and variable.role == "observed" and not variable.missing:
        return f"'{variable.name}' is observed, and column {column.name} has blank cells", (
            "fill them, declare `missing: true` if nothing in `generative` depends on it, or make it `supervised`"
        )
    if column.classes is not None:
        listed = [cell for cell in column.values if any(same_cell(cell, mark) for mark in entry.missing)]
        problem = problem_with_class_folders(variable, column.name, sorted(column.values), listed)
        if problem is not None or classes_of_folders(variable, cells, listed):
            return problem
    wrong = [cell for cell in cells if not _is_value(cell, variable)]
    if not wrong:
        return None
    message = f"column {column.name} holds {few(map(repr, wrong), 3)}, which is no value of "
    return f"{message}'{variable.name}': {_expectation(variable)}", _values_hint(variable, cells, wrong, column)


def _expectation(variable: Variable) -> str:
    if variable.domain in ("category", "binary"):
        top = (variable.support or 2) - 1
        return f"one of {few(variable.names)}, or 0 to {top}" if variable.names else f"0 to {top}"
    if variable.domain == "count":
        bounds = f" from {variable.minimum}"
        return "a whole number" + (f"{bounds} to {variable.minimum + variable.support - 1}" if variable.support else
                                   bounds)  # fmt: skip
    return {"positive": "a number above 0", "unit": "a number in [0, 1]"}.get(variable.domain or "", "a number")


def _values_hint(variable: Variable, cells: list[str], wrong: list[str], column: Column) -> str:
    if variable.domain in ("category", "binary") and column.complete and not variable.names:
        if len(cells) == variable.support:
            return f"declare `names: [{', '.join(sorted(cells))}]`, in the order you want"
        return f"the column has {len(cells)} different values"
    blank = f"list what means blank: {{column: {column.name}, missing: [{few(wrong, 3)}]}}"
    return did_you_mean(wrong[0], variable.names, f"add it to `names`, or {blank}") if variable.names else blank


def _is_blank(cell: str, variable: Variable, entry: ColumnSpec) -> bool:
    """Empty, NaN, -1 where values are whole numbers, or listed under `missing`."""
    if not cell or cell.lower() == "nan":
        return True
    if variable.domain in MARKED_BY_MINUS_ONE and is_integer(cell) and float(cell) == -1:
        return True
    return any(same_cell(cell, mark) for mark in entry.missing)


def same_cell(cell: str, mark: int | float | str) -> bool:
    """The same text, or the same number: `3.0` in a file is 3 in a spec."""
    return cell == str(mark) or (is_number(cell) and is_number(str(mark)) and float(cell) == float(mark))


def _is_value(cell: str, variable: Variable) -> bool:
    if cell in variable.names:
        return True
    if not is_number(cell) or not math.isfinite(float(cell)):
        return False
    number = float(cell)
    if variable.discrete:
        top = math.inf if variable.support is None else variable.minimum + variable.support - 1
        return number.is_integer() and variable.minimum <= number <= top
    if variable.domain == "unit":
        return 0 <= number <= 1
    return number > 0 if variable.domain == "positive" else True
