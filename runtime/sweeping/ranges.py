"""What a search draws from: `log(a,b)`, `uniform(a,b)`, `int(a,b)`, `choice(a,b,...)`, or a plain list of values.

From: `--over` texts. To: `Range`s, and override texts of drawn values. Nothing of Optuna but what a trial offers.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from runtime.errors import RunError
from runtime.sweeping.swept_values import Field, read_fields, read_value, split_outside

Kind = Literal["log", "uniform", "int", "choice"]
_CALL = re.compile(r"(log|uniform|int|choice)\((.*)\)\s*\Z", re.DOTALL)
_EXAMPLE = 'write --over "FIELD=log(1e-4,1e-2)", uniform(a,b), int(a,b) or choice(a,b,c)'


class Offer(Protocol):
    """The part of an Optuna trial that draws a value."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_int(self, name: str, low: int, high: int) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> Any: ...


@dataclass(frozen=True)
class Range:
    """One searched field. `ends`: lowest and highest value (log, uniform, int); `texts`: the values of a choice."""

    name: str
    kind: Kind
    ends: tuple[float, float] = (0.0, 0.0)
    texts: tuple[str, ...] = ()

    def draw(self, offer: Offer) -> str:
        """A value as an override writes it."""
        if self.kind == "choice":
            return str(offer.suggest_categorical(self.name, self.texts))
        if self.kind == "int":
            return str(offer.suggest_int(self.name, int(self.ends[0]), int(self.ends[1])))
        return repr(float(offer.suggest_float(self.name, *self.ends, log=self.kind == "log")))

    @property
    def corners(self) -> tuple[str, ...]:
        """Values to check before anything runs: both ends, or every choice."""
        if self.kind == "choice":
            return self.texts
        return tuple(str(int(end)) if self.kind == "int" else repr(end) for end in self.ends)

    def describe(self) -> str:
        """As it could be written."""
        inside = self.texts if self.kind == "choice" else self.corners
        return f"{self.name}={self.kind}({','.join(inside)})"


def read_ranges(texts: Sequence[str]) -> tuple[Range, ...]:
    """`--over` of a search. RunError for a range without room, or that is none."""
    if not texts:
        raise RunError("--search has nothing to vary", _EXAMPLE)
    return tuple(_range(field) for field in read_fields(texts, calls=True))


def _range(field: Field) -> Range:
    match = _CALL.match(field.texts[0]) if len(field.texts) == 1 else None
    if match is None:
        stray = next((text for text in field.texts if re.match(r"[A-Za-z_]\w*\(", text)), None)
        if stray is not None:
            raise RunError(f"--over {field.name}: {stray!r} is no range", _EXAMPLE)
        read_fields([f"{field.name}={','.join(field.texts)}"])  # says what is wrong with the values
        return Range(field.name, "choice", texts=field.texts)
    kind: Kind = match.group(1)  # type: ignore[assignment]
    parts = tuple(split_outside(match.group(2), ","))
    if kind == "choice":
        read_fields([f"{field.name}={match.group(2)}"])  # says what is wrong with them
        return Range(field.name, kind, texts=parts)
    return Range(field.name, kind, _ends(field.name, kind, parts))


def _ends(name: str, kind: Kind, parts: Sequence[str]) -> tuple[float, float]:
    values = [read_value(part, f"--over {name}") for part in parts]
    whole = (int,) if kind == "int" else (int, float)
    numbers = [v for v in values if isinstance(v, whole) and not isinstance(v, bool) and math.isfinite(v)]
    if len(values) != 2 or len(numbers) != 2:
        wanted = "two whole numbers" if kind == "int" else "two numbers"
        raise RunError(f"--over {name}: {kind}({','.join(parts)}) should have {wanted}", _EXAMPLE)
    low, high = (float(number) for number in numbers)
    if low >= high:
        raise RunError(f"--over {name}: {kind}({','.join(parts)}) is empty", "give the smaller number first")
    if kind == "log" and low <= 0:
        raise RunError(f"--over {name}: log({','.join(parts)}) needs numbers above 0", _EXAMPLE)
    return low, high
