"""Rows moved to where the averaged model's answer changes most: what `consistency` with `adversarial` compares.

From: a step's rows as augmented and binarized. To: the same rows, each moved by a given length. Source: Miyato et al.
2018 (virtual adversarial training, algorithm 1 with one power iteration), with the averaged model in place of the
trained one while the direction is looked for: it has no dropout and no batch statistics to disturb the comparison.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from compiler.model.teacher_answers import Answers, disagreement
from compiler.symbolic.agreement import PROBE, Agreement
from compiler.tensors.blanks import given, placed
from compiler.tensors.noise import Noise


@dataclass(frozen=True)
class MovedRows:
    """Some of a batch's B rows. values: {name: [n, *shape]}. where: [n] their places. patterns: [n] of
    `Model.row_patterns`."""

    values: dict[str, Tensor]
    where: Tensor
    patterns: Tensor

    def answer(self, answers: Answers, noise: Noise) -> dict[str, Tensor]:
        """`log_answer` of these rows {name: [B, *shape, K]} nats, with gradients; 0 for the others.

        noise: of the B rows. Running batch statistics stay those of rows as they are.
        """
        with kept_buffers(answers.model):
            said = answers(self.values, noise.select(self.where), self.patterns)
        return {name: spread(log_q, self.where, noise.batch) for name, log_q in said.items()}


def move(rows: MovedRows, answers: Answers, agreement: Agreement, lacking: Tensor, noise: Noise) -> MovedRows:
    """Each row moved by `agreement.adversarial`, over all elements of `agreement.moves` together, in a direction that
    raises KL(q(label | row) || q(label | moved row)), summed over elements of the label that the row lacks.

    answers: of the averaged model in evaluation mode, for that label. lacking: [n, *shape] bool. A row is left
    unchanged where its answer has no gradient with respect to it, and blank elements stay blank.
    """
    label, names, values, model = agreement.variable, agreement.moves, rows.values, answers.model
    here = {name: given(model.graphs, name, values[name]) for name in names}
    with torch.no_grad():
        reference = answers(values, noise, rows.patterns)[label]
        drawn = {n: noise.normal(f"adversarial {n}", (), values[n].shape[1:], model.dtype) * here[n] for n in names}
        start = _along(drawn, PROBE * agreement.adversarial)
    probes = {name: (values[name] + start[name]).requires_grad_() for name in names}
    with torch.enable_grad():
        said = answers(values | probes, noise, rows.patterns)[label]
        nats, _ = disagreement(said, reference.exp(), lacking, 0.0)
        among = list(probes.values())
        found = torch.autograd.grad(nats.sum(), among, allow_unused=True) if nats.requires_grad else [None] * len(names)
    gradients = {
        name: torch.zeros_like(values[name]) if gradient is None else gradient  # 0 where blank
        for name, gradient in zip(names, found, strict=True)
    }
    steps = _along(gradients, agreement.adversarial)
    return replace(rows, values=values | {name: values[name] + steps[name] for name in names})


def _along(directions: Mapping[str, Tensor], length: float) -> dict[str, Tensor]:
    """Each row's directions [n, *shape], scaled to this length over all names together; zero stays zero."""
    flat = torch.cat([direction.flatten(1) for direction in directions.values()], dim=1)
    largest = flat.abs().amax(dim=1, keepdim=True)
    # by the largest element first: squares of small gradients would vanish
    scaled = flat / torch.where(largest > 0, largest, 1.0)
    norms = scaled.norm(dim=1, keepdim=True)
    unit = scaled * (length / torch.where(norms > 0, norms, 1.0))
    parts = unit.split([direction[0].numel() for direction in directions.values()], dim=1)
    return {name: part.reshape(directions[name].shape) for name, part in zip(directions, parts, strict=True)}


@contextmanager
def kept_buffers(model: nn.Module) -> Iterator[None]:
    """Within the block the modules write to copies of their buffers; after it the buffers are what they were."""
    kept = [(part, name, buffer) for part in model.modules() for name, buffer in part.named_buffers(recurse=False)]
    for part, name, buffer in kept:
        setattr(part, name, buffer.clone())
    try:
        yield
    finally:
        for part, name, buffer in kept:
            setattr(part, name, buffer)


def spread(values: Tensor, where: Tensor, batch: int) -> Tensor:
    """[batch, ...] with `values` [n, ...] at some rows and zeros elsewhere."""
    if len(where) == batch:
        return values
    return placed(values.new_zeros(batch, *values.shape[1:]), where, values)
