"""The `training` section: how long, how fast, and from which weights."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from graphspec.language.base import LARGEST_SEED, NumberOrSchedule, Section, as_tuple


class Initialize(Section):
    """Weights taken from an earlier run, for training in stages."""

    run: str = Field(alias="from", description="Folder of the earlier run.")
    factors: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        description="Factors to take, for example [recognition.z1, generative.x]."
    )
    rename: dict[str, str] = Field(
        default_factory=dict, description="Variables of the run that are called otherwise here: {x: crop}."
    )
    freeze: bool = Field(default=False, description="Keep them as they are; they run in evaluation mode.")

    def here(self, name: str) -> str:
        """What a variable of the run is called in this spec."""
        return self.rename.get(name, name)

    def there(self, name: str) -> str:
        """What a variable of this spec is called in the run."""
        return next((other for other, here in self.rename.items() if here == name), name)

    def key_there(self, key: str) -> str:
        """`generative.x` in the run for `generative.crop` here."""
        side, _, name = key.partition(".")
        return f"{side}.{self.there(name)}"


def _one_or_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, dict) else value


class TrainingSection(Section):
    """Optimization: an epoch is one pass over the unlabelled rows (labelled rows if there are none)."""

    epochs: int = Field(default=50, ge=1, description="Passes over the unlabelled rows.")
    batch_size: int = Field(default=128, ge=1, description="Unlabelled rows a step.")
    labelled_batch_size: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Labelled rows a step; left out, as many as unlabelled, at most all of them."
    )
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = Field(default="adam", description="The optimizer.")
    learning_rate: NumberOrSchedule = Field(default=1e-3, description="Step size.")
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty (adamw: decoupled).")
    gradient_clip: Annotated[float, Field(gt=0)] | None = Field(default=None, description="Largest gradient norm.")
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Decay of averaged weights, which then answer evaluate and the pictures."
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="Seed of initial weights, batches and noise.")
    precision: Literal["auto", "fp32", "bf16"] = Field(default="auto", description="Arithmetic of the step.")
    compile: bool | Literal["auto"] = Field(default="auto", description="Use torch.compile for the step.")
    select: str = Field(
        default="",
        description="What picks the best checkpoint on validation rows: NAME.error (or another figure of a label), "
        "elbo or last; left out, the errors of all labels (few labelled rows: their log loss, or elbo), else elbo.",
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Stop after this many epochs without a better validation figure."
    )
    initialize: Annotated[tuple[Initialize, ...], BeforeValidator(_one_or_list)] = Field(
        default=(), description="Weights from earlier runs: one mapping or a list."
    )
