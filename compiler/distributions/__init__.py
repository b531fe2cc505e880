"""Families of distributions: densities, draws from shared noise, closed-form divergences."""

from compiler.distributions.base import Distribution
from compiler.distributions.building import CLASSES, build
from compiler.distributions.divergence import closed_kl, closed_kl_each

__all__ = ["CLASSES", "Distribution", "build", "closed_kl", "closed_kl_each"]
