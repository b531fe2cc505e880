"""evaluate, sample, reconstruct, traverse and analogies as a user meets them, on a run made here without training."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_runs import make_run
from typer.testing import CliRunner, Result

from runtime.cli.app import app
from runtime.cli.run_options import fitting_widths
from runtime.data import prepare
from runtime.runs.run_folder import Run

SPEC = """
graphspec: 1
name: tiny
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  y: {role: supervised, domain: category, classes: 10}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, z: {}, x: {parents: [y, z], distribution: bernoulli}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: linear}}
data: {source: digits, variables: {x: image, y: label}, labels: {y: 100}}
training: {epochs: 1}
"""
TABLE = """
graphspec: 1
name: table
variables:
  v: {role: observed, domain: real, size: 2}
  s: {role: supervised, domain: real}
  z: {role: latent, domain: real, size: 2}
generative: {s: {}, z: {}, v: {parents: [s, z]}}
recognition: {s: {parents: [v]}, z: {parents: [v, s]}}
networks: {default: {kind: linear}}
data:
  source: points.csv
  variables: {v: {columns: [a, b], standardize: true}, s: {column: s, standardize: true}}
  factors: {side: side}
"""


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("digits")
    (folder / "tiny.yaml").write_text(SPEC)
    return make_run(folder / "run", folder / "tiny.yaml")


@pytest.fixture(scope="module")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("table")
    lines = [f"{1000 + 7 * i % 50},{i % 9},{200 + i % 13},{'left' if i % 2 else 'right'}" for i in range(60)]
    (folder / "points.csv").write_text("a,b,s,side\n" + "\n".join(lines) + "\n")
    (folder / "table.yaml").write_text(TABLE)
    return make_run(folder / "run", folder / "table.yaml")


def call(*arguments: Any) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def test_evaluate_prints_one_json_object_and_keeps_it(digits_run: Run) -> None:
    result = call("evaluate", digits_run.folder, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["split"] == "test"
    assert 0.5 < report["variables"]["y"]["error"] <= 1
    assert report["elbo"] < 0
    assert report["rows"] == report["variables"]["y"]["rows"] == 359
    assert report["variables"]["y"]["training_labels"] == 100
    assert "not a density" in report["notes"][0]
    assert json.loads((digits_run.folder / "evaluation-test.json").read_text()) == report
    with Image.open(digits_run.figures / "confusion-y-test.png") as image:
        assert image.width > 300


def test_evaluate_prints_a_table(digits_run: Run) -> None:
    result = call("evaluate", digits_run.folder, "--split", "validation")
    assert result.exit_code == 0, result.output
    assert "144 validation rows" in result.output
    assert "balanced error" in result.output and "mostly taken for" in result.output
    assert "elements in use" in result.output
    assert "note: p(x | ...) is a bernoulli" in result.output
    assert (digits_run.folder / "evaluation-validation.json").is_file()


def test_evaluate_is_repeatable_and_its_elbo_depends_on_the_seed(digits_run: Run) -> None:
    first, again, other = (
        json.loads(call("evaluate", digits_run.folder, "--json", "--seed", seed).stdout)["elbo"] for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
    assert first == pytest.approx(other, abs=0.5)


def test_evaluate_never_overwrites_what_it_did_not_write(digits_run: Run) -> None:
    path = digits_run.folder / "evaluation-training.json"
    path.write_text('{"mine": 1}')
    result = call("evaluate", digits_run.folder, "--split", "training")
    assert result.exit_code == 1
    assert "evaluation-training.json is not a report" in result.output
    assert path.read_text() == '{"mine": 1}'


def test_evaluate_gives_errors_in_data_units_and_compares_codes_with_factors(table_run: Run) -> None:
    result = call("evaluate", table_run.folder, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    spread = table_run.manifest()["units"]["s"]["std"][0]
    assert 0.3 * spread < report["variables"]["s"]["error"] < 10 * spread
    assert set(report["disentanglement"]["mig"]["factors"]) == {"s", "side"}
    text = call("evaluate", table_run.folder).output
    assert "MIG" in text and "DCI completeness" in text and "DCI comple." in text


@pytest.mark.parametrize("verb", ["sample", "reconstruct", "traverse", "analogies"])
def test_pictures_go_to_the_runs_figures_and_the_place_is_said(digits_run: Run, verb: str) -> None:
    result = call(verb, digits_run.folder, "--count", 2)
    assert result.exit_code == 0, result.output
    path = digits_run.figures / f"{verb}.png"
    assert result.output.strip() == str(path)
    with Image.open(path) as image:
        assert image.format == "PNG"


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "pdf", "csv"])
def test_only_what_graphspec_wrote_is_overwritten(digits_run: Run, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"mine.{ending}"
    path.write_bytes(b"a photograph of the harbour")
    refused = call("sample", digits_run.folder, "--count", 1, "-o", path)
    assert refused.exit_code == 1 and "graphspec did not write it" in refused.stderr, refused.output
    assert path.read_bytes() == b"a photograph of the harbour"
    path.unlink()
    for seed in "12":
        done = call("sample", digits_run.folder, "--count", 1, "--seed", seed, "-o", path)
        assert done.exit_code == 0, done.output


def test_options_reach_the_query(digits_run: Run, tmp_path: Path) -> None:
    sizes = {}
    for name, options in {
        "grid": ["traverse", "--vary", "z[0]", "--vary", "z[1]", "--steps", 3],
        "row": ["traverse", "--vary", "y", "--count", 1],
        "table": ["analogies", "--count", 2, "--split", "validation"],
    }.items():
        path = tmp_path / "new" / (name + (".csv" if name == "table" else ".png"))
        result = call(options[0], digits_run.folder, *options[1:], "-o", path, "--checkpoint", "last", "--seed", 1)
        assert result.exit_code == 0, result.output
        if name == "table":
            lines = list(csv.reader(path.read_text().splitlines()))
            assert len(lines) == 1 + 2 * 11
            assert lines[0][:7] == ["row", "column", "cell", "source", "label", "z[0]", "z[1]"]
            assert lines[0][7] == "image[0,0,0]"
            continue
        with Image.open(path) as image:
            sizes[name] = image.size
    assert sizes["grid"][1] > 3 * 64 > sizes["row"][1] > 64


def test_what_is_no_picture_is_printed_and_written_as_a_table(table_run: Run) -> None:
    result = call("sample", table_run.folder, "--count", 3, "--columns", 2)
    assert result.exit_code == 0, result.output
    lines = (table_run.figures / "sample.csv").read_text().splitlines()
    assert lines[0] == "row,column,cell,a,b,s,z[0],z[1]"
    assert len(lines) == 7
    assert 800 < float(lines[1].split(",")[3]) < 1300  # data units, not standardized ones
    assert "Samples from p" in result.output
    assert call("reconstruct", table_run.folder, "-o", "x.png").exit_code == 1


def test_what_is_typed_and_read_is_in_data_units(table_run: Run, tmp_path: Path) -> None:
    """The label s runs from 200 to 212, and is standardized: 206 is its middle, not 206 standard deviations."""
    path = tmp_path / "set.csv"
    result = call("traverse", table_run.folder, "--vary", "z[0]", "--set", "s=206", "--count", 2, "-o", path)
    assert result.exit_code == 0, result.output
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["s"] for line in lines if line["column"] != "0"} == {"206"}
    told = " ".join(result.output.split())
    assert "s = 206.00" in told and "rows have" not in told
    path = tmp_path / "vary.csv"
    result = call("traverse", table_run.folder, "--vary", "s", "--count", 2, "--steps", 3, "-o", path)
    with path.open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["column"] != "0"]
    assert len(lines) == 6
    for line in lines:
        assert float(line["cell"]) == pytest.approx(float(line["s"]), abs=0.006)
        assert 150 < float(line["s"]) < 260
    far = call("traverse", table_run.folder, "--vary", "z[0]", "--set", "s=6", "-o", tmp_path / "far.csv")
    assert "s = 6.00 (rows have 2" in " ".join(far.output.split())


def test_the_default_pictures_are_in_data_units_too(table_run: Run) -> None:
    from runtime.figures.defaults import default_figures
    from runtime.runs.run_folder import open_run

    model = open_run(table_run.folder)
    data = prepare(model.graphs, spec_path=table_run.spec_path)
    written = default_figures(model, data, table_run.folder / "figures")
    (samples,) = (path for path in written if path.name == "samples.csv")
    with samples.open(newline="") as file:
        assert all(150 < float(line["s"]) < 260 for line in csv.DictReader(file))


def test_a_query_the_graph_cannot_answer_says_what_it_would_need(table_run: Run) -> None:
    result = call("analogies", table_run.folder)
    assert result.exit_code == 1
    assert "error: analogies need a supervised category" in result.output
    assert "= help: declare one" in result.output


@pytest.mark.parametrize("verb", ["evaluate", "sample", "reconstruct", "traverse", "analogies"])
def test_what_is_no_run_is_said_in_words(verb: str, tmp_path: Path) -> None:
    missing, empty = call(verb, tmp_path / "nothing"), call(verb, tmp_path)
    assert (missing.exit_code, empty.exit_code) == (1, 1)
    assert "there is no run folder" in missing.output
    assert "is not a run folder" in empty.output
    assert "= help:" in missing.output


@pytest.mark.parametrize("verb", ["evaluate", "analogies"])
def test_a_damaged_checkpoint_is_said_in_words(verb: str, digits_run: Run, tmp_path: Path) -> None:
    shutil.copytree(digits_run.folder, tmp_path / "run")
    Run(tmp_path / "run").best_file.write_bytes(b"not tensors")
    result = call(verb, tmp_path / "run")
    assert result.exit_code == 1
    assert "cannot be read as a checkpoint" in result.output
    assert call(verb, tmp_path / "run", "--checkpoint", "last").exit_code == 0


def test_a_named_binary_is_shown_by_name_and_a_hint_says_what_to_show(table_run: Run, tmp_path: Path) -> None:
    points = table_run.folder.parent / "points.csv"
    text = TABLE.replace("points.csv", str(points)).replace(
        "  s: {role", "  side: {role: observed, domain: binary, names: [left, right]}\n  s: {role"
    )
    text = text.replace("v: {parents: [s, z]}}", "v: {parents: [s, z]}, side: {}}").replace(
        "s: {column: s, stan", "side: side, s: {column: s, stan"
    )
    (tmp_path / "table.yaml").write_text(text)
    run = make_run(tmp_path / "run", tmp_path / "table.yaml")
    assert call("sample", run.folder, "-o", tmp_path / "s.csv").exit_code == 0
    lines = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert lines and {line["side"] for line in lines} <= {"left", "right"}
    told = call("traverse", run.folder, "--vary", "z[0]", "--show", "side")
    assert told.exit_code == 1 and "side does not depend on z" in told.output and "one that does: v" in told.output


def test_a_split_without_rows_gives_no_figures_but_says_how_to_get_them(table_run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "table.yaml"
    spec.write_text(TABLE.replace("source: points.csv", f"source: {table_run.folder.parent / 'points.csv'}\n  test: 0"))
    run = make_run(tmp_path / "run", spec)
    for verb in ("evaluate", "reconstruct", "traverse"):
        result = call(verb, run.folder)
        assert result.exit_code == 1 and "has no test rows" in result.output and "--folds 5" in result.output, verb
    assert not list(run.folder.glob("evaluation-*.json"))
    assert call("evaluate", run.folder, "--split", "training").exit_code == 0


def test_data_that_are_gone_are_said_to_be_gone(table_run: Run, tmp_path: Path) -> None:
    shutil.copytree(table_run.folder, tmp_path / "run")
    manifest = tmp_path / "run" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "spec": str(tmp_path / "gone.yaml")}))
    result = call("evaluate", tmp_path / "run", "--data-dir", tmp_path / "empty")
    assert result.exit_code == 1
    assert "points.csv" in result.output
    assert call("sample", tmp_path / "run", "--data-dir", tmp_path / "empty").exit_code == 0


@pytest.fixture
def movable_run(table_run: Run, tmp_path: Path) -> Run:
    """A copy of the table's run beside a copy of its data."""
    shutil.copytree(table_run.folder.parent, tmp_path / "copy")
    folder = tmp_path / "copy" / "run"
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "spec": str(tmp_path / "copy" / "table.yaml")}))
    return Run(folder)


def move_labels(run: Run, factor: float, shift: float) -> None:
    """Another file in the place of the data: every label times `factor` plus `shift`."""
    points = run.folder.parent / "points.csv"
    header, *lines = (line.split(",") for line in points.read_text().splitlines())
    moved = [[a, b, str(float(s) * factor + shift), side] for a, b, s, side in lines]
    points.write_text("\n".join(",".join(line) for line in [header, *moved]) + "\n")


def test_data_that_have_changed_are_noted_and_leave_earlier_results_alone(movable_run: Run) -> None:
    folder = movable_run.folder
    assert "have changed" not in call("evaluate", folder).output
    result = folder / "evaluation-test.json"
    before = result.read_text()
    move_labels(movable_run, 1, 1000)
    again = call("evaluate", folder)
    assert "the data have changed since this run was trained" in again.output
    assert result.read_text() == before and json.loads(before)["same_data"]
    (other,) = folder.glob("evaluation-test-*.json")
    report = json.loads(other.read_text())
    assert report["data"].startswith(other.stem.removeprefix("evaluation-test-")) and not report["same_data"]
    call("evaluate", folder)
    assert len(list(folder.glob("evaluation-*.json"))) == 2


@pytest.mark.parametrize(("factor", "shift"), [(1, 1000), (1, -50), (3, 0), (0, 7)])
def test_changed_data_are_read_in_the_units_of_the_run_not_their_own(
    movable_run: Run, factor: float, shift: float
) -> None:
    folder = movable_run.folder
    before = json.loads(call("evaluate", folder, "--json").stdout)["variables"]["s"]
    move_labels(movable_run, factor, shift)
    after = json.loads(call("evaluate", folder, "--json").stdout)["variables"]["s"]
    centre, spread = 206, before["mean_error"]  # the labels', as trained on; answers lie nearby
    assert after["error"] == pytest.approx(abs(centre * factor + shift - centre), abs=(2 + factor) * 3 * spread)
    assert after["error"] > 20


@pytest.mark.parametrize("options", [["--count", "0"], ["--checkpoint", "first"], ["--split", "all"], ["--bad"]])
def test_usage_mistakes_exit_with_two(digits_run: Run, options: list[str]) -> None:
    assert call("analogies", digits_run.folder, *options).exit_code == 2


@pytest.mark.parametrize("verb", ["evaluate", "sample", "reconstruct", "traverse", "analogies"])
def test_help_has_a_worked_example(verb: str) -> None:
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert f"graphspec {verb} runs/digits" in result.output


def test_a_printed_table_shows_whole_columns_only() -> None:
    lines = [["row", "cell", "a", "b"], ["0", "a very long name of a class, cut", "1.25", "3"]]
    assert fitting_widths(lines, 80) == [3, 24, 4, 1]
    assert fitting_widths(lines, 41) == [3, 24, 4]  # 1 + (3 + 3) + (24 + 3) + (4 + 3)
    assert fitting_widths(lines, 40) == [3, 24]
    assert fitting_widths(lines, 2) == [3]


def test_names_of_classes_are_no_markup(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        TABLE.replace(
            "s: {role: supervised, domain: real}", "s: {role: supervised, domain: category, names: ['[red]', b]}"
        ).replace("{column: s, standardize: true}", "s")
    )
    (tmp_path / "points.csv").write_text("a,b,s,side\n" + "0.5,1,[red],0\n1.5,2,b,1\n" * 20)
    result = call("sample", make_run(tmp_path / "run", spec).folder)
    assert "[red]" in result.output


def test_class_folders_name_the_classes_in_every_answer(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(40):
        path = tmp_path / "pics" / ("fox" if index % 2 else "owl") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(path)
    (tmp_path / "spec.yaml").write_text(
        SPEC.replace("classes: 10", "classes: 2").replace("digits", "pics").replace(", labels: {y: 100}", "")
    )
    trained = call("train", tmp_path / "spec.yaml", "--out", tmp_path / "run", "--set", "training.select=y.recall.fox")
    assert trained.exit_code == 0, trained.output
    assert "always fox" in trained.output or "always owl" in trained.output
    report = json.loads(call("evaluate", tmp_path / "run", "--json").stdout)
    assert set(report["variables"]["y"]["classes"]) == {"fox", "owl"} and report["same_data"]
    path = tmp_path / "rows.csv"
    assert call("reconstruct", tmp_path / "run", "-o", path).exit_code == 0
    with path.open(newline="") as file:
        assert {line["label"] for line in csv.DictReader(file)} <= {"fox", "owl", ""}
    assert call("traverse", tmp_path / "run", "--vary", "z[0]", "--set", "y=fox", "-o", path).exit_code == 0
