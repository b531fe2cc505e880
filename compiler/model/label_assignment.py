"""Labels of elements that are a set (`order: unknown`), in the order of the elements that q gives them to."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial

import torch
from torch import Tensor

from compiler.model.compiled import Compiled
from compiler.plan.plan import Plan
from compiler.plan.questions import plan_assignments
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from graphspec.graphs.label_sets import sets_of_labels

Asked = tuple[Hashable, Callable[[], Plan]]
"""What tells a question to rows of one pattern from others, and its plan."""
AskByPattern = Callable[[Mapping[str, Tensor], Callable[[Pattern], Asked | None], Noise], dict[str, Tensor]]


def label_places(
    compiled: Compiled, by_pattern: AskByPattern, prepared: Mapping[str, Tensor], samples: int, noise: Noise
) -> dict[str, Tensor]:
    """{label: [B, n]}: of labels that are a set, which of a row's each element has; empty without any such label.
    prepared: rows. by_pattern: asks each pattern's own question."""
    sets, found = sets_of_labels(compiled.graphs), dict[str, Tensor]()
    if not any(label in prepared for labels in sets.values() for label in labels):
        return found

    def planned(pattern: Pattern) -> Asked | None:
        program, _ = compiled.program(pattern, samples)
        question = partial(plan_assignments, program, compiled.features)
        return (("assignments", samples), question) if program.sets else None

    assignments = by_pattern(prepared, planned, noise)
    for plate, labels in sets.items():
        for label in (label for label in labels if label in prepared):
            stay = torch.arange(prepared[label].shape[1], device=prepared[label].device)
            told = assignments.get(f"assignment {plate}", stay.expand(prepared[label].shape[:2]))
            found[label] = torch.where(told.isnan(), stay, told).long()
    return found


def at_places(labels: Tensor, places: Tensor) -> Tensor:
    """What rows have of a label, [B, n, *shape], in the order of the elements: places [B, n]."""
    index = places.reshape(*places.shape, *(1,) * (labels.dim() - 2))
    return labels.gather(1, index.expand(*places.shape, *labels.shape[2:]))
