"""The `generative` and `recognition` sections: factors of the two graphs."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from graphspec.language.base import NamedSection, Names, Section, as_tuple
from graphspec.language.networks import NetworkReference


class DistributionSpec(NamedSection):
    """A family by NAME, or `{kind: NAME, ...options}`."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    kind: str = Field(description="The family, for example normal, bernoulli, categorical.")

    @property
    def options(self) -> dict[str, Any]:
        """Family options other than `kind`; names and ranges are checked against the family table."""
        return dict(self.__pydantic_extra__ or {})

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        from graphspec.language.families import FAMILIES

        mapping = handler(schema)
        return {"anyOf": [{"type": "string", "enum": sorted(FAMILIES)}, mapping]}


class LearnedParameter(Section):
    """A free parameter: one value per element, per channel (first axis), or one for the variable."""

    learned: Literal["element", "channel", "variable"] = Field(description="What shares one learned value.")
    initial: float | None = Field(default=None, description="Value before training.")
    minimum: float | None = Field(default=None, description="The value never falls below this.")
    maximum: float | None = Field(default=None, description="The value never rises above this.")


class NetworkParameter(Section):
    """A parameter with a network of its own over some of the factor's parents."""

    parents: Names = Field(description="A subset of the factor's parents.")
    network: NetworkReference | None = Field(default=None, description="Name of an architecture, or one written here.")


def _parameter_tag(value: Any) -> str:
    if isinstance(value, LearnedParameter) or (isinstance(value, dict) and "learned" in value):
        return "learned"
    if isinstance(value, (dict, NetworkParameter)):
        return "network"
    return "list" if isinstance(value, (list, tuple)) else "number"


def _learned_word(value: Any) -> Any:
    return {"learned": "element"} if value == "learned" else value


ParameterSpec = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[tuple[Any, ...], BeforeValidator(as_tuple), Tag("list")]
    | Annotated[LearnedParameter, Tag("learned")]
    | Annotated[NetworkParameter, Tag("network")],
    Discriminator(_parameter_tag),
    BeforeValidator(_learned_word),
]


class FactorSpec(Section):
    """One factor: the distribution of a variable given its parents, or a deterministic variable's function."""

    parents: Names = Field(default=(), description="Variables this one depends on in this graph; order never matters.")
    distribution: DistributionSpec | None = Field(
        default=None, description="Family of this factor; left out, the domain's default."
    )
    network: NetworkReference | None = Field(
        default=None, description="Name of an architecture in `networks`, or one written here; left out, `default`."
    )
    parameters: dict[str, ParameterSpec] = Field(
        default_factory=dict,
        description="Parameters that the network does not give: a number or list, `learned`, or a network of its own.",
    )
    stop_gradient: Names = Field(default=(), description="Parents through which this factor sends no gradient.")
    allow: Names = Field(default=(), description="Codes of warnings to silence for this factor, for example [GS105].")


EXACT = "exact"
"""In place of a factor in recognition: the variable is summed out of p and has no q."""


class RecognitionSection(Section):
    """q: one entry per latent and supervised variable; with `auto`, entries not written here are derived."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    auto: bool = Field(default=False, description="Derive every factor that is not written.")
    factors: dict[str, FactorSpec] = Field(default_factory=dict, description="The factors as written, in order.")
    exact: dict[str, int] = Field(
        default_factory=dict, description="Variables summed out of p, with the number of factors written before each."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_entries(cls, value: Any) -> Any:
        """`auto` (the word) or a mapping whose key `auto` is a flag and whose other keys are factors."""
        if value == "auto":
            return {"auto": True}
        if isinstance(value, dict):
            flag, entries = value.get("auto", False), [k for k in value if k != "auto"]
            factors, exact = dict[str, Any](), dict[str, int]()
            for name in entries:
                if value[name] == EXACT:
                    exact[name] = len(factors)
                else:
                    factors[name] = value[name]
            return {"auto": flag, "factors": factors, "exact": exact}
        return value

    def in_order(self, entries: Mapping[str, Any]) -> dict[str, Any]:
        """`entries` of the factors, and the word `exact` for what is summed out, in the order written."""
        written = list(entries.items())
        for name, place in reversed(self.exact.items()):
            written.insert(place, (name, EXACT))
        return dict(written)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        fields = handler.resolve_ref_schema(handler(schema))["properties"]
        mapping = {
            "type": "object",
            "properties": {"auto": fields["auto"]},
            "additionalProperties": {"anyOf": [fields["factors"]["additionalProperties"], {"const": EXACT}]},
        }
        return {"anyOf": [{"const": "auto"}, mapping]}


GenerativeSection = dict[str, FactorSpec]
