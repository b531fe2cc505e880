"""Lists and suggestions as the rules about graphs word them."""

from collections.abc import Iterable
from math import log10

from graphspec.reading.suggestions import suggest


def did_you_mean(name: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """`did you mean 'decoder'?`, or `otherwise` if nothing is close."""
    found = suggest(name, candidates)
    return f"did you mean '{found}'?" if found is not None and found != name else otherwise


def amount(number: int, separator: str = "") -> str:
    """A whole number; from a milliard on as the power of ten that it reaches (`10^602`)."""
    return f"{number:,}".replace(",", separator) if number < 10**9 else f"10^{int(log10(number))}"


def listed(names: Iterable[str], most: int = 12) -> str:
    """`a, b and c`; long lists end in how many more there are."""
    known = list(names)
    if len(known) > most:
        return f"{', '.join(known[:most])} and {len(known) - most} more"
    if len(known) < 2:
        return "".join(known)
    return f"{', '.join(known[:-1])} and {known[-1]}"
