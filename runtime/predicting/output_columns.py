"""Which columns come out, in which order, and what stands in them: the input's own ones first, then what was asked.

From: an input's header and answers. To: `Cells` of each column, which a writer writes as its file has them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from runtime.predicting.imputing import imputed
from runtime.predicting.input_parts import InputPart, InputTable
from runtime.predicting.row_answers import Answer, AskedFor
from runtime.predicting.used_run import UsedRun

Array = NDArray[Any]
DRAW = "draw"
"""The column that tells draws apart, in front of all others."""
Kind = Literal["best", "probability", "class", "low", "high", "deviation"]


@dataclass(frozen=True)
class Cells:
    """A column of some rows. own: as the input has it. values: numbers, or indices of `names`, NaN for nothing; used
    where `use` is True, or everywhere. whole: the names are whole numbers."""

    name: str
    own: Any = None
    values: Array | None = None
    names: tuple[str, ...] = ()
    use: Array | None = None
    whole: bool = False


@dataclass(frozen=True)
class AnswerColumn:
    """One column of answers. index: the class that `class` is about."""

    name: str
    variable: str
    element: int
    kind: Kind
    index: int = 0


@dataclass(frozen=True)
class OutputLayout:
    """own: columns of the input that are kept, by place; filled: those that get answers where they are blank.
    first: what stands in front of them."""

    used: UsedRun
    own: tuple[tuple[int, str], ...]
    filled: Mapping[str, AnswerColumn]
    added: tuple[AnswerColumn, ...]
    first: tuple[str, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return (*self.first, *(name for _, name in self.own), *(column.name for column in self.added))

    def cells(self, part: InputPart, answers: Sequence[Answer], draw: int = 1) -> Iterator[Cells]:
        """Every column of some rows, in order. draw: the number of the draw that they are, from 1."""
        yield from (Cells(name, np.full(part.rows, draw)) for name in self.first)
        found = {answer.variable.name: answer for answer in answers}
        for place, name in self.own:
            own, column = part.own[place], self.filled.get(name)
            if column is None:
                yield Cells(name, own)
            else:
                answer = found[column.variable]
                yield _best(name, answer, column.element, own, ~answer.given[:, column.element])
        for column in self.added:
            yield _cells(column, found[column.variable])


def layout_of(
    used: UsedRun, table: InputTable, asked: AskedFor, only: Collection[str] | None = None, *, numbered: bool = True
) -> OutputLayout:
    """The columns that answers to an input have. only: variables that are told in this table; left out, all. numbered:
    draws have their number in a column."""
    graphs = used.graphs
    blanks = imputed(used) if asked.impute or asked.draws else ()
    names = [*graphs.supervised, *(() if asked.latents == "none" else graphs.latent), *blanks]
    names = [name for name in names if only is None or name in only]
    own = {name: place for place, name in enumerate(table.header)} if not table.arrays else {}
    filled: dict[str, AnswerColumn] = {}
    added: list[AnswerColumn] = []
    for name in names:
        for element, called in enumerate(used.elements(name)):
            best = AnswerColumn(called, name, element, "best")
            here = called in own and called in used.columns[name].names if name in used.columns else False
            if here and (not asked.keep or name in blanks):
                filled[called] = best
            else:
                shown = f"{called}.predicted" if here else called
                added.append(AnswerColumn(shown, name, element, "best"))
            if not asked.draws:
                added += _beside(graphs.variables[name], called, element, latent=name in graphs.latent, asked=asked)
    anew = {column.name for column in added}
    kept = tuple((place, name) for place, name in enumerate(table.header) if name not in anew)
    return OutputLayout(used, kept, filled, tuple(added), (DRAW,) if asked.draws and numbered else ())


def _beside(variable: Variable, called: str, element: int, *, latent: bool, asked: AskedFor) -> list[AnswerColumn]:
    """How sure an answer is."""
    name = variable.name
    if latent and asked.latents == "draws":
        return []
    if variable.support is not None:
        classes = [
            AnswerColumn(f"{called}={each}", name, element, "class", index)
            for index, each in enumerate(variable.value_names)
        ]
        sure = AnswerColumn(f"{called}.probability", name, element, "probability")
        return [sure] if variable.role == "observed" else [sure, *classes]
    if latent:
        return [AnswerColumn(f"{called}.sd", name, element, "deviation")]
    if variable.domain == "direction":
        return []
    return [AnswerColumn(f"{called}.{kind}", name, element, kind) for kind in ("low", "high")]


def _best(name: str, answer: Answer, element: int, own: Any, use: Array | None) -> Cells:
    variable = answer.variable
    names = variable.value_names if variable.support is not None else ()
    return Cells(name, own, answer.best[:, element], names, use, whole=bool(names) and not variable.names)


def _cells(column: AnswerColumn, answer: Answer) -> Cells:
    values: Array | None
    match column.kind:
        case "best":
            return _best(column.name, answer, column.element, None, None)
        case "class":
            values = None if answer.probabilities is None else answer.probabilities[:, column.element, column.index]
        case "probability":
            values = probability_of_best(answer)[:, column.element]
        case "low":
            values = None if answer.low is None else answer.low[:, column.element]
        case "high":
            values = None if answer.high is None else answer.high[:, column.element]
        case "deviation":
            values = None if answer.deviation is None else answer.deviation[:, column.element]
    return Cells(column.name, values=np.full(len(answer.best), np.nan) if values is None else values)


def probability_of_best(answer: Answer) -> Array:
    """[B, n]: of the class that is said."""
    assert answer.probabilities is not None, "classes have probabilities"
    index = np.nan_to_num(answer.best).astype(np.int64)
    found: Array = np.take_along_axis(answer.probabilities, index[..., None], -1)[..., 0]
    return found


@dataclass(frozen=True)
class ArrayLayout:
    """The same as arrays of whole variables: `v` [N, *shape], `v.probabilities` [N, *shape, K], `v.low`, `v.sd`."""

    table: OutputLayout

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all arrays."""
        return (*self.table.first, *self._own_and_answers())

    def _own_and_answers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*(name for _, name in self.table.own), *self._answers())))

    def _answers(self) -> dict[str, tuple[str, Kind]]:
        """(variable, kind) of each array that holds answers."""
        used, found = self.table.used, dict[str, tuple[str, Kind]]()
        suffixes = {"best": "", "class": ".probabilities", "low": ".low", "high": ".high", "deviation": ".sd"}
        columns = (*self.table.filled.values(), *self.table.added)
        for name in dict.fromkeys(column.variable for column in columns):
            kinds = {column.kind for column in columns if column.variable == name}
            kept = any(column.variable == name and column.name.endswith(".predicted") for column in self.table.added)
            for kind, suffix in suffixes.items():
                if kind in kinds:
                    called = f"{used.called(name)}{'.predicted' if kept and kind == 'best' else suffix}"
                    found[called] = name, kind
        return found

    def cells(self, part: InputPart, answers: Sequence[Answer], draw: int = 1) -> Iterator[Cells]:
        """Every array of some rows, in the order of `header`."""
        yield from (Cells(name, np.full(part.rows, draw)) for name in self.table.first)
        found, anew = {answer.variable.name: answer for answer in answers}, self._answers()
        own = {name: part.own[place] for place, name in self.table.own}
        for name in self._own_and_answers():
            if name not in anew:
                yield Cells(name, own[name])
                continue
            answer, kind = found[anew[name][0]], anew[name][1]
            yield _as_array(name, kind, answer, own.get(name) if answer.best.shape[1] == 1 else None)


def _as_array(name: str, kind: Kind, answer: Answer, own: Any) -> Cells:
    variable, rows = answer.variable, len(answer.best)
    shape = (rows, *variable.shape)
    if kind == "best":
        names = variable.value_names if variable.support is not None else ()
        use = None if own is None else ~answer.given.reshape(shape)
        return Cells(name, own, answer.best.reshape(shape), names, use, whole=bool(names) and not variable.names)
    values = {
        "class": answer.probabilities, "low": answer.low, "high": answer.high, "deviation": answer.deviation
    }[kind]  # fmt: skip
    if values is None:
        return Cells(name, values=np.full(shape, np.nan))
    return Cells(name, values=values.reshape(*shape, -1) if kind == "class" else values.reshape(shape))
