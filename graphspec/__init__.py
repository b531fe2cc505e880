"""graphspec: one YAML file with two graphs becomes a trained semi-supervised deep generative model.

`load(path, overrides=())` reads and checks a spec, without torch. Models: `compiler`; training: `runtime`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphspec.diagnostics import Diagnostic, SpecError
    from graphspec.graphs.graph import Graphs
    from graphspec.loading import load

__all__ = ["Diagnostic", "Graphs", "SpecError", "load"]

_HOMES = {
    "Diagnostic": "graphspec.diagnostics",
    "Graphs": "graphspec.graphs.graph",
    "SpecError": "graphspec.diagnostics",
    "load": "graphspec.loading",
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that `import graphspec` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'graphspec' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
