"""Answers as pictures: a line for each row, its mean picture, then its means at some draws of all that is hidden."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from runtime.answering.panels import Panel
from runtime.errors import RunError
from runtime.querying.answer_parts import RowAnswer
from runtime.querying.asking import Questions
from runtime.querying.grammar import QueryError
from runtime.querying.query_sizes import shows

EXAMPLES = 8
MOST_LINES = 50
"""Rows of one picture."""

Draw = Callable[[Panel, Path], None]
"""Writes a panel whose values are in data units."""


class AnswerPictures:
    """The lines of one picture file, gathered part by part. Raises RunError or QueryError where a query has none."""

    def __init__(self, questions: Questions) -> None:
        if len(questions.queries) > 1:
            raise RunError("a picture file shows the answer to one query", "ask them one by one")
        if questions.asking.joint:
            raise RunError("a picture file shows means: --joint has draws", "leave --joint out, or name an .npz file")
        query = questions.queries[0].question
        for target in query.targets:
            if not shows(target):
                rest = "an .npz file" if len(target.which) > 1 and not target.sign else "a .csv or .parquet file"
                raise QueryError(
                    f"{target.term.item.written} is no picture: name {rest}, or leave -o out",
                    query.text, target.term.item.start, target.term.end,
                )  # fmt: skip
        if len(query.targets) > 1:
            raise RunError("a picture file shows one target", f"ask {query.targets[0].term.item.written} alone")
        self.target, self.text = query.targets[0], query.text
        self.variable, self.rows = self.target.variable, questions.rows is not None
        self.lines: list[RowAnswer] = []
        self.more = 0

    def add(self, part: Sequence[Sequence[RowAnswer]]) -> None:
        """Some rows more."""
        room = MOST_LINES - len(self.lines)
        self.lines += part[0][:room]
        self.more += len(part[0][room:])

    def panel(self) -> Panel:
        """Blank where a row has no answer."""
        shape = self.variable.shape
        cells = np.stack([self._cells(answer) for answer in self.lines])
        names = tuple(f"row {answer.row}" if self.rows else "" for answer in self.lines)
        title = f"{self.text}: the mean, then what {EXAMPLES} draws of what is hidden make of it"
        columns = ("mean", "draws", *[""] * (EXAMPLES - 1))
        values = {self.variable.name: torch.from_numpy(cells).reshape(len(cells), 1 + EXAMPLES, *shape)}
        return Panel(title, self.variable.name, values, names, columns, inputs=1)

    def _cells(self, answer: RowAnswer) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """[1 + examples, elements]"""
        if answer.refused is not None or answer.examples is None:
            return np.full((1 + EXAMPLES, int(np.prod(self.variable.shape))), np.nan)
        own = answer.figures.get(self.variable.name)
        figures = [answer.figures[name] for name in self.target.names] if own is None else [own]
        key = "mean" if "mean" in figures[0].values else "probabilities"
        mean = np.stack([np.asarray(figure.values[key]) for figure in figures])
        if key == "probabilities":
            mean = mean @ (np.arange(self.variable.support or 1) + self.variable.minimum)
        return np.concatenate([mean.reshape(1, -1), answer.examples])
