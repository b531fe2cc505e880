"""Answers as columns: those of `predict`, an event's text, `ess`; or a line for each joint value or draw.

From: answers to some rows. To: `Cells`, which the writers of `predict` write; pictures go to .npz and .png.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.predicting.output_columns import Cells
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_parts import RowAnswer, RowFigure
from runtime.querying.meaning import AskedTarget, answer_names
from runtime.querying.row_group import AskedQuery

NUMBERS = ("mean", "sd", "low", "median", "high")


@dataclass(frozen=True)
class TargetColumn:
    """kind: `best`, `probability`, `class`, `event`, or what a number has; index: of the class."""

    name: str
    target: AskedTarget
    answer: str
    kind: str
    index: int = 0

    def cell(self, figure: RowFigure | None) -> float:
        """What stands in one row; NaN for nothing."""
        if figure is None:
            return float("nan")
        values = figure.values
        match self.kind:
            case "best":
                return float(np.argmax(values["probabilities"]))
            case "probability":
                return float(np.max(values["probabilities"]))
            case "class":
                return float(values["probabilities"][self.index])
            case "event":
                return float(values["probability"])
        return float(values[self.kind])


@dataclass(frozen=True)
class TableLayout:
    """several: a column in front tells queries apart. rows: one tells rows apart."""

    columns: tuple[TargetColumn, ...]
    several: bool
    rows: bool

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return (*self._front, *(column.name for column in self.columns), "ess")

    @property
    def _front(self) -> tuple[str, ...]:
        return (*(("query",) if self.several else ()), *(("row",) if self.rows else ()))

    def cells(self, queries: Sequence[AskedQuery], part: Sequence[Sequence[RowAnswer]]) -> Iterator[Cells]:
        """The columns of some rows, query by query."""
        lines = [(query, answer) for query, answers in zip(queries, part, strict=True) for answer in answers]
        if self.several:
            yield Cells("query", np.array([query.question.text for query, _ in lines], dtype=np.str_))
        if self.rows:
            yield Cells("row", np.array([answer.row for _, answer in lines]))
        for column in self.columns:
            values = np.array([column.cell(answer.figures.get(column.answer)) for _, answer in lines])
            names = column.target.variable.value_names if column.kind == "best" else ()
            yield Cells(column.name, None, values, names, whole=bool(names) and not column.target.variable.names)
        yield Cells("ess", None, np.array([np.nan if answer.ess is None else answer.ess for _, answer in lines]))


def table_layout(used: UsedRun, queries: Sequence[AskedQuery], *, rows: bool) -> TableLayout:
    """The columns of all queries."""
    columns: dict[str, TargetColumn] = {}
    for query in queries:
        for target in query.question.targets:
            for column in _columns(used, target):
                columns.setdefault(column.name, column)
    return TableLayout(tuple(columns.values()), len(queries) > 1, rows)


def _columns(used: UsedRun, target: AskedTarget) -> Iterator[TargetColumn]:
    variable = target.variable
    if target.sign:
        yield TargetColumn(target.names[0], target, target.names[0], "event")
        return
    elements = answer_names(used, variable.name)
    for answer, element in zip(target.names, target.which, strict=True):
        called = answer if target.term.item.index and "last" in target.term.item.index else elements[element]
        if variable.support is None:
            for kind in NUMBERS:
                yield TargetColumn(called if kind == "mean" else f"{called}.{kind}", target, answer, kind)
            continue
        yield TargetColumn(called, target, answer, "best")
        yield TargetColumn(f"{called}.probability", target, answer, "probability")
        for index, name in enumerate(variable.value_names):
            yield TargetColumn(f"{called}={name}", target, answer, "class", index)


@dataclass(frozen=True)
class JointLayout:
    """A line for each joint value with its probability, or for each draw."""

    names: tuple[str, ...]
    targets: tuple[AskedTarget, ...]
    table: bool
    several: bool
    rows: bool

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        front = (*(("query",) if self.several else ()), *(("row",) if self.rows else ()))
        return (*front, *(() if self.table else ("draw",)), *self.names, *(("probability", "se") if self.table else ()))

    def cells(self, queries: Sequence[AskedQuery], part: Sequence[Sequence[RowAnswer]]) -> Iterator[Cells]:
        """The columns of some rows."""
        found = [
            (query, answer) for query, answers in zip(queries, part, strict=True) for answer in answers
            if answer.joint is not None
        ]  # fmt: skip
        lengths = [len(answer.joint.values) for _, answer in found if answer.joint is not None]
        if self.several:
            texts = [query.question.text for query, _ in found]
            yield Cells("query", np.repeat(np.array(texts, dtype=np.str_), lengths))
        if self.rows:
            yield Cells("row", np.repeat(np.array([answer.row for _, answer in found], dtype=np.int64), lengths))
        if not self.table:
            numbers = [np.arange(1, length + 1) for length in lengths]
            yield Cells("draw", np.concatenate(numbers) if numbers else np.zeros(0, dtype=np.int64))
        for name, target in zip(self.names, self.targets, strict=True):
            yield _joint_cells(name, target, [answer.joint.of(name) for _, answer in found if answer.joint])
        if self.table:
            for kind in ("probability", "se"):
                yield Cells(kind, None, _joined([getattr(answer.joint, kind) for _, answer in found]))


def joint_layout(queries: Sequence[AskedQuery], *, rows: bool) -> JointLayout:
    """The columns of joint answers; all queries ask the same targets."""
    targets = [target for target in queries[0].question.targets for _ in target.names]
    names = tuple(name for target in queries[0].question.targets for name in target.names)
    table = all(target.variable.support is not None for target in targets)
    return JointLayout(names, tuple(targets), table, len(queries) > 1, rows)


def _joint_cells(name: str, target: AskedTarget, values: list[NDArray[Any]]) -> Cells:
    found, variable = _joined(values), target.variable
    if target.sign or variable.support is None:
        return Cells(name, None, found)
    index = found - variable.minimum
    return Cells(name, None, index, variable.value_names, whole=not variable.names)


def _joined(values: list[Any]) -> NDArray[Any]:
    return np.concatenate(values) if values else np.zeros(0)
