"""`traverse --set`: what is held in every picture, and what cannot be."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_queries import BELOW, M2, SEVERAL, model_of, rows_of
from tiny_runs import train_tiny
from typer.testing import CliRunner

from runtime.answering.panels import shown_variable
from runtime.answering.query_settings import settings_of
from runtime.answering.traversal import traverse
from runtime.cli.app import app
from runtime.errors import RunError


def test_a_grid_at_a_fixed_label_differs_only_in_the_style() -> None:
    model = model_of(M2.replace("size: 4", "size: 2"))
    panel = traverse(model, rows_of(model.graphs), vary=["z[0]", "z[1]"], fixed=["y=cat"], steps=4)
    assert (panel.values["y"] == 2).all() and panel.values["x"].shape[:2] == (4, 4)
    assert (panel.values["z"][:, 0, 0].diff() > 0).all() and (panel.values["z"][0, :, 1].diff() > 0).all()
    assert panel.title.endswith("z[1] to the right; y = cat"), "nothing is inferred from the row"
    free = traverse(model, rows_of(model.graphs), vary=["z[0]", "z[1]"], steps=4, row=1)
    assert "inferred from row 1" in free.title and not torch.equal(free.values["x"], panel.values["x"])
    one = traverse(model, rows_of(model.graphs), vary=["z[0]", "y"], fixed=["z[1]=-1.5"], steps=3)
    assert (one.values["z"][..., 1] == -1.5).all() and "inferred" not in one.title


def test_the_pictures_of_a_fixed_grid_do_not_depend_on_the_row() -> None:
    model = model_of(M2.replace("size: 4", "size: 2"))
    rows = rows_of(model.graphs)
    grids = [traverse(model, rows, vary=["z[0]", "z[1]"], fixed=["y=1"], steps=3, row=row) for row in (0, 5)]
    assert torch.equal(grids[0].values["x"], grids[1].values["x"])


def test_other_traversals_hold_what_is_set() -> None:
    model = model_of(M2)
    rows = rows_of(model.graphs)
    elements = traverse(model, rows, fixed=["y=1", "z[2]=0.25"], count=8, steps=3)
    assert (elements.values["y"][:, 1:] == 1).all() and (elements.values["z"][:, 1:, 2] == 0.25).all()
    assert not any(name.startswith("z[2]") for name in elements.rows) and len(elements.rows) == 3
    swept = traverse(model, rows, vary=["z[0]"], fixed=["y=1"], count=3, steps=3)
    assert (swept.values["y"][:, 1:] == 1).all() and swept.title.endswith("; y = bee")


def test_a_latent_below_the_fixed_label_keeps_its_noise() -> None:
    model = model_of(BELOW)
    rows = rows_of(model.graphs)
    panels = [traverse(model, rows, vary=["z[0,0,0]"], fixed=[f"y={y}"], count=2, steps=2) for y in (0, 2)]
    moved = (panels[0].values["z"] != panels[1].values["z"])[:, 1:].flatten(2)
    assert moved[:, :, 1:].all() and not moved[:, :, 0].any()


@pytest.mark.parametrize(
    ("fixed", "message", "hint"),
    [
        (["n"], "cannot read 'n'", "y=9"),
        (["n=4"], "'4' is no value of n", "1 to 3"),
        (["n=1.5"], "'1.5' is no value of n", "1 to 3"),
        (["n=two"], "'two' is no value of n", "1 to 3"),
        (["p=inf"], "'inf' is no value of p", "a number"),
        (["p=1", "p=2"], "p is set twice", "one value"),
        (["u=1"], "x does not depend on u", "another variable"),
        (["s[0]=1"], "tied together", "another variable"),
        (["w=1"], "no variable 'w'", "this model has"),
        (["a=1"], "a has shape [2]", "a[0]"),
    ],
)
def test_what_cannot_be_set(fixed: list[str], message: str, hint: str) -> None:
    graphs = model_of(SEVERAL).graphs
    with pytest.raises(RunError) as caught:
        settings_of(fixed, graphs, shown_variable(graphs), {})
    assert message in caught.value.message and hint in (caught.value.hint or "")


def test_values_by_name_and_by_number() -> None:
    graphs = model_of(M2).graphs
    found = settings_of(["y=cat"], graphs, shown_variable(graphs), {})
    assert {str(target): float(value) for target, value in found.items()} == {"y": 2.0}
    with pytest.raises(RunError) as caught:
        settings_of(["y=dog"], graphs, shown_variable(graphs), {})
    assert caught.value.hint == "it takes ant, bee and cat"


@pytest.mark.parametrize("options", [{"vary": ["y"], "fixed": ["y=1"]}, {"fixed": [f"z[{i}]=0" for i in range(4)]}])
def test_something_must_be_left_to_move(options: dict[str, Any]) -> None:
    model = model_of(M2)
    with pytest.raises(RunError, match="held"):
        traverse(model, rows_of(model.graphs), **options)


def test_from_the_command_line(tmp_path: Path) -> None:
    run = train_tiny(tmp_path)
    call = ["traverse", str(run.folder), "--vary", "z[0]", "--vary", "z[1]", "--set", "y=2", "-o"]
    result = CliRunner().invoke(app, [*call, str(tmp_path / "grid.csv")])
    assert result.exit_code == 0, result.output
    lines = [line.split(",") for line in (tmp_path / "grid.csv").read_text().splitlines()]
    where = lines[0].index("y")
    assert {line[where] for line in lines[1:]} == {"2"} and len(lines) == 82
