"""From a model and prepared data to a run folder. torch is loaded with `fit`, not with this package."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.training.loop.fitting import fit

__all__ = ["fit"]


def __getattr__(name: str) -> Any:
    """`fit` on first use."""
    if name == "fit":
        from runtime.training.loop.fitting import fit

        return fit
    raise AttributeError(f"module 'runtime.training' has no attribute {name!r}")
