"""The rows of one query that lack the same elements, answered together: each target by itself, or all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from runtime.predicting.row_noise import RowNoise
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_parts import RowAnswer, RowFigure
from runtime.querying.joint_answers import joint_of
from runtime.querying.meaning import ROW, AskedTarget, Question
from runtime.querying.nodes import Scene
from runtime.querying.picture_figures import example_means, pixel_classes
from runtime.querying.relevance import Sums, Told, all_evidence, relevant, sums_for
from runtime.querying.world_figures import FEW, TargetFigure, WorldFigures
from runtime.querying.worlds import Range, Worlds

LEAST_EFFECTIVE, ROUGH = 10, 100
By = Literal["recognition", "bound", "both", "generative"]


@dataclass
class AskedQuery:
    """A query that was understood. question: as it was written. inner: what is computed by `used` and `model`, the
    same, or elements of plates. draws: of each row; notes grow while rows are answered."""

    question: Question
    inner: Question
    used: UsedRun
    model: Any
    scene: Scene
    by: By
    draws: int
    labels: dict[str, str]
    notes: list[str]


class RowGroup:
    """The rows of one query that lack the same elements."""

    def __init__(
        self, query: AskedQuery, told: Told, given: Mapping[str, Tensor], noise: RowNoise, interval: float
    ) -> None:
        self.used, self.model, self.query, self.told, self.given, self.noise = (
            query.used, query.model, query, told, given, noise,
        )  # fmt: skip
        self.draws, self.notes = query.draws, list[str]()
        self.frame = "now" if "now" in query.scene.frames else "p"
        rest = (1 - interval) / 2
        self.levels = (rest, 1 - rest)

    def evidence(self) -> NDArray[Any]:
        """[R] log probability of the facts."""
        chosen = all_evidence(self.query.scene, self.told)
        rows = self.noise.batch // self.draws
        if not chosen[1]:
            return np.zeros(rows)
        sums = sums_for(self.query.scene, self.told, chosen, {}, draws=self.draws)
        return self._figures(sums, {}).log_evidence

    def targets(self, answers: Sequence[RowAnswer]) -> None:
        """Each target by itself: what can be summed exactly is, all else from the same draws."""
        scene, used = self.query.scene, self.used
        exact: dict[Any, list[AskedTarget]] = {}
        drawn: list[AskedTarget] = []
        found: dict[int, list[tuple[str, TargetFigure]]] = {}
        wide: NDArray[Any] | None = None
        for target in self.query.inner.targets:
            chosen = relevant(scene, self.told, nodes_of(scene, used, target))
            if is_wide(target):
                figures = self._worlds_drawn(target)
                name = target.variable.name
                found[id(target)] = [(name, pixel_classes(figures, self.frame, name, target.which))]
                wide = figures.effective
                continue
            (drawn if self._sums([target], chosen).drawn else exact.setdefault(chosen, [])).append(target)
        for chosen, some in exact.items():
            self._of(some, chosen, found)
        effective = wide
        if drawn:
            chosen = relevant(scene, self.told, [n for t in drawn for n in nodes_of(scene, used, t)])
            effective = self._of(drawn, chosen, found)
        for row, answer in enumerate(answers):
            if effective is not None:
                answer.ess = float(effective[row])
                self._judge(answer)
            if answer.refused is None:
                for target in self.query.inner.targets:
                    for name, figure in found[id(target)]:
                        answer.figures[name] = _row_figure(target, name, figure, row)

    def _judge(self, answer: RowAnswer) -> None:
        if answer.ess is None or answer.refused is not None:
            return
        if answer.ess < LEAST_EFFECTIVE:
            answer.refused = (
                f"{answer.ess:.1f} effective draws of {self.draws:,}: give all of "
                f"{_first_part(self.query.question)}, fewer facts, or more --draws"
            )
        elif answer.ess < ROUGH and "rough: fewer than 100 effective draws" not in self.notes:
            self.notes.append("rough: fewer than 100 effective draws")

    def joint(self, answers: Sequence[RowAnswer]) -> None:
        """All targets together."""
        scene, used, question = self.query.scene, self.used, self.query.inner
        chosen = relevant(scene, self.told, [n for t in question.targets for n in nodes_of(scene, used, t)])
        discrete = all(target.variable.support is not None for target in question.targets)
        sums = self._sums(question.targets, chosen, joint=True)
        if not discrete or (sums.drawn and not self._all_summed(sums)):
            sums = self._sums(question.targets, chosen, sample=True)
        figures = self._figures(sums, asked_elements(scene, self.frame, question.targets))
        if sums.drawn:
            for answer, effective in zip(answers, figures.effective, strict=True):
                answer.ess = float(effective)
                self._judge(answer)
        joint_of(figures, self.frame, question, used, answers, discrete=discrete)

    def examples(self, answers: Sequence[RowAnswer], count: int) -> None:
        """Of the one target, a picture: its means at some draws of all else, by their weights."""
        target = self.query.inner.targets[0]
        figures = self._worlds_drawn(target)
        found = example_means(figures, self.frame, target.variable.name, count)
        for row, answer in enumerate(answers):
            if answer.refused is None:
                answer.examples = found[row]

    def _worlds_drawn(self, target: AskedTarget) -> WorldFigures:
        """Worlds in which nothing is summed."""
        scene = self.query.scene
        chosen = relevant(scene, self.told, nodes_of(scene, self.used, target))
        sums = self._sums([target], chosen, sample=True)
        return self._figures(sums, asked_elements(scene, self.frame, [target]))

    def _all_summed(self, sums: Sums) -> bool:
        names = asked_elements(self.query.scene, self.frame, self.query.inner.targets)
        return all(name in sums.summed or self.told.whole(name) for name in names)

    def _of(
        self, targets: Sequence[AskedTarget], chosen: Any, found: dict[int, list[tuple[str, TargetFigure]]]
    ) -> NDArray[Any] | None:
        """Figures of targets that need the same nodes; effective draws if something is drawn."""
        sums = self._sums(targets, chosen)
        figures = self._figures(sums, asked_elements(self.query.scene, self.frame, targets))
        for target in targets:
            found[id(target)] = list(self._figures_of(target, figures))
        return figures.effective if sums.drawn else None

    def _figures_of(self, target: AskedTarget, figures: WorldFigures) -> Iterator[tuple[str, TargetFigure]]:
        name = target.variable.name
        if target.sign:
            yield target.names[0], figures.event(self.frame, name, target.which[0], target.sign, target.number)
        elif target.variable.support is not None:
            for element, called in zip(target.which, target.names, strict=True):
                yield called, figures.classes(self.frame, name, element)
        elif len(target.which) > FEW:
            yield name, figures.numbers(self.frame, name, target.which)
        else:
            whole = figures.numbers(self.frame, name, target.which)
            for place, called in enumerate(target.names):
                values = {key: each[:, place] for key, each in whole.values.items()}
                assert whole.influence is not None
                yield called, TargetFigure(whole.exact, values, whole.influence[..., place], whole.drawn)

    def _sums(self, targets: Sequence[AskedTarget], chosen: Any, *, joint: bool = False, sample: bool = False) -> Sums:
        scene, used = self.query.scene, self.used
        read = {
            node for target in targets if target.variable.role == "deterministic"
            for node in nodes_of(scene, used, target)
        }  # fmt: skip
        asked = asked_elements(scene, self.frame, targets)
        return sums_for(scene, self.told, chosen, asked, read=read, draws=self.draws, joint=joint, sample=sample)

    def _figures(self, sums: Sums, asked: Mapping[str, Sequence[int]]) -> WorldFigures:
        question = self.query.inner
        ranges: dict[str, list[Range]] = {}
        for fact in question.facts:
            if fact.sign not in (ROW, "="):
                ranges.setdefault(fact.variable.name, []).append((fact.which[0], fact.sign, fact.number))
        worlds = Worlds(
            self.model, self.query.scene, self.told, sums, self.given, ranges, self.used.units, asked, self.noise,
            self.draws,
        )  # fmt: skip
        self.notes += [
            f"{name} is drawn anew after the change: its family keeps no noise" for name in dict.fromkeys(worlds.anew)
        ]
        return WorldFigures(worlds, self.levels, self.draws)


def is_wide(target: AskedTarget) -> bool:
    """Too many discrete elements, those of a picture, for a sum over each."""
    return target.variable.support is not None and len(target.which) > FEW


def asked_elements(scene: Scene, frame: str, targets: Sequence[AskedTarget]) -> dict[str, list[int]]:
    """Elements of nodes that targets are."""
    found: dict[str, list[int]] = {}
    for target in targets:
        node = scene.frames[frame].get(target.variable.name)
        if node is not None:
            found[node] = sorted({*found.get(node, ()), *target.which})
    return found


def nodes_of(scene: Scene, used: UsedRun, target: AskedTarget) -> list[str]:
    """The node of a target, or those that a computed one is made of."""
    nodes, graphs = scene.frames["now" if "now" in scene.frames else "p"], used.model.graphs
    name = target.variable.name
    if target.variable.role != "deterministic":
        return [nodes[name]] if name in nodes else []
    return [nodes[parent] for parent in sorted(graphs.stochastic_parents(graphs.function(name))) if parent in nodes]


def _row_figure(target: AskedTarget, name: str, figure: TargetFigure, row: int) -> RowFigure:
    influence = None if figure.influence is None else figure.influence[min(row, len(figure.influence) - 1)]
    values = {key: each[min(row, len(each) - 1)] for key, each in figure.values.items()}
    return RowFigure(target, name, figure.exact, values, influence, figure.drawn)


def _first_part(question: Question) -> str:
    """What is given in part, if something is."""
    for fact in question.facts:
        name = fact.variable.name
        if len(question.elements_given(name)) < prod(fact.variable.shape):
            return name
    return question.facts[0].variable.name if question.facts else "what is known"
