"""Parameters that no parent changes: constants and learned values beside networks, in every pattern and as code."""

import numpy as np
import pytest
import torch
from graph_specs import found_in, graphs_of
from test_emission import compare, double_precision

from compiler.emission import emit
from compiler.model.model import Model
from compiler.symbolic.lowering import lower
from compiler.symbolic.networks_read import flagged_parents, read_parents
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from graphspec.diagnostics import SpecError
from runtime.data.stream.known_rows import cell_hashes

__all__ = ["double_precision"]

M2 = """
graphspec: 1
variables:
  x: {{role: observed, domain: real, size: 6, missing: true}}
  y: {{role: supervised, domain: category, classes: 3, size: 2}}
  z: {{role: latent, domain: {domain}}}
generative: {{y: {{}}, z: {{{p}}}, x: {{parents: [y, z]}}}}
recognition: {{y: {{parents: [x], {y}}}, z: {{parents: [x, y], {z}}}}}
networks: {{default: {{kind: mlp, hidden: [5]}}}}
objective: {{samples: 2, {objective}}}
"""
FIXED = {
    "y": {"y": "parameters: {logits: 0.5}"},
    "y, learned": {"y": "parameters: {logits: learned}"},
    "z": {"z": "parameters: {loc: 0.5, scale: learned}"},
    "a scale": {"z": "parameters: {scale: {learned: variable}}"},
    "a scale and a network": {"z": "parameters: {scale: learned, loc: {parents: [y]}}"},
    "binary": {"domain": "binary, size: 3", "z": "parameters: {logits: learned}"},
    "binary, scored": {
        "domain": "binary, size: 3",
        "z": "parameters: {logits: learned}",
        "objective": "estimators: {z: score_function}",
    },
    "counts": {
        "domain": "count",
        "p": "distribution: poisson, parameters: {rate: 2}",
        "z": "parameters: {rate: learned}",
    },
    "classes": {"domain": "category, classes: 4", "z": "parameters: {logits: [0.1, 0.2, 0.3, 0.4]}"},
    "relaxed": {
        "domain": "category, classes: 4",
        "z": "parameters: {logits: learned}",
        "objective": "estimators: {z: relax}",
    },
    "budget": {
        "domain": "category, classes: 4",
        "z": "parameters: {logits: learned}",
        "objective": "estimators: {z: {kind: enumerate, budget: 1}}",
    },
    "directions": {"domain": "direction, size: 3", "z": "parameters: {concentration: 10}"},
    "shares": {"domain": "simplex, size: 3", "z": "parameters: {concentration: learned}"},
    "split": {
        "domain": "real, size: 2",
        "z": "parameters: {scale: 0.3}",
        "objective": "beta: {z: {total_correlation: 2}}",
    },
    "importance": {"z": "parameters: {scale: 0.3}", "objective": "bound: importance_weighted"},
}


def with_fixed(domain: str = "real, size: 2", p: str = "", y: str = "", z: str = "", objective: str = "") -> str:
    return M2.format(domain=domain, p=p, y=y, z=z, objective=objective)


@pytest.mark.parametrize("name", FIXED)
def test_the_emitted_file_agrees_whatever_stands_still(name: str) -> None:
    compare(graphs_of(with_fixed(**FIXED[name])), count=12)


def test_a_parent_that_nothing_reads_gives_no_axis() -> None:
    """Density and draw are the same for every value of y: one number per row, not one for each value."""
    graphs = graphs_of(with_fixed(z="parameters: {loc: 0.5, scale: learned}"))
    assert read_parents(graphs, graphs.recognition["z"]) == ()
    step = {step.factor.variable: step for step in lower(graphs, Pattern(())).recognition}["z"]
    assert step.parent_axes == () and "y" not in step.value_axes
    half = graphs_of(with_fixed(z="parameters: {loc: {parents: [x]}, scale: 1}"))
    assert read_parents(half, half.recognition["z"]) == ("x",)


def test_flags_of_blanks_stand_beside_what_networks_with_weights_read() -> None:
    text = with_fixed(z="network: {kind: identity}, parameters: {scale: {parents: [x]}}")
    text = text.replace("z: {parents: [x, y]", "z: {parents: [x]").replace("size: 6", "size: 2")
    graphs = graphs_of(text)
    assert flagged_parents(graphs, graphs.recognition["z"]) == ("x",)
    compare(graphs, count=12)
    alone = graphs_of(text.replace("{parents: [x]}}", "learned}"))
    assert flagged_parents(alone, alone.recognition["z"]) == ()


NOTHING_SEEN = """
graphspec: 1
variables: {y: {role: supervised, domain: unit}}
generative: {y: {distribution: bernoulli}}
recognition: {y: {}}
"""


def test_a_model_without_observed_variables_is_emitted() -> None:
    compare(graphs_of(NOTHING_SEEN), count=12)


def test_a_model_in_which_nothing_is_learned_is_not_emitted_yet() -> None:
    text = "graphspec: 1\nvariables: {x: {role: observed, domain: real}}\ngenerative: {x: {}}\nrecognition: {}\n"
    with pytest.raises(SpecError, match="not emitted as code yet: a model in which nothing is learned"):
        emit(graphs_of(text))


def test_a_model_without_observed_variables_counts_its_rows_by_its_labels() -> None:
    model = Model(graphs_of(NOTHING_SEEN))
    seen = model.unlabelled({"y": torch.rand(5)})
    assert seen["y"].isnan().all() and len(seen["y"]) == 5
    assert model.predict("y", seen, noise=Noise(0, 5)).shape == (5,)


CLASSES_IN_A_PICTURE = """
graphspec: 1
variables:
  x: {role: observed, domain: category, classes: 3, shape: [1, 4, 4]}
  z: {role: latent, domain: real}
generative: {z: {}, x: {parents: [z]}}
recognition: {z: {parents: [x], network: {kind: KIND, channels: [2]}}}
"""


@pytest.mark.parametrize("kind", ["cnn", "resnet"])
def test_a_map_of_classes_is_no_image_to_convolutions(kind: str) -> None:
    (found,) = [each for each in found_in(CLASSES_IN_A_PICTURE.replace("KIND", kind)) if each.severity == "error"]
    assert found.code == "GS062" and "no parent is one" in found.message


def test_a_sum_over_more_values_than_memory_holds_is_refused() -> None:
    text = """
graphspec: 1
variables:
  x: {role: observed, domain: real}
  y: {role: supervised, domain: binary, size: SIZE}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x]}}
objective: {estimators: {y: enumerate}}
"""
    assert not [found for found in found_in(text.replace("SIZE", "20")) if found.severity == "error"]
    (found,) = [found for found in found_in(text.replace("SIZE", "32")) if found.severity == "error"]
    assert found.code == "GS071" and "2^32 joint values" in found.message


def test_rows_of_nothing_observed_are_told_apart_by_their_place() -> None:
    assert len({*cell_hashes({})(np.arange(7)).tolist()}) == 7
