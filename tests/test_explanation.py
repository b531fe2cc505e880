"""What `explain` says beyond the golden files: signs, labels in part, one program for all patterns, LaTeX that compiles."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from discrete_specs import discrete_spec, random_dag
from graph_specs import graphs_of

from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_latex, as_text
from compiler.symbolic.lowering import every_pattern
from graphspec.loading import load

SPECS = Path(__file__).parents[1] / "specs"

VECTORS = """
graphspec: 1
name: two_vectors
variables:
  x: {role: observed, domain: real, size: 3}
  a: {role: supervised, domain: binary, size: 3}
  b: {role: supervised, domain: real, size: 2}
  c: {role: supervised, domain: category, classes: 3}
  d: {role: supervised, domain: direction, size: 3}
  z: {role: latent, domain: real, size: 2}
generative:
  a: {}
  b: {}
  c: {}
  d: {}
  z: {}
  x: {parents: [a, b, c, d, z]}
recognition:
  z: {parents: [x]}
  a: {parents: [x, z]}
  b: {parents: [x]}
  c: {parents: [x]}
  d: {parents: [x]}
objective: {beta: {z: 4, b: {from: 0, to: 1, epochs: 5}}, free_bits: {b: 1}, OBJECTIVE}
"""


def text_of(objective: str = "samples: 2") -> str:
    return as_text(explain(graphs_of(VECTORS.replace("OBJECTIVE", objective))))


def test_a_weighted_divergence_is_subtracted() -> None:
    """`β KL` with a minus in front, never `β −KL`, which reads as a difference."""
    text = text_of()
    assert "− β[z] KL(q(z | x) ‖ p(z))" in text
    assert "β[b] min(−KL(q(b | x) ‖ p(b)), −λ[b])" in text
    assert "[−KL" not in text and "] −KL" not in text
    latex = as_latex(explain(graphs_of(VECTORS.replace("OBJECTIVE", "samples: 2"))))
    assert r"\beta_{z} -" not in latex and r"- \beta_{z} \mathrm{KL}" in latex


def test_labels_in_part_are_explained_as_they_run() -> None:
    """A direction is given whole or not at all; a binary and a real vector may be given in part."""
    explanation = explain(graphs_of(VECTORS.replace("OBJECTIVE", "samples: 2")))
    last = explanation.patterns[-1].program
    assert last.pattern.masked == ("a", "b") and explanation.skipped == 3 * 3 * 2 * 2 - 17
    text = as_text(explanation)
    assert "L(x, a[given], b[given])" in text and "log E_g(z)[q(a | x, z)[given]]" in text
    assert "19 further patterns of labels follow the same rules" in text
    assert "clamp, else enumerate" in text and "[hidden] those that it lacks" in text
    assert as_json(explanation)["patterns"][-1]["labels_in_part"] == ["a", "b"]


def test_one_program_for_all_patterns_is_what_is_explained() -> None:
    names = ["a", "b", "c", "d", "e"]
    rng = np.random.default_rng(3)
    recognition = {name: ["x", *parents] for name, parents in random_dag(rng, names).items()}
    graphs = graphs_of(discrete_spec(dict.fromkeys(names, 2), names, random_dag(rng, [*names, "x"]), recognition))
    explanation = explain(graphs)
    assert [pattern.program.pattern for pattern in explanation.patterns] == list(every_pattern(graphs))
    assert explanation.skipped == 0 and "one program serves every row" in as_text(explanation)


def test_the_number_of_draws_and_what_one_draw_does() -> None:
    many, one = text_of("samples: 2"), text_of("samples: 1")
    assert "S = 2 joint draws per row" in many and "log w and log q^ cancel" not in many
    assert "S = 1 joint draw per row" in one and "log w and log q^ cancel" in one
    assert "draws" not in as_text(explain(load(SPECS / "digits.yaml", ["recognition.z=null", "generative.z=null",
        "variables.z=null", "recognition.h=null", "variables.h=null", "recognition.y={parents: [x]}",
        "generative.x.parents=[y]"])))  # fmt: skip


def test_deterministic_variables_are_functions_not_densities() -> None:
    text = as_text(explain(load(SPECS / "ladder.yaml")))
    assert "t1 = f(t2, z2)" in text and "p(t1" not in text.split("parameters")[1]


def test_temperatures_and_big_memory_have_units() -> None:
    assert "τ = 1 → 0.5 over 50 epochs" in as_text(explain(load(SPECS / "attributes.yaml")))
    assert "MiB of activations" in as_text(explain(load(SPECS / "two-labels.yaml")))


@pytest.mark.parametrize("name", ["vectors", "attributes", "adgm", "ladder", "beta-tcvae", "iwae", "table"])
def test_latex_compiles(name: str, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    graphs = (
        load(SPECS / f"{name}.yaml") if name != "vectors" else graphs_of(VECTORS.replace("OBJECTIVE", "samples: 1"))
    )
    (tmp_path / "bound.tex").write_text(as_latex(explain(graphs)), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "bound.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0 and (tmp_path / "bound.pdf").exists(), done.stdout[-800:]


AUTO = """
graphspec: 1
variables: {x: {role: observed, size: 3}, y: {role: supervised, domain: category, classes: 3}, z: {role: latent, size: 2}}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: auto
"""


def test_what_auto_shares_is_named_with_the_reason() -> None:
    def said(*overrides: str) -> list[str]:
        lines = as_text(explain(load("spec.yaml", overrides, text=AUTO))).splitlines()
        return [line.strip() for line in lines if line.startswith("  auto ")]

    (shared,) = said()
    assert "q(y) and q(z) share one network of x (features): fewer weights" in shared
    assert "with several labels" not in shared
    (several,) = said("variables.z.role=supervised")
    assert several.endswith("with several labels networks of their own may do better, as on faces with two")
    (own,) = said("networks={default: {kind: linear}}")
    assert "a network of its own: the default network has no hidden layer" in own
    (apart,) = said("variables.w={role: observed, size: 3}", "generative.w={parents: [z]}", "generative.x.parents=[y]")
    assert "a network of its own: no two read the same" in apart
    assert said("variables.y=null", "generative.y=null", "generative.x.parents=[z]") == []
    (given,) = said("variables.h={role: deterministic}", "recognition={auto: true, h: {parents: [x]}}")
    assert "share one network of x (h): the spec gives it" in given
    assert said("recognition={y: {parents: [x]}, z: {parents: [x, y]}}") == []
