"""A model with plates as one without: every element that is there is a variable of its own, `c[1]`.

From: a model and how many elements each plate has. To: graphs whose factors are those of single elements, which read
single elements, and the same networks run on them. Not here: counts that nobody knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import torch
from torch import Tensor

from compiler.families.entry import Extras, FamilyEntry
from compiler.model.model import Model
from compiler.tensors import blanks, views
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import SIDES, Factor, Graphs, Variable, View
from graphspec.language.plates import ENDS, NEIGHBOURS

Place = tuple[int, ...]
"""Of an element in its plates, outermost first."""
Counts = Mapping[str, Mapping[Place, int]]
"""By the variable that counts a plate's elements, how many there are at each place of it."""


@dataclass(frozen=True)
class ElementFactor:
    """One element's factor: whose, and where. seen: by parent of it, the elements that are read."""

    factor: Factor
    place: Mapping[str, int]
    seen: Mapping[str, tuple[str, ...]]


class ElementModel:
    """The written-out graphs, and distributions of single elements. Answers as `Model` does where queries ask it."""

    def __init__(self, model: Model, counts: Counts) -> None:
        self.model, self.dtype, self.base, self.counts = model, model.dtype, model.graphs, counts
        self.elements: dict[str, tuple[str, Place]] = {}
        """By its name, which element of which variable."""
        self.factors: dict[tuple[str, str], ElementFactor] = {}
        self.graphs = self._written_out()

    # --- elements -------------------------------------------------------------------------------------------------

    def places(self, name: str) -> Iterator[Place]:
        """Every element of a variable that is there."""
        for place in product(*(range(size) for _, size in self.base.variables[name].plates)):
            if self.lacking(name, place) is None:
                yield place

    def lacking(self, name: str, place: Place) -> tuple[str, int] | None:
        """Why an element is not there: the count that says so, and what it says."""
        for depth, plate in enumerate(self.base.variables[name].path):
            count = self.base.plates[plate].count
            if count is not None:
                there = self.counts[count][place[: len(self.base.variables[count].path)]]
                if place[depth] >= there:
                    return count, there
        return None

    def _written_out(self) -> Graphs:
        base, variables = self.base, dict[str, Variable]()
        for name, variable in base.variables.items():
            if name in base.views:
                continue
            for place in self.places(name):
                called = element_name(name, place)
                variables[called] = replace(variable.of_one, name=called)
                self.elements[called] = (name, place)
        sides: dict[str, dict[str, Factor]] = {}
        for side in SIDES:
            written = {}
            for factor in base.factors(side).values():
                for place in self.places(factor.variable):
                    called = element_name(factor.variable, place)
                    written[called] = self._factor(called, factor, place)
            sides[side] = written
        return replace(base, variables=variables, views={}, plates={}, **sides)  # type: ignore[arg-type]

    def _factor(self, called: str, factor: Factor, place: Place) -> Factor:
        here = dict(zip(self.base.variables[factor.variable].path, place, strict=True))
        seen = {parent: self._seen(parent, here) for parent in factor.parents}
        self.factors[factor.side, called] = ElementFactor(factor, here, seen)
        parents = tuple(dict.fromkeys(name for names in seen.values() for name in names))
        return replace(factor, variable=called, parents=parents)

    def _seen(self, parent: str, here: Mapping[str, int]) -> tuple[str, ...]:
        """The elements that are read as `parent` by one at a place."""
        view = self.base.views[parent].view if parent in self.base.views else None
        if view is None:
            return (element_name(parent, tuple(here[plate] for plate in self.base.variables[parent].path)),)
        if view.kind == "place":
            return ()
        path = self.base.variables[view.base].path
        there = list(self.places(view.base))
        if view.kind in NEIGHBOURS:
            step = {view.taken[0]: 1 if view.kind == "next" else -1}
            wanted = tuple(here[plate] + step.get(plate, 0) for plate in path)
            return (element_name(view.base, wanted),) if wanted in there else ()
        fixed = {depth: here[plate] for depth, plate in enumerate(path) if plate not in view.taken}
        found = [place for place in there if all(place[depth] == at for depth, at in fixed.items())]
        found = found[:1] if view.kind == "first" else found[-1:] if view.kind == "last" else found
        return tuple(element_name(view.base, place) for place in found)

    # --- distributions --------------------------------------------------------------------------------------------

    def family_at(
        self, factor: Factor, values: Mapping[str, Tensor], noise: Noise
    ) -> tuple[FamilyEntry, Extras, tuple[Tensor, ...]]:
        """As `Model.family_at` of a single element."""
        own = self.factors[factor.side, factor.variable]
        return self.model.family_at(own.factor, self._read(own, values, noise.batch), noise)

    def compute(self, factor: Factor, values: Mapping[str, Tensor], noise: Noise) -> Tensor:
        """As `Model.compute` of a single element."""
        own = self.factors[factor.side, factor.variable]
        return self.model.compute(own.factor, self._read(own, values, noise.batch), noise)

    def _read(self, own: ElementFactor, values: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for parent, names in own.seen.items():
            view = self.base.views[parent].view if parent in self.base.views else None
            if view is None:
                found[parent] = values[names[0]]
                flags = values.get(names[0] + blanks.PRESENCE)
            elif view.kind == "place":
                found[parent], flags = torch.full((count,), own.place[view.base]), None
            else:
                found[parent], flags = self._viewed(parent, view, names, values, count)
            if flags is not None:
                found[parent + blanks.PRESENCE] = flags
        return found

    def _viewed(
        self, parent: str, view: View, names: Sequence[str], values: Mapping[str, Tensor], count: int
    ) -> tuple[Tensor, Tensor | None]:
        """What is read across elements, and the flag beside it."""
        base, seen = self.base.variables[view.base], self.base.variables[parent]
        classes = (base.support or 1,) if base.domain == "category" and not view.raw else ()
        if not names:
            flags = None if seen.presence is None else torch.zeros((count, *seen.presence), dtype=self.dtype)
            return torch.zeros((count, *base.shape, *classes), dtype=self.dtype), flags
        found = torch.stack([self._number(base, view, values[name]) for name in names], dim=1)
        own = [values[name + blanks.PRESENCE] for name in names] if base.missing else []
        if own:
            return _pooled(view, found), _pooled(view, torch.stack(own, dim=1))
        flags = None if seen.presence is None else torch.ones((count, *seen.presence), dtype=self.dtype)
        return _pooled(view, found), flags

    def _number(self, base: Variable, view: View, value: Tensor) -> Tensor:
        """One element as it enters what is read: a category as class weights, or its class's number."""
        if base.domain == "category":
            relaxed = value.dim() > 1 + len(base.shape)
            whole = view.raw or relaxed
            return value.to(self.dtype) if whole else blanks.one_hot(value, base.support or 1, 0, value.to(self.dtype))
        logarithm = view.pools and not view.raw and base.info.encoding == "log1p"
        return views.signed_log1p(value) if logarithm else value


def _pooled(view: View, values: Tensor) -> Tensor:
    """[B, elements, ..] as one."""
    if view.kind in (*NEIGHBOURS, *ENDS):
        return values[:, 0]
    if view.kind == "sum":
        return values.sum(1)
    return values.mean(1) if view.kind == "mean" else values.amax(1)


def element_name(name: str, place: Place) -> str:
    """`c[1]`, `w[1,0]`; a variable of the row by its name."""
    return f"{name}[{','.join(map(str, place))}]" if place else name


def flat_place(place: Place, variable: Variable) -> int:
    """The number of an element's first value among all that a row has. variable: with its plates."""
    found = 0
    for at, (_, size) in zip(place, variable.plates, strict=True):
        found = found * size + at
    return found * prod(variable.shape)
