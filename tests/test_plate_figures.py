"""Panels of specs with plates: tables with a line an element, film strips, parts beside the whole, curves along time."""

import numpy as np
import pytest
import torch

from compiler.model.model import compile_spec
from graphspec.loading import load
from runtime.answering.panels import Panel, parts_of, shown_variable
from runtime.answering.queries import sample
from runtime.figures.film_strips import film_strips, has_strips
from runtime.figures.panel_files import is_picture, write_panel
from runtime.figures.panel_tables import panel_table
from runtime.figures.plate_lines import in_order, lines_of
from runtime.figures.sequence_curves import draw_curves_of, has_curves

NAN = float("nan")
WALKS = """
graphspec: 1
plates: {time: {count: n, ordered: true}}
variables:
  n: {role: observed, domain: count, max: 4}
  x: {role: observed, domain: real, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 2, names: [rest, walk], plate: time}
  g: {role: latent, domain: real}
generative: {g: {}, c: {parents: [g]}, x: {parents: [c]}}
recognition: {c: {parents: [x]}, g: {parents: [x@mean]}}
"""
SCENES = """
graphspec: 1
plates: {things: {size: 3, count: k}}
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  k: {role: latent, domain: count, max: 3}
  z: {role: latent, domain: real, size: 2, plate: things}
  placed: {role: deterministic, domain: real, shape: [1, 8, 8], plate: things}
generative:
  k: {}
  z: {}
  placed: {parents: [z], network: {kind: mlp, hidden: [4]}}
  x: {parents: [placed], distribution: normal, network: {kind: sum}, parameters: {scale: 0.3}}
recognition:
  k: {parents: [x]}
  z: {parents: [x]}
"""
PHOTOS = """
graphspec: 1
plates: {photos: {count: n}}
variables:
  n: {role: observed, domain: count, max: 3}
  x: {role: observed, domain: unit, shape: [1, 8, 8], plate: photos}
  y: {role: supervised, domain: category, classes: 3, plate: photos}
generative: {y: {}, x: {parents: [y], distribution: bernoulli}}
recognition: {y: {parents: [x]}}
"""


def graphs_of(text):
    return load("spec.yaml", text=text).by_row


def walks(counts=(2, 4, 0)):
    """Rows of data over their reconstructions, as `reconstruct` makes them."""
    here = (torch.arange(4) < torch.tensor(counts)[:, None]).expand(2, len(counts), 4)
    x = torch.arange(2 * len(counts) * 8.0).reshape(2, len(counts), 4, 2).masked_fill(~here[..., None], NAN)
    c = torch.zeros(2, len(counts), 4).masked_fill(~here, NAN)
    c[0, counts.index(max(counts)), 2] = NAN  # a label that the row lacks
    n = torch.tensor(counts, dtype=torch.float).expand(2, -1)
    g = torch.tensor([[NAN], [1.5]]).expand(2, len(counts))
    rows = ("input", "reconstruction")
    return Panel("t above its reconstruction", "x", {"n": n, "x": x, "c": c, "g": g}, rows, ("",) * len(counts), band=2)


def table(panel, text):
    header, lines = panel_table(panel, graphs_of(text))
    return header, list(lines)


class TestTables:
    def test_a_line_is_an_element_that_is_there(self):
        header, lines = table(walks(), WALKS)
        assert header == ["row", "column", "cell", "time", "n", "x[0]", "x[1]", "c", "g"]
        assert [line[:4] for line in lines if line[0] == "0"] == [
            *(["0", "0", "input", str(at)] for at in range(2)),
            *(["0", "1", "input", str(at)] for at in range(4)),
            ["0", "2", "input", ""],
        ]

    def test_a_blank_label_leaves_its_element_there(self):
        _, lines = table(walks(), WALKS)
        (line,) = (line for line in lines if line[:4] == ["0", "1", "input", "2"])
        assert line[7] == "" and line[5] != ""

    def test_what_belongs_to_the_row_is_on_each_of_its_lines_and_alone_where_there_are_none(self):
        _, lines = table(walks(), WALKS)
        assert [line[8] for line in lines if line[:2] == ["1", "1"]] == ["1.5"] * 4
        assert [line[4:] for line in lines if line[:2] == ["1", "2"]] == [["0", "", "", "", "1.5"]]

    def test_nested_plates_and_plates_side_by_side(self):
        text = """
graphspec: 1
plates: {a: {size: 2}, b: {size: 3, inside: a}, s: {size: 2}}
variables:
  x: {role: observed, domain: real, plate: b}
  u: {role: latent, domain: real, plate: a}
  v: {role: observed, domain: real, plate: s}
generative: {u: {}, x: {parents: [u]}, v: {parents: [u@mean]}}
recognition: {u: {parents: [x@mean]}}
"""
        x, u = torch.arange(6.0).reshape(1, 1, 2, 3), torch.tensor([10.0, 20.0]).reshape(1, 1, 2)
        panel = Panel("t", "x", {"x": x, "u": u, "v": torch.tensor([7.0, 8.0]).reshape(1, 1, 2)}, ("",), ("",))
        header, lines = table(panel, text)
        assert header[3:] == ["a", "b", "s", "x", "u", "v"]
        assert [line[3:] for line in lines if line[4] == "1"] == [
            ["0", "1", "", "1", "10", ""],
            ["1", "1", "", "4", "20", ""],
        ]
        assert [line[3:] for line in lines if line[5]] == [["", "", "0", "", "", "7"], ["", "", "1", "", "", "8"]]
        assert len(lines) == 6 + 2


class TestCurves:
    def test_numbers_in_an_ordered_plate_are_drawn_along_it(self, tmp_path):
        graphs = graphs_of(WALKS)
        assert has_curves(walks(), graphs) and is_picture(walks(), graphs)
        assert not has_curves(walks(), graphs_of(WALKS.replace(", ordered: true", "")))
        assert write_panel(walks(), graphs, tmp_path / "w.png").stat().st_size > 5000

    def test_a_sequence_ends_where_it_ends(self):
        graphs, panel = graphs_of(WALKS), walks()
        assert [len(in_order(panel.values["x"][0, c], graphs.variables["x"])) for c in range(3)] == [2, 4, 0]
        assert [(line.row, line.column) for line in lines_of(panel)] == [(0, 0), (1, 0), (0, 1), (1, 1)]

    def test_a_row_and_its_reconstruction_share_a_picture(self):
        one = draw_curves_of(walks((3,)), graphs_of(WALKS))
        two = draw_curves_of(walks((2, 3)), graphs_of(WALKS))
        assert 100 < two.height - one.height < 300


class TestStrips:
    def panel(self):
        here = torch.arange(3) < torch.tensor([[1], [3]])
        x = torch.rand(2, 2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        x = x.masked_fill(~here[None, :, :, None, None, None], NAN)
        y = torch.tensor([[[0, 0, 0], [0, 1, -1]], [[0, 0, 0], [0, 2, 1]]]).float()
        n = torch.tensor([[1.0, 3.0]] * 2)
        return Panel("t", "x", {"n": n, "x": x, "y": y}, ("input", "reconstruction"), ("", ""), band=2)

    def test_a_line_has_a_picture_for_each_element_and_nothing_after_the_last(self):
        made, variable = film_strips(self.panel(), graphs_of(PHOTOS))
        assert variable.shape == (1, 8, 8) and made.rows == ("input", "reconstruction") * 2 and made.band == 2
        assert made.values["x"].shape == (4, 3, 1, 8, 8)
        assert [int((~row.isnan()).flatten(1).any(1).sum()) for row in made.values["x"]] == [1, 1, 3, 3]

    def test_labels_of_elements_stand_above_them_and_wrong_ones_are_marked(self):
        made, _ = film_strips(self.panel(), graphs_of(PHOTOS))
        assert made.captions == (("0", "", ""), ("0", "", ""), ("0", "1", "?"), ("0", "2", "1"))
        assert made.marked == {(3, 1)}

    def test_pictures_of_elements_are_shown_first(self):
        assert shown_variable(graphs_of(PHOTOS)).name == "x" and has_strips(self.panel(), graphs_of(PHOTOS))


class TestParts:
    def test_the_parts_of_a_picture_stand_beside_it_and_add_up_to_it(self, tmp_path):
        model = compile_spec(load("scenes.yaml", text=SCENES)).eval()
        graphs = model.graphs.by_row
        assert parts_of(graphs, graphs.variables["x"]) == "placed"
        panel = sample(model, count=4, columns=3)
        assert panel.parts == "placed"
        whole, parts = panel.values["x"], panel.values["placed"].nan_to_num(0.0).sum(2)
        assert whole == pytest.approx(parts, abs=1e-5)
        made, variable = film_strips(panel, graphs)
        assert made.columns[0] == "whole" and variable.name == "x"
        drawn = (~made.values["x"].isnan()).flatten(2).any(2).sum(1) - 1
        counts = panel.values["k"].flatten()[: len(drawn)].round()
        assert np.array_equal(drawn.numpy(), counts.numpy())
        header, _ = panel_table(panel, graphs)
        assert not [name for name in header if name.startswith("placed")]
        assert write_panel(panel, graphs, tmp_path / "s.png").stat().st_size > 1000
