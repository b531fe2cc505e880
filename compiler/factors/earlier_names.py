"""What the tensors of a factor are called in an earlier run, where variables have other names.

A variable's name is part of a tensor's: in the factor's own, in `from_NAME` where a network reads a parent, and in
`entrances.of_NAME`.
"""

from collections.abc import Mapping

from compiler.factors.factor_modules import FactorModule
from compiler.tensors.blanks import PRESENCE
from graphspec.language import Initialize


def names_in_run(module: FactorModule, entry: Initialize) -> dict[str, str]:
    """The module's tensors, named as below the factor here: {name here: name in the run}."""
    there = {parent: entry.there(parent) for parent in module.factor.parents}
    moved = {parent: name for parent, name in there.items() if name != parent}
    return {name: _in_run(name, moved) for name in module.state_dict()}


def _in_run(name: str, moved: Mapping[str, str]) -> str:
    parts = name.split(".")
    for place, part in enumerate(parts):
        before = "of_" if place and parts[place - 1] == "entrances" else "from_"
        for here, there in moved.items():
            rest = part.removeprefix(before + here)
            if part.startswith(before + here) and (rest in ("", PRESENCE) or rest.startswith("_to_")):
                parts[place] = before + there + rest
                break
    return ".".join(parts)
