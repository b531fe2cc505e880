"""The plan: one list of tensor operations with named axes, which is verified, run, joined over patterns and printed.

From: a `Program` and its `Objective` (`planner`). To: numbers (`run`), and text (`compile --stage plan`, `--emit`).
What each operation means is in `ops`, one row an operation; nothing here knows torch.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from compiler.symbolic.axis_names import SAMPLES, is_plate
from compiler.symbolic.program import Axes

AxisKind = Literal["samples", "elements", "values"]


def axis_kind(axis: str) -> AxisKind:
    """What stands along an axis: joint draws of all hidden variables, the elements of a plate, or the values of one
    enumerated variable."""
    return "samples" if axis == SAMPLES else "elements" if is_plate(axis) else "values"


@dataclass(frozen=True)
class Value:
    """The name of a tensor [*axes, B, *event].

    rows: False where every row has the same, so that B is 1. rank: dimensions of the event.
    """

    name: str
    axes: Axes = ()
    rows: bool = True
    rank: int = 0

    def __str__(self) -> str:
        shown = [*("S" if axis_kind(axis) == "samples" else axis for axis in self.axes), *(["B"] if self.rows else [])]
        return f"{self.name} [{', '.join(shown)}]" if shown else self.name


@dataclass(frozen=True)
class Line:
    """`outputs = op(inputs, **options)`. A sum is printed with its signs; options that ask for nothing are left out.

    note: a comment above it, where a new thought begins.
    group: in a joint plan, whose rows these are; None: the rows of several groups, or of the whole batch.
    """

    op: str
    outputs: tuple[Value, ...]
    inputs: tuple[Value, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    group: int | None = None

    def __str__(self) -> str:
        outputs = ", ".join(map(str, self.outputs))
        if "signs" in self.options:
            terms = [f"{sign} {v.name}" for sign, v in zip(self.options["signs"], self.inputs, strict=True)]
            return f"{outputs} = {' '.join(terms).removeprefix('+ ')}"
        told = {
            name: value
            for name, value in self.options.items()
            if value not in (None, False, (), "all") and name != "carry"
        }
        shown = [f"{name}={option_text(value)}" for name, value in told.items()]
        return f"{outputs} = {self.op}({', '.join([*(value.name for value in self.inputs), *shown])})"


@dataclass(frozen=True)
class Given:
    """A tensor that a plan is given: of a variable, in one of these forms, its plates in front of the rows.

    value: as networks read it (zero where blank; a label). known: something legal where it is blank. given: [B, *shape]
    bool, which elements are there. present: the same as numbers, for networks. result: by name, of another plan.
    """

    variable: str
    kind: Literal["value", "known", "given", "present", "result"] = "value"


@dataclass(frozen=True, eq=False)
class Plan:
    """Lines in the order in which they run, what they are given, and what they are for.

    title: which rows it serves. results: values by name, `total` among them where the plan is of an objective.
    terms: each contribution of the objective before its weight, as it is logged.
    """

    title: str
    given: Mapping[Value, Given]
    lines: tuple[Line, ...]
    results: Mapping[str, Value]
    terms: Mapping[str, Value] = field(default_factory=dict)

    def values(self) -> Iterator[Value]:
        """Every value, in the order in which it comes about."""
        yield from self.given
        for line in self.lines:
            yield from line.outputs

    def __str__(self) -> str:
        lines = [f"{self.title}:", f"  given {', '.join(map(str, self.given))}"]
        for line in self.lines:
            lines += ["", f"  # {line.note}"] if line.note else []
            lines.append(f"  {line}")
            if line.op == "loop":
                lines += [f"  {text}" for text in body_lines(line)]
        lines += [f"  return {name} = {value.name}" for name, value in self.results.items()]
        return "\n".join(lines)


def body_lines(line: Line) -> list[str]:
    """What a walk does for one element."""
    body: Plan = line.options["body"]
    inside, outside = list(body.given), [value.name for value in line.inputs]
    taken = [f"{value}" if value.name == name else f"{value} of {name}" for value, name in zip(inside, outside)]  # noqa: B905
    start = ", ".join(f"{value} = 0" for value in inside[len(outside) :])
    told = [f"  {inner}" for inner in body.lines]
    onward = ", ".join(f"{name} = {body.results[result].name}" for name, result, _ in line.options["carry"])
    return [f"  from {', '.join(taken)}; at first {start}", *told, f"  on to the next: {onward}"]


def option_text(value: Any) -> str:
    """An option as it is printed: a plan within a plan by its size only."""
    return f"<{len(value.lines)} lines>" if isinstance(value, Plan) else str(value).strip()


def needed_lines(plan: Plan) -> tuple[Line, ...]:
    """The lines that the results and the terms depend on."""
    wanted = {value.name for value in (*plan.results.values(), *plan.terms.values())}
    kept: list[Line] = []
    for line in reversed(plan.lines):
        if any(output.name in wanted for output in line.outputs):
            line = with_needed_outputs(line, wanted) if line.op == "loop" else line
            kept.append(line)
            wanted |= {value.name for value in line.inputs}
    return tuple(reversed(kept))


def with_needed_outputs(line: Line, wanted: Collection[str]) -> Line:
    """A walk without what nobody reads of it."""
    body: Plan = line.options["body"]
    unread = [f"of each {place}" for place, output in enumerate(line.outputs) if output.name not in wanted]
    if not unread:
        return line
    results = {name: value for name, value in body.results.items() if name not in unread}
    body = replace(body, results=results)
    outputs = tuple(output for output in line.outputs if output.name in wanted)
    return replace(line, outputs=outputs, options={**line.options, "body": replace(body, lines=needed_lines(body))})


def fresh_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, with underscores behind it until nothing is called so; then it is taken."""
    while wanted in taken:
        wanted += "_"
    taken.add(wanted)
    return wanted


def entered_name(parent: Value, factor: str) -> str:
    """What a parent is called behind the first layers of a factor (by its key): `x_in_q_z`."""
    side, name = factor.split(".", 1)
    return f"{parent.name}_in_{'q' if side == 'recognition' else 'p'}_{name}"
