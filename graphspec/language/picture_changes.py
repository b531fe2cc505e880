"""What a column of images may ask for: random changes in training, and contrast beside the surroundings."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from graphspec.language.base import Section, as_tuple

SignsChanged = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(as_tuple), Field(min_length=1)]
ClassesSwapped = Annotated[dict[str, str], Field(min_length=1)]


def _tag(value: Any) -> str:
    return "classes" if isinstance(value, dict) else "elements"


Mirrored = Annotated[
    Annotated[SignsChanged, Tag("elements")] | Annotated[ClassesSwapped, Tag("classes")], Discriminator(_tag)
]


class Augment(Section):
    """Random changes of a training image, the same for input and target, and for variables of one column that are
    changed by the same options."""

    shift: float = Field(default=0, ge=0, description="Largest shift in pixels, each direction.")
    rotate: float = Field(default=0, ge=0, description="Largest rotation in degrees.")
    scale: float = Field(default=0, ge=0, lt=1, description="Largest relative change of size.")
    shear: float = Field(default=0, ge=0, description="Largest shear in degrees.")
    elastic: float = Field(default=0, ge=0, description="Standard deviation in pixels of a smooth random warp.")
    flip: bool = Field(default=False, description="Mirror left and right with probability one half.")
    mirrors: Annotated[dict[str, Mirrored], Field(min_length=1)] | None = Field(
        default=None,
        description="What changes sides where `flip` mirrors: `{light: [0]}`, elements of other variables whose sign "
        "changes (of unit ones: 1 minus the value), or `{hand: {left: right}}`, classes that change places.",
    )
    brightness: float = Field(default=0, ge=0, le=1, description="Largest relative change of brightness.")
    contrast: float = Field(default=0, ge=0, le=1, description="Largest relative change of contrast.")
    saturation: float = Field(default=0, ge=0, le=1, description="Largest relative change of saturation (3 channels).")
    hue: float = Field(
        default=0, ge=0, le=0.5, description="Largest turn of the hue as a share of the full circle (3 channels)."
    )

    @property
    def moves(self) -> bool:
        """Pixels change places."""
        return bool(self.shift or self.rotate or self.scale or self.shear or self.elastic or self.flip)

    @property
    def recolours(self) -> bool:
        """Pixels change values where they are."""
        return bool(self.brightness or self.contrast or self.saturation or self.hue)


class LocalContrast(Section):
    """Each pixel less the mean around it, over the deviation around it: what is left of a picture under any light."""

    sigma: float = Field(gt=0, description="Standard deviation of the Gaussian surroundings, in pixels.")
    log: bool = Field(
        default=False, description="Of the logarithm of the brightness, in which light and surface add up."
    )
