"""bfloat16 is for products and for what stands between them; everything else computes in single precision at least.

Under `torch.autocast` a product gives bfloat16, 8 bits of precision. Its numbers are converted by `widened` where they
leave the networks: deterministic variables, parameters behind a link. A parameter that is a network's output as it
stands, and that a kernel reads (`compiler.kernels` converts in its registers), is kept in bfloat16 and converted only
where something else asks for it: `Widened`.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


def widened(value: Tensor) -> Tensor:
    """float32 for what has fewer bits."""
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value


class Widened(Mapping[str, Tensor]):
    """Tensors by name, `widened` when they are read.

    Anew each time: a result kept from a place without gradients would have none elsewhere.
    """

    def __init__(self, stored: Mapping[str, Tensor]) -> None:
        self.stored = stored

    def __getitem__(self, name: str) -> Tensor:
        return widened(self.stored[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)
