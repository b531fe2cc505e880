"""Epochs of steps, validation, resuming, and what is around them."""
