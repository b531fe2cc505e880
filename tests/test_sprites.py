"""The data set `sprites`: what its images show, that its rows are always the same, and that specs can read it."""

import json
from pathlib import Path

import numpy as np
import pytest
from data_specs import prepared
from typer.testing import CliRunner

from graphspec.headers.sources import KNOWN_SETS, SPRITE_FACTORS
from runtime.cli.app import app
from runtime.data.randomness import derived_seed
from runtime.data.read.sprites import SIDE, STAMP, draw_cells, read, render

FACTORS = list(SPRITE_FACTORS)


def cell(**values: int) -> np.ndarray:
    """One cell of the grid, [1, 5]; what is not named is in the middle and large."""
    usual = {"shape": 0, "scale": 5, "rotation": 0, "x": 8, "y": 8}
    return np.array([[(usual | values)[name] for name in FACTORS]])


def picture(**values: int) -> np.ndarray:
    """Shares of pixels [32, 32] that the sprite covers."""
    return render(cell(**values))[0, 0] / 255


def middle(image: np.ndarray) -> tuple[float, float]:
    """Centre of mass, (x, y) in pixels from the top left corner."""
    at = np.arange(SIDE) + 0.5
    return float(image.sum(axis=0) @ at / image.sum()), float(image.sum(axis=1) @ at / image.sum())


@pytest.mark.parametrize(("shape", "area"), [(0, 100.0), (1, np.pi * 7.5 * 4), (2, 98.9)])
@pytest.mark.parametrize("rotation", [0, 1, 7, 23])
def test_areas_are_those_of_the_curves_at_every_turn_and_shrink_with_the_square_of_the_scale(
    shape: int, area: float, rotation: int
) -> None:
    assert picture(shape=shape, rotation=rotation).sum() == pytest.approx(area, rel=0.01)
    assert picture(shape=shape, rotation=rotation, scale=0).sum() == pytest.approx(area / 4, rel=0.03)


def test_an_upright_square_and_a_lying_ellipse_are_where_they_should_be() -> None:
    square = picture()
    # Its centre is on the middle of pixel 16, 8 pixels from the first place, and its half side is 5.
    assert (square[12:21, 12:21] == 1).all() and square[10].sum() == square[22].sum() == 0
    np.testing.assert_allclose(square[11, 12:21], 0.5, atol=1 / 255)
    ellipse = picture(shape=1)
    assert np.flatnonzero(ellipse.any(axis=0)).size == 15 and np.flatnonzero(ellipse.any(axis=1)).size == 9


def test_x_counts_from_the_left_and_y_from_the_top() -> None:
    assert middle(picture(x=0, y=0)) == pytest.approx((8.5, 8.5))
    assert middle(picture(x=15, y=3)) == pytest.approx((23.5, 11.5))


def test_turns_are_counterclockwise_and_hearts_point_down() -> None:
    stamp = lambda **values: picture(**values)[8 : 8 + STAMP, 8 : 8 + STAMP]  # noqa: E731
    heart = stamp(shape=2)
    rows = np.flatnonzero(heart.any(axis=1))
    across = STAMP // 2
    assert heart[rows[0], across] == 0 and heart[rows[0]].any()  # two lobes above,
    assert heart[rows[-1], across] == heart[rows[-1]].max() > 0.5  # one tip below
    one_point = 1.5 / 36  # rounding may put a point of the curve on either side
    np.testing.assert_allclose(stamp(shape=2, rotation=6), np.rot90(heart), atol=one_point)
    np.testing.assert_allclose(stamp(shape=1, rotation=12), stamp(shape=1), atol=one_point)
    np.testing.assert_allclose(stamp(rotation=8), stamp(rotation=2), atol=one_point)


def test_no_sprite_reaches_beyond_its_stamp() -> None:
    cells = np.array([[s, 5, r, x, x] for s in range(3) for r in range(24) for x in (0, 15)])
    images = render(cells)
    assert not images[:, :, [0, -1]].any() and not images[:, :, :, [0, -1]].any()
    assert (images.reshape(len(cells), -1).max(axis=1) == 255).all()
    assert STAMP + 15 == SIDE


def test_cells_are_different_and_evenly_spread_and_always_the_same() -> None:
    cells = draw_cells(35000, 0)
    assert len(np.unique(cells, axis=0)) == len(cells)
    for column, size in zip(cells.T, SPRITE_FACTORS.values(), strict=True):
        counts = np.bincount(column, minlength=size)
        assert len(counts) == size and counts.min() > 0.9 * counts.mean()
    assert (draw_cells(100, 0) == cells[:100]).all() and (draw_cells(100, 1) != cells[:100]).any()
    everything = draw_cells(10**9, 3)
    assert len(everything) == np.prod(list(SPRITE_FACTORS.values())) == len(np.unique(everything, axis=0))
    # From the definition: the grid's cells by the raw output of the generator, smallest first.
    first = np.argmin(np.random.PCG64(derived_seed(0, "sprites")).random_raw(len(everything)))
    assert tuple(cells[0]) == np.unravel_index(first, tuple(SPRITE_FACTORS.values()))


def test_the_table_is_what_is_declared() -> None:
    known, table = KNOWN_SETS["sprites"], read(list(KNOWN_SETS["sprites"].columns))
    assert table.rows == 35000 and table.training_rows == known.rows["train"]
    assert table.columns["image"].shape == (35000, 1, 32, 32) and table.columns["image"].dtype == np.uint8
    for name, classes in SPRITE_FACTORS.items():
        assert known.columns[name].classes == classes
        assert set(np.unique(table.columns[name])) == set(range(classes))


def test_factors_may_be_labels_with_names(tmp_path: Path) -> None:
    variables = {
        "x": {"role": "observed", "domain": "unit", "shape": [1, 16, 16]},
        "y": {"role": "supervised", "domain": "category", "classes": 3, "names": ["square", "ellipse", "heart"]},
    }
    columns = {"x": {"column": "image", "resize": [16, 16]}, "y": "shape"}
    found = {"source": "sprites", "variables": columns, "factors": {"size": "scale"}, "labels": {"y": 30}}
    data = prepared(tmp_path, variables, found)
    assert len(data.test) == 5000 and len(data.labelled) == 30
    assert data.test.factors["size"].shape == (5000,)


def test_data_lists_it_without_a_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "sprites", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0 and "rendered when it is read" in result.output
    assert "rotation: integer [], 24 classes" in result.output
    found = json.loads(CliRunner().invoke(app, ["data", "sprites", "--json"]).output)
    assert found["present"] and found["rows"] == {"train": 30000, "test": 5000}
