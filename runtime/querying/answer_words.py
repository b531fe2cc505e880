"""Answers as text for people: what is given and what is set, how it was found, a table, notes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from graphspec.reading.suggestions import counted
from runtime.querying.answer_parts import Joint, RowAnswer, RowFigure
from runtime.querying.meaning import ROW, Known
from runtime.querying.plain_answers import RowAverage, value_of, was_drawn
from runtime.querying.row_group import AskedQuery

MOST_ROWS = 20


@dataclass
class QueryText:
    """The text of one query, gathered row by row."""

    query: AskedQuery
    interval: float
    first: list[RowAnswer] = field(default_factory=list)
    average: RowAverage = field(default_factory=RowAverage)
    rows: int = 0
    refused: int = 0
    drawn: bool = False

    def add(self, answers: Sequence[RowAnswer]) -> None:
        """Answers to some rows more."""
        for answer in answers:
            if len(self.first) < MOST_ROWS:
                self.first.append(answer)
            self.rows += 1
            self.refused += answer.refused is not None
            self.drawn |= was_drawn(answer)
            self.average.add(answer)

    def lines(self) -> list[str]:
        """The whole text."""
        found = [self.query.question.text, f"  {self._how()}"]
        alone = self.first[0] if self.first[0].row is None else None
        if alone is not None:
            found += self._joint(alone.joint) if alone.joint is not None else self._figures(alone.figures)
        else:
            found += self._rows()
        return [*found, *(f"  note: {note}" for note in self.query.notes)]

    def _how(self) -> str:
        question = self.query.question
        facts = [fact for fact in question.facts if not fact.implied]
        parts = [f"given {', '.join(map(_fact, facts))}"] if facts else ["nothing given"]
        if question.changes:
            parts.append(f"then set {', '.join(map(_fact, question.changes))}")
        parts.append(f"by {self.query.by}")
        effective = [a.ess for a in self.first if a.ess is not None]
        if not self.drawn:
            parts.append("exact")
        elif effective and self.first[0].row is None:
            parts.append(f"{self.query.draws:,} draws, ESS {effective[0]:,.0f}")
        else:
            parts.append(f"{self.query.draws:,} draws{' a row' if self.first[0].row is not None else ''}")
        evidence = self.first[0].log_evidence
        if evidence is not None and question.facts and self.first[0].row is None:
            parts.append(f"log probability of what is given {evidence:.4g} nats")
        return "; ".join(parts)

    def _figures(self, figures: dict[str, RowFigure]) -> list[str]:
        lines = [_line(figure, self.interval) for figure in figures.values()]
        return _aligned([line for some in lines for line in some])

    def _rows(self) -> list[str]:
        answered = [answer for answer in self.first if answer.refused is None]
        if answered and answered[0].joint is not None:
            found = []
            for answer in answered:
                assert answer.joint is not None
                found += [f"  row {answer.row}", *self._joint(answer.joint, 5)]
            return found
        names = list(dict.fromkeys(name for answer in answered for name in answer.figures))
        header = ["row", *names, "ESS"]
        lines = [header]
        for answer in self.first:
            told = answer.figures if answer.refused is None else {}
            cells = [_short(told[name]) if name in told else "-" for name in names]
            lines.append([str(answer.row), *cells, "" if answer.ess is None else f"{answer.ess:.0f}"])
        found = _aligned(lines if any(line[-1] for line in lines[1:]) else [line[:-1] for line in lines])
        if self.rows > len(self.first):
            found.append(f"  .. {counted(self.rows, 'row')} (-o FILE writes all of them)")
        found += [f"  row {answer.row}: {answer.refused}" for answer in self.first if answer.refused][:3]
        average = {name: self.average._figure(name) for name in self.average.sums}
        return [*found, f"  average of {counted(self.average.count, 'row')}", *self._figures(average)]

    def _joint(self, joint: Joint, most: int = MOST_ROWS) -> list[str]:
        lines = [[*joint.names, "probability", "se"] if joint.probability is not None else [*joint.names]]
        for place, values in enumerate(islice(joint.values, most)):
            words = [_word(value_of(t, float(v))) for t, v in zip(joint.targets, values, strict=True)]
            if joint.probability is not None and joint.se is not None:
                se = float(joint.se[place])
                words += [f"{joint.probability[place]:.4f}", f"{se:.4f}" if se else ""]
            lines.append(words)
        left = len(joint.values) - most
        rest = [f"  .. {left:,} more (--json or -o FILE has all)"] if left > 0 else []
        return [*_aligned(lines), *rest]


def _word(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _fact(fact: Known) -> str:
    name = fact.term.item.written
    return f"{name} of each row" if fact.sign == ROW else f"{name} {fact.term.sign} {fact.term.value}"


def _line(figure: RowFigure, interval: float) -> list[list[str]]:
    """One target: what is told of it in columns, a line for each class."""
    values = figure.values
    if _many(values):
        return [[figure.name, f"{len(values['se'])} elements", "", "", ""]]
    if "probabilities" in values:
        lines, difference = [], figure.difference
        for place, name in enumerate(figure.target.variable.value_names):
            head = figure.name if place == 0 else ""
            changed = "" if difference is None else _changed(difference[place], figure.difference_se, place)
            lines.append([head, name, f"{values['probabilities'][place]:.4f}", _se(values["se"][place]), changed])
        return lines
    changed = "" if figure.difference is None else _changed(figure.difference, figure.difference_se, None)
    if "probability" in values:
        return [[figure.name, "", f"{float(values['probability']):.4f}", _se(values["se"]), changed]]
    text = f"sd {_number(values['sd'])}"
    if "low" in values:
        text += f"; {100 * interval:g} % {_number(values['low'])} to {_number(values['high'])}"
        text += f", median {_number(values['median'])}"
    return [[figure.name, "mean", _number(values["mean"]), _se(values["se"]), changed, text]]


def _many(values: dict[str, Any]) -> bool:
    """Figures of many elements together, which are for a file."""
    return bool(np.ndim(values["se"]) == (2 if "probabilities" in values else 1))


def _changed(difference: Any, se: Any, place: int | None) -> str:
    error = se if place is None else se[place]
    told = f" (se {float(error):.2g})" if float(error) else ""
    return f"difference {float(difference):+.4g}{told}"


def _se(se: Any) -> str:
    return f"(se {float(se):.2g})" if float(se) else ""


def _short(figure: RowFigure) -> str:
    values = figure.values
    if _many(values):
        return f"{len(values['se'])} elements"
    if "probabilities" in values:
        best = int(np.argmax(values["probabilities"]))
        return f"{figure.target.variable.value_names[best]} {values['probabilities'][best]:.3f}"
    if "probability" in values:
        return f"{float(values['probability']):.3f}"
    return f"{_number(values['mean'])} ± {_number(values['sd'])}"


def _number(value: Any) -> str:
    return f"{float(value):.5g}"


def _aligned(lines: list[list[str]]) -> list[str]:
    """Columns side by side, two spaces between them."""
    count = max((len(line) for line in lines), default=0)
    full = [[*line, *[""] * (count - len(line))] for line in lines]
    widths = [max(len(line[place]) for line in full) for place in range(count)]
    return [
        ("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True) if width)).rstrip()
        for line in full
    ]
