"""Reconstruct, traverse and analogies read a row's own observed values wherever p reads them; closed forms."""

import csv
from pathlib import Path

import pytest
import torch
from tiny_runs import make_run
from torch import Tensor
from typer.testing import CliRunner

from compiler.model.model import Model
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.answering.queries import analogies, reconstruct
from runtime.answering.traversal import traverse
from runtime.cli.app import app
from runtime.data import Rows

CHAIN = """
graphspec: 1
networks: {default: {kind: linear}}
variables:
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real}
  v: {role: observed, domain: real}
  w: {role: observed, domain: real}
  x: {role: observed, domain: real}
generative:
  y: {}
  z: {}
  w: {parents: [y], parameters: {scale: 0.5}}
  x: {parents: [w, z, v], parameters: {scale: 0.5}}
recognition: {y: {parents: [w]}, z: {parents: [x]}}
"""
WALK = """
graphspec: 1
plates: {time: {size: 4, ordered: true}}
networks: {default: {kind: linear}}
variables:
  y: {role: supervised, domain: category, classes: 2}
  c: {role: observed, domain: real, plate: time}
  x: {role: observed, domain: real, plate: time}
generative:
  y: {}
  c: {parents: [y], parameters: {scale: 0.5}}
  x: {parents: [x@previous, y, c], parameters: {scale: 0.5}}
recognition: {y: {parents: [x@mean]}}
"""


def model_of(text: str) -> Model:
    torch.manual_seed(1)
    return Model(load("spec.yaml", text=text), dtype=torch.float64).eval()


def chain_rows() -> Rows:
    generator = torch.Generator().manual_seed(2)
    values = {name: torch.randn(6, generator=generator).double() for name in "vwx"}
    return Rows(values | {"y": torch.tensor([0, 1, 2, 0, 1, 2])}, torch.arange(10, 16))


def place(rows: Rows, name: str) -> int:
    return rows.source.tolist().index(int(name))


def expected_x(model: Model, w: Tensor, z: Tensor, v: Tensor) -> Tensor:
    """a + b w + c z + d v, whose coefficients p's factor tells at four places."""
    places = {name: torch.tensor([0.0, *(float(each == name) for each in "wzv")]).double() for name in "wzv"}
    at = model.family_at(model.graphs.generative["x"], places, Noise(0, 4))[2][0]
    return at[0] + sum((at[1 + i] - at[0]) * value for i, value in enumerate((w, z, v)))


def test_a_reconstruction_is_expected_at_the_rows_own_observed_parents() -> None:
    model, rows = model_of(CHAIN), chain_rows()
    panel = reconstruct(model, rows, count=6, columns=6, shown="x")
    at = [place(rows, name) for name in panel.named[1]]
    own = {name: rows.values[name][at] for name in "vwx"}
    z = panel.values["z"][1]
    assert torch.allclose(panel.values["x"][1], expected_x(model, own["w"], z, own["v"]), atol=1e-12)
    assert not torch.allclose(panel.values["w"][1], own["w"])  # what p expects of it, and not its value


@pytest.mark.parametrize("verb", ["analogies", "traverse"])
def test_what_lies_below_a_change_keeps_its_own_noise(verb: str) -> None:
    """w' = loc(y') + w - loc(y): x is what p expects at w'."""
    model, rows = model_of(CHAIN), chain_rows()
    panel = (
        analogies(model, rows, count=6, shown="x")
        if verb == "analogies"
        else traverse(model, rows, vary=["y"], count=6, shown="x")
    )
    at = [place(rows, line[0]) for line in panel.named]
    w, v = rows.values["w"][at], rows.values["v"][at]
    labels = rows.values["y"][at] if verb == "analogies" else panel.values["y"][:, 0].long()
    locations = panel.values["w"][:, 1:]  # of every class
    if verb == "traverse":
        inferred = model.predict("y", {n: rows.values[n] for n in "vwx"}, noise=Noise(0, 6)).argmax(-1)[at]
        labels = inferred
    moved = locations + (w - locations[torch.arange(6), labels]).unsqueeze(1)
    for place_of, value in enumerate(range(3)):
        found = panel.values["x"][:, 1 + place_of]
        assert torch.allclose(found, expected_x(model, moved[:, value], panel.values["z"][:, 1], v), atol=1e-10)


def test_a_traversal_of_a_latent_holds_observed_parents_as_they_are() -> None:
    model, rows = model_of(CHAIN), chain_rows()
    panel = traverse(model, rows, vary=["z"], count=6, steps=4, shown="x")
    at = [place(rows, line[0]) for line in panel.named]
    for step in range(1, 5):
        wanted = expected_x(model, rows.values["w"][at], panel.values["z"][:, step], rows.values["v"][at])
        assert torch.allclose(panel.values["x"][:, step], wanted, atol=1e-12)


@pytest.mark.parametrize("verb", [reconstruct, analogies])
def test_elements_read_the_rows_own_elements_before_them(verb: object) -> None:
    model = model_of(WALK)
    generator = torch.Generator().manual_seed(3)
    values = {name: torch.randn(5, 4, generator=generator).double() for name in "cx"}
    rows = Rows(values | {"y": torch.tensor([0, 1, 1, 0, 1])}, torch.arange(5))
    panel = verb(model, rows, count=5, shown="x")  # type: ignore[operator]
    line = panel.named[1] if verb is reconstruct else [each[0] for each in panel.named]
    at = [place(rows, name) for name in line]
    for column in (1, 2) if verb is analogies else (0,):
        cell = {n: (panel.values[n][1] if verb is reconstruct else panel.values[n][:, column]) for n in "xyc"}
        c = values["c"][at] if verb is reconstruct else cell["c"]
        densities = model.generate({"x": values["x"][at], "c": c, "y": cell["y"]}, 5, noise=Noise(0, 5), expected=["x"])
        assert torch.allclose(cell["x"], densities["x"], atol=1e-12)
        # and by differences: the mean of x_t is linear in the row's own x_(t-1)
        other = values["x"][at].clone()
        other[:, 0] += 1
        moved = model.generate({"x": other, "c": c, "y": cell["y"]}, 5, noise=Noise(0, 5), expected=["x"])["x"]
        change = moved - cell["x"]
        assert torch.allclose(change[:, [0, 2, 3]], torch.zeros(5, 3).double(), atol=1e-12)
        assert change[:, 1].abs().min() > 1e-3


TABLE = """
graphspec: 1
name: table
networks: {default: {kind: linear}}
variables:
  numbers: {role: observed, domain: real, size: 2, missing: true}
  kind: {role: supervised, domain: category, names: [ant, bee]}
  size: {role: observed, domain: positive}
  z: {role: latent, domain: real, size: 2}
generative: {kind: {}, z: {}, size: {parents: [kind]}, numbers: {parents: [kind, z, size]}}
recognition: {kind: {parents: [numbers]}, z: {parents: [numbers, kind]}}
data:
  source: rows.csv
  variables:
    numbers: {columns: [age, weight], standardize: true}
    kind: species
    size: {column: length, standardize: true}
"""


def test_tables_have_the_datas_columns_the_rows_names_and_no_padding(tmp_path: Path) -> None:
    lines = [f"{20 + i},{'' if i % 5 == 0 else 60 + i % 7},{'ant' if i % 2 else 'bee'},{1 + i % 3}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("age,weight,species,length\n" + "\n".join(lines) + "\n")
    (tmp_path / "spec.yaml").write_text(TABLE)
    run = make_run(tmp_path / "run", tmp_path / "spec.yaml")
    for verb, options, cells in (
        ("reconstruct", ["--count", "7"], 14),
        ("analogies", ["--count", "3"], 9),
        ("traverse", ["--count", "2", "--steps", "3"], 8),
        ("traverse", ["--vary", "kind", "--count", "3"], 9),
        ("traverse", ["--vary", "z[0]", "--vary", "kind", "--steps", "3"], 6),
    ):
        path = tmp_path / f"{verb}.csv"
        told = CliRunner().invoke(app, [verb, str(run.folder), *options, "-o", str(path)])
        assert told.exit_code == 0, told.output
        found = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        assert list(found[0])[:4] == ["row", "column", "cell", "source"]
        assert set(list(found[0])[4:]) == {"age", "weight", "species", "length", "z[0]", "z[1]"}
        assert len(found) == cells and {line["species"] for line in found} <= {"ant", "bee"}
        for line in found:
            if line["cell"].endswith("input"):
                age, weight, _, length = lines[int(line["source"])].split(",")
                assert (line["age"], line["weight"], line["length"]) == (age, weight, length)
            else:
                assert line["weight"] and line["age"]
