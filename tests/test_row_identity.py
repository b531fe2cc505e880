"""Rows keep their splits when others come or go, and rows that trained a run never judge what starts from it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from graphspec.loading import load
from runtime.cli.app import app
from runtime.data import PreparedData, prepare
from runtime.errors import DataError, RunError
from runtime.runs.run_rows import rows_to_train

PICTURES = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 4, 4]}
  y: {role: supervised, domain: category, names: [cat, dog]}
generative: {y: {}, x: {parents: [y], distribution: bernoulli}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: mlp, hidden: [4]}}
data: {source: pics, variables: {x: image, y: {column: label, missing: [unlabelled]}}, test: 0.3}
training: {epochs: 1, batch_size: 20}
"""
TABLE = """
graphspec: 1
variables: {x: {role: observed, size: 2}, y: {role: supervised, domain: category, classes: 2}}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: mlp, hidden: [4]}}
data: {source: rows.npz, variables: {x: {column: x, standardize: true}, y: y}, test: 0.3, validation: 0.2}
training: {epochs: 1, batch_size: 20}
"""
AGAIN = "training.initialize={from: first, factors: [recognition.y]}"
SPECS = Path(__file__).parents[1] / "specs"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


def write_pictures(folder: str, count: int = 80, extra: int = 0) -> None:
    rng = np.random.default_rng(4)
    for number in range(count + extra):
        label = "unlabelled" if number % 4 else ("cat", "dog")[number // 4 % 2]
        path = Path(folder, label, f"{number if number < count else f'0000_{number}'}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (4, 4), dtype=np.uint8)).save(path)


def write_table(rows: int = 100, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(rows, 2)), np.arange(rows) % 2
    np.savez("rows.npz", x=x, y=y)
    return x, y


def graphspec(*arguments: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, list(arguments))
    assert found.exit_code == code and "Traceback" not in found.output, found.output
    return found.output


def trained(spec: str, text: str, run: str, *settings: str) -> dict[str, Any]:
    Path(spec).write_text(text)
    sets = [word for setting in settings for word in ("--set", setting)]
    graphspec("train", spec, "--out", run, "--no-figures", "-q", *sets)
    manifest: dict[str, Any] = json.loads(Path(run, "manifest.json").read_text())
    return manifest


def data_of(text: str, *settings: str) -> PreparedData:
    return rows_to_train(load("spec.yaml", settings, text=text), spec_path=Path("spec.yaml"))


def names(data: PreparedData, split: str, folder: str = "pics") -> set[str]:
    files = sorted(Path(folder).glob("*/*.png"), key=lambda file: (file.parent.name, file.name))
    return {files[row].name for row in getattr(data, split).source.tolist()}


# --- pictures -----------------------------------------------------------------------------------------------------


def test_a_picture_keeps_its_split_where_others_are_added_or_it_is_labelled() -> None:
    write_pictures("pics")
    before = names(data_of(PICTURES), "test")
    write_pictures("pics", extra=1)
    assert len(before ^ names(data_of(PICTURES), "test")) <= 3
    shutil.rmtree("pics")
    write_pictures("pics")
    moved = [f for f in sorted(Path("pics/unlabelled").iterdir()) if f.name not in before][:2]
    for file in moved:
        file.rename(Path("pics/cat") / file.name)
    after = data_of(PICTURES)
    assert len(before ^ names(after, "test")) <= 4
    shutil.copytree("pics", "elsewhere")
    assert names(data_of(PICTURES, "data.source=elsewhere"), "test") == names(after, "test"), "whatever the folder"


def test_no_row_that_trained_a_run_judges_what_starts_from_it() -> None:
    write_pictures("pics")
    first = trained("spec.yaml", PICTURES, "first")
    held_out = {*first["test"], *first["validation"]}
    files = sorted(Path("pics").glob("*/*.png"), key=lambda file: (file.parent.name, file.name))
    seen = {file.name for row, file in enumerate(files) if row not in held_out}
    shutil.copytree("pics", "more")
    write_pictures("more", extra=30)
    for settings in ([], ["data.seed=7"], ["data.test=0.2"]):
        data = data_of(PICTURES, "data.source=more", AGAIN, *settings)
        assert not (names(data, "test", "more") | names(data, "validation", "more")) & seen
        assert len(data.test) and len(data.validation)
        assert f"{len(seen)} of these rows trained first" in " ".join(data.notes)


def test_a_picture_of_another_name_is_known_by_what_it_shows() -> None:
    write_pictures("pics")
    first = trained("spec.yaml", PICTURES, "first")
    seen = 80 - len(first["test"]) - len(first["validation"])
    for number, file in enumerate(sorted(Path("pics").glob("*/*.png"))):
        target = Path("renamed", file.parent.name, f"z{(number * 37) % 80}.png")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    data = data_of(PICTURES, "data.source=renamed", AGAIN)
    assert f"{seen} of these rows trained first" in " ".join(data.notes)
    assert len(data.test) + len(data.validation) <= 80 - seen


# --- tables -------------------------------------------------------------------------------------------------------


def test_rows_of_a_table_are_known_by_what_they_hold_wherever_they_stand() -> None:
    x, y = write_table()
    first = trained("spec.yaml", TABLE, "first")
    seen = np.setdiff1d(np.arange(100), [*first["test"], *first["validation"]])
    order = np.random.default_rng(0).permutation(100)
    np.savez("rows.npz", x=np.concatenate([np.ones((5, 2)), x[order]]), y=np.concatenate([y[:5], y[order]]))
    data = data_of(TABLE, AGAIN)
    held_out = {*data.test.source.tolist(), *data.validation.source.tolist()}
    assert held_out and not {order[row - 5] for row in held_out if row >= 5} & set(seen.tolist())


def test_a_group_of_which_a_row_trained_is_not_held_out() -> None:
    x, y = write_table()
    np.savez("rows.npz", x=x, y=y, g=np.arange(100) // 10)
    text = TABLE.replace("test: 0.3, validation: 0.2", "test: {fraction: 0.3, group: g}, validation: 0")
    first = trained("spec.yaml", text, "first")
    for seed in range(4):
        data = data_of(text, AGAIN, f"data.seed={seed}", "data.test={fraction: 0.8, group: g}")
        test = data.test.source.tolist()
        assert test and set(test) <= set(first["test"])


def test_of_equal_rows_as_many_are_kept_apart_as_trained() -> None:
    write_table(60)
    np.savez("rows.npz", x=np.zeros((60, 2)), y=np.arange(60) % 2)
    first = trained("spec.yaml", TABLE, "first")
    np.savez("rows.npz", x=np.zeros((80, 2)), y=np.arange(80) % 2)
    data = data_of(TABLE, AGAIN)
    trained_rows = 60 - len(first["test"]) - len(first["validation"])
    assert f"{trained_rows} of these rows trained first" in " ".join(data.notes)
    assert len(data.test) == 24 and len(data.validation)


def test_runs_of_runs_are_remembered() -> None:
    _x, _y = write_table()
    first = trained("spec.yaml", TABLE, "first")
    seen = np.setdiff1d(np.arange(100), [*first["test"], *first["validation"]])
    rng = np.random.default_rng(8)
    np.savez("other.npz", x=rng.normal(size=(50, 2)), y=np.arange(50) % 2)
    trained("spec.yaml", TABLE, "second", "data.source=other.npz", AGAIN)
    data = data_of(TABLE, AGAIN.replace("first", "second"), "data.seed=5")
    held_out = {*data.test.source.tolist(), *data.validation.source.tolist()}
    assert held_out and not held_out & set(seen.tolist())


def test_an_older_run_tells_its_rows_by_number_as_long_as_its_data_stand() -> None:
    write_table()
    first = trained("spec.yaml", TABLE, "first")
    Path("first/checkpoints/rows.safetensors").unlink()
    seen = set(range(100)) - {*first["test"], *first["validation"]}
    data = data_of(TABLE, AGAIN, "data.seed=9")
    assert not {*data.test.source.tolist(), *data.validation.source.tolist()} & seen
    write_table(seed=6)
    with pytest.raises(RunError, match="which rows trained first cannot be told"):
        data_of(TABLE, AGAIN)


def test_it_is_an_error_where_every_row_to_test_on_has_trained() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 2))
    np.savez("rows.npz", x=x, y=np.arange(40) % 2)
    trained("spec.yaml", TABLE, "first", "data.test=0", "data.validation=0")
    np.savez(
        "rows.npz", train_x=rng.normal(size=(40, 2)), train_y=np.arange(40) % 2, test_x=x, test_y=np.arange(40) % 2
    )
    with pytest.raises(DataError, match="every test row has trained the weights"):
        data_of(TABLE, AGAIN, "data.test=null")


def test_evaluate_takes_the_rows_of_the_run_and_in_grown_data_none_that_trained_it() -> None:
    x, y = write_table()
    first = trained("spec.yaml", TABLE, "first")
    same = json.loads(graphspec("evaluate", "first", "--json", "--metrics", "none"))
    assert same["rows"] == len(first["test"]) == 30
    np.savez("rows.npz", x=np.concatenate([x, x[:50] + 1]), y=np.concatenate([y, y[:50]]))
    from runtime.cli.run_options import open_for_questions

    seen = set(range(100)) - {*first["test"], *first["validation"]}
    opened = open_for_questions(Path("first"), "best", None)
    assert not set(opened.rows("test").source.tolist()) & seen


def test_a_damaged_list_of_rows_is_told() -> None:
    write_table()
    trained("spec.yaml", TABLE, "first")
    file = Path("first/checkpoints/rows.safetensors")
    for content in (b"", file.read_bytes()[:40], b"\x00" * 64):
        file.write_bytes(content)
        with pytest.raises(RunError, match=r"rows\.safetensors"):
            data_of(TABLE, AGAIN)


def test_weights_from_other_data_move_nothing() -> None:
    write_table()
    trained("spec.yaml", TABLE, "first")
    write_table(seed=6)
    started, plain = data_of(TABLE, AGAIN), prepare(load("spec.yaml", text=TABLE), spec_path=Path("spec.yaml"))
    assert started.test.source.tolist() == plain.test.source.tolist() and started.notes == plain.notes


@pytest.mark.parametrize("changed", ["other order", "one patient less"])
def test_a_patients_visits_stay_together_whatever_the_lines(tmp_path: Path, changed: str) -> None:
    """Of two tables by key: a row is known by its key, and all its lines go where it goes."""

    def held_out(folder: Path) -> dict[str, set[str]]:
        patients = [line.split(",")[0] for line in (folder / "clinic.csv").read_text().splitlines()[1:]]
        manifest = prepare(load(folder / "visits.yaml"), spec_path=folder / "visits.yaml", tell=str).manifest()
        return {split: {patients[row] for row in manifest[split]} for split in ("validation", "test")}

    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
        for name in ("visits.yaml", "clinic.csv", "visits.csv"):
            shutil.copy(SPECS / name, folder / name)
    gone = (after / "clinic.csv").read_text().splitlines()[7].split(",")[0]
    for name in ("clinic.csv", "visits.csv"):
        head, *lines = (after / name).read_text().splitlines()
        lines = lines[::-1] if changed == "other order" else [line for line in lines if not line.startswith(gone + ",")]
        (after / name).write_text("\n".join([head, *lines]) + "\n")
    known, found = held_out(before), held_out(after)
    for split in ("validation", "test"):
        moved = known[split] ^ found[split]
        assert not moved if changed == "other order" else len(moved) <= 2, (split, moved)
