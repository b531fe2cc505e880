"""Where randomness comes from: always an argument, drawn per row, never shared between rows by accident."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Noise:
    """Draws for `batch` rows from one generator, in the order asked.

    Every draw has shape [*lead, batch, *event]; `lead` is () or the number of samples, never an enumerated axis, so
    that all values of an enumerated variable share a row's noise.
    """

    in_order = True
    """Whether a draw depends on what was drawn before; not where it follows from its name and rows."""

    def __init__(self, generator: torch.Generator | int, batch: int) -> None:
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        self.generator = generator
        self.batch = batch

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Standard normal draws for variable (or layer) `name`."""
        return torch.randn(
            (*lead, self.batch, *event), generator=self.generator, dtype=dtype, device=self.generator.device
        )

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Uniform draws in (0, 1): zero is moved to the smallest positive normal number."""
        drawn = torch.rand(
            (*lead, self.batch, *event), generator=self.generator, dtype=dtype, device=self.generator.device
        )
        return drawn.clamp_min(torch.finfo(dtype).tiny)

    def repeated(self, times: int) -> "Noise":
        """Noise for every row so many times over, the copies of a row side by side, each with draws of its own."""
        return Noise(self.forked(), self.batch * times)

    def forked(self) -> torch.Generator:
        """A generator of its own."""
        device = self.generator.device
        seed = int(torch.randint(2**62, (1,), generator=self.generator, device=device).item())
        return torch.Generator(device=device).manual_seed(seed)

    def select(self, rows: slice | Tensor) -> "Noise":
        """Noise for some of the rows: side by side in the batch, or at positions [n]."""
        return Noise(self.generator, rows.stop - rows.start if isinstance(rows, slice) else len(rows))


class ElementNoise(Noise):
    """Draws for one element of a walk after the other, out of what is drawn for all of them at once: by row and
    element, whatever the order. element: the one at hand."""

    def __init__(self, whole: Noise, size: int) -> None:
        self.whole, self.size, self.batch, self.in_order = whole, size, whole.batch, whole.in_order
        self.generator, self.element = whole.generator, 0
        self._drawn: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._of_element(self.whole.normal, name, lead, event, dtype)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._of_element(self.whole.uniform, name, lead, event, dtype)

    def _of_element(
        self, draw: Callable[..., Tensor], name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype
    ) -> Tensor:
        key = (name, tuple(lead))
        if key not in self._drawn:
            self._drawn[key] = draw(name, (*lead, self.size), event, dtype)
        return self._drawn[key].select(len(lead), self.element)
