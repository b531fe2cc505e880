"""The operations of a plan: of each its law, and how it runs."""

from compiler.plan.operation import Operations
from compiler.plan.ops.across_elements import ACROSS
from compiler.plan.ops.along_walks import WALKS
from compiler.plan.ops.arithmetic import ARITHMETIC
from compiler.plan.ops.batches import BATCHES
from compiler.plan.ops.drawing_values import VALUES
from compiler.plan.ops.gradients import GRADIENTS
from compiler.plan.ops.matching_labels import MATCHING
from compiler.plan.ops.scoring import DENSITIES
from compiler.plan.ops.spreading import SPREADS
from compiler.plan.ops.summing_out import SUMS

OPERATIONS: Operations = {
    **VALUES, **DENSITIES, **ARITHMETIC, **GRADIENTS, **ACROSS, **MATCHING, **WALKS, **SUMS, **SPREADS, **BATCHES,
}  # fmt: skip

__all__ = ["OPERATIONS"]
