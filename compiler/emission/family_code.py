"""Families as code: calls of their functions, or what such a function computes, written in its place.

A function of one expression that reads each argument once is written in place where that reads better than its name:
`q_z_loc + q_z_scale * noise` for `normal_draw`. Nothing here knows one family from another.
"""

import ast
import inspect
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from compiler.emission.text import grouped, number, tuple_text
from compiler.families import ENTRIES, Extras, FamilyEntry, extras_of
from compiler.families.entry import Function, argument_names
from graphspec.graphs.graph import Factor, Variable

LONGEST = 60
"""Characters of an expression that is written in place."""


def called(function: Function, arguments: Sequence[str], extras: Extras) -> str:
    """A call, with the constants that the function asks for."""
    return f"{function.__name__}({', '.join([*arguments, *_constants(function, len(arguments), extras)])})"


def in_place(function: Function, arguments: Sequence[str], extras: Extras) -> str:
    """The function's expression with the arguments' code in it; a call where it is long or reads one of them twice."""
    expression = _expression(function)
    if expression is None:
        return called(function, arguments, extras)
    code = [*arguments, *_constants(function, len(arguments), extras)]
    given = dict(zip(argument_names(function), code, strict=True))
    for name in sorted(_reads(expression, given), key=lambda name: name.col_offset, reverse=True):
        before, behind = expression[: name.col_offset], expression[name.end_col_offset :]
        argument = before.endswith(("(", ", ")) and behind.startswith((")", ","))
        expression = before + (given[name.id] if argument else grouped(given[name.id])) + behind
    return expression


def _constants(function: Function, tensors: int, extras: Extras) -> list[str]:
    return [number(value) if isinstance(value, float) else repr(value) for value in extras.of(function, tensors)]


@cache
def _expression(function: Function) -> str | None:
    """What the function returns, if that is short and reads every argument once."""
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef)
    last = definition.body[-1]
    if len(definition.body) > 2 or not isinstance(last, ast.Return) or last.value is None:
        return None  # more than a docstring and what is returned
    code, names = ast.get_source_segment(source, last.value) or "", argument_names(function)
    once = sorted(name.id for name in _reads(code, names)) == sorted(names)
    return code if once and len(code) <= LONGEST and "\n" not in code else None


def _reads(expression: str, names: Collection[str]) -> list[ast.Name]:
    tree = ast.parse(expression, mode="eval")
    return [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in names]


@dataclass(frozen=True)
class FamilyCode:
    """The family of one factor, and its variable's constants, as code. Parameters are in the family's order."""

    entry: FamilyEntry
    extras: Extras

    def inputs(self, parameters: Sequence[str]) -> list[str]:
        """What the family's functions take: its parameters, or the log probabilities of its classes."""
        return [self.classes(parameters)] if self.entry.by_class else list(parameters)

    def classes(self, parameters: Sequence[str]) -> str:
        """Log probabilities of the classes [..., K]."""
        assert self.entry.log_probs is not None, f"{self.entry.name} has no classes"
        return in_place(self.entry.log_probs, parameters, self.extras)

    def log_prob(self, value: str, parameters: Sequence[str]) -> str:
        """Log density of each element; `value` of classes as weights [..., K]."""
        return called(self.entry.log_prob, [value, *self.inputs(parameters)], self.extras)

    def draw(self, parameters: Sequence[str], noise: str) -> str | None:
        """A differentiable draw; None where the family has none."""
        function = self.entry.draw
        return None if function is None else in_place(function, [noise, *self.inputs(parameters)], self.extras)

    def drawn(self, parameters: Sequence[str], noise: str) -> str:
        """A draw without gradient, of parameters that have none; of classes the index."""
        if self.entry.by_class:
            return f"({self.classes(parameters)} + {noise}).argmax(-1)"
        function = self.entry.sample or self.entry.draw
        assert function is not None, f"{self.entry.name} has draws"
        return in_place(function, [noise, *parameters], self.extras)

    def relaxed(self, parameters: Sequence[str], noise: str, temperature: str, *, hard: bool) -> str | None:
        """A Concrete draw; hard: straight through. None where the family has none."""
        if self.entry.relaxed is None:
            return None
        code = in_place(self.entry.relaxed, [noise, *self.inputs(parameters), temperature], self.extras)
        return called(self.entry.hardened, [code], self.extras) if hard and self.entry.hardened is not None else code

    def divergence(self, p: "FamilyCode", ours: Sequence[str], theirs: Sequence[str]) -> str | None:
        """KL(this || p) of each element; None for a pair without a closed form."""
        function = self.entry.divergences.get(p.entry.name)
        return None if function is None else called(function, [*self.inputs(ours), *p.inputs(theirs)], self.extras)

    def standard_divergence(self, p: "FamilyCode", ours: Sequence[str]) -> str | None:
        """The same where p's parameters have their standard values; None where the family has no shorter form of it."""
        function, same = self.entry.standard_divergence, self.entry.name == p.entry.name
        if function is None or not (same or (self.entry.by_class and p.entry.by_class)):
            return None
        return called(function, self.inputs(ours), self.extras)

    def noise(self, lead: Sequence[str], like: str) -> str:
        """The call that draws the variable's noise: [*lead, *event, *what the family needs]."""
        kind, event = self.entry.noise_kind, self.extras.shape
        sizes = (*event, *kind.sizes, *([self.extras.classes] if self.entry.by_class else []))
        axis = [f"-{len(event)}"] if kind.along_axis else []
        arguments = [tuple_text([*lead, *map(str, sizes)]), *axis, like, "generator"]
        return f"{kind.copied.__name__}({', '.join(arguments)})"


def coded_family(factor: Factor, variable: Variable) -> FamilyCode | None:
    """None for a flow."""
    assert factor.family is not None, f"{factor.key} is deterministic"
    entry = ENTRIES.get(factor.family.name)
    return None if entry is None else FamilyCode(entry, extras_of(factor.family, factor.options, variable))
