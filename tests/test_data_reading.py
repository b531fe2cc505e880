"""Sources: every kind of file, known sets, and every way in which data are not what a spec says."""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_specs import DIGIT, PIXELS, REALS, graphs_for, prepared, write_npz
from PIL import Image

from compiler.networks.torchvision_shim import import_torchvision
from graphspec.headers.sources import KNOWN_SETS
from runtime.data import prepare
from runtime.data.read import faces, known_sets
from runtime.errors import DataError

BYTES = np.arange(20 * 16, dtype=np.uint8).reshape(20, 4, 4)
LABELS = np.arange(20) % 3


def read(folder: Path, source: str, variables: dict[str, Any], columns: dict[str, Any], **data: Any) -> Any:
    data = {"test": 0, "validation": 0, **data}
    return prepared(folder, variables, {"source": source, "variables": columns, **data}).training


def message(folder: Path, source: str, variables: dict[str, Any], columns: dict[str, Any], **data: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, source, variables, columns, **data)
    assert caught.value.hint, "every message says what to do"
    return str(caught.value)


# --- .npz ---------------------------------------------------------------------------------------------------------


def test_bytes_become_unit_images(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=BYTES, y=LABELS)
    rows = read(tmp_path, "a.npz", {"x": PIXELS, "y": DIGIT}, {"x": "x", "y": "y"})
    assert rows.values["x"].dtype == torch.uint8 and rows.values["x"].shape == (20, 1, 4, 4)
    batch = rows.batch(torch.tensor([1, 0]), torch.float64)
    assert torch.equal(batch["x"][0, 0], torch.from_numpy(BYTES[1]).double() / 255)
    assert batch["y"].tolist() == [1, 0] and batch["y"].dtype == torch.int64


def test_height_width_channels_are_turned(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3)).astype(np.uint8)
    write_npz(tmp_path / "a.npz", x=colour)
    image = {"role": "observed", "domain": "unit", "shape": [3, 4, 5]}
    rows = read(tmp_path, "a.npz", {"x": image}, {"x": "x"})
    assert torch.equal(rows.values["x"], torch.from_numpy(colour).permute(0, 3, 1, 2))


@pytest.mark.parametrize("layout", ["prefixes", "siblings"])
def test_own_test_split(tmp_path: Path, layout: str) -> None:
    if layout == "prefixes":
        write_npz(tmp_path / "train.npz", train_x=np.zeros((8, 2)), test_x=np.ones((3, 2)))
    else:
        write_npz(tmp_path / "train.npz", x=np.zeros((8, 2)))
        write_npz(tmp_path / "test.npz", x=np.ones((3, 2)))
    data = prepared(tmp_path, {"x": REALS}, {"source": "train.npz", "variables": {"x": "x"}})
    assert (data.test.values["x"] == 1).all() and data.test.source.tolist() == [8, 9, 10]


def test_scalars_stack_into_vectors_and_standardize(tmp_path: Path) -> None:
    a, b = np.arange(10.0), np.full(10, 7.0)
    write_npz(tmp_path / "a.npz", a=a, b=b)
    data = prepared(
        tmp_path,
        {"x": REALS},
        {"source": "a.npz", "variables": {"x": {"columns": ["a", "b"], "standardize": True}}, "validation": 0},
    )
    used = data.training.source.numpy()
    units = data.units["x"]
    assert units.mean.tolist() == pytest.approx([a[used].mean(), 7]) and units.std.tolist() == pytest.approx(
        [a[used].std(), 1]
    )
    values = data.training.values["x"]
    assert values[:, 0].mean().abs() < 1e-12 and values[:, 0].std(correction=0) == pytest.approx(1)
    assert units.to_data(data.test.values["x"])[:, 0].tolist() == pytest.approx(a[data.test.source.numpy()].tolist())


def test_factors_are_kept_apart(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=np.zeros((10, 2)), shape=np.array(list("abcdefghij")))
    rows = read(tmp_path, "a.npz", {"x": REALS}, {"x": "x"}, factors={"form": "shape"})
    assert rows.factors["form"].tolist() == list("abcdefghij") and "form" not in rows.values


def test_resize_keeps_bytes(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=np.full((3, 8, 8), 100, np.uint8))
    rows = read(tmp_path, "a.npz", {"x": PIXELS}, {"x": {"column": "x", "resize": [4, 4]}})
    assert rows.values["x"].dtype == torch.uint8 and (rows.values["x"] == 100).all()


def test_binarize(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=np.tile(np.uint8([0, 64, 200, 255]), (2000, 4, 1)))
    for domain in ("unit", "binary"):
        variables = {"x": {**PIXELS, "domain": domain}}
        data = {"source": "a.npz", "validation": 0}
        cut = prepared(tmp_path, variables, {**data, "variables": {"x": {"column": "x", "binarize": "threshold"}}})
        assert cut.training.batch(torch.arange(1), torch.float32)["x"][0, 0, 0].tolist() == [0, 0, 1, 1]
        drawn = prepared(tmp_path, variables, {**data, "variables": {"x": {"column": "x", "binarize": "dynamic"}}})
        grey = drawn.training.batch(torch.arange(1500), torch.float32)
        black = drawn.binarize(grey, torch.Generator().manual_seed(0))["x"]
        assert set(black.unique().tolist()) == {0.0, 1.0}
        assert black.mean((0, 1, 2)).tolist() == pytest.approx([0, 64 / 255, 200 / 255, 1], abs=0.02)
        assert not torch.equal(black, drawn.binarize(grey, torch.Generator().manual_seed(1))["x"])


REAL = {"role": "observed", "domain": "real"}
BAD_ARRAYS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "label out of range": ({"x": BYTES, "y": LABELS + 1}, DIGIT, ["column 'y', row 2: 3", "0 to 2", "(and 5"]),
    "label below": ({"x": BYTES, "y": LABELS - 2}, DIGIT, ["row 0: -2"]),
    "fractional label": ({"x": BYTES, "y": LABELS + 0.5}, DIGIT, ["row 0: 0.5 is not a whole number"]),
    "uneven columns": ({"x": BYTES, "y": LABELS[:7]}, DIGIT, ["x 20, y 7"]),
    "infinite label": ({"x": BYTES, "y": np.full(20, np.inf)}, {**REAL, "role": "supervised"}, ["row 0: inf"]),
    "not positive": ({"x": BYTES, "y": LABELS}, {**REAL, "domain": "positive"}, ["row 0: 0 is not positive"]),
    "negative count": ({"x": BYTES, "y": LABELS - 5}, {**REAL, "domain": "count"}, ["row 0: -5", "from 0 on"]),
    "blank in observed": ({"x": BYTES, "y": np.where(LABELS, 1.0, np.nan)}, REAL, ["row 0: nan", "is observed"]),
    "blank class": ({"x": BYTES, "y": np.where(LABELS, LABELS, -1)}, {**DIGIT, "role": "observed"}, ["row 0: -1 (a blank)"]),
    "wrong shape": ({"x": BYTES, "y": np.zeros((20, 4))}, DIGIT, ["cells of shape [4]", "y has shape []"]),
    "objects": ({"x": BYTES, "y": np.array([{}] * 20)}, DIGIT, ["holds Python objects"]),
    "not a length": ({"x": BYTES, "y": np.ones((20, 3))}, {**REAL, "domain": "direction", "size": 3}, ["length"]),
    "not a share": ({"x": BYTES, "y": np.ones((20, 3))}, {**REAL, "domain": "simplex", "size": 3}, ["sum"]),
    "no rows": ({"x": BYTES[:0], "y": LABELS[:0]}, DIGIT, ["a.npz has no rows"]),
    "dark bytes": ({"x": BYTES % 2, "y": LABELS}, DIGIT, ["no byte is larger than 1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, case: str) -> None:
    arrays, label, said = BAD_ARRAYS[case]
    write_npz(tmp_path / "a.npz", **arrays)
    text = message(tmp_path, "a.npz", {"x": PIXELS, "y": label}, {"x": "x", "y": "y"})
    assert all(part in text for part in said), text


def test_nan_pixels_and_pixels_outside(tmp_path: Path) -> None:
    pixels = np.zeros((5, 4, 4))
    pixels[3, 1, 2] = np.nan
    write_npz(tmp_path / "a.npz", x=pixels)
    text = message(tmp_path, "a.npz", {"x": PIXELS}, {"x": "x"})
    assert "column 'x', row 3, element [0, 1, 2]: nan is a blank" in text
    write_npz(tmp_path / "a.npz", x=np.nan_to_num(pixels) + 128)
    assert "128 is outside [0, 1]" in message(tmp_path, "a.npz", {"x": PIXELS}, {"x": "x"})


def test_missing_column_gets_a_suggestion(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", image=BYTES, label=LABELS)
    text = message(tmp_path, "a.npz", {"x": PIXELS}, {"x": "imgae"})
    assert "a.npz has no column 'imgae'" in text and "did you mean `image`? columns: image, label" in text


def test_variables_without_a_column(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=BYTES)
    assert "supervised variable y has no column" in message(tmp_path, "a.npz", {"x": PIXELS, "y": DIGIT}, {"x": "x"})


@pytest.mark.parametrize("content", [b"", b"not a zip file", None])
def test_damaged_npz(tmp_path: Path, content: bytes | None) -> None:
    write_npz(tmp_path / "a.npz", x=BYTES)
    whole = (tmp_path / "a.npz").read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(bytes(changed) if content is None else content)
    assert "a.npz" in message(tmp_path, "a.npz", {"x": PIXELS}, {"x": "x"})


def test_source_that_is_not_there(tmp_path: Path) -> None:
    text = message(tmp_path, "none.npz", {"x": PIXELS}, {"x": "x"})
    assert str(tmp_path / "none.npz") in text and "GRAPHSPEC_DATA" in text and "--data-dir" in text


# --- .csv ---------------------------------------------------------------------------------------------------------

TABLE = """age,height,smoker,kind,visits
31,1.80,yes,cat,3
,1.65,no,dog,
44,1.71,unknown,,0
nan,1.90,no,Dog,-1
99,1.75,yes,cat,12
"""
SMOKER = {"role": "supervised", "domain": "binary", "names": ["no", "yes"]}
KIND = {"role": "supervised", "domain": "category", "classes": 2, "names": ["cat", "dog"]}


def test_typed_columns_and_blanks(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE.replace("Dog", "dog"))
    variables = {
        "h": REAL,
        "a": {**REAL, "role": "supervised"},
        "s": SMOKER,
        "k": KIND,
        "n": {"role": "supervised", "domain": "count"},
    }
    columns = {"h": "height", "a": {"column": "age", "missing": [99]}, "k": "kind", "n": "visits",
               "s": {"column": "smoker", "missing": ["unknown"]}}  # fmt: skip
    rows = read(tmp_path, "t.csv", variables, columns)
    assert rows.values["h"].tolist() == [1.80, 1.65, 1.71, 1.90, 1.75]
    assert rows.values["a"].nan_to_num(-9).tolist() == [31, -9, 44, -9, -9]
    assert rows.values["s"].tolist() == [1, 0, -1, 0, 1]
    assert rows.values["k"].tolist() == [0, 1, -1, 1, 0]
    assert rows.values["n"].tolist() == [3, -1, 0, -1, 12]


def test_names_that_are_numbers_name_the_classes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,k\n0,3\n0,7.0\n0,\n")
    kind = {"role": "supervised", "domain": "category", "classes": 2, "names": [7, 3]}
    rows = read(tmp_path, "t.csv", {"x": REAL, "k": kind}, {"x": "x", "k": "k"})
    assert rows.values["k"].tolist() == [1, 0, -1]
    write_npz(tmp_path / "t.npz", x=[0.0, 0, 0], k=[3, 7, -1])
    rows = read(tmp_path, "t.npz", {"x": REAL, "k": kind}, {"x": "x", "k": "k"})
    assert rows.values["k"].tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("height,kind\n", "no rows"),
        ("height,kind\n1.8,cat\n1.7\n", "line 3 has 1 cell, the header 2"),
        ("height,kind\n1.8,cat\ntall,dog\n", "column 'height', row 1: 'tall' is not a number"),
        ("height,kind\n1.8,cat\n1.7,dgo\n", "did you mean `dog`?"),
        ("height,height\n1,1\n", "more than one column"),
        ("height,kin\n1,cat\n", "did you mean `kin`?"),
        ("height,kind\n,cat\n", "is observed"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert said in message(tmp_path, "t.csv", {"h": REAL, "k": KIND}, {"h": "height", "k": "kind"})


# --- folders of images --------------------------------------------------------------------------------------------


def draw(file: Path, size: tuple[int, int] = (4, 4), mode: str = "L", level: int = 90) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level, 0, 0)).save(file)


def test_class_folders_with_a_test_split(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        for name in ("ant", "bee"):
            for i in range(count):
                draw(tmp_path / "pictures" / split / name / f"{i}.png", level=10 * i + 5)
    kind = {"role": "supervised", "domain": "category", "classes": 2}
    data = prepared(
        tmp_path, {"x": PIXELS, "y": kind}, {"source": "pictures", "variables": {"x": "image", "y": "label"}}
    )
    assert data.test.source.tolist() == [8, 9, 10, 11] and data.test.values["y"].tolist() == [0, 0, 1, 1]
    assert data.test.values["x"][:, 0, 0, 0].tolist() == [5, 15, 5, 15]


def test_images_that_differ_in_size_need_resize(tmp_path: Path) -> None:
    draw(tmp_path / "p" / "a.png", (4, 4))
    draw(tmp_path / "p" / "b.png", (9, 6))
    assert "differ in size or colour" in message(tmp_path, "p", {"x": PIXELS}, {"x": "image"})
    rows = read(tmp_path, "p", {"x": PIXELS}, {"x": {"column": "image", "resize": [4, 4]}})
    assert (rows.values["x"] == 90).all()


def test_truncated_image_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "p" / "a.png", (64, 64))
    draw(tmp_path / "p" / "b.png", (64, 64))
    file = tmp_path / "p" / "b.png"
    file.write_bytes(file.read_bytes()[:-30])
    text = message(tmp_path, "p", {"x": {**PIXELS, "shape": [1, 64, 64]}}, {"x": "image"})
    assert str(file) in text and "truncated" in text
    file.write_bytes(b"")
    assert str(file) in message(tmp_path, "p", {"x": PIXELS}, {"x": "image"})


# --- known sets ---------------------------------------------------------------------------------------------------


def test_digits_are_embedded(tmp_path: Path) -> None:
    variables = {"x": {**PIXELS, "shape": [1, 8, 8]}, "y": {**DIGIT, "classes": 10}}
    data = prepared(tmp_path, variables, {"source": "digits", "variables": {"x": "image", "y": "label"}})
    assert [len(data.test), len(data.validation), len(data.training)] == [359, 144, 1294]
    pixels = data.training.values["x"]
    assert pixels.dtype == torch.float32 and pixels.min() == 0 and pixels.max() == 1


def write_idx(file: Path, array: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    file.write_bytes(head + array.astype(np.uint8).tobytes())


def write_mnist(folder: Path) -> None:
    for split, count in (("train", 30), ("t10k", 6)):
        write_idx(folder / "MNIST" / "raw" / f"{split}-images-idx3-ubyte", np.full((count, 28, 28), count))
        write_idx(folder / "MNIST" / "raw" / f"{split}-labels-idx1-ubyte", np.arange(count) % 10)


MNIST = {"x": {**PIXELS, "shape": [1, 28, 28]}, "y": {**DIGIT, "classes": 10}}
MNIST_COLUMNS = {"x": "image", "y": "label"}


def test_mnist_from_the_data_folder(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = prepared(tmp_path, MNIST, {"source": "mnist", "variables": MNIST_COLUMNS})
    assert (data.test.values["x"] == 6).all() and data.test.source.tolist() == [30, 31, 32, 33, 34, 35]
    assert (data.training.values["y"] == data.training.source % 10).all()


def test_truncated_mnist(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    file = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:5000])
    assert str(file.parent) in message(tmp_path, "mnist", MNIST, MNIST_COLUMNS)


def no_network(*_: object, **__: object) -> None:
    raise OSError("the network is unreachable")


def test_no_data_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_torchvision().datasets.MNIST, "download", no_network)
    text = message(tmp_path / "data", "mnist", MNIST, MNIST_COLUMNS)
    assert str(tmp_path / "data" / "MNIST") in text and "could not be fetched" in text
    assert "GRAPHSPEC_DATA" in text and "--data-dir" in text
    assert not (tmp_path / "data").exists(), "nothing half-written is left"


def test_a_fetched_set_is_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = import_torchvision().datasets.MNIST
    monkeypatch.setattr(reader, "download", lambda self: write_mnist(Path(self.root)))
    data = prepared(tmp_path / "data", MNIST, {"source": "mnist", "variables": MNIST_COLUMNS})
    assert len(data.test) == 6
    found = sorted(file.name for file in (tmp_path / "data").rglob("*") if file.is_file())
    assert found == sorted(Path(file).name for file in known_sets.FILES["mnist"])


COLOUR = {"x": {**PIXELS, "shape": [3, 32, 32]}, "y": {**DIGIT, "classes": 10}}


def write_svhn(folder: Path, **counts: int) -> None:
    """Matlab files as the real ones are: images [32, 32, 3, N], labels [N, 1] from 1 to 10."""
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    for split, count in counts.items():
        images = np.zeros((32, 32, 3, count), np.uint8)
        images[1, 2, 0, :] = 77
        images[3, 4, 2, :] = count
        savemat(folder / f"{split}_32x32.mat", {"X": images, "y": np.arange(1, count + 1)[:, None] % 10 + 1})


def test_svhn_files(tmp_path: Path) -> None:
    write_svhn(tmp_path / "SVHN", train=12, test=5)
    data = prepared(tmp_path, COLOUR, {"source": "svhn", "variables": MNIST_COLUMNS})
    assert data.test.values["y"].tolist() == [2, 3, 4, 5, 6] and (data.test.values["x"][:, 0, 1, 2] == 77).all()
    assert 0 in data.training.values["y"].tolist() + data.validation.values["y"].tolist(), "ten stands for zero"


def test_svhn_with_its_extra_images(tmp_path: Path) -> None:
    write_svhn(tmp_path / "SVHN", train=12, extra=7, test=5)
    data = prepared(tmp_path, COLOUR, {"source": "svhn_extra", "variables": MNIST_COLUMNS, "validation": 0})
    assert len(data.training) == 19 and (data.test.values["x"][:, 2, 3, 4] == 5).all()
    marks = data.training.values["x"][:, 2, 3, 4]
    assert (marks == torch.where(data.training.source < 12, 12, 7)).all(), "the training rows come first"
    plain = prepared(tmp_path, COLOUR, {"source": "svhn", "variables": MNIST_COLUMNS, "validation": 0})
    assert len(plain.training) == 12


@pytest.mark.parametrize(("name", "splits"), [("svhn", ["train", "test"]), ("svhn_extra", ["train", "extra", "test"])])
def test_svhn_is_fetched_split_by_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, splits: list[str]
) -> None:
    asked: list[str] = []

    def download(self: Any) -> None:
        asked.append(self.split)
        write_svhn(Path(self.root), **{self.split: 11})

    monkeypatch.setattr(import_torchvision().datasets.SVHN, "download", download)
    monkeypatch.setattr(import_torchvision().datasets.SVHN, "_check_integrity", lambda self: True)
    data = prepared(tmp_path / "data", COLOUR, {"source": name, "variables": MNIST_COLUMNS, "validation": 0})
    assert asked == splits and len(data.test) == 11 and len(data.training) == 11 * (len(splits) - 1)
    found = sorted(file.name for file in (tmp_path / "data" / "SVHN").iterdir())
    assert found == sorted(f"{split}_32x32.mat" for split in splits), "no partial files are left"


def test_a_damaged_svhn_file(tmp_path: Path) -> None:
    write_svhn(tmp_path / "SVHN", train=12, test=5)
    file = tmp_path / "SVHN" / "test_32x32.mat"
    file.write_bytes(file.read_bytes()[:300])
    assert str(file) in message(tmp_path, "svhn", COLOUR, MNIST_COLUMNS)


def test_faces(tmp_path: Path) -> None:
    for person in (1, 13, 15):
        for light in ("A+000E+00", "A+090E+00", "A-035E+40", "_Ambient"):
            draw(tmp_path / "CroppedYale" / f"yaleB{person:02d}" / f"yaleB{person:02d}_P00{light}.pgm", (4, 4))
    (tmp_path / "CroppedYale" / "yaleB01" / "yaleB01_P00A+050E-40.pgm.bad").write_bytes(b"")
    variables = {
        "x": PIXELS,
        "i": DIGIT,
        "l": {"role": "supervised", "domain": "direction", "size": 3},
    }
    columns = {"x": "image", "i": "identity", "l": "light"}
    data = prepared(tmp_path, variables, {"source": "yale_b", "variables": columns, "test": 0, "validation": 0})
    assert data.training.values["i"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    lights = data.training.values["l"][:3]
    assert torch.allclose(lights[:2], torch.tensor([[0.0, 0, 1], [1, 0, 0]], dtype=lights.dtype), atol=1e-7)
    assert lights[2, 0] < 0 < lights[2, 1] and data.notes[0].startswith("1 images")
    assert np.allclose(np.linalg.norm(faces.direction(np.arange(9.0), np.arange(9.0)), axis=1), 1)


# --- real data ----------------------------------------------------------------------------------------------------

REAL_DATA = os.environ.get("GRAPHSPEC_DATA", "")


def real(source: str, variables: dict[str, Any], columns: dict[str, Any], **data: Any) -> Any:
    graphs = graphs_for(variables, {"source": source, "variables": columns, **data})
    return prepare(graphs, data_dir=Path(REAL_DATA))


@pytest.mark.data
@pytest.mark.skipif(not REAL_DATA, reason="GRAPHSPEC_DATA is not set")
@pytest.mark.parametrize("name", ["mnist", "svhn-subset/train.npz", "yale_b"])
def test_real_data(name: str) -> None:
    known_set = KNOWN_SETS.get(name)
    there = known_sets.is_present(known_set, Path(REAL_DATA)) if known_set else (Path(REAL_DATA) / name).is_file()
    if not there:
        pytest.skip(f"{name} is not in GRAPHSPEC_DATA")
    if name == "mnist":
        data = real(name, MNIST, MNIST_COLUMNS, validation=10000, labels={"y": {"per_class": 10}})
        assert [len(data.training), len(data.validation), len(data.test)] == [50000, 10000, 10000]
        assert torch.bincount(data.training.values["y"][data.labelled]).tolist() == [10] * 10
        assert data.describe().splitlines()[:3] == ["training    50000", "  x y         100", "  x         49900"]
    elif name == "yale_b":
        image = {"role": "observed", "domain": "unit", "shape": [1, 48, 42]}
        variables = {
            "x": image,
            "i": {**DIGIT, "classes": 38},
            "l": {"role": "supervised", "domain": "direction", "size": 3},
        }
        columns = {"x": {"column": "image", "resize": [48, 42]}, "i": "identity", "l": "light"}
        data = real(name, variables, columns, labels={"i": {"per_class": 6}, "l": {"with": "i"}},
                    test={"fraction": 0.25, "stratify": "identity"})  # fmt: skip
        assert len(data.training) + len(data.validation) + len(data.test) == 2414
        assert len(data.labelled) == 6 * 38 and data.rates().per_label == {"i": 228, "l": 228}
    else:
        variables = {"x": {**PIXELS, "shape": [3, 32, 32]}, "y": {**DIGIT, "classes": 10}}
        data = real(name, variables, {"x": "X", "y": "y"}, labels={"y": 1000}, validation=400)
        assert [len(data.training), len(data.test), len(data.labelled)] == [4034, 1952, 1000]
