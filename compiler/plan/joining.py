"""The plans of a batch's groups as one: what several groups make of the same kind of rows is made in one call.

A group is the rows of one pattern. What several groups compute in the same way is computed for the rows of all of them
at once, and each takes its own part of the result: a step has one product where it had one per pattern. That is so
where the inputs vary over the same axes in each (one draw of z for a row whose y is known, and one for a row whose y
was drawn). A factor whose calls cost more than their arithmetic (`light`) does not wait for that: each place on a
group's axes becomes a row of its own. Only modules that treat each row alone and draw nothing come to the same for many
rows as for few. What a network's first layer makes of a value that is there for the whole batch is made once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from compiler.plan.modules import Modules
from compiler.plan.ordering import in_order, with_small_ones_together
from compiler.plan.plan import Given, Line, Plan, Value, entered_name, fresh_name
from compiler.plan.verify import verify
from compiler.symbolic.program import Axes

CALLS = ("parameters", "function", "enter")
"""Operations that call a factor's module."""
ROW_BY_ROW = (*CALLS, "noise", "reparameterize", "log_prob", "kl")
"""Operations of a factor that come to the same for the rows of several groups at once."""
ALONG_ROWS = (
    "gru", "loop", "chain_log_sum", "state_before", "table", "across", "elements_there", "as_numbers", "class_weights",
    "numbers", "spread", "only_there",
)  # fmt: skip
"""Operations on the elements of plates, which treat each row alone: loops take as long for many rows as for few."""

Grids = tuple[Axes, ...]
"""Of each of some groups, the axes whose places are rows of their own."""


@dataclass(frozen=True)
class Part:
    """One group's plan. sizes: length of every axis."""

    plan: Plan
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class _Home:
    """Where a group's value is in the joint plan: among the rows of these groups, or (none) of the whole batch.

    own: the value in each group's plan.
    """

    value: Value
    groups: tuple[int, ...] = ()
    grids: Grids = ()
    own: tuple[Value, ...] = ()


@dataclass(frozen=True)
class _Node:
    """A line of one group, or the same of several: {group: its line}."""

    lines: dict[int, Line]

    @property
    def first(self) -> Line:
        return next(iter(self.lines.values()))


def join(parts: Sequence[Part], modules: Modules) -> Plan:
    """One plan for all groups. results and terms: those of each group, by `(group) name`."""
    return verify(_Joiner(parts, modules).plan())


class _Joiner:
    def __init__(self, parts: Sequence[Part], modules: Modules) -> None:
        self.parts, self.modules = parts, modules
        self.given: dict[Value, Given] = {}
        self.lines: list[Line] = []
        self._homes: dict[tuple[int, str], _Home] = {}
        self._known: dict[Any, Any] = {}
        self._names: set[str] = set()
        self._entered: set[tuple[str, int, Given]] = set()
        for group, part in enumerate(parts):
            for value, given in part.plan.given.items():
                whole = self._known.setdefault(given, value)
                self.given[whole] = given
                self._names.add(whole.name)
                self._homes[group, value.name] = _Home(whole)

    def plan(self) -> Plan:
        order = self._in_order(self._nodes())
        self._note_shared(order)
        for node in order:
            self._write_node(node)
        results: dict[str, Value] = {}
        terms: dict[str, Value] = {}
        for group, part in enumerate(self.parts):
            results |= {f"{group} {name}": self._own(group, value) for name, value in part.plan.results.items()}
            terms |= {f"{group} {name}": self._own(group, value) for name, value in part.plan.terms.items()}
        title = " beside ".join(part.plan.title for part in self.parts)
        return Plan(title, self.given, with_small_ones_together(self.lines), results, terms)

    # what belongs together

    def _nodes(self) -> list[_Node]:
        found: list[_Node] = []
        alike: dict[Any, _Node] = {}
        for group, part in enumerate(self.parts):
            for line in part.plan.lines:
                signature = self._signature(line, group)
                if signature in alike and group not in alike[signature].lines:
                    alike[signature].lines[group] = line
                else:
                    found.append(_Node({group: line}))
                    if signature is not None:
                        alike[signature] = found[-1]
        return found

    def _signature(self, line: Line, group: int) -> Any:
        """What is equal for lines that are made together; None for those that never are."""
        key = line.options.get("factor") or line.options.get("q")
        told = (line.op, *line.options.items())
        if line.op == "noise":
            return told
        if not line.inputs:  # the same for every row
            rows = any(value.rows for value in line.outputs)
            return None if rows else (told, tuple(self._lengths(group, value.axes) for value in line.outputs))
        if line.op in ALONG_ROWS:
            return self._of_elements(line, group)
        if line.op not in ROW_BY_ROW or key not in self.modules.independent:
            return None
        return (told, len(line.inputs), None if key in self.modules.light else self._spans(group, line))

    def _of_elements(self, line: Line, group: int) -> Any:
        """The same of an operation on elements; of a walk, whose body may be that of other groups too."""
        body: Plan | None = line.options.get("body")
        lines = (line,) if body is None else body.lines
        calls = {each.options["factor"] for each in lines if "factor" in each.options}
        if not calls <= self.modules.independent:
            return None
        told = {name: option for name, option in line.options.items() if name != "body"}
        inside = () if body is None else (tuple(map(str, body.lines)), tuple(map(str, body.given)), str(body.results))
        outputs = tuple((value.name, value.rank) for value in line.outputs)
        ranks = tuple(value.rank for value in line.inputs)  # a label is no draw's class weights here
        return (line.op, *told.items(), inside, outputs, ranks, self._spans(group, line))

    def _spans(self, group: int, line: Line) -> Any:
        """Over which axes, of which lengths, each of a line's inputs varies."""
        return tuple((value.axes, self._lengths(group, value.axes)) for value in line.inputs)

    def _lengths(self, group: int, axes: Axes) -> tuple[int, ...]:
        return tuple(self.parts[group].sizes[axis] for axis in axes)

    def _in_order(self, nodes: Sequence[_Node]) -> list[_Node]:
        """Every node after those whose values it reads; else as the groups have them. Where groups call factors in
        different orders, which labels that cut walks can bring about, one that waits for itself is taken apart."""
        maker = {(g, v.name): i for i, node in enumerate(nodes) for g, line in node.lines.items() for v in line.outputs}
        read = [{(g, v.name) for g, line in node.lines.items() for v in line.inputs} for node in nodes]
        needs = [{maker[value] for value in values if value in maker} for values in read]
        order = [place for (place,) in in_order(needs, [None] * len(nodes))]
        if len(order) == len(nodes):
            return [nodes[place] for place in order]
        stuck = next(place for place, node in enumerate(nodes) if place not in order and len(node.lines) > 1)
        single = [_Node({group: line}) for group, line in nodes[stuck].lines.items()]
        return self._in_order([*nodes[:stuck], *single, *nodes[stuck + 1 :]])

    def _note_shared(self, order: Sequence[_Node]) -> None:
        """Parents that are there for the whole batch and that several calls of the same factor read."""
        read: list[tuple[str, int, Given]] = []
        for node in order:
            if node.first.op in CALLS:
                for place, given in enumerate(self._givens(node)):
                    # a label's blanks, which some rows have, must enter no network
                    if given and self.modules.graphs.variables[given.variable].role != "supervised":
                        read.append((node.first.options["factor"], place, given))
        self._entered = {each for each in read if read.count(each) > 1 and self.modules.shared(*each[:2])}

    def _givens(self, node: _Node) -> list[Given | None]:
        """Of each input, what every group of the node is given for it."""
        found: list[Given | None] = []
        for place in range(len(node.first.inputs)):
            kinds = {self.parts[g].plan.given.get(line.inputs[place]) for g, line in node.lines.items()}
            found.append(kinds.pop() if len(kinds) == 1 else None)
        return found

    # lines

    def _write_node(self, node: _Node) -> None:
        groups, line = tuple(node.lines), node.first
        folded = len({self._spans(group, each) for group, each in node.lines.items()}) > 1 and line.op != "noise"
        grids = tuple(each.outputs[0].axes if folded else () for each in node.lines.values())
        whole = line.op == "noise" and len(groups) > 1  # a row's noise is its own, whatever its group
        inputs, entered = self._inputs(node, grids, whole)
        options = {**line.options, "entered": entered} if entered else line.options
        by_row = len(groups) > 1 and any(value.rows for value in inputs)  # read among rows that differ, if not by these
        outputs = []
        for place, first in enumerate(line.outputs):
            own = tuple(each.outputs[place] for each in node.lines.values())
            name = self._fresh(first.name if whole else f"{first.name}.{'+'.join(map(str, groups))}")
            axes = () if folded else first.axes
            value = replace(first, name=name, axes=axes, rows=whole or folded or by_row or any(e.rows for e in own))
            home = _Home(value) if whole else _Home(value, groups, grids, own)
            self._homes |= {(group, mine.name): home for group, mine in zip(groups, own, strict=True)}
            outputs.append(value)
        of_rows = line.inputs or any(value.rows for value in line.outputs)
        group = groups[0] if len(groups) == 1 and of_rows else None
        self.lines.append(replace(line, outputs=tuple(outputs), inputs=tuple(inputs), options=options, group=group))

    def _inputs(self, node: _Node, grids: Grids, whole: bool) -> tuple[list[Value], tuple[tuple[int, int], ...]]:
        """What a line reads, and the places of parents that entered beforehand with how many tensors each became.
        whole: it takes sizes and types only."""
        groups, factor = tuple(node.lines), node.first.options.get("factor", "")
        if whole:
            return [self._anyone(value, groups[0]) for value in node.first.inputs], ()
        found: list[Value] = []
        entered: list[tuple[int, int]] = []
        for place, given in enumerate(self._givens(node)):
            if given is not None and (factor, place, given) in self._entered and node.first.op in CALLS:
                values = self._enter(factor, place, given)
                entered.append((place, len(values)))
                found += [self._rows_of(value, groups, grids) for value in values]
            else:
                found.append(self._input(node, place, groups, grids))
        return found, tuple(entered)

    def _input(self, node: _Node, place: int, groups: tuple[int, ...], grids: Grids) -> Value:
        """One input for the rows of several groups, one group after the other."""
        own = {group: line.inputs[place] for group, line in node.lines.items()}
        homes = {self._homes[group, value.name] for group, value in own.items()}
        home = next(iter(homes))
        if len(homes) == 1:
            if not home.groups and not (home.value.axes and any(grids)):
                return self._rows_of(home.value, groups, grids)
            alike = home.groups == groups and home.grids == grids
            if alike or not (home.value.rows or (home.value.axes and any(grids))):
                return home.value
        values = [self._own(group, value) for group, value in own.items()]
        return values[0] if len(values) == 1 else self._together(values, groups, grids, self._parent(node.first, place))

    def _parent(self, line: Line, place: int) -> str | None:
        """Which variable an input of a call is."""
        read = self.modules.read(line.options["factor"]) if line.op in CALLS else ()
        return read[place] if place < len(read) else None

    def _anyone(self, value: Value, group: int) -> Value:
        """The value among whichever rows it is at hand."""
        home = self._homes[group, value.name]
        return home.value if home.groups else self._own(group, value)

    def _own(self, group: int, value: Value) -> Value:
        """A group's value by itself."""
        home = self._homes[group, value.name]
        if not home.groups:
            return self._rows_of(home.value, (group,), ((),))
        if len(home.groups) == 1 or not home.value.rows:
            return home.value
        return self._once(("apart", home), lambda: self._apart(home))[home.groups.index(group)]

    def _apart(self, home: _Home) -> tuple[Value, ...]:
        pairs = zip(home.groups, home.own, strict=True)
        parts = tuple(replace(mine, name=self._fresh(f"{mine.name}.{group}"), rows=True) for group, mine in pairs)
        return self._write("apart", parts, (home.value,), home.groups, home.grids)

    def _together(self, values: Sequence[Value], groups: tuple[int, ...], grids: Grids, parent: str | None) -> Value:
        def write() -> tuple[Value, ...]:
            rank = max(value.rank for value in values)
            name = self._fresh(f"{values[0].name.rsplit('.', 1)[0]}.{'+'.join(map(str, groups))}")
            joined = Value(name, () if any(grids) else values[0].axes, True, rank)
            return self._write("together", (joined,), tuple(values), groups, grids, variable=parent)

        return self._once(("together", *values, grids), write)[0]

    def _enter(self, factor: str, place: int, given: Given) -> tuple[Value, ...]:
        """What a factor's first layers make of a parent, for the whole batch."""

        def write() -> tuple[Value, ...]:
            whole: Value = self._known[given]
            wanted = entered_name(whole, factor)
            names = [self._fresh(wanted) for _ in range(self.modules.shared(factor, place))]
            entered = tuple(Value(name, whole.axes) for name in names)
            self.lines.append(Line("enter", entered, (whole,), {"factor": factor, "place": place}))
            return entered

        return self._once(("enter", factor, place), write)

    def _rows_of(self, whole: Value, groups: tuple[int, ...], grids: Grids) -> Value:
        """Rows of some groups of what is there for the whole batch."""

        def write() -> tuple[Value, ...]:
            rows = replace(whole, name=self._fresh(f"{whole.name}.{'+'.join(map(str, groups))}"))
            return self._write("rows_of", (rows,), (whole,), groups, grids)

        return self._once(("rows_of", whole, groups, grids), write)[0]

    def _write(
        self, op: str, outputs: tuple[Value, ...], inputs: tuple[Value, ...], groups: tuple[int, ...], grids: Grids,
        **options: Any,
    ) -> tuple[Value, ...]:  # fmt: skip
        """A line between the rows of some groups and others. lengths: of each group's axes whose places are rows."""
        lengths = tuple(self._lengths(group, axes) for group, axes in zip(groups, grids, strict=True))
        told = {"groups": groups, "grids": grids, "lengths": lengths} if any(grids) else {"groups": groups}
        self.lines.append(Line(op, outputs, inputs, {**told, **options}))
        return outputs

    def _once(self, key: Any, write: Callable[[], tuple[Value, ...]]) -> tuple[Value, ...]:
        """What was written under a key, or is now."""
        if key not in self._known:
            self._known[key] = write()
        found: tuple[Value, ...] = self._known[key]
        return found

    def _fresh(self, wanted: str) -> str:
        """A name that nothing was called by before."""
        return fresh_name(wanted, self._names)
