"""Which epoch's weights are the best, by what the validation rows say, and when to stop waiting for better ones.

A figure that few labels measure ties or jumps: below `FEW_LABELS` of them in the validation rows another one chooses,
and where no row measures anything, nothing does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphspec.graphs.graph import Graphs
from graphspec.graphs.label_figures import figures_of, larger_is_better
from graphspec.language.data import FEW_LABELS
from graphspec.reading.suggestions import counted, few
from runtime.errors import RunError
from runtime.measures.label_figures import figure_named

FEWEST_LABELS = 10
"""Below so many labels even their log loss is a matter of luck."""


@dataclass(frozen=True)
class Criterion:
    """What chooses: `elbo`, `last` (nothing), or figures of labels, each beside that of a constant answer where there
    are several. name: as the manifest has it. note: what to tell of the choice, if it is not the one expected.

    waits_for: figures of labels that patience waits for beside what chooses. Where the elbo stands in for labels that
    few rows have, it first falls while q(label) becomes sure, and the label still improves.
    """

    name: str
    figures: tuple[tuple[str, str], ...] = ()
    note: str = ""
    waits_for: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, graphs: Graphs, validation_rows: int, labelled: Mapping[str, int], before: str = "") -> "Criterion":
        """Read `training.select`. labelled: how many labels of each variable the validation rows have, elements counted
        in a plate; before: the name of what has chosen so far in a run that is resumed. Raises RunError for no
        figure."""
        select = graphs.spec.training.select
        if select == "last" or validation_rows == 0:
            return cls("last")
        if before == "last":
            return cls("last")
        if select == "elbo":
            return cls("elbo")
        if before == "elbo":
            return cls("elbo", waits_for=_log_losses(graphs, labelled))
        if select or _names_a_figure(graphs, before):
            return _asked(graphs, select or before, labelled)
        return _by_itself(graphs, labelled) if graphs.supervised else cls("elbo")

    def figure(self, validation: Mapping[str, Any] | None) -> tuple[float, float] | None:
        """(figure, tie-breaker), larger is better; None where the validation rows cannot tell.

        On few rows the error often ties: then the elbo decides which weights are kept.
        """
        if validation is None or self.name == "last":
            return None
        elbo = _number(validation.get("elbo"))
        if not self.figures:
            return None if elbo is None else (elbo, 0.0)
        found = [self._of_label(name, figure, validation) for name, figure in self.figures]
        known = [value for value in found if value is not None]
        if len(known) < len(found):
            return None
        return sum(known) / len(known), -math.inf if elbo is None else elbo

    def awaited(self, validation: Mapping[str, Any] | None) -> tuple[float, ...]:
        """What `waits_for` names, larger is better; () where a validation has none."""
        found = [self._of_label(name, figure, validation or {}) for name, figure in self.waits_for]
        known = [value for value in found if value is not None]
        return tuple(known) if len(known) == len(found) else ()

    def _of_label(self, name: str, figure: str, validation: Mapping[str, Any]) -> float | None:
        figures = validation.get("variables", {}).get(name, {})
        value = figure_named(figures, figure)
        if value is None:
            return None
        up = value if larger_is_better(figure) else -value
        return up if len(self.figures) < 2 else up / (_of_constant_answer(figures, figure) or 1.0)


def _of_constant_answer(figures: Mapping[str, Any], figure: str) -> float | None:
    """What an answer that looks at nothing has: the scale on which labels of different kinds are added up."""
    if figure == "log_loss":
        return math.log(max(2, len(figures.get("classes", ()))))
    return _number(figures.get("majority_error", figures.get("mean_error")))


def _names_a_figure(graphs: Graphs, name: str) -> bool:
    variable, _, figure = name.partition(".")
    return variable in graphs.supervised and figure in figures_of(graphs.variables[variable])


def _asked(graphs: Graphs, select: str, labelled: Mapping[str, int]) -> Criterion:
    """A figure of one label, as the spec names it."""
    if not _names_a_figure(graphs, select):
        of = [f"{name}.{figure}" for name in graphs.supervised for figure in figures_of(graphs.variables[name])]
        hint = f"use one of {few([*of, 'elbo', 'last'])}"
        raise RunError(f"training.select is {select!r}, which names no figure", hint)
    variable, _, figure = select.partition(".")
    given = labelled.get(variable, 0)
    if given == 0:
        return _nothing(graphs, f"{select} cannot be measured: no validation row has the label")
    unsure = (
        f"{select} is measured on {counted(given, 'validation label')}: it ties and jumps; `select: elbo` would not"
    )
    return Criterion(select, ((variable, figure),), unsure if given < FEW_LABELS else "")


def _by_itself(graphs: Graphs, labelled: Mapping[str, int]) -> Criterion:
    """All labels count that the validation rows have, by what can be told of so many rows."""
    measured = [name for name in graphs.supervised if labelled.get(name, 0) > 0]
    left = [name for name in graphs.supervised if name not in measured]
    if not measured:
        return _nothing(graphs, f"the error of {', '.join(left)} cannot be measured: no validation row has the label")
    notes = [f"no validation row has {', '.join(left)}: only {', '.join(measured)} can choose"] if left else []
    given = min(labelled[name] for name in measured)
    measured_on = f"an error measured on {counted(given, 'validation label')}"
    if given < FEWEST_LABELS and any(name in graphs.generative for name in graphs.observed):
        notes.append(f"{measured_on} is luck: the elbo of all of them chooses the weights")
        return Criterion("elbo", note="; ".join(notes), waits_for=_log_losses(graphs, labelled))
    kinds = dict.fromkeys(measured, "error")
    if given < FEW_LABELS:
        kinds |= {name: "log_loss" for name in measured if graphs.variables[name].support is not None}
    if "log_loss" in kinds.values():
        notes.append(f"{measured_on} ties: the log loss chooses the weights")
    names = " and ".join(f"{name}.{kind}" for name, kind in kinds.items())
    return Criterion(names, tuple(kinds.items()), "; ".join(notes))


def _log_losses(graphs: Graphs, labelled: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """Of every label that a validation row has, the figure that ties least."""
    has = [name for name in graphs.supervised if labelled.get(name, 0) > 0]
    return tuple((name, "error" if graphs.variables[name].support is None else "log_loss") for name in has)


def _nothing(graphs: Graphs, why: str) -> Criterion:
    patience = ", and patience never ends the training" if graphs.spec.training.patience is not None else ""
    return Criterion("last", note=f"{why}. The last epoch is kept{patience}; `select: elbo` would choose")


@dataclass(frozen=True)
class Best:
    """The best epoch so far and how many epochs have passed without a better figure (ties do not count as better).

    awaited: the best so far of other figures that patience waits for, each from an epoch of its own.
    """

    epoch: int | None = None
    figure: tuple[float, float] | None = None
    waited: int = 0
    awaited: tuple[float, ...] = ()

    def after(self, epoch: int, figure: tuple[float, float] | None, awaited: tuple[float, ...] = ()) -> "Best":
        """With the figures of one more epoch. Where there is none, the latest epoch is the best one."""
        if figure is None and self.figure is None:
            return Best(epoch, None, 0)
        others = tuple(map(max, awaited, self.awaited)) if awaited and self.awaited else awaited or self.awaited
        better = others != self.awaited or (figure is not None and (self.figure is None or figure[0] > self.figure[0]))
        waited = 0 if better else self.waited + 1
        if figure is None or (self.figure is not None and figure <= self.figure):
            return Best(self.epoch, self.figure, waited, others)
        return Best(epoch, figure, waited, others)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the state file."""
        plain = {"epoch": self.epoch, "figure": self.figure and list(self.figure), "waited": self.waited}
        return plain | ({"awaited": list(self.awaited)} if self.awaited else {})

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Best":
        """What `to_json` wrote."""
        figure = plain["figure"]
        found = None if figure is None else (figure[0], figure[1])
        return cls(plain["epoch"], found, plain["waited"], tuple(plain.get("awaited", ())))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
