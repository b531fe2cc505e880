"""One entry of the catalogue of diagnostics."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One kind of finding: a title of a few words, and an explanation with an example of the repair."""

    title: str
    explanation: str
