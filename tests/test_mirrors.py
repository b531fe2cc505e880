"""Pictures mirrored in training take directions and sides along; two variables of one column show one picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from compiler import compile_spec
from graphspec import load
from graphspec.loading import check_file
from runtime import fit
from runtime.data import PreparedData, prepare
from runtime.data.randomness import Portion
from runtime.errors import DataError

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 6, 8]}
  look: {role: observed, domain: real, shape: [1, 6, 8]}
  light: {role: supervised, domain: direction, size: 3}
  at: {role: supervised, domain: unit, size: 2}
  turn: {role: supervised, domain: real}
  hand: {role: supervised, domain: category, names: [left, middle, right]}
generative:
  light: {}
  at: {}
  turn: {}
  hand: {}
  x: {parents: [light, at, turn, hand], distribution: bernoulli}
recognition:
  light: {parents: [look]}
  at: {parents: [look, light]}
  turn: {parents: [look, light, at]}
  hand: {parents: [look, light, at, turn]}
data:
  source: rows.npz
  test: 0
  validation: 8
  variables:
    x: {column: image, augment: {flip: true, shift: 1, mirrors: {MIRRORS}}}
    look: {column: image, augment: {flip: true, shift: 1}, local_contrast: {sigma: 1.5}}
    light: light
    at: at
    turn: {column: turn, standardize: true}
    hand: hand
training: {epochs: 2, batch_size: 16, labelled_batch_size: 16}
"""
MIRRORS = "light: [0], at: [0], turn: [0], hand: {left: right}"
ROWS = 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    light = rng.normal(size=(ROWS, 3))
    light /= np.linalg.norm(light, axis=1, keepdims=True)
    turn = 2.0 + rng.normal(size=ROWS)
    hand = rng.choice(["left", "middle", "right", ""], ROWS)
    light[:4], turn[:4] = np.nan, np.nan
    image = rng.integers(0, 256, (ROWS, 6, 8), dtype=np.uint8)
    np.savez(tmp_path / "rows.npz", image=image, light=light, at=rng.random((ROWS, 2)), turn=turn, hand=hand)
    return tmp_path


def prepared(folder: Path, text: str) -> PreparedData:
    (folder / "spec.yaml").write_text(text)
    graphs = load(folder / "spec.yaml")
    return prepare(graphs, spec_path=folder / "spec.yaml")


def codes(folder: Path, text: str) -> list[tuple[str, str]]:
    (folder / "spec.yaml").write_text(text)
    return [(each.code, each.message) for each in check_file(folder / "spec.yaml")]


def test_what_belongs_to_a_mirrored_picture_changes_sides_with_it(folder: Path) -> None:
    data = prepared(folder, SPEC.replace("MIRRORS", MIRRORS).replace(", shift: 1", ""))
    clean = data.training.batch(torch.arange(len(data.training)), torch.float64)
    seen = data.augment(clean, torch.Generator().manual_seed(0))
    mirrored = torch.tensor([not torch.allclose(a, b) for a, b in zip(clean["x"], seen["x"], strict=True)])
    assert 15 < mirrored.sum() < len(mirrored) - 15
    for name in ("x", "look"):
        expected = torch.where(mirrored[:, None, None, None], clean[name].flip(3), clean[name])
        assert torch.allclose(seen[name], expected, atol=1e-6), f"{name} shows the other side exactly where x does"
    sign = 1 - 2.0 * mirrored.double()
    light = clean["light"] * torch.stack([sign, torch.ones_like(sign), torch.ones_like(sign)], dim=1)
    assert torch.equal(seen["light"].nan_to_num(9), light.nan_to_num(9))
    at = torch.stack([torch.where(mirrored, 1 - clean["at"][:, 0], clean["at"][:, 0]), clean["at"][:, 1]], dim=1)
    assert torch.allclose(seen["at"], at)
    turn, other = (data.units["turn"].to_data(each["turn"]) for each in (clean, seen))
    assert torch.allclose(other.nan_to_num(9), (turn * sign).nan_to_num(9))
    swapped = torch.tensor([2, 1, 0, -1])[clean["hand"]]
    assert torch.equal(seen["hand"], torch.where(mirrored, swapped, clean["hand"]))
    assert (clean["hand"] == -1).any() and (clean["turn"].isnan()).any()


def test_variables_of_one_column_are_moved_alike_in_any_part_of_a_batch(folder: Path) -> None:
    text = SPEC.replace("MIRRORS", MIRRORS).replace("domain: real, shape", "domain: unit, shape")
    data = prepared(folder, text.replace(", local_contrast: {sigma: 1.5}", ""))
    clean = data.training.batch(torch.arange(20), torch.float64)
    seen = data.augment(clean, torch.Generator().manual_seed(3))
    assert torch.equal(seen["x"], seen["look"]) and not torch.equal(seen["x"], clean["x"])
    places = torch.tensor([3, 17, 4])
    part = data.augment({n: v[places] for n, v in clean.items()}, torch.Generator().manual_seed(3), Portion(20, places))
    for name, values in part.items():
        assert torch.equal(values.nan_to_num(9), seen[name][places].nan_to_num(9)), name
    apart = prepared(folder, text.replace("shift: 1}, local_contrast: {sigma: 1.5}", "shift: 2}"))
    seen = apart.augment(clean, torch.Generator().manual_seed(3))
    assert not torch.equal(seen["x"], seen["look"]), "other options are other changes"


def test_it_trains(folder: Path) -> None:
    (folder / "spec.yaml").write_text(SPEC.replace("MIRRORS", MIRRORS))
    assert check_file(folder / "spec.yaml") == ()
    run = fit(compile_spec(load(folder / "spec.yaml")), out=folder / "run", progress=False, device="cpu")
    assert run.finished


@pytest.mark.parametrize(
    ("mirrors", "message"),
    [
        ("lihgt: [0]", "names 'lihgt', which no column feeds"),
        ("x: [0]", "names 'x', which no column feeds"),
        ("light: [3]", "'light' has elements 0 to 2, and no 3"),
        ("light: {left: right}", "'light' is direction and has no classes"),
        ("hand: [0]", "'hand' has classes, which change places"),
        ("hand: {left: rigth}", "'hand' has no class rigth"),
        ("hand: {left: right, middle: left}", "the class left stands in two places"),
        ("look: [0]", "'look' has elements in 3 dimensions"),
    ],
)
def test_what_cannot_change_sides_is_refused(folder: Path, mirrors: str, message: str) -> None:
    found = codes(folder, SPEC.replace("MIRRORS", f"light: [0], {mirrors}" if "light" not in mirrors else mirrors))
    assert [code for code, _ in found] == ["GS084"] and message in found[0][1]


def test_a_direction_that_stays_is_told(folder: Path) -> None:
    ((code, message),) = codes(folder, SPEC.replace("MIRRORS", "at: [0]"))
    assert code == "GS127" and "the direction 'light' stays" in message
    quiet = SPEC.replace("MIRRORS", "at: [0]").replace("direction, size: 3}", "direction, size: 3, allow: [GS127]}")
    assert codes(folder, quiet) == []
    still = SPEC.replace("MIRRORS", "light: [0]").replace("flip: true, shift: 1, m", "m")
    ((code, message),) = codes(folder, still.replace("flip: true, ", ""))
    assert code == "GS084" and "when a picture is mirrored, and none is" in message
    twice = SPEC.replace("MIRRORS", "light: [0]").replace("shift: 1}, l", "shift: 1, mirrors: {light: [0]}}, l")
    ((code, message),) = codes(folder, twice)
    assert code == "GS084" and "'light' changes sides with 'x' already" in message
    agreeing = SPEC.replace("MIRRORS", MIRRORS) + "objective: {consistency: {hand: {weight: 1}}}\n"
    assert [code for code, message in codes(folder, agreeing) if "they are to differ" in message] == ["GS084"]


# --- contrast beside the surroundings ---------------------------------------------------------------------------------


def contrast_by_hand(image: np.ndarray, sigma: float, log: bool) -> np.ndarray:
    u = np.log(image + 1 / 255) if log else image
    v = u - gaussian_filter(u, sigma)
    s = np.sqrt(gaussian_filter(v**2, sigma))
    return v / np.maximum(s, 0.1 * s.mean())


@pytest.mark.parametrize("log", [False, True])
def test_local_contrast_is_its_formula(folder: Path, log: bool) -> None:
    text = SPEC.replace("MIRRORS", MIRRORS).replace("sigma: 1.5", f"sigma: 1.5, log: {str(log).lower()}")
    data = prepared(folder, text)
    image = np.load(folder / "rows.npz")["image"][data.training.source.numpy()] / 255
    found = data.training.batch(torch.arange(5), torch.float64)["look"].numpy()[:, 0]
    for each, pixels in zip(found, image, strict=False):
        np.testing.assert_allclose(each, contrast_by_hand(pixels, 1.5, log), atol=1e-4)


def test_a_light_that_is_twice_as_bright_leaves_the_contrast_as_it_was() -> None:
    from graphspec.language import LocalContrast
    from runtime.data.read.local_contrast import local_contrast

    image = np.random.default_rng(0).uniform(0.1, 0.5, (2, 1, 9, 9))
    dim, bright = (local_contrast("image", light * image, LocalContrast(sigma=2.0)) for light in (1, 2))
    np.testing.assert_allclose(dim, bright, rtol=1e-5, atol=1e-6)
    blank = image.copy()
    blank[0, 0, 3, 3], blank[1] = np.nan, np.nan
    found = local_contrast("image", blank, LocalContrast(sigma=2.0))
    assert np.isnan(found[0]).sum() == 1 and np.isnan(found[1]).all()
    far = np.ones((9, 9), dtype=bool)
    far[:8, :8] = False
    assert np.abs(found[0, 0] - dim[0, 0])[far].max() < 0.1, "a blank pixel is a blank, not a dark one"
    with pytest.raises(DataError, match="below zero"):
        local_contrast("image", image - 1, LocalContrast(sigma=2.0, log=True))


@pytest.mark.parametrize(
    ("domain", "message"), [("unit", "gives values around 0"), ("binary", "pixels of a binary cannot be interpolated")]
)
def test_local_contrast_needs_a_real_picture(folder: Path, domain: str, message: str) -> None:
    text: Any = SPEC.replace("MIRRORS", MIRRORS).replace(
        "look: {role: observed, domain: real", f"look: {{role: observed, domain: {domain}"
    )
    found = codes(folder, text)
    assert any(code == "GS084" and message in told for code, told in found), found
