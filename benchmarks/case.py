"""The case on which all implementations of a setting must have the same loss: a few rows, one set of weights, noise."""

import importlib

import torch
from torch import Tensor

from benchmarks.contender import Case
from benchmarks.rows import read
from benchmarks.settings import Setting

ROWS = 16
"""Of each kind."""
STOCHASTIC_DRAWS = 200
"""Evaluations where some implementation draws the digit itself: its loss is compared in the mean."""


def build_case(setting: Setting, dtype: torch.dtype = torch.float32) -> Case:
    """Some rows of both kinds, the twin's own start moved a little (at the start q(y | x) is almost
    even and z almost silent), and pairs of draws.

    The draws come in pairs eps, -eps of signs: their mean loss has KL(q(z) || p(z)) exactly also where an
    implementation scores its draws of z, since that is a quadratic in eps whose second moment is right.
    """
    if setting.rows_from == "the spec":  # whole commits are compared from the spec's own start
        return Case({}, torch.empty(0), torch.empty(0), torch.empty(0), ({},))
    generator = torch.Generator().manual_seed(1)
    rows = read(setting)
    unlabelled, labelled = rows.without[:ROWS], rows.labelled[:ROWS]
    stochastic = any(each.stochastic for each in setting.implementations.values())
    draws = []
    for _ in range(STOCHASTIC_DRAWS // 2 if stochastic else 1):
        signs = {name: _signs((setting.samples, 2 * ROWS, size), generator) for name, size in setting.latents.items()}
        for turn in (1, -1):
            eps = {name: turn * value for name, value in signs.items()}
            for name, size in setting.uniforms.items():
                uniform = torch.rand((setting.samples, 2 * ROWS, size), generator=generator, dtype=torch.float64)
                eps[name] = uniform.clamp_min(1e-9)
            draws.append({name: value.to(dtype) for name, value in eps.items()})
    return Case(
        weights=_weights(setting, dtype, generator),
        unlabelled=rows.at(unlabelled, dtype),
        labelled=rows.at(labelled, dtype),
        labels=rows.labels[labelled],
        draws=tuple(draws),
    )


def _signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator).double() * 2 - 1


def _weights(setting: Setting, dtype: torch.dtype, generator: torch.Generator) -> dict[str, Tensor]:
    """The first implementation's initial weights (torch's own start) plus a hundredth of a standard normal draw."""
    implementation = next(iter(setting.implementations.values()))
    module, _, name = implementation.target.partition(":")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        twin = getattr(importlib.import_module(module), name)(setting, implementation, dtype)
    trained = {name for name, _ in twin.named_parameters()}
    return {
        name: value + 0.01 * torch.randn(value.shape, generator=generator, dtype=torch.float64).to(dtype)
        if name in trained
        else value.clone()
        for name, value in twin.state_dict().items()
    }
