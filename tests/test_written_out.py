"""GS105 in plates: recognition held against p written out for a few elements."""

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
from random_plates import PlateSpecDraw

from graphspec.diagnostics import Diagnostic
from graphspec.graphs.graph import Graphs
from graphspec.graphs.separation import collapse
from graphspec.graphs.written_out import few_of_each, written_out
from graphspec.loading import check_file, load

STATE_SPACE = """
graphspec: 1
name: state-space
plates: {{time: {{size: 6, ordered: true}}}}
variables:
  x: {{role: observed, domain: real, size: 2, plate: time}}
  z: {{role: latent, domain: real, size: 2, plate: time}}
  h: {{role: deterministic, plate: time}}
generative:
  z: {{parents: [z@previous]}}
  x: {{parents: [z]}}
recognition:
  h: {{parents: [h@{along}, x], network: {{kind: gru, hidden: 4}}}}
  z: {{parents: [{read}]}}
"""
AUTOREGRESSIVE = """
graphspec: 1
name: autoregressive
plates: {{time: {{size: 6, ordered: true}}}}
variables:
  x: {{role: observed, domain: real, size: 2, plate: time}}
  z: {{role: latent, domain: real, size: 2, plate: time}}
  lag: {{role: deterministic, plate: time}}
generative:
  lag: {{parents: [lag@previous, x@previous], network: {{kind: gru, hidden: 3}}}}
  z: {{parents: [lag]}}
  x: {{parents: [z]}}
recognition:
  z: {{parents: [{read}]}}
"""


def gaps(text: str, folder: Path) -> list[Diagnostic]:
    path = folder / "spec.yaml"
    path.write_text(text)
    found = check_file(path)
    assert [each.message for each in found if each.severity == "error"] == []
    return [each for each in found if each.code == "GS105"]


def random_graphs(graphs: Graphs) -> tuple[nx.DiGraph, nx.DiGraph]:
    """Elements of both graphs that are random."""
    sizes = few_of_each(graphs)
    p, q = (written_out(graphs, side, sizes) for side in ("generative", "recognition"))
    functions = {n for n in (*p, *q) if graphs.variables[base(n)].role == "deterministic"}
    return collapse(p, functions), collapse(q, functions)


def base(name: str) -> str:
    return name.partition("[")[0]


def order_of(graphs: Graphs) -> Callable[[str], int]:
    """Recognition's order of variables."""
    order = {factor.variable: at for at, factor in enumerate(graphs.order("recognition"))}
    return lambda name: order.get(base(name), -1)


@pytest.mark.parametrize(
    ("along", "read", "lacking"),
    [
        ("next", "h, z@previous", None),
        ("next", "h", "z@previous"),
        ("previous", "h, z@previous", "x of later elements"),
        ("next", "x, z@previous", "x of later elements"),
        ("previous", "h", "x of later elements and z@previous"),
    ],
)
def test_states_know_what_their_posterior_knows(along: str, read: str, lacking: str | None, tmp_path: Path) -> None:
    """Given the state before, later observations are what is left (smoothing); a filter knows the earlier ones."""
    found = gaps(STATE_SPACE.format(along=along, read=read), tmp_path)
    assert len(found) == (lacking is not None)
    if lacking is not None:
        assert f"recognition of z does not read {lacking}, and" in found[0].message


def test_observed_values_between_elements_cut_what_they_know_of_each_other(tmp_path: Path) -> None:
    """What z made is seen before the next element reads it."""
    assert gaps(AUTOREGRESSIVE.format(read="lag, x"), tmp_path) == []
    assert "does not read x of earlier elements" in gaps(AUTOREGRESSIVE.format(read="x"), tmp_path)[0].message


PARTS = """
graphspec: 1
plates: {{parts: {{size: 4, ordered: true}}}}
variables:
  x: {{role: observed, domain: real, size: 2}}
  e: {{role: observed, domain: real, plate: parts}}
  u: {{role: latent, domain: real}}
  c: {{role: latent, domain: category, classes: 2{c_in}}}
  z: {{role: latent, domain: real, plate: parts}}
  h: {{role: deterministic{h_in}}}
generative: {{u: {{}}, c: {{}}, z: {{parents: {p_z}}}, x: {{parents: {p_x}}}, e: {{parents: {p_e}}}}}
recognition:
  h: {{parents: {h}}}
  c: {c}
  u: {{parents: {u}}}
  z: {{parents: {z}}}
"""
AROUND = {"c_in": "", "h_in": "", "p_z": "[]", "p_x": "[c]", "p_e": "[z, u]", "h": "[x, e@mean]", "c": "{parents: [x]}"}
"""Elements hang together by u, which they all have part in."""
MET = {
    "c_in": ", plate: parts", "h_in": ", plate: parts", "p_z": "[c]", "p_x": "[z@sum, u]", "p_e": "[z]", "h": "[e, x]",
    "c": "exact", "u": "[x, e@mean]",
}  # fmt: skip
"""Elements meet in x; the class of each is summed out."""


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        (AROUND | {"u": "[h]", "z": "[e, u]"}, {}),
        (AROUND | {"u": "[x]", "z": "[e, u]"}, {"u": "e of elements of parts"}),
        (AROUND | {"u": "[h]", "z": "[e]"}, {"z": "u"}),
        (AROUND | {"u": "[h, z@mean]", "z": "[e]"}, {"z": "e of other elements and z of earlier elements"}),
        (AROUND | {"u": "[h, z@mean]", "z": "[h]"}, {"z": "z of earlier elements"}),
        (AROUND | {"c": "exact", "u": "[e@mean]", "z": "[e, u]"}, {}),
        (MET | {"z": "[h, u, e@mean]"}, {"z": "z of earlier elements"}),
        (MET | {"z": "[h, u, e@mean]", "p_x": "[z@first, u]", "p_e": "[z, c]"}, {}),
        (MET | {"z": "[h, u]"}, {"z": "e of later elements and z of earlier elements"}),
        (MET | {"h": "[h@previous, z@previous]", "z": "[h, e, x, u, e@sum]"}, {}),
    ],
)  # fmt: skip
def test_elements_that_meet_are_not_one(said: dict[str, str], lacking: dict[str, str], tmp_path: Path) -> None:
    found = {str(each.path[1]): each.message for each in gaps(PARTS.format(**said), tmp_path)}
    assert set(found) == set(lacking)
    for name, what in lacking.items():
        assert f"recognition of {name} does not read {what}, and" in found[name]


LETTERS = """
graphspec: 1
plates: {{word: {{size: 5, ordered: true}}}}
variables:
  x: {{role: observed, domain: real, size: 3, plate: word}}
  c: {{role: latent, domain: category, classes: 2, plate: word}}
  d: {{role: latent, domain: binary, plate: word}}
  h: {{role: latent, domain: real, plate: word}}
  w: {{role: latent, domain: real}}
generative: {{c: {{parents: [c@previous]}}, d: {{}}, h: {{}}, w: {{}}, x: {{parents: [c, d, h, w]}}}}
recognition: {{c: exact, d: exact, h: {{parents: {h}}}, w: {{parents: {w}}}}}
"""


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        ({"h": "[x, c, d, w]", "w": "[x@mean]"}, {}),
        ({"h": "[x, c, w]", "w": "[x@mean]"}, {"h": "d"}),
        ({"h": "[x, w]", "w": "[x@mean]"}, {"h": "x of other elements and h of earlier elements"}),
        ({"h": "[x, c, d]", "w": "[x@mean]"}, {"h": "w"}),
    ],
)
def test_what_is_drawn_for_each_value_of_an_exact_variable_knows_it(
    said: dict[str, str], lacking: dict[str, str], tmp_path: Path
) -> None:
    """And comes behind everything else, wherever it is written."""
    found = {str(each.path[1]): each.message for each in gaps(LETTERS.format(**said), tmp_path)}
    assert {
        name: f"recognition of {name} does not read {what}, and" in found[name] for name, what in lacking.items()
    } == dict.fromkeys(found, True)


@pytest.mark.parametrize("seed", range(25))
def test_a_word_means_dependence_in_the_graph_written_out(seed: int, tmp_path: Path) -> None:
    """networkx's own d-separation on random plates: a variable is told exactly if one of its elements depends on
    others that come before it and that it does not read."""
    text = PlateSpecDraw(seed, ragged=seed % 2 == 1).text()
    told = {str(each.path[1]) for each in gaps(text, tmp_path)}
    graphs = load(tmp_path / "spec.yaml")
    model, read = random_graphs(graphs)
    known = {name for name in model if base(name) in graphs.observed}
    short = set()
    for name in nx.lexicographical_topological_sort(read, key=order_of(graphs)):
        if base(name) in graphs.recognition:
            parents = set(read.predecessors(name))
            if not nx.is_d_separator(model, {name}, known - parents, parents & known):
                short.add(base(name))
            known.add(name)
    assert told == short


def test_no_word_means_independence_in_the_graph_written_out(tmp_path: Path) -> None:
    """networkx's own d-separation, for every element."""
    for text in (STATE_SPACE.format(along="next", read="h, z@previous"), AUTOREGRESSIVE.format(read="lag, x")):
        assert gaps(text, tmp_path) == []
        graphs = load(tmp_path / "spec.yaml")
        assert few_of_each(graphs) == {"time": 3}
        model, read = random_graphs(graphs)
        assert len(model) == 6
        known = {f"x[{i}]" for i in range(3)}
        for name in [f"z[{i}]" for i in range(3)]:
            parents = set(read.predecessors(name))
            assert nx.is_d_separator(model, {name}, known - parents, parents)
            known.add(name)
