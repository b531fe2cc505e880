"""Data: the `data` section of a spec becomes splits, budgets and batches."""

from runtime.data.preparation import prepare
from runtime.data.rows import PreparedData, Rows, Units
from runtime.data.streams import Step, epoch_batches, steps_per_epoch

__all__ = ["PreparedData", "Rows", "Step", "Units", "epoch_batches", "prepare", "steps_per_epoch"]
