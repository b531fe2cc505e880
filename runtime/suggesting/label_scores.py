"""How much the label of a row would tell: its entropy, and what is known of it only through hidden draws.

    entropy       H[q(y | row)], nats
    information   H[mean_s p(y | row, h_s)] - mean_s H[p(y | row, h_s)],  h_s ~ q(h | row)

The second is the mutual information of the label and everything else that is hidden (Houlsby et al. 2011, BALD, with
the model's own draws in place of weights): rows whose styles would speak for different labels. p(y | row, h) is p's
own, by its densities at every value of y.

Beside them features, by which rows are alike: the square roots of the label's probabilities and the mean of the hidden
draws, or what is observed where nothing else is hidden.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.model.model import Model
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Graphs
from graphspec.reading.suggestions import did_you_mean
from runtime.errors import RunError

Floats = NDArray[np.float64]
MOST_EVALUATIONS = 400
"""Of p for one row: draws times classes."""
SMALLEST = 1e-12


@dataclass(frozen=True)
class LabelScores:
    """Of B rows. probabilities: [B, K]; entropy, information: [B] nats (0 where nothing else is hidden); likeness:
    [B, D], of what is hidden or seen of a row."""

    probabilities: Floats
    entropy: Floats
    information: Floats
    likeness: Floats

    @property
    def score(self) -> Floats:
        """What rows are ordered by."""
        return np.asarray(self.entropy + self.information)

    @property
    def features(self) -> Floats:
        """[B, K + D]: what the model says of a row and how it sees it, each with a mean square of 1 over the rows."""
        return np.concatenate([_standardized(np.sqrt(self.probabilities)), _standardized(self.likeness)], axis=1)

    def with_more(self, other: "LabelScores") -> "LabelScores":
        """Rows of both."""
        return LabelScores(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def of(self, places: NDArray[np.int64]) -> "LabelScores":
        """Some rows."""
        return LabelScores(*(getattr(self, f.name)[places] for f in fields(self)))


def label_to_suggest(graphs: Graphs, wanted: str | None) -> str:
    """The label asked for, or the only one there is. RunError for one that has no classes, or several elements."""
    possible = [n for n in graphs.supervised if graphs.variables[n].support and not graphs.variables[n].row_shape]
    if wanted is not None and wanted not in possible:
        hint = f"{did_you_mean(wanted, possible)} labels: {', '.join(possible) or 'none'}".strip()
        raise RunError(f"{wanted} is no label with one class a row", hint)
    if not possible:
        raise RunError("this model has no label with one class a row", "rows are suggested by how sure a class is")
    if wanted is None and len(possible) > 1:
        raise RunError(f"this model has several labels: {', '.join(possible)}", f"name one: --label {possible[0]}")
    return wanted or possible[0]


def label_scores(model: Model, name: str, rows: Mapping[str, Tensor], noise: Noise, samples: int = 20) -> LabelScores:
    """rows: {name: [B, *shape]} as the model takes them, other labels used where they are given; noise: whose draws
    follow from the rows, so that a row's scores do not depend on those beside it."""
    rows = {other: values for other, values in rows.items() if other != name}
    with torch.no_grad():
        probabilities = model.predict(name, rows, samples=samples, noise=noise).double().cpu().numpy()
        information, likeness = _hidden(model, name, rows, noise, samples)
    return LabelScores(probabilities, entropies(probabilities), information, likeness)


def entropies(probabilities: Floats) -> Floats:
    """[...] nats of probabilities [..., K]."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, SMALLEST))).sum(-1))


def _standardized(values: Floats) -> Floats:
    apart = values - values.mean(0)
    return np.asarray(apart / np.sqrt(max(float((apart**2).sum(1).mean()), SMALLEST)))


def _hidden(model: Model, name: str, rows: Mapping[str, Tensor], noise: Noise, samples: int) -> tuple[Floats, Floats]:
    """The information [B] of what else is hidden, and its mean [B, D]; what is observed where nothing is."""
    graphs, variable, count = model.graphs, model.graphs.variables[name], noise.batch
    seen = {n: value for n, value in rows.items() if n in graphs.observed or n in graphs.supervised}
    others = [n for n in (*graphs.latent, *graphs.supervised) if n != name and n not in rows]
    if not others:
        return np.zeros(count), _flat([value for n, value in seen.items() if n in graphs.observed])
    most = MOST_EVALUATIONS // (variable.support or 1)
    drawn = model.infer(seen, samples=max(2, min(samples, most)), noise=noise)
    likeness = _flat([drawn[n].double().mean(0) for n in others])
    if name not in graphs.generative or variable.support is None:
        return np.zeros(count), likeness
    return _information(model, name, seen, drawn, count), likeness


def _flat(values: list[Tensor]) -> Floats:
    """[B, all elements]; 0 for blanks."""
    flat = torch.cat(
        [value.double().flatten(1) if value.dim() > 1 else value.double().unsqueeze(1) for value in values], 1
    )
    return np.asarray(flat.nan_to_num().cpu().numpy())


def _information(
    model: Model, name: str, seen: Mapping[str, Tensor], drawn: Mapping[str, Tensor], count: int
) -> Floats:
    """[B] nats; drawn: [samples, B, *shape]."""
    variable = model.graphs.variables[name]
    samples = len(next(iter(drawn.values())))
    values = {n: value.reshape(-1, *value.shape[2:]) for n, value in drawn.items() if n != name}
    told = {n: value for n, value in seen.items() if n not in values}  # labels are as drawn
    values |= {n: value.repeat(samples, *[1] * (value.dim() - 1)) for n, value in told.items()}
    bounds = []
    for value in range(variable.minimum, variable.minimum + (variable.support or 1)):
        held = torch.full(
            (samples * count,), float(value), dtype=model.dtype, device=next(iter(values.values())).device
        )
        densities = model.log_prob("generative", {**values, name: held})
        bounds.append(sum(each.double() for each in densities.values()))
    log_joint = torch.stack([each for each in bounds if isinstance(each, Tensor)], dim=-1)
    each = log_joint.softmax(-1).reshape(samples, count, -1).cpu().numpy()
    return np.asarray(np.maximum(entropies(each.mean(0)) - entropies(each).mean(0), 0.0))
