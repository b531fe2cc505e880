"""What `export` writes is what the model says: every file, at every number of rows, without graphspec."""

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_predict import BIRDS, HEADER, bird, write_csv
from tiny_runs import make_run
from torch import Tensor
from typer.testing import CliRunner, Result

from runtime import open_predictor
from runtime.cli.app import app
from runtime.errors import RunError
from runtime.exporting.export_folder import largest_difference, onnx_answers, write_code
from runtime.exporting.exported_query import exported_query
from runtime.exporting.model_answers import model_answers
from runtime.exporting.query_facts import as_lines, query_facts
from runtime.exporting.query_values import made_up
from runtime.exporting.torch_files import query_module
from runtime.measures.temperature import Temperature
from runtime.predicting.used_run import UsedRun, use_run

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

QUERY = "species, weight, age | size, island, eggs, photo"
COLUMNS = (*HEADER, "years", "file")
STEM = "species_weight_age_given_size_island_eggs_photo"
BATCHES = (1, 2, 7, 1000)
TEMPERATURE = Temperature(2.0, 150, True, (1.0, 0.8))
SPEC = (
    BIRDS.replace(
        "  z: {role",
        "  age: {role: supervised, domain: real}\n  photo: {role: observed, domain: unit, shape: [1, 3, 4]}\n  z: {role",
    )
    .replace(
        "  eggs: {parents: [species]}\n",
        "  eggs: {parents: [species]}\n  photo: {parents: [z]}\n  age: {parents: [z]}\n",
    )
    .replace(
        "  z: {parents: [size, species, weight]}",
        "  age: {parents: [photo, size]}\n  z: {parents: [size, species, weight]}",
    )
    .replace(
        "    eggs: eggs\n",
        "    eggs: eggs\n    age: {column: years, standardize: true}\n    photo: {column: file, folder: photos}\n",
    )
)


def bird_with_photo(number: int, *, labels: bool = True) -> dict[str, str]:
    """Three labels: a class, a number whose interval is a sum over classes, and one whose interval q tells."""
    years = f"{1 + number * 7 % 13 / 2}" if labels and number % 3 else ""
    return {**bird(number, labels=labels), "years": years, "file": f"{number}.png"}


def export(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["export", *arguments])


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run at a temperature, and what `export` made of it."""
    folder = tmp_path_factory.mktemp("birds")
    (folder / "photos").mkdir()
    for number in range(60):
        pixels = np.random.default_rng(number).integers(0, 256, (3, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    write_csv(folder / "birds.csv", [bird_with_photo(number) for number in range(60)], COLUMNS)
    (folder / "birds.yaml").write_text(SPEC)
    (folder / "run" / "checkpoints").mkdir(parents=True)
    run = make_run(folder / "run", folder / "birds.yaml")
    run.manifest_file.write_text(json.dumps(run.manifest() | {"calibration": {"species": TEMPERATURE.to_json()}}))
    done = export(str(folder / "run"), "-o", str(folder / "out"), "--query", QUERY, "--samples", "8")
    assert done.exit_code == 0, done.output
    return folder


def values_of(used: UsedRun, rows: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Arguments of the query, some of them blank, and what the model answers."""
    text = exported_query(used, QUERY, 8).text
    values = made_up(used.model.graphs.variables, text, rows, seed=rows)
    values["size"][::3, 0] = torch.nan
    values["eggs"][1::4] = torch.nan
    return values, model_answers(used, text, values)


def test_every_file_says_what_the_model_says(birds: Path) -> None:
    stem, used = birds / "out" / STEM, use_run(birds / "run")
    with torch.no_grad():
        emitted = query_module(birds / "out" / "model.py")
        program = torch.export.load(f"{stem}.pt2").module()
        files = [onnx_answers(Path(f"{stem}.onnx")), lambda v: emitted(**v), lambda v: program(**v)]
        for rows in BATCHES:
            values, judge = values_of(used, rows)
            for found in (answers(values) for answers in files):
                shapes = {name: tuple(value.shape) for name, value in found.items()}
                numbers = dict.fromkeys(["weight", "age", "age.low", "age.high"], (rows,))
                assert shapes == {"species": (rows, 3), **numbers}
                assert max(largest_difference(found[name], judge[name]) for name in judge) < 1e-5
            assert 1000 < float(judge["weight"].mean()) < 9000, "in the units of the data"
            assert bool(((judge["age.low"] < judge["age"]) & (judge["age"] < judge["age.high"])).all())


@pytest.mark.parametrize(
    ("answers", "words", "noises"),
    [
        ("both", "species | size, island, eggs, photo", 2),
        ("bound", "species, z | size, island, eggs, mass, photo", 1),
        ("recognition", "z | size, eggs, species, island, weight", 0),
        ("recognition", "weight | size, species", 0),
        ("recognition", "weight | species, z", 0),
        ("recognition", "size, eggs | species, z, island", 0),
    ],
)
def test_code_says_what_the_model_says(birds: Path, answers: str, words: str, noises: int) -> None:
    used = use_run(birds / "run")
    graphs = used.model.graphs
    objective = graphs.spec.objective.model_copy(update={"answers": {"species": answers}})
    used.model.graphs = replace(graphs, spec=graphs.spec.model_copy(update={"objective": objective}))
    query = exported_query(used, words, 1 if answers == "bound" else 5)  # one draw stands on no axis of its own
    assert len(query.text.draws) == noises
    folder = birds / "code"
    folder.mkdir(exist_ok=True)
    write_code(used, folder, query)
    module = query_module(folder / "model.py")
    for rows in (1, 6):
        values = made_up(used.model.graphs.variables, query.text, rows, seed=rows)
        judge = model_answers(used, query.text, values)
        with torch.no_grad():
            found = module(**values)
        assert max(largest_difference(found[name], judge[name]) for name in judge) < 1e-5


def test_predict_says_the_same_of_a_table(birds: Path) -> None:
    """Two kinds of label, an interval, blanks and pictures, at the run's temperature: predict and the three files."""
    rows = [bird_with_photo(number, labels=False) for number in range(20)]
    write_csv(birds / "new.csv", rows, COLUMNS)
    done = CliRunner().invoke(app, ["predict", str(birds / "run"), str(birds / "new.csv"), "-o", str(birds / "a.csv")])
    assert done.exit_code == 0, done.output
    stem = birds / "out" / STEM
    facts = json.loads(onnx_metadata(Path(f"{stem}.onnx"))["graphspec"])
    assert facts["inputs"]["size"]["columns"] == ["bill", "wing"] and not any("noise" in i for i in facts["inputs"])
    numbers = [
        [float(row[name]) if row[name] not in ("", "unknown") else np.nan for name in ("bill", "wing")] for row in rows
    ]
    photos = np.stack([np.asarray(Image.open(birds / "photos" / row["file"])) for row in rows])
    values = {
        "size": torch.tensor(numbers, dtype=torch.float32),
        "island": torch.tensor([facts["inputs"]["island"]["classes"].index(row["island"]) for row in rows]),
        "eggs": torch.tensor([np.nan if row["eggs"] == "-1" else float(row["eggs"]) for row in rows]),
        "photo": torch.from_numpy(photos[:, None]).float() / 255,
    }
    assert bool(values["size"].isnan().any()) and bool(values["eggs"].isnan().any())
    with (birds / "a.csv").open() as table:
        told = list(csv.DictReader(table))
    names = {"weight": "mass", "age": "years", "age.low": "years.low", "age.high": "years.high"}
    said = {name: torch.tensor([float(row[column]) for row in told]) for name, column in names.items()}
    classes = facts["outputs"]["species"]["classes"]
    said["species"] = torch.tensor([[float(row[f"kind={name}"]) for name in classes] for row in told])
    with torch.no_grad():
        program, emitted = torch.export.load(f"{stem}.pt2").module(), query_module(birds / "out" / "model.py")
        for found in (onnx_answers(Path(f"{stem}.onnx"))(values), program(**values), emitted(**values)):
            assert {*found} == {*said}
            assert max(largest_difference(found[name], said[name]) for name in said) < 1e-5
    raw = open_predictor(birds / "run").predict(birds / "new.csv", raw=True)
    raw = np.stack([np.asarray(raw[f"kind={name}"], np.float64) for name in classes], 1)
    assert largest_difference(torch.from_numpy(TEMPERATURE.applied(raw)).float(), said["species"]) < 1e-5
    assert np.abs(raw - said["species"].numpy()).max() > 1e-3, "the temperature does something"


def onnx_metadata(path: Path) -> dict[str, str]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return found


def test_the_folder_tells_itself_and_nothing_of_this_machine(birds: Path) -> None:
    out = birds / "out"
    card, readme = (out / "model_card.md").read_text(), (out / "README.md").read_text()
    assert "To be written by the author" in card and "fingerprint" in card and "labels of species" in card
    assert "size enters as (value - mean) / scale: mean [" in card
    assert "classes in order: Adelie, Gentoo, Chinstrap" in readme and "NaN where blank" in readme
    told = onnx_metadata(out / f"{STEM}.onnx")
    assert json.loads(told["classes.species"]) == ["Adelie", "Gentoo", "Chinstrap"]
    for path in out.iterdir():
        content = path.read_bytes()
        if path.suffix != ".pt2":
            assert str(birds).encode() not in content and b"site-packages" not in content, path.name


def test_the_readme_runs_where_nothing_of_graphspec_can_be_imported(birds: Path) -> None:
    out = birds / "out"
    values, judge = values_of(use_run(birds / "run"), 4)
    np.savez(out / "rows.npz", **{name: value.numpy() for name, value in values.items()})
    blocks = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.S)
    assert len(blocks) == 2
    hidden = "import sys\nfor name in ('graphspec', 'compiler', 'runtime'): sys.modules[name] = None\n"
    told = "globals().update({n: torch.from_numpy(v) for n, v in numpy.load('rows.npz').items()})\n"
    code = hidden + blocks[0] + "import torch, numpy\n" + told + blocks[1]
    code += "from model import load_query\nprint(load_query()(**{n: globals()[n] for n in numpy.load('rows.npz')}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{float(judge['species'][0, 0]):.4f}"[:6] in done.stdout
    (out / "rows.npz").unlink()


def test_facts_that_do_not_matter_are_left_out(birds: Path) -> None:
    used = use_run(birds / "run")
    query = exported_query(used, "eggs | species, z, island", 8)
    assert (query.title, query.unneeded) == ("eggs | species", ("z", "island"))
    assert exported_query(used, "z | size, species, weight, island", 8).title == "z | size, species, weight"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("species", "lacks what rows tell"),
        ("species | ", "expected a name after"),
        ("species=Gentoo | size", "an event or a value cannot be exported"),
        ("species | size, do(island=Dream)", "do() cannot be exported"),
        ("size[0] | species", "an element cannot be exported"),
        ("specie | size", "did you mean `species`?"),
        ("species | size, species", "asked and told"),
        ("size | species", "size depends on island, z, which would have to be drawn"),
        ("z | species", "depends on nothing that rows tell"),
        ("species | size, z", "z is a fact, and q infers it"),
        ("island | species", "p does not model island"),
        ("species | eggs", "recognition reads island, of which no row is blank"),
    ],
)
def test_what_cannot_be_exported_says_why(birds: Path, words: str, told: str) -> None:
    with pytest.raises(RunError) as caught:
        exported_query(use_run(birds / "run"), words, 8)
    text = f"{caught.value.message} {caught.value.hint}"
    assert any(part in text for part in told.split("|")), text


def test_a_folder_of_somebody_else_is_left_alone(birds: Path) -> None:
    (birds / "mine").mkdir()
    (birds / "mine" / "notes.txt").write_text("mine")
    done = export(str(birds / "run"), "-o", str(birds / "mine"))
    assert done.exit_code == 1 and "`export` did not write it" in done.output


def test_a_temperature_and_what_has_no_interval_are_told(birds: Path) -> None:
    used = use_run(birds / "run")
    facts = query_facts(used, exported_query(used, QUERY, 8, 0.5))
    assert facts["outputs"]["species"]["temperature"] == 2.0 and "temperature" not in facts["outputs"]["weight"]
    assert [facts["outputs"][f"age.{end}"]["level"] for end in ("low", "high")] == [0.25, 0.75]
    lines = as_lines(facts)
    assert any("at the temperature 2" in line and "`species`" in line for line in lines)
    assert any("`weight`" in line and "without an interval" in line for line in lines)
    assert any("`age.low` [rows] float32: 25 % quantile" in line for line in lines)
    card = (birds / "out" / "model_card.md").read_text()
    assert "probabilities of species at the temperature 2, p^(1/2) normalised, fitted on 150 validation rows" in card
    unused = replace(used, temperatures={"species": replace(TEMPERATURE, used=False)})
    assert "temperature" not in query_facts(unused, exported_query(unused, QUERY, 8))["outputs"]["species"]


def test_without_onnx_the_extra_is_named(birds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    done = export(str(birds / "run"), "-o", str(birds / "no"), "--query", QUERY)
    assert done.exit_code == 1 and "pip install -e '.[export]'" in done.output and not (birds / "no").exists()
    done = export(str(birds / "run"), "-o", str(birds / "no"))
    assert done.exit_code == 0, done.output
    assert {path.name for path in (birds / "no").iterdir()} == {
        "README.md", "model.py", "model_card.md", "spec.yaml", "weights.safetensors"
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "digits",
        "two-labels",
        "table",
        "gmvae",
        "continuous-label",
        "survey",
        "sdgm",
        "adgm",
        "m1m2",
        "cvae",
        "ladder",
        "scanvi",
    ],
)
def test_specs_in_every_file(tmp_path: Path, name: str) -> None:
    from runtime.exporting.export_folder import export_run

    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    make_run(tmp_path / "run", Path(__file__).parents[1] / "specs" / f"{name}.yaml")
    used = use_run(tmp_path / "run")
    graphs = used.model.graphs
    words = f"{', '.join(graphs.supervised or graphs.latent)} | {', '.join(graphs.observed)}"
    found = export_run(used, tmp_path / "out", words, 20)
    assert len(found.differences) == 3 and max(found.differences.values()) < 1e-5
