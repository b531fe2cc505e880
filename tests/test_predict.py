"""`predict` as a person meets it: other rows, columns in any order, blanks, labels that are known, wrong files."""

import csv
import gzip
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import make_run
from typer.testing import CliRunner, Result

from compiler.tensors.noise import Noise
from runtime import open_predictor, open_run
from runtime.cli.app import app
from runtime.data import prepare
from runtime.errors import DataError, RunError
from runtime.predicting import predict_rows
from runtime.predicting.input_tables import open_input
from runtime.predicting.input_values import InputReader, batch_of
from runtime.predicting.row_answers import AskedFor, as_rows
from runtime.predicting.row_noise import RowNoise, keys_of_contents
from runtime.predicting.used_run import use_run
from runtime.runs.run_folder import Run

BIRDS = """
graphspec: 1
name: birds
variables:
  size: {role: observed, domain: real, size: 2, missing: true}
  island: {role: observed, domain: category, names: [Biscoe, Dream, Torgersen]}
  eggs: {role: observed, domain: count, max: 3, missing: true}
  species: {role: supervised, domain: category, names: [Adelie, Gentoo, Chinstrap]}
  weight: {role: supervised, domain: positive}
  z: {role: latent, domain: real, size: 2}
generative:
  species: {}
  z: {}
  weight: {parents: [species, z]}
  size: {parents: [species, z, island]}
  eggs: {parents: [species]}
recognition:
  species: {parents: [size, island, eggs]}
  weight: {parents: [size, species]}
  z: {parents: [size, species, weight]}
networks: {default: {kind: mlp, hidden: [8]}}
data:
  source: birds.csv
  variables:
    size: {columns: [bill, wing], standardize: true, missing: [unknown]}
    island: island
    eggs: eggs
    species: kind
    weight: {column: mass, standardize: true}
training: {epochs: 1}
"""
HEADER = ("kind", "mass", "bill", "wing", "island", "eggs")


def bird(number: int, *, labels: bool = True) -> dict[str, str]:
    kinds, islands = ("Adelie", "Gentoo", "Chinstrap"), ("Biscoe", "Dream", "Torgersen")
    return {
        "kind": kinds[number % 3] if labels and number % 4 else "",
        "mass": f"{3000 + 17 * number % 2000}" if labels and number % 5 else "",
        "bill": "unknown" if number % 7 == 3 else f"{35 + number % 13 / 2}",
        "wing": "" if number % 11 == 5 else f"{180 + number % 30}",
        "island": islands[number * number // 5 % 3],
        "eggs": "-1" if number % 6 == 0 else str(number % 4),
    }


def write_csv(path: Path, rows: list[dict[str, str]], header: tuple[str, ...] = HEADER) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("birds")
    write_csv(folder / "birds.csv", [bird(number) for number in range(90)])
    (folder / "birds.yaml").write_text(BIRDS)
    return make_run(folder / "run", folder / "birds.yaml")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("digits")
    (folder / "digits.yaml").write_text("""
graphspec: 1
name: digits
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  y: {role: supervised, domain: category, classes: 10}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, z: {}, x: {parents: [y, z], distribution: bernoulli}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: linear}}
data: {source: digits, variables: {x: image, y: label}, labels: {y: 100}}
training: {epochs: 1}
""")
    return make_run(folder / "run", folder / "digits.yaml")


def predict(*arguments: Any, code: int = 0, **options: Any) -> Result:
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)], **options)
    assert "Traceback" not in result.output, result.output
    assert result.exit_code == code, result.output
    return result


def read(path: Path, **options: Any) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, **options))


def numbers(rows: list[dict[str, str]], *columns: str) -> np.ndarray:
    return np.array([[float(row[column]) for column in columns] for row in rows])


# --- the same numbers everywhere ----------------------------------------------------------------------------------


def test_the_numbers_are_the_models_own_on_its_test_rows(birds: Run, tmp_path: Path) -> None:
    data = prepare(open_run(birds.folder).graphs, spec_path=birds.spec_path)
    rows = [bird(int(number)) | {"kind": "", "mass": ""} for number in data.test.source]
    predict(birds.folder, write_csv(tmp_path / "new.csv", rows), "-o", tmp_path / "out.csv")
    found, model = read(tmp_path / "out.csv"), open_run(birds.folder)
    seen = model.unlabelled(data.test.batch(torch.arange(len(data.test)), torch.float32))
    with torch.no_grad():
        species = model.predict("species", seen, noise=Noise(0, len(rows)))
        weight = data.units["weight"].to_data(model.predict("weight", seen, noise=Noise(0, len(rows))))
        z = model.predict("z", seen, samples=3000, noise=Noise(0, len(rows)))
    classes = [f"kind={name}" for name in ("Adelie", "Gentoo", "Chinstrap")]
    assert np.abs(numbers(found, *classes) - species.numpy()).max() < 1e-6
    assert np.abs(numbers(found, "mass")[:, 0] / weight.numpy() - 1).max() < 1e-6
    assert np.abs(numbers(found, "z[0]", "z[1]") - z.numpy()).max() < 0.2, "z reads a drawn weight"
    assert [row["kind"] for row in found] == [classes[i].removeprefix("kind=") for i in species.argmax(1).tolist()]
    assert numbers(found, "kind.probability")[:, 0] == pytest.approx(species.max(1).values.numpy())
    assert (numbers(found, "mass.low") < numbers(found, "mass.high")).all()


def test_bit_for_bit_what_evaluate_sees_at_equal_batches(digits: Run, tmp_path: Path) -> None:
    model = open_run(digits.folder)
    data = prepare(model.graphs, spec_path=digits.spec_path)
    pixels = data.test.values["x"]
    np.savez(tmp_path / "new.npz", image=pixels.numpy())
    predict(digits.folder, tmp_path / "new.npz", "-o", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as archive:
        found = dict(archive)
    with torch.no_grad():
        own = model.predict("y", {"x": pixels}, noise=Noise(0, len(pixels)))
    assert np.array_equal(found["label.probabilities"], own.numpy())
    assert np.array_equal(found["label"], own.argmax(1).numpy())
    assert found["z"].shape == found["z.sd"].shape == (len(pixels), 2)


def test_neither_batch_nor_order_nor_format_nor_process_changes_a_number(birds: Run, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [bird(number, labels=number % 2 == 0) | {"key": str(number)} for number in range(40)]
    header = (*HEADER, "key")
    predict(birds.folder, write_csv(tmp_path / "a.csv", rows, header), "-o", tmp_path / "a-out.csv")
    expected = {row["key"]: row for row in read(tmp_path / "a-out.csv")}
    assert float(expected["1"]["z[0].sd"]) > 0
    turned = write_csv(tmp_path / "b.tsv", rows[::-1], ("key", *sorted(HEADER)))
    turned.write_text(turned.read_text().replace(",", "\t"))
    predict(birds.folder, turned, "-o", tmp_path / "b.csv", "--batch-size", 7)
    columns = {name: [row[name] for row in rows] for name in header}
    for name in ("bill", "wing", "mass"):
        columns[name] = [float(cell) if cell not in ("", "unknown") else None for cell in columns[name]]
    columns["eggs"] = [int(cell) if cell != "-1" else None for cell in columns["eggs"]]
    parquet.write_table(pyarrow.table(columns), tmp_path / "c.parquet")
    predict(birds.folder, tmp_path / "c.parquet", "-o", tmp_path / "c.csv", "--batch-size", 11)
    predict(birds.folder, tmp_path / "c.parquet", "-o", tmp_path / "d.parquet")
    with gzip.open(tmp_path / "e.csv.gz", "wt") as file:
        file.write((tmp_path / "a.csv").read_text())
    predict(birds.folder, tmp_path / "e.csv.gz", "-o", tmp_path / "e.csv")
    again = parquet.read_table(tmp_path / "d.parquet").to_pylist()
    for path in ("b.csv", "c.csv", "e.csv"):
        for row in read(tmp_path / path):
            for name, cell in expected[row["key"]].items():
                if name in ("kind", "island", "key"):
                    assert row[name] == cell
                elif name not in ("bill", "wing", "eggs"):
                    assert float(row[name]) == pytest.approx(float(cell), rel=1e-5, abs=1e-6), (path, name)
    for row in again:
        assert row["kind"] == expected[row["key"]]["kind"]
        assert row["mass"] == pytest.approx(float(expected[row["key"]]["mass"]), rel=1e-6)


def test_labels_are_answered_as_the_spec_says(tmp_path: Path) -> None:
    (tmp_path / "birds.yaml").write_text(BIRDS + "objective: {answers: {species: both}}\n")
    write_csv(tmp_path / "birds.csv", [bird(number) for number in range(60)])
    run = make_run(tmp_path / "run", tmp_path / "birds.yaml")
    rows = [bird(number) | {"mass": "3500"} for number in range(6)]
    predict(run.folder, write_csv(tmp_path / "new.csv", rows), "-o", tmp_path / "out.csv")
    used = use_run(run.folder)
    table = open_input(str(tmp_path / "new.csv"), used, print, ExitStack())
    values = InputReader(used, table).read(next(table.parts(6)))
    held = as_rows(used, batch_of(values, slice(0, 6), torch.float32))
    noise = RowNoise(0, 6, lambda: keys_of_contents(held))
    with torch.no_grad():
        q, both = (
            used.model.predict("species", held, samples=100, noise=noise, by=by) for by in ("recognition", "both")
        )
    found = numbers(read(tmp_path / "out.csv"), "kind=Adelie", "kind=Gentoo", "kind=Chinstrap")
    hidden = [number for number, row in enumerate(rows) if not row["kind"]]
    assert len(hidden) == 2 and np.abs(found[hidden] - both.numpy()[hidden]).max() < 1e-6
    assert np.abs(found[hidden] - q.numpy()[hidden]).max() > 1e-3


# --- columns ------------------------------------------------------------------------------------------------------


def test_own_columns_stay_and_blanks_are_filled_in_place(birds: Run, tmp_path: Path) -> None:
    rows = [bird(number) | {"note": "a, b"} for number in range(12)]
    header = ("note", "eggs", "kind", "bill", "island", "wing")  # no mass
    predict(
        birds.folder, write_csv(tmp_path / "new.csv", rows, header), "-o", tmp_path / "out.csv", "--latents", "none"
    )
    found = read(tmp_path / "out.csv")
    assert list(found[0]) == [
        *header, "kind.probability", "kind=Adelie", "kind=Gentoo", "kind=Chinstrap", "mass", "mass.low", "mass.high",
    ]  # fmt: skip
    for before, after in zip(rows, found, strict=True):
        assert all(after[name] == before[name] for name in header if name != "kind")
        assert after["kind"] == (before["kind"] or after["kind"]) and after["kind"]
        if before["kind"]:
            assert float(after["kind.probability"]) == 1 == float(after[f"kind={before['kind']}"])


def test_a_label_that_a_row_has_is_used_for_the_others(birds: Run, tmp_path: Path) -> None:
    one = bird(1) | {"mass": ""}
    rows = [one | {"kind": kind} for kind in ("Adelie", "Gentoo", "Chinstrap", "")]
    predict(birds.folder, write_csv(tmp_path / "new.csv", rows), "-o", tmp_path / "out.csv")
    found = read(tmp_path / "out.csv")
    masses, last = numbers(found, "mass")[:, 0], numbers(found[3:], "kind=Adelie", "kind=Gentoo", "kind=Chinstrap")[0]
    assert len(set(masses)) == 4
    logs = numbers(found, "mass.low", "mass.high")
    assert masses[3] == pytest.approx(float(last @ masses[:3]), rel=1e-3), "a hidden class is summed out"
    assert logs[3, 0] >= logs[:3, 0].min() and logs[3, 1] <= logs[:3, 1].max()


def test_keep_leaves_a_column_and_answers_as_if_it_were_blank(birds: Run, tmp_path: Path) -> None:
    rows = [bird(number) for number in range(8)]
    file = write_csv(tmp_path / "new.csv", rows)
    predict(birds.folder, file, "-o", tmp_path / "kept.csv", "--keep")
    hidden = write_csv(tmp_path / "hidden.csv", [row | {"kind": ""} for row in rows])
    predict(birds.folder, hidden, "-o", tmp_path / "hidden-out.csv")
    for before, kept, free in zip(rows, read(tmp_path / "kept.csv"), read(tmp_path / "hidden-out.csv"), strict=True):
        assert kept["kind"] == before["kind"] and kept["mass"] == before["mass"]
        assert kept["kind.predicted"] == free["kind"]
        assert float(kept["kind=Gentoo"]) == pytest.approx(float(free["kind=Gentoo"]), abs=1e-6)


def test_a_threshold_says_a_class_earlier(birds: Run, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", [bird(number, labels=False) for number in range(20)])
    predict(birds.folder, file, "-o", tmp_path / "out.csv", "--threshold", "kind=Chinstrap:0.01")
    found = read(tmp_path / "out.csv")
    for row in found:
        assert (row["kind"] == "Chinstrap") == (float(row["kind=Chinstrap"]) >= 0.01)
        assert row["kind.probability"] == row[f"kind={row['kind']}"]
    wrong = predict(birds.folder, file, "-o", tmp_path / "x.csv", "--threshold", "kind=Chinstrp:0.3", code=1)
    assert "'Chinstrp' is no class of kind" in wrong.output and "did you mean `Chinstrap`?" in wrong.output


def test_draws_of_latents_go_by_seed_and_place(birds: Run, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", [bird(1)] * 3)
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        predict(birds.folder, file, "-o", tmp_path / f"{name}.csv", "--latents", "draws", "--seed", seed)
        found.append(numbers(read(tmp_path / f"{name}.csv"), "z[0]")[:, 0])
    assert (found[0] == found[1]).all() and (found[0] != found[2]).all() and len(set(found[0])) == 3


# --- what is strange is told --------------------------------------------------------------------------------------


def test_a_class_never_seen_is_a_blank_where_it_may_be_and_an_error_elsewhere(birds: Run, tmp_path: Path) -> None:
    rows = [bird(number) for number in range(6)]
    strange = [row | {"kind": "Emperor", "eggs": "7"} if n == 4 else row for n, row in enumerate(rows)]
    told = predict(birds.folder, write_csv(tmp_path / "new.csv", strange), "-o", tmp_path / "out.csv").output
    assert "column 'kind': 1 cell of 6 taken as blank, being no class of it ('Emperor'; first in row 4)" in told
    assert "column 'eggs': 1 cell of 6 taken as blank" in told
    blank = [row | {"kind": "", "eggs": ""} if n == 4 else row for n, row in enumerate(rows)]
    predict(birds.folder, write_csv(tmp_path / "blank.csv", blank), "-o", tmp_path / "blank-out.csv")
    after, expected = read(tmp_path / "out.csv")[4], read(tmp_path / "blank-out.csv")[4]
    assert after["kind"] == expected["kind"] and after["kind=Gentoo"] == expected["kind=Gentoo"]
    elsewhere = [row | {"island": "Atlantis"} if n == 3 else row for n, row in enumerate(rows)]
    error = predict(birds.folder, write_csv(tmp_path / "bad.csv", elsewhere), "-o", tmp_path / "bad-out.csv", code=1)
    assert "column 'island', row 3: 'Atlantis' is no value of island" in error.output
    assert "a trained run reads cells as its spec says: write" in error.output
    assert not (tmp_path / "bad-out.csv").exists()


def test_a_class_of_the_spec_that_no_training_row_had_is_told(tmp_path: Path) -> None:
    spec = BIRDS.replace("[Biscoe, Dream, Torgersen]", "[Biscoe, Dream, Torgersen, Cormorant]")
    (tmp_path / "birds.yaml").write_text(spec)
    write_csv(tmp_path / "birds.csv", [bird(number) for number in range(90)])
    run = make_run(tmp_path / "run", tmp_path / "birds.yaml")
    file = write_csv(tmp_path / "new.csv", [bird(1) | {"island": "Cormorant"}, bird(2)])
    told = predict(run.folder, file, "-o", tmp_path / "out.csv").output
    assert "column 'island': 1 row of 2 with a class that no training row had ('Cormorant'; first in row 0)" in told


def test_missing_columns_are_an_error_or_a_note(birds: Run, tmp_path: Path) -> None:
    rows = [bird(number) for number in range(3)]
    file = write_csv(tmp_path / "new.csv", [row | {"iland": row["island"]} for row in rows], ("bill", "wing", "iland"))
    error = predict(birds.folder, file, "-o", tmp_path / "out.csv", code=1).output
    assert "new.csv has no column 'island', which island is read from" in error and "did you mean `iland`?" in error
    file = write_csv(tmp_path / "new.csv", rows, ("bill", "island"))
    told = predict(birds.folder, file, "-o", tmp_path / "out.csv").output
    assert "new.csv has no column 'wing': taken as blank in every row" in told and "no column 'eggs'" in told
    assert "no column 'kind'" not in told and len(read(tmp_path / "out.csv")) == 3


def test_values_in_another_unit_are_told(birds: Run, tmp_path: Path) -> None:
    rows = [bird(number) | {"bill": f"{4 + number / 10}"} for number in range(3)]
    told = predict(birds.folder, write_csv(tmp_path / "new.csv", rows), "-o", tmp_path / "out.csv").output
    assert "column 'bill': 3 rows of 3 far outside of what training saw (35 to 41), the first in row 0: 4" in told
    usual = predict(birds.folder, write_csv(tmp_path / "b.csv", [bird(1)]), "-o", tmp_path / "b-out.csv").output
    assert "note" not in usual


def test_minus_one_means_a_blank_in_a_single_row_too(birds: Run, tmp_path: Path) -> None:
    for cell in ("-1", ""):
        file = write_csv(
            tmp_path / "new.csv", [bird(2) | {"kind": "", "eggs": cell}, bird(2) | {"kind": "", "eggs": "1"}]
        )
        predict(birds.folder, file, "-o", tmp_path / f"out{cell}.csv")
    after, blank = ([row["kind=Gentoo"] for row in read(tmp_path / f"out{cell}.csv")] for cell in ("-1", ""))
    assert after == blank and after[0] != after[1]


# --- files --------------------------------------------------------------------------------------------------------


def test_nothing_foreign_is_overwritten(birds: Run, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", [bird(1)])
    before = file.read_bytes()
    assert "is the input itself" in predict(birds.folder, file, "-o", file, code=1).output
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    assert "is there already" in predict(birds.folder, file, "-o", tmp_path / "notes.csv", code=1).output
    copy = tmp_path / "copy.csv"
    copy.write_bytes(before)
    assert "is there already" in predict(birds.folder, file, "-o", copy, code=1).output
    source = birds.spec_path.parent / "birds.csv"
    assert "reads as data" in predict(birds.folder, file, "-o", source, code=1).output
    assert "cannot be written as .txt" in predict(birds.folder, file, "-o", tmp_path / "out.txt", code=1).output
    assert "there is no folder" in predict(birds.folder, file, "-o", tmp_path / "no" / "out.csv", code=1).output
    assert file.read_bytes() == copy.read_bytes() == before
    for _ in range(2):  # its own earlier answer is replaced
        predict(birds.folder, file, "-o", tmp_path / "out.csv")
    assert "no such.csv to predict" in predict(birds.folder, "no such.csv", "-o", tmp_path / "x.csv", code=1).output


def test_predictions_predicted_again_are_written_anew(birds: Run, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", [bird(number, labels=False) for number in range(4)])
    predict(birds.folder, file, "-o", tmp_path / "once.csv", "--latents", "none")
    predict(birds.folder, tmp_path / "once.csv", "-o", tmp_path / "twice.csv", "--latents", "none")
    assert sorted(read(tmp_path / "twice.csv")[0]) == sorted(read(tmp_path / "once.csv")[0])
    assert {row["kind.probability"] for row in read(tmp_path / "twice.csv")} == {"1.0"}, "the labels are known by now"


def test_standard_input_is_read_as_a_table(birds: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [bird(number, labels=False) for number in range(5)]
    file = write_csv(tmp_path / "new.csv", rows)
    predict(birds.folder, file, "-o", tmp_path / "a.csv")
    predict(birds.folder, "-", "-o", tmp_path / "b.csv", input=file.read_bytes())
    assert read(tmp_path / "a.csv") == read(tmp_path / "b.csv")


def test_a_folder_of_pictures_gives_a_table_of_file_names(digits: Run, tmp_path: Path) -> None:
    pixels = (prepare(open_run(digits.folder).graphs, spec_path=digits.spec_path).test.values["x"][:6] * 255).round()
    folder = tmp_path / "pics"
    folder.mkdir()
    for number, picture in enumerate(pixels.numpy().astype(np.uint8)):
        Image.fromarray(picture[0]).save(folder / f"d{number}.png")
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(folder / "dark.png")
    predict(digits.folder, folder, "-o", tmp_path / "out.csv", "--latents", "none")
    found = read(tmp_path / "out.csv")
    assert [row["file_name"] for row in found] == [*(f"d{number}.png" for number in range(6)), "dark.png"]
    with torch.no_grad():
        own = open_run(digits.folder).predict("y", {"x": pixels / 255}, noise=Noise(0, 6)).numpy()
    assert np.abs(numbers(found[:6], *(f"label={number}" for number in range(10))) - own).max() < 1e-6
    assert "lies in" in predict(digits.folder, folder, "-o", folder / "out.csv", code=1).output


def test_a_known_set_gives_rows_by_number(digits: Run, tmp_path: Path) -> None:
    predict(digits.folder, "digits", "-o", tmp_path / "out.csv", "--latents", "none")
    found = read(tmp_path / "out.csv")
    assert [row["row"] for row in found[:2]] == ["0", "1"] and len(found) == 1797
    assert [row["label"] for row in found[:5]] == ["0", "1", "2", "3", "4"], "labels that rows have are their answers"


def test_the_data_of_training_need_not_be_there(birds: Run, tmp_path: Path) -> None:
    import shutil

    spec = BIRDS.replace("columns: [bill, wing]", 'columns: ["*i*g", bill]').replace("birds.csv", "gone.csv")
    home = tmp_path / "home"
    home.mkdir()
    (home / "birds.yaml").write_text(spec)
    write_csv(home / "gone.csv", [bird(number) for number in range(90)])
    run = make_run(tmp_path / "run", home / "birds.yaml")
    file = write_csv(tmp_path / "new.csv", [bird(1)], ("eggs", "bill", "island", "wing"))
    predict(run.folder, file, "-o", tmp_path / "a.csv")
    shutil.rmtree(home)
    file = write_csv(tmp_path / "b.csv", [bird(1) | {"xigg": "5"}], ("xigg", "eggs", "bill", "island", "wing"))
    predict(run.folder, file, "-o", tmp_path / "b-out.csv")
    before, after = read(tmp_path / "a.csv")[0], read(tmp_path / "b-out.csv")[0]
    assert {name: after[name] for name in before} == before


def test_a_large_table_is_read_answered_and_written_part_by_part(
    birds: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_csv(tmp_path / "large.csv", [bird(number) for number in range(250)])
    monkeypatch.setattr(predict_rows, "PART_ROWS", 60)
    seen, read_part = list[int](), InputReader.read
    monkeypatch.setattr(InputReader, "read", lambda self, part: seen.append(part.rows) or read_part(self, part))
    told: list[tuple[int, int | None]] = []
    asked = AskedFor("none", samples=1)
    found = predict_rows.predict_file(
        use_run(birds.folder), str(file), tmp_path / "out.csv", asked, batch_rows=30, progress=lambda *n: told.append(n)
    )
    assert seen == [60, 60, 60, 60, 10] and found.rows == len(read(tmp_path / "out.csv")) == 250
    assert told == [(60, None), (120, None), (180, None), (240, None), (250, None)]


# --- blanks -------------------------------------------------------------------------------------------------------


def test_blanks_are_imputed_in_place_and_in_data_units(birds: Run, tmp_path: Path) -> None:
    rows = [bird(number) for number in range(14)]
    file = write_csv(tmp_path / "new.csv", rows)
    predict(birds.folder, file, "-o", tmp_path / "out.csv", "--impute", "--latents", "none", "--samples", 200)
    found = read(tmp_path / "out.csv")
    assert list(found[0])[-5:] == ["bill.low", "bill.high", "wing.low", "wing.high", "eggs.probability"]
    for before, after in zip(rows, found, strict=True):
        assert after["island"] == before["island"]
        for name in ("bill", "wing"):
            if before[name] in ("", "unknown"):
                assert float(after[f"{name}.low"]) < float(after[name]) < float(after[f"{name}.high"])
                assert 20 < float(after[name]) < 300, "data units"
            else:
                assert after[name] == before[name] and not after[f"{name}.low"]
        blank = before["eggs"] == "-1"
        assert after["eggs"] in "0123" and (after["eggs"] == before["eggs"] or blank)
        assert (float(after["eggs.probability"] or 0) > 0) == blank
    predict(birds.folder, file, "-o", tmp_path / "b.csv", "--impute", "--latents", "none", "--samples", 200,
            "--batch-size", 3)  # fmt: skip
    again = read(tmp_path / "b.csv")
    for first, second in zip(found, again, strict=True):
        assert float(first["bill"]) == pytest.approx(float(second["bill"]), rel=1e-5) or first["bill"] == second["bill"]


def test_joint_draws_go_together_and_by_seed_and_place(birds: Run, tmp_path: Path) -> None:
    rows = [bird(1) | {"kind": "", "mass": "", "bill": "", "eggs": ""}] * 2 + [bird(2)]
    file = write_csv(tmp_path / "new.csv", rows)
    predict(birds.folder, file, "-o", tmp_path / "a.csv", "--draws", 3, "--seed", 5)
    predict(birds.folder, file, "-o", tmp_path / "b.csv", "--draws", 4, "--seed", 5, "--batch-size", 1)
    first, second = read(tmp_path / "a.csv"), read(tmp_path / "b.csv")
    assert list(first[0]) == ["draw", *HEADER, "z[0]", "z[1]"]
    assert [row["draw"] for row in first] == ["1"] * 3 + ["2"] * 3 + ["3"] * 3 and len(second) == 12
    assert len({row["bill"] for row in first[:3]}) == 3 and all(row["kind"] and row["mass"] for row in first)
    key = [(row["draw"], row["kind"], round(float(row["mass"]), 2), round(float(row["bill"]), 3)) for row in first]
    other = {(row["draw"], row["kind"], round(float(row["mass"]), 2), round(float(row["bill"]), 3)) for row in second}
    assert set(key) <= other, "neither the batch nor the number of draws changes the first ones"
    assert {row["bill"] for row in first if row["wing"] == rows[2]["wing"]} == {rows[2]["bill"]}


def test_nothing_to_impute_is_said(digits: Run, tmp_path: Path) -> None:
    error = predict(digits.folder, "digits", "-o", tmp_path / "out.csv", "--impute", code=1).output
    assert "no observed variable that may be blank" in error


# --- from Python --------------------------------------------------------------------------------------------------


def test_a_predictor_gives_what_the_command_writes(birds: Run, tmp_path: Path) -> None:
    rows = [bird(number) for number in range(8)]
    file = write_csv(tmp_path / "new.csv", rows)
    predict(birds.folder, file, "-o", tmp_path / "out.csv")
    predictor, written = open_predictor(birds.folder), read(tmp_path / "out.csv")
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in HEADER}
    for name in ("wing", "mass"):
        columns[name] = [float(cell) if cell else None for cell in columns[name]]
    for found in (predictor.predict(file), predictor.predict(columns)):
        assert list(found) == list(written[0])
        assert list(found["kind"]) == [row["kind"] for row in written]
        assert np.allclose(np.array(found["kind=Gentoo"]), numbers(written, "kind=Gentoo")[:, 0], atol=1e-6)
        assert np.allclose(np.array(found["mass"], dtype=float), numbers(written, "mass")[:, 0], rtol=1e-6)
    assert list(predictor.latents(columns)) == ["z[0]", "z[0].sd", "z[1]", "z[1].sd"]
    filled = predictor.impute(columns)
    assert np.isfinite(np.array(filled["wing"], dtype=float)).all() and filled["bill"][3] != "unknown"
    assert len(predictor.impute(columns, draws=2)["draw"]) == 16
    pyarrow = pytest.importorskip("pyarrow")
    assert predictor.predict(pyarrow.table(columns))["kind"].to_pylist() == [row["kind"] for row in written]


def test_a_predictor_reads_a_frame_by_the_interchange(birds: Run) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    rows = [bird(number) for number in range(4)]

    class Frame:
        def __init__(self) -> None:
            self.table = pyarrow.table({name: [row[name] for row in rows] for name in HEADER})

        def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
            return self.table.__dataframe__()

    predictor = open_predictor(birds.folder)
    assert len(predictor.predict(Frame())["kind"]) == 4
    with pytest.raises(DataError, match="a list is no table with named columns"):
        predictor.predict([1, 2])


def test_the_bare_model_refuses_rows_that_are_not_standardized(birds: Run, tmp_path: Path) -> None:
    model = open_run(birds.folder)
    rows = {"size": torch.tensor([[38.0, 190.0]] * 3), "island": torch.zeros(3), "eggs": torch.ones(3)}
    with pytest.raises(ValueError, match="rows of 'size' are not in the units that the model was trained in"):
        model.predict("species", rows, noise=Noise(0, 3))
    with torch.no_grad():
        assert model.predict("species", rows | {"size": torch.zeros(3, 2)}, noise=Noise(0, 3)).shape == (3, 3)
    foreign = write_csv(tmp_path / "new.csv", [{"a": "1", "b": "2"}], ("a", "b"))
    error = predict(birds.folder, foreign, "-o", tmp_path / "out.csv", code=1).output
    assert "new.csv has none of the columns that the run reads: bill, wing, island, eggs" in error


def test_a_predictor_samples_rows_in_data_units(birds: Run) -> None:
    predictor = open_predictor(birds.folder)
    found = predictor.sample(20, given={"kind": "Gentoo", "island": "Dream", "mass": 4000})
    assert set(found["kind"]) == {"Gentoo"} and set(found["island"]) == {"Dream"}
    assert np.allclose(np.array(found["mass"], dtype=float), 4000, rtol=1e-5)
    assert 100 < float(np.mean(found["wing"])) < 300 and len(set(found["wing"])) == 20
    with pytest.raises(RunError, match="'Emperor' is no value of species"):
        predictor.sample(2, given={"kind": "Emperor"})
    with pytest.raises(RunError, match="size is held in part"):
        predictor.sample(2, given={"bill": 4, "island": "Dream"})
    with pytest.raises(RunError, match="needs a value for 'island'"):
        predictor.sample(2)


def test_draws_may_have_a_file_each(birds: Run, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", [bird(number) for number in range(100, 106)])
    predict(birds.folder, file, "-o", tmp_path / "all.csv", "--draws", 3)
    predict(birds.folder, file, "-o", tmp_path / "one-{draw}.csv", "--draws", 3)
    whole = read(tmp_path / "all.csv")
    for number in (1, 2, 3):
        own = [{n: cell for n, cell in line.items() if n != "draw"} for line in whole if line["draw"] == str(number)]
        assert read(tmp_path / f"one-{number}.csv") == own
    for options, said in ((("--draws", 300), "more than 200 files"), ((), "add --draws N")):
        assert said in predict(birds.folder, file, "-o", tmp_path / "x-{draw}.csv", *options, code=1).output
    (tmp_path / "one-2.csv").write_text("mine")
    assert "one-2.csv" in predict(birds.folder, file, "-o", tmp_path / "one-{draw}.csv", "--draws", 3, code=1).output


def test_labels_are_answered_by_what_is_asked(birds: Run, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", [{**bird(number), "kind": ""} for number in range(100, 106)])
    found = {}
    for way in ("recognition", "bound", "both"):
        predict(birds.folder, file, "-o", tmp_path / f"{way}.csv", "--by", way)
        lines = read(tmp_path / f"{way}.csv")
        found[way] = np.array([[float(cell) for n, cell in line.items() if n.startswith("kind=")] for line in lines])
    assert np.allclose(found["bound"].sum(1), 1, atol=1e-5)
    assert np.allclose(found["both"], (found["recognition"] + found["bound"]) / 2, atol=1e-5)
    assert not np.allclose(found["bound"], found["recognition"], atol=1e-3)


LINKED = """
graphspec: 1
name: linked
variables:
  pair: {role: observed, domain: real, size: 2, missing: true}
  colour: {role: observed, domain: category, names: [red, green], missing: true}
  z: {role: latent, domain: real, size: 1}
generative:
  z: {}
  pair: {parents: [z], network: {kind: linear}, parameters: {scale: 0.1}}
  colour: {parents: [z]}
recognition: {z: {parents: [pair, colour], network: {kind: linear}}}
data:
  source: pairs.csv
  variables: {pair: {columns: [left, right], standardize: true}, colour: colour}
  test: 0
training: {epochs: 1}
"""


def test_imputed_cells_keep_names_units_and_what_they_have_in_common(tmp_path: Path) -> None:
    """What users of other tools met: one-hot numbers for categories, standardized numbers, draws without correlation."""
    header = ("left", "right", "colour")
    known = [
        {"left": f"{1000 + 7 * (i % 40)}", "right": f"{0.001 * (i % 17)}", "colour": "red" if i % 3 else "green"}
        for i in range(60)
    ]
    write_csv(tmp_path / "pairs.csv", known, header)
    (tmp_path / "linked.yaml").write_text(LINKED)
    run = make_run(tmp_path / "run", tmp_path / "linked.yaml")
    file = write_csv(tmp_path / "new.csv", [{"left": "", "right": "", "colour": ""}] * 300, header)
    predict(run.folder, file, "-o", tmp_path / "out.csv", "--draws", 1, "--latents", "none")
    drawn = read(tmp_path / "out.csv")
    assert {line["colour"] for line in drawn} == {"red", "green"}
    left, right = (numbers(drawn, name)[:, 0] for name in ("left", "right"))
    assert 500 < left.mean() < 2000 and abs(right.mean()) < 0.05
    assert abs(np.corrcoef(left, right)[0, 1]) > 0.8
    predict(run.folder, file, "-o", tmp_path / "filled.csv", "--impute", "--latents", "none")
    filled = read(tmp_path / "filled.csv")[0]
    assert filled["colour"] in ("red", "green") and 500 < float(filled["left"]) < 2000
