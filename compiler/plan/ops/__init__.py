"""The operations of a plan: how each runs."""

from compiler.plan.ops.arithmetic import ARITHMETIC
from compiler.plan.ops.batches import BATCHES
from compiler.plan.ops.densities import DENSITIES
from compiler.plan.ops.gradients import GRADIENTS
from compiler.plan.ops.values import VALUES
from compiler.plan.running import Operations

OPERATIONS: Operations = {**VALUES, **DENSITIES, **ARITHMETIC, **GRADIENTS, **BATCHES}

__all__ = ["OPERATIONS"]
