"""`data.plates`: how the elements of a plate stand in the files, where they do not stand beside each other in a row."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from graphspec.language.base import Section, as_tuple

UNKNOWN_ORDER = "unknown"
"""As `order`: the labels of a row's elements are a set. No column is called so."""

Keys = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else as_tuple(value))
]


class PlateColumns(Section):
    """The elements of one plate: flat with their lengths, or a line each under a key."""

    lengths: str | None = Field(
        default=None, description="Column of an .npz file: how many elements each row has, which stand side by side."
    )
    key: Keys = Field(
        default=(),
        description="Column that says whose element a line is; in nested plates one for each level, outermost first.",
    )
    source: str | None = Field(default=None, description="File with a line an element; left out, the rows' own source.")
    order: str | None = Field(
        default=None,
        description="Column of numbers or ISO dates that elements are sorted by; left out, the order of the file. "
        "`unknown`: a row's labels of these elements are a set, and each goes where q finds it likeliest.",
    )

    @model_validator(mode="after")
    def _one_layout(self) -> "PlateColumns":
        if self.lengths is not None and self.key:
            raise ValueError("give `lengths` (elements side by side) or `key` (a line an element), not both")
        if self.source is not None and not self.key:
            raise ValueError("`source` needs a `key`: the column that says whose element a line is")
        if self.lengths is not None and self.column is not None:
            raise ValueError("`order` needs a `key`; elements with `lengths` stand in their order")
        if len(set(self.key)) < len(self.key):
            raise ValueError("`key` names one column twice")
        return self

    @property
    def column(self) -> str | None:
        """The column that elements are sorted by."""
        return None if self.order == UNKNOWN_ORDER else self.order


DataPlates = dict[str, PlateColumns]
