"""A question about a model with plates as one about its elements, once it is known how many of them there are.

Counts are known where a query or its rows tell them; rows that tell what elements hold tell how many there are. What
is not known is taken to be as many as there may be, and then nothing that is asked may depend on it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod

import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from graphspec.graphs.label_sets import sets_of_labels
from runtime.errors import DataError
from runtime.predicting.used_run import UsedRun
from runtime.querying.element_model import Counts, ElementModel, Place, element_name, flat_place
from runtime.querying.grammar import QueryError
from runtime.querying.meaning import ROW, AskedTarget, Elements, Known, Question

MOST_ELEMENTS = 4000
"""Of all variables together; more would take minutes to write out."""


@dataclass(frozen=True)
class ElementWorld:
    """A run whose plates are written out. used: it, for whoever asks by name; unknown: counts that nobody tells."""

    used: UsedRun
    model: ElementModel
    unknown: frozenset[str]

    @cached_property
    def _parts(self) -> Mapping[str, Mapping[int, tuple[str, int]]]:
        """By variable, the element and the number in it of each number in a row."""
        base, found = self.model.base, dict[str, dict[int, tuple[str, int]]]()
        for called, (name, place) in self.model.elements.items():
            variable = base.variables[name]
            first = flat_place(place, variable)
            into = found.setdefault(name, {})
            into.update({first + each: (called, each) for each in range(prod(variable.shape))})
        return found

    def question(self, question: Question) -> Question:
        """The same of elements that are there. QueryError for facts about others, and where none of a target is."""
        targets = [part for target in question.targets for part in self._of_target(target, question)]
        facts = [part for fact in question.facts for part in self._of_known(fact, question)]
        changes = [part for change in question.changes for part in self._of_known(change, question)]
        return Question(question.text, tuple(targets), tuple(facts), tuple(changes))

    def _of_target(self, target: AskedTarget, question: Question) -> Iterator[AskedTarget]:
        asked, names = dict[str, list[int]](), dict[str, list[str]]()
        which = self._which(target)
        for place, flat in enumerate(which):
            called, each = self._parts.get(target.variable.name, {}).get(flat, ("", 0))
            if called:
                asked.setdefault(called, []).append(each)
                names.setdefault(called, []).append(target.names[place])
        if not asked:
            self._refuse_absent(target, which[0] if which else 0, question)
        for called, some in asked.items():
            yield replace(target, variable=self._variable(called), which=tuple(some), names=tuple(names[called]))

    def _of_known(self, known: Known, question: Question) -> Iterator[Known]:
        found: dict[str, list[int]] = {}
        for flat in self._which(known):
            called, each = self._parts.get(known.variable.name, {}).get(flat, ("", 0))
            if called:
                found.setdefault(called, []).append(each)
            elif known.sign != ROW and known.term.item.index:
                self._refuse_absent(known, flat, question)
        for called, some in found.items():
            yield replace(known, variable=self._variable(called), which=tuple(some))

    def _which(self, elements: Elements) -> tuple[int, ...]:
        """Flat numbers; `last` is the last that is there."""
        variable = self.model.base.variables[elements.variable.name]
        if not variable.plates or "last" not in elements.term.item.index[: len(variable.plates)]:
            return elements.which
        index, own = elements.term.item.index, elements.which[0] % max(1, prod(variable.shape))
        there = [
            place for place in self.model.places(variable.name)
            if all(at in ("last", each) for at, each in zip(index, place, strict=False))
        ]  # fmt: skip
        many = len(elements.which)
        first = flat_place(there[-1], variable) if there else -1
        if not there:
            return ()
        return tuple(range(first, first + many)) if many > 1 else (first + own,)

    def _variable(self, called: str) -> Variable:
        return self.model.graphs.variables[called]

    def _refuse_absent(self, elements: Elements, flat: int, question: Question) -> None:
        name, item = elements.variable.name, elements.term.item
        variable = self.model.base.variables[name]
        place = next(p for p in product(*(range(n) for _, n in variable.plates))
                     if flat_place(p, variable) <= flat < flat_place(p, variable) + prod(variable.shape))  # fmt: skip
        why = self.model.lacking(name, place)
        assert why is not None
        count, there = why
        plate = next(p for p in variable.path if self.model.base.plates[p].count == count)
        number = place[variable.path.index(plate)]
        raise QueryError(
            f"element {number} of {plate} is not there: {count} is {there}", question.text, item.start, item.end
        )

    def split(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rows [n, *row shape] element by element."""
        found: dict[str, Tensor] = {}
        for called, (name, place) in self.model.elements.items():
            if name in values:
                whole = values[name]
                found[called] = whole[(slice(None), *place)] if place else whole  # type: ignore[index]
        return found


class ElementWorlds:
    """Worlds of one run, by how many elements there are."""

    def __init__(self, used: UsedRun) -> None:
        self.used, self.graphs = used, used.double_model.graphs
        self._worlds: dict[object, ElementWorld] = {}

    @property
    def counts(self) -> tuple[str, ...]:
        """Variables that count elements."""
        return tuple(dict.fromkeys(plate.count for plate in self.graphs.plates.values() if plate.count))

    def world(self, counts: Counts, unknown: Collection[str] = ()) -> ElementWorld:
        """The run with so many elements."""
        written = tuple((name, tuple(sorted(told.items()))) for name, told in sorted(counts.items()))
        key = (written, tuple(sorted(unknown)))
        if key not in self._worlds:
            model = ElementModel(self.used.double_model, counts)
            units = {
                called: self.used.units[name] for called, (name, _) in model.elements.items() if name in self.used.units
            }
            used = replace(self.used, model=model, columns={}, units=units)  # type: ignore[arg-type]
            self._worlds[key] = ElementWorld(used, model, frozenset(unknown))
        return self._worlds[key]

    def told(self, question: Question, rows: Mapping[str, Tensor] | None = None) -> tuple[Counts, set[str]]:
        """How many elements there are, by what the query sets, gives, or one row has ({name: [*row shape]}); the most
        there may be of what nobody tells; and which those are."""
        counts: dict[str, dict[Place, int]] = {}
        unknown: set[str] = set()
        for name in self.counts:
            variable = self.graphs.variables[name]
            flat: dict[int, float] = {}
            for known in (*question.facts, *question.changes):
                if known.variable.name == name and known.sign in (ROW, "="):
                    for each in known.which:
                        value = float(rows[name].reshape(-1)[each]) if rows is not None and known.sign == ROW else (
                            known.number if known.sign == "=" else torch.nan
                        )  # fmt: skip
                        flat[each] = value
            most = variable.minimum + (variable.support or 1) - 1
            into = counts.setdefault(name, {})
            for place in product(*(range(size) for _, size in variable.plates)):
                value = flat.get(flat_place(place, variable), torch.nan)
                if value != value:
                    unknown.add(name)
                into[place] = most if value != value else round(value)
        return counts, unknown


def with_counts(question: Question, graphs: Graphs) -> Question:
    """The question with the counts that rows tell by telling what elements hold."""
    named = {fact.variable.name for fact in (*question.facts, *question.changes)}
    more: dict[str, Known] = {}
    for fact in question.facts:
        if fact.sign == ROW:
            for plate in graphs.variables[fact.variable.name].path:
                count = graphs.plates[plate].count
                if count is not None and count not in named and graphs.variables[count].role != "latent":
                    variable = graphs.variables[count].by_row
                    which = tuple(range(prod(variable.shape)))
                    more[count] = Known(variable, which, fact.term, implied=True)
    return replace(question, facts=(*question.facts, *more.values())) if more else question


def refuse_what_plates_lack(question: Question, graphs: Graphs, counts: Sequence[str]) -> None:
    """QueryError for what queries cannot do with elements: sets of labels, counts that change, elements of pictures."""
    sets = {name: plate for plate, names in sets_of_labels(graphs).items() for name in names}
    for fact in question.facts:
        if fact.variable.name in sets and not fact.implied:
            item = fact.term.item
            raise QueryError(
                f"{item.name} is a set, which says nothing of single elements (`order: unknown` of "
                f"{sets[fact.variable.name]}): `graphspec predict` assigns it",
                question.text, item.start, item.end,
            )  # fmt: skip
    for change in question.changes:
        name, item = change.variable.name, change.term.item
        if name not in counts:
            continue
        plates = {plate.name for plate in graphs.plates.values() if plate.count == name}
        about = [f for f in question.facts if f.variable.name == name
                 or plates & set(graphs.variables[f.variable.name].path)]  # fmt: skip
        if about:
            raise QueryError(
                f"do({item.written}={change.term.value}) beside facts about {about[0].term.item.written}: a change of "
                "how many elements there are is answered without facts about them",
                question.text, item.start, item.end,
            )  # fmt: skip
    for target in question.targets:
        variable = graphs.variables[target.variable.name]
        if variable.plates and prod(variable.shape) > 64:
            item = target.term.item
            raise QueryError(
                f"{variable.name} has {prod(variable.shape)} numbers in each element: ask for single ones, or "
                "`graphspec sample` and `reconstruct`, which draw them",
                question.text, item.start, item.end,
            )  # fmt: skip


def refuse_unknown_counts(
    question: Question, world: ElementWorld, asked: Question, relevant: Collection[str], unknown: Collection[str]
) -> None:
    """QueryError where something that matters depends on a count that nobody tells. asked: the question of elements."""
    base, model = world.model.base, world.model
    for count in sorted(unknown):
        plates = {plate.name for plate in base.plates.values() if plate.count == count}

        def inside(called: str, plates: Collection[str] = plates) -> bool:
            name = model.elements[called][0] if called in model.elements else ""
            return bool(name) and bool(set(plates) & set(base.variables[name].path))

        about = [known for known in (*asked.facts, *asked.changes) if inside(known.variable.name)]
        targets = [target for target in asked.targets if inside(target.variable.name)]
        if about or targets or any(inside(name.removesuffix("'")) for name in relevant):
            place = (about or targets)[0].term.item if about or targets else None
            start, end = (place.start, place.end) if place is not None else (0, len(question.text))
            plate = sorted(plates)[0]
            how = f"add {count}=VALUE" + ("" if base.variables[count].role == "latent" else f", or {count} with --rows")
            raise QueryError(
                f"how many elements {plate} has is not known: {how} (`graphspec predict` answers for rows without it)",
                question.text, start, end,
            )  # fmt: skip


def refuse_blanks(question: Question, world: ElementWorld, values: Mapping[str, Tensor], row: int) -> None:
    """DataError for a blank element, of those that are there, of what may not be blank. values: of one row."""
    for fact in question.facts:
        variable = fact.variable
        if fact.sign != ROW or variable.missing or variable.role != "observed":
            continue
        flat = values[variable.name].reshape(-1)
        for each in fact.which:
            if bool(flat[each].isnan()):
                raise DataError(
                    f"row {row}: {element_name(*world.model.elements[variable.name])} is blank, and "
                    f"{world.model.elements[variable.name][0]} may not be",
                    "give it a value, or say `missing: true` of the variable and train again",
                )
