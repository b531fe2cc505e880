"""Parts of the language beside each other: the objective of any spec that `check` passes is that of the model written
out, every joint value of everything a world of its own."""

import pytest
import torch
from exact_twin import ExactTwin
from plate_twin import assert_written_out
from random_combinations import CombinationDraw, agreeing, refusals
from test_plates import model_of

from compiler.emission import emit
from graphspec.loading import load

ROWS = 4


def compare(text: str, seed: int) -> None:
    """Value to 1e-9, gradient to 1e-8. One draw where a label weighs those of its own element only, which no sum over
    joint draws is."""
    model = model_of(text)
    rows = agreeing(model, ROWS, seed)
    if any(model.program(pattern)[0].elements_apart() for pattern, _ in model.group(model.prepare(rows))):
        model = model_of(text.replace("samples: 2", "samples: 1"))
    assert_written_out(model, rows, text, ExactTwin)


@pytest.mark.parametrize("seed", [20, 59, 73, 170, 297, 302, 314, 357])
def test_value_and_gradient_are_those_of_the_model_written_out(seed: int) -> None:
    """Counts that are hidden beside walks, exact sums and functions of discrete variables; every estimator."""
    text = CombinationDraw(seed).text()
    assert refusals(text) == []
    compare(text, seed)


NESTED = """
graphspec: 1
plates: {pages: OUTER, figures: {count: k, inside: pages}}
variables:
  VARIABLES
  x: {role: observed, size: 2, plate: pages}
  k: {role: ROLE, domain: count, min: 0, max: 2, plate: pages}
  y: {role: supervised, domain: category, classes: 3, plate: figures}
  z: {role: latent, size: 1, plate: figures}
generative:
  k: {}
  y: {}
  z: {parents: [y]}
  x: {parents: [z@sum, y@max, k], parameters: {scale: 0.5}}
recognition:
  k: {parents: [x]}
  z: {parents: [x, figures]}
  y: {parents: [x, z, k]}
networks: {default: {kind: mlp, hidden: [3], activation: tanh}}
objective: {alpha: {ALPHAS}, free_bits: {z: 0.4}, beta: {k: 1.4, y: 0.6}, samples: SAMPLES}
"""


def nested(role: str, *, ragged: bool, samples: int = 1) -> str:
    outer, variables = ("{count: n}", "n: {role: observed, domain: count, max: 2}") if ragged else ("{size: 2}", "")
    text = NESTED.replace("OUTER", outer).replace("VARIABLES", variables).replace("SAMPLES", str(samples))
    labels = "k: 2, y: 3" if role == "supervised" else ""
    text = text if labels else text.replace("role: supervised, domain: category", "role: latent, domain: category")
    return text.replace("ROLE", role).replace("alpha: {ALPHAS}, ", f"alpha: {{{labels}}}, " if labels else "")


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("role", "samples"), [("supervised", 1), ("latent", 2)])
def test_a_count_within_a_plate_is_summed_for_each_of_its_elements(role: str, samples: int, ragged: bool) -> None:
    """Some elements of a row say how many they have, others do not."""
    text = nested(role, ragged=ragged, samples=samples)
    compare(text, 0)


TOPICS = """
graphspec: 1
plates: {pages: {size: 2}, words: {count: m, inside: pages}, marks: {size: 2, inside: pages}}
variables:
  m: {role: observed, domain: count, min: 0, max: 2, plate: pages}
  x: {role: observed, size: 2, plate: pages}
  r: {role: supervised, domain: binary}
  c: {role: supervised, domain: category, classes: 3, plate: pages}
  y: {role: supervised, domain: category, classes: 2, plate: words}
  h: {role: latent, domain: binary, plate: words}
  t: {role: supervised, domain: binary, plate: pages}
  k: {role: supervised, domain: binary, plate: marks}
generative:
  r: {}
  c: {parents: [r]}
  h: {parents: [c]}
  y: {parents: [h, c]}
  t: {parents: [c]}
  k: {parents: [t]}
  x: {parents: [y@max, h@mean, c, k@sum]}
recognition:
  r: {parents: [x@mean]}
  c: {parents: [x, r]}
  t: {parents: [x, c]}
  k: {parents: [x, c, t]}
  h: {parents: [x, c]}
  y: {parents: [x, h, c]}
networks: {default: {kind: linear}}
objective: {alpha: 1.7, beta: {c: 0.7, h: 1.3}}
"""


@pytest.mark.parametrize("latent", ["", "rt"])
def test_labels_of_any_depth_weigh_what_is_summed_around_them(latent: str) -> None:
    """Words, marks and their page say together what the page's topic is, and a page's topic what the row's is; five
    labels go by one masked program."""
    text = TOPICS
    for name in latent:
        text = text.replace(f"{name}: {{role: supervised", f"{name}: {{role: latent")
    compare(text, 0)


def test_a_label_without_the_count_of_its_plate_is_told() -> None:
    """Of one element; the others of its row are in order."""
    model = model_of(nested("supervised", ragged=False))
    rows = agreeing(model, 2, 0)
    rows["k"][1, 0], rows["y"][1, 0] = torch.nan, torch.tensor([0, -1])
    with pytest.raises(ValueError, match="a row has a label of y and none of k, which says how many there are"):
        model.bound(rows)


def test_emitted_files_agree() -> None:
    """`emit` runs the file beside the model and raises where value or gradient differ."""
    assert "elements_below(k" in emit(load("-", text=nested("supervised", ragged=True)))
    assert "def bound(" in emit(load("-", text=CombinationDraw(297).text()))
