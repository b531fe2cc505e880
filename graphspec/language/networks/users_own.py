"""python: a torch module of the user's own."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from graphspec.language.networks.network_kind import Weighted


class PythonNetwork(Weighted):
    """A user's own torch module (only with --allow-python)."""

    kind: Literal["python"]
    target: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="Where the class is: `package.module:Class`."
    )
    args: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments for the class; the name of a file beside the spec becomes its full path.",
    )
    own_units: ClassVar[bool] = True

    @property
    def draws(self) -> bool:
        return True
