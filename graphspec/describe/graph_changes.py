"""What differs between two specs, in words: variables, edges, families, networks, objective, training."""

from collections.abc import Iterable
from dataclasses import dataclass

from graphspec.describe.resolved import differences, spec_as_plain
from graphspec.graphs.graph import SIDES, Factor, Graphs

LETTERS = {"generative": "p", "recognition": "q"}
ASIDE = ("seed",)
"""Fields of training that make no other model."""


@dataclass(frozen=True)
class Change:
    """One difference. first, second: what either spec has there; None where it has nothing."""

    where: str
    first: str | None
    second: str | None

    def __str__(self) -> str:
        if self.first is None:
            return f"+ {self.where}" + (f": {self.second}" if self.second else "")
        if self.second is None:
            return f"- {self.where}" + (f": {self.first}" if self.first else "")
        return f"  {self.where}: {self.first} -> {self.second}"


def changes(first: Graphs, second: Graphs) -> list[Change]:
    """From the first spec to the second, in the order of their sections; empty where they say the same."""
    one, two = (dict(_facts(graphs)) for graphs in (first, second))
    found = [
        Change(where, one.get(where), two.get(where))
        for where in [*one, *(where for where in two if where not in one)]
        if one.get(where) != two.get(where)
    ]
    ours, theirs = (spec_as_plain(graphs.spec) for graphs in (first, second))
    for section in ("objective", "training"):
        for where, old, new in differences(ours.get(section) or {}, theirs.get(section) or {}):
            if where not in ASIDE:
                found.append(
                    Change(f"{section}.{where}", *(None if each is None else str(each) for each in (old, new)))
                )
    return found


def _facts(graphs: Graphs) -> Iterable[tuple[str, str]]:
    for name, variable in graphs.variables.items():
        if variable.role != "deterministic":
            size = f" {[*variable.row_shape]}" if variable.row_shape else ""
            yield f"variable {name}", f"{variable.role} {variable.domain}{size}"
    for side in SIDES:
        for factor in graphs.factors(side).values():
            if factor.view is None and factor.side == side:
                yield from _of_factor(factor, LETTERS[side])
    for name in graphs.exact:
        yield f"exact {name}", "summed out of p"


def _of_factor(factor: Factor, letter: str) -> Iterable[tuple[str, str]]:
    name = factor.variable
    for parent in factor.parents:
        yield f"{letter} edge {parent} -> {name}", ""
    family = "a function" if factor.family is None else factor.family.name
    options = ", ".join(f"{key} {value}" for key, value in factor.options.items())
    yield f"{letter}({name}) family", f"{family} {options}".strip()
    if factor.network is not None and factor.parents:
        dumped = factor.network.model_dump(by_alias=True, exclude_defaults=True)
        told = ", ".join(f"{key} {value}" for key, value in dumped.items() if key != "kind")
        yield f"{letter}({name}) network", f"{factor.network.kind} {told}".strip()
    for key, value in factor.parameters.items():
        yield f"{letter}({name}) {key}", str(value)
