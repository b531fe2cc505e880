"""The table of families, and from a family's constrained parameters to a variable's distribution."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from compiler.families import counts, finite, gammas, location_scale, unit, von_mises_fisher
from compiler.families.distribution import Distribution
from compiler.families.entry import Extras, FamilyEntry
from graphspec.diagnostics import InternalError
from graphspec.graphs.graph import Variable
from graphspec.language.families import Family

_FILES = (location_scale, gammas, von_mises_fisher, finite, unit, counts)
ENTRIES: dict[str, FamilyEntry] = {entry.name: entry for file in _FILES for entry in file.ENTRIES}
"""Every family but the flows, which have weights of their own (`families.flows`)."""


def extras_of(family: Family, options: Mapping[str, Any], variable: Variable) -> Extras:
    """The constants of `variable` that its family's functions may ask for; options that are not given by default."""
    given = {name: options.get(name, default) for name, (default, _) in family.options.items()}
    return Extras(variable.shape, variable.support, variable.minimum, variable.domain == "count", given)


def build(
    family: Family, options: Mapping[str, Any], parameters: Mapping[str, Tensor], variable: Variable
) -> Distribution:
    """The distribution of `variable`; parameters are constrained (logits as they are), [*axes, B, *shape(, K)].

    Raises InternalError for a flow (`flows.build_flow_map`).
    """
    entry = ENTRIES.get(family.name)
    if entry is None:
        raise InternalError(f"no distribution is built for family {family.name!r} from parameters alone")
    return Distribution(entry, extras_of(family, options, variable), parameters)
