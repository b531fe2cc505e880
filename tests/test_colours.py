"""Colour augmentation, and the warp's grid: formulas by hand, bounds, rows apart, portions of a batch."""

import colorsys

import pytest
import torch
from graph_specs import M2, codes_in, found_in, pointed_at
from torch import Tensor

from graphspec.language import Augment
from runtime.data.randomness import Portion
from runtime.data.stream.augmentation import LUMA, augment_images, recolour


def changed(images: Tensor, seed: int = 0, **changes: float) -> Tensor:
    return recolour(images, Augment(**changes), torch.Generator().manual_seed(seed))


def factor(seed: int, bound: float, count: int) -> Tensor:
    """1 + what the first draw of the generator gives each image."""
    drawn = torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (1 + (2 * drawn - 1) * bound)[:, None, None, None]


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(9))


def grey(images: Tensor) -> Tensor:
    return sum(share * images[:, i : i + 1] for i, share in enumerate(LUMA))


def test_each_change_is_its_formula(images: Tensor) -> None:
    f = factor(3, 0.4, 5)
    close = {"rtol": 0, "atol": 1e-12}
    torch.testing.assert_close(changed(images, 3, brightness=0.4), f * images, **close)
    means = grey(images).mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(changed(images, 3, contrast=0.4), f * images + (1 - f) * means, **close)
    torch.testing.assert_close(changed(images, 3, saturation=0.4), f * images + (1 - f) * grey(images), **close)


def test_hue_turns_the_chroma_and_keeps_luma(images: Tensor) -> None:
    turned = changed(images, 3, hue=0.5)
    assert float((grey(turned) - grey(images)).abs().max()) < 1e-4
    assert float((turned - images).abs().max()) > 0.1
    grey_images = images[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(changed(grey_images, 3, hue=0.5), grey_images, rtol=0, atol=2e-3)
    pure = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1).repeat(400, 1, 1, 1)
    hues = [colorsys.rgb_to_hsv(*pixel)[0] for pixel in changed(pure, hue=0.1).clamp(0, 1).flatten(1).tolist()]
    offset = [min(h, 1 - h) for h in hues]
    assert 0.05 < max(offset) < 0.2


def test_images_change_apart_and_by_the_generator(images: Tensor) -> None:
    one = images[:1].repeat(20, 1, 1, 1)
    every = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1}
    result = changed(one, **every)
    assert len({tuple(image.flatten().tolist()) for image in result}) == 20
    assert torch.equal(result, changed(one, **every))
    assert not torch.equal(result, changed(one, 1, **every))


def test_a_portion_gets_what_it_gets_in_the_whole_batch() -> None:
    images = torch.rand(9, 3, 8, 8)
    changes = Augment(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1, rotate=20, elastic=0.5, shift=1)
    places = torch.tensor([7, 2, 3])
    whole = augment_images(images, changes, torch.Generator().manual_seed(0))[0]
    part = augment_images(images[places], changes, torch.Generator().manual_seed(0), portion=Portion(9, places))[0]
    torch.testing.assert_close(part, whole[places], rtol=0, atol=2e-6)


def test_colours_alone_leave_pixels_where_they_are(images: Tensor) -> None:
    changes = Augment(brightness=0.5)
    bright = augment_images(images, changes, torch.Generator().manual_seed(3))[0]
    assert torch.equal(bright, changed(images, 3, brightness=0.5))
    assert augment_images(images, Augment(), torch.Generator())[0] is images


def test_blanks_stay_blank_and_do_not_spread(images: Tensor) -> None:
    images[2, :, 1, 1] = torch.nan
    result = changed(images, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)
    assert torch.equal(result.isnan(), images.isnan())


def test_saturation_and_hue_need_three_channels() -> None:
    data = "data: {source: digits, variables: {x: {column: image, augment: {CHANGES}}, y: label}}\n"
    text = M2.replace("classes: 3", "classes: 10")
    assert "GS084" not in codes_in(text + data.replace("CHANGES", "brightness: 0.2, contrast: 0.2"))
    for option in ("saturation", "hue"):
        (found,) = [d for d in found_in(text + data.replace("CHANGES", f"{option}: 0.2")) if d.severity == "error"]
        assert found.code == "GS084" and pointed_at(found) == option
    (found,) = [d for d in found_in(text + data.replace("CHANGES", "hue: 0.6")) if d.severity == "error"]
    assert "0.5" in found.message + (found.hint or "")
