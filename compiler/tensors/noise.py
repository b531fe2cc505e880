"""Where randomness comes from: always an argument, drawn per row, never shared between rows by accident."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


class Noise:
    """Draws for `batch` rows from one generator, in the order asked.

    Every draw has shape [*lead, batch, *event]; `lead` is () or the number of samples, never an enumerated axis, so
    that all values of an enumerated variable share a row's noise (design, Training).
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

    def fork(self, name: str) -> torch.Generator:
        """A generator of its own for draws that take no noise as input (implicit reparameterisation)."""
        seed = int(torch.randint(2**62, (1,), generator=self.generator, device=self.generator.device).item())
        return torch.Generator(device=self.generator.device).manual_seed(seed)

    def select(self, rows: Tensor) -> "Noise":
        """Noise for some of the rows (positions in the batch)."""
        return Noise(self.generator, int(rows.numel()))


class RowNoise(Noise):
    """The same draws for a row whatever batch it stands in: keyed by (seed, row, name). Slow; for tests and audits."""

    in_order = False

    def __init__(self, seed: int, rows: Sequence[int]) -> None:
        super().__init__(seed, len(rows))
        self.seed = seed
        self.rows = tuple(int(row) for row in rows)

    def _generator(self, name: str, row: int) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed}/{row}/{name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        draws = [torch.randn((*lead, *event), generator=self._generator(name, row), dtype=dtype) for row in self.rows]
        return torch.stack(draws, dim=len(lead))

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        draws = [torch.rand((*lead, *event), generator=self._generator(name, row), dtype=dtype) for row in self.rows]
        return torch.stack(draws, dim=len(lead)).clamp_min(torch.finfo(dtype).tiny)

    def select(self, rows: Tensor) -> "RowNoise":
        return RowNoise(self.seed, [self.rows[int(row)] for row in rows])
