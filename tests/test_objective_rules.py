"""Rules of objective and training: names and roles, estimators, weights, schedules, what picks the best epoch."""

from typing import Any

import pytest

from graphspec.diagnostics import Diagnostic
from graphspec.graphs.connect import connect
from graphspec.graphs.declared_names import outline_of
from graphspec.language import Spec
from graphspec.rules.objective_rules import check_objective
from graphspec.rules.training_rules import check_training
from graphspec.text.report import Report
from graphspec.text.source import read_document

M2 = """\
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  y: {role: supervised, domain: category, classes: 10}
  w: {role: supervised, domain: real}
  n: {role: latent, domain: count}
  z: {role: latent, domain: real, size: 8}
  u: {role: latent, domain: unit, size: 3}
  h: {role: deterministic}
generative:
  y: {}
  w: {}
  z: {}
  n: {distribution: poisson, parameters: {rate: 2}}
  u: {parents: [y]}
  x: {parents: [y, z, w, n, u], distribution: bernoulli}
recognition:
  h: {parents: [x]}
  y: {parents: [h]}
  w: {parents: [h]}
  n: {parents: [h]}
  u: {parents: [h], distribution: discretized_logistic}
  z: {parents: [h, y]}
"""
VAE = """\
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  z: {role: latent, domain: real, size: 8}
generative:
  z: {}
  x: {parents: [z], distribution: bernoulli}
recognition: auto
"""


def findings(rest: str, base: str = M2, *, connected: bool = True) -> list[Diagnostic]:
    document = read_document(base + rest, "model.yaml")
    spec = Spec.model_validate(document.value)
    report = Report(document)
    graphs = connect(outline_of(spec, report), Report(document)) if connected else None
    assert not connected or graphs is not None
    check_objective(spec, graphs, report)
    check_training(spec, graphs, report)
    return report.diagnostics


def codes(rest: str, base: str = M2, **options: Any) -> list[str]:
    return [found.code for found in findings(rest, base, **options)]


def pointed_at(rest: str, found: Diagnostic, base: str = M2) -> str:
    """The text under the caret."""
    assert found.span is not None
    line = (base + rest).splitlines()[found.span.line]
    return line[found.span.column : found.span.end_column]


def test_a_spec_with_every_setting_in_order_is_silent() -> None:
    rest = """\
objective:
  alpha: {y: 50, w: 25/rho}
  rho: 0.5
  beta: {z: {total_correlation: 6}, y: 0, n: {from: 0, to: 1, epochs: 50}}
  free_bits: {z: 0.5}
  estimators: {y: enumerate, z: reparameterize, n: score_function, u: score_function}
  consistency: {y: {weight: 50, after: 2}}
training: {epochs: 50, select: w.error, patience: 5, labelled_batch_size: 10,
           learning_rate: {from: 0, to: 1e-3, epochs: 5},
           initialize: {from: runs/a, factors: [recognition.h, generative.x]}}
"""
    assert codes(rest) == []
    assert codes("") == [] and codes("", VAE) == []


@pytest.mark.parametrize(
    "setting,name",
    [("alpha: {z: 1}", "z"), ("alpha: {x: 1}", "x"), ("alpha: {q: 1}", "q"), ("beta: {x: 1}", "x"),
     ("beta: {h: 1}", "h"), ("free_bits: {x: 1}", "x"), ("estimators: {x: relax}", "x"),
     ("consistency: {z: {weight: 1}}", "z"), ("consistency: {w: {weight: 1}}", "w")],
)  # fmt: skip
def test_weights_name_variables_that_can_have_them(setting: str, name: str) -> None:
    rest = f"objective: {{{setting}}}\n"
    found = findings(rest)
    assert [(d.code, d.severity) for d in found] == [("GS070", "error")]
    assert pointed_at(rest, found[0]) == name


def test_a_misspelt_name_gets_a_suggestion_that_is_legal_there() -> None:
    base = M2.replace(" w:", " weight:").replace(" w,", " weight,")
    (found,) = findings("objective: {alpha: {wieght: 2}}\n", base)
    assert found.hint == "did you mean `weight`?"


@pytest.mark.parametrize(
    "estimator,possible",
    [("y: reparameterize", "enumerate, relax, score_function"), ("z: enumerate", "reparameterize, score_function"),
     ("z: {kind: relax}", "reparameterize, score_function"), ("n: enumerate", "score_function"),
     ("n: relax", "score_function"), ("u: reparameterize", "score_function"),
     ("w: enumerate", "reparameterize, score_function")],
)  # fmt: skip
def test_estimators_exist_by_family_and_support(estimator: str, possible: str) -> None:
    (found,) = findings(f"objective: {{estimators: {{{estimator}}}}}\n")
    assert found.code == "GS071"
    assert found.hint.endswith(f": {possible}")


def test_estimators_of_a_variable_are_judged_without_graphs_too() -> None:
    assert codes("objective: {estimators: {y: reparameterize, z: reparameterize}}\n", connected=False) == ["GS071"]


def test_options_belong_to_one_estimator() -> None:
    rest = "objective: {estimators: {y: {kind: enumerate, temperature: 0.5}, z: {kind: reparameterize, budget: 3}}}\n"
    assert codes(rest) == ["GS015", "GS015"]
    assert codes("objective: {estimators: {y: {kind: relax, temperature: 0.5, straight_through: true}}}\n") == []


@pytest.mark.parametrize("name", ["y", "u", "n", "w"])
def test_total_correlation_is_for_latent_roots_of_several_continuous_elements(name: str) -> None:
    rest = f"objective: {{beta: {{{name}: {{total_correlation: 6}}}}}}\n"
    found = findings(rest)
    assert [d.code for d in found] == ["GS072"]
    assert pointed_at(rest, found[0]) == "total_correlation"


@pytest.mark.parametrize(
    "setting", ["beta: {z: 4}", "beta: {z: {from: 1, to: 1, epochs: 2}}", "beta: {z: {total_correlation: 1}}",
                "free_bits: {z: 2}"]
)  # fmt: skip
def test_the_importance_weighted_bound_takes_no_weights(setting: str) -> None:
    assert codes(f"objective: {{bound: importance_weighted, {setting}}}\n") == ["GS073"]
    assert codes(f"objective: {{bound: elbo, {setting}}}\n") == []
    assert codes("objective: {bound: importance_weighted, beta: {z: 1}, free_bits: {z: 0}}\n") == []


@pytest.mark.parametrize(
    "rest",
    ["objective: {alpha: -1}", "objective: {alpha: -25/rho}", "objective: {alpha: {y: {from: -1, to: 1, epochs: 5}}}",
     "objective: {beta: {z: -0.1}}",
     "objective: {beta: {z: {total_correlation: 6, dimension_wise: -1}}}", "objective: {free_bits: {z: -2}}",
     "objective: {consistency: {y: {weight: -1}}}", "objective: {estimators: {y: {kind: relax, temperature: 0}}}",
     "training: {learning_rate: -1.0}", "training: {learning_rate: {from: 0, to: 0, epochs: 5}}"],
)  # fmt: skip
def test_signs(rest: str) -> None:
    assert codes(rest + "\n") == ["GS074"]


def test_an_exponential_change_cannot_touch_zero() -> None:
    rest = "training: {learning_rate: {from: 1e-3, to: 0, epochs: 5, shape: %s}}\n"
    assert codes(rest % "linear") == codes(rest % "cosine") == []
    (found,) = findings(rest % "exponential")
    assert found.code == "GS075" and pointed_at(rest % "exponential", found) == "0"


def test_schedules_end_within_the_training() -> None:
    rest = "objective: {beta: {z: {from: 0, to: 1, begin: %d, epochs: 10}}}\ntraining: {epochs: 30}\n"
    assert codes(rest % 20) == []
    (found,) = findings(rest % 21)
    assert (found.code, found.severity) == ("GS110", "warning") and "31" in found.message
    assert codes(rest % 21, M2.replace("size: 8}", "size: 8, allow: [GS110]}")) == []
    assert codes("objective: {consistency: {y: {weight: 1, after: 30}}}\ntraining: {epochs: 30}\n") == ["GS110"]


def test_weights_of_labels_need_a_supervised_variable() -> None:
    assert codes("objective: {alpha: 25/rho}\n", VAE) == ["GS076"]
    assert codes("objective: {rho: 1.0}\n", VAE) == ["GS076"]
    rest = "objective: {rho: 0.5, alpha: 50}\ntraining: {labelled_batch_size: 10}\n"
    assert codes(rest, VAE) == ["GS112"] * 3
    assert all(found.severity == "warning" for found in findings(rest, VAE))
    assert codes("objective: {rho: 1.0, alpha: 25/rho}\n") == []


@pytest.mark.parametrize(
    "select,hint",
    [("y", "`y.error`"), ("y.eror", "`y.error`"), ("z.error", "y.error, w.error, elbo, last"), ("ELBO", "`elbo`")],
)
def test_select_names_a_figure(select: str, hint: str) -> None:
    (found,) = findings(f"training: {{select: {select}}}\n")
    assert found.code == "GS077" and hint in found.hint


def test_a_vae_has_no_error_to_select_by() -> None:
    assert codes("training: {select: z.error}\n", VAE) == ["GS077"]
    assert codes("training: {select: elbo}\n", VAE) == []


def test_patience_needs_a_figure_of_validation_rows() -> None:
    data = "data: {source: digits, variables: {x: image}, validation: 0}\n"
    assert codes(data + "training: {patience: 5}\n", VAE) == ["GS079"]
    assert codes(data + "training: {select: elbo}\n", VAE) == ["GS079"]
    assert codes(data + "training: {select: last}\n", VAE) == []
    assert codes(data.replace("validation: 0", "validation: 10") + "training: {patience: 5}\n", VAE) == []
    assert codes("training: {patience: 5, select: last}\n", VAE) == ["GS079"]


def test_initialize_names_factors_of_this_spec_once() -> None:
    rest = "training: {initialize: {from: runs/a, factors: [recognition.h, recognition.g, z]}}\n"
    found = findings(rest)
    assert [d.code for d in found] == ["GS078", "GS078"]
    assert [pointed_at(rest, d) for d in found] == ["recognition.g", "z"]
    assert found[1].hint == "say which side: generative.z or recognition.z"
    twice = "training: {initialize: [{from: a, factors: [generative.x]}, {from: b, factors: [generative.x]}]}\n"
    assert codes(twice) == ["GS078"]


def test_derived_factors_can_be_initialized() -> None:
    rest = "training: {initialize: {from: runs/a, factors: [recognition.z]}}\n"
    assert codes(rest, VAE) == codes(rest, VAE, connected=False) == []
