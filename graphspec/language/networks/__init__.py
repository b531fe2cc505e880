"""Parameter networks: architectures by kind. Each factor that names one gets weights of its own."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Field, Tag

from graphspec.language.networks.affine import Affine, AffineRead, AffineWrite
from graphspec.language.networks.images import Cnn, Deconv, Resnet
from graphspec.language.networks.network_kind import Asked, LayeredKind, NetworkKind, Reading, Weighted, Work
from graphspec.language.networks.users_own import PythonNetwork
from graphspec.language.networks.vectors import Elementwise, Gru, Linear, Mlp
from graphspec.language.networks.weightless import Dot, Identity, Product, SumOf, Weightless

__all__ = [
    "DEFAULT_NETWORK", "WEIGHTLESS", "Affine", "AffineRead", "AffineWrite", "Asked", "Cnn", "Deconv", "Dot",
    "Elementwise", "Gru", "Identity", "LayeredKind", "Linear", "Mlp", "NetworkKind", "NetworkReference", "NetworkSpec",
    "NetworksSection", "Product", "PythonNetwork", "Reading", "Resnet", "SumOf", "Weighted", "Weightless", "Work",
]  # fmt: skip

for _file in iter_modules([str(Path(__file__).parent)]):  # every file of this folder may hold kinds
    import_module(f"graphspec.language.networks.{_file.name}")

FIRST = (Linear, Mlp, Cnn, Deconv, Resnet, Gru, Elementwise, Identity, Product, SumOf, Dot, AffineRead, AffineWrite,
         PythonNetwork)  # fmt: skip
"""In the order in which messages list them; kinds that are not named here come behind."""


def _kinds(base: type[NetworkKind]) -> Iterator[type[NetworkKind]]:
    for kind in base.__subclasses__():
        if "kind" in kind.model_fields:
            yield kind
        yield from _kinds(kind)


if TYPE_CHECKING:
    NetworkSpec = NetworkKind
else:
    _forms = tuple(dict.fromkeys((*FIRST, *_kinds(NetworkKind))))
    NetworkSpec = Annotated[Union[_forms], Field(discriminator="kind")]  # noqa: UP007

WEIGHTLESS = (Weightless,)
DEFAULT_NETWORK = Mlp(kind="mlp", hidden=(256, 256))


def _name_or_network(value: Any) -> str:
    return "name" if isinstance(value, str) else "network"


NetworkReference = Annotated[
    Annotated[str, Tag("name")] | Annotated[NetworkSpec, Tag("network")], Discriminator(_name_or_network)
]
NetworksSection = dict[str, NetworkSpec]
