"""Numbers that change during training."""

import math


def progress(epoch: float, begin: float, epochs: float, cycles: int) -> float:
    """How far the change has come, in [0, 1]: it repeats `cycles` times within `epochs`."""
    part = (epoch - begin) / epochs
    if part <= 0:
        return 0.0
    return 1.0 if part >= 1 else part * cycles - math.floor(part * cycles)


def straight(start: float, end: float, part: float) -> float:
    """A straight line."""
    return start + (end - start) * part


def cosine(start: float, end: float, part: float) -> float:
    """Half a cosine wave: slow at both ends."""
    return start + (end - start) * (1 - math.cos(math.pi * part)) / 2


def exponential(start: float, end: float, part: float) -> float:
    """A constant factor per epoch."""
    return start * math.exp(part * math.log(end / start))
