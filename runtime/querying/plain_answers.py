"""Answers as plain values for JSON, and the average over rows in the same form."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphspec.graphs.graph import Variable
from runtime.querying.answer_parts import Joint, RowAnswer, RowFigure
from runtime.querying.row_group import AskedQuery


def plain_row(answer: RowAnswer) -> dict[str, Any]:
    """One row's answer: `joint` in place of `targets` where one was asked."""
    found: dict[str, Any] = {
        "row": answer.row,
        "ess": number_or_none(answer.ess),
        "log_evidence": number_or_none(answer.log_evidence),
        "refused": answer.refused,
    }
    if answer.joint is not None:
        return {**found, "joint": plain_joint(answer.joint)}
    return {**found, "targets": {name: plain_figure(figure) for name, figure in answer.figures.items()}}


def plain_figure(figure: RowFigure) -> dict[str, Any]:
    """One target: classes by name, numbers, or the probability of an event."""
    values, found = figure.values, dict[str, Any]({"exact": figure.exact})
    if "probabilities" in values:
        names = figure.target.variable.value_names
        found["probabilities"] = _by_name(names, values["probabilities"])
        found["se"] = _by_name(names, values["se"])
        if figure.difference is not None and figure.difference_se is not None:
            found["difference"] = _by_name(names, figure.difference)
            found["difference_se"] = _by_name(names, figure.difference_se)
        return found
    order = ("probability", "mean", "sd", "se", "low", "median", "high")
    found |= {key: _plain(values[key]) for key in order if key in values}
    if figure.difference is not None:
        found |= {"difference": _plain(figure.difference), "difference_se": _plain(figure.difference_se)}
    return found


def plain_joint(joint: Joint) -> dict[str, Any]:
    """A table by falling probability, or draws."""
    lines = [[value_of(target, float(value)) for target, value in zip(joint.targets, line, strict=True)]
             for line in joint.values]  # fmt: skip
    if joint.probability is None or joint.se is None:
        return {"names": list(joint.names), "draws": lines}
    table = [
        {"values": line, "probability": float(p), "se": float(s)}
        for line, p, s in zip(lines, joint.probability, joint.se, strict=True)
    ]
    return {"names": list(joint.names), "table": table}


def value_of(target: Any, number: float) -> Any:
    """A value in words, or as a number; of an event whether it holds."""
    if target.sign:
        return bool(number)
    variable: Variable = target.variable
    if variable.support is not None:
        return variable.value_names[round(number) - variable.minimum]
    return number


def number_or_none(number: float | None) -> float | None:
    """JSON has no NaN."""
    return None if number is None or not np.isfinite(number) else float(number)


def _by_name(names: Sequence[str], values: Any) -> dict[str, Any]:
    if np.ndim(values) == 2:  # of many elements together
        return {name: values[:, place].tolist() for place, name in enumerate(names)}
    return {name: number_or_none(float(value)) for name, value in zip(names, values, strict=True)}


def _plain(values: Any) -> Any:
    array = np.asarray(values)
    return number_or_none(float(array)) if array.ndim == 0 else array.tolist()


@dataclass
class RowAverage:
    """Over the rows that have an answer, in the form of their targets. se is that of the draws, not of the choice of
    rows; the ends of intervals are those of all rows together."""

    count: int = 0
    sums: dict[str, dict[str, Any]] = field(default_factory=dict)
    like: dict[str, RowFigure] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, answer: RowAnswer) -> None:
        """One row more."""
        if answer.refused is not None or answer.joint is not None:
            return
        self.count += 1
        for name, figure in answer.figures.items():
            total = self.sums.setdefault(name, {})
            self.like.setdefault(name, figure)
            self.counts[name] = self.counts.get(name, 0) + 1
            self.like[name].exact &= figure.exact
            for key, value in _parts(figure).items():
                total[key] = total.get(key, 0.0) + value

    def plain(self) -> dict[str, Any]:
        """{target: figures}; empty without rows."""
        return {name: plain_figure(self._figure(name)) for name in self.sums}

    def _figure(self, name: str) -> RowFigure:
        like, sums, count = self.like[name], self.sums[name], self.counts[name]
        kinds = [key for key in ("probabilities", "probability", "mean") if key in sums]
        values: dict[str, Any] = {key: np.asarray(sums[key] / count) for key in kinds}
        values["se"] = np.sqrt(np.asarray(sums["se"])) / count
        if "mean" in sums:
            values["sd"] = np.sqrt(np.maximum(sums["squares"] / count - values["mean"] ** 2, 0))
        found = RowFigure(like.target, name, like.exact, values)
        if "difference" in sums:
            found.difference = np.asarray(sums["difference"] / count)
            found.difference_se = np.sqrt(np.asarray(sums["difference_se"])) / count
        return found


def _parts(figure: RowFigure) -> dict[str, Any]:
    """What adds up over rows."""
    found: dict[str, Any] = {key: figure.values[key] for key in ("probabilities", "probability", "mean")
                             if key in figure.values}  # fmt: skip
    found["se"] = np.asarray(figure.values["se"]) ** 2
    if "mean" in found:
        found["squares"] = np.asarray(figure.values["sd"]) ** 2 + np.asarray(found["mean"]) ** 2
    if figure.difference is not None and figure.difference_se is not None:
        found |= {"difference": figure.difference, "difference_se": figure.difference_se**2}
    return found


def plain_query(query: AskedQuery, average: RowAverage | None, *, drawn: bool) -> dict[str, Any]:
    """One query without its rows."""
    return {
        "query": query.question.text,
        "by": query.by,
        "draws": query.draws if drawn else None,
        "notes": list(query.notes),
        "average": None if average is None else average.plain(),
    }


def was_drawn(answer: RowAnswer) -> bool:
    """Some number of an answer, if only a quantile, comes from draws."""
    if answer.joint is not None and answer.joint.probability is None:
        return True
    return answer.ess is not None or any(figure.drawn for figure in answer.figures.values())
