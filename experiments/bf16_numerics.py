"""How far the objective and its gradient move when networks multiply in bfloat16, at equal weights, rows and noise.

    python -m experiments.bf16_numerics --json results/bf16-numerics.json

Each spec is trained in float32 for a while; before and after, batches of real rows are evaluated both ways. Reported:
the largest relative difference of the batch's objective, of the gradient's length, and of the gradient as a vector
(length of the difference over the length). Dropout, input noise and draws are the same in both.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from compiler import compile_spec
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from experiments.label_budgets import machine
from graphspec.loading import load
from runtime.data import PreparedData, epoch_batches, prepare
from runtime.training.speed.choices import native_bf16

SPECS = ("digits", "mnist-m2", "mnist-paper", "mnist-label-below", "adgm", "mnist-m2-conv", "mnist-paper-conv")
ROWS = 100
"""Of each kind in a batch."""


def batches(data: PreparedData) -> Iterator[tuple[dict[str, torch.Tensor], int]]:
    """(rows, how many of them are unlabelled), in the order of training."""
    for step in epoch_batches(data, 0, ROWS, ROWS, 0):
        rows = data.training.batch(torch.cat([step.unlabelled, step.labelled]), torch.float32)
        yield rows, len(step.unlabelled)


def objective(model: Model, rows: dict[str, torch.Tensor], split: int, noise: int, bf16: bool) -> tuple[float, Any]:
    """The batch's objective in nats a row, and its gradient by parameter."""
    weights = ObjectiveWeights.at(model.graphs, model.rates, 0.0)
    count = len(next(iter(rows.values())))
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        bound = model.evaluate(rows, weights=weights, noise=Noise(noise, count)).bound
    total = (1 - weights.rho) * bound[:split].mean() + weights.rho * bound[split:].mean()
    gradients = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    return float(total.detach()), gradients


def differences(model: Model, found: list[tuple[dict[str, torch.Tensor], int]]) -> dict[str, float]:
    """The largest relative differences over the batches."""
    worst = {"objective": 0.0, "gradient_norm": 0.0, "gradient": 0.0}
    for number, (rows, split) in enumerate(found):
        (value, exact), (other, rounded) = (objective(model, rows, split, number, bf16) for bf16 in (False, True))
        ours, theirs = (torch.cat([g.flatten().double() for g in side if g is not None]) for side in (rounded, exact))
        size = float(theirs.norm())
        here = {
            "objective": abs(other / value - 1),
            "gradient_norm": abs(float(ours.norm()) / size - 1),
            "gradient": float((ours - theirs).norm()) / size,
        }
        worst = {name: max(worst[name], here[name]) for name in worst}
    return {name: float(f"{value:.3g}") for name, value in worst.items()}


def train(model: Model, data: PreparedData, steps: int) -> None:
    """Adam in float32."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    done = 0
    while done < steps:
        for rows, split in batches(data):
            _, gradients = objective(model, rows, split, done, bf16=False)
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.grad = None if gradient is None else -gradient
            optimizer.step()
            done += 1
            if done == steps:
                return


def main() -> None:
    """Measure every spec, print a line each, write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300, help="of training between the two measurements")
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for name in SPECS:
        path = Path("specs") / f"{name}.yaml"
        graphs = load(path)
        data = prepare(graphs, data_dir=None, spec_path=path)
        model = compile_spec(graphs, seed=0)
        model.rates = data.rates()
        found = [batch for batch, _ in zip(batches(data), range(options.batches), strict=False)]
        row = {"spec": str(path), "at the start": differences(model, found)}
        train(model, data, options.steps)
        row[f"after {options.steps} steps"] = differences(model, found)
        rows.append(row)
        print(json.dumps(row), flush=True)
    command = f"python -m experiments.bf16_numerics --steps {options.steps} --batches {options.batches}"
    report = {
        "command": f"{command} --json {options.json}",
        "bfloat16": native_bf16(torch.device("cpu")) or "emulated",
        "machine": machine(),
        "seed": 0,
        "rows": rows,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
