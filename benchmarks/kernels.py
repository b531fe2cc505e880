"""The row kernels beside torch: microseconds of a forward and a backward pass, the least of many, on one thread.

python -m benchmarks.kernels --json results/kernels.json [--worktree ../an-older-commit]

A sum of a bias [256], a looked-up row per class [10, 1, 256] and a product [10, 100, 256] with its activation; log
densities of 784 elements summed, [10, 20] rows. Short passes, taken in turns: the least of many is a figure that other
work on the machine hardly changes.
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.machine import processor

CLASSES, ROWS, WIDTH = 10, 100, 256
DENSITY_ROWS, EVENT = 20, 784

Made = Callable[[], Tensor]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("results/kernels.json"))
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--worktree", type=Path, default=None, help="whose kernels are measured; default these")
    options = parser.parse_args(arguments)
    if options.worktree is not None:
        sys.path.insert(0, str(options.worktree))
    torch.set_num_threads(1)
    rows = [*_activations(options.repeats), *_densities(options.repeats)]
    told = {
        "command": shlex.join(["python", "-m", "benchmarks.kernels", "--repeats", str(options.repeats)]),
        "rows": rows,
        "machine": processor() | {"threads": 1, "load": os.getloadavg()[0]},
        "torch": torch.__version__,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(told, indent=1) + "\n")
    for row in rows:
        print(
            f"{row['what']:28} kernel {row['kernel_us']:8.0f} us  torch {row['torch_us']:8.0f} us  {row['ratio']:.2f}"
        )
    return 0


def _activations(repeats: int) -> list[dict[str, Any]]:
    from compiler.kernels import FUSED_ACTIVATIONS, activated, add_up, sum_activate

    shapes = ((WIDTH,), (CLASSES, 1, WIDTH), (CLASSES, ROWS, WIDTH))
    parts = [torch.randn(shape).requires_grad_() for shape in shapes]

    def both(name: str) -> tuple[Made, Made]:
        return (lambda: _there(sum_activate(parts, name))), (lambda: activated(add_up(parts), name))

    return [_row(f"sum, {name}", *both(name), parts, repeats) for name in sorted(FUSED_ACTIVATIONS)]


def _densities(repeats: int) -> list[dict[str, Any]]:
    from compiler.kernels import fused_density

    lead = (CLASSES, DENSITY_ROWS, EVENT)
    location, scale = torch.randn(lead).requires_grad_(), torch.rand(lead).add(0.5).requires_grad_()
    value = (torch.rand(1, *lead[1:]) > 0.5).float()

    def bernoulli() -> Tensor:
        target = value.expand(lead)
        return -F.binary_cross_entropy_with_logits(location, target, reduction="none").sum(-1)

    def normal() -> Tensor:
        return (-0.5 * ((value - location) / scale) ** 2 - scale.log()).sum(-1)

    def laplace() -> Tensor:
        return (-(value - location).abs() / scale - scale.log()).sum(-1)

    rows = []
    for name, inputs, plain in (
        ("bernoulli", [location], bernoulli),
        ("normal", [location, scale], normal),
        ("laplace", [location, scale], laplace),
    ):
        given = [*inputs, value]
        try:
            fused_density(name, given, 1)
        except AttributeError:  # the library has no such function
            continue
        rows.append(_row(f"density, {name}", _bound(fused_density, name, given), plain, inputs, repeats))
    return rows


def _bound(function: Callable[..., Tensor | None], name: str, inputs: Sequence[Tensor]) -> Made:
    return lambda: _there(function(name, inputs, 1))


def _there(found: Tensor | None) -> Tensor:
    assert found is not None, "there are no kernels: see `graphspec doctor`"
    return found


def _row(what: str, kernel: Made, plain: Made, leaves: Sequence[Tensor], repeats: int) -> dict[str, Any]:
    """ratio: above 1 where the kernel is faster."""
    least = [float("inf"), float("inf")]
    for _ in range(repeats):
        for place, made in enumerate((kernel, plain)):
            began = time.perf_counter()
            out = made()
            torch.autograd.grad(out, leaves, torch.ones_like(out))
            least[place] = min(least[place], time.perf_counter() - began)
    ours, theirs = (round(1e6 * each, 1) for each in least)
    return {"what": what, "kernel_us": ours, "torch_us": theirs, "ratio": round(theirs / ours, 3)}


if __name__ == "__main__":
    sys.exit(main())
