"""Groups of rows with plates run in one joint plan: what they compute alike is computed once, and says the same."""

from collections import Counter
from typing import Any

import pytest
import torch
from plate_twin import gradients
from random_plates import PlateSpecDraw
from random_walks import WalkSpecDraw
from row_noise import RowNoise
from test_plates import model_of, rows_for
from test_ragged_plates import VISITS, ragged_rows
from test_short_batches import NOISY_WALK, STEPS

QUIET_WALK = NOISY_WALK.replace(", dropout: 0.3", "")
STATES = """
graphspec: 1
plates: {time: {count: n, ordered: true}}
variables:
  n: {role: observed, domain: count, max: 5}
  x: {role: observed, size: 2, plate: time}
  y: {role: supervised, domain: category, classes: 3, plate: time}
  z: {role: latent, size: 1, plate: time}
generative:
  z: {parents: [z@previous]}
  y: {parents: [z]}
  x: {parents: [z]}
recognition:
  z: {parents: [x, z@previous]}
  y: {parents: [x]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
"""
SPECS = {
    "views": VISITS, "exact": STEPS, "chain": STEPS.replace(", dropout: 0.3", ""), "gru": QUIET_WALK, "noise": NOISY_WALK, "states": STATES,
    **{f"plates {seed}": PlateSpecDraw(seed, samples=2, ragged=seed > 20).text() for seed in (1, 8, 20, 25)},
    **{f"walks {seed}": WalkSpecDraw(seed, ragged=True).text() for seed in (2, 5, 7)},
}  # fmt: skip


class GroupByGroup(RowNoise):
    """The same draws; who uses them believes that their order matters, and runs one group after the other."""

    in_order = True

    def select(self, rows: Any) -> "GroupByGroup":
        return GroupByGroup(self.seed, torch.tensor(self.rows)[rows].tolist())


def mixed_rows(model: Any, count: int = 7) -> dict[str, torch.Tensor]:
    """Rows with every label whole, in part, and not at all."""
    ragged = any(plate.count is not None for plate in model.graphs.plates.values())
    rows = ragged_rows(model, count) if ragged else rows_for(model, count)
    for name in model.graphs.supervised:
        whole = rows_for(model, count, 1)[name]
        blank = torch.full_like(whole, torch.nan if whole.is_floating_point() else -1)
        keep = torch.arange(count).reshape(-1, *(1,) * (whole.dim() - 1)) % 3 > 0
        rows[name] = torch.where(keep, whole, blank)
        if model.graphs.variables[name].plates:
            rows[name][-1, 1:] = blank[-1, 1:]
    return rows


@pytest.mark.parametrize("name", SPECS)
def test_joined_groups_say_what_each_says_alone(name: str) -> None:
    model = model_of(SPECS[name])
    model.train()
    rows = mixed_rows(model)
    found = model.bound(rows, noise=RowNoise(3, range(7)))
    alone = model.bound(rows, noise=GroupByGroup(3, range(7)))
    torch.testing.assert_close(found, alone, atol=1e-10, rtol=0)
    torch.testing.assert_close(gradients(found.sum(), model), gradients(alone.sum(), model), atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    "name, op", [("gru", "gru"), ("states", "loop"), ("chain", "chain_log_sum"), ("chain", "table")]
)
def test_loops_of_several_groups_are_one(name: str, op: str) -> None:
    """Whatever their labels; a walk in which networks draw is each group's own."""
    model = model_of(SPECS[name])
    rows = mixed_rows(model)
    patterns = [pattern for pattern, _ in model.group(model.prepare(rows))]
    joint = Counter(line.op for line in model.compiled.for_patterns(patterns, None, ()).plan.lines)
    alone = [Counter(line.op for line in model.compiled.plan(pattern).lines) for pattern in patterns]
    assert len(patterns) > 1 and joint[op] == max(each[op] for each in alone) < sum(each[op] for each in alone)
