"""The source `multi_mnist`: the pictures that everybody gets, what is told of them, and how specs read it."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from graphspec.loading import check_file, load
from runtime.data import prepare
from runtime.data.read import multi_mnist
from runtime.data.read.idx import read_idx
from runtime.data.read.multi_mnist import MOST, REGIMES, SIDE, draw

FOLDER = Path(os.environ.get("GRAPHSPEC_DATA", "/nowhere")) / "MNIST/raw"
needs_mnist = pytest.mark.skipif(not (FOLDER / "t10k-images-idx3-ubyte").is_file(), reason="needs local MNIST")
SPEC = """\
graphspec: 1
plates: {digits: {size: 3, count: k}}
variables:
  k: {role: observed, domain: count, min: 1, max: 3}
  y: {role: supervised, domain: category, classes: 10, plate: digits}
  x: {role: observed, domain: unit, shape: [1, 28, 28], plate: digits}
generative:
  y: {}
  x: {parents: [y], distribution: bernoulli, network: {kind: mlp, hidden: [8]}}
recognition:
  y: {parents: [x], network: {kind: mlp, hidden: [8]}}
data:
  source: multi_mnist
  regime: overlapping
  variables: {k: count, y: digits, x: crops}
  labels: {y: 100}
  validation: {column: split, value: 1}
"""


def strokes(count: int = 60) -> np.ndarray:
    """Pictures [count, 28, 28] with a bar of random place and size: MNIST for who has none."""
    rng, found = np.random.default_rng(0), np.zeros((count, 28, 28), np.uint8)
    for picture in found:
        x, y, width, height = rng.integers(4, 12, 4)
        picture[y : y + height, x : x + width] = rng.integers(100, 256)
    return found


def table(regime: str, wanted: tuple[str, ...]):
    """Columns of a small `multi_mnist`, all splits of the same strokes."""
    images = np.concatenate([strokes(), strokes(), strokes()])
    return multi_mnist.read(wanted, regime, images, np.arange(180) % 10, 60)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_mnist, "ROWS", (40, 10, 10))
    monkeypatch.setattr(multi_mnist, "TRAINED", 60)


@needs_mnist
@pytest.mark.parametrize(
    ("regime", "split", "digest"),
    [("separate", 1, "79593363e39f5285"), ("overlapping", 2, "3c94522d6c870b17")],
)
def test_pictures_are_those_that_everybody_has(regime, split: int, digest: str) -> None:
    names = {1: ("train-images-idx3-ubyte", range(50_000, 60_000)), 2: ("t10k-images-idx3-ubyte", range(10_000))}
    file, rows = names[split]
    images = read_idx([FOLDER / file])
    pictures = list(draw(images, rows, split, regime, 2000))
    canvases = multi_mnist._canvases(pictures, images, np.zeros(0, np.int64))
    assert hashlib.sha256(canvases.tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("regime", REGIMES)
def test_what_is_told_is_what_the_pictures_show(regime) -> None:
    """A picture is the sum of its crops at their places; elements run from left to right, absent ones are blank."""
    wanted = ("image", "count", "digits", "crops", "places", "split")
    found = table(regime, wanted)
    image, count, digits, crops, places, split = (np.asarray(found.columns[name]) for name in wanted)
    assert image.shape == (60, 1, SIDE, SIDE) and image.dtype == np.uint8
    assert set(count) == {1, 2, 3} and list(split) == [0] * 40 + [1] * 10 + [2] * 10
    for row in range(60):
        there = np.arange(MOST) < count[row]
        assert (digits[row] >= 0).tolist() == there.tolist() == (~np.isnan(places[row, :, 0])).tolist()
        total, middles = np.zeros((SIDE, SIDE)), []
        for crop, (side, x, y) in zip(crops[row, there, 0], places[row, there], strict=True):
            left, top, side = round(x - side / 2), round(y - side / 2), round(side)
            small = multi_mnist._resampled(crop, side)
            total[top : top + side, left : left + side] += small
            across = np.flatnonzero(small.any(axis=0))
            middles.append(2 * left + across[0] + across[-1])
        assert np.array_equal(np.minimum(total, 255), image[row, 0]) and middles == sorted(middles)
        assert not crops[row, ~there].any()


def test_resampling_keeps_the_mean_and_the_places() -> None:
    whole = np.full((28, 28), 200, np.uint8)
    assert all((multi_mnist._resampled(whole, side) == 200).all() for side in range(14, 29))
    assert np.array_equal(multi_mnist._resampled(strokes(1)[0], 28), strokes(1)[0])
    halved = multi_mnist._resampled(strokes(1)[0], 14)
    assert np.abs(halved - strokes(1)[0].reshape(14, 2, 14, 2).mean(axis=(1, 3))).max() <= 0.5


def test_separate_digits_share_next_to_nothing_and_overlapping_ones_do() -> None:
    crowded = {}
    for regime in REGIMES:
        pictures = list(draw(strokes(), range(60), 0, regime, 60))
        crowded[regime] = 0
        for picture in pictures:
            boxes = [
                multi_mnist._moved(multi_mnist._ink(multi_mnist._resampled(strokes()[row], side)), (x, y))
                for row, side, x, y in picture.digits
            ]
            crowded[regime] += sum(multi_mnist._crowded(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert crowded["separate"] == 0 < crowded["overlapping"]


def test_a_picture_depends_on_its_seed_split_regime_and_number_only() -> None:
    first, again = (list(draw(strokes(), range(60), 0, "separate", count)) for count in (5, 9))
    assert [p.digits for p in first] == [p.digits for p in again[:5]]
    for other in (draw(strokes(), range(60), 1, "separate", 5), draw(strokes(), range(60), 0, "separate", 5, seed=1)):
        assert [p.digits for p in other] != [p.digits for p in first]


def test_check_knows_the_columns_without_the_data(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    assert check_file(path) == ()
    wrong = check_file(path, ("variables.x.shape=[1, 30, 30]", "data.variables.y=digit"))
    assert {each.code for each in wrong} == {"GS081", "GS082"}


@needs_mnist
def test_a_spec_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_mnist, "TRAINED", 50_000)
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    data = prepare(load(path, ("data.labels.y=20",)), spec_path=path)
    assert (len(data.training), len(data.validation), len(data.test)) == (40, 10, 10)
    assert data.training.values["x"].shape[1:] == (3, 1, 28, 28)
