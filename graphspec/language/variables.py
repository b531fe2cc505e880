"""The `variables` section: each node of the two graphs, declared once."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from graphspec.language.base import Section, Shape, Size, as_tuple

Role = Literal["observed", "supervised", "latent", "deterministic"]
Domain = Literal["real", "positive", "unit", "binary", "category", "count", "direction", "simplex"]
AUTO = "auto"
ValueName = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
Names = Annotated[
    Annotated[Literal["auto"], Tag("auto")]
    | Annotated[Annotated[tuple[ValueName, ...], BeforeValidator(as_tuple)], Tag("list")],
    Discriminator(lambda value: "auto" if isinstance(value, str) else "list"),
]


class VariableSpec(Section):
    """One variable: what it is, what values it takes, and whether rows of the data carry it."""

    role: Role = Field(
        description="observed: every row has it; supervised: some rows have it; latent: no row has it; "
        "deterministic: a function of its parents."
    )
    domain: Domain | None = Field(
        default=None,
        description="Values it takes: real, positive, unit ([0, 1]), binary, category, count, direction "
        "(unit vector along the first axis) or simplex (first axis). A size without a domain means real.",
    )
    shape: Shape | None = Field(default=None, description="Event shape, for example [1, 28, 28] for a grey image.")
    size: Size | None = Field(default=None, description="Short for `shape: [size]`. Neither means a scalar.")
    classes: int | None = Field(default=None, ge=2, description="Number of values of a category.")
    names: Names | None = Field(
        default=None,
        description="Names of a category's classes or of a binary's two values, in order; `auto` reads them from the "
        "column.",
    )
    minimum: int | None = Field(default=None, alias="min", description="Smallest value of a count, inclusive.")
    maximum: int | None = Field(default=None, alias="max", description="Largest value of a count, inclusive.")
    missing: bool = Field(
        default=False, description="An observed variable that may be blank in some rows or elements (leaves of p only)."
    )
    plate: str | None = Field(default=None, description="The plate this variable stands in, once for each element.")
    allow: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="Codes of warnings to silence for this variable, for example [GS101]."
    )

    def event_shape(self) -> tuple[int, ...]:
        """Declared shape; `size: n` is `[n]`, neither is a scalar."""
        if self.shape is not None:
            return self.shape
        return () if self.size is None else (self.size,)


VariablesSection = dict[str, VariableSpec]


def default_domain(variable: VariableSpec) -> Any:
    """A size without a domain means real; a deterministic feature without a size has none."""
    if variable.domain is None and (variable.role != "deterministic" or variable.event_shape()):
        return "real"
    return variable.domain
