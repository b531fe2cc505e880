"""Data: the `data` section of a spec becomes splits, budgets and batches. torch is loaded with what needs it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.data.preparation.preparation import prepare
    from runtime.data.stream.rows import PreparedData, Rows
    from runtime.data.stream.streams import BatchRows, epoch_batches, steps_per_epoch
    from runtime.data.stream.units import Units

__all__ = ["BatchRows", "PreparedData", "Rows", "Units", "epoch_batches", "prepare", "steps_per_epoch"]

_HOMES = {
    "prepare": "preparation.preparation",
    "PreparedData": "stream.rows", "Rows": "stream.rows", "Units": "stream.units",
    "BatchRows": "stream.streams", "epoch_batches": "stream.streams", "steps_per_epoch": "stream.streams",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'runtime.data' has no attribute {name!r}")
    return getattr(import_module(f"runtime.data.{_HOMES[name]}"), name)
