"""What every section of a spec has in common: strict, frozen models and numbers that vary in time."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

RESERVED_NAMES = frozenset({"auto", "default", "exact"})
IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Section(BaseModel):
    """A mapping of the language: unknown fields are mistakes, values never change after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class NamedSection(Section):
    """A mapping for which the word of its `kind` may stand alone."""

    @model_validator(mode="before")
    @classmethod
    def _accept_a_bare_name(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


class Schedule(Section):
    """A number that changes during training; `epochs` after `begin` it stays at `to`."""

    start: float = Field(alias="from", description="Value until `begin`, where the change starts.")
    to: float = Field(description="Value at the end of the change, kept from there on.")
    begin: float = Field(default=0, ge=0, description="Epoch at which the change starts.")
    epochs: float = Field(gt=0, description="How many epochs the change takes.")
    shape: Literal["linear", "cosine", "exponential"] = Field(
        default="linear", description="How the value moves between `from` and `to`."
    )
    cycles: int = Field(default=1, ge=1, description="Repeat the change this many times within `epochs`.")


def _number_or_schedule(value: Any) -> str:
    return "schedule" if isinstance(value, (dict, Schedule)) else "number"


NumberOrSchedule = Annotated[
    Annotated[float, Tag("number")] | Annotated[Schedule, Tag("schedule")],
    Discriminator(_number_or_schedule),
]


def as_tuple(value: Any) -> Any:
    """YAML lists become tuples, so that a frozen spec is frozen all the way down."""
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


def one_or_many(value: Any) -> Any:
    """A single entry stands for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


LARGEST_SEED = 2**32 - 1
"""The largest that every library takes that draws."""

Size = Annotated[int, Field(ge=1)]
Shape = Annotated[tuple[Size, ...], BeforeValidator(as_tuple)]
Widths = Annotated[tuple[Size, ...], Field(min_length=1), BeforeValidator(one_or_many)]
WIDTHS_JSON = WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "integer", "minimum": 1}}]}
)
Name = Annotated[str, Field(pattern=IDENTIFIER)]
