"""Counting the rows that have a label. From: columns, budgets and sizes of splits. To: `LabelRows`."""

from collections.abc import Mapping, Sequence
from math import prod

from graphspec.graphs.graph import Variable
from graphspec.graphs.label_rows import LabelRows
from graphspec.headers.sources import KnownSource, SourceInfo
from graphspec.language import DataSection, LabelBudget
from graphspec.rules.label_value_rules import as_source_calls_it, rows_by_value
from graphspec.rules.row_values import RowValues


def count_label_rows(
    labels: Sequence[Variable],
    values: RowValues,
    info: SourceInfo,
    training: int | None,
    listed: Mapping[str, int | None],
) -> LabelRows | None:
    """None where a label cannot be counted without loading the data. training: training rows, where known; listed: of
    each label with a budget, the rows that its `rows: FILE` names."""
    total, data = info.rows.get("train"), values.data
    if not labels or not total:
        return None
    classes = {label.name: _by_class(label, values) for label in labels}
    by_row = _rows_with(labels, values) if len(labels) > 1 or None in classes.values() else {}
    given: dict[str, int] = {}
    for label in labels:
        counted = classes[label.name]
        if isinstance(values.source, KnownSource):
            given[label.name] = total
        elif counted is not None:
            given[label.name] = sum(counted.values())
        elif label.name in by_row:
            given[label.name] = sum(by_row[label.name])
        else:
            return None
    known = {name: counted for name, counted in classes.items() if counted and _is_class(labels, name)}
    if not data.labels and len(by_row) == len(labels):
        labelled = sum(map(any, zip(*by_row.values(), strict=True)))
        return LabelRows(total, given, given, labelled, True, known)
    if not data.labels and len(labels) == 1:
        return LabelRows(total, given, given, sum(given.values()), True, known)
    rows = total if training is None else training
    there = {name: count * rows / total for name, count in given.items()}
    named = {label.name: label for label in labels}
    kept = {label.name: _kept(label, named, data, there, rows, listed) for label in labels}
    if None in kept.values():
        return None
    expected = {name: count for name, count in kept.items() if count is not None}
    return LabelRows(total, given, expected, _union(expected, data, rows), False, known)


def _is_class(labels: Sequence[Variable], name: str) -> bool:
    return any(label.name == name and label.support is not None and not label.shape for label in labels)


def _by_class(label: Variable, values: RowValues) -> dict[str, int] | None:
    """Rows by value of a label that is one cell a row, of a column whose cells are all known; of a number without
    classes all under one name."""
    entry = values.data.variables[label.name]
    columns = values.columns_of(entry)
    if len(columns) != 1 or entry.soft or prod(label.shape) != 1 or not (columns[0].complete and columns[0].values):
        return None
    label = as_source_calls_it(label, entry, columns[0])
    if label.support is None:
        return {"given": sum(rows_by_value(label, entry, columns[0], values.numbers).values())}
    counts = dict.fromkeys(label.value_names, 0)
    for value, count in rows_by_value(label, entry, columns[0], values.numbers).items():
        counts[label.value_names[int(value) - label.minimum]] += count
    return counts


def _rows_with(labels: Sequence[Variable], values: RowValues) -> dict[str, list[bool]]:
    """Which rows have each label: any element of it, all weights of a soft one; labels that cannot be looked at are
    left out."""
    wanted = [(label, c.name) for label in labels for c in values.columns_of(values.data.variables[label.name])]
    read = values.read(wanted)
    found: dict[str, list[bool]] = {}
    for label in labels:
        entry = values.data.variables[label.name]
        columns = values.columns_of(entry)
        if columns and all(column.name in read for column in columns):
            elements = zip(*(element for column in columns for element in read[column.name]), strict=True)
            enough = all if entry.soft else any
            found[label.name] = [enough(value == value for value in row) for row in elements]
    return found


def _kept(
    label: Variable,
    labels: Mapping[str, Variable],
    data: DataSection,
    there: Mapping[str, float],
    rows: int,
    listed: Mapping[str, int | None],
) -> int | None:
    """Of `rows` training rows, those expected to train with the label. there: training rows that have each label."""
    budget = data.labels.get(label.name)
    if isinstance(budget, LabelBudget) and budget.same_as is not None:
        others = _kept(labels[budget.same_as], labels, data, there, rows, listed)
        return None if others is None else round(others * there[label.name] / rows)
    if isinstance(budget, LabelBudget) and budget.elements is not None:
        return None
    if isinstance(budget, LabelBudget):
        count = listed.get(label.name) if budget.per_class is None else budget.per_class * (label.support or 1)
        return None if count is None else round(min(there[label.name], count))
    if isinstance(budget, float):
        return round(there[label.name] * budget)
    return round(there[label.name] if budget is None else min(there[label.name], budget))


def _union(kept: Mapping[str, int], data: DataSection, rows: int) -> int:
    """Rows with any label where labels are drawn apart, those `with` another beside it."""
    none = 1.0
    for name, count in kept.items():
        budget = data.labels.get(name)
        if not (isinstance(budget, LabelBudget) and budget.same_as in kept):
            none *= 1 - min(1.0, count / rows)
    return max(*kept.values(), round(rows * (1 - none)))
