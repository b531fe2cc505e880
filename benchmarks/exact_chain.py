"""A hidden Markov model beside a hand-written logsumexp loop: milliseconds of a value and its gradient, one thread.

python -m benchmarks.exact_chain --json results/exact-chain.json

16 states, 500 steps, 32 rows, numbers of two dimensions, float32. Both take turns in one process; the ratio is the
median over pairs. The loop is what the textbook has (Rabiner 1989), on the same weights: their values agree.
"""

import argparse
import json
import os
import shlex
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.machine import processor

SPEC = """
graphspec: 1
plates: {time: {size: STEPS, ordered: true}}
variables:
  x: {role: observed, domain: real, size: 2, plate: time}
  c: {role: latent, domain: category, classes: STATES, plate: time}
generative:
  c: {parents: [c@previous], network: {kind: linear}}
  x: {parents: [c], network: {kind: linear}}
recognition: {c: exact}
"""


class ByHand(nn.Module):
    """The same model as one writes it down: its own tables, one loop."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        found = dict(model.named_parameters())

        def part(factor: str, end: str) -> nn.Parameter:
            own = (name for name in found if name.startswith(f"factors.generative--{factor}."))
            (value,) = (found[name] for name in own if name.endswith(end))
            return nn.Parameter(value.detach().clone())

        self.start, self.moves = part("c", "to_logits.bias"), part("c", "from_c@previous.weight")
        self.there = part("c", "present.weight")
        self.loc, self.loc_bias = part("x", "to_loc.maps.from_c.weight"), part("x", "to_loc.bias")
        self.scale, self.scale_bias = part("x", "to_scale.maps.from_c.weight"), part("x", "to_scale.bias")

    def forward(self, x: Tensor, scale: Callable[[Tensor], Tensor]) -> Tensor:
        """[B] evidence of x [B, T, D]."""
        first = torch.log_softmax(self.start, -1)
        moves = torch.log_softmax(self.moves.t() + self.start + self.there[:, 0], -1)
        loc, width = self.loc.t() + self.loc_bias, scale(self.scale.t() + self.scale_bias)
        seen = torch.distributions.Normal(loc, width).log_prob(x[:, :, None]).sum(-1)
        steps = seen.unbind(1)
        message = first + steps[0]
        for step in steps[1:]:
            message = torch.logsumexp(message[:, :, None] + moves, dim=1) + step
        return torch.logsumexp(message, -1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("results/exact-chain.json"))
    parser.add_argument("--repeats", type=int, default=15)
    for name, count in (("states", 16), ("steps", 500), ("rows", 32)):
        parser.add_argument(f"--{name}", type=int, default=count)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    told = measured(options.states, options.steps, options.rows, options.repeats)
    sizes = {name: getattr(options, name) for name in ("states", "steps", "rows", "repeats")}
    words = [word for name, count in sizes.items() for word in (f"--{name}", str(count))]
    whole = {
        "command": shlex.join(["python", "-m", "benchmarks.exact_chain", *words]),
        **told,
        "machine": processor() | {"threads": 1, "load": os.getloadavg()[0]},
        "torch": torch.__version__,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"exact {told['exact_ms']:.1f} ms, by hand {told['hand_ms']:.1f} ms, ratio {told['ratio']:.2f}")
    return 0


def measured(states: int, steps: int, rows: int, repeats: int) -> dict[str, Any]:
    """Medians of both, and of the ratio of each pair."""
    from compiler import compile_spec
    from compiler.factors.links import positive
    from graphspec.language.families import SCALE_FLOOR
    from graphspec.loading import load

    text = SPEC.replace("STEPS", str(steps)).replace("STATES", str(states))
    model = compile_spec(load("-", text=text))
    hand = ByHand(model)
    x = torch.randn(rows, steps, 2, generator=torch.Generator().manual_seed(0))

    def link(raw: Tensor) -> Tensor:
        return positive(raw, 1.0, SCALE_FLOOR)

    torch.testing.assert_close(model.bound({"x": x}), hand(x, link), rtol=1e-5, atol=0)
    exact = [timed(lambda: model.bound({"x": x}), model)]
    looped = [timed(lambda: hand(x, link), hand)]
    for _ in range(repeats):
        exact.append(timed(lambda: model.bound({"x": x}), model))
        looped.append(timed(lambda: hand(x, link), hand))
    pairs = [a / b for a, b in zip(exact[1:], looped[1:], strict=True)]
    found = {"exact_ms": statistics.median(exact[1:]), "hand_ms": statistics.median(looped[1:])}
    return {**found, "ratio": statistics.median(pairs), "ratios": sorted(pairs)}


def timed(value: Callable[[], Tensor], module: nn.Module) -> float:
    """Milliseconds of a value and its gradient."""
    module.zero_grad()
    start = time.perf_counter()
    (-value().mean()).backward()  # type: ignore[no-untyped-call]
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    raise SystemExit(main())
