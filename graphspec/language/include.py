"""The `include` section: another spec, or a trained one, as a part of this one."""

from typing import Literal

from pydantic import Field, model_validator

from graphspec.language.base import Name, Names, Section

DEEPEST_INCLUDE = 4
"""Specs within each other, beside the outermost."""

IncludedRole = Literal["observed", "supervised", "latent"]


class IncludeSpec(Section):
    """One included spec: its variables, both its graphs and the networks that they name. Names on the left are its own.

    Objective, data and training stay behind.
    """

    run: str | None = Field(
        default=None,
        description="A run folder: its spec, with its best weights. Beside the spec, else as seen from here.",
    )
    spec: str | None = Field(default=None, description="The file of a spec, with fresh weights.")
    rename: dict[str, Name] = Field(
        default_factory=dict,
        description="What its variables are called here; what is not listed is called INCLUDE_NAME.",
    )
    plate: str | None = Field(
        default=None, description="The plate of this spec in which its variables stand, but for those declared here."
    )
    roles: dict[str, IncludedRole] = Field(
        default_factory=dict, description="Variables that have another role here, for example {x: supervised}."
    )
    without: Names = Field(default=(), description="Factors to leave behind, for example [generative.y].")
    freeze: bool = Field(
        default=False, description="Its factors stay as the run left them; gradients pass through to their parents."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "IncludeSpec":
        if (self.run is None) == (self.spec is None):
            raise ValueError("give either `run` or `spec`")
        return self


IncludeSection = dict[str, IncludeSpec]
