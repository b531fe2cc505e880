"""The consistency regulariser: against hand-written twins (values, gradients, whole trainings), graphs of every form."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from distributions import distribution_of
from graph_specs import M2, codes_in, found_in, graphs_of, pointed_at
from plan_runs import values_of
from process_runs import GREY, write_data
from tiny_runs import train_tiny as train
from torch import Tensor

from compiler import compile_spec
from compiler.emission import emit
from compiler.model.model import Model
from compiler.model.teacher_answers import Answers, disagreement
from compiler.plan.questions import plan_answers
from compiler.symbolic.agreement import agreements, reduced
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_latex, as_text
from compiler.symbolic.program import Pattern
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.data.stream.rows import PreparedData
from runtime.data.stream.streams import BatchRows, epoch_batches, steps_per_epoch
from runtime.runs.checkpoints import read_weights
from runtime.runs.run_folder import Run
from runtime.training.loop.fitting import fit
from runtime.training.loop.progress import SilentReporter
from runtime.training.processes.training_rows import prepare_rows
from runtime.training.step.averaging import Average
from runtime.training.step.consistency import Teacher, rows_without, twin
from runtime.training.step.loss import patterns_of
from runtime.training.step.noise import BatchNoise
from runtime.training.step.share import share_of
from runtime.training.step.step_metrics import Meter

PIXELS = (*GREY, "recognition.h.network={kind: mlp, hidden: [8], normalization: batch, dropout: 0.2}")
AGREE = "objective.consistency={y: {weight: 5, after: 0.5, confidence: 0.405}}"
SAME = "objective.consistency={y: {weight: 1}}"
PLAIN_SGD = ("training.optimizer=sgd", "training.learning_rate=0.05", "training.epochs=2")


def loaded(folder: Path, *overrides: str) -> Model:
    if not (folder / "tiny.yaml").exists():
        write_data(folder)
    return compile_spec(load(folder / "tiny.yaml", [*PIXELS, *overrides]), dtype=torch.float64)


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def naive(log_q: Tensor, target: Tensor, lacking: Tensor, confidence: float) -> list[float]:
    """Row by row, element by element, class by class."""
    found = []
    for row in range(len(target)):
        total = 0.0
        for element in itertools.product(*(range(size) for size in lacking.shape[1:])):
            classes = target[(row, *element)].tolist()
            if bool(lacking[(row, *element)]) and max(classes) >= confidence:
                total += sum(-t * float(q) for t, q in zip(classes, log_q[(row, *element)], strict=True))
        found.append(total)
    return found


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_values_are_those_of_plain_loops(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    log_q = torch.randn(20, *shape, 4, dtype=torch.float64).log_softmax(-1)
    target = (2 * torch.randn(20, *shape, 4, dtype=torch.float64)).softmax(-1)
    lacking = torch.rand(20, *shape) < 0.7
    nats, sure = disagreement(log_q, target, lacking, 0.6)
    assert nats.tolist() == pytest.approx(naive(log_q, target, lacking, 0.6), abs=1e-12)
    assert torch.equal(sure, lacking & (target.max(-1).values >= 0.6))
    assert 0 < int(sure.sum()) < int(lacking.sum())
    assert float(nats.min()) >= 0


def test_the_gradient_is_that_of_the_cross_entropy_alone() -> None:
    """d/dlogits = softmax(logits) - t where sure, 0 elsewhere; nothing flows into t, though it comes from there."""
    torch.manual_seed(1)
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    target = (3 * logits).softmax(-1)
    nats, sure = disagreement(logits.log_softmax(-1), target, torch.ones(6, dtype=torch.bool), 0.8)
    (gradient,) = torch.autograd.grad(nats.sum(), logits)
    expected = (logits.softmax(-1) - target) * sure.unsqueeze(-1)
    assert 0 < int(sure.sum()) < 6
    torch.testing.assert_close(gradient, expected.detach(), rtol=0, atol=1e-12)


def test_the_threshold_is_inclusive_and_impossible_classes_cost_nothing() -> None:
    log_q = torch.tensor([[0.0, -math.inf], [math.log(0.5), math.log(0.5)], [math.nan, math.nan]]).requires_grad_()
    target = torch.tensor([[1.0, 0.0], [0.75, 0.25], [1.0, 0.0]])
    lacking = torch.tensor([True, True, False])
    nats, sure = disagreement(log_q, target, lacking, 0.75)
    assert sure.tolist() == [True, True, False]
    assert nats.tolist() == pytest.approx([0.0, math.log(2), 0.0])
    nats.sum().backward()
    assert log_q.grad is not None and bool(log_q.grad.isfinite().all())
    assert disagreement(log_q, target, lacking, 0.76)[1].tolist() == [True, False, False]


# --- a whole training against a loop written by hand ------------------------------------------------------------------


def class_probabilities(model: Model, rows: dict[str, Tensor], classes: int = 3) -> Tensor:
    """q(y = k | x) of the tiny graph through `log_prob`, one class at a time: [B, K]."""
    count = len(rows["x"])
    found = []
    for k in range(classes):
        values = {"x": rows["x"], "y": torch.full((count,), k), "z": torch.zeros(count, 2, dtype=torch.float64)}
        found.append(model.log_prob("recognition", values)["y"])
    return torch.stack(found, dim=-1).exp()


def by_hand(
    folder: Path,
    *overrides: str,
    weight: float,
    after: float,
    confidence: float,
    decay: float,
    adversarial: float = 0.0,
) -> Model:
    """The training of the spec, every line of the regulariser written here: plain SGD, own average, own cross-entropy.

    The student's q comes from a second pass of the factors under the same dropout masks.
    """
    model = loaded(folder, *overrides)
    teacher = loaded(folder, *overrides)
    data, settings = prepare_rows(model, None), model.graphs.spec.training
    model.rates = data.rates()
    average = {name: tensor.clone() for name, tensor in model.state_dict().items()}  # running statistics too
    per_epoch = steps_per_epoch(data, settings.batch_size, settings.labelled_batch_size)
    for epoch in range(settings.epochs):
        steps = epoch_batches(data, epoch, settings.batch_size, settings.labelled_batch_size, settings.seed)
        for step in steps:
            now = step.number / per_epoch
            weights = ObjectiveWeights.at(model.graphs, model.rates, now)
            unlabelled, size = len(step.unlabelled), len(step.unlabelled) + len(step.labelled)
            clean = data.training.batch(torch.cat([step.unlabelled, step.labelled]), torch.float64)
            rows = data.binarize(data.augment(clean, step.generator("augment")), step.generator("binarize"))
            teacher.load_state_dict({**model.state_dict(), **average})
            target = class_probabilities(teacher.eval(), clean).detach()[:unlabelled]
            model.train()
            buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
            noise = BatchNoise(step.seed_for("noise"), size)
            bound = model.evaluate(rows, weights=weights, noise=noise).bound
            loss = -(1 - weights.rho) * bound[:unlabelled].mean() - weights.rho * bound[unlabelled:].mean()
            if now >= after:
                moved = {name: buffer.clone() for name, buffer in model.named_buffers()}
                model.load_state_dict(buffers, strict=False)
                shown, masks = rows["x"], BatchNoise(step.seed_for("noise"), size)
                if adversarial:  # of the rows without the label only, which then make the batch's statistics
                    shown = moved_by_hand(teacher, rows["x"][:unlabelled], adversarial, step, size)
                    masks = masks.select(torch.arange(unlabelled))
                values = {"x": shown}
                values["h"] = model.compute(model.graphs.recognition["h"], values, masks)
                q = distribution_of(model, model.graphs.recognition["y"], values, masks).log_probs()
                model.load_state_dict(moved, strict=False)
                for row in range(unlabelled):
                    if float(target[row].max()) >= confidence:
                        loss = loss - weight * (target[row] * q[row]).sum() / unlabelled
            gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
            with torch.no_grad():
                for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                    if gradient is not None:
                        parameter -= 0.05 * gradient
                keep = min(decay, (1 + step.number) / (10 + step.number))
                for name, tensor in model.state_dict().items():
                    average[name] = keep * average[name] + (1 - keep) * tensor
    return model


def moved_by_hand(teacher: Model, x: Tensor, length: float, step: BatchRows, size: int) -> Tensor:
    """One power iteration, row by row: from a random direction to the gradient of KL(q(y | x) || q(y | x + r)) in r."""
    drawn = BatchNoise(step.seed_for("consistency"), size).normal("adversarial x", (), x.shape[1:], x.dtype)
    found = []
    for row, direction in zip(x, drawn, strict=False):
        own = class_probabilities(teacher, {"x": row[None]})[0].detach()
        r = (0.1 * length * direction / direction.square().sum().sqrt()).requires_grad_()
        other = class_probabilities(teacher, {"x": (row + r)[None]})[0]
        (gradient,) = torch.autograd.grad((own * (own.log() - other.log())).sum(), r)
        found.append(row + length * gradient / gradient.square().sum().sqrt())
    return torch.stack(found)


@pytest.mark.parametrize("decay", [None, 0.8])
def test_a_training_is_the_one_written_by_hand(tmp_path: Path, decay: float | None) -> None:
    """Augmentation, dynamic pixels, dropout and batch statistics at once; without `ema` the average serves only here."""
    ema = () if decay is None else (f"training.ema={decay}",)
    overrides = (*PLAIN_SGD, *ema)
    model = loaded(tmp_path, *overrides, AGREE)
    run = fit(model, out=tmp_path / "run", device="cpu", progress=SilentReporter())
    numbers = {"weight": 5.0, "after": 0.5, "confidence": 0.405, "decay": decay or 0.999}
    twin = by_hand(tmp_path, *overrides, **numbers)
    trained = raw_weights(run)
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=0, atol=1e-9)
    shares = [record["terms"]["consistency.y sure"] for record in run.metrics()]
    assert all(0.02 < share < 0.98 for share in shares), "the threshold parts the rows"
    without = by_hand(tmp_path, *overrides, **{**numbers, "weight": 0.0})
    assert far(without, twin) > 1e-4, "the regulariser is felt"
    sharper = by_hand(tmp_path, *overrides, **{**numbers, "confidence": 0.42})
    assert far(sharper, twin) > 1e-5, "the threshold is felt"


def test_a_training_on_moved_rows_is_the_one_written_by_hand(tmp_path: Path) -> None:
    """The student reads rows moved as the averaged model says; running statistics are of the rows as they are."""
    model = loaded(tmp_path, *PLAIN_SGD, AGREE, "objective.consistency.y.adversarial=0.7")
    run = fit(model, out=tmp_path / "run", device="cpu", progress=SilentReporter())
    numbers = {"weight": 5.0, "after": 0.5, "confidence": 0.405, "decay": 0.999}
    twin = by_hand(tmp_path, *PLAIN_SGD, **numbers, adversarial=0.7)
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(raw_weights(run)[name], value, rtol=0, atol=1e-9)
    for other in (0.0, 0.69, -0.7):
        assert far(by_hand(tmp_path, *PLAIN_SGD, **numbers, adversarial=other), twin) > 1e-5, "the move is felt"


def raw_weights(run: Run) -> dict[str, Tensor]:
    from runtime.training.loop.state import read_state

    return dict(read_state(run.state_file).weights)


def far(left: Model, right: Model) -> float:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def test_without_ema_the_average_answers_nothing_else(tmp_path: Path) -> None:
    """Checkpoints hold the trained weights, and the state remembers the average for `--resume`."""
    from runtime.training.loop.state import read_state

    run = train(tmp_path, "objective.consistency={y: {weight: 1}}", "training.epochs=1")
    last, state = read_weights(run.last_file).weights, read_state(run.state_file)
    assert state.average
    for name, value in state.average.items():
        assert torch.equal(last[name], state.weights[name])
        assert not torch.equal(last[name], value)


def test_it_acts_from_its_epoch_on(tmp_path: Path) -> None:
    """Before `after` the training is bit for bit the one without; `after` counts epochs and may be a fraction."""
    plain = train(tmp_path, "training.epochs=2", out="plain")
    late = train(
        tmp_path, "training.epochs=2", "objective.consistency={y: {weight: 9, after: 1, confidence: 0}}", out="late"
    )
    first, second = late.metrics()
    assert "consistency.y" not in first["terms"] and "consistency.y" in second["terms"]
    assert first["loss"] == plain.metrics()[0]["loss"]
    assert second["loss"] != plain.metrics()[1]["loss"]


def test_a_schedule_weighs_it_and_zero_switches_it_off(tmp_path: Path) -> None:
    rising = "objective.consistency={y: {weight: {from: 0, to: 8, begin: 1, epochs: 1}, confidence: 0}}"
    run = train(tmp_path, "training.epochs=3", rising)
    first, second, third = (record["terms"] for record in run.metrics())
    assert "consistency.y" not in first
    assert second["consistency.y"] > 0 and third["consistency.y sure"] == 1.0
    (agreement,) = agreements(load(tmp_path / "tiny.yaml", [rising]))
    assert [agreement.weight_at(epoch) for epoch in (0.5, 1.5, 2.0, 5.0)] == [0.0, 4.0, 8.0, 8.0]


def test_a_stopped_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    for ema in ("null", "0.9"):
        wanted = ("objective.consistency={y: {weight: 5, after: 0.3, confidence: 0.4}}", f"training.ema={ema}")
        whole = train(tmp_path, *wanted, "training.epochs=3", out=f"whole{ema}")
        train(tmp_path, *wanted, "training.epochs=3", out=f"parts{ema}", epochs=1)
        parts = train(tmp_path, *wanted, "training.epochs=3", out=f"parts{ema}", epochs=3, resume=True)
        for name, value in raw_weights(whole).items():
            assert torch.equal(value, raw_weights(parts)[name])
        assert [r["loss"] for r in whole.metrics()] == [r["loss"] for r in parts.metrics()]


# --- graphs of every form ---------------------------------------------------------------------------------------------

GRAPH = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 3}
  a: {role: latent, LATENT}
  d: {role: supervised, domain: category, classes: 2}
  y: {role: supervised, LABEL}
generative:
  a: {}
  d: {}
  y: {}
  x: {parents: [a, d, y]}
recognition:
  a: {parents: [x]}
  d: {parents: [DPARENTS]}
  y: {parents: [YPARENTS]}
networks: {default: {kind: mlp, hidden: [5], activation: tanh}}
objective: {samples: SAMPLES, estimators: ESTIMATORS, consistency: {y: {weight: 3, confidence: 0.1}}}
"""
CATEGORY, BITS = "domain: category, classes: 3", "domain: binary, size: 2"
COUNT = "domain: count, min: 2, max: 4"
NONE = "{}"


def graph_model(
    latent: str = CATEGORY,
    label: str = CATEGORY,
    d: str = "x",
    y: str = "x, a",
    samples: int = 1,
    estimators: str = NONE,
) -> Model:
    text = GRAPH.replace("LATENT", latent).replace("LABEL", label).replace("DPARENTS", d).replace("YPARENTS", y)
    graphs = graphs_of(text.replace("SAMPLES", str(samples)).replace("ESTIMATORS", estimators))
    return compile_spec(graphs, seed=3, dtype=torch.float64)


def rows_of(model: Model, count: int = 6, **labels: list[int]) -> dict[str, Tensor]:
    torch.manual_seed(5)
    rows = {"x": (torch.rand(count, 3) < 0.5).double()}
    return rows | {name: torch.tensor(values) for name, values in labels.items()}


def support_of(model: Model, name: str) -> list[list[float]]:
    variable = model.graphs.variables[name]
    elements = math.prod(variable.shape)
    return [list(v) for v in itertools.product(range(variable.support or 0), repeat=elements)]


@torch.no_grad()
def exact(model: Model, rows: dict[str, Tensor]) -> Tensor:
    """q(y_e = k | x, labels upstream that the row has): every world of a and d in a plain loop, [B, *shape, K]."""
    variable = model.graphs.variables["y"]
    above = set(model.graphs.stochastic_parents(model.graphs.recognition["y"]))
    weighs = "d" in above and "a" in model.graphs.stochastic_parents(model.graphs.recognition["d"])
    found = []
    for row in range(len(rows["x"])):
        label = int(rows["d"][row]) if "d" in rows else -1
        total, weight = torch.zeros(*variable.shape, variable.support, dtype=torch.float64), 0.0
        for a, d in itertools.product(support_of(model, "a"), [0, 1] if label == -1 else [label]):
            for value in support_of(model, "y"):
                shaped = torch.tensor([value]).reshape(1, *variable.shape) + variable.minimum
                world = {
                    "x": rows["x"][row : row + 1],
                    "a": torch.tensor([a]).reshape(1),
                    "d": torch.tensor([d]),
                    "y": shaped,
                }
                each = {n: float(v) for n, v in model.log_prob("recognition", world).items()}
                given = each["d"] if label == -1 or weighs else 0.0
                mass = math.exp(each["a"] + given)
                probability = mass * math.exp(each["y"])
                for place, k in zip(itertools.product(*map(range, variable.shape)), value, strict=False):
                    total[(*place, int(k))] += probability
                weight += mass if value == support_of(model, "y")[0] else 0.0
        found.append(total / weight)
    return torch.stack(found)


FORMS = [
    {"y": "x"}, {"y": "x, a"}, {"y": "a"}, {"y": "x, d"}, {"y": "x, a, d", "d": "x, a"}, {"y": "d, a", "d": "x"},
    {"y": "d", "d": "x, a"}, {"y": "a", "d": "y, x"}, {"label": BITS}, {"label": BITS, "y": "a, d", "d": "a"},
    {"label": COUNT}, {"label": COUNT, "y": "d"}, {"label": "domain: binary"},
    {"label": "domain: category, classes: 3, shape: [2, 1]"},
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: " ".join(f"{k}={v}" for k, v in form.items()))
def test_both_answers_are_exact_where_everything_hidden_is_enumerated(form: dict[str, str]) -> None:
    """The teacher's reduced run and the student's part of the bound's own run, for rows with and without d."""
    model = graph_model(**form)  # type: ignore[arg-type]
    rows = rows_of(model, d=[-1, 0, 1, -1, 1, 0])
    weights = ObjectiveWeights.at(model.graphs, None, 0)
    student = model.evaluate(rows, weights=weights, noise=Noise(0, 6), answers=("y",)).answers["y"]
    teacher = Answers(model, ["y"])(rows, Noise(0, 6))["y"]
    expected = exact(model, rows)
    torch.testing.assert_close(student.exp().detach(), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(teacher.exp().detach(), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(expected.sum(-1), torch.ones_like(expected[..., 0]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("latent", ["domain: real, size: 2", "domain: positive"])
def test_draws_upstream_are_averaged_inside_the_logarithm(latent: str) -> None:
    """log of the mean of q(y | draw) over the very draws that the bound takes, with pathwise gradients."""
    model = graph_model(latent=latent, samples=4)
    rows = rows_of(model)
    weights = ObjectiveWeights.at(model.graphs, None, 0)
    student = model.evaluate(rows, weights=weights, noise=Noise(7, 6), answers=("y",)).answers["y"]
    drawn = values_of(model, rows, Noise(7, 6))
    expected = torch.zeros(6, 3, dtype=torch.float64)
    for sample in range(4):
        for k in range(3):
            world = {
                "x": rows["x"],
                "a": drawn["a"][sample],
                "d": torch.zeros(6),
                "y": torch.full((6,), k),
            }
            expected[:, k] += model.log_prob("recognition", world)["y"].exp() / 4
    torch.testing.assert_close(student, expected.log(), rtol=0, atol=1e-12)
    parameters = list(model.conditional(model.graphs.recognition["a"]).parameters())
    ours, theirs = (torch.autograd.grad(t[:, 0].sum(), parameters) for t in (student, expected.log()))
    assert max(float(g.abs().max()) for g in ours) > 1e-4
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimators", ["{a: relax}", "{a: {kind: enumerate, budget: 1}}"])
def test_relaxed_and_budgeted_variables_upstream_work(estimators: str) -> None:
    """Their answers are distributions, near the exact ones on average over many draws, and have gradients."""
    model = graph_model(samples=8, estimators=estimators.replace("relax", "{kind: relax, temperature: 0.05}"))
    rows = rows_of(model)
    many = {name: value.repeat_interleave(3000, 0) for name, value in rows.items()}
    weights = ObjectiveWeights.at(model.graphs, None, 0)
    student = model.evaluate(many, weights=weights, noise=Noise(0, 18000), answers=("y",)).answers["y"]
    torch.testing.assert_close(student.exp().sum(-1), torch.ones(18000, dtype=torch.float64), rtol=0, atol=1e-9)
    mean = student.exp().reshape(6, 3000, 3).mean(1).detach()
    torch.testing.assert_close(mean, exact(model, rows), rtol=0, atol=0.01)
    gradient = torch.autograd.grad(student[:, 0].sum(), list(model.parameters()), allow_unused=True)
    assert all(g is None or bool(g.isfinite().all()) for g in gradient)


def test_the_score_function_reaches_what_is_drawn() -> None:
    """With many draws the gradient is that of the exact sum; its sign and its size."""
    drawn, summed = graph_model(samples=4000, estimators="{a: score_function}"), graph_model()
    rows = rows_of(drawn, 3)
    weights = ObjectiveWeights.at(drawn.graphs, None, 0)
    gradients = []
    for model in (drawn, summed):
        answer = model.evaluate(rows, weights=weights, noise=Noise(0, 3), answers=("y",)).answers["y"]
        parameters = list(model.conditional(model.graphs.recognition["a"]).parameters())
        found = torch.autograd.grad(answer[:, 0].sum(), parameters)
        gradients.append(torch.cat([g.flatten() for g in found]))
    estimate, truth = gradients
    assert float(truth.norm()) > 1e-3
    assert float((estimate - truth).norm()) < 0.15 * float(truth.norm())


def test_labels_given_in_part_count_by_element() -> None:
    """A masked y: the answer is there for every element, and rows weigh by those that they lack."""
    model = graph_model(label=BITS)
    rows = rows_of(model) | {"y": torch.tensor([[0, -1], [1, 1], [-1, -1], [-1, 0], [0, 0], [-1, -1]]).double()}
    weights = ObjectiveWeights.at(model.graphs, None, 0)
    student = model.evaluate(rows, weights=weights, noise=Noise(0, 6), answers=("y",)).answers["y"]
    whole = torch.tensor([False, True, False, False, True, False])
    assert bool(student[whole].isnan().all()) and not bool(student[~whole].isnan().any())
    free = {name: value for name, value in rows.items() if name != "y"}
    torch.testing.assert_close(student[~whole].exp(), exact(model, free)[~whole], rtol=0, atol=1e-12)


def test_the_teacher_runs_only_what_its_answer_needs() -> None:
    model = graph_model(y="x, a", d="x")
    program = reduced(model.program(Pattern(()))[0], ["y"])
    assert [step.factor.variable for step in program.recognition] == ["a", "y"]
    assert program.generative == ()
    plan = plan_answers(model.program(Pattern(()))[0], ["y"])
    assert {line.options["factor"] for line in plan.lines if line.op == "parameters"} == {
        "recognition.a",
        "recognition.y",
    }


def test_a_masked_program_for_all_patterns_answers_too() -> None:
    """Above 16 patterns one program serves every row: the same penalty as with one program per pattern."""
    names = [f"s{i}" for i in range(5)]
    text = "graphspec: 1\nvariables:\n  x: {role: observed, domain: binary, size: 3}\n"
    text += "".join(f"  {n}: {{role: supervised, domain: binary}}\n" for n in names)
    text += "generative:\n" + "".join(f"  {n}: {{}}\n" for n in names) + f"  x: {{parents: [{', '.join(names)}]}}\n"
    text += "recognition:\n" + "".join(f"  {n}: {{parents: [x]}}\n" for n in names[:4]) + "  s4: {parents: [x, s0]}\n"
    model = compile_spec(graphs_of(text, "objective.consistency={s4: {weight: 1}}"), dtype=torch.float64)
    rows = rows_of(model) | {"s0": torch.tensor([0, 1, -1, 0, 1, -1]).double()}
    answer = Answers(model, ["s4"])(rows, Noise(0, 6))["s4"].exp().detach()
    for row in range(6):
        label, expected = int(rows["s0"][row]), 0.0
        for s0 in (0, 1):
            world = {n: torch.zeros(1) for n in names} | {
                "x": rows["x"][row : row + 1],
                "s0": torch.tensor([float(s0)]),
            }
            each = {
                n: float(v.detach().exp())
                for n, v in model.log_prob("recognition", {**world, "s4": torch.ones(1)}).items()
            }
            expected += each["s4"] * (each["s0"] if label == -1 else float(s0 == label))
        assert float(answer[row, 1]) == pytest.approx(expected, abs=1e-12)


# --- rows and their weights -------------------------------------------------------------------------------------------

TWO = (
    "variables.d={role: supervised, domain: binary}",
    "generative={d: {}, y: {}, z: {}, x: {parents: [d, y, z], distribution: bernoulli}}",
    "recognition.d={parents: [h]}",
    "data.variables.d={column: y, missing: [2]}",
    "data.labels={y: 12}",
    "training.batch_size=7",
    "training.labelled_batch_size=5",
)


def teacher_of(model: Model) -> tuple[Teacher, PreparedData]:
    data = prepare_rows(model, None)
    model.rates = data.rates()
    return Teacher(model, data, Average(model, 0.9)), data


def row_weights(
    model: Model, epoch: int, process: int = 0, processes: int = 1
) -> Iterator[tuple[BatchRows, Tensor, Tensor]]:
    """(step, positions, what the rows of y's regulariser weigh) of one process in one epoch."""
    teacher, data = teacher_of(model)
    patterns = patterns_of(model, data.training)
    for step in epoch_batches(data, epoch, 7, 5, seed=0):
        share = share_of(step.unlabelled, step.labelled, 0.5, process, processes)
        rows = data.training.batch(share.positions, torch.float64)
        targets = teacher.targets(step, 1.0, share, rows, rows, patterns[share.positions])
        if targets is None:
            yield step, share.positions, torch.zeros(len(share.positions), dtype=torch.float64)
            continue
        (asked,) = targets.asked
        yield step, share.positions, asked.row_weights


def test_every_row_without_the_label_weighs_the_same_on_average(tmp_path: Path) -> None:
    """d is a label of other rows: those that have d and lack y come by the labelled stream and count as much."""
    model = loaded(tmp_path, *TWO, "objective.consistency={y: {weight: 1}}")
    _, data = teacher_of(model)
    without = rows_without(model, data.training, "y")
    labelled = torch.zeros(len(without), dtype=torch.bool)
    labelled[data.labelled] = True
    assert int((without & labelled).sum()) > 5 and int((~without).sum()) == 12 and len(data.unlabelled) > 5
    total, steps = torch.zeros(len(without), dtype=torch.float64), 0
    for epoch in range(30):
        for _, positions, weights in row_weights(model, epoch):
            total.index_add_(0, positions, weights)
            steps += 1
    mean, count = total / steps, int(without.sum())
    assert bool((mean[~without] == 0).all())
    for rows in (without & labelled, without & ~labelled):
        assert float(mean[rows].mean()) == pytest.approx(1 / count, rel=0.03)
    assert float(mean.sum()) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("processes", [2, 3, 13])
def test_rows_weigh_the_same_for_any_number_of_processes(tmp_path: Path, processes: int) -> None:
    """Also where nothing is left for a process: its row counts nothing."""
    model = loaded(tmp_path, *TWO, "objective.consistency={y: {weight: 1}}")
    alone = [dict(zip(p.tolist(), w.tolist(), strict=True)) for _, p, w in row_weights(model, 0)]
    together: list[dict[int, float]] = [{} for _ in alone]
    for process in range(processes):
        for step, (_, positions, weights) in zip(together, row_weights(model, 0, process, processes), strict=True):
            for row, weight in zip(positions.tolist(), weights.tolist(), strict=True):
                step[row] = step.get(row, 0.0) + weight
    assert together == [pytest.approx(step, abs=1e-15) for step in alone]


def test_with_one_label_it_is_the_mean_over_the_unlabelled_rows_of_the_step(tmp_path: Path) -> None:
    model = loaded(tmp_path, "objective.consistency={y: {weight: 1}}")
    for step, _, weights in row_weights(model, 0):
        count = len(step.unlabelled)
        assert weights.tolist() == pytest.approx([1 / count] * count + [0.0] * len(step.labelled), abs=1e-15)


def test_the_teacher_sees_the_rows_as_they_are_and_leaves_the_model_alone(tmp_path: Path) -> None:
    """Evaluation mode, averaged weights and batch statistics; nothing of the model changes."""
    model = loaded(tmp_path, "objective.consistency={y: {weight: 1}}").train()
    teacher, data = teacher_of(model)
    average = teacher.average
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter)
        for averaged in average.tensors().values():
            averaged += 0.3
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer += 0.1
    before = {name: value.clone() for name, value in model.state_dict().items()}
    step = next(epoch_batches(data, 0, 20, None, seed=0))
    share = share_of(step.unlabelled, step.labelled, 0.5)
    rows = data.training.batch(share.positions, torch.float64)
    targets = teacher.targets(step, 0.0, share, rows, rows, patterns_of(model, data.training)[share.positions])
    assert targets is not None and not targets.answers["y"].requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and all(module.training for module in model.modules())
    with average.in_place():
        expected = class_probabilities(model.eval(), rows).detach()
    count = len(step.unlabelled)
    torch.testing.assert_close(targets.answers["y"][:count], expected[:count], rtol=0, atol=1e-12)


def test_frozen_factors_are_shared_and_not_averaged(tmp_path: Path) -> None:
    model = loaded(tmp_path)
    frozen = model.factors["recognition--h"].requires_grad_(False)
    average = Average(model, 0.9)
    copy = twin(model, average)
    own: dict[str, Tensor] = dict(model.named_parameters())
    theirs: dict[str, Tensor] = dict(copy.named_parameters())
    shared = {name for name in own if own[name].data_ptr() == theirs[name].data_ptr()}
    assert shared == {f"factors.recognition--h.{name}" for name, _ in frozen.named_parameters()}
    theirs |= dict(copy.named_buffers())
    for name, value in average.tensors().items():
        assert theirs[name].data_ptr() == value.data_ptr()
    assert any("running" in name for name in average.tensors())
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert copy.graphs is model.graphs


def test_where_every_row_has_the_label_it_never_acts(tmp_path: Path) -> None:
    run = train(tmp_path, "data.labels=null", "objective.consistency={y: {weight: 9}}", "training.epochs=1")
    plain = train(tmp_path, "data.labels=null", "training.epochs=1", out="plain")
    assert run.metrics()[0]["terms"] == plain.metrics()[0]["terms"]


def test_terms_that_weigh_rows_in_their_own_way() -> None:
    meter, half = Meter(), torch.tensor([0.5, 0.5])
    terms = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([1.0, 3.0])}
    meter.add(torch.tensor(0.0), torch.zeros(2), terms, {}, half, 1, {"b": torch.tensor([0.75, 0.25])})
    assert meter.read().terms == {"a": 2.0, "b": 1.5}


# --- what is said about it --------------------------------------------------------------------------------------------


def test_explain_lists_it_apart(tmp_path: Path) -> None:
    setting = "objective.consistency={y: {weight: {from: 0, to: 50, epochs: 5}, after: 2, confidence: 0.95}}"
    plain, graphs = (explain(loaded(tmp_path, *extra).graphs) for extra in ((), (setting,)))
    text = as_text(graphs)
    assert "not part of the bound" in text and "not part of the bound" not in as_text(plain)
    assert "R[y] = w[y] · mean over rows without y of 1[max_k q̄(y = k | clean x) ≥ 0.95]" in text
    assert "(−Σ_k q̄(y = k | clean x) log q(y = k | x))" in text
    assert "w[y] = 0 → 50 over 5 epochs from epoch 2 on; averaged weights of decay 0.999" in text
    kept = [line for line in as_text(plain).splitlines() if line]
    assert all(line in text.splitlines() for line in kept), "the bound reads as it does without"
    assert r"\mathbf{1}\!\left[\max_k \bar q(y = k \mid \mathring{x}) \ge 0.95\right]" in as_latex(graphs)
    (entry,) = as_json(graphs)["not_part_of_the_bound"]
    assert as_json(plain)["not_part_of_the_bound"] == []
    assert entry["name"] == "consistency.y" and entry["after"] == 2 and entry["confidence"] == 0.95


def test_explain_tells_what_is_upstream_and_counts_elements() -> None:
    text = as_text(explain(graph_model(label=BITS, y="x, a, d").graphs))
    assert "of Σ_d 1[max_k q̄(y_d = k | clean x, d) ≥ 0.1]" in text
    assert "a upstream of y: each q is the mean over it" in text
    assert "d: the row's own label where it has one" in text


def test_emitted_code_is_the_bound_and_says_what_it_lacks(tmp_path: Path) -> None:
    plain, text = (emit(loaded(tmp_path, *extra).graphs) for extra in ((), (SAME,)))
    assert "Not in this file: consistency.y. It is no part of the bound" in text
    assert set(text.splitlines()) - set(plain.splitlines()) == {
        line for line in text.splitlines() if "consistency.y" in line or "weights, which the training loop" in line
    }


@pytest.mark.parametrize(
    ("overrides", "codes"),
    [
        ([], ["GS115"]),
        (["data.variables.x={column: image, augment: {shift: 1}}"], []),
        (["data.variables.x={column: image, binarize: dynamic}"], []),
        (["data.variables.x={column: image, binarize: threshold}"], ["GS115"]),
        (["recognition.y.network={kind: mlp, hidden: 8, dropout: 0.1}"], []),
        (["generative.x.network={kind: mlp, hidden: 8, dropout: 0.1}"], ["GS115"]),
        (["recognition={z: {parents: [x]}, y: {parents: [x, z]}}"], []),
        (["variables.y.allow=[GS115]"], []),
    ],
)
def test_the_two_rows_should_differ(overrides: list[str], codes: list[str]) -> None:
    text = M2 + "data: {source: digits, variables: {x: image, y: label}, labels: {y: 20}}\n"
    text = text.replace("classes: 3", "classes: 10")
    found = found_in(text, SAME, *overrides)
    assert [d.code for d in found if d.code == "GS115"] == codes
    assert all(d.severity == "warning" and pointed_at(d) == "y" for d in found if d.code == "GS115")
    assert codes_in(M2, SAME) == [], "without data nothing is known about the rows"


@pytest.mark.parametrize("domain", ["real", "positive", "unit", "direction, size: 3", "count"])
def test_labels_without_classes_are_refused_at_check(domain: str) -> None:
    text = M2.replace("domain: category, classes: 3", f"domain: {domain}")
    text = text.replace("  y: {}", "  y: {distribution: poisson, parameters: {rate: 1}}") if domain == "count" else text
    (found,) = [d for d in found_in(text, SAME) if d.severity == "error"]
    assert found.code == "GS070" and "has no classes" in found.message
    assert found.hint is not None and "category, binary and bounded count" in found.hint
