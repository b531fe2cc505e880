"""Rows moved where an answer changes most: directions with closed forms, lengths, blanks, precision, what is said."""

import math
from pathlib import Path

import pytest
import torch
from graph_specs import M2, found_in, graphs_of, pointed_at
from process_runs import GREY, write_data
from torch import Tensor

from compiler import compile_spec
from compiler.model.model import Model
from compiler.model.teacher_answers import Answers, disagreement
from compiler.symbolic.agreement import agreements
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_latex, as_text
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.data.stream.streams import epoch_batches
from runtime.training.processes.training_rows import prepare_rows
from runtime.training.step.adversarial import MovedRows, kept_buffers, move
from runtime.training.step.averaging import Average
from runtime.training.step.consistency import Teacher
from runtime.training.step.loss import patterns_of
from runtime.training.step.noise import BatchNoise
from runtime.training.step.share import share_of

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 5}
  u: {role: observed, domain: unit, shape: [2, 2]}
  c: {role: observed, domain: category, classes: 3}
  y: {role: supervised, LABEL}
generative:
  y: {}
  x: {parents: [y]}
  u: {parents: [y], distribution: bernoulli}
  c: {parents: [y]}
recognition:
  y: {parents: [x, u, c]}
networks: {default: {kind: NETWORK}}
objective: {consistency: {y: {weight: 3, adversarial: 2}}}
"""
TWO, THREE, BITS = "domain: binary", "domain: category, classes: 3", "domain: binary, size: 2"
LINEAR, MLP = "linear", "mlp, hidden: [16], activation: tanh"


def model_of(label: str = THREE, network: str = LINEAR, *overrides: str) -> Model:
    text = SPEC.replace("LABEL", label).replace("NETWORK", network)
    return compile_spec(graphs_of(text, *overrides), seed=1, dtype=torch.float64).eval()


def rows_of(count: int = 7) -> dict[str, Tensor]:
    torch.manual_seed(3)
    u = torch.rand(count, 2, 2, dtype=torch.float64)
    return {"x": torch.randn(count, 5, dtype=torch.float64), "u": u, "c": torch.arange(count) % 3}


def moved_rows(
    model: Model, rows: dict[str, Tensor], seed: int = 0, lacking: Tensor | None = None
) -> dict[str, Tensor]:
    count = len(rows["x"])
    (agreement,) = agreements(model.graphs)
    chosen = MovedRows(rows, torch.arange(count), model.row_patterns(model.prepare(rows)))
    if lacking is None:
        lacking = torch.ones(count, *model.graphs.variables["y"].shape, dtype=torch.bool)
    return move(chosen, Answers(model, ("y",)), agreement, lacking, Noise(seed, count)).values


def steps(model: Model, rows: dict[str, Tensor], seed: int = 0) -> Tensor:
    """[B, 9]: how x and u are moved."""
    found = moved_rows(model, rows, seed)
    return torch.cat([(found[name] - rows[name]).flatten(1) for name in ("x", "u")], dim=1)


def drawn(rows: dict[str, Tensor], seed: int = 0) -> Tensor:
    """[B, 9]: the random directions of length 1 that `move` starts from."""
    noise = Noise(seed, len(rows["x"]))
    parts = [noise.normal(name, (), rows[name].shape[1:], torch.float64).flatten(1) for name in ("x", "u")]
    both = torch.cat(parts, dim=1)
    return both / both.norm(dim=1, keepdim=True)


def logits_of(model: Model, rows: dict[str, Tensor], classes: int) -> Tensor:
    """log q(y = k | row) up to a constant: [B, K]."""
    values = [rows | {"y": torch.full((len(rows["x"]),), k)} for k in range(classes)]
    return torch.stack([model.log_prob("recognition", each)["y"] for each in values], dim=-1)


def jacobian(model: Model, rows: dict[str, Tensor], classes: int) -> Tensor:
    """[K, 9]: how a linear model's log odds depend on x and u, by differences; the same for every row."""
    start = logits_of(model, rows, classes)[0].detach()
    columns = []
    for name, size in (("x", 5), ("u", 4)):
        for place in range(size):
            other = {n: v.clone() for n, v in rows.items()}
            other[name][0].view(-1)[place] += 1.0
            change = logits_of(model, other, classes)[0].detach() - start
            columns.append(change - change[0])
    return torch.stack(columns, dim=1)


def test_two_classes_of_a_linear_model_move_along_the_difference_of_their_weights() -> None:
    """Whatever the row: to the side that the random direction leans to, by the whole length."""
    model, rows = model_of(TWO), rows_of(40)
    weights = jacobian(model, rows, 2)[1]
    sides = torch.sign(drawn(rows) @ weights)
    assert 5 < int((sides > 0).sum()) < 35
    expected = 2 * sides[:, None] * weights / weights.norm()
    torch.testing.assert_close(steps(model, rows), expected, rtol=0, atol=1e-9)


def test_three_classes_of_a_linear_model_move_along_what_the_probe_changed() -> None:
    """d/dr KL(q(x) || q(x + r)) = W^T (q(x + r) - q(x)), at a tenth of the length along the random direction."""
    model, rows = model_of(), rows_of()
    weights, start = jacobian(model, rows, 3), drawn(rows) * 0.2
    own = logits_of(model, rows, 3).softmax(-1)
    probe = rows | {"x": rows["x"] + start[:, :5], "u": rows["u"] + start[:, 5:].reshape(-1, 2, 2)}
    gradient = (logits_of(model, probe, 3).softmax(-1) - own).detach() @ weights
    expected = 2 * gradient / gradient.norm(dim=1, keepdim=True)
    torch.testing.assert_close(steps(model, rows), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("label", [TWO, THREE, BITS])
def test_the_answer_changes_more_than_in_random_directions_of_the_same_length(label: str) -> None:
    model, rows = model_of(label, MLP, "objective.consistency.y.adversarial=0.3"), rows_of(60)
    answers, noise = Answers(model, ("y",)), Noise(0, 60)
    lacking = torch.ones(60, *model.graphs.variables["y"].shape, dtype=torch.bool)
    own = answers(rows, noise)["y"].detach()

    def change(other: dict[str, Tensor]) -> Tensor:
        nats = [disagreement(q, own.exp(), lacking, 0.0)[0].detach() for q in (answers(other, noise)["y"], own)]
        return nats[0] - nats[1]

    ours = change(moved_rows(model, rows))
    torch.manual_seed(0)
    for _ in range(20):
        r = torch.randn(60, 9, dtype=torch.float64)
        r *= 0.3 / r.norm(dim=1, keepdim=True)
        other = rows | {"x": rows["x"] + r[:, :5], "u": rows["u"] + r[:, 5:].reshape(-1, 2, 2)}
        assert float((ours > change(other)).double().mean()) > 0.9
    assert float(ours.min()) > 0


@pytest.mark.parametrize("network", [LINEAR, MLP])
def test_every_row_is_moved_by_the_length_over_all_that_moves(network: str) -> None:
    model, rows = model_of(THREE, network), rows_of()
    found = moved_rows(model, rows)
    torch.testing.assert_close(steps(model, rows).norm(dim=1), torch.full((7,), 2.0, dtype=torch.float64))
    assert torch.equal(found["c"], rows["c"]), "a category stays what it is"
    assert set(found) == set(rows) and not any(value.requires_grad for value in found.values())
    assert not torch.equal(steps(model, rows), steps(model, rows, seed=1))


def test_rows_whose_answer_nothing_changes_stay_where_they_are() -> None:
    model, rows = model_of(), rows_of()
    with torch.no_grad():
        for parameter in model.conditional(model.graphs.recognition["y"]).parameters():
            parameter.zero_()
    assert float(steps(model, rows).abs().max()) == 0.0


def test_tiny_gradients_count_as_much_as_large_ones() -> None:
    """Their squares vanish in single precision."""
    text = SPEC.replace("LABEL", TWO).replace("NETWORK", LINEAR)
    model = compile_spec(graphs_of(text), seed=1).eval()
    with torch.no_grad():
        for parameter in model.conditional(model.graphs.recognition["y"]).parameters():
            parameter *= 1e-13
    rows = {name: value.float() if value.is_floating_point() else value for name, value in rows_of().items()}
    lengths = steps(model, rows).norm(dim=1)
    assert all(length == pytest.approx(2.0, abs=1e-5) or length == 0.0 for length in lengths.tolist())
    with torch.no_grad():
        for parameter in model.conditional(model.graphs.recognition["y"]).parameters():
            parameter += 30 if parameter.dim() == 1 else 0.01  # one class is certain but for e^-30
    assert steps(model, rows).norm(dim=1).tolist() == pytest.approx([2.0] * 7, abs=1e-5)


def test_blank_elements_stay_blank_and_the_others_take_the_whole_length() -> None:
    model, rows = model_of(THREE, MLP, "variables.x.missing=true"), rows_of()
    rows["x"][0, :2], rows["x"][1] = math.nan, math.nan
    found = moved_rows(model, rows)
    assert torch.equal(found["x"].isnan(), rows["x"].isnan())
    step = torch.cat([(found[n] - rows[n]).nan_to_num().flatten(1) for n in ("x", "u")], dim=1)
    torch.testing.assert_close(step.norm(dim=1), torch.full((7,), 2.0, dtype=torch.float64))


def test_only_elements_that_the_row_lacks_say_where_to() -> None:
    """Of a label with two bits the known one has no say: as if it were not there."""
    model, rows = model_of(BITS), rows_of()
    labels = torch.full((7, 2), -1.0, dtype=torch.float64)
    labels[:, 1] = 1.0
    lacking = labels == -1
    found = moved_rows(model, rows | {"y": labels}, lacking=lacking)
    step = torch.cat([(found[n] - rows[n]).flatten(1) for n in ("x", "u")], dim=1)
    # a linear model with independent bits: parallel for all rows, and to the weights of the first bit
    first = step / step.norm(dim=1, keepdim=True)
    assert (first @ first[0]).abs().tolist() == pytest.approx([1.0] * 7, abs=1e-9)
    both = moved_rows(model, rows)
    assert float((both["x"] - found["x"]).abs().max()) > 0.01


def test_buffers_are_what_they_were_even_where_a_gradient_needs_them() -> None:
    layer = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    before = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    kept = dict(layer.named_buffers())
    with kept_buffers(layer):
        loss = layer(torch.randn(8, 3) + 5).sum()
        assert not torch.equal(dict(layer.named_buffers())["0.running_mean"], before["0.running_mean"])
    loss.backward()
    for name, buffer in layer.named_buffers():
        assert buffer is kept[name] and torch.equal(buffer, before[name])
    with pytest.raises(ZeroDivisionError), kept_buffers(layer):
        raise ZeroDivisionError
    assert all(buffer is kept[name] for name, buffer in layer.named_buffers())


def test_the_direction_is_looked_for_in_full_precision(tmp_path: Path) -> None:
    """Under autocast to bfloat16 rows go where they would go without."""
    write_data(tmp_path)
    setting = "objective.consistency={y: {weight: 1, adversarial: 2}}"
    model = compile_spec(load(tmp_path / "tiny.yaml", [*GREY, setting]))
    data = prepare_rows(model, None)
    model.rates = data.rates()
    teacher = Teacher(model, data, Average(model, 0.9))
    step = next(epoch_batches(data, 0, 20, None, seed=0))
    share = share_of(step.unlabelled, step.labelled, 0.5)
    rows = data.training.batch(share.positions, torch.float32)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            targets = teacher.targets(step, 0.0, share, rows, rows, patterns_of(model, data.training)[share.positions])
        assert targets is not None
        found.append(targets.moved["y"].values["x"])
    where = torch.arange(len(step.unlabelled))
    noise = BatchNoise(step.seed_for("consistency"), share.size).select(where)
    unlabelled = MovedRows({"x": rows["x"][where]}, where, patterns_of(model, data.training)[share.positions][where])
    lacking = torch.ones(len(where), dtype=torch.bool)
    (agreement,) = agreements(model.graphs)
    expected = move(unlabelled, Answers(model.eval(), ("y",)), agreement, lacking, noise).values["x"]
    for rows_moved in found:  # those that have the label are not among them
        torch.testing.assert_close(rows_moved, expected, rtol=0, atol=1e-4)


# --- what is said about it --------------------------------------------------------------------------------------------


def test_explain_says_how_rows_are_moved() -> None:
    explanation = explain(model_of().graphs)
    text = as_text(explanation)
    assert "log q(y = k | x + r[x], u + r[u], c))" in text and "q̄(y = k | clean x, clean u, clean c) ≥ 0.9" in text
    assert "r has length 2 over all elements of x, u, along the gradient in r of" in text
    assert "KL(q̄(y | x, u, c) ‖ q̄(y | x + r[x], u + r[u], c)), taken at 0.1 of that length" in text
    assert "q is asked in a pass of its own" in text and "no\n    second pass" not in text
    assert r"\log q(y = k \mid x + r_{x}, u + r_{u}, c)" in as_latex(explanation)
    (entry,) = as_json(explanation)["not_part_of_the_bound"]
    assert entry["adversarial"] == 2.0


def test_explain_tells_moved_and_unmoved_apart() -> None:
    text = as_text(explain(model_of(THREE, LINEAR, "objective.consistency={y: {weight: 1}}").graphs))
    assert "r[x]" not in text and "a pass of its own" not in text and "bound's own evaluation" in text


@pytest.mark.parametrize("parents", ["[x]", "[]"])
def test_rows_without_numbers_to_move_are_refused_at_check(parents: str) -> None:
    text = M2.replace("domain: unit", "domain: binary").replace("y: {parents: [x]}", f"y: {{parents: {parents}}}")
    errors = found_in(text, "objective.consistency={y: {weight: 1, adversarial: 2}}")
    (found,) = [d for d in errors if d.code == "GS070"]
    assert found.severity == "error" and pointed_at(found) == "2"
    assert found.hint is not None and "moves real and unit variables" in found.hint
    assert ("x (binary)" if parents == "[x]" else "nothing observed") in found.message


def test_rows_that_no_gradient_reaches_are_refused_at_check() -> None:
    wanted = "objective.consistency={y: {weight: 1, adversarial: 2}}"
    stopped = M2.replace("y: {parents: [x]}", "y: {parents: [x], stop_gradient: [x]}")
    (found,) = [d for d in found_in(stopped, wanted) if d.code == "GS070"]
    assert pointed_at(found) == "2" and "a stop_gradient stands on every way from x to y" in found.message
    another = stopped.replace("recognition:", "recognition:\n  h: {parents: [x]}").replace(
        "y: {parents: [x], stop", "y: {parents: [x, h], stop"
    )
    another = another.replace("variables:", "variables:\n  h: {role: deterministic}")
    assert [d for d in found_in(another, wanted) if d.code == "GS070"] == []


def test_a_moved_row_differs_from_the_clean_one() -> None:
    text = M2 + "data: {source: digits, variables: {x: image, y: label}, labels: {y: 20}}\n"
    text = text.replace("classes: 3", "classes: 10")
    for length, codes in ((0, ["GS115"]), (2, [])):
        found = found_in(text, f"objective.consistency={{y: {{weight: 1, adversarial: {length}}}}}")
        assert [d.code for d in found if d.code in ("GS070", "GS115")] == codes


def test_a_negative_length_is_refused() -> None:
    (found,) = found_in(M2, "objective.consistency={y: {weight: 1, adversarial: -2}}")
    assert found.severity == "error" and pointed_at(found) == "-2"
