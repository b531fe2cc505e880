"""Questions to a run, for one set of facts or for many rows: which worlds, which sums, which draws; then the answers.

Rows that lack the same elements are answered together. Noise goes by seed and place of a row, so that the same worlds
are drawn for every query of a call.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import isinf, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.data.randomness import drawn_numbers
from runtime.predicting.row_noise import RowNoise
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_parts import RowAnswer, RowFigure
from runtime.querying.element_questions import (
    ElementWorld,
    ElementWorlds,
    refuse_blanks,
    refuse_unknown_counts,
    refuse_what_plates_lack,
    with_counts,
)
from runtime.querying.fact_rows import FactRows, rows_of
from runtime.querying.facts_told import what_is_given, which_are_told
from runtime.querying.grammar import QueryError, parse_query
from runtime.querying.label_answers import answered_labels, labels_by
from runtime.querying.meaning import ROW, AskedTarget, Question, question_of
from runtime.querying.nodes import By as GraphThatTells
from runtime.querying.nodes import graph_that_tells, refuse_unconditioned, scene_of
from runtime.querying.query_sizes import refuse_large, refuse_large_table
from runtime.querying.relevance import Told, relevant
from runtime.querying.row_group import AskedQuery, By, RowGroup, nodes_of

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
        self.used, self.rows, self.asking, self.examples = used, rows, asking, examples
        self.draws = asking.draws or (10_000 if rows is None else 1_000)
        self.elements = ElementWorlds(used) if used.model.graphs.plates else None
        self.queries = [self._asked(text, pictures) for text in texts]

    def _asked(self, text: str, pictures: bool) -> AskedQuery:
        used, wanted = self.used, self.asking.by
        question = question_of(parse_query(text), used, rows=self.rows is not None)
        if self.asking.joint:
            refuse_large_table(question)
        if self.elements is not None:
            return self._of_elements(question, pictures, self.elements)
        asked = self._query(question, question, used, used.double_model)
        if not pictures and not self.asking.joint:
            refuse_large(question)
        labels = labels_by(question, used, asked.scene.by, wanted)
        asked.labels.update(labels)
        for says in labels.values():
            asked.by = says  # type: ignore[assignment]
        self._try_names(asked)
        return asked

    def _query(
        self, question: Question, inner: Question, used: UsedRun, model: Any, by: GraphThatTells | None = None
    ) -> AskedQuery:
        """inner: what is computed, of elements where the question is about plates. by: the graph, if it is known."""
        if by is None:
            wanted = "recognition" if self.asking.by in ("bound", "both") else self.asking.by
            by = graph_that_tells(inner, used, wanted)
        scene = scene_of(inner, used, by)
        return AskedQuery(question, inner, used, model, scene, scene.by, self.draws, {}, list(scene.notes))

    def _of_elements(self, question: Question, pictures: bool, elements: ElementWorlds) -> AskedQuery:
        """A query to a model with plates, as it is where what nobody tells is as large as it may be."""
        refuse_what_plates_lack(question, elements.graphs, elements.counts)
        if self.asking.by in ("bound", "both"):
            raise QueryError(f"--by {self.asking.by} answers labels of rows: of models with plates `graphspec predict` "
                             "does", question.text, 0, len(question.text))  # fmt: skip
        question = with_counts(question, elements.graphs)
        world = elements.world(*elements.told(question))
        inner = world.question(question)
        if self.rows is None:
            question = replace(question, targets=tuple(_of_row(t, inner) for t in question.targets))
        if not pictures and not self.asking.joint:
            refuse_large(question)
        asked = self._query(question, inner, world.used, world.model)
        relevant = self._try_names(asked)
        told = {fact.variable.name for fact in question.facts if fact.sign == ROW}
        refuse_unknown_counts(question, world, inner, relevant, world.unknown - told)
        return asked

    def _try_names(self, asked: AskedQuery) -> set[str]:
        """Refuses what p conditions on and is not told, by names alone. Returns the nodes that matter."""
        question, scene = asked.inner, asked.scene
        told, found = which_are_told(asked, {f.variable.name: None for f in question.facts}), set[str]()
        for target in question.targets:
            nodes = nodes_of(scene, asked.used, target)
            chosen = relevant(scene, told, nodes)
            refuse_unconditioned(question, asked.used, scene, chosen[0], [target.variable.name])
            found |= chosen[0]
        return found

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
        if self.elements is None or alone:
            self._of_rows(query, part, answers)
            return answers
        for rows, world in self._by_counts(query, part, self.elements):
            some = FactRows(
                part.numbers[rows], world.split({n: v[torch.from_numpy(rows)] for n, v in part.values.items()})
            )
            here = [answers[row] for row in rows]
            if world.unknown:
                for answer in here:
                    answer.refused = f"how many elements there are is blank: {', '.join(sorted(world.unknown))}"
                continue
            try:
                inner = world.question(query.question)
            except QueryError as error:
                for answer in here:
                    answer.refused = error.message.splitlines()[0]
                continue
            for row, number in enumerate(some.numbers):
                refuse_blanks(inner, world, {name: each[row] for name, each in some.values.items()}, int(number))
            asked = self._query(query.question, inner, world.used, world.model, query.scene.by)
            asked.notes = query.notes
            self._of_rows(asked, some, here)
        return answers

    def _by_counts(
        self, query: AskedQuery, part: FactRows, elements: ElementWorlds
    ) -> Iterator[tuple[NDArray[np.int64], ElementWorld]]:
        """Rows with equally many elements."""
        groups: dict[int, tuple[list[int], ElementWorld]] = {}
        for row in range(len(part.numbers)):
            counts, unknown = elements.told(query.question, {name: each[row] for name, each in part.values.items()})
            world = elements.world(counts, unknown & {f.variable.name for f in query.question.facts if f.sign == ROW})
            groups.setdefault(id(world), ([], world))[0].append(row)
        for rows, world in groups.values():
            yield np.array(rows), world

    def _of_rows(self, query: AskedQuery, part: FactRows, answers: Sequence[RowAnswer]) -> None:
        """Answers to rows with the same elements."""
        given = what_is_given(query, part)
        for rows in _alike(given, len(answers)):
            told = which_are_told(query, given, int(rows[0]))
            for some in np.array_split(rows, -(-len(rows) // self._rows_at_once(query, told))):
                here = {name: each[torch.from_numpy(some)] for name, each in given.items()}
                self._answer(query, told, here, part.numbers[some], [answers[place] for place in some])

    def _rows_at_once(self, query: AskedQuery, told: Told) -> int:
        sizes = [prod(query.used.graphs.variables[name].shape) for name in query.scene.frames["p"]]
        return max(1, WORLD_NUMBERS // (self.draws * max(16, min(4096, max(sizes, default=1)))))

    # --- one group of rows ----------------------------------------------------------------------------------------

    def _answer(
        self, query: AskedQuery, told: Told, given: Mapping[str, Tensor], numbers: NDArray[np.int64],
        answers: Sequence[RowAnswer],
    ) -> None:  # fmt: skip
        noise = RowNoise(self.asking.seed, len(numbers), lambda: drawn_numbers(numbers.astype(np.uint64))).repeated(
            self.draws
        )
        group = RowGroup(query, told, given, noise, self.asking.interval)
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


def _of_row(target: AskedTarget, inner: Question) -> AskedTarget:
    """A target of the one world that there is, without elements that are not there."""
    there = {name for part in inner.targets if part.term is target.term for name in part.names}
    kept = [(each, name) for each, name in zip(target.which, target.names, strict=False) if name in there]
    if target.sign or not kept:
        return target
    return replace(target, which=tuple(each for each, _ in kept), names=tuple(name for _, name in kept))
