"""Families of distributions: densities, draws from shared noise, closed-form divergences."""

from compiler.families.distribution import Distribution
from compiler.families.divergences import closed_kl, closed_kl_each, divergence, divergence_each
from compiler.families.entry import Extras, FamilyEntry
from compiler.families.family_table import ENTRIES, build, extras_of

__all__ = [
    "ENTRIES",
    "Distribution",
    "Extras",
    "FamilyEntry",
    "build",
    "closed_kl",
    "closed_kl_each",
    "divergence",
    "divergence_each",
    "extras_of",
]
