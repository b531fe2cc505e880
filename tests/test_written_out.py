"""GS105 along walks: recognition held against p written out for three elements."""

from pathlib import Path

import networkx as nx
import pytest

from graphspec.diagnostics import Diagnostic
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


def test_no_word_means_independence_in_the_graph_written_out(tmp_path: Path) -> None:
    """networkx's own d-separation, for every element."""
    for text in (STATE_SPACE.format(along="next", read="h, z@previous"), AUTOREGRESSIVE.format(read="lag, x")):
        assert gaps(text, tmp_path) == []
        graphs = load(tmp_path / "spec.yaml")
        sizes = few_of_each(graphs)
        assert sizes == {"time": 3}
        p, q = (written_out(graphs, side, sizes) for side in ("generative", "recognition"))
        functions = {n for graph in (p, q) for n in graph if graph.nodes[n]["variable"] not in ("x", "z")}
        model, read = collapse(p, functions & set(p)), collapse(q, functions & set(q))
        assert len(model) == 6
        known = {f"x[{i}]" for i in range(3)}
        for name in [f"z[{i}]" for i in range(3)]:
            parents = set(read.predecessors(name))
            assert nx.is_d_separator(model, {name}, known - parents, parents)
            known.add(name)
