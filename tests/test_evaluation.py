"""Figures of merit against values worked out by hand, and `measure` on a model whose answers are known."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from compiler import compile_spec
from compiler.model.model import Evaluation, Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.diagnostics import SourceText
from graphspec.graphs.graph import Factor, Graphs, Variable
from graphspec.language import Spec
from graphspec.language.families import FAMILIES
from graphspec.loading import load
from runtime.data import Rows, Units
from runtime.measures.disentanglement import METRICS
from runtime.measures.error_interval import wilson_interval
from runtime.measures.evaluation import compare_codes, evaluate_rows, known_factors, measure
from runtime.measures.metrics import calibration_error, confusion, log_loss, root_mean_square, share_wrong


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_share_wrong_counts_labels_that_differ() -> None:
    assert share_wrong(integers(0, 1, 2, 1), integers(0, 1, 1, 2)) == 0.5


def test_root_mean_square_is_in_the_units_of_its_arguments() -> None:
    assert root_mean_square(np.array([0.0, 3.0]), np.array([4.0, 0.0])) == pytest.approx(math.sqrt(12.5))


def test_log_loss_of_known_probabilities_and_of_a_rounded_zero() -> None:
    table = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert log_loss(table, integers(0, 1)) == pytest.approx((math.log(2) - math.log(0.75)) / 2)
    assert 80 < log_loss(np.array([[1.0, 0.0]]), integers(1)) < 100


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = np.tile([0.9, 0.1], (10, 1))
    assert calibration_error(sure, integers(*[0] * 9, 1)) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(sure, integers(*[0] * 5, *[1] * 5)) == pytest.approx(0.4)


def test_calibration_weighs_bins_by_their_rows() -> None:
    table = np.array([[1.0, 0.0]] * 3 + [[0.6, 0.4]])
    assert calibration_error(table, integers(0, 0, 0, 1)) == pytest.approx(0.25 * 0.6)


def test_confusion_has_true_classes_in_rows() -> None:
    assert confusion(integers(1, 1, 0), integers(0, 1, 0), 2).tolist() == [[1, 1], [0, 1]]


class Oracle(Model):
    """Stands in for a trained model: x tells it everything, in ways the test chooses."""

    def __init__(self, graphs: Graphs, answers: Any) -> None:
        torch.nn.Module.__init__(self)
        self.graphs, self.answers, self.seen = graphs, answers, []

    def evaluate(self, rows: Any, *, weights: ObjectiveWeights, noise: Noise, samples: int | None = None) -> Evaluation:
        self.seen.append((set(rows), weights, samples))
        return Evaluation(-rows["x"].flatten(1).sum(1), {}, {})

    def predict(
        self, name: str, rows: Any, *, samples: int = 1, noise: Noise, beyond_count: bool = False, by: str = ""
    ) -> Tensor:
        assert set(rows) == {"x"}, "labels leaked into the prediction"
        return self.answers[name](rows["x"])

    def posterior_means(self, rows: Any, *, noise: Noise) -> dict[str, Tensor]:
        return {"y": rows["x"][:, 0].round().long(), "z": rows["x"]}


def graphs_of(*supervised: Variable, family: str = "bernoulli", domain: Any = "unit") -> Graphs:
    names = {v.name: v for v in supervised}
    x = Variable("x", "observed", domain, (2,))
    z = Variable("z", "latent", "real", (2,))
    spec = Spec.model_validate(
        {
            "graphspec": 1,
            "variables": {"x": {"role": "observed"}},
            "generative": {"x": {}},
            "recognition": {},
            "objective": {"beta": {"z": 4.0}, "free_bits": {"z": 2.0}},
        }
    )
    factor = Factor("generative", "x", (*names, "z"), FAMILIES[family])
    return Graphs(spec, SourceText("s.yaml", ""), {"x": x, **names, "z": z}, {"x": factor}, {})


Y = Variable("y", "supervised", "category", (), support=3)


def rows_of(x: Tensor, **labels: Tensor) -> Rows:
    return Rows({"x": x, **labels}, torch.arange(len(x)))


def one_hot(x: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(x[:, 0].long(), 3).float() * 0.7 + 0.1


def test_elbo_is_the_mean_bound_with_plain_weights_and_labels_hidden() -> None:
    model = Oracle(graphs_of(Y), {"y": one_hot})
    x = torch.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [2.0, 0.0], [1.0, 0.0]])
    report = evaluate_rows(model, rows_of(x, y=torch.tensor([0, 1, 2, 2, 1])), batch_size=2, samples=3)
    assert report["rows"] == 5
    assert report["elbo"] == pytest.approx(-9 / 5)
    names, weights, samples = model.seen[0]
    assert len(model.seen) == 3
    assert names == {"x"}
    assert samples == 3
    assert weights.number("alpha", "y") == 0.0
    assert weights.number("beta", "z") == 1.0
    assert weights.number("free_bits", "z") == -math.inf


def test_category_errors_leave_blanks_out() -> None:
    model = Oracle(graphs_of(Y), {"y": one_hot})
    x = torch.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [2.0, 0.0]])
    report = evaluate_rows(model, rows_of(x, y=torch.tensor([0, 2, -1, 2])))["variables"]["y"]
    assert report["rows"] == 3
    assert report["error"] == pytest.approx(1 / 3)
    assert report["interval"] == list(wilson_interval(1 / 3, 3))
    assert report["log_loss"] == pytest.approx(-(2 * math.log(0.8) + math.log(0.1)) / 3, rel=1e-6)
    assert report["calibration"] == pytest.approx(0.8 - 2 / 3, rel=1e-5)


def test_a_bounded_count_is_scored_by_its_value_not_its_index() -> None:
    count = Variable("y", "supervised", "count", (), support=3, minimum=1)
    model = Oracle(graphs_of(count), {"y": one_hot})
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    report = evaluate_rows(model, rows_of(x, y=torch.tensor([1, 2, 3])))
    assert report["variables"]["y"]["error"] == 0.0
    assert evaluate_rows(model, rows_of(x, y=torch.tensor([1, 2, 2])))["variables"]["y"]["error"] == pytest.approx(
        1 / 3
    )


def test_binary_vectors_are_scored_element_by_element() -> None:
    attributes = Variable("a", "supervised", "binary", (2,), support=2)
    model = Oracle(graphs_of(attributes), {"a": lambda x: torch.stack([1 - x, x], dim=-1)})
    x = torch.tensor([[0.9, 0.2], [0.4, 0.8]])
    report = evaluate_rows(model, rows_of(x, a=torch.tensor([[1, -1], [1, 1]])))["variables"]["a"]
    assert report["rows"] == 2
    assert report["error"] == pytest.approx(1 / 3)


def test_real_errors_are_root_mean_squares_in_data_units() -> None:
    pose = Variable("p", "supervised", "real", (2,))
    model = Oracle(graphs_of(pose), {"p": lambda x: x})
    units = {"p": Units(torch.tensor([100.0, 0.0]).double(), torch.tensor([10.0, 2.0]).double())}
    x = torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    labels = torch.tensor([[0.0, 3.0], [float("nan"), 0.0]])
    measured = measure(model, rows_of(x, p=labels), units=units)
    figures = measured.report["variables"]["p"]
    assert figures["error"] == figures["rmse"] == pytest.approx(math.sqrt((100 + 16 + 0) / 3))
    assert (figures["rows"], figures["elements"]) == (2, 3)
    assert (figures["mae"], figures["median_error"]) == (pytest.approx(14 / 3), pytest.approx(4))
    assert measured.predictions["p"].values.tolist() == [110.0, 2.0, 0.0]


def test_an_unbounded_count_has_no_classes_to_be_wrong_about() -> None:
    events = Variable("n", "supervised", "count", ())
    model = Oracle(graphs_of(events), {"n": lambda x: x[:, 0]})
    report = evaluate_rows(model, rows_of(torch.tensor([[2.0, 0.0], [4.0, 0.0]]), n=torch.tensor([2, 7])))
    assert report["variables"]["n"]["error"] == pytest.approx(math.sqrt(4.5))
    assert report["variables"]["n"]["rows"] == 2 and "classes" not in report["variables"]["n"]


def test_a_split_without_any_label_reports_no_error() -> None:
    model = Oracle(graphs_of(Y), {"y": one_hot})
    report = evaluate_rows(model, rows_of(torch.zeros(3, 2), y=torch.full((3,), -1)))
    assert report["variables"]["y"] == {"error": None, "rows": 0}
    assert report["elbo"] == 0.0


@pytest.mark.parametrize(
    ("family", "domain", "grey", "noted"),
    [
        ("bernoulli", "unit", 0.5, True),
        ("bernoulli", "unit", 1.0, False),
        ("continuous_bernoulli", "unit", 0.5, False),
        ("bernoulli", "binary", 1.0, False),
    ],
)
def test_a_bernoulli_on_grey_values_is_said_not_to_be_a_density(
    family: str, domain: Any, grey: float, noted: bool
) -> None:
    model = Oracle(graphs_of(Y, family=family, domain=domain), {"y": one_hot})
    notes = evaluate_rows(model, rows_of(torch.tensor([[0.0, grey]]), y=torch.tensor([0])))["notes"]
    assert sum("not a density" in note for note in notes) == noted


def test_pixels_drawn_anew_are_drawn_before_anything_is_measured() -> None:
    model = Oracle(graphs_of(Y), {"y": one_hot})
    rows = rows_of(torch.full((4, 2), 0.5))
    report = evaluate_rows(model, rows, binarize=lambda batch, _: {**batch, "x": torch.ones_like(batch["x"])})
    assert report["elbo"] == -2.0
    assert report["notes"] == []


def test_measuring_leaves_the_model_in_its_mode_and_takes_no_gradient() -> None:
    model = Oracle(graphs_of(Y), {"y": one_hot})
    model.train()
    evaluate_rows(model, rows_of(torch.zeros(2, 2), y=torch.zeros(2, dtype=torch.long)))
    assert model.training


def test_codes_are_compared_with_factors_that_training_never_saw() -> None:
    model = Oracle(graphs_of(Y), {"y": one_hot})
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    rows = Rows({"x": x, "y": torch.tensor([0, 1, -1, 1])}, torch.arange(4), {"side": np.array(["l", "r", "l", "r"])})
    report = measure(model, rows, disentanglement=METRICS).report["disentanglement"]
    assert report["purity"] == {"y": {"y": 1.0, "side": 1.0}}
    assert report["mig"]["factors"] == {"y": pytest.approx(0.0), "side": pytest.approx(0.0)}  # y and z[0] both tell
    assert list(report)[:-1] == list(METRICS)
    few = measure(model, rows, disentanglement=("mig",)).report["disentanglement"]
    assert few == {"mig": report["mig"], "rows": 4}
    assert "disentanglement" not in measure(model, rows).report


def test_codes_of_elements_are_said_not_to_be_held_against_factors() -> None:
    """Where nothing hidden has one value a row."""
    graphs = load(
        "s.yaml",
        text="""
graphspec: 1
plates: {time: {size: 3}}
variables: {x: {role: observed, domain: real, plate: time}, z: {role: latent, domain: real, plate: time}}
generative: {z: {}, x: {parents: [z], network: {kind: linear}}}
recognition: {z: {parents: [x], network: {kind: linear}}}
""",
    )
    model = compile_spec(graphs, seed=0)
    rows = Rows({"x": torch.randn(4, 3)}, torch.arange(4), {"side": np.array(["l", "r", "l", "r"])})
    report = measure(model, rows, disentanglement=METRICS).report
    assert report["notes"] == [
        "no code is held against `data.factors`: z stands in plates, and metrics of codes count rows"
    ]
    assert measure(model, rows).report["notes"] == []


def test_factors_are_columns_and_labels_with_blanks_unknown() -> None:
    pose = Variable("p", "supervised", "real", (2,))
    graphs = graphs_of(Y, pose)
    values = {"x": torch.zeros(2, 2), "y": torch.tensor([-1, 2]), "p": torch.tensor([[0.5, math.nan], [-1.0, 2.0]])}
    found = known_factors(graphs, Rows(values, torch.arange(2), {"f": np.array(["a", "b"])}))
    assert list(found) == ["y", "p", "f"]
    np.testing.assert_array_equal(found["y"], [math.nan, 2.0])
    np.testing.assert_array_equal(found["p"], [[0.5, math.nan], [-1.0, 2.0]])
    same_name = known_factors(graphs, Rows(values, torch.arange(2), {"y": np.array([5, 6])}))
    assert same_name["y"].tolist() == [5, 6]


def test_one_code_that_alone_tells_a_factor_has_the_whole_gap() -> None:
    graphs = SimpleNamespace(variables={"z": Variable("z", "latent", "real", (2,))})
    codes = {"z": np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])}
    report = compare_codes(graphs, codes, {"f": np.array([3, 3, 8, 8])})  # type: ignore[arg-type]
    assert report["mig"] == {"mean": pytest.approx(1.0), "factors": {"f": pytest.approx(1.0)}}
    assert report["purity"] == {}


@pytest.mark.parametrize(("wrong", "rows"), [(0, 1), (1, 1), (0, 12), (3, 10), (29, 30), (512, 4096)])
def test_the_interval_of_an_error_is_wilsons(wrong: int, rows: int) -> None:
    expected = stats.binomtest(wrong, rows).proportion_ci(0.95, method="wilson")
    assert wilson_interval(wrong / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("rows", "said"), [(1, "1 labelled row only"), (29, "29 labelled rows only"), (30, "")])
def test_an_error_of_few_labelled_rows_is_said_to_be_unsure(rows: int, said: str) -> None:
    x = torch.tensor([[float(i % 3), 1.0] for i in range(60)])
    labels = torch.where(torch.arange(60) < rows, torch.arange(60) % 3, -1)
    notes = evaluate_rows(Oracle(graphs_of(Y), {"y": one_hot}), rows_of(x, y=labels))["notes"]
    assert len(notes) == bool(said) and all(said in note and "95 % interval" in note for note in notes)


def test_the_interval_of_a_vector_counts_rows_not_elements() -> None:
    attributes = Variable("a", "supervised", "binary", (4,), support=2)
    model = Oracle(graphs_of(attributes), {"a": lambda x: torch.stack([1 - x, x], dim=-1)})
    report = evaluate_rows(model, rows_of(torch.full((5, 4), 0.9), a=torch.ones(5, 4, dtype=torch.long)))
    assert report["variables"]["a"]["interval"] == list(wilson_interval(0.0, 5))
