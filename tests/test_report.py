"""The page about a run: everything that the folder holds, nothing from outside of it, and nothing of a user's lost."""

import json
import re
import shutil
from pathlib import Path

import pytest
from sweep_runs import graphspec
from tiny_runs import train_tiny

from runtime.runs.run_folder import Run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("report")
    run = train_tiny(folder, "training.epochs=2", "description='bits & <b>pieces</b>'")
    assert graphspec("evaluate", str(run.folder)).exit_code == 0
    return run


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy to spoil."""
    shutil.copytree(trained.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def page_of(run: Run, *options: str) -> str:
    result = graphspec("report", str(run.folder), *options)
    assert result.exit_code == 0, result.output
    return (run.folder / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_what_the_folder_holds(run: Run) -> None:
    page = page_of(run)
    report = json.loads((run.folder / "evaluation-test.json").read_text())
    error = report["variables"]["y"]["error"]
    assert f"{100 * error:.2f} %" in page and f"{report['elbo']:.3f} nats a row" in page
    assert "always" in page and "95 % interval" in page and "y: rows by their true class" in page
    assert "nats a row" in page and "generative graph p" in page and "KL(q(z" in page.replace("&#39;", "'")
    assert run.manifest()["fingerprint"] in page and "training.epochs=2" not in page
    assert page.count("data:image/png;base64,") >= 1, "the curves, drawn though training drew no figures"


def test_the_page_tells_the_temperature_of_its_probabilities(run: Run) -> None:
    fitted = {"temperature": 1.5, "rows": 120, "used": True, "log_loss": [0.9, 0.75]}
    run.manifest_file.write_text(json.dumps(run.manifest() | {"calibration": {"y": fitted}}))
    path = run.folder / "evaluation-test.json"
    report = json.loads(path.read_text())
    report["variables"]["y"]["calibrated"] = {**fitted, "log_loss": 0.755, "calibration": 0.0123}
    path.write_text(json.dumps(report))
    page = page_of(run)
    assert "probabilities of y at the temperature 1.5, p^(1/1.5) normalised, fitted on 120 validation rows" in page
    assert "at the temperature 1.5 log loss 0.755 and calibration error 0.0123" in page
    fitted["used"] = False
    run.manifest_file.write_text(json.dumps(run.manifest() | {"calibration": {"y": fitted}}))
    assert "probabilities of y are the model&#39;s own: no clear gain" in page_of(run)


def test_the_page_needs_nothing_else(run: Run) -> None:
    page = page_of(run)
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", page)
    assert addresses and all(each.startswith(("#", "data:")) for each in addresses)
    assert "<script" not in page and "@import" not in page


def test_what_a_user_wrote_is_text(run: Run) -> None:
    page = page_of(run)
    assert "bits &amp; &lt;b&gt;pieces&lt;/b&gt;" in page and "<b>pieces</b>" not in page


def test_a_run_that_was_not_measured_says_so(run: Run) -> None:
    for path in run.folder.glob("evaluation-*.json"):
        path.unlink()
    run.metrics_file.unlink()
    page = page_of(run)
    assert "Nothing was measured yet" in page and "No epoch has ended yet" in page


def test_the_table_of_its_sweep_is_there(run: Run, tmp_path: Path) -> None:
    sweep = tmp_path / "s"
    (sweep / "runs").mkdir(parents=True)
    (sweep / "sweep.json").write_text("{}")
    (sweep / "table.txt").write_text("labels-only  31.0 & more")
    moved = Run(Path(shutil.move(run.folder, sweep / "runs" / "one")))
    assert "labels-only  31.0 &amp; more" in page_of(moved)


def test_a_page_is_written_again_and_a_users_own_file_is_not(run: Run, tmp_path: Path) -> None:
    page_of(run)
    page_of(run)
    own = tmp_path / "mine.html"
    own.write_text("<p>mine</p>")
    result = graphspec("report", str(run.folder), "-o", str(own))
    assert result.exit_code == 1 and "graphspec did not write it" in result.stderr
    assert own.read_text() == "<p>mine</p>"


def test_wrong_uses(run: Run, tmp_path: Path) -> None:
    assert "name a .html file" in graphspec("report", str(run.folder), "-o", "page.pdf").stderr
    assert "there is no run folder" in graphspec("report", str(tmp_path / "no")).stderr
    (run.folder / "resolved.yaml").unlink()
    assert "resolved.yaml cannot be read" in graphspec("report", str(run.folder)).stderr
