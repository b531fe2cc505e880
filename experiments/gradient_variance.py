"""Variance of stochastic gradients on mnist-m2: the chosen estimators against one naive relaxed sample.

    python -m experiments.gradient_variance --json results/gradient-variance.json

The model is trained a little with exact enumeration; then, at fixed weights and one fixed batch, each estimator draws
gradients with fresh noise. Reported: the trace of the gradient's covariance (over all weights, and over those of
q(y | x) and its features alone), the bias against exact enumeration, and seconds per gradient.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from compiler import compile_spec
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from experiments.label_budgets import machine
from graphspec.loading import load
from runtime.data import epoch_batches, prepare

SPEC = "specs/mnist-m2.yaml"
ESTIMATORS = {
    "enumerate, closed KL (the default)": ("objective.estimators=null",),
    "enumerate with a budget of 1": ("objective.estimators.y={kind: enumerate, budget: 1}",),
    "relax, one sample": ("objective.estimators.y=relax",),
    "relax, straight through": ("objective.estimators.y={kind: relax, straight_through: true}",),
    "score function, one sample": ("objective.estimators.y=score_function",),
    "score function, four samples": ("objective.estimators.y=score_function", "objective.samples=4"),
}


def gradient(model: Model, rows: dict[str, torch.Tensor], split: int, noise: int) -> dict[str, torch.Tensor]:
    """Gradient of the weighted total at one draw of noise, by parameter name."""
    weights = ObjectiveWeights.at(model.graphs, model.rates, 0.0)
    bound = model.evaluate(rows, weights=weights, noise=Noise(noise, len(rows["x"]))).bound
    total = (1 - weights.rho) * bound[:split].mean() + weights.rho * bound[split:].mean()
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(total, parameters), strict=True))


def moments(model: Model, rows: dict[str, torch.Tensor], split: int, draws: int) -> tuple[dict[str, Any], float]:
    """Mean and summed variance of the gradient per parameter, and seconds per gradient."""
    started = time.perf_counter()
    first = gradient(model, rows, split, 0)
    mean = {n: g.double() for n, g in first.items()}
    square = {n: torch.zeros_like(g, dtype=torch.float64) for n, g in first.items()}
    for draw in range(1, draws):
        for name, found in gradient(model, rows, split, draw).items():
            change = found.double() - mean[name]
            mean[name] += change / (draw + 1)
            square[name] += change * (found.double() - mean[name])
    seconds = (time.perf_counter() - started) / draws
    return {n: (mean[n], float(square[n].sum()) / (draws - 1)) for n in mean}, seconds


def main() -> None:
    """Train briefly, measure every estimator, print a table, write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    graphs = load(SPEC, ("objective.estimators=null",))
    data = prepare(graphs, data_dir=None, spec_path=Path(SPEC))
    trained = compile_spec(graphs, seed=0)
    trained.rates = data.rates()
    optimizer = torch.optim.Adam(trained.parameters(), lr=1e-3)
    rows, split = {}, 0
    for number, step in enumerate(epoch_batches(data, 0, 100, 100, 0)):
        positions = torch.cat([step.unlabelled, step.labelled])
        rows, split = data.training.batch(positions, torch.float32), len(step.unlabelled)
        for position in range(split):
            rows["y"][position] = -1
        if number == options.steps:
            break
        for name, found in gradient(trained, rows, split, number).items():
            trained.get_parameter(name).grad = -found
        optimizer.step()
    exact, results = None, []
    for label, overrides in ESTIMATORS.items():
        model = compile_spec(load(SPEC, ("objective.estimators=null", *overrides)), seed=0)
        model.load_state_dict(trained.state_dict())
        model.rates = data.rates()
        found, seconds = moments(model, rows, split, options.draws)
        exact = exact or found
        own = [n for n in found if "recognition--y" in n or "recognition--h" in n]
        bias = sum(float((found[n][0] - exact[n][0]).square().sum()) for n in own) ** 0.5
        size = sum(float(exact[n][0].square().sum()) for n in own) ** 0.5
        row = {
            "estimator": label,
            "variance": sum(v for _, v in found.values()),
            "variance_recognition_of_y": sum(found[n][1] for n in own),
            "distance_from_exact_mean": bias / size,
            "seconds_per_gradient": seconds,
        }
        results.append(row)
        print({k: v if isinstance(v, str) else float(f"{v:.4g}") for k, v in row.items()}, flush=True)
    command = f"python -m experiments.gradient_variance --steps {options.steps} --draws {options.draws}"
    options.json.parent.mkdir(parents=True, exist_ok=True)
    found_all = {"command": f"{command} --json {options.json}", "machine": machine(), "seed": 0, "rows": results}
    options.json.write_text(json.dumps(found_all, indent=2) + "\n")


if __name__ == "__main__":
    main()
