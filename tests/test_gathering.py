"""What groups of rows with different labels compute in one call comes to what each computes alone."""

import gc
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from compiler.model.model import Model
from compiler.plan.running import Context
from compiler.symbolic.schedules import ObjectiveWeights
from graphspec.loading import load
from runtime.training.step.noise import BatchNoise

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 6}
  y: {role: supervised, domain: category, classes: 3}
  t: {role: supervised, domain: real, size: 2}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, t: {}, z: {}, x: {parents: [y, t, z]}}
recognition: {y: {parents: [x], network: one}, t: {parents: [x, y]}, z: {parents: [x, y]}}
networks: {one: {kind: mlp, hidden: [8]OPTIONS}}
"""
ROWS = 12


def _model(options: str = "", text: str = SPEC) -> Model:
    return Model(load("spec.yaml", text=text.replace("OPTIONS", options)), seed=1, dtype=torch.float64)


def _rows() -> dict[str, Tensor]:
    """All four patterns of labels, mixed."""
    generator = torch.Generator().manual_seed(0)
    rows = {
        "x": torch.randn(ROWS, 6, generator=generator, dtype=torch.float64),
        "y": torch.randint(3, (ROWS,), generator=generator),
        "t": torch.randn(ROWS, 2, generator=generator, dtype=torch.float64),
    }
    rows["y"][::2] = -1
    rows["t"][::3] = torch.nan
    return rows


def _bound(model: Model, rows: dict[str, Tensor]) -> Tensor:
    weights = ObjectiveWeights.at(model.graphs, None, 0.0)
    return model.evaluate(rows, weights=weights, noise=BatchNoise(5, len(rows["x"]))).bound


def _calls(module: nn.Module) -> list[int]:
    seen: list[int] = []
    finish = module.finish
    module.finish = lambda *given: (seen.append(1), finish(*given))[1]
    return seen


def _compare(text: str, options: str, rows: dict[str, Tensor], expected: dict[str, tuple[int, int]]) -> None:
    """Bounds, terms and gradients of groups together and apart; expected: calls of modules, together and apart."""
    together, apart = _model(options, text), _model(options, text)
    apart.compiled.modules = replace(apart.compiled.modules, independent=frozenset())
    calls = {name: (_calls(together.factors[name]), _calls(apart.factors[name])) for name in expected}
    weights = ObjectiveWeights.at(together.graphs, None, 0.0)
    count = len(next(iter(rows.values())))
    ours, theirs = (m.evaluate(rows, weights=weights, noise=BatchNoise(5, count)) for m in (together, apart))
    torch.testing.assert_close(ours.bound, theirs.bound, rtol=1e-12, atol=1e-12)
    assert ours.terms.keys() == theirs.terms.keys()
    for name, term in ours.terms.items():
        torch.testing.assert_close(term, theirs.terms[name], rtol=1e-12, atol=1e-12, equal_nan=True)
    assert {name: (len(a), len(b)) for name, (a, b) in calls.items()} == expected
    ours.bound.sum().backward()
    theirs.bound.sum().backward()
    for (name, mine), other in zip(together.named_parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-10, atol=1e-10, msg=name)


def test_networks_are_called_once_for_all_patterns_that_agree_on_axes() -> None:
    """y is enumerated where it is hidden, so q(t | x, y) and q(z | x, y) have two kinds of rows among four patterns; a
    hidden t varies with y, and p(x | y, t, z) has three kinds."""
    expected = {"recognition--y": (1, 4), "recognition--t": (2, 4), "recognition--z": (2, 4), "generative--x": (3, 4)}
    _compare(SPEC, "", _rows(), expected)


SMALL = SPEC.replace("{one:", "{default: {kind: mlp, hidden: [8]}, one:")
"""Every factor's calls cost more than their arithmetic."""
ONCE = dict.fromkeys(("recognition--y", "recognition--t", "recognition--z", "generative--x"), (1, 4))


@pytest.mark.parametrize("objective", ["{}", "{samples: 3}", "{bound: importance_weighted, samples: 3}"])
def test_small_networks_are_called_once_whatever_varies(objective: str) -> None:
    """Each place on a group's axes is a row: of three classes, of each of three draws."""
    _compare(SMALL + f"objective: {objective}\n", "", _rows(), ONCE)


def test_small_networks_without_rows_of_their_own() -> None:
    """What only an enumerated label is read by varies over no row in some groups, and over rows in others."""
    text = SMALL.replace("x: {parents: [y, t, z]}", "x: {parents: [y]}, w: {parents: [y, z]}")
    text = text.replace("  z: {role: latent", "  w: {role: observed, domain: binary, size: 4}\n  z: {role: latent")
    rows = _rows() | {"w": (torch.arange(4 * ROWS).reshape(ROWS, 4) % 3 == 0).double()}
    _compare(text, "", rows, {"generative--x": (1, 4), "generative--w": (1, 4)})


def test_what_no_row_has_a_part_in_is_read_among_rows_that_do() -> None:
    """z's divergence given a hidden y is the same for every row, and its q is computed beside that of known labels."""
    text = """
graphspec: 1
variables:
  y: {role: supervised, domain: category, classes: 3, size: 2}
  t: {role: supervised, domain: binary}
  z: {role: latent, domain: binary, size: 4}
generative: {y: {}, t: {}, z: {parameters: {logits: learned}}}
recognition: {t: {}, y: {parameters: {logits: learned}}, z: {parents: [y]}}
networks: {default: {kind: mlp, hidden: [4]}}
"""
    label = torch.arange(ROWS) % 3
    rows = {"y": torch.where(label > 0, -1, label)[:, None].repeat(1, 2), "t": torch.ones(ROWS, dtype=torch.float64)}
    rows["t"][::2] = torch.nan
    _compare(text, "", rows, {"recognition--z": (1, 4)})


def test_small_networks_of_labels_given_in_part() -> None:
    text = SMALL.replace("domain: real, size: 2}\n  z:", "domain: binary, size: 2}\n  z:")
    rows = _rows()
    rows["t"] = (rows["t"] > 0).double().masked_fill(rows["t"].isnan(), torch.nan)
    rows["t"][1, 0] = torch.nan
    _compare(text, "", rows, {"generative--x": (1, 5), "recognition--z": (1, 5)})


def test_terms_of_a_joint_plan_are_summed_in_one_line() -> None:
    model = _model("", SMALL)
    patterns = [pattern for pattern, _ in model.group(model.prepare(_rows()))]
    lines = model.compiled.for_patterns(patterns, None, ()).plan.lines
    assert max(len(line.outputs) for line in lines if line.op == "weighted_sum") > 1
    assert max(len(line.inputs) for line in lines if line.op == "apart") > 1


@pytest.mark.parametrize("samples", [1, 3])
def test_a_relaxed_draw_and_a_label_go_together(samples: int) -> None:
    text = SPEC + f"objective: {{samples: {samples}, estimators: {{y: {{kind: relax, temperature: 0.7}}}}}}\n"
    calls = {1: {"generative--x": (1, 4)}, 3: {"recognition--z": (2, 4), "generative--x": (4, 4)}}
    _compare(text, "", _rows(), calls[samples])


def test_deterministic_variables_go_together() -> None:
    text = SPEC.replace("z: {}, x: {parents: [y, t, z]}", "z: {}, h: {parents: [y, t, z]}, x: {parents: [h]}")
    text = text.replace("  z: {role: latent", "  h: {role: deterministic}\n  z: {role: latent")
    _compare(text, "", _rows(), {"generative--h": (3, 4), "generative--x": (2, 4)})


def test_groups_of_one_row_each() -> None:
    rows = {name: value[[0, 1, 3]] for name, value in _rows().items()}
    _compare(SPEC, "", rows, {"recognition--y": (1, 3)})


def test_rows_in_stretches() -> None:
    order = torch.argsort(_rows()["y"], stable=True)
    _compare(SPEC, "", {name: value[order] for name, value in _rows().items()}, {"recognition--y": (1, 4)})


@pytest.mark.parametrize("option", ["dropout: 0.2", "normalization: batch", "input_noise: 0.1", "input_dropout: 0.1"])
def test_what_looks_at_other_rows_or_draws_stays_with_its_group(option: str) -> None:
    assert "recognition.y" not in _model(f", {option}").compiled.modules.independent


@pytest.mark.parametrize("option", ["dropout: 0.5", "input_noise: 0.3", "input_dropout: 0.5"])
def test_rows_differ_by_their_masks_where_no_parent_does(option: str) -> None:
    """g reads an enumerated k alone: each row has a mask of its own all the same."""
    text = SPEC.replace("z: {}, x: {parents: [y, t, z]}", "z: {}, k: {}, g: {parents: [k], network: one}, x: LEAF")
    text = text.replace("LEAF", "{parents: [g, t, z]}").replace("  z: {role: latent", HIDDEN + "  z: {role: latent")
    text = text.replace("z: {parents: [x, y]}}", "z: {parents: [x, y]}, k: {parents: [x]}}")
    _compare(text, f", {option}", _rows(), {"generative--x": (3, 4)})


HIDDEN = """\
  k: {role: latent, domain: binary, size: 2}
  g: {role: deterministic, domain: real, size: 2}
"""


def test_layer_normalization_is_of_one_row() -> None:
    assert "recognition.y" in _model(", normalization: layer").compiled.modules.independent


def _contexts() -> set[int]:
    return {id(found) for found in gc.get_objects() if type(found) is Context}


def test_a_step_leaves_nothing_behind() -> None:
    """No circle of objects keeps a step's tensors until Python looks for circles."""
    model = _model()
    gc.collect()
    gc.disable()
    before = _contexts()
    try:
        _bound(model, _rows()).sum().backward()
        assert not _contexts() - before
    finally:
        gc.enable()
