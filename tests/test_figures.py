"""Pictures and tables as files: what stands where, nothing clipped, the same panel always the same bytes."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from compiler.model.model import Model
from graphspec.graphs.graph import Variable
from graphspec.loading import load
from runtime.answering.panels import Panel
from runtime.data import Units
from runtime.errors import RunError
from runtime.figures.confusion import draw_confusion
from runtime.figures.learning_curves import curves, draw_curves
from runtime.figures.panel_files import default_path, is_picture, write_panel
from runtime.figures.panel_grid import BREAK, GAP, MARGIN, draw_panel, enlarged, pictures
from runtime.figures.panel_tables import panel_table

X = Variable("x", "observed", "unit", (3, 8, 8))
SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [3, 8, 8]}
  v: {role: observed, domain: real, size: 2}
  y: {role: supervised, domain: category, classes: 2, names: [no, yes]}
  z: {role: latent, domain: real}
generative: {y: {}, z: {}, x: {parents: [y, z]}, v: {parents: [z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, v]}}
networks: {default: {kind: linear}}
"""


def panel(down: int, across: int, **options: Any) -> Panel:
    """Cells of one colour each (no grey, which letters have at their edges), so that every picture can be told."""
    reds = torch.linspace(0, 1, down * across).reshape(down, across, 1, 1, 1)
    colours = torch.cat([reds, torch.full_like(reds, 0.5), torch.zeros_like(reds)], dim=2)
    names = {"rows": ("",) * down, "columns": ("",) * across, "title": "a title", **options}
    return Panel(shown="x", values={"x": colours.expand(down, across, 3, 8, 8)}, **names)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


def places(panel: Panel) -> np.ndarray:
    """[R, C, 4]: left, top, right, bottom (inclusive) of every cell as drawn."""
    image = pixels(draw_panel(panel, X))
    boxes = []
    for colour in panel.values["x"][:, :, :, 0, 0].flatten(0, 1):
        found = np.argwhere((image == (colour * 255).round().int().numpy()).all(axis=2))
        boxes.append([*found.min(axis=0)[::-1], *found.max(axis=0)[::-1]])
    return np.array(boxes).reshape(len(panel.rows), len(panel.columns), 4)


def test_small_pictures_are_enlarged_by_a_whole_factor_without_smoothing() -> None:
    left, top, right, bottom = places(panel(1, 2))[0, 1]
    assert (right - left + 1, bottom - top + 1) == (64, 64)
    cell = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert enlarged(cell, 2)[0, 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]


def test_cells_stand_in_rows_and_columns_with_inputs_set_apart() -> None:
    boxes = places(panel(2, 3, inputs=1))
    assert np.diff(boxes[0, :, 0]).tolist() == [64 + BREAK, 64 + GAP]
    assert np.diff(boxes[:, 0, 1]).tolist() == [64 + GAP]
    assert (boxes[0, :, 0] == boxes[1, :, 0]).all()


def test_bands_of_rows_are_set_apart() -> None:
    assert np.diff(places(panel(4, 1, band=2))[:, 0, 1]).tolist() == [64 + GAP, 64 + BREAK, 64 + GAP]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"title": "a title of so many words that it cannot stand in one line above a picture this narrow"},
        {"title": "Donaudampfschifffahrtsgesellschaftskapitänsmütze " * 2},
        {"columns": ("input", "0", "1")},
        {"columns": ("airplane", "automobile", "a class with a name that goes on for very much longer than it should")},
        {"rows": ("z[3]\n-2.31 to 2.44", "reconstruction of a thing")},
        {"captions": (("a long caption", "b", ""), ("", "", "c"))},
    ],
)
def test_nothing_touches_the_edge(options: dict[str, Any]) -> None:
    image = pixels(draw_panel(panel(2, 3, **options), X))
    for edge in (image[: MARGIN - 6], image[-MARGIN + 4 :], image[:, : MARGIN - 6], image[:, -MARGIN + 4 :]):
        assert (edge == 255).all()


def test_headings_stand_over_their_columns_and_row_names_beside_their_rows() -> None:
    shown = panel(2, 3, columns=("", "0", ""), rows=("", "N"), title="t")
    ink = np.argwhere(pixels(draw_panel(shown, X)).max(axis=2) < 100)
    boxes = places(shown)
    left, top, right, bottom = boxes[0, 1]
    above = ink[(ink[:, 1] >= left) & (ink[:, 1] <= right) & (ink[:, 0] > MARGIN + 20) & (ink[:, 0] < top)]
    assert abs(above[:, 1].mean() - (left + right) / 2) < 3
    left, top, right, bottom = boxes[1, 0]
    beside = ink[(ink[:, 1] < left) & (ink[:, 0] >= top) & (ink[:, 0] <= bottom)]
    assert abs(beside[:, 0].mean() - (top + bottom) / 2) < 6


def test_the_same_panel_is_the_same_file(tmp_path: Path) -> None:
    graphs = load("s.yaml", text=SPEC)
    first, again = (write_panel(panel(2, 3), graphs, tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == again


def test_colours_blanks_and_values_without_a_range_of_their_own() -> None:
    colour = torch.tensor([1.0, 0.0, 0.5]).reshape(1, 1, 3, 1, 1).expand(1, 1, 3, 8, 8)
    image = pixels(draw_panel(Panel("t", "x", {"x": colour}, ("",), ("",)), X))
    assert (image == [255, 0, 128]).all(axis=2).sum() == 64 * 64
    real, flat = Variable("x", "observed", "real", (1, 8, 8)), Variable("x", "observed", "unit", (64,))
    stretched = pictures(torch.linspace(-3, 5, 64).reshape(1, 1, 1, 8, 8), real)
    assert stretched.min() == 0
    assert stretched.max() == 1
    assert (pictures(torch.full((1, 1, 1, 8, 8), float("nan")), real) == 1).all()
    assert torch.equal(pictures(torch.full((1, 1, 64), 0.25), flat), torch.full((1, 1, 1, 8, 8), 0.25))


def test_a_table_has_one_line_per_cell_in_data_units() -> None:
    graphs = load("s.yaml", text=SPEC)
    values = {
        "v": torch.tensor([[[0.0, 1.0], [2.0, float("nan")]]]),
        "y": torch.tensor([[0.0, 1.0]]),
        "z": torch.tensor([[0.123456789, -2.0]]),
    }
    shown = Panel("t", "v", values, ("r",), ("a", "b"))
    units = {"v": Units(torch.tensor([10.0, 0.0]).double(), torch.tensor([2.0, 1.0]).double())}
    header, lines = panel_table(shown, graphs, units)
    assert header == ["row", "column", "cell", "v[0]", "v[1]", "y", "z"]
    assert list(lines) == [["0", "0", "r a", "10", "1", "no", "0.123457"], ["0", "1", "r b", "14", "", "yes", "-2"]]


def test_what_is_no_picture_becomes_a_table(tmp_path: Path) -> None:
    graphs = load("s.yaml", text=SPEC)
    shown = Panel("t", "v", {"v": torch.zeros(1, 2, 2)}, ("",), ("a", "b"))
    assert not is_picture(shown, graphs)
    path = default_path(shown, graphs, tmp_path / "new", "sample")
    assert path.name == "sample.csv"
    with write_panel(shown, graphs, path).open(newline="") as file:
        assert next(csv.reader(file)) == ["row", "column", "cell", "v[0]", "v[1]"]
    with pytest.raises(RunError, match=r"v has shape \[2\], which is not a picture") as caught:
        write_panel(shown, graphs, tmp_path / "v.png")
    assert "-o FILE.csv" in caught.value.hint


@pytest.mark.parametrize("name", ["x.gif", "x", "x.svg"])
def test_an_ending_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="cannot write"):
        write_panel(panel(1, 1), load("s.yaml", text=SPEC), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_panel(panel(1, 1), load("s.yaml", text=SPEC), tmp_path / "file" / "x.png")


RECORDS = [
    {"epoch": e, "loss": 3.0 / e, "terms": {"log p(x)": -2.0, "KL z": float("nan")},
     "validation": {"elbo": -4.0 + e, "variables": {"y": {"error": 1.0 / e}}}}
    for e in (1, 2, 3)
]  # fmt: skip


def test_curves_hold_every_finite_figure_by_epoch() -> None:
    found = curves(RECORDS)
    assert list(found) == [
        "validation error of y", "validation elbo, nats per row", "loss, nats per row", "log p(x), nats per row"
    ]  # fmt: skip
    assert found["loss, nats per row"] == [(1.0, 3.0), (2.0, 1.5), (3.0, 1.0)]
    assert curves([{"epoch": 1, "loss": None, "terms": {}, "validation": None}]) == {}


def test_curves_and_confusions_are_drawn(tmp_path: Path) -> None:
    assert draw_curves(RECORDS, tmp_path / "curves.png", title="digits")
    assert draw_curves(RECORDS[:1], tmp_path / "one.png")
    assert not draw_curves([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    draw_confusion(np.array([[5, 0], [2, 7]]), ["no", "yes"], tmp_path / "confusion.png", "y on test rows")
    for name in ("curves.png", "one.png", "confusion.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 300


def test_a_training_ends_with_its_pictures(tmp_path: Path) -> None:
    from runtime.data import prepare
    from runtime.figures.defaults import default_figures

    spec = Path(__file__).parents[1] / "specs" / "digits.yaml"
    graphs = load(str(spec))
    model, data = Model(graphs), prepare(graphs, spec_path=spec)
    model.train()
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1, "loss": 3.5, "terms": {}, "validation": null}\n')
    written = default_figures(model, data, tmp_path / "figures")
    assert [path.name for path in written] == [
        "analogies.png", "reconstructions.png", "samples.png", "traverse.png", "curves.png"
    ]  # fmt: skip
    assert all(path.stat().st_size > 2000 for path in written)
    assert model.training
