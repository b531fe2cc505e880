"""Figures of merit: of a model on a split, and of codes against known factors."""
