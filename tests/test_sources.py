"""Sources: where paths lead, and what headers tell without loading."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graphspec.headers import SourceError, csv_rows, npz_members, picture_folder
from graphspec.headers.columns import fit, resized
from graphspec.headers.sources import (
    KNOWN_SETS,
    FileSource,
    KnownSource,
    MissingSource,
    data_folder,
    describe,
    read_row_list,
    resolve_source,
)

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Working folder and data folder are empty ones of the test's own."""
    for name in ("work", "data", "specs"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("GRAPHSPEC_DATA", str(tmp_path / "data"))


def describe_file(path: Path):  # type: ignore[no-untyped-def]
    source = resolve_source(str(path))
    assert isinstance(source, FileSource)
    return describe(source)


# --- resolving ---


def test_paths_are_looked_for_beside_the_spec_then_here_then_in_the_data_folder(tmp_path: Path) -> None:
    spec = tmp_path / "specs" / "model.yaml"
    for folder in ("data", "work", "specs"):  # each one wins over those before
        (tmp_path / folder / "rows.csv").write_text("a\n1\n")
        found = resolve_source("rows.csv", spec)
        assert isinstance(found, FileSource)
        assert found.path == tmp_path / folder / "rows.csv"


def test_what_is_nowhere_names_every_place_it_was_looked_for(tmp_path: Path) -> None:
    found = resolve_source("rows.csv", tmp_path / "specs" / "model.yaml", tmp_path / "other")
    assert isinstance(found, MissingSource)
    assert found.searched == tuple(tmp_path / folder / "rows.csv" for folder in ("specs", "work", "other"))
    assert describe(found).columns is None


def test_a_known_name_wins_over_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "work" / "mnist").mkdir()
    assert resolve_source("mnist") == KnownSource(KNOWN_SETS["mnist"])
    assert isinstance(resolve_source("./mnist"), FileSource)


@pytest.mark.parametrize("source", ["", " ", "a\0b", "x" * 5000, "~nobody-at-all/rows.csv"])
def test_no_text_makes_resolving_fail(source: str) -> None:
    assert isinstance(resolve_source(source), MissingSource)


def test_the_data_folder_is_the_option_then_the_variable_then_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_folder(tmp_path) == tmp_path
    assert data_folder() == tmp_path / "data"
    monkeypatch.delenv("GRAPHSPEC_DATA")
    assert data_folder().name == "graphspec"


def test_known_sets_declare_what_their_files_hold() -> None:
    digits = describe(resolve_source("digits"))
    assert digits.columns is not None and digits.columns["image"].shape == (1, 8, 8)
    assert digits.rows == {"train": 1797} and not digits.has_test
    mnist = describe(resolve_source("mnist"))
    assert mnist.rows == {"train": 60000, "test": 10000} and mnist.test_columns is not None
    faces = describe(resolve_source("yale_b"))
    assert faces.columns is not None
    assert faces.columns["identity"].classes == 38 and faces.columns["light"].shape == (3,)


# --- .npz ---


def test_array_headers_give_shapes_kinds_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, X=np.zeros((7, 4, 5, 3), np.uint8), y=np.arange(7), w=np.ones((7, 2)), name=np.array(["a"] * 7),
             remark=np.array("once"))  # fmt: skip
    info = describe_file(path)
    assert info.rows == {"train": 7} and list(info.columns) == ["X", "y", "w", "name"]
    x, y, w, name = info.columns.values()
    assert (x.shape, x.kind, x.byte) == ((4, 5, 3), "integer", True)
    assert (y.shape, y.kind, y.byte) == ((), "integer", False)
    assert (w.shape, w.kind) == ((2,), "number")
    assert name.kind == "text"


def test_headers_are_read_without_loading(tmp_path: Path) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, x=np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    assert describe_file(path).columns["x"].kind == "other"


def test_prefixes_name_the_splits(tmp_path: Path) -> None:
    path = tmp_path / "both.npz"
    np.savez(path, train_x=np.zeros((6, 2)), train_y=np.zeros(6), test_x=np.zeros((3, 2)), test_y=np.zeros(3))
    info = describe_file(path)
    assert info.rows == {"train": 6, "test": 3}
    assert list(info.columns) == ["x", "y"] == list(info.test_columns)
    assert npz_members(path)["test"]["x"].key == "test_x"


def test_a_prefix_without_a_partner_is_part_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    np.savez(path, test_score=np.zeros(4), train_time=np.zeros(4))
    info = describe_file(path)
    assert list(info.columns) == ["test_score", "train_time"] and not info.has_test


@pytest.mark.parametrize("train,test", [("train", "test"), ("cells_train", "cells_test"), ("a-train", "a-test")])
def test_a_sibling_file_is_the_test_split(tmp_path: Path, train: str, test: str) -> None:
    np.savez(tmp_path / f"{train}.npz", x=np.zeros(5))
    assert not describe_file(tmp_path / f"{train}.npz").has_test
    np.savez(tmp_path / f"{test}.npz", x=np.zeros(2))
    assert describe_file(tmp_path / f"{train}.npz").rows == {"train": 5, "test": 2}
    np.savez(tmp_path / "strain.npz", x=np.zeros(5))
    assert not describe_file(tmp_path / "strain.npz").has_test


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + b"\0" * 18])
def test_a_damaged_npz_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(SourceError, match=r"bad\.npz"):
        describe_file(tmp_path / "bad.npz")


# --- .csv ---


def test_first_rows_tell_the_kind_and_the_values(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('\ufefflength, count ,species,weight\n5.1,3,setosa,\n4.9,4.0,"virginica, x",nan\n\n6,5,setosa,2\n')
    info = describe_file(path)
    assert info.rows == {"train": 3} and list(info.columns) == ["length", "count", "species", "weight"]
    kinds = [column.kind for column in info.columns.values()]
    assert kinds == ["number", "integer", "text", "number"]
    assert info.columns["species"].values == ("setosa", "virginica, x") and info.columns["species"].complete
    assert info.columns["weight"].values == ("", "nan", "2")


def test_semicolons_and_tabs_separate_too(tmp_path: Path) -> None:
    for separator in (";", "\t"):
        path = tmp_path / "rows.csv"
        path.write_text(f"a{separator}b\n1{separator}2\n")
        assert list(csv_rows(path)) == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize(
    "content,problem",
    [("", "empty"), ("a,b\n1,2\n3\n", "line 3 has 1 cell, the header 2"), ('a,b\n1,2\n3,"x\n4,5\n', "line 4"),
     ('a,b\n1,"x"y\n', "line 2"), ("a\n1,2\n", "line 2 has 2 cells, the header 1")],
)  # fmt: skip
def test_a_damaged_csv_says_where(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(SourceError, match=problem):
        describe_file(tmp_path / "bad.csv")


def test_a_csv_in_another_encoding_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes("größe\n1\n".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8"):
        describe_file(tmp_path / "bad.csv")


# --- folders ---


def images(folder: Path, count: int, size: tuple[int, int] = (5, 4), mode: str = "L") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new(mode, size).save(folder / f"{i}.png")


def test_class_folders_give_a_label_column(tmp_path: Path) -> None:
    images(tmp_path / "set" / "dog", 2)
    images(tmp_path / "set" / "cat", 3)
    info = describe_file(tmp_path / "set")
    assert info.rows == {"train": 5} and info.columns["image"].shape == (1, 4, 5)
    assert info.columns["label"].values == ("cat", "dog") and info.columns["label"].classes == 2
    assert [image.label for image in picture_folder(tmp_path / "set").splits["train"]] == ["cat"] * 3 + ["dog"] * 2


def test_loose_images_have_no_label_and_colour_has_three_channels(tmp_path: Path) -> None:
    images(tmp_path / "set", 2, mode="RGB")
    info = describe_file(tmp_path / "set")
    assert list(info.columns) == ["image"] and info.columns["image"].shape == (3, 4, 5)


def test_train_and_test_folders_are_splits(tmp_path: Path) -> None:
    images(tmp_path / "set" / "train" / "a", 3)
    images(tmp_path / "set" / "test" / "a", 1)
    assert describe_file(tmp_path / "set").rows == {"train": 3, "test": 1}


def test_images_of_different_sizes_have_no_shape(tmp_path: Path) -> None:
    images(tmp_path / "set" / "a", 1)
    images(tmp_path / "set" / "b", 1, size=(6, 6))
    assert describe_file(tmp_path / "set").columns["image"].shape is None


def test_folders_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        describe_file(tmp_path / "data")
    images(tmp_path / "set", 1)
    images(tmp_path / "set" / "a", 1)
    with pytest.raises(SourceError, match="both beside class folders"):
        describe_file(tmp_path / "set")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "x.png").write_bytes(b"no image")
    with pytest.raises(SourceError, match=r"x\.png"):
        describe_file(tmp_path / "one")


def test_other_files_are_no_source(tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    with pytest.raises(SourceError, match="no kind that can be read"):
        describe_file(tmp_path / "rows.xlsx")


# --- shapes, row lists, imports ---


@pytest.mark.parametrize(
    "stored,wanted,reading",
    [((1, 8, 8), (1, 8, 8), "same"), ((), (1,), "scalar"), ((1,), (), "scalar"), ((8, 8), (1, 8, 8), "add_channel"),
     ((1, 8, 8), (8, 8), "drop_channel"), ((8, 9, 3), (3, 8, 9), "channels_first"), ((8, 8), (3, 8, 8), None),
     ((64,), (1, 8, 8), None), ((9, 8, 3), (3, 8, 9), None), ((), (2,), None)],
)  # fmt: skip
def test_which_shapes_meet(stored: tuple[int, ...], wanted: tuple[int, ...], reading: str | None) -> None:
    assert fit(stored, wanted) == reading


def test_resizing_changes_the_sides_and_keeps_the_channels() -> None:
    assert resized((1, 192, 168), (48, 42)) == (1, 48, 42)
    assert resized((192, 168), (48, 42)) == (1, 48, 42)
    assert resized((32, 30, 3), (16, 15)) == (3, 16, 15)
    assert resized((7,), (16, 15)) is None


def test_row_lists_are_numbers_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("# labelled\n3\n\n 17  # the odd one\n")
    assert read_row_list(path) == (3, 17)
    path.write_text("3\n-1\n")
    with pytest.raises(SourceError, match="line 2"):
        read_row_list(path)


def test_importing_sources_loads_neither_numpy_nor_torch() -> None:
    program = "import sys, graphspec.headers.sources; print([m for m in ('numpy', 'torch', 'PIL') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"
