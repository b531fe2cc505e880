"""The plans of a batch's groups as one: what several groups make of the same kind of rows is made in one call.

A group is the rows of one pattern. Where a factor's parents vary over the same axes in several groups (one draw of z
for a row whose y is known, and one for a row whose y was drawn), its module reads the rows of all of them at once, and
each takes its own part of the result: a step has one product where it had one per pattern. Only modules that treat each
row alone and draw nothing come to the same for many rows as for few. What a network's first layer makes of a value that
is there for the whole batch is made once, whatever else its calls read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any

from compiler.plan.plan import Given, Line, Plan, Value
from compiler.plan.verify import verify
from compiler.symbolic.networks_read import read_parents
from graphspec.graphs.graph import Graphs

CALLS = ("parameters", "function", "enter")
"""Operations that call a factor's module."""


@dataclass(frozen=True)
class Part:
    """One group's plan. sizes: length of every axis."""

    plan: Plan
    sizes: Mapping[str, int]


@dataclass
class _Node:
    """A line of one group, or the same call of several: {group: its line}."""

    lines: dict[int, Line]
    waits_for: int = 0

    @property
    def first(self) -> Line:
        return next(iter(self.lines.values()))


def join(parts: Sequence[Part], graphs: Graphs, independent: frozenset[str], shared: Callable[[str, int], int]) -> Plan:
    """One plan for all groups. results and terms: those of each group, by `(group) name`.

    independent: keys of factors that treat each row alone and draw nothing. shared: how many tensors a parent (by its
    place) becomes in a factor's first layers, where that can be made beforehand; else 0.
    """
    return verify(_Joiner(parts, graphs, independent, shared).plan())


class _Joiner:
    def __init__(
        self, parts: Sequence[Part], graphs: Graphs, independent: frozenset[str], shared: Callable[[str, int], int]
    ) -> None:
        self.parts, self.graphs, self.independent, self.shared = parts, graphs, independent, shared
        self.given: dict[Value, Given] = {}
        self.lines: list[Line] = []
        self._found: dict[tuple[int, str], Value] = {}  # a group's value in the joint plan
        self._apart: dict[str, tuple[Value, tuple[int, ...]]] = {}  # a part's whole, and the groups it was for
        self._whole: dict[Given, Value] = {}
        self._known: dict[Any, Any] = {}
        self._entered: dict[tuple[str, int], set[Given]] = {}

    def plan(self) -> Plan:
        order = self._in_order(self._nodes())
        self._note_shared(order)
        for node in order:
            self._write_single(node) if len(node.lines) == 1 else self._write_joint(node)
        results: dict[str, Value] = {}
        terms: dict[str, Value] = {}
        for group, part in enumerate(self.parts):
            results |= {f"{group} {name}": self._of(group, value) for name, value in part.plan.results.items()}
            terms |= {f"{group} {name}": self._of(group, value) for name, value in part.plan.terms.items()}
        title = " beside ".join(part.plan.title for part in self.parts)
        return Plan(title, self.given, tuple(self.lines), results, terms)

    # what belongs together

    def _nodes(self) -> list[_Node]:
        found: list[_Node] = []
        calls: dict[Any, _Node] = {}
        for group, part in enumerate(self.parts):
            for line in part.plan.lines:
                signature = self._signature(line, part)
                if signature is None:
                    found.append(_Node({group: line}))
                elif signature in calls and group not in calls[signature].lines:
                    calls[signature].lines[group] = line
                else:
                    calls[signature] = _Node({group: line})
                    found.append(calls[signature])
        return found

    def _signature(self, line: Line, part: Part) -> Any:
        """Over which axes, of which lengths, each of a call's inputs varies; None for what is never made together."""
        key = line.options.get("factor")
        if line.op not in CALLS or key not in self.independent or not line.inputs:
            return None
        return key, tuple(tuple((axis, part.sizes[axis]) for axis in value.axes) for value in line.inputs)

    def _in_order(self, nodes: Sequence[_Node]) -> list[_Node]:
        """Every node after those whose values it reads; else as the groups have them."""
        maker = {(g, v.name): i for i, node in enumerate(nodes) for g, line in node.lines.items() for v in line.outputs}
        readers: list[set[int]] = [set() for _ in nodes]
        for place, node in enumerate(nodes):
            needs = {maker[g, v.name] for g, line in node.lines.items() for v in line.inputs if (g, v.name) in maker}
            node.waits_for = len(needs)
            for needed in needs:
                readers[needed].add(place)
        ready = [place for place, node in enumerate(nodes) if not node.waits_for]
        heapify(ready)
        order: list[_Node] = []
        while ready:
            place = heappop(ready)
            order.append(nodes[place])
            for reader in readers[place]:
                nodes[reader].waits_for -= 1
                if not nodes[reader].waits_for:
                    heappush(ready, reader)
        assert len(order) == len(nodes), "factors are called in one order in every pattern"
        return order

    def _note_shared(self, order: Sequence[_Node]) -> None:
        """Parents that are there for the whole batch and that several calls of the same factor read."""
        calls: dict[tuple[str, int], list[Given]] = {}
        for node in order:
            if node.first.op in CALLS:
                for place, given in enumerate(self._givens(node)):
                    # a label's blanks, which some rows have, must enter no network
                    if given is not None and self.graphs.variables[given.variable].role != "supervised":
                        calls.setdefault((node.first.options["factor"], place), []).append(given)
        self._entered = {
            key: {given for given in found if found.count(given) > 1}
            for key, found in calls.items()
            if self.shared(*key)
        }

    def _givens(self, node: _Node) -> list[Given | None]:
        """Of each input of a call, what every group of the node is given for it."""
        found: list[Given | None] = []
        for place in range(len(node.first.inputs)):
            kinds = {self.parts[g].plan.given.get(line.inputs[place]) for g, line in node.lines.items()}
            found.append(kinds.pop() if len(kinds) == 1 else None)
        return found

    # lines

    def _write(self, line: Line) -> None:
        self.lines.append(line)

    def _write_single(self, node: _Node) -> None:
        ((group, line),) = node.lines.items()
        outputs = tuple(replace(value, name=f"{value.name}.{group}") for value in line.outputs)
        inputs, options = self._inputs(node, (group,)), dict(line.options)
        if line.op in CALLS and (entered := self._entered_places(node)):
            options["entered"] = entered
        self._write(replace(line, outputs=outputs, inputs=inputs, options=options, group=group))
        self._found |= {(group, mine.name): value for mine, value in zip(line.outputs, outputs, strict=True)}

    def _write_joint(self, node: _Node) -> None:
        groups, line = tuple(node.lines), node.first
        tag = "+".join(map(str, groups))
        rows = any(value.rows for each in node.lines.values() for value in each.outputs)
        outputs = tuple(replace(value, name=f"{value.name}.{tag}", rows=rows) for value in line.outputs)
        options = dict(line.options)
        if entered := self._entered_places(node):
            options["entered"] = entered
        self._write(replace(line, outputs=outputs, inputs=self._inputs(node, groups), options=options))
        for place, value in enumerate(outputs):
            own = {g: node.lines[g].outputs[place] for g in groups}
            if not value.rows:
                self._found |= {(g, mine.name): value for g, mine in own.items()}
                continue
            split = tuple(replace(value, name=f"{mine.name}.{g}") for g, mine in own.items())
            self._write(Line("apart", split, (value,), {"groups": groups}))
            self._found |= {(g, mine.name): part for (g, mine), part in zip(own.items(), split, strict=True)}
            self._apart |= {part.name: (value, groups) for part in split}

    def _entered_places(self, node: _Node) -> tuple[tuple[int, int], ...]:
        """Places of the parents that enter for the whole batch, and how many tensors each becomes."""
        key = node.first.options["factor"]
        places = (i for i, given in enumerate(self._givens(node)) if given in self._entered.get((key, i), ()))
        return tuple((place, self.shared(key, place)) for place in places)

    def _inputs(self, node: _Node, groups: tuple[int, ...]) -> tuple[Value, ...]:
        call = node.first.op in CALLS
        givens = self._givens(node) if call else [None] * len(node.first.inputs)
        found = []
        for place, given in enumerate(givens):
            entered = call and given in self._entered.get((node.first.options["factor"], place), ())
            own = {g: node.lines[g].inputs[place] for g in groups}
            if entered:
                assert given is not None
                found += [self._rows_of(value, groups) for value in self._enter(node.first, place, given)]
            elif given is not None:
                found.append(self._rows_of(self._given(given, next(iter(own.values()))), groups))
            else:
                found.append(self._together({g: self._of(g, value) for g, value in own.items()}, node.first, place))
        return tuple(found)

    def _of(self, group: int, value: Value) -> Value:
        """A group's value in the joint plan."""
        given = self.parts[group].plan.given.get(value)
        if given is not None:
            return self._rows_of(self._given(given, value), (group,))
        return self._found[group, value.name]

    def _given(self, given: Given, value: Value) -> Value:
        """The same for the whole batch."""
        if given not in self._whole:
            self._whole[given] = value
            self.given[value] = given
        return self._whole[given]

    def _enter(self, line: Line, place: int, given: Given) -> tuple[Value, ...]:
        """What a factor's first layers make of a parent, for the whole batch."""
        factor = line.options["factor"]
        key = ("enter", factor, place)
        if key not in self._known:
            whole = self._given(given, line.inputs[place])
            letter, name = factor[0].replace("g", "p").replace("r", "q"), factor.split(".", 1)[1]
            names = [f"{whole.name}_in_{letter}_{name}{'_' * i}" for i in range(self.shared(factor, place))]
            entered = tuple(Value(each) for each in names)
            self._write(Line("enter", entered, (whole,), {"factor": factor, "place": place}))
            self._known[key] = entered
        found: tuple[Value, ...] = self._known[key]
        return found

    def _rows_of(self, whole: Value, groups: tuple[int, ...]) -> Value:
        """Rows of some groups of what is there for the whole batch."""
        key = ("rows_of", whole.name, groups)
        if key not in self._known:
            rows = replace(whole, name=f"{whole.name}.{'+'.join(map(str, groups))}")
            self._write(Line("rows_of", (rows,), (whole,), {"groups": groups}))
            self._known[key] = rows
        found: Value = self._known[key]
        return found

    def _together(self, values: Mapping[int, Value], line: Line, place: int) -> Value:
        """The values of several groups' rows, one after the other."""
        groups, first = tuple(values), next(iter(values.values()))
        if len(groups) == 1 or not any(value.rows for value in values.values()):
            return first  # a support, which every row shares
        sources = {self._apart.get(value.name) for value in values.values()}
        if len(sources) == 1 and (source := sources.pop()) is not None and source[1] == groups:
            return source[0]
        key = ("together", *(value.name for value in values.values()))
        if key not in self._known:
            rank = max(value.rank for value in values.values())
            wanted = f"{first.name.rsplit('.', 1)[0]}.{'+'.join(map(str, groups))}"
            joined = replace(first, name=wanted, rank=rank, rows=True)
            factor = self.graphs.factors(*_side_of(line.options["factor"]))[_variable_of(line.options["factor"])]
            read = read_parents(self.graphs, factor)
            parent = read[place] if place < len(read) else None
            self._write(Line("together", (joined,), tuple(values.values()), {"groups": groups, "variable": parent}))
            self._known[key] = joined
        found: Value = self._known[key]
        return found


def _side_of(key: str) -> tuple[Any]:
    return (key.split(".", 1)[0],)


def _variable_of(key: str) -> str:
    return key.split(".", 1)[1]
