"""Families of distributions: densities, draws from shared noise, closed-form divergences; the table of all of them."""

from collections.abc import Mapping
from typing import Any

from compiler.families import counts, finite, gammas, location_scale, unit, von_mises_fisher
from compiler.families.divergences import divergence, divergence_each
from compiler.families.entry import Extras, FamilyEntry
from graphspec.graphs.graph import Variable
from graphspec.language.families import Family

_FILES = (location_scale, gammas, von_mises_fisher, finite, unit, counts)
ENTRIES: dict[str, FamilyEntry] = {entry.name: entry for file in _FILES for entry in file.ENTRIES}
"""Every family but the flows, which have weights of their own (`families.flows`)."""


def extras_of(family: Family, options: Mapping[str, Any], variable: Variable) -> Extras:
    """The constants of `variable` that its family's functions may ask for; options that are not given by default."""
    given = {name: options.get(name, default) for name, (default, _) in family.options.items()}
    return Extras(variable.shape, variable.support, variable.minimum, variable.domain == "count", given)


__all__ = ["ENTRIES", "Extras", "FamilyEntry", "divergence", "divergence_each", "extras_of"]
