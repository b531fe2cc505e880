"""What stands behind `--over`, `--seeds` and `--variant`: texts taken apart, values read as YAML.

Not here: what fields mean; every value becomes an override, and `load` checks it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graphspec.diagnostics import SourceText
from graphspec.language.base import LARGEST_SEED
from graphspec.text.composing import compose
from graphspec.text.tree import plain
from runtime.errors import RunError

_OPENING, _CLOSING, _QUOTES = "[{(", "]})", "\"'"
_SEEDS = "write --seeds 5 for the seeds 0 to 4, or a list such as --seeds 3,7,9 (one seed alone: --seeds 3,)"
_CALL = re.compile(r"(log|uniform|int|choice)\(")
MOST_SEEDS = 1000
SEED_FIELDS = ("data.seed", "training.seed")


@dataclass(frozen=True)
class Field:
    """One swept field: its dotted name and its values as they were written, which is how they become overrides."""

    name: str
    texts: tuple[str, ...]

    @property
    def values(self) -> tuple[Any, ...]:
        """The values as YAML reads them."""
        return tuple(read_value(text, f"--over {self.name}") for text in self.texts)


@dataclass(frozen=True)
class Variant:
    """A column of the table: overrides that make another model of every grid point. `key` names it in files."""

    name: str
    overrides: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name with everything but letters and digits as `_`."""
        return "".join(character if character.isalnum() else "_" for character in self.name.strip().lower())


def split_outside(text: str, separator: str) -> list[str]:
    """`text` cut at every `separator` that stands in no bracket, brace or quotation."""
    parts, depth, quote, start = [], 0, "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and not text[start:place].rstrip(" ")[-1:].isalnum():
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(0, depth - 1)
        elif character == separator and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def read_value(text: str, place: str) -> Any:
    """One value as YAML. RunError, which names `place`, if it is none."""
    node, found = compose(SourceText(place, text))
    errors = [diagnostic.message for diagnostic in found if diagnostic.severity == "error"]
    if errors:
        raise RunError(f"{place}: {text!r} is not YAML: {errors[0]}", "quote the whole option for the shell")
    return None if node is None else plain(node)


def read_fields(texts: Sequence[str], *, calls: bool = False) -> tuple[Field, ...]:
    """`--over field=v1,v2` each. RunError for a field twice, a value twice, or a seed.

    calls: values such as `log(1,10)` are meant, and read elsewhere; otherwise they are a mistake.
    """
    fields = tuple(_read_field(text, calls) for text in texts)
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise RunError(f"--over names {name} twice", f"give all its values at once: --over {name}=A,B,C")
        if name in SEED_FIELDS:
            raise RunError(f"--over {name} would be undone: seeds are set for every run", "use --seeds")
    return fields


def _read_field(text: str, calls: bool) -> Field:
    name, equals, values = text.partition("=")
    name = name.strip()
    if not (equals and name and values.strip()):
        raise RunError(f"--over {text!r} names no values", "write it like --over objective.rho=0.01,0.5")
    field = Field(name, tuple(split_outside(values, ",")))
    if "" in field.texts:
        raise RunError(f"--over {text!r} has an empty value between its commas", "null deletes a field")
    if calls:
        return field
    call = next((text for text in field.texts if _CALL.match(text)), None)
    if call is not None:
        raise RunError(f"--over {name}: {call} is a range, and a grid has values", "add --search N, or list values")
    seen: list[Any] = []
    for value in field.values:
        if any(value == other and type(value) is type(other) for other in seen):
            raise RunError(f"--over {name} has the value {value!r} twice", "give every value once")
        seen.append(value)
    return field


def read_seeds(text: str) -> tuple[int, ...]:
    """A count (`5` is 0 to 4) or a list (`3,7,9`), as seeds. RunError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    numbers = [part for part in parts if part]
    if not numbers or not all(part.isdecimal() for part in numbers) or "" in parts[:-1]:
        raise RunError(f"--seeds {text!r} is neither a count nor a list of seeds", _SEEDS)
    if any(len(part) > 10 or int(part) > LARGEST_SEED for part in numbers):
        raise RunError(f"--seeds {text!r} has a number above {LARGEST_SEED}", _SEEDS)
    if "," not in text and int(text) > MOST_SEEDS:
        raise RunError(f"--seeds {text} would be {text} runs a point; {MOST_SEEDS} are the most", _SEEDS)
    seeds = tuple(int(part) for part in numbers) if "," in text else tuple(range(int(text)))
    if not seeds or len(set(seeds)) < len(seeds):
        raise RunError(f"--seeds {text!r} has {'a seed twice' if seeds else 'no seed'}", _SEEDS)
    return seeds


def read_variants(texts: Sequence[str]) -> tuple[Variant, ...]:
    """`--variant "NAME: field=value; field=value"` each. RunError where a name is missing or taken."""
    variants = tuple(_read_variant(text) for text in texts)
    taken = set(_RESERVED)
    for variant in variants:
        if variant.key in taken:
            raise RunError(f"--variant {variant.name!r}: the table has such a column already", "choose another name")
        taken.add(variant.key)
    return variants


_RESERVED = frozenset(
    {"over", "labels", "test_error", "validation_error", "test_elbo", "validation_elbo", "minutes", "seeds", "failed"}
    | {"variables", "as_written", "labels_only", "generative_off"}
)
_VARIANT = 'write it like --variant "no beta: objective.beta.z=0; training.epochs=10"'


def _read_variant(text: str) -> Variant:
    name, colon, rest = text.partition(":")
    overrides = tuple(part for part in split_outside(rest, ";") if part)
    if not (colon and name.strip() and overrides) or "=" in name:
        raise RunError(f"--variant {text!r} is not a name and what it changes", _VARIANT)
    for override in overrides:
        if "=" not in override:
            raise RunError(f"--variant {name.strip()!r}: {override!r} sets nothing", _VARIANT)
        if override.partition("=")[0].strip() in SEED_FIELDS:
            raise RunError(f"--variant {name.strip()!r} sets a seed, and seeds are set for every run", "use --seeds")
    return Variant(name.strip(), tuple(_tight(override) for override in overrides))


def _tight(override: str) -> str:
    name, _, value = override.partition("=")
    return f"{name.strip()}={value.strip()}"


def combinations(fields: Sequence[Field]) -> Iterator[tuple[str, ...]]:
    """Every choice of one value per field, as texts; the last field varies fastest."""
    if not fields:
        yield ()
        return
    for text in fields[0].texts:
        for rest in combinations(fields[1:]):
            yield (text, *rest)
