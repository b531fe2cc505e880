"""A training step of the deep Markov model beside the same by hand, in the eager style of Pyro's example.

`python -m benchmarks.deep_markov -o results/deep-markov-step.json`: 20 sequences of 129 steps and 88 notes, a state of
100 numbers, one thread, steps of both in turn. The twin has the networks of `SPEC`; it draws step by step as Pyro's
guide does and scores every step of p in the same loop, as its model does (pyro.ai/examples/dmm.html).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.machine import processor
from compiler import compile_spec
from compiler.tensors.noise import Noise
from graphspec.loading import load

ROWS, STEPS, NOTES, STATE, HIDDEN, RECURRENT = 20, 129, 88, 100, 200, 600
SPEC = f"""
graphspec: 1
plates: {{time: {{count: steps, ordered: true}}}}
variables:
  steps: {{role: observed, domain: count, max: {STEPS}}}
  x: {{role: observed, domain: binary, size: {NOTES}, plate: time}}
  z: {{role: latent, size: {STATE}, plate: time}}
  h: {{role: deterministic, plate: time}}
generative:
  z: {{parents: [z@previous], network: {{kind: mlp, hidden: [{HIDDEN}]}}}}
  x: {{parents: [z], network: {{kind: mlp, hidden: [{STATE}, {STATE}]}}}}
recognition:
  h: {{parents: [h@next, x], network: {{kind: gru, hidden: {RECURRENT}}}}}
  z: {{parents: [h, z@previous], network: {{kind: mlp, hidden: [{HIDDEN}]}}}}
"""


class HandDeepMarkov(nn.Module):
    """q(z_t | h_t, z_t-1) with h a GRU from behind, p(z_t | z_t-1), p(x_t | z_t)."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(NOTES, RECURRENT)
        self.combine = nn.Sequential(nn.Linear(RECURRENT + STATE + 1, HIDDEN), nn.ReLU())
        self.transition = nn.Sequential(nn.Linear(STATE + 1, HIDDEN), nn.ReLU())
        self.q_loc, self.q_scale = nn.Linear(HIDDEN, STATE), nn.Linear(HIDDEN, STATE)
        self.p_loc, self.p_scale = nn.Linear(HIDDEN, STATE), nn.Linear(HIDDEN, STATE)
        self.emit = nn.Sequential(nn.Linear(STATE, STATE), nn.ReLU(), nn.Linear(STATE, STATE), nn.ReLU())
        self.logits = nn.Linear(STATE, NOTES)

    def bound(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B] nats of x [T, B, notes]; mask: [T, B], which steps are there."""
        h = self.recurrent(x.flip(0))[0].flip(0)
        z, total = x.new_zeros(x.shape[1], STATE), x.new_zeros(x.shape[1])
        for step in range(len(x)):
            flag = x.new_full((x.shape[1], 1), float(step > 0))
            q = self.combine(torch.cat([h[step], z, flag], -1))
            p = self.transition(torch.cat([z, flag], -1))
            q_loc, q_scale = self.q_loc(q), F.softplus(self.q_scale(q)) + 1e-6
            p_loc, p_scale = self.p_loc(p), F.softplus(self.p_scale(p)) + 1e-6
            z = q_loc + q_scale * torch.randn_like(q_loc)
            ratio = q_scale / p_scale
            kl = 0.5 * (ratio**2 + ((q_loc - p_loc) / p_scale) ** 2 - 1) - ratio.log()
            logits = self.logits(self.emit(z))
            log_p = -F.binary_cross_entropy_with_logits(logits, x[step], reduction="none")
            total = total + mask[step] * (log_p.sum(-1) - kl.sum(-1))
        return total


def measured(rounds: int) -> dict[str, list[float]]:
    """Seconds of each training step, the two in turn."""
    torch.manual_seed(0)
    x = (torch.rand(ROWS, STEPS, NOTES) < 0.05).float()
    rows = {"steps": torch.full((ROWS,), float(STEPS)), "x": x}
    model, hand = compile_spec(load("-", text=SPEC)), HandDeepMarkov()
    noise, mask, by_time = torch.Generator().manual_seed(0), torch.ones(STEPS, ROWS), x.transpose(0, 1).contiguous()
    bounds: dict[str, Callable[[], Tensor]] = {
        "graphspec": lambda: model.bound(rows, noise=Noise(noise, ROWS)),
        "by hand": lambda: hand.bound(by_time, mask),
    }
    optimizers = {
        name: torch.optim.Adam(each.parameters(), 3e-4) for name, each in (("graphspec", model), ("by hand", hand))
    }
    found: dict[str, list[float]] = {name: [] for name in bounds}
    for turn in range(rounds + 1):
        for name, bound in bounds.items():
            start = time.perf_counter()
            optimizers[name].zero_grad()
            (-bound().mean()).backward()
            optimizers[name].step()
            if turn:  # the first warms up
                found[name].append(time.perf_counter() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    seconds = measured(asked.rounds)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    ratio = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
    shapes = {"rows": ROWS, "steps": STEPS, "notes": NOTES, "state": STATE}
    result = {"median_seconds": medians, "median_ratio": ratio, "rounds": asked.rounds, **shapes, **processor()}
    print(json.dumps(result, indent=2))
    if asked.output is not None:
        asked.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
