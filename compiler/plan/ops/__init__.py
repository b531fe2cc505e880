"""The operations of a plan: how each runs."""

from compiler.plan.ops.arithmetic import ARITHMETIC
from compiler.plan.ops.batches import BATCHES
from compiler.plan.ops.drawing_values import VALUES
from compiler.plan.ops.gradients import GRADIENTS
from compiler.plan.ops.scoring import DENSITIES
from compiler.plan.running import Operations

OPERATIONS: Operations = {**VALUES, **DENSITIES, **ARITHMETIC, **GRADIENTS, **BATCHES}

__all__ = ["OPERATIONS"]
