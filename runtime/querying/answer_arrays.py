"""Answers as arrays of whole variables, for .npz files: means and deviations, probabilities, joint draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import RunError
from runtime.predicting.output_columns import Cells
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_parts import RowAnswer
from runtime.querying.meaning import AskedTarget
from runtime.querying.row_group import AskedQuery


@dataclass(frozen=True)
class AnswerArrays:
    """`v` [N, elements] or, of whole variables, [N, *shape]; `v.sd`; of classes `v.probabilities` [N, .., K]; of an
    event its probability [N]. joint: `v` [N, S, *shape] instead."""

    used: UsedRun
    targets: tuple[AskedTarget, ...]
    rows: bool
    joint: bool

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all arrays."""
        front = ("row",) if self.rows else ()
        return (*front, *(name for target in self.targets for name, _ in self._arrays(target)), "ess")

    def _arrays(self, target: AskedTarget) -> list[tuple[str, str]]:
        """Names, and the figure that is in them."""
        if target.sign:
            return [(target.names[0], "probability")]
        whole = len(target.which) == int(np.prod(target.variable.shape))
        name = self.used.called(target.variable.name) if whole else target.names[0]
        if self.joint:
            return [(name, "draws")]
        if target.variable.support is not None:
            return [(f"{name}.probabilities", "probabilities")]
        return [(name, "mean"), (f"{name}.sd", "sd")]

    def cells(self, queries: Sequence[AskedQuery], part: Sequence[Sequence[RowAnswer]]) -> Iterator[Cells]:
        """Every array of some rows; NaN for rows without an answer."""
        answers = part[0]
        if self.rows:
            yield Cells("row", np.array([answer.row for answer in answers]))
        for target in self.targets:
            for name, kind in self._arrays(target):
                found = [None if answer.refused else self._of(answer, target, kind) for answer in answers]
                like = next((each for each in found if each is not None), np.zeros(1))
                full = [np.full(like.shape, np.nan) if each is None else each for each in found]
                yield Cells(name, None, np.stack(full))
        yield Cells("ess", None, np.array([np.nan if answer.ess is None else answer.ess for answer in answers]))

    def _of(self, answer: RowAnswer, target: AskedTarget, kind: str) -> NDArray[Any]:
        shape, variable = target.variable.shape, target.variable.name
        if kind == "draws":
            assert answer.joint is not None
            if answer.joint.probability is not None:
                raise RunError("a joint table is no array", "name a .csv or .parquet file")
            if variable in answer.joint.whole:
                return answer.joint.whole[variable]
            found = np.stack([answer.joint.of(name) for name in target.names], axis=1)
            return found.reshape(-1, *shape) if found.shape[1] == int(np.prod(shape)) else found
        names = (variable,) if variable in answer.figures else target.names
        some = next(np.asarray(answer.figures[name].values[kind]) for name in names if name in answer.figures)
        nothing = np.full(some.shape, np.nan)  # an element that is not there
        values = np.stack([
            np.asarray(answer.figures[name].values[kind]) if name in answer.figures else nothing for name in names
        ])  # fmt: skip
        if target.sign:
            return np.asarray(values[0])
        if len(target.which) < int(np.prod(shape)):
            return values
        return values.reshape(*shape, -1) if kind == "probabilities" else values.reshape(shape)


def array_layout(used: UsedRun, queries: Sequence[AskedQuery], *, rows: bool, joint: bool) -> AnswerArrays:
    """The arrays of one query. RunError for several."""
    if len(queries) > 1:
        raise RunError("an .npz file holds the answers to one query", "ask them one by one, or name a .csv file")
    return AnswerArrays(used, queries[0].question.targets, rows, joint)
