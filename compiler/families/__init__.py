"""Families of distributions: densities, draws from shared noise, closed-form divergences."""

from compiler.families.building_distributions import CLASSES, build
from compiler.families.distribution import Distribution
from compiler.families.divergence import closed_kl, closed_kl_each

__all__ = ["CLASSES", "Distribution", "build", "closed_kl", "closed_kl_each"]
