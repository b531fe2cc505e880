"""From checked graphs to a model and its derived objective. Symbolic parts load no torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.model.evaluation import Evaluation
    from compiler.model.model import Model
    from compiler.model.pipeline import compile_spec

__all__ = ["Evaluation", "Model", "compile_spec"]


def __getattr__(name: str) -> Any:
    """Load torch only when something that needs it is asked for."""
    if name == "compile_spec":
        from compiler.model.pipeline import compile_spec

        return compile_spec
    if name == "Model":
        from compiler.model.model import Model

        return Model
    if name == "Evaluation":
        from compiler.model.evaluation import Evaluation

        return Evaluation
    raise AttributeError(f"module 'compiler' has no attribute {name!r}")
