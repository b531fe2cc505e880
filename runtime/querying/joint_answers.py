"""Several targets together: discrete ones as a table by falling probability, else joint draws of equal weight."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_parts import Joint, RowAnswer
from runtime.querying.meaning import AskedTarget, Question
from runtime.querying.node_factors import in_data_units
from runtime.querying.relevance import axis_of
from runtime.querying.spread import summed_out
from runtime.querying.world_figures import WorldFigures
from runtime.querying.worlds import compared


def joint_of(
    figures: WorldFigures, frame: str, question: Question, used: UsedRun, answers: Sequence[RowAnswer], *,
    discrete: bool,
) -> None:  # fmt: skip
    """Gives each answer that is not refused its joint."""
    for row, answer in enumerate(answers):
        if answer.refused is None:
            answer.joint = _table(figures, frame, question, row) if discrete else _draws(figures, frame, question, row)


def _labels(question: Question) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    names = tuple(name for target in question.targets for name in target.names)
    return names, tuple(target for target in question.targets for _ in target.names)


def _table(figures: WorldFigures, frame: str, question: Question, row: int) -> Joint:
    """Every joint value that can be, the likeliest first; of an event 0 and 1."""
    if figures.worlds.sampling:
        return _sampled_table(figures, frame, question, row)
    worlds, names = figures.worlds, _labels(question)
    axes, each = [], []
    for target in question.targets:
        node = worlds.scene.frames[frame].get(target.variable.name)
        for element in target.which:
            hidden = node is not None and node in worlds.sums.summed
            hidden = hidden and element in worlds.told.hidden(worlds.scene.nodes[node or ""])
            if hidden:
                axes.append(axis_of(node or "", element))
            support = target.variable.support or 1
            each.append((axes[-1] if hidden else "", target, element, support))
    kept = tuple(sorted(set(axes)))
    table = summed_out(worlds.tables, kept).values
    table = table[min(row, len(table) - 1)]
    draws = table.flatten(1).logsumexp(1)
    total = draws.logsumexp(0)
    weights = (draws - total).exp()
    shares = (table.flatten(1) - draws.unsqueeze(1)).exp().nan_to_num()
    mean = (weights.unsqueeze(1) * shares).sum(0)
    se = ((weights.unsqueeze(1) * (shares - mean)) ** 2).sum(0).sqrt() if len(weights) > 1 else torch.zeros_like(mean)
    lines: dict[tuple[float, ...], tuple[float, float]] = {}
    sizes = table.shape[1:]
    for cell, index in enumerate(product(*map(range, sizes))):
        at = dict(zip(kept, index, strict=True))
        code = tuple(_value(figures, frame, name, t, e, at, row) for name, t, e, _ in each)
        before = lines.get(code, (0.0, 0.0))
        lines[code] = (before[0] + float(mean[cell]), float(np.hypot(before[1], float(se[cell]))))
    found = np.array(list(lines)).reshape(len(lines), -1)
    return _ordered(*names, found, np.array([p for p, _ in lines.values()]), np.array([s for _, s in lines.values()]))


def _sampled_table(figures: WorldFigures, frame: str, question: Question, row: int) -> Joint:
    """The same of worlds that were drawn: those values that some of them have."""
    codes = np.stack([_codes(figures, frame, t, e, row) for t in question.targets for e in t.which], axis=1)
    log = figures.total[row]
    weights = (log - log.logsumexp(0)).exp().numpy()
    different, place = np.unique(codes, axis=0, return_inverse=True)
    shares = np.zeros((len(weights), len(different)))
    shares[np.arange(len(weights)), place.reshape(-1)] = 1
    probability = weights @ shares
    se = np.sqrt(((weights[:, None] * (shares - probability)) ** 2).sum(0))
    return _ordered(*_labels(question), different, probability, se)


def _value(
    figures: WorldFigures, frame: str, axis: str, target: AskedTarget, element: int, at: dict[str, int], row: int
) -> float:
    if axis:
        number = float(at[axis] + target.variable.minimum)
    else:
        known = figures.worlds.read(frame, target.variable.name).values
        number = float(known[min(row, len(known) - 1)].reshape(-1)[element])
    return float(compared(torch.tensor(number), target.sign, target.number)) if target.sign else number


def _codes(figures: WorldFigures, frame: str, target: AskedTarget, element: int, row: int) -> NDArray[Any]:
    values = _of_row(figures, frame, target, row)[:, element]
    return (compared(values, target.sign, target.number) if target.sign else values).double().numpy()


def _of_row(figures: WorldFigures, frame: str, target: AskedTarget, row: int) -> Tensor:
    """[S, n] values of a variable in data units in each world of a row."""
    found = figures.worlds.read(frame, target.variable.name)
    shown = in_data_units(found, figures.worlds.units.get(target.variable.name), len(target.variable.shape))
    here = shown[min(row, len(shown) - 1)]
    return here.reshape(len(here), -1).expand(figures.total.shape[1], -1)


def _ordered(
    names: tuple[str, ...], targets: tuple[Any, ...], values: NDArray[Any], probability: NDArray[Any],
    se: NDArray[Any],
) -> Joint:  # fmt: skip
    order = np.argsort(-probability, kind="stable")
    order = order[probability[order] > 0]
    return Joint(names, targets, values[order], probability[order], se[order])


def _draws(figures: WorldFigures, frame: str, question: Question, row: int) -> Joint:
    """As many draws as there were, each with a probability proportional to its weight."""
    log = figures.total[row]
    shares = (log - log.logsumexp(0)).exp().cumsum(0)
    count = len(log)
    noise = figures.worlds.noise.uniform("which draws", (), (), torch.float64).reshape(figures.worlds.rows, -1)[row]
    even = bool((log == log[0]).all())
    chosen = (
        torch.arange(count) if even else torch.searchsorted(shares, noise[:count].contiguous()).clamp_max(count - 1)
    )
    columns, whole = [], {}
    for target in question.targets:
        values = _of_row(figures, frame, target, row)[chosen]
        if target.sign:
            columns.append(compared(values[:, target.which[0]], target.sign, target.number).double().unsqueeze(1))
        else:
            columns.append(values[:, list(target.which)])
            whole[target.variable.name] = values.reshape(count, *target.variable.shape).numpy()
    names, targets = _labels(question)
    return Joint(names, targets, torch.cat(columns, dim=1).numpy(), whole=whole)
