"""Specs of any number of variables, as text: what `benchmarks.scale` and the tests of growth compile."""

from collections.abc import Callable

_END = "networks:\n  default: {kind: linear}\n"


def chain(count: int) -> str:
    """z1 -> z2 -> ... -> x of Gaussian variables, recognised from x back to z1."""
    return _chain(count, "{role: latent, size: 2}")


def discrete_chain(count: int) -> str:
    """The same of binary variables, which are summed while that is cheap."""
    return _chain(count, "{role: latent, domain: binary}")


def star(count: int) -> str:
    """One latent variable and all others observed below it; recognition reads every one."""
    below = [f"x{place}" for place in range(1, count)]
    return (
        "graphspec: 1\nvariables:\n  z: {role: latent, size: 2}\n"
        + "".join(f"  {name}: {{role: observed, size: 2}}\n" for name in below)
        + "generative:\n  z: {}\n"
        + "".join(f"  {name}: {{parents: [z]}}\n" for name in below)
        + f"recognition:\n  z: {{parents: [{', '.join(below)}]}}\n"
        + _END
    )


def _chain(count: int, declared: str) -> str:
    hidden = [f"z{place}" for place in range(1, count)]
    down = zip([*hidden[1:], "x"], hidden, strict=True)
    up = zip(reversed(hidden), ["x", *reversed(hidden[1:])], strict=True)
    return (
        "graphspec: 1\nvariables:\n  x: {role: observed, size: 4}\n"
        + "".join(f"  {name}: {declared}\n" for name in hidden)
        + "generative:\n  z1: {}\n"
        + "".join(f"  {name}: {{parents: [{parent}]}}\n" for name, parent in down)
        + "recognition:\n"
        + "".join(f"  {name}: {{parents: [{parent}]}}\n" for name, parent in up)
        + _END
    )


SHAPES: dict[str, Callable[[int], str]] = {"chain": chain, "discrete-chain": discrete_chain, "star": star}
