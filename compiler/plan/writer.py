"""Writing a plan line by line: what is asked for twice is written once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from compiler.plan.plan import Given, Line, Value, fresh_name
from compiler.symbolic.axis_names import SAMPLES, canonical
from compiler.symbolic.program import Axes

Signed = tuple[int, Value]
"""A value to be added (1) or subtracted (-1)."""

NOTHING = Value("nothing", rows=False)
"""Zero, which a sum leaves out."""


class Writer:
    """Lines so far, and what is known of them. samples: S; with one sample there is no axis of samples."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing is written."""
        self.lines: list[Line] = []
        self.given: dict[Value, Given] = {}
        self._note = ""
        self._names: set[str] = set()
        self._known: dict[Any, tuple[Value, ...]] = {}
        self._minus: dict[Value, Value] = {}

    def note(self, text: str) -> None:
        """A comment above the next line."""
        self._note = text

    def shown(self, axes: Axes) -> Axes:
        """The axes that tensors have."""
        return axes if self.samples > 1 else tuple(axis for axis in axes if axis != SAMPLES)

    def give(self, variable: str, kind: Any, rank: int, wanted: str = "", axes: Axes = ()) -> Value:
        """A tensor that the plan is given, on the axes of its variable's plates."""
        key = ("given", variable, kind)
        if key not in self._known:
            name = self.fresh(wanted or (variable if kind == "value" else f"{variable}_{kind}"))
            value = Value(name, axes, rank=rank)
            self.given[value] = Given(variable, kind)
            self._known[key] = (value,)
        return self._known[key][0]

    def write(
        self,
        op: str,
        wanted: str,
        inputs: Iterable[Value] = (),
        axes: Axes | None = None,
        *,
        rank: int = 0,
        rows: bool | None = None,
        **options: Any,
    ) -> Value:
        """The output of a new line, or of an old one with the same inputs. axes, rows: all of the inputs' if not given.
        rank: of the output's event."""
        return self.write_all(op, (wanted,), inputs, axes, ranks=(rank,), rows=rows, **options)[0]

    def write_all(
        self,
        op: str,
        wanted: Sequence[str],
        inputs: Iterable[Value] = (),
        axes: Axes | None = None,
        *,
        ranks: Sequence[int] | None = None,
        rows: bool | None = None,
        **options: Any,
    ) -> tuple[Value, ...]:
        """The same with several outputs."""
        inputs = tuple(inputs)
        key = (op, inputs, tuple(options.items()))
        if key not in self._known:
            lead = canonical(axis for value in inputs for axis in value.axes) if axes is None else axes
            varies = any(value.rows for value in inputs) if rows is None else rows
            pairs = zip(wanted, ranks or (0,) * len(wanted), strict=True)
            outputs = tuple(Value(self.fresh(name), lead, varies, rank) for name, rank in pairs)
            self.append(Line(op, outputs, inputs, options))
            self._known[key] = outputs
        return self._known[key]

    def append(self, line: Line) -> None:
        """One line more, below the comment that waits for it."""
        self.lines.append(replace(line, note=self._note))
        self._note = ""

    def claim(self, name: str) -> None:
        """No other value is called so."""
        self._names.add(name)

    def fresh(self, wanted: str) -> str:
        """A name that no other value has."""
        return fresh_name(wanted, self._names)

    # sums with signs: what only changes a sign is no line of its own until something else reads it

    def added(self, terms: Sequence[Signed], wanted: str) -> Value:
        """The signed sum on the union of axes. Terms that cancel are left out."""
        left = self._flat(terms)
        if not left:
            return self.zero()
        if len(left) == 1:
            sign, value = left[0]
            return value if sign > 0 else self.negative(value)
        if left[0][0] < 0:  # a sum does not begin with a minus if it can
            left.sort(key=lambda term: -term[0])
        signs = "".join("+" if sign > 0 else "-" for sign, _ in left)
        return self.write("add", wanted, [value for _, value in left], signs=signs)

    def zero(self) -> Value:
        """Nothing."""
        return self.write("zero", NOTHING.name, (), (), rows=False)

    def negative(self, value: Value) -> Value:
        """Minus a value."""
        if value in self._minus:
            return self._minus[value]
        found = self.write("neg", f"minus_{value.name}", (value,), rank=value.rank)
        self._minus[found] = value
        return found

    def _flat(self, terms: Sequence[Signed]) -> list[Signed]:
        """Terms without zeros, minus signs as signs, pairs that cancel gone."""
        counts: dict[Value, int] = {}
        for sign, value in terms:
            if value in self._minus:
                sign, value = -sign, self._minus[value]
            counts[value] = counts.get(value, 0) + sign
        counts.pop(NOTHING, None)
        return [(1 if count > 0 else -1, value) for value, count in counts.items() for _ in range(abs(count))]


def by_axes(terms: Sequence[Signed]) -> Mapping[Axes, list[Signed]]:
    """Terms that vary over the same axes."""
    groups: dict[Axes, list[Signed]] = {}
    for sign, value in terms:
        groups.setdefault(value.axes, []).append((sign, value))
    return groups
