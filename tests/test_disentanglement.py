"""Metrics of disentanglement: by hand, at their limits, and under what must not change them."""

import json
import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, mutual_info_score
from typer.testing import CliRunner

from runtime.cli.app import app
from runtime.measures.disentanglement import (
    METRICS,
    balanced_accuracy,
    beta_vae,
    code_columns,
    compare,
    dci,
    entropies,
    factor_columns,
    factor_vae,
    from_importances,
    in_bins,
    information_gaps,
    irs,
    modularities,
    mutual_information,
    purity,
    sap,
    threshold_scores,
)
from runtime.measures.disentanglement.comparing import FEWEST_ROWS, MOST_ROWS, sample
from runtime.measures.disentanglement.fixing import _variances, group

RANDOM = np.random.default_rng
SIZES = (3, 4, 5)
GRID = np.array(list(product(*map(range, SIZES))) * 20)
"""Every combination of three factors, twenty times: [1200, 3]."""


def binned(codes: np.ndarray) -> np.ndarray:
    return np.stack([in_bins(column) for column in codes.T], axis=1)


def perfect() -> np.ndarray:
    """One code per factor, of other scales, directions and order, and a constant one."""
    return np.stack([-3.0 * GRID[:, 2], 0.1 * GRID[:, 0] + 7, np.full(len(GRID), 2.5), GRID[:, 1] ** 3.0], axis=1)


def turned() -> np.ndarray:
    """Standardized factors, turned so that every code mixes all of them equally: no column of it has a zero."""
    turn = np.eye(3) - 2 / 3
    return (GRID - GRID.mean(axis=0)) / GRID.std(axis=0) @ turn


def noise() -> np.ndarray:
    return RANDOM(3).uniform(-1, 1, (len(GRID), 4))


SCORES: dict[str, Callable[[np.ndarray], float]] = {
    "mig": lambda codes: float(np.mean(information_gaps(binned(codes), GRID))),
    "dci disentanglement": lambda codes: dci(codes, GRID).disentanglement,
    "dci completeness": lambda codes: dci(codes, GRID).completeness,
    "dci informativeness": lambda codes: dci(codes, GRID).informativeness,
    "sap": lambda codes: float(np.mean(sap(codes, GRID))),
    "factor_vae": lambda codes: factor_vae(codes, GRID).accuracy,
    "beta_vae": lambda codes: beta_vae(codes, GRID).accuracy,
    "irs": lambda codes: irs(codes, GRID).score,
    "modularity": lambda codes: float(np.nanmean(modularities(binned(codes), GRID))),
}
SAP_CEILING = 1 - np.mean([1 / 3, 1 / 4, 1 / 5])


@pytest.mark.parametrize("name", SCORES)
def test_a_code_per_factor_has_the_highest_score(name: str) -> None:
    assert SCORES[name](perfect()) == pytest.approx(SAP_CEILING if name == "sap" else 1.0, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in SCORES if name != "dci informativeness"])
def test_mixed_codes_score_lower(name: str) -> None:
    """All but informativeness: mixing loses nothing, so the forest can still tell.

    The BetaVAE score is known for its leniency: one linear combination of what moves is all it asks for.
    """
    assert SCORES[name](turned()) < SCORES[name](perfect()) - (0.05 if name == "beta_vae" else 0.15)


@pytest.mark.parametrize(
    ("name", "chance", "slack"),
    [
        ("mig", 0.0, 0.03),
        ("dci disentanglement", 0.0, 0.05),
        ("dci completeness", 0.0, 0.05),
        ("dci informativeness", 0.26, 0.07),
        ("sap", 0.0, 0.05),
        ("factor_vae", 1 / 3, 0.08),
        ("beta_vae", 1 / 3, 0.08),
        ("irs", 0.0, 0.03),
    ],
)
def test_noise_scores_what_chance_does(name: str, chance: float, slack: float) -> None:
    assert SCORES[name](noise()) == pytest.approx(chance, abs=slack)


@pytest.mark.parametrize("name", [name for name in SCORES if name != "irs"])
def test_neither_order_nor_scale_nor_direction_of_codes_matters(name: str) -> None:
    codes = turned() + 0.05 * RANDOM(1).normal(size=(len(GRID), 3))
    order = [2, 0, 1]
    # Powers of two, so that rounding is the same; equal widths of bins are half open, hence no exact mirror.
    slack = 0.02 if name in ("mig", "modularity") or name.startswith("dci") else 1e-9
    assert SCORES[name](codes[:, order] * np.array([4.0, -0.5, 8.0])) == pytest.approx(SCORES[name](codes), abs=slack)


@pytest.mark.parametrize("name", [name for name in SCORES if name not in ("dci informativeness", "modularity", "irs")])
def test_rows_in_another_order_score_about_the_same(name: str) -> None:
    codes, order = turned(), RANDOM(5).permutation(len(GRID))
    held = GRID[order]
    again = {
        "mig": lambda: np.mean(information_gaps(binned(codes[order]), held)),
        "dci disentanglement": lambda: dci(codes[order], held).disentanglement,
        "dci completeness": lambda: dci(codes[order], held).completeness,
        "sap": lambda: np.mean(sap(codes[order], held)),
        "factor_vae": lambda: factor_vae(codes[order], held).accuracy,
        "beta_vae": lambda: beta_vae(codes[order], held).accuracy,
    }
    assert again[name]() == pytest.approx(SCORES[name](codes), abs=0.08)


# --- information ---


def test_bins_keep_few_values_apart_and_cut_many_into_equal_widths() -> None:
    assert in_bins(np.array([2.5, -1.0, 2.5])).tolist() == [1, 0, 1]
    assert in_bins(np.array(["b", "a", "b"])).tolist() == [1, 0, 1]
    fine = in_bins(np.linspace(0, 1, 1000))
    assert set(fine.tolist()) == set(range(20))
    assert np.bincount(fine).min() >= 49


def test_mutual_information_is_that_of_scikit_learn_and_skips_unknown_rows() -> None:
    codes, factors = RANDOM(0).integers(0, 6, (200, 3)), RANDOM(1).integers(0, 4, (200, 2))
    factors[:, 1] = (codes[:, 2] + factors[:, 1] // 3) % 4
    found = mutual_information(codes, factors)
    for d, k in product(range(3), range(2)):
        assert found[d, k] == pytest.approx(mutual_info_score(codes[:, d], factors[:, k]), abs=1e-12)
    longer = np.concatenate([factors, np.full((50, 2), -1)])
    np.testing.assert_allclose(mutual_information(np.concatenate([codes, codes[:50]]), longer), found)
    assert entropies(longer) == pytest.approx(entropies(factors))


def test_information_gap_of_codes_that_tell_all_half_and_nothing() -> None:
    factor = np.array([[0], [1], [2], [3]])
    whole, half, nothing = factor, factor // 2, factor * 0
    gap = lambda *codes: information_gaps(np.concatenate(codes, axis=1), factor)[0]  # noqa: E731
    assert gap(whole, nothing) == pytest.approx(1.0)
    assert gap(nothing, half) == pytest.approx(0.5)
    assert gap(half, whole) == pytest.approx(0.5)
    assert gap(whole, 3 - whole) == pytest.approx(0.0)
    assert math.isnan(information_gaps(np.concatenate([whole, half], axis=1), factor * 0)[0])


def test_modularity_of_a_code_by_hand() -> None:
    four = np.arange(8) % 4
    factors = np.stack([four, four // 2, np.arange(8) // 4], axis=1)
    # The code tells log 4 of the first, log 2 of the second, nothing of the third: 1 - (1/2)^2 / 2.
    codes = np.stack([four, np.arange(8) // 4, np.zeros(8, int)], axis=1)
    found = modularities(codes, factors)
    assert found[:2] == pytest.approx([1 - 0.25 / 2, 1.0])
    assert math.isnan(found[2])
    both = np.arange(4)[:, None]
    assert modularities(both, np.stack([np.arange(4) // 2, np.arange(4) % 2], axis=1)) == pytest.approx([0.0])


def test_purity_of_pure_mixed_and_single_clusters() -> None:
    pairs = np.array([0, 0, 1, 1])
    assert purity(np.array([7, 7, 3, 3]), pairs) == 1.0
    assert purity(np.array([0, 0, 0, 1]), pairs + 5) == 0.75
    assert purity(np.zeros(4, int), np.arange(4)) == 0.25


# --- DCI ---


def test_dci_of_a_table_of_importances_by_hand() -> None:
    found = from_importances(np.array([[3.0, 1.0], [0.0, 2.0], [0.0, 0.0]]), np.array([0.5, 1.0]))
    first = 1 - (-0.75 * math.log2(0.75) - 0.25 * math.log2(0.25))
    assert found.per_code[:2] == pytest.approx([first, 1.0])
    assert math.isnan(found.per_code[2])
    assert found.disentanglement == pytest.approx(4 / 6 * first + 2 / 6)
    second = 1 - (-1 / 3 * math.log(1 / 3) - 2 / 3 * math.log(2 / 3)) / math.log(3)
    assert found.per_factor == pytest.approx([1.0, second])
    assert found.completeness == pytest.approx((1 + second) / 2)
    assert found.informativeness == 0.75


def test_dci_tells_a_code_of_two_factors_from_a_factor_in_two_codes() -> None:
    one_code = np.stack([GRID[:, 0] * 4 + GRID[:, 1], noise()[:, 0]], axis=1)
    found = dci(one_code, GRID[:, :2])
    assert found.completeness > 0.9 and found.disentanglement < 0.1 and found.informativeness == 1.0
    two_codes = np.stack([GRID[:, 2] // 2, GRID[:, 2] % 2, GRID[:, 0]], axis=1).astype(float)
    spread = dci(two_codes, GRID[:, [2, 0]])
    assert spread.disentanglement > 0.99 and spread.per_factor[0] < 0.7 and spread.per_factor[1] > 0.99


# --- SAP ---


def test_balanced_accuracy_by_hand_and_as_scikit_learn_has_it() -> None:
    assert balanced_accuracy(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])) == pytest.approx((2 / 3 + 1) / 2)
    labels, predicted = RANDOM(0).integers(0, 4, 100), RANDOM(1).integers(0, 4, 100)
    assert balanced_accuracy(predicted, labels) == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_sap_by_hand() -> None:
    factor = np.arange(300)[:, None] % 3
    code = 10.0 * factor
    useless, half = np.ones((300, 1)), np.minimum(factor, 1).astype(float)
    scores = threshold_scores(np.concatenate([code, useless, half], axis=1), factor)[:, 0]
    assert scores == pytest.approx([1.0, 1 / 3, 2 / 3])  # the last cannot tell 1 from 2
    assert sap(np.concatenate([useless, code], axis=1), factor) == pytest.approx([2 / 3])
    assert sap(np.concatenate([half, code], axis=1), factor) == pytest.approx([1 / 3])
    assert sap(np.concatenate([code, -code], axis=1), factor) == pytest.approx([0.0])


def test_sap_does_not_care_how_a_code_is_stretched() -> None:
    codes = np.stack([GRID[:, 1] + 0.1 * noise()[:, 0], noise()[:, 1]], axis=1)
    np.testing.assert_allclose(sap(np.exp(codes), GRID), sap(codes, GRID), atol=0.02)


# --- what is held still ---


def test_groups_hold_rows_of_one_value_and_leave_out_what_only_one_row_has() -> None:
    factor = np.array([4, 1, 4, -1, 2, 1, 4, -1])
    found = group(factor)
    assert found is not None and sorted(found.rows.tolist()) == [0, 1, 2, 5, 6]
    drawn = found.draw(200, 5, RANDOM(0))
    assert (factor[drawn] == factor[drawn][:, :1]).all() and set(drawn.ravel().tolist()) == {0, 1, 2, 5, 6}
    assert np.mean(factor[drawn[:, 0]] == 4) == pytest.approx(0.6, abs=0.1)
    one, other = found.draw_pairs((100, 3), RANDOM(1))
    assert (factor[one] == factor[other]).all() and (one != other).all()
    assert group(np.array([0, 0, 0, 1])) is None


def test_the_variance_of_classes_is_half_the_share_of_pairs_that_differ() -> None:
    points = np.array([[[0.0, 0.0], [2.0, 7.0], [0.0, 7.0], [2.0, 3.0]]])
    assert _variances(points, np.array([False, True]))[0] == pytest.approx([1.0, (1 - 1 / 16 - 4 / 16 - 1 / 16) / 2])


def test_two_factors_mixed_equally_cannot_be_told_apart_by_what_is_still() -> None:
    """Both codes move alike whichever factor is held, so nothing better than a guess is possible."""
    factors = np.array(list(product(range(6), range(6))) * 40)
    mixed = np.stack([factors.sum(axis=1), factors[:, 0] - factors[:, 1]], axis=1).astype(float)
    assert factor_vae(mixed, factors).accuracy == pytest.approx(0.5, abs=0.08)
    assert beta_vae(mixed, factors).accuracy == pytest.approx(0.5, abs=0.08)
    assert factor_vae(factors.astype(float), factors).accuracy == 1.0


def test_the_vote_goes_to_the_code_that_moves_least() -> None:
    """Two codes of one factor, none of the second, one of the third: holding the second moves every code."""
    codes = np.stack([GRID[:, 0], 2.0 * GRID[:, 0], GRID[:, 2]], axis=1)
    found = factor_vae(codes, GRID)
    assert found.per_factor[[0, 2]].tolist() == [1.0, 1.0]
    assert found.per_factor[1] < 0.2
    assert found.accuracy == pytest.approx(2 / 3, abs=0.1)


def test_class_indices_are_told_by_difference_alone() -> None:
    """Relabelling a discrete code changes nothing."""
    codes, flags = GRID.astype(float), np.array([True, True, False])
    relabelled = codes.copy()
    relabelled[:, 1] = np.array([9.0, 0.0, 40.0, 3.0])[GRID[:, 1]]
    for score in (factor_vae, beta_vae):
        assert score(relabelled, GRID, flags).accuracy == score(codes, GRID, flags).accuracy == 1.0
    assert irs(relabelled, GRID, flags).score == irs(codes, GRID, flags).score == 1.0


# --- IRS ---


def test_irs_of_a_sum_of_two_factors_by_hand() -> None:
    """Overall 1 away from the mean 1; half of that where either factor is held. The second code moves twice as far."""
    factors = np.array(list(product(range(2), range(2))) * 50)
    codes = np.stack([factors.sum(axis=1), 4.0 * factors[:, 0]], axis=1)
    found = irs(codes, factors)
    np.testing.assert_allclose(found.table, [[0.5, 0.5], [1.0, 0.0]])
    assert found.score == pytest.approx((0.5 * 1 + 1.0 * 2) / 3)


def test_robustness_of_a_code_does_not_depend_on_its_scale_though_its_weight_does() -> None:
    codes = np.concatenate([turned(), perfect()[:, :1]], axis=1)
    found, scaled = irs(codes, GRID), irs(codes[:, ::-1] * np.array([-8.0, 1.0, 1.0, 1.0]), GRID)
    np.testing.assert_allclose(scaled.per_code[::-1], found.per_code)
    assert scaled.score > found.score


# --- at the edges ---


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["constant codes", "one factor value", "nothing known", "ordinary", "one code"])
def test_little_data_gives_figures_or_none_of_them(rows: int, kind: str) -> None:
    codes = RANDOM(0).normal(size=(rows, 1 if kind == "one code" else 3)) * (kind != "constant codes")
    factors = RANDOM(1).integers(0, 2, (rows, 2)).astype(float)
    if kind == "one factor value":
        factors[:] = 3
    if kind == "nothing known":
        factors[:] = math.nan
    report = compare(code_columns({"z": codes}, ()), factor_columns({"a": factors[:, 0], "b": factors[:, 1]}))
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text)["rows"] == rows
    if kind in ("one factor value", "nothing known"):
        assert report["dci"]["informativeness"] is None and report["mig"] == {"mean": None, "factors": {}}


def test_a_factor_of_one_value_and_a_constant_code_change_no_other_figure() -> None:
    codes, one = turned(), np.full((len(GRID), 1), 4)
    more, factors = np.concatenate([codes, np.zeros_like(one)], axis=1), np.concatenate([GRID, one], axis=1)
    assert information_gaps(binned(more), factors)[:3] == pytest.approx(information_gaps(binned(codes), GRID))
    assert modularities(binned(more), factors)[:3] == pytest.approx(modularities(binned(codes), GRID))
    assert irs(more, factors).score == pytest.approx(irs(codes, GRID).score)
    assert factor_vae(more, factors).accuracy == factor_vae(codes, GRID).accuracy
    assert beta_vae(more, factors).accuracy == beta_vae(codes, GRID).accuracy
    np.testing.assert_allclose(sap(more, factors)[:3], sap(codes, GRID))
    assert dci(more, factors).informativeness == pytest.approx(dci(codes, GRID).informativeness, abs=0.02)


# --- the report ---


def test_the_report_names_codes_and_factors_and_repeats_by_seed() -> None:
    codes = code_columns({"y": GRID[:, 0], "z": perfect()[:, [0, 3]]}, ("y",))
    factors = factor_columns({"shape": GRID[:, 0], "size": GRID[:, 1], "place": GRID[:, 2]})
    assert codes.names == ("y", "z[0]", "z[1]") and codes.discrete.tolist() == [True, False, False]
    report = compare(codes, factors)
    assert list(report) == [*METRICS, "rows"]
    assert set(report["mig"]["factors"]) == set(report["sap"]["factors"]) == {"shape", "size", "place"}
    assert report["purity"]["y"]["shape"] == 1.0 and list(report["purity"]) == ["y"]
    assert report["dci"]["codes"] == {"y": pytest.approx(1.0), "z[0]": pytest.approx(1.0), "z[1]": pytest.approx(1.0)}
    assert set(report["dci"]["factors"]) == {"completeness", "informativeness"}
    assert set(report["irs"]["codes"]) == {"y", "z[0]", "z[1]"}
    assert report == compare(codes, factors) != compare(code_columns({"z": turned()}, ()), factors)
    assert compare(codes, factors, ["sap", "mig"]) == {name: report[name] for name in ("mig", "sap", "rows")}


def test_factors_are_classes_bins_and_blanks() -> None:
    columns = {
        "word": np.array(["b", "", "a"] * 50),
        "written": np.array(["2", "", "10"] * 50),
        "person": np.arange(150) % 60,
        "angle": np.linspace(-1, 1, 150),
        "pair": np.array([[0.0, math.nan], [1.0, 5.0], [1.0, 6.0]] * 50),
        "below": np.array([-1, 0, 1] * 50),
    }
    found = factor_columns(columns)
    assert found.names == ("word", "written", "person", "angle", "pair[0]", "pair[1]", "below")
    by_name = dict(zip(found.names, found.values.T, strict=True))
    assert by_name["word"][:3].tolist() == [1, -1, 0]
    assert by_name["written"][:3].tolist() == [0, -1, 1]
    assert len(set(by_name["person"].tolist())) == 60
    assert len(set(by_name["angle"].tolist())) == 20
    assert by_name["pair[1]"][:3].tolist() == [-1, 0, 1]
    assert by_name["below"][:3].tolist() == [0, 1, 2]


def test_estimators_see_a_bounded_number_of_rows() -> None:
    assert len(sample(100, 10, 0)) == 100
    assert len(sample(50_000, 10, 0)) == MOST_ROWS
    assert len(sample(50_000, 10_000, 0)) == FEWEST_ROWS
    rows = sample(50_000, 10, 0)
    assert (np.diff(rows) > 0).all() and (rows == sample(50_000, 10, 0)).all() and (rows != sample(50_000, 10, 1)).any()


def test_an_unknown_metric_is_a_usage_error_with_the_likeliest_name() -> None:
    result = CliRunner().invoke(app, ["evaluate", "nowhere", "--metrics", "mig,factorvae"])
    assert result.exit_code == 2
    assert "factor_vae" in result.output and "Traceback" not in result.output
