"""How much latent variables carry: nats a row, and how many of their elements follow the rows.

From: a `Model` and values of its latents over a split. To: plain values. Not here: what a latent means
(`disentanglement`), and what to do about one that carries nothing (`runtime.cli`).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from compiler.model.model import Model
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Variable

IN_USE = 0.01
"""An element is in use if its mean varies over rows by this share of its draws' variance (Burda et al. 2016 ask for
0.01 where a standard normal is the prior), or, of finitely many values, if a row tells this many nats about it."""
WHOLE = ("direction", "simplex")
"""Domains whose elements go together: a value counts as one."""


class LatentUse:
    """Takes in a split batch by batch, and keeps sums only: a latent may have many thousands of elements."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model = model
        self._generator = torch.Generator(next(model.parameters(), torch.empty(0)).device).manual_seed(seed)
        self._sums: dict[str, dict[str, Tensor]] = {}

    def take_in(self, seen: Mapping[str, Tensor]) -> None:
        """Rows of observed values {name: [B, *shape]}, every label hidden."""
        graphs, count = self.model.graphs, len(next(iter(seen.values())))
        noise = Noise(self._generator, count)
        drawn = {name: value[0] for name, value in self.model.infer(seen, noise=noise).items()}
        whole = {**seen, **{name: drawn[name] for name in (*graphs.supervised, *graphs.latent)}}
        log_q, log_p = (self.model.log_prob(side, whole) for side in ("recognition", "generative"))
        centres = self.model.posterior_means(seen, noise=noise)
        for name in graphs.latent:
            self._add(name, "nats", log_q[name] - log_p[name])
            if graphs.variables[name].support is not None:
                probabilities = self.model.predict(name, seen, noise=noise)
                self._add(name, "probabilities", probabilities)
                self._add(name, "entropy", torch.special.entr(probabilities.double()).sum(-1))
            else:
                for kind, value in (("mean", centres[name]), ("draw", drawn[name])):
                    self._add(name, kind, value)
                    self._add(name, f"{kind} squared", value.double() ** 2)

    def _add(self, name: str, kind: str, values: Tensor) -> None:
        graphs, values = self.model.graphs, values.detach().double()
        there = torch.ones_like(values, dtype=torch.bool)
        if kind != "nats" and graphs.ragged(graphs.variables[name].path) is not None:
            there = ~values.isnan()  # an element that a row does not have is no number
        sums, there_only = self._sums.setdefault(name, {}), values.masked_fill(~there, 0.0)
        for key, total in ((kind, there_only.sum(dim=0)), (f"{kind} rows", there.sum(dim=0))):
            sums[key] = sums[key] + total.cpu() if key in sums else total.cpu()

    def report(self) -> dict[str, dict[str, Any]]:
        """{name: {nats, in_use, elements}}: nats: mean of log q - log p at draws of q, whose mean over a variable's own
        posterior is its divergence; in_use: how many of its `elements`, those that some row has, follow the rows."""
        return {name: self._of(self.model.graphs.variables[name], sums) for name, sums in self._sums.items()}

    def _of(self, variable: Variable, sums: Mapping[str, Tensor]) -> dict[str, Any]:
        rows = {kind: sums[f"{kind} rows"] for kind in sums if f"{kind} rows" in sums}
        mean = {kind: sums[kind] / count.clamp_min(1) for kind, count in rows.items()}
        if variable.support is not None:
            told = torch.special.entr(mean["probabilities"]).sum(-1) - mean["entropy"]
        else:
            means, draws = (mean[f"{kind} squared"] - mean[kind] ** 2 for kind in ("mean", "draw"))
            axis = len(variable.plates)  # the elements of a direction go together, those of its plates do not
            told = activity(means.mean(axis), draws.mean(axis)) if variable.domain in WHOLE else activity(means, draws)
        met = (rows["entropy"] if variable.support is not None else rows["mean"]) > 0
        met = met.any(dim=len(variable.plates)) if variable.domain in WHOLE else met
        return {"nats": float(mean["nats"]), "in_use": int((told > IN_USE).sum()), "elements": int(met.sum())}


def activity(of_means: Tensor, of_draws: Tensor) -> Tensor:
    """The variance over rows of q's mean in units of the variance of q's draws, each [*shape]: 0 for an element that
    ignores the data, whatever its scale."""
    return of_means / of_draws.clamp_min(1e-12)
