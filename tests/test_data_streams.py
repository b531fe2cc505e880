"""What a training step gets: unbiased, repeatable streams, and augmentation in batches."""

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from data_specs import DIGIT, PIXELS, prepared, write_npz

from graphspec.language import Augment
from runtime.data import BatchRows, PreparedData, epoch_batches, steps_per_epoch
from runtime.data.stream.augmentation import _grid, augment_images
from runtime.data.stream.streams import endless_passes

ROWS = 110


def made(folder: Path, labels: int | None = 7, **column: object) -> PreparedData:
    """110 training rows, 7 of them labelled (None: all)."""
    write_npz(folder / "a.npz", x=np.arange(ROWS * 16).reshape(ROWS, 4, 4).astype(np.uint8), y=np.arange(ROWS) % 3)
    data = {"source": "a.npz", "variables": {"x": {"column": "x", **column}, "y": "y"}, "test": 0, "validation": 0}
    budget = {} if labels is None else {"labels": {"y": labels}}
    return prepared(folder, {"x": PIXELS, "y": DIGIT}, {**data, **budget})


def steps(
    data: PreparedData, epochs: range, batch: int = 20, labelled: int | None = None, seed: int = 0
) -> list[BatchRows]:
    return [step for epoch in epochs for step in epoch_batches(data, epoch, batch, labelled, seed)]


def test_an_epoch_is_one_pass_over_unlabelled_rows(tmp_path: Path) -> None:
    data = made(tmp_path)
    found = steps(data, range(1))
    assert len(found) == steps_per_epoch(data, 20) == 6
    assert [len(step.unlabelled) for step in found] == [18, 17, 17, 17, 17, 17]
    assert torch.cat([step.unlabelled for step in found]).sort().values.equal(data.unlabelled)
    assert [step.number for step in steps(data, range(1, 2))] == [6, 7, 8, 9, 10, 11]
    orders = [torch.cat([s.unlabelled for s in steps(data, range(e, e + 1))]).tolist() for e in (0, 1)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("asked", "size"), [(None, 7), (3, 3), (20, 7)])
def test_labelled_rows_come_in_passes_that_ignore_epochs(tmp_path: Path, asked: int | None, size: int) -> None:
    data = made(tmp_path)
    drawn = [step.labelled for step in steps(data, range(14), labelled=asked)]
    assert {len(rows) for rows in drawn} == {size}
    stream = torch.cat(drawn)
    passes = [stream[i : i + 7] for i in range(0, len(stream) - 6, 7)]
    assert all(rows.sort().values.equal(data.labelled) for rows in passes), "every pass has each labelled row once"
    assert len({tuple(rows.tolist()) for rows in passes}) > len(passes) // 2


def test_resuming_needs_no_state(tmp_path: Path) -> None:
    data = made(tmp_path)
    whole, resumed = steps(data, range(4), labelled=3)[12:], steps(data, range(2, 4), labelled=3)
    for one, other in zip(whole, resumed, strict=True):
        assert one.unlabelled.equal(other.unlabelled) and one.labelled.equal(other.labelled)
        assert one.seed_for("augment") == other.seed_for("augment")
    assert len({step.seed_for(purpose) for step in whole for purpose in ("augment", "noise")}) == 2 * len(whole)


def test_the_seed_changes_every_stream(tmp_path: Path) -> None:
    data = made(tmp_path)
    one, other = steps(data, range(1), labelled=3)[0], steps(data, range(1), labelled=3, seed=1)[0]
    assert not one.unlabelled.equal(other.unlabelled) and one.seed_for("augment") != other.seed_for("augment")


def test_only_labelled_rows(tmp_path: Path) -> None:
    found = steps(made(tmp_path, labels=None), range(1))
    assert [len(step.labelled) for step in found] == [19, 19, 18, 18, 18, 18] and not len(found[0].unlabelled)
    assert torch.cat([step.labelled for step in found]).sort().values.tolist() == list(range(ROWS))
    assert len(steps(made(tmp_path, labels=None), range(1), labelled=55)) == 2


def test_every_row_is_as_likely_in_every_batch(tmp_path: Path) -> None:
    """Unbiased: over many epochs, the first batch holds each unlabelled row equally often (within 5 sigma)."""
    data = made(tmp_path)
    epochs = 1500
    counts = Counter(row for e in range(epochs) for row in next(epoch_batches(data, e, 20, 2, 0)).unlabelled.tolist())
    share = 18 / len(data.unlabelled)
    sigma = (epochs * share * (1 - share)) ** 0.5
    assert max(abs(counts[row] - epochs * share) for row in data.unlabelled.tolist()) < 5 * sigma


def test_passes_cross_batches() -> None:
    rows = torch.tensor([5, 6, 7])
    together = endless_passes(rows, 0, 9, 0)
    assert torch.cat([endless_passes(rows, i, 2, 0) for i in range(0, 8, 2)]).equal(together[:8])


# --- augmentation -------------------------------------------------------------------------------------------------


def digit(batch: int = 64, sides: tuple[int, int] = (28, 28)) -> torch.Tensor:
    """A block off the centre, so that every change shows."""
    images = torch.zeros(batch, 1, *sides, dtype=torch.float64)
    images[:, :, 8:14, 10:20] = 1
    return images


def change(images: torch.Tensor, seed: int = 0, **changes: object) -> torch.Tensor:
    return augment_images(images, Augment(**changes), torch.Generator().manual_seed(seed))[0]


def test_no_change_is_the_identity() -> None:
    assert torch.allclose(change(digit()), digit(), atol=1e-12)


def test_whole_shifts_move_whole_pixels() -> None:
    moved = change(digit(400), shift=2)
    corners = {tuple(torch.nonzero(image[0] > 0.5)[0].tolist()) for image in moved}
    assert corners == {(8 + down, 10 + across) for down in range(-2, 3) for across in range(-2, 3)}
    assert torch.allclose(moved, moved.round(), atol=1e-9), "pixel values stay what they were"


def test_flip_mirrors_half_of_the_images() -> None:
    flipped = change(digit(400), flip=True)
    mirrored = digit(400).flip(-1)
    changed = [torch.allclose(one, other, atol=1e-9) for one, other in zip(flipped, mirrored, strict=True)]
    same = [torch.allclose(one, other, atol=1e-9) for one, other in zip(flipped, digit(400), strict=True)]
    assert all(a != b for a, b in zip(changed, same, strict=True)) and 150 < sum(changed) < 250


def centred(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Angle of the longer axis in degrees, and area, per image."""
    height, width = images.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    mass = images[:, 0].sum((1, 2))
    mean = [(images[:, 0] * axis).sum((1, 2)) / mass for axis in (x, y)]
    dx, dy = x - mean[0][:, None, None], y - mean[1][:, None, None]
    xx, yy, xy = ((images[:, 0] * part).sum((1, 2)) / mass for part in (dx * dx, dy * dy, dx * dy))
    return torch.rad2deg(0.5 * torch.atan2(2 * xy, xx - yy)), mass


@pytest.mark.parametrize("sides", [(28, 28), (40, 24)])
def test_rotation_and_scale_are_in_their_units(sides: tuple[int, int]) -> None:
    images = digit(300, sides)
    angle, area = centred(change(images, rotate=10))
    assert 9 < angle.abs().max() < 11.5 and area.std() / area.mean() < 0.03, "a turn keeps the area, whatever the sides"
    angle, area = centred(change(images, scale=0.1))
    assert angle.abs().max() < 1 and area.min() / 60 == pytest.approx(0.81, abs=0.05)
    assert area.max() / 60 == pytest.approx(1.21, abs=0.05)
    slanted, area = centred(change(images, shear=20))
    assert slanted.abs().max() > 5 and area.std() / area.mean() < 0.03


def test_elastic_displaces_by_its_standard_deviation() -> None:
    """Over a ramp, a displacement of d pixels changes a value by d."""
    ramp = torch.arange(60.0, dtype=torch.float64).expand(200, 1, 60, 60).contiguous()
    moved = (change(ramp, elastic=1.5) - ramp)[:, 0, 10:50, 10:50]
    assert moved.std() == pytest.approx(1.5, rel=0.05)
    step = (moved[:, :, 1:] - moved[:, :, :-1]).std()
    assert step < 0.4, "neighbours move together"


def test_a_batch_is_augmented_by_its_generator_and_stays_in_range(tmp_path: Path) -> None:
    data = made(tmp_path, augment={"shift": 1.5, "rotate": 30, "elastic": 0.5, "flip": True})
    batch = data.training.batch(torch.arange(50), torch.float32)
    first, again, other = (data.augment(batch, torch.Generator().manual_seed(seed))["x"] for seed in (3, 3, 4))
    assert first.equal(again) and not first.equal(other) and not first.equal(batch["x"])
    assert first.min() >= 0 and first.max() <= 1 and first.shape == batch["x"].shape
    assert data.augment(batch, torch.Generator())["y"].equal(batch["y"])


def test_thousands_of_images_a_second() -> None:
    images = digit(200).float()
    generator = torch.Generator().manual_seed(0)
    changes = Augment(shift=2, rotate=10, scale=0.1, shear=5, elastic=0.7)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = []
        for _ in range(5):
            began = time.process_time()
            augment_images(images, changes, generator)
            seconds.append(time.process_time() - began)
    finally:
        torch.set_num_threads(threads)
    assert len(images) / min(seconds) > 4000, "images a second of one core (about 30000 on a desktop)"


@pytest.mark.parametrize("sides", [(28, 28), (40, 24)])
def test_the_grid_is_torchs(sides: tuple[int, int]) -> None:
    theta = torch.randn(3, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.affine_grid(theta, [3, 1, *sides], align_corners=False)
    assert torch.allclose(_grid(theta, None, sides), expected, atol=1e-12)
