"""`import torchvision` beside a torch that its compiled operators were not built for.

torchvision's Linux wheels on the package index are built for CUDA. Beside a CPU-only torch the library with its
operators does not load; torchvision shrugs at that, but then registers shape functions for `torchvision::nms` and
`torchvision::qnms`, which nobody has declared, and the import stops. Declaring the two schemas is enough: data sets,
`transforms.v2` and `make_grid` use neither. Where the real operators load, nothing is declared.
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
    if "torchvision" not in sys.modules:
        _load_real_operators()
        _declarations()
    return importlib.import_module("torchvision")


def _load_real_operators() -> bool:
    """Load torchvision's own library, as its import would; False if there is none or it does not fit this torch."""
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        raise ImportError("torchvision is not installed: pip install torchvision")
    loader = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    library = importlib.machinery.FileFinder(str(Path(package.origin).parent), loader).find_spec("_C")
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
