"""Fused row kernels for the processor: one pass over memory where torch makes three to nine.

A network's first layer is a sum of parts that broadcast, then an activation; a family's log density is a value per
element, then a sum per row. Softplus and the Bernoulli density, for which that pays (results/kernels.json), are a C++
function each here (`rows.cpp`), with its derivative, for float32 and bfloat16 in any mixture on the CPU; the arithmetic
is float32. Everything falls back to torch (`plain`): other types and devices,
under torch.compile, without a C++ compiler.
"""

from compiler.kernels.activation import FUSED_ACTIVATIONS, softplus_above, sum_activate
from compiler.kernels.building_kernels import Library, library, status
from compiler.kernels.density import fused_density
from compiler.kernels.plain import activated, add_up
from compiler.kernels.products import product
from compiler.kernels.routes import activate_linear, activate_sum, linear

__all__ = [
    "FUSED_ACTIVATIONS",
    "Library",
    "activate_linear",
    "activate_sum",
    "activated",
    "add_up",
    "fused_density",
    "library",
    "linear",
    "product",
    "softplus_above",
    "status",
    "sum_activate",
]
