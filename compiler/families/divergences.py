"""Closed-form KL(q || p), nats. Which pairs have one is told by `Family.closed_kl` and the entries alike."""

import torch
from torch import Tensor

from compiler.families.entry import Extras, FamilyEntry, Parameters, call, sum_last


def divergence_each(
    q: FamilyEntry, p: FamilyEntry, q_parameters: Parameters, p_parameters: Parameters, extras: Extras
) -> Tensor:
    """Of each element of the event, [*lead, *event] (multivariate: size 1 along the dependent axis).

    p_parameters: none of them stand for p's standard values. Raises NotImplementedError for a pair without a closed
    form.
    """
    ours = q.inputs(q_parameters, extras)
    if not p_parameters and q.standard_divergence and (p.name == q.name or (p.by_class and q.by_class)):
        return call(q.standard_divergence, ours, extras)
    function = q.divergences.get(p.name)
    if function is None:
        raise NotImplementedError(f"no closed-form KL from {q.name} to {p.name}")
    theirs = p_parameters or [torch.full_like(q_parameters[0], info.standard) for info in p.family.parameters]
    return call(function, (*ours, *p.inputs(theirs, extras)), extras)


def divergence(
    q: FamilyEntry, p: FamilyEntry, q_parameters: Parameters, p_parameters: Parameters, extras: Extras
) -> Tensor:
    """Summed over the event, [*lead]; parameters spread over it (`FamilyEntry.spread`)."""
    return sum_last(divergence_each(q, p, q_parameters, p_parameters, extras), len(extras.shape))
