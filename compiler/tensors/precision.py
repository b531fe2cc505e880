"""bfloat16 is for products and for what stands between them; everything else computes in single precision at least.

Under `torch.autocast` a product gives bfloat16, 8 bits of precision. Its numbers are converted by `widened` where they
leave the networks: deterministic variables, parameters behind a link. A parameter that is a network's output as it
stands, and that a kernel reads (`compiler.kernels` converts in its registers), is kept in bfloat16 and converted only
where something else asks for it.
"""

import torch
from torch import Tensor


def widened(value: Tensor) -> Tensor:
    """float32 for what has fewer bits."""
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
