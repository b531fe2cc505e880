"""Pictures that the cells of a table name: read in the order of its rows, told by row and file where something is wrong,
and known by their file names in every answer."""

import csv
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_specs import graphs_for
from picture_makers import checked, coloured, ramp, save
from typer.testing import CliRunner

from graphspec.drafting import draft_from
from graphspec.loading import check_file, load
from runtime.cli.app import app
from runtime.data import PreparedData, prepare
from runtime.errors import DataError
from runtime.runs.run_folder import Run

IMAGE = {"role": "observed", "domain": "unit", "shape": [1, 4, 6]}
LABEL = {"role": "supervised", "domain": "category", "names": ["ant", "bee"]}
DATA = "{source: rows.csv, variables: {x: {column: file, folder: pics}, y: kind}, test: 0, validation: 0}"
KINDS = "{role: supervised, domain: category, names: [ant, bee], allow: [GS121]}"


def table(folder: Path, lines: list[str], header: str = "file,kind", name: str = "rows.csv") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return file


def pictures(folder: Path, count: int, place: str = "pics") -> list[np.ndarray]:
    """COUNT pictures, each of its own brightness."""
    made = [ramp(top=255 - 10 * i) for i in range(count)]
    for i, pixels in enumerate(made):
        save(folder / place / f"p {i}.png", pixels)
    return made


def read(folder: Path, image: Any = None, **data: Any) -> PreparedData:
    columns = {"x": {"column": "file", "folder": "pics", **data.pop("column", {})}, "y": "kind"}
    section = {"source": "rows.csv", "variables": columns, "test": 0, "validation": 0, **data}
    graphs = graphs_for({"x": IMAGE | (image or {}), "y": LABEL}, section)
    return prepare(graphs, spec_path=folder / "spec.yaml", data_dir=folder)


def test_rows_have_the_pictures_that_they_name_in_any_order(tmp_path: Path) -> None:
    made = pictures(tmp_path, 4)
    table(tmp_path, ["p 2.png,bee", "p 0.png,", "p 3.png,ant", "p 1.png,bee", "p 2.png,bee"])
    prepared = read(tmp_path)
    values = prepared.training.values
    assert torch.equal(values["x"], torch.from_numpy(np.stack([made[i] for i in (2, 0, 3, 1, 2)])[:, None]))
    assert values["y"].tolist() == [1, -1, 0, 1, 1]
    assert [prepared.called(row) for row in range(2)] == ["p 2.png", "p 0.png"]
    assert any("named by several rows" in note for note in prepared.notes)


@pytest.mark.parametrize("cell", ["pics/p {}.png", "./pics/p {}.png"])
def test_without_a_folder_cells_are_relative_to_the_table(tmp_path: Path, cell: str) -> None:
    pictures(tmp_path, 3)
    table(tmp_path, [f"{cell.format(i)},{'ant' if i else 'bee'}" for i in range(3)])
    assert len(read(tmp_path, column={"folder": None}).training) == 3
    found = checked(tmp_path, DATA.replace(", folder: pics", ""), KINDS)
    assert not found


def test_the_same_of_parquet_and_of_tabs(tmp_path: Path) -> None:
    made = pictures(tmp_path, 3)
    table(tmp_path, ["p 1.png\tbee", "p 0.png\t", "p 2.png\tant"], "file\tkind", "rows.tsv")
    assert torch.equal(read(tmp_path, source="rows.tsv").training.values["x"][0, 0], torch.from_numpy(made[1]))
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = arrow.table({"file": ["p 1.png", "p 0.png", "p 2.png"], "kind": ["bee", None, "ant"]})
    parquet.write_table(columns, tmp_path / "rows.parquet")
    prepared = read(tmp_path, source="rows.parquet")
    assert torch.equal(prepared.training.values["x"][1, 0], torch.from_numpy(made[0]))
    assert prepared.training.values["y"].tolist() == [1, -1, 0]
    assert not checked(tmp_path, DATA.replace("rows.csv", "rows.parquet"), KINDS)


def test_what_is_wrong_is_told_by_row_and_file(tmp_path: Path) -> None:
    pictures(tmp_path, 6)
    (tmp_path / "pics" / "p 3.png").write_bytes(b"no picture")
    table(tmp_path, [*(f"p {i}.png,ant" for i in (0, 1)), "p 9.png,bee", "P 4.png,bea"])
    missing, label = checked(tmp_path, DATA, KINDS)
    assert missing.code == "GS088" and "row 2: p 9.png" in missing.message
    assert "row 3: P 4.png (did you mean `p 4.png`?)" in missing.message
    assert label.code == "GS083" and "'bea'" in label.message and "row 3 (P 4.png)" in label.message
    with pytest.raises(DataError, match=r"row 2: p 9\.png"):
        read(tmp_path)
    table(tmp_path, ["p 0.png,ant", "p 3.png,bee", "p 1.png,bea"])
    with pytest.raises(DataError, match=r"row 1, picture p 3.png is not a readable picture"):
        read(tmp_path)
    (tmp_path / "pics" / "p 3.png").unlink()
    table(tmp_path, ["p 0.png,ant", "p 1.png,bea"])
    with pytest.raises(DataError, match=r"row 1 \(p 1.png\): 'bea' is no value of y"):
        read(tmp_path)


def test_a_damaged_picture_is_told_by_check(tmp_path: Path) -> None:
    pictures(tmp_path, 3)
    (tmp_path / "pics" / "p 1.png").write_bytes(b"no picture")
    table(tmp_path, ["p 0.png,ant", "p 2.png,bee", "p 1.png,bee"])
    (found,) = checked(tmp_path, DATA, KINDS)
    assert found.code == "GS088" and "row 2, picture p 1.png is not a readable picture" in found.message
    skipping = DATA.replace("test: 0", "on_error: skip, test: 0")
    assert not [one for one in checked(tmp_path, skipping, KINDS) if one.severity == "error"]
    prepared = read(tmp_path, on_error="skip")
    assert [prepared.called(int(row)) for row in prepared.training.source] == ["p 0.png", "p 2.png"]
    assert prepared.training.values["y"].tolist() == [0, 1]


def test_pictures_without_a_row_and_rows_without_a_picture(tmp_path: Path) -> None:
    pictures(tmp_path, 4)
    (tmp_path / "pics" / "notes.txt").write_text("no picture")
    table(tmp_path, ["p 0.png,ant", ",bee", "p 2.png,bee"])
    (found,) = checked(tmp_path, DATA, KINDS)
    assert found.code == "GS088" and "blank in row 1" in found.message and "missing: true" in found.hint
    with pytest.raises(DataError, match="blank in row 1"):
        read(tmp_path)
    table(tmp_path, ["p 0.png,ant", "p 2.png,bee"])
    (found,) = checked(tmp_path, DATA, KINDS)
    assert found.code == "GS107" and "2 pictures have no row" in found.message and "p 1.png, p 3.png" in found.message
    assert any("2 pictures have no row" in note for note in read(tmp_path).notes)


def test_a_picture_that_may_be_blank_is_blank(tmp_path: Path) -> None:
    made = pictures(tmp_path, 2)
    table(tmp_path, ["p 1.png,ant", ",bee", "none,bee", "p 0.png,ant"])
    prepared = read(tmp_path, {"missing": True}, column={"missing": ["none"]})
    pixels = prepared.training.batch(torch.arange(4), torch.float64)["x"]
    assert pixels[1:3].isnan().all() and not pixels[[0, 3]].isnan().any()
    assert torch.allclose(pixels[0, 0], torch.from_numpy(made[1] / 255), atol=1e-7)


def test_sizes_and_colours_that_differ_are_told_with_their_rows(tmp_path: Path) -> None:
    pictures(tmp_path, 3)
    save(tmp_path / "pics" / "p 3.png", ramp(5, 7))
    save(tmp_path / "pics" / "p 4.png", coloured())
    table(tmp_path, [f"p {i}.png,{'ab'[i % 2] + ('nt' if i % 2 == 0 else 'ee')}" for i in range(5)])
    (found,) = checked(tmp_path, DATA, KINDS)
    assert "row 3, picture p 3.png is 5 x 7, grey" in found.message and "resize: [4, 6]" in found.hint
    (found,) = checked(tmp_path, DATA.replace("pics}", "pics, resize: [4, 6]}"), KINDS, "[2, 4, 6]")
    assert "row 4, picture p 4.png is 4 x 6, coloured" in found.message
    assert read(tmp_path, column={"resize": [4, 6]}).training.values["x"].shape == (5, 1, 4, 6)


@pytest.mark.parametrize(
    "entry, code, said",
    [
        ("{column: file, folder: pisc}", "GS088", "no folder pisc"),
        ("file", "GS088", "it is in pics: {column: file, folder: pics}"),
        ("{column: kind, folder: pics}", "GS088", "row 0: ant"),
    ],
)
def test_the_way_to_say_it_is_found(tmp_path: Path, entry: str, code: str, said: str) -> None:
    pictures(tmp_path, 2)
    table(tmp_path, ["p 0.png,ant", "p 1.png,bee"])
    found = checked(tmp_path, DATA.replace("{column: file, folder: pics}", entry), KINDS)[0]
    assert found.code == code and said in f"{found.message} {found.hint}"


def test_a_folder_of_a_source_that_is_no_table(tmp_path: Path) -> None:
    pictures(tmp_path, 2, "set/ant")
    pictures(tmp_path, 2, "set/bee")
    data = "{source: set, variables: {x: {column: image, folder: set}, y: label}, test: 0, validation: 0}"
    found = checked(tmp_path, data, "{role: supervised, domain: category, classes: 2}")[0]
    assert found.code == "GS084" and "`folder` is for a table" in found.message


def test_a_row_keeps_its_split_wherever_it_stands(tmp_path: Path) -> None:
    pictures(tmp_path, 20)
    lines = [f"p {i}.png,{'ant' if i % 2 else 'bee'}" for i in range(20)]

    def held_out() -> set[str]:
        prepared = read(tmp_path, test=0.3)
        return {prepared.called(int(row)) for row in prepared.test.source}

    table(tmp_path, lines)
    before = held_out()
    table(tmp_path, lines[::-1])
    assert len(before) == 6 and held_out() == before


# --- metadata.csv, as datasets of Hugging Face have it ---


def test_a_folder_with_metadata_is_that_table(tmp_path: Path) -> None:
    made = pictures(tmp_path, 3, "set")
    table(tmp_path, ["p 1.png,bee,1.5", "p 0.png,,", "p 2.png,ant,2.5"], "file_name,kind,angle", "set/metadata.csv")
    prepared = read(tmp_path, source="set", column={"column": "file_name", "folder": None})
    assert torch.equal(prepared.training.values["x"][0, 0], torch.from_numpy(made[1]))
    assert prepared.training.values["y"].tolist() == [1, -1, 0]
    data = "{source: set, variables: {x: COLUMN, y: kind}, test: 0, validation: 0}"
    assert not checked(tmp_path, data.replace("COLUMN", "file_name"), KINDS)
    found = checked(tmp_path, data.replace("COLUMN", "image"), KINDS)[0]
    assert found.code == "GS081" and "file_name" in found.hint


def test_metadata_of_a_training_and_a_test_split(tmp_path: Path) -> None:
    made = pictures(tmp_path, 3, "set/train")
    save(tmp_path / "set/test/p 0.png", made[2])
    table(
        tmp_path,
        [f"p {i}.png,{'ant' if i % 2 else 'bee'}" for i in range(3)],
        "file_name,kind",
        "set/train/metadata.csv",
    )
    table(tmp_path, ["p 0.png,ant"], "file_name,kind", "set/test/metadata.csv")
    prepared = read(tmp_path, source="set", column={"column": "file_name", "folder": None}, test=None)
    assert len(prepared.training) == 3 and len(prepared.test) == 1
    assert torch.equal(prepared.test.values["x"][0, 0], torch.from_numpy(made[2]))
    assert prepared.called(3) == "test/p 0.png" and prepared.called(0) == "train/p 0.png"
    data = "{source: set, variables: {x: file_name, y: kind}, validation: 0}"
    names = "{role: supervised, domain: category, names: auto}"
    assert not [one for one in checked(tmp_path, data, names) if one.severity == "error"]


LINES = (
    '{"file_name": "p 1.png", "kind": "bee", "angle": 1.5, "boxes": [[1, 2]]}',
    "",
    '{"file_name": "p 0.png", "kind": null}',
    '{"angle": 2, "kind": "ant", "file_name": "p 2.png"}',
)


def json_lines(folder: Path, *lines: str) -> None:
    (folder / "set" / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_json_lines_are_the_same_table(tmp_path: Path) -> None:
    made = pictures(tmp_path, 3, "set")
    json_lines(tmp_path, *LINES)
    prepared = read(tmp_path, source="set", column={"column": "file_name", "folder": None})
    assert torch.equal(prepared.training.values["x"][0, 0], torch.from_numpy(made[1]))
    assert prepared.training.values["y"].tolist() == [1, -1, 0] and prepared.called(2) == "p 2.png"
    graphs = graphs_for({"x": IMAGE, "y": LABEL, "angle": {"role": "supervised", "domain": "real"}}, {
        "source": "set", "variables": {"x": "file_name", "y": "kind", "angle": "angle"}, "test": 0, "validation": 0,
    })  # fmt: skip
    angles = prepare(graphs, spec_path=tmp_path / "spec.yaml").training.values["angle"]
    assert angles.nan_to_num(-1).flatten().tolist() == [1.5, -1, 2]
    data = "{source: set, variables: {x: file_name, y: kind}, test: 0, validation: 0}"
    assert not checked(tmp_path, data, KINDS)
    commas = read(tmp_path, source="set", column={"column": "file_name", "folder": None}, decimal=",")
    assert commas.training.values["y"].tolist() == [1, -1, 0], "a decimal sign of tables changes no number here"
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).chdir(tmp_path)
        (tmp_path / "hf.yaml").write_text(draft_from("hf", "set", ["kind"]), encoding="utf-8")
        assert not [one for one in check_file("hf.yaml") if one.severity == "error"]


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ('{"file_name": "p 7.png", "kind": "ant"}', "GS088", "row 2: p 7.png"),
        ('{"file_name": "p 2.png", "kind": "bea"}', "GS083", "row 2 (p 2.png)"),
        ('{"file_name": null, "kind": "ant"}', "GS088", "blank in row 2"),
        ('{"file_name": "p 2.png", "kind": ["ant"]}', "GS083", '[\\"ant\\"]'),
        ('{"file_name": "p 2.png", "kind": "ant"', "GS088", "line 4 cannot be read"),
        ('["p 2.png", "ant"]', "GS088", "line 4 is no JSON object"),
        ('{"file_name": "p 2.png", "kind": "ant", "kind": "bee"}', "GS088", "'kind' is there twice"),
    ],
)
def test_what_is_wrong_in_json_lines_is_told(tmp_path: Path, line: str, code: str, told: str) -> None:
    pictures(tmp_path, 3, "set")
    json_lines(tmp_path, *LINES[:3], line)
    data = "{source: set, variables: {x: file_name, y: kind}, test: 0, validation: 0}"
    found = next(one for one in checked(tmp_path, data, KINDS) if one.severity == "error")
    assert told.replace('\\"', '"') in found.message and found.code == code, f"{found.code} {found.message}"
    with pytest.raises(DataError):
        read(tmp_path, source="set", column={"column": "file_name", "folder": None})


# --- a run ---

SPEC = """graphspec: 1
name: pics
variables:
  x: {role: observed, domain: unit, shape: [1, 4, 6]}
  y: {role: supervised, domain: category, names: [ant, bee], allow: [GS121]}
  size: {role: supervised, domain: real}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, size: {}, z: {}, x: {parents: [y, size, z]}}
recognition: {y: {parents: [x]}, size: {parents: [x, y]}, z: {parents: [x, y, size]}}
networks: {default: {kind: mlp, hidden: [4]}}
data:
  source: rows.csv
  variables: {x: {column: file, folder: pics}, y: kind, size: {column: size, standardize: true}}
  test: 0.4
  validation: 0
training: {epochs: 1, seed: 0}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run beside its data: two labels a picture, many of them blank."""
    folder = tmp_path_factory.mktemp("named")
    pictures(folder, 20)
    kinds = ["ant", "bee", "ant", "bee", ""]
    table(folder, [f"p {i}.png,{kinds[i % 5]},{i / 2 if i % 3 else ''}" for i in range(20)], "file,kind,size")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    run(folder, "train", "spec.yaml", "--no-figures")
    return folder


def run(folder: Path, *words: str) -> str:
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).chdir(folder)
        result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, f"{result.output}\n{result.exception}"
    return result.output


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_wrong_answers_are_told_by_file_name(place: Path) -> None:
    said = run(place, "evaluate", "runs/pics", "--metrics", "none")
    wrong = rows_of(place / "runs/pics/wrong-test.csv")
    assert wrong and all(line["name"].startswith("p ") and line["true"] != line["said"] for line in wrong)
    chances = [float(line["probability"]) for line in wrong]
    assert chances == sorted(chances, reverse=True) and wrong[0]["name"] in said
    truth = {line["file"]: line["kind"] for line in rows_of(place / "rows.csv")}
    assert all(truth[line["name"]] == line["true"] for line in wrong)


def test_predictions_are_the_same_from_the_table_a_folder_and_python(place: Path) -> None:
    run(place, "predict", "runs/pics", "rows.csv", "-o", "a.csv")
    run(place, "predict", "runs/pics", "pics", "-o", "b.csv")
    by_table, by_folder = rows_of(place / "a.csv"), {line["file_name"]: line for line in rows_of(place / "b.csv")}
    assert [line["file"] for line in by_table] == [f"p {i}.png" for i in range(20)]
    assert all(line["kind"] in ("ant", "bee") for line in by_table)
    bare = by_table[9]  # has neither label, as no row of the folder has
    assert bare["kind=bee"] == by_folder["p 9.png"]["kind=bee"] and bare["size"] == by_folder["p 9.png"]["size"]

    from runtime import open_predictor

    frame = {"file": np.array([f"{place}/pics/p 9.png"]), "kind": np.array([""]), "size": np.array([np.nan])}
    answered = open_predictor(place / "runs/pics").predict(frame)
    assert np.allclose(float(np.asarray(answered["kind=bee"])[0]), float(bare["kind=bee"]), atol=1e-6)


def test_reconstructions_are_told_by_file_name(place: Path) -> None:
    run(place, "reconstruct", "runs/pics", "-o", "r.csv", "--count", "5", "--split", "training")
    lines = rows_of(place / "r.csv")
    assert len(lines) == 10 and {line["cell"] for line in lines} == {"input", "reconstruction"}
    truth = {line["file"]: line["kind"] for line in rows_of(place / "rows.csv")}
    inputs = {line["source"]: line["kind"] for line in lines if line["cell"] == "input"}
    assert len(inputs) == 5 and all(truth[name] == kind for name, kind in inputs.items())


def test_new_pictures_elsewhere_and_what_is_wrong_with_them(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "pics", tmp_path / "new", dirs_exist_ok=True)
    (tmp_path / "new" / "rows.csv").write_text("file\np 3.png\np 1.png\n")
    run(place, "predict", "runs/pics", str(tmp_path / "new/rows.csv"), "-o", "c.csv")
    assert [line["file"] for line in rows_of(place / "c.csv")] == ["p 3.png", "p 1.png"]
    (tmp_path / "new" / "rows.csv").write_text("file\np 3.png\nq 1.png\n")
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).chdir(place)
        result = CliRunner().invoke(app, ["predict", "runs/pics", str(tmp_path / "new/rows.csv"), "-o", "d.csv"])
    assert result.exit_code == 1 and "row 1: q 1.png" in result.output
    assert not (place / "d.csv").exists()


def test_a_draft_of_a_table_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path, 8)
    lines = [f"p {i}.png,{['ant', 'bee', ''][i % 3]},{i}.5,x{i}" for i in range(8)]
    table(tmp_path, lines, "file,kind,size,note")
    text = draft_from("mine", "rows.csv", ["kind", "size"])
    assert not check_file("mine.yaml", text=text) and "folder: pics" in text and "augment" not in text
    graphs = load("mine.yaml", text=text)
    assert graphs.variables["kind"].names == ("ant", "bee") and graphs.variables["x"].shape == (1, 4, 6)
    assert "# left out: note" in text and "augment" in draft_from("mine", "rows.csv", ["kind"])
    with pytest.raises(ValueError, match="no column 'kidn'"):
        draft_from("mine", "rows.csv", ["kidn"])


def test_runs_are_opened_without_their_data(place: Path, tmp_path: Path) -> None:
    copy = tmp_path / "alone"
    shutil.copytree(place / "runs/pics", copy)
    assert Run(copy).manifest()["columns"]["x"] == ["file"]
    shutil.copytree(place / "pics", tmp_path / "pics")
    (tmp_path / "new.csv").write_text("file\np 3.png\n")
    run(tmp_path, "predict", "alone", "new.csv", "-o", "e.csv")
    assert rows_of(tmp_path / "e.csv")[0]["file"] == "p 3.png"
