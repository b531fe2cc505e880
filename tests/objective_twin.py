"""A slow, plain twin of the objective for discrete graphs: loops over every joint value, written from the definition.

It uses nothing of the compiler but `Model.log_prob`, and follows design section 3 literally.
"""

from itertools import product

import torch

from compiler.model.model import Model


def joint_values(model: Model, names: list[str]) -> list[dict[str, int]]:
    """Every joint value of the discrete variables `names`."""
    supports = [range(model.graphs.variables[name].support) for name in names]
    return [dict(zip(names, values, strict=True)) for values in product(*supports)]


def log_densities(model: Model, row: dict[str, torch.Tensor], table: list[dict[str, int]]):
    """log p and log q of every factor for one row at each joint value of the hidden variables: {name: [values]}."""
    full = {name: value.expand(len(table), *value.shape[1:]) for name, value in row.items()}
    for name in table[0]:
        full[name] = torch.tensor([values[name] for values in table])
    return model.log_prob("generative", full), model.log_prob("recognition", full)


def twin_bound(
    model: Model,
    row: dict[str, torch.Tensor],
    labels: list[str],
    *,
    alpha: dict[str, float],
    beta: dict[str, float] | None = None,
    jensen: bool = False,
) -> torch.Tensor:
    """L of one row whose clamped `labels` are in `row`, by summing over every value of everything else."""
    beta = beta or {}
    order = [f.variable for f in model.graphs.order("recognition") if not f.deterministic]
    clamped = [name for name in order if name in labels]
    hidden = [name for name in order if name not in labels]
    values = joint_values(model, hidden)
    all_p, all_q = log_densities(model, row, values)
    table = []
    for index in range(len(values)):
        log_p = {name: density[index] for name, density in all_p.items()}
        log_q = {name: density[index] for name, density in all_q.items()}
        g = torch.stack([torch.zeros(()).double(), *(log_q[n] for n in hidden)]).sum().exp()
        table.append((g, log_p, log_q))

    def evidence(names: list[str]) -> torch.Tensor:
        total = torch.zeros(()).double()
        for g, _, log_q in table:
            log_w = torch.stack([torch.zeros(()).double(), *(log_q[n] for n in names)]).sum()
            total = total + (g * log_w if jensen else g * log_w.exp())
        return total if jensen else total.log()

    weights = []
    for g, _, log_q in table:
        weights.append(g * torch.stack([torch.zeros(()).double(), *(log_q[n] for n in clamped)]).sum().exp())
    normaliser = torch.stack(weights).sum()

    result = evidence(clamped)
    for weight, (_, log_p, log_q) in zip(weights, table, strict=True):
        inner = torch.zeros(()).double()
        for name, value in log_p.items():
            inner = inner + (beta.get(name, 1.0) * (value - log_q[name]) if name in hidden else value)
        for name in clamped:
            inner = inner - log_q[name]
        result = result + weight / normaliser * inner
    for position, name in enumerate(clamped):
        part = evidence([name]) if jensen else evidence(clamped[: position + 1]) - evidence(clamped[:position])
        result = result + alpha[name] * part
    return result
