"""`compile --emit` of what draws in other ways: the score function, flows, sparse sums, one masked program.

Values and gradients of the emitted file against the compiled model, from equal seeds.
"""

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from discrete_specs import discrete_spec, random_dag
from emission_specs import LABELS, SPLIT
from graph_specs import graphs_of
from test_emission import compare, double_precision, executed, rows_of

from compiler.emission import emit
from compiler.model.model import Model
from compiler.tensors.noise import Noise

__all__ = ["double_precision"]

# the score function


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    "objective",
    [
        "{samples: S, estimators: {y: score_function}}",
        "{samples: S, estimators: {y: score_function, z: score_function}, free_bits: {y: 0.3}, beta: {z: 2}}",
        "{samples: S, estimators: {z: score_function}, alpha: 3}",
        "{samples: S, estimators: {y: score_function}, bound: importance_weighted}",
    ],
)
def test_the_score_function_and_its_baselines(objective: str, samples: int) -> None:
    space = compare(graphs_of(SPLIT.replace("OBJECTIVE", objective.replace("S,", f"{samples},"))), count=12)
    assert ("with_scores" in space) == (samples > 1) and ("with_score" in space) == (samples == 1)


@pytest.mark.parametrize("bound", ["logmeanexp", "jensen"])
def test_labels_below_scored_draws_in_every_pattern(bound: str) -> None:
    """z is drawn by the score function and weighed by c's label; a is enumerated beside it."""
    objective = (
        f"{{samples: 3, label_bound: {bound}, estimators: {{z: score_function}}, alpha: {{a: 2, b: 3, c: 0.5}}}}"
    )
    compare(graphs_of(LABELS.replace("OBJECTIVE", objective)), count=60)


COUNTS = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  a: {role: latent, domain: count}
  b: {role: latent, domain: count, size: 2}
  c: {role: latent, domain: count}
  d: {role: latent, domain: count}
  e: {role: latent, domain: unit}
  f: {role: latent, domain: count, min: 1, max: 4}
  g: {role: latent, domain: binary}
  k: {role: latent, domain: category, classes: 3, size: 2}
generative:
  a: {distribution: poisson, parameters: {rate: 2.0}}
  b: {distribution: negative_binomial, parameters: {mean: 2.0, dispersion: 3.0}}
  c: {distribution: zero_inflated_poisson, parameters: {rate: 2.0, gate_logits: 0.0}}
  d: {distribution: zero_inflated_negative_binomial, parameters: {mean: 2.0, dispersion: 3.0, gate_logits: 0.0}}
  e: {distribution: discretized_logistic}
  f: {}
  g: {}
  k: {}
  x: {parents: [a, b, c, d, e, f, g, k]}
recognition:
  a: {parents: [x], distribution: poisson}
  b: {parents: [x, a], distribution: negative_binomial}
  c: {parents: [x], distribution: zero_inflated_poisson}
  d: {parents: [x, c], distribution: zero_inflated_negative_binomial}
  e: {parents: [x], distribution: {kind: discretized_logistic, levels: 16}}
  f: {parents: [x, e]}
  g: {parents: [x]}
  k: {parents: [x, g]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {samples: 2, estimators: {f: score_function, g: score_function, k: score_function}}
"""


def test_every_family_without_a_pathwise_gradient() -> None:
    compare(graphs_of(COUNTS), count=8)


def test_a_left_out_baseline_is_noticed() -> None:
    """The comparison sees the baseline: without it only the gradients differ, and they do."""
    graphs = graphs_of(SPLIT.replace("OBJECTIVE", "{samples: 3, estimators: {y: score_function}}"))
    text = emit(graphs)
    without = text.replace("(bound.detach() - baseline)", "bound.detach()")
    assert without != text
    model, rows = Model(graphs, seed=1, dtype=torch.float64), rows_of(graphs, 6, 0)
    gradients = []
    for code in (text, without):
        space = executed(code)
        twin = space["Model"]()
        twin.load_state_dict(space["from_graphspec"](model.state_dict()))
        space["bound"](twin, rows, torch.Generator().manual_seed(3)).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in twin.parameters() if p.grad is not None]))
    assert (gradients[0] - gradients[1]).abs().max() > 1e-3


# flows

FLOW = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, shape: [1, 2]}
generative:
  y: {}
  z: {distribution: {kind: PRIOR, HIDDEN}}
  x: {parents: [y, z], distribution: {kind: masked_autoregressive, transforms: 1, hidden: [4]}}
recognition:
  y: {parents: [x]}
  z: {parents: [x, y], distribution: {kind: POSTERIOR, HIDDEN}, network: NETWORK}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: OBJECTIVE
"""


def flow(posterior: str, prior: str = "masked_autoregressive", network: str = "{kind: linear}",
         objective: str = "{}") -> str:  # fmt: skip
    text = FLOW.replace("POSTERIOR", posterior).replace("PRIOR", prior).replace("NETWORK", network)
    for kind in (posterior, prior):
        sizes = "hidden: [4]" if kind == "continuous" else "transforms: 1, hidden: [4]"
        text = text.replace(f"{{kind: {kind}, HIDDEN}}", f"{{kind: {kind}, {sizes}}}")
    return text.replace("OBJECTIVE", objective)


@pytest.mark.parametrize(
    "posterior",
    ["masked_autoregressive", "inverse_autoregressive", "neural_spline", "neural_autoregressive", "sum_of_squares",
     "unconstrained_neural_autoregressive", "continuous"],
)  # fmt: skip
def test_every_flow_over_an_enumerated_label(posterior: str) -> None:
    # a continuous flow's step size belongs to the batch: values agree to its own tolerance
    compare(graphs_of(flow(posterior)), count=6, tolerance=1e-6)


@pytest.mark.parametrize("network", ["{kind: mlp, hidden: [5, 3]}", "{kind: elementwise}"])
@pytest.mark.parametrize("objective", ["{samples: 2}", "{samples: 3, bound: importance_weighted}"])
def test_flows_with_several_samples_and_contexts(objective: str, network: str) -> None:
    text = flow("inverse_autoregressive", "sum_of_squares", network, objective)
    if "elementwise" in network:
        text = text.replace("z: {parents: [x, y]", "z: {parents: [h]")
        text = text.replace("  y: {parents: [x]}", "  h: {parents: [x]}\n  y: {parents: [x]}")
        text = text.replace("variables:", "variables:\n  h: {role: deterministic, domain: real, shape: [1, 2]}")
    compare(graphs_of(text), count=6, tolerance=1e-6)


def test_the_doubly_reparameterised_gradient_of_a_flow() -> None:
    text = flow("inverse_autoregressive", objective="{samples: 3, bound: importance_weighted}")
    text = re.sub(r"  y: .*\n", "", text).replace("[y, z]", "[z]").replace("[x, y]", "[x]")
    space = compare(graphs_of(text), count=5, tolerance=1e-7)
    assert "flow_log_prob" in space


def test_a_flow_scored_by_the_score_function() -> None:
    compare(graphs_of(flow("neural_spline", objective="{samples: 2, estimators: {z: score_function}}")), count=5,
            tolerance=1e-7)  # fmt: skip


def test_an_emitted_flow_starts_where_the_compiled_one_starts() -> None:
    """Close to the standard normal: the last layers are small."""
    graphs = graphs_of(flow("neural_spline").replace("hidden: [4]}", "hidden: [64]}"))
    for model in (executed(emit(graphs))["Model"](), Model(graphs, dtype=torch.float64)):
        weights = {name: p for name, p in model.named_parameters() if "hyper" in name and name.endswith("weight")}
        last = [p.abs().max() for name, p in weights.items() if p.shape[1] == 64]
        assert last and max(last) < 0.05 / math.sqrt(64) + 1e-9


def test_partly_blank_labels_of_a_flow_are_blank() -> None:
    """The density of a part is not known, so such a row counts as one without this label; so in both readers."""
    text = SPLIT.replace("OBJECTIVE", "{}").replace("y: {role: supervised, domain: category, classes: 3}",
                                                    "y: {role: supervised, domain: real, shape: [2, 2]}")  # fmt: skip
    text = text.replace(
        "y: {parents: [x]}", "y: {parents: [x], distribution: {kind: masked_autoregressive, hidden: [4]}}"
    )
    graphs = graphs_of(text)
    space = executed(emit(graphs))
    model, rows = Model(graphs, dtype=torch.float64), rows_of(graphs, 2, 0)
    rows["x"][1] = rows["x"][0]
    rows["y"] = torch.full((2, 2, 2), 0.3)
    rows["y"][0, 0, 1] = rows["y"][1] = math.nan
    from compiler.symbolic.schedules import ObjectiveWeights

    weights = ObjectiveWeights.at(graphs, None, math.inf)
    found = model.evaluate(rows, weights=weights, noise=Noise(torch.Generator().manual_seed(2), 2))
    assert "log q(y)" not in found.terms and "KL y" in found.terms
    twin = space["Model"]()
    twin.load_state_dict(space["from_graphspec"](model.state_dict()))
    torch.testing.assert_close(space["bound"](twin, rows, torch.Generator().manual_seed(2)), found.bound)


@pytest.mark.parametrize("domain", ["real, shape: [2, 2]", "real"])
def test_a_flow_beside_four_other_labels_in_one_masked_program(domain: str) -> None:
    labels = "\n".join(f"  {name}: {{role: supervised, domain: binary}}" for name in "abcd")
    text = SPLIT.replace("OBJECTIVE", "{samples: 2}").replace(
        "y: {role: supervised, domain: category, classes: 3}", f"y: {{role: supervised, domain: {domain}}}\n{labels}"
    )
    text = text.replace("y: {parents: [x]}", "y: {parents: [x], distribution: {kind: masked_autoregressive, hidden: [4]}}"
                        "\n  a: {parents: [y]}\n  b: {parents: [x]}\n  c: {parents: [x]}\n  d: {parents: [x]}")  # fmt: skip
    graphs = graphs_of(text.replace("  y: {}\n", "  y: {}\n  a: {}\n  b: {}\n  c: {}\n  d: {}\n"))
    assert emit(graphs).count("\ndef bound_") == 1
    compare(graphs, count=12, tolerance=1e-7)


@pytest.mark.parametrize("name", ["flow", "counts", "labels"])
def test_files_with_flows_and_scores_are_formatted_and_clean(name: str, tmp_path: Path) -> None:
    labels = LABELS.replace("OBJECTIVE", "{samples: 2, estimators: {z: score_function}}")
    text = {"flow": flow("continuous", "sum_of_squares"), "counts": COUNTS, "labels": labels}[name]
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    (tmp_path / "model.py").write_text(emit(graphs_of(text)), encoding="utf-8")
    # F841: a draw that no term reads stays, so that the noise after it is that of the compiled model
    for check in (["format", "--check"], ["check", "--select", "E,F,I,UP,B", "--ignore", "E741,F841"]):
        done = subprocess.run([ruff, *check, "--isolated", "--line-length", "120", str(tmp_path)], capture_output=True,
                              text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


# sparse sums and masks


@pytest.mark.parametrize("samples", [1, 2])
def test_sparse_sums_in_every_pattern(samples: int) -> None:
    """Two budgets, one below the other: the likeliest values of b differ by a's."""
    rng = np.random.default_rng(1)
    recognition = {"a": ["x"], "b": ["x", "a"], "c": ["x"]}
    objective = (
        f"{{samples: {samples}, estimators: {{a: {{kind: enumerate, budget: 2}}, b: {{kind: enumerate, budget: 1}}}}}}"
    )
    spec = discrete_spec({"a": 5, "b": 4, "c": 2}, ["c"], random_dag(rng, ["a", "b", "c", "x"]), recognition, objective)
    compare(graphs_of(spec), count=12)


@pytest.mark.parametrize("bound", ["logmeanexp", "jensen"])
def test_free_bits_where_every_row_has_a_pattern_of_its_own(bound: str) -> None:
    """A row that has all of a masked variable has no divergence and pays no floor."""
    rng = np.random.default_rng(5)
    names = ["a", "b", "c", "d", "e"]
    recognition = {name: ["x", *parents] for name, parents in random_dag(rng, names).items()}
    objective = f"{{label_bound: {bound}, free_bits: {{a: 2.0, c: 1.0}}, alpha: {{a: 2, b: 3, c: 1, d: 1, e: 1}}}}"
    spec = discrete_spec(dict.fromkeys(names, 2), names, random_dag(rng, [*names, "x"]), recognition, objective)
    compare(graphs_of(spec), count=16)
