"""Plates whose rows have as many elements as a count says: a row is the model of the elements that are there."""

import math

import pytest
import torch
from plate_twin import assert_written_out, gradients
from random_plates import PlateSpecDraw
from row_noise import RowNoise
from test_plates import DOUBLE, ElementNoise, model_of, rows_for
from torch import Tensor

from compiler.emission import emit
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load

ROWS = 4


def ragged_rows(model, count: int = ROWS, seed: int = 0) -> dict[str, Tensor]:
    """Random rows of any lengths, the longest and none at all among them."""
    rows, generator = rows_for(model, count, seed), torch.Generator().manual_seed(seed)
    for plate in model.graphs.plates.values():
        if plate.count is not None:
            variable = model.graphs.variables[plate.count]
            shape = (count, *variable.row_shape)
            counts = torch.randint(variable.minimum, plate.size + 1, shape, generator=generator).to(DOUBLE)
            counts[1], counts[-1] = plate.size, variable.minimum
            if variable.role != "observed":
                counts[0] = torch.nan
            if variable.role != "latent":
                rows[plate.count] = counts
    return rows


def with_cells_of_absent_elements(model, rows: dict[str, Tensor], value: float) -> dict[str, Tensor]:
    """The same rows, something else where nothing is there."""
    found = {}
    for name, values in rows.items():
        plates = [plate for plate, _ in model.graphs.variables[name].plates]
        found[name] = values.clone()
        for places in torch.cartesian_prod(*map(torch.arange, values.shape[: 1 + len(plates)])).reshape(
            -1, 1 + len(plates)
        ):
            row, *inside = places.tolist()
            for depth, plate in enumerate(plates):
                count = model.graphs.plates[plate].count
                if count is not None and inside[depth] >= rows[count][(row, *inside[:depth])]:
                    found[name][(row, *inside)] = value if values.is_floating_point() else 99
    return found


@pytest.mark.parametrize("seed", range(24, 40))
def test_a_row_has_the_value_and_gradient_of_the_model_of_its_elements(seed: int) -> None:
    """Counts of nested plates and of two side by side, every view, labels on any elements, rows without any element."""
    text = PlateSpecDraw(seed, samples=2, ragged=True).text()
    model = model_of(text)
    rows = ragged_rows(model)
    apart = [model.program(pattern)[0].elements_apart() for pattern, _ in model.group(model.prepare(rows))]
    if any(apart):  # the twin weighs joint draws of a row, which of one draw an element come to the same
        model = model_of(text.replace("samples: 2", "samples: 1"))
    assert_written_out(model, rows, text)


@pytest.mark.parametrize("seed", [25, 26, 30])
def test_batch_mates_change_nothing(seed: int) -> None:
    model = model_of(PlateSpecDraw(seed, samples=2, ragged=True).text())
    rows = ragged_rows(model, 6)
    whole = model.bound(rows, noise=RowNoise(3, range(6)))
    for part in ([3, 1], [5], [4, 0, 2]):
        found = model.bound({n: v[part] for n, v in rows.items()}, noise=RowNoise(3, part))
        torch.testing.assert_close(found, whole[part], atol=1e-10, rtol=0)


@pytest.mark.parametrize("seed", [25, 26, 30, 33])
@pytest.mark.parametrize("cell", [torch.nan, -1.0, 1e30, torch.inf])
def test_nan_in_absent_cells_reaches_no_gradient(seed: int, cell: float) -> None:
    """Whatever stands in the cells of elements that are not there."""
    model = model_of(PlateSpecDraw(seed, samples=2, ragged=True).text())
    rows = ragged_rows(model)
    others = with_cells_of_absent_elements(model, rows, cell)
    found, expected = (model.bound(each, noise=RowNoise(3, range(ROWS))) for each in (others, rows))
    torch.testing.assert_close(found, expected, atol=0, rtol=0)
    mine, theirs = gradients(found.sum(), model), gradients(expected.sum(), model)
    torch.testing.assert_close(mine, theirs, atol=1e-12, rtol=0)


@pytest.mark.parametrize("seed", [25, 30])
def test_the_emitted_file_agrees(seed: int) -> None:
    """`emit` runs the file beside the model and raises where value or gradient differ."""
    assert "there_by_row(" in emit(load("-", text=PlateSpecDraw(seed, most=3, samples=2, ragged=True).text()))


VISITS = """
graphspec: 1
plates: {visits: {count: n, ordered: true}}
variables:
  n: {role: observed, domain: count, max: 5}
  x: {role: observed, size: 2, plate: visits}
  y: {role: supervised, domain: category, classes: 3, plate: visits}
  u: {role: latent, size: 1}
  z: {role: latent, size: 1, plate: visits}
generative:
  n: {parents: [u]}
  u: {}
  y: {}
  z: {parents: [y, u]}
  x: {parents: [z]}
recognition:
  u: {parents: [x@mean, x@last, x@max, n]}
  y: {parents: [x, x@next]}
  z: {parents: [x, u, y]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
"""


ALONE = """
graphspec: 1
PLATES
variables:
  COUNT
  x: {role: observed, size: 2IN}
  t: {role: supervised, domain: category, classes: 3IN}
  z: {role: latent, size: 2IN}
generative:
  z: {}
  t: {parents: [z]}
  x: {parents: [z, t]}
recognition:
  z: {parents: [x]}
  t: {parents: [x, z]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {alpha: 2.5, samples: 3}
"""


def test_the_label_of_an_absent_element_weighs_no_draw() -> None:
    """Three of four elements are worth three rows, three draws each, weighed by their own labels only."""
    text = ALONE.replace("PLATES", "plates: {things: {count: n}}").replace("IN", ", plate: things")
    inside = model_of(text.replace("COUNT", "n: {role: observed, domain: count, max: 4}"))
    alone = model_of(ALONE.replace("PLATES", "").replace("COUNT", "").replace("IN", ""))
    alone.load_state_dict(inside.state_dict())
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(5), dtype=DOUBLE)
    t = torch.tensor([2, 1, 0, 1])
    row = {"n": torch.tensor([3.0], dtype=DOUBLE), "x": x[None], "t": t[None]}
    whole = inside.evaluate(row, weights=ObjectiveWeights.at(inside.graphs, None, math.inf), noise=ElementNoise(1, 4))
    rows = {"x": x[:3], "t": t[:3]}
    parts = alone.evaluate(rows, weights=ObjectiveWeights.at(alone.graphs, None, math.inf), noise=ElementNoise(3, 3))
    torch.testing.assert_close(whole.bound[0], parts.bound.sum(), atol=1e-10, rtol=0)
    torch.testing.assert_close(whole.effective_samples["t"][0], parts.effective_samples["t"].mean())
    torch.testing.assert_close(
        gradients(whole.bound[0], inside), gradients(parts.bound.sum(), alone), atol=1e-9, rtol=0
    )


def visits(lengths: list[int], seed: int = 0) -> dict[str, Tensor]:
    generator, rows = torch.Generator().manual_seed(seed), len(lengths)
    return {
        "n": torch.tensor(lengths, dtype=DOUBLE),
        "x": torch.randn(rows, 5, 2, generator=generator, dtype=DOUBLE),
        "y": torch.randint(0, 3, (rows, 5), generator=generator),
    }


def test_padding_enters_neither_log_prob_nor_what_the_last_visit_sees() -> None:
    """Lengths are no hint for scaling: a row of two visits is a row of a plate of two."""
    whole, rows = model_of(VISITS), visits([2, 2, 2])
    short = model_of(VISITS.replace("max: 5", "max: 2"))
    weights = whole.state_dict()
    rest = {name: value for name, value in weights.items() if not name.startswith("factors.generative--n")}
    short.load_state_dict(rest, strict=False)
    two = {name: values[:, :2] if name != "n" else values for name, values in rows.items()}
    z, u = torch.ones(3, 5, 1, dtype=DOUBLE), torch.ones(3, 1, dtype=DOUBLE)
    long_densities = whole.log_prob("generative", {**rows, "z": z, "u": u})
    short_densities = short.log_prob("generative", {**two, "z": z[:, :2], "u": u})
    for name in ("x", "y", "z", "u"):
        torch.testing.assert_close(long_densities[name], short_densities[name])
    seen, cut = (model.predict("y", {"n": part["n"], "x": part["x"]}, noise=RowNoise(3, range(3)))
                 for model, part in ((whole, rows), (short, two)))  # fmt: skip
    torch.testing.assert_close(seen[:, :2], cut)


def test_no_state_is_answered_for_visits_that_are_not_there() -> None:
    model, rows = model_of(VISITS), visits([0, 2, 5])
    noise = Noise(0, 3)
    there = torch.arange(5) < rows["n"][:, None]
    assert torch.equal(~model.predict("y", {"n": rows["n"], "x": rows["x"]}, noise=noise)[..., 0].isnan(), there)
    means = model.posterior_means({"n": rows["n"], "x": rows["x"]}, noise=noise)
    assert torch.equal(means["y"] >= 0, there) and torch.equal(~means["z"][..., 0].isnan(), there)
    drawn = model.infer(rows, samples=2, noise=noise)
    assert torch.equal(~drawn["z"][..., 0].isnan(), there.expand(2, 3, 5))
    assert torch.equal(drawn["y"], torch.where(there, rows["y"], -1).expand(2, 3, 5))
    made = model.generate({"n": rows["n"]}, 3, noise=noise)
    assert torch.equal(~made["x"][..., 0].isnan(), there)
    anew = model.generate({}, 50, noise=Noise(0, 50), means=False)
    assert torch.equal(~anew["x"][..., 0].isnan(), torch.arange(5) < anew["n"][:, None])
    assert len(set(anew["n"].tolist())) > 2


def test_a_row_of_length_zero_has_no_term_of_its_visits() -> None:
    model, rows = model_of(VISITS), visits([0, 0])
    rows["y"][0] = -1
    found = model.bound(rows, noise=RowNoise(3, [0, 0]))
    torch.testing.assert_close(found[0], found[1])
    patterns = model.row_patterns(model.prepare(rows))
    assert patterns[0] == patterns[1] == 0, "a row without elements has no label"
    assert torch.isfinite(gradients(found.sum(), model)).all()


def test_rows_may_be_padded_to_their_own_longest() -> None:
    """[B, n, *shape] with any n that has room for every count."""
    model, rows = model_of(VISITS), visits([1, 3, 2])
    short = {name: values[:, :3] if name != "n" else values for name, values in rows.items()}
    noise = RowNoise(3, range(3))
    torch.testing.assert_close(model.bound(short, noise=noise), model.bound(rows, noise=noise), atol=0, rtol=0)
    with pytest.raises(ValueError, match="n says that a row has 3 visits, and there is room for 2"):
        model.bound({name: values[:, :2] if name != "n" else values for name, values in rows.items()})
    with pytest.raises(ValueError, match="n says that a row has 9 visits, and there is room for 5"):
        model.bound({**rows, "n": rows["n"] + 6})
