"""Labels whose spec says who answers them (`objective.answers`), or of which a query asks it: the bound, or both."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from runtime.measures.evaluation import placement
from runtime.predicting.row_noise import RowNoise, keys_of_contents
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_parts import RowAnswer
from runtime.querying.grammar import QueryError
from runtime.querying.meaning import Question
from runtime.querying.worlds import compared

SAMPLES = 100
"""Draws of what can be neither summed nor read off, as `predict` has them."""


def labels_by(question: Question, used: UsedRun, by: str, wanted: str | None) -> dict[str, str]:
    """Which labels are answered by the bound or by both. QueryError where that is asked and cannot be."""
    graphs, found = used.model.graphs, dict[str, str]()
    if by != "recognition" or question.changes or wanted == "recognition":
        if wanted in ("bound", "both"):
            raise QueryError(f"--by {wanted} answers labels of rows: there is a do()", question.text, 0, 1)
        return {}
    for target in question.targets:
        name = target.variable.name
        if name in graphs.supervised and target.variable.support is not None:
            says = wanted or graphs.spec.objective.answers.get(name, "recognition")
            if says in ("bound", "both"):
                found[name] = says
    if wanted in ("bound", "both") and not found:
        raise QueryError(
            f"--by {wanted} answers labels with a finite support: none is asked", question.text, 0, len(question.text)
        )
    return found


def answered_labels(
    used: UsedRun, seed: int, name: str, by: str, given: Mapping[str, Tensor], answers: Sequence[RowAnswer]
) -> None:
    """Puts the bound's (or both's) probabilities of a label in the place of q's, as `predict` finds them."""
    device, dtype = placement(used.model)
    graphs, rows = used.graphs, len(answers)
    held = {}
    for each in (*graphs.observed, *graphs.supervised):
        blank = torch.full((rows, *graphs.variables[each].shape), torch.nan, dtype=torch.float64)
        held[each] = given.get(each, blank).to(dtype).to(device)
    noise = RowNoise(seed, rows, lambda: keys_of_contents(held), device)
    found = used.model.predict(name, held, samples=SAMPLES, noise=noise, by=by)  # type: ignore[arg-type]
    shares = found.double().cpu().numpy().reshape(rows, -1, found.shape[-1])
    variable = graphs.variables[name]
    numbers = torch.arange(variable.support or 1, dtype=torch.float64) + variable.minimum
    for row, answer in enumerate(answers):
        for figure in answer.figures.values():
            if figure.target.variable.name != name or answer.refused:
                continue
            element = figure.target.which[figure.target.names.index(figure.name)]
            known = given.get(name)
            if known is not None and not bool(known[row].reshape(-1)[element].isnan()):
                continue
            share = shares[row, element]
            figure.exact, figure.influence = True, torch.zeros(1, *share.shape, dtype=torch.float64)
            if figure.target.sign:
                inside = compared(numbers, figure.target.sign, figure.target.number).numpy()
                figure.values = {"probability": np.asarray(share[inside].sum()), "se": np.asarray(0.0)}
                figure.influence = torch.zeros(1, dtype=torch.float64)
            else:
                figure.values = {"probabilities": share, "se": np.zeros_like(share)}
