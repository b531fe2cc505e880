"""What a query says about one run: its names as elements of variables, its values as numbers, and what cannot be asked.

From: a parsed query. To: a `Question`. Every refusal that needs no rows is told here, with its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import NoReturn

from graphspec.graphs.graph import Variable
from graphspec.reading.suggestions import did_you_mean, few, listed
from runtime.answering.panels import conditioned
from runtime.predicting.used_run import UsedRun
from runtime.querying.grammar import FUNCTIONS, Item, ParsedQuery, QueryError, Term
from runtime.querying.values_asked import in_model_units, number_asked, ordered

ROW = "row"
"""The sign of a fact that rows tell."""


@dataclass(frozen=True)
class Elements:
    """Some elements of a variable by their flat number; term: as they were written."""

    variable: Variable
    which: tuple[int, ...]
    term: Term


@dataclass(frozen=True)
class AskedTarget(Elements):
    """A target: its elements, or the event that the one element is less (..) than a number of data units. names: what
    the answers are called."""

    names: tuple[str, ...] = ()
    sign: str = ""
    number: float = 0.0


@dataclass(frozen=True)
class Known(Elements):
    """A fact. sign: `ROW`, `=` or that of a range. number: in the model's units, of ranges in data units. implied: by
    another, as a count by what a row's elements hold."""

    sign: str = ROW
    number: float = 0.0
    implied: bool = False


@dataclass(frozen=True)
class Question:
    """One query. changes: facts whose numbers are set."""

    text: str
    targets: tuple[AskedTarget, ...]
    facts: tuple[Known, ...]
    changes: tuple[Known, ...]

    @property
    def takes_rows(self) -> bool:
        """Something is told by rows."""
        return any(fact.sign == ROW for fact in self.facts)

    def elements_given(self, name: str) -> set[int]:
        """Elements of a variable with a value, from rows or here."""
        return {e for fact in self.facts if fact.variable.name == name and fact.sign in (ROW, "=") for e in fact.which}


def question_of(parsed: ParsedQuery, used: UsedRun, *, rows: bool) -> Question:
    """The question that a query is to a run. rows: there are some. Raises QueryError."""
    return Reading(parsed, used, rows).question()


@dataclass(frozen=True)
class Reading:
    """One query, read for one run."""

    parsed: ParsedQuery
    used: UsedRun
    rows: bool

    def question(self) -> Question:
        """The question, or a QueryError."""
        facts = tuple(self._fact(term) for term in self.parsed.facts)
        changes = tuple(self._change(term) for term in self.parsed.changes)
        self._refuse_twice(facts, "given")
        self._refuse_twice(changes, "set")
        found = Question(self.parsed.text, tuple(map(self._target, self.parsed.targets)), facts, changes)
        for target in found.targets:
            self._refuse_known(target, found)
        if self.rows and not found.takes_rows:
            term = self.parsed.facts[0] if self.parsed.facts else self.parsed.targets[0]
            self._refuse("the query takes nothing from --rows: name what is given", term.item)
        return found

    @cached_property
    def columns(self) -> Mapping[str, list[tuple[str, int]]]:
        """Which elements each column of the data feeds."""
        found: dict[str, list[tuple[str, int]]] = {}
        for name, spec in self.used.columns.items():
            if self._own_columns(name):
                for element, column in enumerate(spec.names):
                    found.setdefault(column, []).append((name, element))
            elif spec.column is not None:
                found.setdefault(spec.column, []).append((name, -1))
        return found

    def _own_columns(self, name: str) -> bool:
        """Every number of a variable, or of one element of it, has a column of its own."""
        spec, variable = self.used.columns[name], self.used.graphs.variables[name]
        own = spec.columns is not None and not spec.soft
        return own and len(spec.names) in (prod(variable.of_element), prod(variable.shape))

    def _elements(self, term: Term) -> Elements:
        item, graphs = term.item, self.used.graphs
        names = list(graphs.spec.variables)
        if item.name in names:
            variable = graphs.variables[item.name]
            return Elements(variable, self._indexed(variable, item), term)
        fed = self.columns.get(item.name, [])
        if len(fed) > 1:
            both = listed(dict.fromkeys(name for name, _ in fed))
            self._refuse(f"column {item.name} feeds {both}: name one of those", item)
        if not fed:
            self._refuse_unknown(item, [*names, *self.columns])
        variable = graphs.variables[fed[0][0]]
        if fed[0][1] < 0:
            return Elements(variable, self._indexed(variable, item), term)
        if variable.row_axes and len(self.used.columns[variable.name].names) == prod(variable.of_element):
            each = prod(variable.of_element)
            places = range(prod(variable.shape) // each)
            if item.index:
                places = [self._flat(variable, item, variable.shape[: variable.row_axes])]  # type: ignore[assignment]
            return Elements(variable, tuple(place * each + fed[0][1] for place in places), term)
        if item.index:
            self._refuse(f"column {item.name} is one element of {variable.name}: it takes no index", item)
        return Elements(variable, (fed[0][1],), term)

    def _refuse_unknown(self, item: Item, there: Sequence[str]) -> NoReturn:
        if not item.quoted and "~" in item.name:
            self._refuse("a fact is one value or a range: for soft evidence ask each value and weigh the answers", item)
        if not item.quoted and any(sign in item.name for sign in (" - ", " + ", " * ", " / ")):
            self._refuse(FUNCTIONS, item)
        near = did_you_mean(item.name, there, f"there are {few(dict.fromkeys(there))}", quote="")
        self._refuse(f"no variable or column '{item.name}': {near}", item)

    def _indexed(self, variable: Variable, item: Item) -> tuple[int, ...]:
        if not item.index:
            return tuple(range(prod(variable.shape)))
        if not variable.shape:
            self._refuse(f"{variable.name} is one value: it takes no index", item)
        if variable.row_axes and len(item.index) == variable.row_axes:
            first = self._flat(variable, item, variable.shape[: variable.row_axes])
            each = prod(variable.of_element)
            return tuple(range(first * each, (first + 1) * each))
        if len(item.index) != len(variable.shape):
            self._refuse(f"{variable.name} has shape {list(variable.shape)}: give {len(variable.shape)} numbers", item)
        return (self._flat(variable, item, variable.shape),)

    def _flat(self, variable: Variable, item: Item, shape: Sequence[int]) -> int:
        """The number of an element in storage order; `last` of a plate is the last that there may be."""
        if len(item.index) != len(shape):
            self._refuse(f"{item.name} stands in {len(shape)} plates: give {len(shape)} numbers", item)
        names, place = self.used.elements(variable.name), 0
        for axis, (index, size) in enumerate(zip(item.index, shape, strict=True)):
            number = size - 1 if index == "last" else int(index)
            if number >= size:
                plate = self._plate_of(variable, axis)
                if plate:
                    self._refuse(f"element {number} of {plate} is not there: {self._most(plate, size)}", item)
                many = f"{variable.name} has {len(names)} elements: {names[0]} to {names[-1]}"
                self._refuse(self._all_of(variable) if len(variable.shape) == 1 else many, item)
            place = place * size + number
        return place

    def _plate_of(self, variable: Variable, axis: int) -> str:
        """The plate that is an axis of a shape; none behind those."""
        path = self.used.model.graphs.variables[variable.name].path
        return path[axis] if axis < len(path) else ""

    def _most(self, plate: str, size: int) -> str:
        count = self.used.model.graphs.plates[plate].count
        return f"it has {size}" if count is None else f"{count} is at most {size}"

    def _all_of(self, variable: Variable) -> str:
        name, size = variable.name, variable.shape[0]
        return f"{name} has {size} elements: {name}[0] to {name}[{size - 1}]"

    def _target(self, term: Term) -> AskedTarget:
        found = self._elements(term)
        variable, names = found.variable, answer_names(self.used, found.variable.name)
        if variable.name in conditioned(self.used.graphs):
            self._refuse(f"{variable.name} is conditioned on, never modelled: it has no distribution", term.item)
        if variable.role == "deterministic" and variable.name not in self.used.graphs.generative:
            self._refuse(f"{variable.name} is a feature that recognition computes: ask what it is made of", term.item)
        if not term.sign:
            shown = [variable.name if not variable.shape else names[each] for each in found.which]
            if "last" in term.item.index and len(found.which) == 1 and self._ragged(variable):
                shown = [term.item.written]
            return AskedTarget(variable, found.which, term, tuple(shown))
        self._refuse_many(found)
        self._refuse_meaningless(found, event=True)
        bound = term.sign != "="
        number = number_asked(self.parsed.text, variable, term.item.written, term, bound=bound)
        called = f"{term.item.written} {term.sign} {term.value}"
        return AskedTarget(variable, found.which, term, (called,), term.sign, number)

    def _fact(self, term: Term) -> Known:
        found = self._elements(term)
        variable = found.variable
        if variable.role == "deterministic":
            above = self._above(variable.name)
            self._refuse(f"{variable.name} is computed from {few(above)}: give those", term.item)
        self._refuse_part(found)
        if not term.sign:
            return self._row_fact(found)
        self._refuse_many(found)
        self._refuse_meaningless(found, event=False)
        bound = term.sign != "="
        number = number_asked(self.parsed.text, variable, term.item.written, term, bound=bound)
        if bound:
            if variable.name in conditioned(self.used.graphs):
                self._refuse(f"{variable.name} is conditioned on, never modelled: it has no distribution", term.item)
            return Known(variable, found.which, term, term.sign, number)
        return Known(variable, found.which, term, "=", in_model_units(self.used, variable.name, found.which[0], number))

    def _row_fact(self, found: Elements) -> Known:
        name, item = found.variable.name, found.term.item
        if found.variable.role == "latent":
            self._refuse(f"{name} is latent, no row has it: give {self.used.elements(name)[0]}=VALUE", item)
        if not self.rows:
            self._refuse(f"{item.name} is taken from rows: add --rows FILE, or give {item.name}=VALUE", item)
        return Known(found.variable, found.which, found.term)

    def _change(self, term: Term) -> Known:
        found = self._elements(term)
        variable = found.variable
        if variable.role == "deterministic":
            self._refuse(f"{variable.name} is computed: do() sets variables that have a distribution", term.item)
        self._refuse_part(found)
        if len({each % prod(variable.of_element) for each in found.which}) > 1 or not variable.row_axes:
            self._refuse_many(found)
        number = number_asked(self.parsed.text, variable, term.item.written, term)
        return Known(variable, found.which, term, "=", in_model_units(self.used, variable.name, found.which[0], number))

    def _ragged(self, variable: Variable) -> bool:
        graphs = self.used.model.graphs
        return graphs.ragged(graphs.variables[variable.name].path) is not None

    # what cannot be asked

    def _above(self, name: str) -> list[str]:
        """What a computed variable is computed from, through others that are."""
        return sorted(self.used.model.graphs.stochastic_parents(self.used.model.graphs.function(name)))

    def _refuse_many(self, found: Elements) -> None:
        if len(found.which) > 1:
            name, elements = found.variable.name, self.used.elements(found.variable.name)
            each = ", ".join(f"{element}=.." for element in elements[:4]) + (", .." if len(elements) > 4 else "")
            self._refuse(f"{name} has {len(elements)} elements: give {each}", found.term.item)

    def _refuse_part(self, found: Elements) -> None:
        variable = found.variable
        tied = self.used.model.graphs.indivisible(variable.name) and prod(variable.of_element) > 1
        if tied and len(found.which) < prod(variable.of_element):
            name = variable.name
            self._refuse(f"the elements of {name} are drawn together: give all of {name}", found.term.item)

    def _refuse_meaningless(self, found: Elements, *, event: bool) -> None:
        term, variable = found.term, found.variable
        if term.sign != "=" and not ordered(variable):
            self._refuse(f"{term.item.name} has no order: ask {term.item.name}=NAME", term.item)
        if event and term.sign == "=" and not variable.discrete:
            self._refuse(f"{term.item.name} is continuous: ask {term.item.name} > {term.value}", term.item)

    def _refuse_twice(self, known: Sequence[Known], how: str) -> None:
        """A range may have two ends; all else is told once."""
        seen: dict[tuple[str, int], Known] = {}
        for each in known:
            for element in each.which:
                before = seen.setdefault((each.variable.name, element), each)
                ranges = before.sign not in (ROW, "=") and each.sign not in (ROW, "=")
                if before is not each and not (ranges and before.sign[0] != each.sign[0]):
                    hint = " (given once and set once is a counterfactual)"
                    self._refuse(f"{each.term.item.written} is {how} twice{hint}", each.term.item)

    def _refuse_known(self, target: AskedTarget, question: Question) -> None:
        name, item = target.variable.name, target.term.item
        held = {e for change in question.changes if change.variable.name == name for e in change.which}
        if held.intersection(target.which):
            self._refuse(f"{item.name} is set by do(): nothing to ask", item)
        if question.changes or not set(target.which) <= question.elements_given(name):
            return
        told = [fact for fact in question.facts if fact.variable.name == name and set(fact.which) & set(target.which)]
        if any(fact.sign == "=" for fact in told) or not self.used.may_be_blank(name):
            self._refuse(
                f"{item.name} is given: nothing to ask (`graphspec reconstruct` shows what the model makes of it)", item
            )

    def _refuse(self, message: str, item: Item) -> NoReturn:
        raise QueryError(message, self.parsed.text, item.start, item.end)


def answer_names(used: UsedRun, name: str) -> tuple[str, ...]:
    """What each number of a variable is called in answers: as predictions call it; of elements of a plate that have
    columns of their own, the column and the element's place, `crp[1]`."""
    variable, spec = used.graphs.variables[name], used.columns.get(name)
    each = prod(variable.of_element)
    own = spec is not None and spec.columns is not None and not spec.soft and len(spec.names) == each
    if spec is None or not variable.row_axes or not own:
        return used.elements(name)
    places = product(*map(range, variable.shape[: variable.row_axes]))
    return tuple(f"{column}[{','.join(map(str, place))}]" for place in places for column in spec.names)
