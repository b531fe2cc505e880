"""The intermediate representation: what runs, in which order, for rows that have exactly these labels.

A `Program` is frozen and symbolic (no torch). Its law is `verify`: every value exists before it is read, every axis has
a size, every hidden variable has an estimator.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import networkx as nx

from compiler.symbolic.axis_names import SAMPLES, axis_label, canonical, without_plates
from compiler.symbolic.joint_axes import JointAxes
from graphspec.diagnostics import InternalError
from graphspec.graphs.exact_sums import ExactSum, exact_sums
from graphspec.graphs.graph import Factor, Graphs, plate_axis
from graphspec.graphs.label_sets import sets_of_labels
from graphspec.graphs.walks import Loop
from graphspec.language.plates import shown

Axes = tuple[str, ...]
Action = Literal[
    "compute", "clamp", "enumerate", "reparameterize", "relax", "score_function", "mean", "certain", "score"
]


@dataclass(frozen=True)
class Pattern:
    """What a group of rows has. `labels` are clamped whole, the other supervised variables are hidden.

    masked: supervised variables of which each row (and each element) has a label or not: a mask decides.
    blanks: observed variables with `missing: true` of which rows may lack elements: a mask drops their likelihood.
    """

    labels: tuple[str, ...]
    masked: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [" and ".join(self.labels)] if self.labels else []
        if self.masked:
            parts.append("any part of " + ", ".join(self.masked))
        text = "rows with " + ", and ".join(parts) if parts else "rows without labels"
        return text + (f" (blanks in {', '.join(self.blanks)})" if self.blanks else "")


@dataclass(frozen=True)
class Choice:
    """How the expectation over one hidden variable is taken, and why.

    budget: of an enumerated variable, how many values are summed one by one; one weighted draw stands for the rest.
    joint: all elements that a row has of it are summed together, because something reads them together.
    """

    estimator: Literal["enumerate", "reparameterize", "relax", "score_function", "mean"]
    reason: str
    closed_kl: bool = False
    closed_kl_reason: str = ""
    budget: int | None = None
    joint: bool = False


@dataclass(frozen=True)
class Step:
    """One factor at work. Axes of the variable's value, of its log density on this side, and of its parents' values.

    masked: some elements are given and the others are not, row by row. loop: the walk that it is a part of.
    """

    action: Action
    factor: Factor
    value_axes: Axes
    density_axes: Axes = ()
    parent_axes: Axes = ()
    masked: bool = False
    loop: Loop | None = None


@dataclass(frozen=True)
class Summed:
    """An exact sum in a program. axes: what is left of it to vary over. read: hidden variables whose values its factors
    read, outside of the sum."""

    over: ExactSum
    axes: Axes
    read: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """Recognition in order with labels clamped, then generative scores, for one observation pattern.

    sizes: length of every axis (the sample axis included where it is used).
    upstream: hidden variables that a clamped label's recognition factor depends on, directly or not.
    joint: axes of variables whose elements are summed together.
    sums: what is summed out of p exactly.
    """

    graphs: Graphs
    pattern: Pattern
    samples: int
    recognition: tuple[Step, ...]
    generative: tuple[Step, ...]
    choices: Mapping[str, Choice]
    sizes: Mapping[str, int]
    upstream: frozenset[str]
    joint: JointAxes = field(default_factory=JointAxes)

    sums: tuple[Summed, ...] = ()

    @cached_property
    def own(self) -> frozenset[str]:
        """Latents that are drawn for each value of an exact variable: their terms stand inside the sum."""
        return frozenset(name for each in self.sums for name in each.over.own)

    @cached_property
    def inside(self) -> frozenset[str]:
        """Variables whose factors of p stand inside an exact sum."""
        return frozenset(name for each in self.sums for name in each.over.factors)

    @cached_property
    def exact(self) -> Mapping[str, Summed]:
        """The sum of each exact variable."""
        return {name: each for each in self.sums for name in each.over.variables}

    def held_before(self, label: str) -> tuple[str, ...]:
        """Exact labels of the same sum that come before one of them: its term is what it adds to theirs."""
        together = self.exact[label].over.variables
        names = [name for name in self.labelled if name in together]
        return tuple(names[: names.index(label)])

    def plates_of(self, name: str) -> Axes:
        """The plates over which a variable's term is added up: of an exact one those that its sum leaves."""
        left = self.exact[name].over.plates if name in self.exact else None
        axes = self.graphs.variables[name].plate_axes if left is None else map(plate_axis, left)
        return canonical(axes)

    @cached_property
    def hidden(self) -> tuple[str, ...]:
        """Variables that these rows lack and that are no function of others, in recognition order."""
        return tuple(s.factor.variable for s in self.recognition if s.action not in ("compute", "clamp", "certain"))

    @cached_property
    def certain(self) -> tuple[str, ...]:
        """Variables that these rows lack, or may lack, and that are computed from others, in recognition order."""
        return tuple(step.factor.variable for step in self.recognition if step.action == "certain")

    @cached_property
    def clamped(self) -> tuple[str, ...]:
        """Labels these rows have, in recognition order."""
        return tuple(name for name in self.graphs.recognised if name in self.pattern.labels)

    @cached_property
    def sparse(self) -> tuple[str, ...]:
        """Enumerated variables with a budget: their axis holds the likeliest values and one draw for the rest."""
        return tuple(name for name, choice in self.choices.items() if choice.budget is not None)

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """Hidden variables whose gradient is taken by the score function."""
        return tuple(name for name, choice in self.choices.items() if choice.estimator == "score_function")

    @cached_property
    def labelled(self) -> tuple[str, ...]:
        """Clamped and masked variables: all whose labels may count, in recognition order."""
        return tuple(n for n in self.graphs.recognised if n in self.pattern.labels or n in self.pattern.masked)

    @cached_property
    def enumerated(self) -> tuple[str, ...]:
        """Hidden variables whose values are all taken, in recognition order."""
        return tuple(step.factor.variable for step in self.recognition if step.action == "enumerate")

    def hidden_counts(self, plates: Iterable[str]) -> tuple[str, ...]:
        """Counts of plates, by name, and of those they are inside of that these rows may lack."""
        around = dict.fromkeys(outer for name in plates for outer in self.graphs.plates[name].path)
        counts = (self.graphs.plates[name].count for name in around)
        return tuple(count for count in counts if count is not None and count in self.hidden)

    def log_q_axes(self) -> Mapping[str, Axes]:
        """Axes of log q(v | parents) for every hidden or clamped variable."""
        return self._log_q_axes

    @cached_property
    def _log_q_axes(self) -> Mapping[str, Axes]:
        return {s.factor.variable: s.density_axes for s in self.recognition if s.action != "compute"}

    def log_p_axes(self) -> dict[str, Axes]:
        """Axes of log p(v | parents) for every variable that p models."""
        return {s.factor.variable: s.density_axes for s in self.generative if s.action == "score"}

    def label_axes(self) -> dict[str, Axes]:
        """Axes of the label part of log q(y | parents): a given element's density varies with the parents only."""
        steps = (s for s in self.recognition if s.action == "clamp" or s.masked)
        summed = {name: each.axes for name, each in self.exact.items() if name in self.labelled}
        return {step.factor.variable: step.parent_axes for step in steps} | summed

    def weighing_labels(self) -> tuple[str, ...]:
        """Labels whose density varies over an axis of draws or values: they make importance weights."""
        axes = self.label_axes()
        return tuple(name for name in self.labelled if without_plates(axes.get(name, ())))

    def elements_apart(self) -> Axes:
        """Plates whose elements are independent under q given their labels, so that a label weighs the draws of its own
        element only: all labels that weigh draws stand there, and so does every hidden variable upstream of them, which
        nobody reads across elements on the way. Else none: the labels of a row weigh its joint draws."""
        weighing = self.weighing_labels()
        plates = {self.plates_of(name) for name in weighing}
        if len(plates) != 1 or not (path := plates.pop()):
            return ()
        graph, names = label_graph(self.graphs), set(weighing)
        above = names.union(*(nx.ancestors(graph, name) for name in weighing))
        hidden = [name for name in self.hidden if name in above]
        crossed = {view.base for name in above & self.graphs.views.keys() if (view := self.graphs.views[name].view)}
        below = {name for name in above if any(nx.has_path(graph, h, name) for h in hidden)}
        if any(self.plates_of(name) != path for name in hidden) or crossed & {*hidden, *below}:
            return ()
        if self.joint.joint.intersection(hidden) or self.hidden_counts(map(axis_label, path)):
            return ()
        return path

    @cached_property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """{plate: its labels that rows of this pattern have}, where the labels of its elements are a set."""
        sets = sets_of_labels(self.graphs)
        held = {plate: tuple(name for name in self.labelled if name in names) for plate, names in sets.items()}
        return {plate: names for plate, names in held.items() if names}

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The walks, in the order in which they run."""
        steps = (*self.recognition, *self.generative)
        return tuple(dict.fromkeys(step.loop for step in steps if step.loop is not None))

    def __str__(self) -> str:
        lines = [f"{self.pattern}:"]
        lines += [f"  q  {'sum out':<15}{', '.join(each.over.variables)}{axes_text(each.axes)}" for each in self.sums]
        lines += [f"  q  {'assign':<15}{', '.join(names)} to {plate}" for plate, names in self.sets.items()]
        for letter, steps in (("q", self.recognition), ("p", self.generative)):
            last: Loop | None = None
            for step in steps:
                if step.loop is not None and step.loop != last:
                    lines.append(f"  {letter}  {loop_text(step.loop)}:")
                last = step.loop
                lines.append(f"  {letter}  {'  ' if step.loop else ''}{_sentence(step)}")
        return "\n".join(lines)


def loop_text(loop: Loop) -> str:
    """`walk along time`, `walk back along time`."""
    return f"walk {'back ' if loop.kind == 'next' else ''}along {loop.plate}"


def label_graph(graphs: Graphs) -> nx.DiGraph:
    """The recognition graph, exact variables below everything that their sums read."""
    graph = nx.DiGraph(graphs.graph("recognition"))
    for each in exact_sums(graphs):
        factors = [graphs.generative[name] for name in each.factors] + [graphs.recognition[name] for name in each.own]
        read = {parent for factor in factors for parent in factor.parents} | {*each.factors}
        functions, pending = set[str](), [name for name in read if graphs.variables[name].role == "deterministic"]
        while pending:
            name = pending.pop()
            if name not in functions and not graphs.summed_neighbour(name):
                functions.add(name)
                graph.add_edges_from((parent, name) for parent in graphs.function(name).parents)
                pending += [p for p in graphs.function(name).parents if graphs.variables[p].role == "deterministic"]
        outside = read - {*each.variables, *each.own}
        graph.add_edges_from((name, exact) for name in outside for exact in each.variables)
    return graph


def conditional_text(letter: str, variable: str, parents: tuple[str, ...]) -> str:
    """`q(z | x, y)`."""
    return f"{letter}({variable} | {', '.join(map(shown, parents))})" if parents else f"{letter}({variable})"


def function_text(variable: str, parents: tuple[str, ...]) -> str:
    """`h = f(x, y)`."""
    return f"{shown(variable)} = f({', '.join(map(shown, parents))})"


def axes_text(axes: Axes) -> str:
    """`[samples, y]`, or nothing."""
    return f"  over [{', '.join(axis.strip() for axis in axes)}]" if axes else ""


def _sentence(step: Step) -> str:
    factor = step.factor
    if step.action in ("compute", "certain"):
        return f"{'compute':<15}{function_text(factor.variable, factor.parents)}{axes_text(step.value_axes)}"
    text = conditional_text(factor.side[0].replace("g", "p").replace("r", "q"), factor.variable, factor.parents)
    return f"{step.action:<15}{text}{axes_text(step.density_axes)}"


def verify(program: Program) -> Program:
    """The law of the representation. Raises InternalError naming the step that breaks it."""
    known = {*program.graphs.observed, *program.pattern.labels, *program.exact}
    carried = {name for loop in program.loops for name in loop.carried}
    for step in (*program.recognition, *program.generative):
        later = step.factor.variable in carried and step.loop is not None  # its parent is of the element before
        later |= step.action == "clamp" and bool(carried)  # its density is asked for once every value is there
        missing = [parent for parent in step.factor.parents if parent not in known and not later]
        if missing:
            raise InternalError(f"{step.factor.key} reads {missing[0]} before it has a value in {program.pattern}")
        for axis in (*step.value_axes, *step.density_axes):
            if axis not in program.sizes:
                raise InternalError(f"axis {axis!r} of {step.factor.key} has no size in {program.pattern}")
        if step.value_axes != canonical(step.value_axes) or step.density_axes != canonical(step.density_axes):
            raise InternalError(f"axes of {step.factor.key} are not in canonical order in {program.pattern}")
        if step.action == "score" and step.factor.variable not in known:
            raise InternalError(f"{step.factor.key} is scored without a value in {program.pattern}")
        known.add(step.factor.variable)
    unchosen = set(program.hidden) - set(program.choices)
    if unchosen:
        raise InternalError(f"no estimator was chosen for {sorted(unchosen)} in {program.pattern}")
    if program.sizes.get(SAMPLES, 1) != program.samples and SAMPLES in program.sizes:
        raise InternalError(f"the sample axis does not have {program.samples} entries in {program.pattern}")
    return program
