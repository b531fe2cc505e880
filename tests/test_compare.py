"""Runs held against each other: the same rows, paired, in the same units; and what differs between their graphs."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from test_predict import BIRDS, bird, write_csv
from tiny_runs import SPEC, make_run, write_tiny
from typer.testing import CliRunner, Result

from graphspec.describe.graph_changes import changes
from graphspec.loading import load
from runtime.cli.app import app
from runtime.cli.run_options import open_for_questions
from runtime.comparing.comparison import mcnemar, paired
from runtime.comparing.held_out_rows import Compared, common_rows
from runtime.comparing.row_likelihoods import row_bounds, row_likelihoods
from runtime.measures.evaluation import measure


def run_of(folder: Path, spec: Path) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    make_run(folder, spec)
    return folder


def opened(*folders: Path) -> list[Compared]:
    found = [open_for_questions(folder, "best", None) for folder in folders]
    return common_rows([(each.run, each.model, each.data) for each in found])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `a` and `b` (no edge from z to x, a narrower q) of one source, and `other` of fewer rows."""
    folder = tmp_path_factory.mktemp("compare")
    spec = write_tiny(folder)
    run_of(folder / "a", spec)
    changed = SPEC.replace("x: {parents: [y, z]}", "x: {parents: [y]}").replace(
        "hidden: [8], norm", "hidden: [4], norm"
    )
    (folder / "b.yaml").write_text(changed.replace("alpha: 5", "alpha: 7").replace("  z: {}\n  x:", "  z: {}\n  x:"))
    run_of(folder / "b", folder / "b.yaml")
    (folder / "there").mkdir()
    run_of(folder / "other", write_tiny(folder / "there", rows=60))
    return folder


def compare(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["compare", *arguments])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 3), (0, 5), (7, 2), (12, 1)])
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    throws = first + second
    exact = scipy.stats.binomtest(first, throws).pvalue if throws else 1.0
    assert mcnemar(first, second) == pytest.approx(exact, abs=1e-12)


def test_paired_differences_have_the_error_of_their_mean() -> None:
    values = np.array([1.0, 2.0, 4.0])
    found = paired(values)
    assert found["mean"] == pytest.approx(7 / 3)
    assert found["standard_error"] == pytest.approx(scipy.stats.sem(values))
    assert math.isnan(paired(values[:1])["standard_error"])


def test_the_importance_estimate_is_the_evidence(tiny: Path) -> None:
    # where x does not depend on z, log p(x) = log sum_y p(y) p(x | y)
    one = opened(tiny / "b", tiny / "a")[0]
    rows = one.rows.batch(torch.arange(len(one.rows)), torch.float32)
    parts = []
    for value in range(3):
        held = {"x": rows["x"], "y": torch.full((len(one.rows),), value), "z": torch.zeros(len(one.rows), 2)}
        with torch.no_grad():
            found = one.model.log_prob("generative", held)
        parts.append(found["y"] + found["x"])
    exact = torch.stack(parts).double().logsumexp(0)
    told = row_likelihoods(one, 4000)
    assert float((told - exact).abs().max()) < 0.2 and float((told - exact).mean().abs()) < 0.03
    assert float(row_bounds(one, 50).mean()) < float(told.mean()), "a lower bound"


def test_bounds_are_in_the_units_of_the_data(tmp_path: Path) -> None:
    write_csv(tmp_path / "birds.csv", [bird(number) for number in range(80)])
    spec = BIRDS.replace("training:", "  test: 0.3\ntraining:").replace("kind\n", "kind\n")
    (tmp_path / "birds.yaml").write_text(spec)
    run_of(tmp_path / "a", tmp_path / "birds.yaml")
    run_of(tmp_path / "b", tmp_path / "birds.yaml")
    one = opened(tmp_path / "a", tmp_path / "b")[0]
    report = measure(one.model, one.rows, units=one.data.units, training=one.data.training).report
    assert float(row_bounds(one, 1).mean()) == pytest.approx(report["elbo_data_units"], abs=1e-4)
    assert report["elbo_data_units"] != pytest.approx(report["elbo"], abs=0.1)


def test_a_report_of_two_runs(tiny: Path) -> None:
    done = compare(str(tiny / "a"), str(tiny / "b"), "--samples", "5", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    (found,) = report["differences"]
    assert report["rows"] == 24 and report["samples"] == 5
    first, second = report["runs"]
    assert found["elbo"]["mean"] == pytest.approx(second["elbo"] - first["elbo"])
    label = found["labels"]["y"]
    assert label["rows"] == 24
    won = label["only_first_right"] - label["only_second_right"]
    assert 24 * (second["errors"]["y"] - first["errors"]["y"]) == pytest.approx(won)
    texts = [change["text"] for change in found["changes"]]
    assert "- p edge z -> x" in texts and any("alpha: 5" in text and "7" in text for text in texts)
    assert any("hidden (8,) -> " in text or "hidden" in text for text in texts)


def test_a_person_reads_it(tiny: Path) -> None:
    done = compare(str(tiny / "a"), str(tiny / "b"), "--samples", "2")
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert "24 test rows that all runs held out, S = 2" in told and "McNemar" in told and "- p edge z -> x" in told


def test_the_same_run_twice_differs_in_nothing(tiny: Path) -> None:
    run_of(tiny / "again", tiny / "tiny.yaml")
    report = json.loads(compare(str(tiny / "a"), str(tiny / "again"), "--samples", "2", "--json").stdout)
    (found,) = report["differences"]
    assert found["elbo"]["mean"] == 0 and found["labels"]["y"]["p_value"] == 1 and not found["changes"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a",), "nothing beside it"),
        (("a", "a"), "named twice"),
        (("a", "nowhere"), "there is no run folder"),
        (("a", "other"), "other data"),
    ],
)
def test_what_cannot_be_compared_says_why(tiny: Path, names: tuple[str, ...], told: str) -> None:
    done = compare(*(str(tiny / name) for name in names))
    assert done.exit_code == 1 and told in " ".join(done.output.split()), done.output


def test_rows_of_other_splits_are_counted_and_none_is_refused(tiny: Path) -> None:
    for name, seed in (("seed-1", 1), ("seed-2", 2)):
        spec = tiny / f"{name}.yaml"
        spec.write_text(SPEC.replace("  test: 0.2", f"  seed: {seed}\n  test: 0.2"))
        run_of(tiny / name, spec)
    one, two = opened(tiny / "seed-1", tiny / "seed-2")
    assert 0 < len(one.rows) < 24
    assert one.rows.source.tolist() == two.rows.source.tolist()
    assert torch.equal(one.rows.values["x"], two.rows.values["x"])


def test_other_pixels_are_not_compared(tiny: Path) -> None:
    spec = tiny / "real.yaml"
    spec.write_text(SPEC.replace("domain: binary, size: 6", "domain: real, size: 6"))
    run_of(tiny / "real", spec)
    report = json.loads(compare(str(tiny / "a"), str(tiny / "real"), "--samples", "2", "--json").stdout)
    assert "as different values" in report["notes"][0]
    assert "elbo" not in report["differences"][0] and "y" in report["differences"][0]["labels"]


def test_changes_name_edges_families_and_networks(tmp_path: Path) -> None:
    first = write_tiny(tmp_path)
    second = tmp_path / "second.yaml"
    second.write_text(
        SPEC.replace("y: {parents: [h], network", "y: {parents: [h], network").replace(
            "y: {}\n  z: {}", "y: {}\n  z: {parents: [y]}"
        )
    )
    texts = [str(each) for each in changes(load(str(first)), load(str(second)))]
    assert "+ p edge y -> z" in texts and all("q(" not in text for text in texts)
