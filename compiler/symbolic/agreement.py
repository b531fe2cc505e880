"""The consistency regulariser as a value: `explain` prints it, training evaluates it. No part of the bound (no torch).

    R_y = w / R * sum over the R training rows without y of
          sum over y's elements that the row lacks of  [max_k t_k >= confidence] * - sum_k t_k log q(y = k | row)

t = q(y | clean row) of the averaged model, held fixed; q(y | row) is what the bound's own evaluation of the row gives.
Training minimises - L + R_y. Source of the idea: Sohn et al. 2020 (FixMatch, eq. 4, which takes t's largest class
for certain) with the averaged teacher of Tarvainen and Valpola 2017. With `adversarial` the second q is of the row
moved where the answer changes most (Miyato et al. 2018, section 3).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod

import networkx as nx

from compiler.symbolic.program import Program
from compiler.symbolic.schedules import value_at
from graphspec.graphs.graph import Graphs
from graphspec.language import Schedule

PROBE = 0.1
"""Where along a random direction the gradient is taken along which rows are moved, as a share of the whole length. At 0
it would vanish: there the divergence from the model's own answer has its minimum."""

TEACHER_DECAY = 0.999
"""Decay of the averaged weights where the spec has no `training.ema`; they then serve this purpose only."""


@dataclass(frozen=True)
class Agreement:
    """One entry of `objective.consistency`.

    elements: how many the variable has. observed, labels, hidden: what q(y | .) depends on, by role; labels a row has
    are clamped, what is hidden is summed out or averaged over draws. decay: of the averaged weights. adversarial: how
    far a row is moved, 0 for not at all. moves: observed variables that are moved then.
    """

    variable: str
    weight: float | Schedule
    after: float
    confidence: float
    elements: int
    observed: tuple[str, ...]
    labels: tuple[str, ...]
    hidden: tuple[str, ...]
    decay: float
    adversarial: float
    moves: tuple[str, ...]

    @property
    def term(self) -> str:
        """What it is called in logs."""
        return f"consistency.{self.variable}"

    def weight_at(self, epoch: float) -> float:
        """Its weight at a fractional epoch: 0 before `after`."""
        return value_at(self.weight, epoch) if epoch >= self.after else 0.0


def agreements(graphs: Graphs) -> tuple[Agreement, ...]:
    """Every regulariser of the spec, in the order written."""
    return tuple(_agreement(graphs, name) for name in graphs.spec.objective.consistency)


def _agreement(graphs: Graphs, name: str) -> Agreement:
    wanted, variable = graphs.spec.objective.consistency[name], graphs.variables[name]
    above = ancestors(graphs, name)
    decay = graphs.spec.training.ema
    observed = tuple(n for n in graphs.observed if n in above)
    return Agreement(
        variable=name,
        weight=wanted.weight,
        after=wanted.after,
        confidence=wanted.confidence,
        elements=prod(variable.shape),
        observed=observed,
        labels=tuple(n for n in graphs.supervised if n in above),
        hidden=tuple(n for n in graphs.latent if n in above),
        decay=TEACHER_DECAY if decay is None else decay,
        adversarial=wanted.adversarial,
        moves=tuple(n for n in observed if graphs.variables[n].info.movable) if wanted.adversarial else (),
    )


def ancestors(graphs: Graphs, name: str) -> frozenset[str]:
    """Everything that q(name | .) depends on, deterministic variables included."""
    return frozenset(nx.ancestors(graphs.graph("recognition"), name))


def reduced(program: Program, names: Iterable[str]) -> Program:
    """Only the steps that the answers for `names` need: recognition down to them, and nothing generative."""
    wanted = set(names)
    wanted = wanted.union(*(ancestors(program.graphs, name) for name in wanted))
    steps = tuple(step for step in program.recognition if step.factor.variable in wanted)
    return replace(program, recognition=steps, generative=())
