"""Figures of one label against scikit-learn's and against values worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn import metrics as sklearn

from graphspec.graphs.graph import Variable
from runtime.measures.evaluation import degrees_between
from runtime.measures.label_figures import Prediction, summarize
from runtime.measures.metrics import area_under_curve, confusions, sign_test

RNG = np.random.default_rng(0)
KIND = Variable("kind", "supervised", "category", (), support=4, names=("ant", "bee", "cat", "dog"))
YES = Variable("sick", "supervised", "binary", (), support=2, names=("NO", "YES"))


def classes_of(variable: Variable, labels: Any, probabilities: Any) -> dict[str, Any]:
    """Figures of a single label per row."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    row = np.arange(len(labels))
    return summarize(Prediction(variable, labels, probabilities.argmax(1), probabilities, row, row * 0))


def numbers_of(labels: Any, values: Any, element: Any = None, **options: Any) -> dict[str, Any]:
    labels, values = np.asarray(labels, dtype=np.float64), np.asarray(values, dtype=np.float64)
    row = np.arange(len(labels))
    variable = Variable("p", "supervised", "real", () if element is None else (2,))
    element = row * 0 if element is None else np.asarray(element)
    return summarize(Prediction(variable, labels, values, None, row, element, **options))


@pytest.mark.parametrize("present", [4, 3, 2])
def test_figures_of_classes_are_scikit_learns(present: int) -> None:
    labels = RNG.integers(0, present, 200)
    table = RNG.dirichlet([1, 1, 1, 0.05], 200)
    table[np.arange(200), labels] += 0.3 * RNG.random(200)
    table /= table.sum(1, keepdims=True)
    found, answers = classes_of(KIND, labels, table), table.argmax(1)
    assert found["balanced_error"] == pytest.approx(
        1 - sklearn.recall_score(labels, answers, average="macro", labels=range(present))
    )
    assert found["macro_f1"] == pytest.approx(sklearn.f1_score(labels, answers, average="macro"))
    assert found["confusion"] == sklearn.confusion_matrix(labels, answers, labels=range(4)).tolist()
    for name, index in (("ant", 0), ("bee", 1)):
        assert found["classes"][name] == {
            "rows": int((labels == index).sum()),
            "recall": pytest.approx(sklearn.recall_score(labels == index, answers == index)),
            "precision": pytest.approx(sklearn.precision_score(labels == index, answers == index)),
        }
    if present < 4:
        assert found["classes"]["dog"]["recall"] is None


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_under_the_curve_is_scikit_learns_also_with_ties(ties: bool) -> None:
    positive = RNG.random(300) < 0.2
    scores = RNG.normal(size=300) + positive
    scores = scores.round() if ties else scores
    assert area_under_curve(scores, positive) == pytest.approx(sklearn.roc_auc_score(positive, scores))
    assert area_under_curve(scores, np.ones(300, dtype=bool)) is None


def test_a_class_never_answered_has_no_precision_and_no_recall_to_speak_of() -> None:
    found = classes_of(YES, [0, 0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    assert found["classes"] == {
        "NO": {"rows": 3, "recall": 1.0, "precision": 0.75},
        "YES": {"rows": 1, "recall": 0.0, "precision": None},
    }
    assert (found["majority"], found["majority_error"], found["auc"]) == ("NO", 0.25, 1.0)
    assert found["error"] == 0.25 and not found["clearly_better"]
    assert found["balanced_error"] == 0.5


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (0, 3), (1, 0), (3, 3), (15, 5), (5300, 4700), (80_000, 79_000)])
def test_the_sign_test_is_scipys(won: int, lost: int) -> None:
    expected = binomtest(won, won + lost, alternative="greater").pvalue if won + lost else 1.0
    assert sign_test(won, lost) == pytest.approx(expected, rel=1e-8)


def test_clearly_better_takes_more_right_answers_than_luck_would_give() -> None:
    labels = np.array([0] * 50 + [1] * 50)

    def with_right(share: float) -> bool:
        right = np.arange(100) % 50 < 50 * share
        answers = np.where(right, labels, 1 - labels)
        return bool(classes_of(YES, labels, np.eye(2)[answers] * 0.8 + 0.1)["clearly_better"])

    assert [with_right(share) for share in (0.3, 0.5, 0.56, 0.7, 1.0)] == [False, False, False, True, True]


def test_elements_of_a_label_have_constant_answers_of_their_own() -> None:
    attributes = Variable("a", "supervised", "binary", (2,), support=2)
    labels = np.array([0, 1, 0, 1, 0, 1, 1, 1])  # the first element is mostly 0, the second always 1
    row, element = np.repeat(np.arange(4), 2), np.tile([0, 1], 4)
    table = np.eye(2)[[0, 1, 0, 1, 0, 1, 0, 1]]
    found = summarize(Prediction(attributes, labels, table.argmax(1), table, row, element))
    assert found["majority_error"] == found["error"] == 1 / 8
    assert found["balanced_error"] == pytest.approx((0.5 + 0.0) / 2)
    assert "classes" not in found and "majority" not in found
    assert (found["rows"], found["elements"]) == (4, 8)


def test_elements_of_a_plate_share_one_table_and_have_constant_answers_of_their_own() -> None:
    steps = Variable("state", "supervised", "category", (3,), support=4, names=KIND.names, row_axes=1)
    labels = RNG.integers(0, 4, 120)
    table = RNG.dirichlet([1, 1, 1, 1], 120)
    answers = table.argmax(1)
    found = summarize(Prediction(steps, labels, answers, table, np.repeat(np.arange(40), 3), np.tile(range(3), 40)))
    assert found["macro_f1"] == pytest.approx(sklearn.f1_score(labels, answers, average="macro"))
    assert found["confusion"] == sklearn.confusion_matrix(labels, answers, labels=range(4)).tolist()
    commonest = [np.bincount(labels[place::3]).max() for place in range(3)]
    assert found["majority_error"] == pytest.approx(1 - sum(commonest) / 120)


def test_confusions_go_to_the_element_they_are_of() -> None:
    tables = confusions(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([0, 1, 1]), 2, 2)
    assert tables.tolist() == [[[1, 0], [0, 0]], [[0, 1], [0, 1]]]


def test_figures_of_numbers_are_scikit_learns() -> None:
    labels = RNG.normal(200, 30, 80)
    values = labels + RNG.normal(0, 10, 80)
    found = numbers_of(labels, values)
    assert found["r2"] == pytest.approx(sklearn.r2_score(labels, values))
    assert found["mae"] == pytest.approx(sklearn.mean_absolute_error(labels, values))
    assert found["median_error"] == pytest.approx(sklearn.median_absolute_error(labels, values))
    assert found["mean_error"] == pytest.approx(labels.std())
    assert found["clearly_better"] and not numbers_of(labels, RNG.permutation(values))["clearly_better"]


def test_r2_of_a_vector_counts_each_element_from_its_own_mean() -> None:
    labels, element = np.array([0.0, 100.0, 2.0, 102.0]), [0, 1, 0, 1]
    assert numbers_of(labels, [1, 101, 1, 101], element)["r2"] == pytest.approx(0.0)
    assert numbers_of(labels, labels, element)["r2"] == 1.0
    assert numbers_of([5, 5, 5], [5, 6, 5])["r2"] is None


def test_a_bounded_count_is_also_judged_as_a_number() -> None:
    count = Variable("n", "supervised", "count", (), support=4, minimum=10)
    table = np.array([[0.5, 0.5, 0, 0], [0, 0, 0, 1.0]])
    found = classes_of(count, [1, 1], table)
    assert found["mae"] == pytest.approx((0.5 + 2) / 2)
    assert found["rmse"] == pytest.approx(math.sqrt((0.25 + 4) / 2))
    assert list(found["classes"]) == ["10", "11", "12", "13"] and found["majority"] == "11"


def test_angles_are_half_a_turn_at_most_and_blanks_are_left_out() -> None:
    truth = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [math.nan, math.nan], [1.0, 0.0]])
    predicted = torch.tensor([[0.2, 0.0], [-3.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1e-4]])
    angles = degrees_between(predicted, truth)
    assert angles == pytest.approx([0, 180, 45, math.degrees(1e-4)], abs=1e-4)
    found = numbers_of([1.0, 0.0, 1.0, 0.0], [1, 0, 0, 1], angles=np.array([0.0, 90.0]))
    assert found["angle_rms"] == pytest.approx(math.sqrt(4050)) and found["angle_median"] == 45


def test_directions_of_pictures_of_vectors_are_taken_along_the_first_axis() -> None:
    truth = torch.zeros(2, 3, 4)
    truth[:, 0] = 1.0
    predicted = torch.zeros(2, 3, 4)
    predicted[:, 1] = 1.0
    assert degrees_between(predicted, truth) == pytest.approx(np.full(8, 90.0))


def test_classes_beyond_the_names_go_by_their_number() -> None:
    some = Variable("kind", "supervised", "category", (), support=3, names=("fox", "owl"))
    assert list(classes_of(some, [0, 2], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])["classes"]) == ["fox", "owl", "2"]


def test_many_elements_are_judged_together_and_in_time() -> None:
    mask = Variable("mask", "supervised", "category", (300, 300), support=15)
    row, element = np.repeat(np.arange(2), 90_000), np.tile(np.arange(90_000), 2)
    labels = element % 15
    table = np.eye(15)[np.where(element % 2, labels, 0)]
    found = summarize(Prediction(mask, labels, table.argmax(1), table, row, element))
    assert found["balanced_error"] == pytest.approx(1 - (1 + 14 * 0.5) / 15, abs=0.01)
    assert list(found["classes"]) == [str(index) for index in range(15)]
