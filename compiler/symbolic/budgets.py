"""`{kind: enumerate, budget: auto}`: sum every value, or the likeliest and one weighted draw for the rest.

Both are unbiased. The draw costs variance, which fades as q becomes sure of a value; what it saves is work, and that is
known before anything runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from compiler.symbolic.cost import program_cost
from compiler.symbolic.program import Choice, Program
from graphspec.graphs.graph import Graphs

PAYS = 1.5
"""A budget is taken where a row then costs this many times less work."""


def with_paying_budgets(
    graphs: Graphs, choices: dict[str, Choice], assembled: Callable[[Mapping[str, Choice]], Program]
) -> dict[str, Choice]:
    """The choices, each `budget: auto` of 1 kept where it pays and else made a full sum, one variable after the other.

    assembled: the program of some choices, whose cost is compared.
    """
    asked = graphs.spec.objective.estimators
    for name, choice in tuple(choices.items()):
        if choice.budget is None or asked[name].budget != "auto":
            continue
        full = choices | {name: replace(choice, budget=None)}
        saved = _work(assembled(full)) / max(_work(assembled(choices)), 1)
        if saved >= PAYS:
            reason = f"{choice.reason}; a row costs {saved:.1f} times less than with every value"
            choices = choices | {name: replace(choice, reason=reason)}
        else:
            values = graphs.variables[name].support
            reason = f"{values} values: a budget would save only a factor of {saved:.1f}, the sum is exact"
            choices = full | {name: Choice("enumerate", reason)}
    return choices


def _work(program: Program) -> int:
    return program_cost(program).multiply_adds
