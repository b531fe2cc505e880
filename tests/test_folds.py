"""`sweep --folds`: one error over all folds, counted by their rows, where all of them are there."""

import math
from pathlib import Path
from typing import Any

import pytest
from sweep_runs import graphspec

from runtime.errors import RunError
from runtime.measures.error_interval import wilson_interval
from runtime.sweeping.folds import fold_field, fold_notes, over_folds
from runtime.sweeping.sweep_plan import SweepPlan, build_plan
from runtime.sweeping.swept_values import Field

SPEC = """
graphspec: 1
name: mine
variables:
  x: {role: observed, domain: real, size: 2}
  y: {role: supervised, domain: DOMAIN}
generative: {y: {}, x: {parents: [y], network: {kind: linear}}}
recognition: {y: {parents: [x], network: {kind: linear}}}
data: {source: rows.csv, variables: {x: [a, b], y: y}}
"""


def plan_of(domain: str, *fields: Field, seeds: tuple[int, ...] = (0,)) -> SweepPlan:
    return build_plan("mine.yaml", SPEC.replace("DOMAIN", domain), (), (*fields, fold_field(3)), seeds)


def rows_of(plan: SweepPlan, figures: dict[int, list[tuple[float, int]]]) -> list[dict[str, Any]]:
    """figures: of each seed, error and rows fold by fold."""
    found = []
    for place, point in enumerate(plan.points):
        seeds = [
            {"seed": seed, "test_error": error, "test_constant": 2 * error, "test_rows": count}
            for seed, folds in figures.items()
            for error, count in folds[place % 3 : place % 3 + 1]
        ]
        found.append({"over": point.over, "seeds": seeds})
    return found


def test_errors_count_by_their_rows() -> None:
    plan = plan_of("binary")
    (found,) = over_folds(plan, rows_of(plan, {0: [(10.0, 10), (40.0, 30), (0.0, 10)]}))
    assert found["error"]["mean"] == pytest.approx(26.0) and found["rows"] == 50
    assert found["interval"] == pytest.approx([100 * end for end in wilson_interval(0.26, 50)])
    (told,) = fold_notes(plan, rows_of(plan, {0: [(10.0, 10), (40.0, 30), (0.0, 10)]}))
    assert told == (
        "y over 3 folds, each of 50 labelled rows tested once: 26.00 % (95 % interval 15.9 to 39.6; always the commonest "
        "class: 52.00 %)"
    )


def test_numbers_add_up_their_squares_and_seeds_have_a_spread() -> None:
    plan = plan_of("real", seeds=(0, 1))
    (found,) = over_folds(plan, rows_of(plan, {0: [(1.0, 1), (2.0, 1), (3.0, 2)], 1: [(2.0, 1), (2.0, 1), (2.0, 2)]}))
    assert found["error"]["mean"] == pytest.approx((math.sqrt(23 / 4) + 2) / 2) and found["error"]["n"] == 2
    assert found["interval"] is None and found["constant"]["mean"] == pytest.approx(2 * found["error"]["mean"])
    assert "; always the mean: " in fold_notes(plan, rows_of(plan, {0: [(1.0, 1)] * 3, 1: [(2.0, 1)] * 3}))[0]


def test_a_fold_that_is_not_there_leaves_no_error() -> None:
    plan = plan_of("binary")
    assert over_folds(plan, rows_of(plan, {0: [(10.0, 10), (40.0, 30)]})) == []


def test_other_fields_keep_apart() -> None:
    plan = plan_of("binary", Field("objective.rho", ("0.5", "1")))
    rows = rows_of(plan, {0: [(10.0, 10), (40.0, 30), (0.0, 10)]})
    assert [found["over"] for found in over_folds(plan, rows)] == [{"objective.rho": 0.5}, {"objective.rho": 1}]


@pytest.mark.parametrize("options", [("--search", "3"), ("--measure", "validation"), ("--over", "data.test=0.1,0.2")])
def test_what_folds_cannot_be_beside(tmp_path: Path, options: tuple[str, ...]) -> None:
    spec = tmp_path / "mine.yaml"
    spec.write_text(SPEC.replace("DOMAIN", "binary"))
    result = graphspec("sweep", str(spec), "--folds", "3", *options)
    assert result.exit_code == 1 and "leave one" in result.output and not isinstance(result.exception, RunError)
