"""Families of distributions: densities, draws from shared noise, closed-form divergences."""

from compiler.families.divergences import divergence, divergence_each
from compiler.families.entry import Extras, FamilyEntry
from compiler.families.family_table import ENTRIES, extras_of

__all__ = ["ENTRIES", "Extras", "FamilyEntry", "divergence", "divergence_each", "extras_of"]
