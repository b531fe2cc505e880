"""A batch has as many elements of a plate with a count as its longest row, and says the same as with all."""

from typing import Any

import pytest
import torch
from plate_twin import gradients
from random_plates import PlateSpecDraw
from random_walks import WalkSpecDraw
from row_noise import RowNoise
from test_plates import DOUBLE, model_of, rows_for
from test_ragged_plates import VISITS, visits
from torch import Tensor

from compiler.tensors import presence
from compiler.tensors.noise import Noise

STEPS = """
graphspec: 1
plates: {time: {count: n, ordered: true}}
variables:
  n: {role: observed, domain: count, max: 6}
  x: {role: observed, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 3, plate: time}
  z: {role: latent, size: 1, plate: time}
generative:
  c: {parents: [c@previous]}
  z: {parents: [c], network: {kind: linear, by: c}}
  x: {parents: [c, z]}
recognition:
  c: exact
  z: {parents: [x, c]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh, dropout: 0.3}}
"""

NOISY_WALK = """
graphspec: 1
plates: {time: {count: n, ordered: true}}
variables:
  n: {role: observed, domain: count, max: 5}
  x: {role: observed, size: 2, plate: time}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, size: 1, plate: time}
  h: {role: deterministic, plate: time}
generative:
  y: {}
  z: {parents: [y, z@previous]}
  x: {parents: [z]}
recognition:
  h: {parents: [h@next, x], network: {kind: gru, hidden: 3}}
  y: {parents: [h@first]}
  z: {parents: [h, y, z@previous]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh, dropout: 0.3}}
"""

PLACES = VISITS.replace(
    "z: {parents: [x, u, y]}", "z: {parents: [x, u, y, visits], network: {kind: linear, by: visits}}"
)


COUNTED = """
graphspec: 1
plates: {parts: {count: n}}
variables:
  n: {role: supervised, domain: count, max: 4}
  x: {role: observed, size: 2}
  y: {role: supervised, domain: category, classes: 3, plate: parts}
generative:
  n: {}
  y: {}
  x: {parents: [y@sum]}
recognition:
  n: {parents: [x]}
  y: {parents: [x, parts]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
"""


def every_place(graphs: Any, rows: Any) -> dict[str, int]:
    """As if some row were as long as its plates allow."""
    return {plate.name: plate.size for plate in graphs.plates.values() if plate.count is not None}


def short_rows(model: Any, longest: int, count: int = 4) -> dict[str, Tensor]:
    """Rows none of which has more elements of any plate, where their counts are told."""
    rows, generator = rows_for(model, count, 3), torch.Generator().manual_seed(longest)
    for plate in model.graphs.plates.values():
        if plate.count in rows:
            shape = rows[plate.count].shape
            least = model.graphs.variables[plate.count].minimum
            rows[plate.count] = torch.randint(least, max(longest, least) + 1, shape, generator=generator).to(DOUBLE)
    return rows


def said_of(model: Any, rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """Everything that a model says of rows and has a gradient for."""
    count, blank = len(next(iter(rows.values()))), {name: rows[name] for name in model.graphs.observed}
    bound = model.bound(rows, noise=RowNoise(3, range(count)))
    found = {"bound": bound.detach(), "gradient": gradients(bound.sum(), model)}
    with torch.no_grad():
        for name in model.graphs.supervised:
            found[f"posterior of {name}"] = model.predict(name, blank, samples=2, noise=RowNoise(4, range(count)))
        means = model.posterior_means(blank, noise=RowNoise(5, range(count)))
        found |= {f"mean of {name}": value for name, value in means.items()}
        drawn = {} if model.graphs.exact else model.infer(rows, samples=1, noise=Noise(6, count))
    return found | {f"draw of {name}": value for name, value in drawn.items()}


SPECS = {
    "views": VISITS, "exact": STEPS, "noisy walk": NOISY_WALK, "places": PLACES,
    **{f"plates {seed}": PlateSpecDraw(seed, samples=2, ragged=True).text() for seed in (25, 30)},
    **{f"walks {seed}": WalkSpecDraw(seed, ragged=True).text() for seed in (2, 5)},
}  # fmt: skip


@pytest.mark.parametrize("longest", [0, 2])
@pytest.mark.parametrize("name", SPECS)
def test_no_place_beyond_the_longest_row_is_missed(monkeypatch: Any, name: str, longest: int) -> None:
    """Bound, gradient and every answer, with as many places as the longest row has and with all."""
    model = model_of(SPECS[name])
    model.train()
    rows = short_rows(model, longest)
    found = said_of(model, rows)
    prepared = model.prepare(rows)
    held = presence.rooms(model.graphs, prepared)
    monkeypatch.setattr(presence, "needed_rooms", every_place)
    assert any(held[plate] < size for plate, size in every_place(model.graphs, rows).items()), held
    torch.testing.assert_close(found, said_of(model, rows), atol=1e-10, rtol=0, equal_nan=True)


def test_a_longer_batch_mate_changes_nothing_in_networks_that_draw() -> None:
    model = model_of(NOISY_WALK)
    model.train()
    rows = visits([1, 0, 2, 5]) | {"y": torch.tensor([-1, 1, 2, -1])}
    whole = model.bound(rows, noise=RowNoise(3, range(4)))
    for part in ([0], [1, 0], [2, 1]):
        found = model.bound({n: v[part] for n, v in rows.items()}, noise=RowNoise(3, part))
        torch.testing.assert_close(found, whole[part], atol=1e-10, rtol=0)


def test_a_batch_in_which_a_count_is_hidden_has_all_places() -> None:
    """Any element may be there, whatever the counts of the others."""
    model = model_of(COUNTED)
    rows = {"x": torch.randn(2, 2), "n": torch.tensor([torch.nan, 2.0]), "y": torch.tensor([[-1] * 4, [1, 0, -1, -1]])}
    assert model.prepare(rows)["y"].shape[1] == 4
    assert model.prepare({name: values[1:] for name, values in rows.items()})["y"].shape[1] == 2
    assert model.predict("n", rows, noise=Noise(0, 2)).shape == (2, 5)
    model.bound(rows, noise=Noise(0, 2))
