"""`import torchvision` beside a torch that its compiled operators were not built for.

torchvision's Linux wheels on the package index are built for CUDA. Beside a CPU-only torch the library with its
operators does not load; torchvision shrugs at that, but then registers shape functions for `torchvision::nms` and
`torchvision::qnms`, which nobody has declared, and the import stops. Declaring the two schemas is enough: data sets,
`transforms.v2`, `make_grid` and `torchvision.models` use neither (detection calls nms, and says itself that it is not
there). Where the real operators load, nothing is declared. A user's own network may import torchvision too.
"""

import importlib.machinery
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


@cache
def import_torchvision() -> ModuleType:
    """The `torchvision` package, imported with or without its compiled operators.

    Call this before any `from torchvision... import`. Raises ImportError if torchvision is not installed.
    """
    if not make_importable():
        raise ImportError("torchvision is not installed: pip install torchvision")
    return importlib.import_module("torchvision")


def make_importable() -> bool:
    """From now on `import torchvision` succeeds, whoever writes it; False where it is not installed."""
    if "torchvision" not in sys.modules:
        package = importlib.util.find_spec("torchvision")
        if package is None or package.origin is None:
            return False
        _load_real_operators(package.origin)
        _declarations()
    return True


def _load_real_operators(origin: str) -> bool:
    """Load torchvision's own library, as its import would; False if there is none or it does not fit this torch."""
    loader = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    library = importlib.machinery.FileFinder(str(Path(origin).parent), loader).find_spec("_C")
    if library is None or library.origin is None:
        return False
    try:
        torch.ops.load_library(library.origin)
    except (OSError, ImportError):
        return False
    return True


@cache
def _declarations() -> torch.library.Library | None:
    """Declare the operators that are absent. The cache keeps the library alive: its end would undeclare them."""
    absent = [schema for name, schema in _SCHEMAS.items() if not is_declared(name)]
    if not absent:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in absent:
        library.define(schema)
    return library


def is_declared(name: str) -> bool:
    """Whether `torchvision::name` has a schema, real or ours."""
    return bool(hasattr(torch.ops.torchvision, name))
