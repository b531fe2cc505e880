"""From checked graphs to a model and its derived objective. Symbolic parts load no torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.model.evaluation import Evaluation
    from compiler.model.model import Model, compile_spec

__all__ = ["Evaluation", "Model", "compile_spec"]


def __getattr__(name: str) -> Any:
    """Load torch only when something that needs it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'compiler' has no attribute {name!r}")
    return getattr(import_module(f"compiler.model.{'evaluation' if name == 'Evaluation' else 'model'}"), name)
