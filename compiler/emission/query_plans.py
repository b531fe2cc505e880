"""One question to a trained model, as the plans that answer it: what it needs of both graphs, and nothing else.

From: names of targets and facts. To: a plan for each target, pruned to the lines that its answer needs. Not here: code
(`answer_code`), units of data (`query_class`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from compiler.families.entry import FamilyEntry
from compiler.model.model import Model
from compiler.plan.plan import Plan, Value, needed_lines
from compiler.plan.questions import Walk
from compiler.plan.summaries import Levels, plan_summaries
from compiler.plan.verify import verify
from compiler.symbolic.answer_text import LEAST_DRAWS
from compiler.symbolic.lowering import one_program_for_all
from compiler.symbolic.program import Pattern, Program
from graphspec.graphs.graph import Factor, Graphs
from graphspec.language.objective import AnswerBy


@dataclass(frozen=True)
class Question:
    """What is asked of each row. generative: p answers, from the parents of what is asked; else q does, and labels as
    `by` says. samples: joint draws of what is neither enumerated nor read off a distribution. levels: shares below the
    ends of intervals of labels that are numbers."""

    targets: tuple[str, ...]
    facts: tuple[str, ...]
    generative: bool = False
    samples: int = 100
    by: Mapping[str, AnswerBy] = field(default_factory=dict)
    levels: Levels | None = None

    def way(self, target: str) -> AnswerBy:
        """What answers a target that is hidden."""
        return self.by.get(target, "recognition")


@dataclass(frozen=True)
class AnswerPlan:
    """target: what is answered, by `result` of the plan. way "bound": the target's value is given to the plan, whose
    result is the bound. part: an end of the target's interval, "low" or "high"."""

    target: str
    plan: Plan
    result: Value
    way: Literal["value", "bound"]
    part: str = ""

    @property
    def name(self) -> str:
        """Of what a file gives: `weight`, `weight.low`."""
        return f"{self.target}.{self.part}" if self.part else self.target


def pattern_for(graphs: Graphs, labels: Collection[str]) -> Pattern:
    """Of rows that have these labels whole, and maybe blanks."""
    blanks = tuple(name for name in graphs.observed if graphs.variables[name].missing)
    if one_program_for_all(graphs):
        return Pattern((), graphs.supervised, blanks)
    return Pattern(tuple(name for name in graphs.supervised if name in labels), (), blanks)


def plans_for(model: Model, question: Question) -> list[AnswerPlan]:
    """A plan for each way in which a target is answered. Raises ValueError for what no plan with code can answer."""
    if question.generative:
        return _of_p(model.graphs, question)
    graphs, compiled = model.graphs, model.compiled
    labels = [name for name in question.facts if name in graphs.supervised]
    summed = [name for name in question.targets if name in graphs.exact]
    if summed:
        raise ValueError(f"{summed[0]} is summed out of p, and its answer is a gradient of that sum")
    found = []
    by_q = [name for name in question.targets if question.way(name) != "bound"]
    if by_q:
        program, _ = compiled.program(pattern_for(graphs, labels), question.samples)
        entries: dict[str, FamilyEntry | None] = dict.fromkeys(by_q)
        entries |= _with_ends(model, question, program)
        plan = plan_summaries(program, entries, compiled.features, question.levels, ())
        for name in by_q:
            found.append(AnswerPlan(name, plan, plan.results[f"posterior {name}"], "value"))
            ends = [(part, plan.results.get(f"{part} {name}")) for part in ("low", "high")]
            found += [AnswerPlan(name, plan, end, "value", part) for part, end in ends if end is not None]
    for name in (name for name in question.targets if question.way(name) != "recognition"):
        if graphs.variables[name].row_shape:
            raise ValueError(f"{name} has several elements, each of which the bound answers with the others hidden")
        samples = max(question.samples, LEAST_DRAWS)
        whole = compiled.plan(pattern_for(graphs, [*labels, name]), samples)
        total = replace(whole, results={"total": whole.results["total"]}, terms={})
        found.append(AnswerPlan(name, replace(total, lines=needed_lines(total)), total.results["total"], "bound"))
    return found


def _with_ends(model: Model, question: Question, program: Program) -> dict[str, FamilyEntry | None]:
    """Of labels that are numbers those of which q's own distribution tells an interval, with its family: no mixture
    over what is hidden, no draws."""
    found: dict[str, FamilyEntry | None] = {}
    for name in question.targets if question.levels else ():
        if model.graphs.variables[name].role != "supervised" or name in model.graphs.exact:
            continue
        entry = model.compiled.modules.family(f"recognition.{name}")[0]
        lines = plan_summaries(program, {name: entry}, model.compiled.features, question.levels, ()).lines
        if any(line.op == "own_ends" for line in lines):
            found[name] = entry
    return found


def _of_p(graphs: Graphs, question: Question) -> list[AnswerPlan]:
    """p's own distribution of each target: probabilities of classes, else the mean."""
    walk, results = Walk(graphs, question.facts), dict[str, Value]()

    def take(here: Walk, factor: Factor) -> None:
        name = factor.variable
        if name in question.facts:
            return
        if factor.deterministic:
            here.computed(factor)
            return
        if name in question.targets:
            if here.body is not None:
                raise ValueError(f"{name} is a walk, whose elements p draws one after the other")
            results[name] = _summary(here, factor)
        here.hold(name, here.drawn(factor))

    walk.along("generative", take, question.facts)
    shown = {name: walk.rows_first(name, value) for name, value in results.items()}
    plan = Plan("what p says", walk.given, tuple(walk.lines), shown)
    lines = needed_lines(plan)
    read = {value for line in lines for value in line.inputs} | {*shown.values()}
    plan = verify(replace(plan, lines=lines, given={v: given for v, given in walk.given.items() if v in read}))
    return [AnswerPlan(name, plan, shown[name], "value") for name in question.targets]


def _summary(walk: Walk, factor: Factor) -> Value:
    variable = walk.graphs.variables[factor.variable]
    if not shows_classes(walk.graphs, factor.variable):
        return walk.summary(factor, "mean_value")
    rank = len(variable.shape) + 1
    return walk.write("probabilities", f"of_{factor.variable}", walk.parameters(factor), rank=rank, factor=factor.key)


def shows_classes(graphs: Graphs, target: str) -> bool:
    """An answer holds a probability for each class; of a binary observed variable (a picture's pixels) only that of
    1, which is its mean."""
    variable = graphs.variables[target]
    return variable.support is not None and not (variable.role == "observed" and variable.domain == "binary")


def variables_read(graphs: Graphs, plans: Collection[AnswerPlan], features: Collection[str]) -> tuple[str, ...]:
    """Of observed and supervised variables, and of what stands as a fact, those that plans look at, features' own
    parents included."""
    needed = _read_directly(plans)
    pending = [name for name in needed if name in features]
    while pending:
        above = [name for name in graphs.function(pending.pop()).parents if name not in needed]
        needed |= {*above}
        pending += [name for name in above if graphs.variables[name].role == "deterministic"]
    return tuple(n for n, v in graphs.variables.items() if n in needed and v.role != "deterministic")


def features_read(graphs: Graphs, plans: Collection[AnswerPlan], features: Collection[str]) -> tuple[str, ...]:
    """Of the features those that plans look at, and what these are computed from, in the order of computing."""
    needed, known = _read_directly(plans) & {*features}, [*features]
    for name in reversed(known):
        if name in needed:
            needed |= {parent for parent in graphs.function(name).parents if parent in known}
    return tuple(name for name in known if name in needed)


def _read_directly(plans: Collection[AnswerPlan]) -> set[str]:
    found: set[str] = set()
    for each in plans:
        read = {value for line in each.plan.lines for value in line.inputs} | {*each.plan.results.values()}
        found |= {given.variable for value, given in each.plan.given.items() if value in read}
    return found
