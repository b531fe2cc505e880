"""Parameter networks: architectures by kind. Each factor that names one gets weights of its own."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from graphspec.language.base import WIDTHS_JSON, Section, Size, Widths, one_or_many

Activation = Literal["relu", "softplus", "tanh", "sigmoid", "gelu", "silu", "elu", "leaky_relu", "identity"]
Normalization = Literal["batch", "layer", "none"]
Rate = Annotated[float, Field(ge=0, lt=1)]
Hidden = Annotated[Widths, WIDTHS_JSON]


class Linear(Section):
    """A sum of one linear map per parent, straight into the heads."""

    kind: Literal["linear"]


class _Layered(Section):
    activation: Activation = Field(default="relu", description="Nonlinearity after each hidden layer.")
    normalization: Normalization = Field(default="none", description="Normalization before each activation.")
    dropout: Rate = Field(default=0.0, description="Share of hidden units dropped in training, after each activation.")
    input_noise: float = Field(
        default=0.0,
        ge=0,
        description="Standard deviation of normal noise on parents that enter as numbers, in training.",
    )
    input_dropout: Rate = Field(
        default=0.0, description="Share of elements of parents that enter as numbers set to zero in training."
    )


class Mlp(_Layered):
    """Fully connected layers; the first is a sum of one map per parent, never a concatenation."""

    kind: Literal["mlp"]
    hidden: Hidden = Field(description="Widths of the hidden layers, for example [500, 500].")


class _Convolutional(_Layered):
    channels: Hidden = Field(description="Channels of each convolution, in the order that data flows.")
    kernel: Size = Field(default=3, description="Side of the convolution kernel in pixels.")
    stride: Size = Field(default=2, description="Step of each convolution: 2 halves (or doubles) the sides.")
    hidden: Annotated[tuple[Size, ...], BeforeValidator(one_or_many), WIDTHS_JSON] = Field(
        default=(), description="Fully connected layers after (cnn) or before (deconv) the convolutions."
    )


class Cnn(_Convolutional):
    """Convolutions over image parents; every other parent is a bias per channel of the first layer."""

    kind: Literal["cnn"]


class Deconv(_Convolutional):
    """A seed map from all parents, then transposed convolutions; cropped to the output's sides."""

    kind: Literal["deconv"]


class Resnet(_Layered):
    """Residual blocks; `direction: up` grows an image from a seed map, `down` reads one."""

    kind: Literal["resnet"]
    channels: Hidden = Field(description="Channels per stage; each stage halves (down) or doubles (up) the sides.")
    blocks: Size = Field(default=2, description="Residual blocks per stage.")
    direction: Literal["down", "up"] = Field(default="down", description="Read an image (down) or grow one (up).")
    hidden: Annotated[tuple[Size, ...], BeforeValidator(one_or_many), WIDTHS_JSON] = Field(
        default=(), description="Fully connected layers after (down) or before (up) the blocks."
    )
    kernel: Size = Field(default=3, description="Side of the convolution kernels in pixels (odd).")


class Gru(Section):
    """A gated recurrent unit; its state is the parent written `name@previous` (sequences, later in version 1)."""

    kind: Literal["gru"]
    hidden: Size = Field(description="Width of the state.")


class Elementwise(Section):
    """One weight per element and parent plus a bias: output element i reads only element i of each parent."""

    kind: Literal["elementwise"]


class Identity(Section):
    """The one parent itself is the parameter; no weights, no head, no link."""

    kind: Literal["identity"]


class Product(Section):
    """The elementwise product of the parents (broadcast) is the parameter; no weights."""

    kind: Literal["product"]


class SumOf(Section):
    """The elementwise sum of the parents (broadcast) is the parameter; no weights."""

    kind: Literal["sum"]
    minimum: float | None = Field(default=None, description="Clamp the result from below.")
    maximum: float | None = Field(default=None, description="Clamp the result from above.")


class Dot(Section):
    """The inner product of two parents along the first axis (kept, of size one); no weights."""

    kind: Literal["dot"]
    minimum: float | None = Field(default=None, description="Clamp the result from below, for example 0.")
    maximum: float | None = Field(default=None, description="Clamp the result from above.")


class AffineRead(Section):
    """Reads a window of `image` at the affine `pose` (scale, x, y) by bilinear sampling; no weights."""

    kind: Literal["affine_read"]
    image: str = Field(description="The parent that is the image to read from.")
    pose: str = Field(description="The parent of size 3: log-scale, x, y in [-1, 1] coordinates.")


class AffineWrite(Section):
    """Places `image` on the output canvas at the affine `pose` (scale, x, y); no weights."""

    kind: Literal["affine_write"]
    image: str = Field(description="The parent that is the image to place.")
    pose: str = Field(description="The parent of size 3: log-scale, x, y in [-1, 1] coordinates.")


class PythonNetwork(Section):
    """A user's own torch module (only with --allow-python)."""

    kind: Literal["python"]
    target: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="Where the class is: `package.module:Class`."
    )
    args: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments for the class.")


NetworkSpec = Annotated[
    Linear
    | Mlp
    | Cnn
    | Deconv
    | Resnet
    | Gru
    | Elementwise
    | Identity
    | Product
    | SumOf
    | Dot
    | AffineRead
    | AffineWrite
    | PythonNetwork,
    Field(discriminator="kind"),
]

WEIGHTLESS = (Identity, Product, SumOf, Dot, AffineRead, AffineWrite)
DEFAULT_NETWORK = Mlp(kind="mlp", hidden=(256, 256))


def _name_or_network(value: Any) -> str:
    return "name" if isinstance(value, str) else "network"


NetworkReference = Annotated[
    Annotated[str, Tag("name")] | Annotated[NetworkSpec, Tag("network")], Discriminator(_name_or_network)
]
NetworksSection = dict[str, NetworkSpec]
