"""Questions to a run, for one set of facts or for many rows: which worlds, which sums, which draws; then the answers.

Rows that lack the same elements are answered together. Noise goes by seed and place of a row, so that the same worlds
are drawn for every query of a call.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import isinf, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.answering.panels import picture_shape
from runtime.data.randomness import drawn_numbers
from runtime.errors import RunError
from runtime.predicting.row_noise import RowNoise
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_parts import RowAnswer, RowFigure
from runtime.querying.fact_rows import FactRows, rows_of
from runtime.querying.grammar import QueryError, parse_query
from runtime.querying.label_answers import answered_labels, labels_by
from runtime.querying.meaning import ROW, AskedTarget, Question, question_of
from runtime.querying.nodes import NOW, graph_that_tells, refuse_unconditioned, scene_of
from runtime.querying.relevance import MOST_ENTRIES, Told, relevant
from runtime.querying.row_group import AskedQuery, By, RowGroup, nodes_of
from runtime.querying.world_figures import FEW

ROWS_AT_ONCE = 500
WORLD_NUMBERS = 1_000_000
"""Numbers of one value or table over the worlds of the rows that are answered together."""


@dataclass(frozen=True)
class Asking:
    """How queries are answered. draws: None for 10,000, or 1,000 for each of many rows."""

    by: By | None = None
    joint: bool = False
    draws: int | None = None
    interval: float = 0.9
    seed: int = 0


class Questions:
    """Some queries to one run. Raises QueryError where one cannot be asked, before any row is read. pictures: there is
    room for them; examples: so many means of the picture that is asked beside its mean."""

    def __init__(
        self, used: UsedRun, texts: Sequence[str], rows: Any, asking: Asking, *, pictures: bool = False,
        examples: int = 0,
    ) -> None:  # fmt: skip
        _refuse_plates(used)
        self.used, self.rows, self.asking, self.examples = used, rows, asking, examples
        self.draws = asking.draws or (10_000 if rows is None else 1_000)
        self.model = used.double_model
        self.queries = [self._asked(text, pictures) for text in texts]

    def _asked(self, text: str, pictures: bool) -> AskedQuery:
        used, wanted = self.used, self.asking.by
        question = question_of(parse_query(text), used, rows=self.rows is not None)
        graph = "recognition" if wanted in ("bound", "both") else wanted
        by = graph_that_tells(question, used, graph)
        scene = scene_of(question, used, by)
        if not pictures and not self.asking.joint:
            _refuse_large(question)
        if self.asking.joint:
            _refuse_large_table(question)
        labels = labels_by(question, used, by, wanted)
        told = next(iter(labels.values()), by)
        asked = AskedQuery(question, scene, told, self.draws, labels, list(scene.notes))  # type: ignore[arg-type]
        self._try_names(asked)
        return asked

    def _try_names(self, asked: AskedQuery) -> None:
        """Refuses what p conditions on and is not told, by names alone."""
        question, scene = asked.question, asked.scene
        told = self._told(asked, {f.variable.name: None for f in question.facts})
        for target in question.targets:
            nodes = nodes_of(scene, self.used, target)
            chosen = relevant(scene, told, nodes)
            refuse_unconditioned(question, self.used, scene, chosen[0], [target.variable.name])

    # --- rows -----------------------------------------------------------------------------------------------------

    def answers(self, tell: Callable[[str], None] = lambda _: None) -> Iterator[list[list[RowAnswer]]]:
        """Part by part, of each query the answers to the part's rows."""
        if self.rows is None:
            part = FactRows(np.zeros(1, dtype=np.int64), {})
            yield self._compared([self._of_part(query, part, alone=True) for query in self.queries])
            return
        named: dict[str, frozenset[int]] = {}
        for query in self.queries:
            for fact in query.question.facts:
                if fact.sign == ROW:
                    named[fact.variable.name] = named.get(fact.variable.name, frozenset()) | set(fact.which)
        with ExitStack() as stack:
            for part in rows_of(self.used, self.rows, named, ROWS_AT_ONCE, tell, stack):
                yield self._compared([self._of_part(query, part, alone=False) for query in self.queries])

    def _compared(self, found: list[list[RowAnswer]]) -> list[list[RowAnswer]]:
        """With differences from the first query, where it has the same target."""
        for other in found[1:]:
            for first, second in zip(found[0], other, strict=True):
                for name, figure in second.figures.items():
                    if name in first.figures:
                        _compare(first.figures[name], figure)
        return found

    def _of_part(self, query: AskedQuery, part: FactRows, *, alone: bool) -> list[RowAnswer]:
        answers = [RowAnswer(None if alone else int(number)) for number in part.numbers]
        given = self._given(query, part)
        for rows in _alike(given, len(answers)):
            told = self._told(query, given, int(rows[0]))
            for some in np.array_split(rows, -(-len(rows) // self._rows_at_once(query, told))):
                here = {name: each[torch.from_numpy(some)] for name, each in given.items()}
                self._answer(query, told, here, part.numbers[some], [answers[place] for place in some])
        return answers

    def _rows_at_once(self, query: AskedQuery, told: Told) -> int:
        sizes = [prod(self.used.graphs.variables[name].shape) for name in query.scene.frames["p"]]
        return max(1, WORLD_NUMBERS // (self.draws * max(16, min(4096, max(sizes, default=1)))))

    def _given(self, query: AskedQuery, part: FactRows) -> dict[str, Tensor]:
        """What is known of each variable in each row, changes of a world that is one and the same included."""
        found: dict[str, Tensor] = {}
        rows, question, scene = len(part.numbers), query.question, query.scene

        def of(name: str, variable: str) -> Tensor:
            shape = self.used.graphs.variables[variable].shape
            if name not in found:
                found[name] = torch.full((rows, prod(shape)), torch.nan, dtype=torch.float64)
            return found[name]

        for fact in question.facts:
            name = fact.variable.name
            for element in fact.which:
                if fact.sign == ROW:
                    of(name, name)[:, element] = part.values[name].reshape(rows, -1)[:, element]
                elif fact.sign == "=":
                    of(name, name)[:, element] = fact.number
        for change in question.changes:
            name = change.variable.name
            node = name + NOW if "now" in scene.frames else name
            for element in change.which:
                of(node, name)[:, element] = change.number
        shapes = {name: self.used.graphs.variables[name.removesuffix(NOW)].shape for name in found}
        return {name: each.reshape(rows, *shapes[name]) for name, each in found.items()}

    def _told(self, query: AskedQuery, given: Mapping[str, Any], row: int = 0) -> Told:
        """Which elements are known; given: tensors, or None for what only names tell."""
        question, scene = query.question, query.scene
        masks: dict[str, NDArray[np.bool_]] = {}
        facts: dict[str, NDArray[np.bool_]] = {}
        every: list[tuple[str, str, tuple[int, ...], bool]] = []
        for fact in question.facts:
            if fact.sign in (ROW, "="):
                every.append((fact.variable.name, fact.variable.name, fact.which, True))
        for change in question.changes:
            node = change.variable.name + (NOW if "now" in scene.frames else "")
            every.append((node, change.variable.name, change.which, False))
        for node, name, which, weighs in every:
            shape = self.used.graphs.variables[name].shape
            for into, wanted in ((masks, True), (facts, weighs)):
                if wanted:
                    into.setdefault(node, np.zeros(shape, dtype=np.bool_)).reshape(-1)[list(which)] = True
        for node, values in given.items():
            if values is not None and node in masks:
                known = ~values[row].isnan().numpy()
                masks[node] = np.asarray(masks[node] & known)
                if node in facts:
                    facts[node] = np.asarray(facts[node] & known)
        ranges = [fact for fact in question.facts if fact.sign not in (ROW, "=")]
        ranged = {
            f.variable.name: frozenset(e for g in ranges if g.variable is f.variable for e in g.which) for f in ranges
        }
        weighing = {n: m for n, m in facts.items() if n in scene.nodes and scene.nodes[n].weighs}
        return Told({n: m for n, m in masks.items() if n in scene.nodes}, weighing, ranged)

    # --- one group of rows ----------------------------------------------------------------------------------------

    def _answer(
        self, query: AskedQuery, told: Told, given: Mapping[str, Tensor], numbers: NDArray[np.int64],
        answers: Sequence[RowAnswer],
    ) -> None:  # fmt: skip
        noise = RowNoise(self.asking.seed, len(numbers), lambda: drawn_numbers(numbers.astype(np.uint64))).repeated(
            self.draws
        )
        group = RowGroup(self.used, self.model, query, told, given, noise, self.asking.interval)
        with torch.no_grad():
            if query.scene.by == "generative":
                evidence = group.evidence()
                for answer, log in zip(answers, evidence, strict=True):
                    answer.log_evidence = None if isinf(log) else float(log)
                    if isinf(log):
                        answer.refused = _impossible(query.question)
            if self.asking.joint:
                group.joint(answers)
            else:
                group.targets(answers)
                if self.examples:
                    group.examples(answers, self.examples)
                for name, by in query.labels.items():
                    answered_labels(self.used, self.asking.seed, name, by, given, answers)
        query.notes += [note for note in group.notes if note not in query.notes]


def _alike(given: Mapping[str, Tensor], rows: int) -> list[NDArray[np.int64]]:
    """Rows by what they lack."""
    if not given:
        return [np.arange(rows)]
    blank = np.concatenate([each.isnan().reshape(rows, -1).numpy() for each in given.values()], axis=1)
    _, group = np.unique(blank, axis=0, return_inverse=True)
    group = group.reshape(-1)
    return [np.flatnonzero(group == each) for each in range(int(group.max()) + 1)]


def _compare(first: RowFigure, second: RowFigure) -> None:
    key = next((key for key in ("probabilities", "probability", "mean") if key in second.values), "")
    if key not in first.values or np.shape(first.values[key]) != np.shape(second.values[key]):
        return
    second.difference = np.asarray(second.values[key] - first.values[key])
    a, b = first.influence, second.influence
    assert a is not None and b is not None
    both = a.shape[0] == b.shape[0] or 1 in (a.shape[0], b.shape[0])
    if a.shape[0] == 1:
        a = torch.zeros_like(b)
    if b.shape[0] == 1:
        b = torch.zeros_like(a)
    assert both
    second.difference_se = ((a - b) ** 2).sum(0).sqrt().numpy()


def _impossible(question: Question) -> str:
    facts = ", ".join(_in_words(fact) for fact in question.facts)
    return f"the model holds these facts impossible: {facts} (log probability -inf)"


def _in_words(fact: Any) -> str:
    return f"{fact.term.item.written}{'' if fact.sign == ROW else f'{fact.term.sign}{fact.term.value}'}"


def shows(target: AskedTarget) -> bool:
    """A target is a whole variable whose values are pictures."""
    variable = target.variable
    return not target.sign and picture_shape(variable) is not None and len(target.which) == prod(variable.shape)


def _refuse_large(question: Question) -> None:
    for target in question.targets:
        if len(target.which) > FEW:
            name = target.variable.name
            raise QueryError(
                f"{name} has {len(target.which)} elements: add -o {'FILE.png or ' if shows(target) else ''}FILE.npz",
                question.text, target.term.item.start, target.term.item.end,
            )  # fmt: skip


def _refuse_large_table(question: Question) -> None:
    elements = {
        (target.variable.name, each): target.variable.support for target in question.targets for each in target.which
    }
    if all(support is not None for support in elements.values()):
        cells = prod(support or 1 for support in elements.values())
        if cells > MOST_ENTRIES:
            raise QueryError(
                f"the joint table has {cells:,} cells, at most {MOST_ENTRIES:,}: ask for fewer targets",
                question.text, question.targets[0].term.item.start, question.targets[-1].term.end,
            )  # fmt: skip


def _refuse_plates(used: UsedRun) -> None:
    plates = used.model.graphs.plates
    if plates:
        raise RunError(
            f"{used.run.spec_path} has plates ({', '.join(plates)}): queries about elements cannot be asked yet",
            "`graphspec predict`, `sample`, `reconstruct` and `traverse` answer for models with plates",
        )
