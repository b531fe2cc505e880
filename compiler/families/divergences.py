"""Closed-form KL(q || p), nats. Which pairs have one is told by `Family.closed_kl` and the entries alike."""

from torch import Tensor

from compiler.families.entry import Extras, FamilyEntry, Parameters, call, sum_event
from compiler.kernels import fused_density


def divergence_each(
    q: FamilyEntry, p: FamilyEntry, q_parameters: Parameters, p_parameters: Parameters, extras: Extras
) -> Tensor:
    """Of each element of the event, [*lead, *event] (multivariate: size 1 along the dependent axis).

    Raises NotImplementedError for a pair without a closed form.
    """
    function = q.divergences.get(p.name)
    if function is None:
        raise NotImplementedError(f"no closed-form KL from {q.name} to {p.name}")
    return call(function, (*q.inputs(q_parameters, extras), *p.inputs(p_parameters, extras)), extras)


def divergence(
    q: FamilyEntry, p: FamilyEntry, q_parameters: Parameters, p_parameters: Parameters, extras: Extras
) -> Tensor:
    """Summed over the event, [*lead]; parameters spread over it (`FamilyEntry.spread`). In one pass by a kernel."""
    if q.divergence_kernel is not None and p.name == q.name:
        found = fused_density(q.divergence_kernel, [*q_parameters, *p_parameters], len(extras.shape))
        if found is not None:
            return found
    return sum_event(divergence_each(q, p, q_parameters, p_parameters, extras), extras)
