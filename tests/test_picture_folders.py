"""Which files of a folder are rows and classes; what is not read is counted and named; `check` and `train` agree."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_specs import DIGIT, prepared
from picture_makers import checked, ramp, save

from graphspec.headers import SourceError, index_shards, picture_folder
from graphspec.headers.cell_reader import looks_blank
from graphspec.headers.sources import describe, resolve_source
from runtime.data.read.reading import read_table
from runtime.data.read.row_identity import by_name
from runtime.errors import DataError

IMAGE = {"role": "observed", "domain": "unit", "shape": [1, 4, 6]}
BOTH = "{source: set, variables: {x: image, y: label}, test: 0, validation: 0}"


def fill(folder: Path, *files: str) -> None:
    for name in files:
        if name.endswith("/"):
            (folder / name).mkdir(parents=True)
        elif name.endswith((".png", ".tif", ".bmp", ".webp", ".jpg")):
            save(folder / name, ramp())
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("something")


def remarks(folder: Path) -> list[str]:
    return [remark.message for remark in picture_folder(folder).remarks]


def refused(folder: Path) -> str:
    with pytest.raises(SourceError) as caught:
        picture_folder(folder)
    return f"{caught.value.message} | {caught.value.hint}"


def labels_read(folder: Path, y: dict[str, Any], column: Any = "label") -> list[int]:
    """Classes of the rows as `train` reads them."""
    data = {"source": "set", "variables": {"x": "image", "y": column}, "test": 0, "validation": 0}
    kind = {"role": "supervised", "domain": "category", **y}
    return prepared(folder, {"x": IMAGE, "y": kind}, data).training.values["y"].tolist()


# --- what is not read ---


def test_every_picture_of_every_kind_is_a_row(tmp_path: Path) -> None:
    fill(tmp_path / "set", "cat/0.png", "cat/1.tif", "cat/2.bmp", "cat/3.PNG", "dog/4.jpg", "dog/5.webp", "dog/6.TIF")
    found = picture_folder(tmp_path / "set")
    assert [image.label for image in found.splits["train"]] == ["cat"] * 4 + ["dog"] * 3 and not found.remarks


def test_what_is_not_read_is_counted_and_named(tmp_path: Path) -> None:
    fill(tmp_path / "set", "cat/0.png", "dog/1.png", "cat/a.heic", "dog/b.heic", "cat/c.svg", "readme.txt")
    fill(
        tmp_path / "set", "cat/deep/2.png", "cat/deep/more/3.png", "dog/old/4.png", "owl/", "cat/.5.png", ".trash/6.png"
    )
    fill(tmp_path / "set", "__MACOSX/cat/7.png", "cat/labels.csv", ".DS_Store", "dog/Thumbs.db")
    said = remarks(tmp_path / "set")
    assert len(picture_folder(tmp_path / "set").splits["train"]) == 2
    assert "labels.csv in folder set is not read, nor any labels there" in said
    assert "5 files are not read in folder set: 1 .db, 2 .heic, 1 .svg, 1 .txt" in said
    assert "images in deeper folders are not read: cat/deep (2 images), dog/old (1 image)" in said
    assert "3 images in folder set not read, as hidden: .trash, __MACOSX, .5.png" in said
    assert "folder set has no images in owl: no class is called so" in said
    assert len(said) == 5


def test_harmless_companions_are_a_note_and_lost_pictures_a_warning(tmp_path: Path) -> None:
    fill(tmp_path / "set", "cat/0.png", "dog/1.png", "dog/2.png", "readme.txt")
    (found,) = checked(tmp_path, BOTH)
    assert (found.code, found.severity) == ("GS107", "note")
    fill(tmp_path / "set", "cat/3.heic")
    (found,) = checked(tmp_path, BOTH)
    assert (found.code, found.severity) == ("GS107", "warning") and "1 .heic" in found.message
    notes = prepared(tmp_path, {"x": IMAGE}, {"source": "set", "variables": {"x": "image"}, "test": 0}).notes
    assert found.message in notes, "`train` says it too"


def test_a_folder_val_beside_train_and_test_is_named(tmp_path: Path) -> None:
    fill(
        tmp_path / "set",
        "train/cat/0.png",
        "train/dog/1.png",
        "test/cat/2.png",
        "val/cat/3.png",
        "val/dog/4.png",
        "9.png",
    )
    found = picture_folder(tmp_path / "set")
    assert {split: len(images) for split, images in found.splits.items()} == {"train": 2, "test": 1}
    assert "images beside the folders train and test are not read: val (2 images)" in remarks(tmp_path / "set")
    assert "files beside the folders train and test of set are not read: 9.png" in remarks(tmp_path / "set")


def test_splits_are_found_in_any_case(tmp_path: Path) -> None:
    fill(tmp_path / "set", "Train/cat/0.png", "TEST/cat/2.png")
    assert set(picture_folder(tmp_path / "set").splits) == {"train", "test"}


@pytest.mark.parametrize(
    "files,said",
    [
        (("train/cat/0.png", "val/cat/1.png"), "holds parts of a data set and no classes: train, val"),
        (("train/0.png", "valid/1.png", "readme.txt"), "holds parts of a data set and no classes: train, valid"),
        (("test/cat/0.png",), "holds parts of a data set and no classes: test"),
        (("cat/a/0.png", "dog/1.png"), "lie deeper than in class folders: cat hold none of their own"),
        (("pics/cat/0.png", "pics/dog/1.png"), "lie deeper than in class folders: pics"),
        (("images/0.png", "images/1.png", "labels.csv"), "one folder of images, images, and the table labels.csv"),
        (("0.png", "cat/1.png"), "both beside class folders (0.png) and inside them (cat)"),
        (("cat/0.heic", "cat/1.heic"), "holds no images, only .heic"),
        (("cat/",), "holds no images"),
    ],
)
def test_folders_that_would_lose_classes_or_labels_are_refused(
    tmp_path: Path, files: tuple[str, ...], said: str
) -> None:
    fill(tmp_path / "set", *files)
    assert said in refused(tmp_path / "set")
    (found,) = [one for one in checked(tmp_path, BOTH) if one.severity == "error"]
    assert found.code == "GS088" and said in found.message
    with pytest.raises(DataError) as caught:
        labels_read(tmp_path, {"classes": 2})
    assert said in str(caught.value)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    fill(tmp_path / "set", "train/0.png", "bus/1.png")
    assert [image.label for image in picture_folder(tmp_path / "set").splits["train"]] == ["bus", "train"]


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    fill(tmp_path / "set", "cat/0.png", "dog/1.png")
    os.mkfifo(tmp_path / "set" / "cat" / "2.png")
    assert remarks(tmp_path / "set") == ["1 file is not read in folder set: 1 .png"]


def test_rows_are_named_by_their_files_wherever_they_stand(tmp_path: Path) -> None:
    fill(tmp_path / "set", "cat/0.png", "dog/1.png")
    table = read_table("set", ["image", "label"], tmp_path / "spec.yaml", None, lambda _: None)
    assert table.named.tolist() == by_name(("0.png", "1.png")).tolist()


# --- classes ---


@pytest.mark.parametrize(
    "name", ["unlabelled", "Unlabeled", "_unknown", "none", "no-label", "nan", "N_A", "not labelled"]
)
def test_folders_that_are_no_classes(name: str) -> None:
    assert looks_blank(name)


@pytest.mark.parametrize("name", ["cat", "other", "nanny", "unknown soldier", "0", "background"])
def test_folders_that_may_be_classes(name: str) -> None:
    assert not looks_blank(name)


@pytest.mark.parametrize("folders", [["0", "1", "2"], ["ant", "bee", "cow"]])
@pytest.mark.parametrize("blank", ["unlabelled", "Unlabeled", "unknown", "none", "nan"])
def test_an_unlabelled_folder_is_never_silently_a_class_or_blank(
    tmp_path: Path, folders: list[str], blank: str
) -> None:
    """`check` and the reader say the same of the same folder, and with what they propose both accept it."""
    fill(tmp_path / "set", *(f"{name}/{i}.png" for name in (*folders, blank) for i in range(3)))
    for count in (3, 4):
        (found,) = checked(tmp_path, BOTH, f"{{role: supervised, domain: category, classes: {count}}}")
        assert found.code == "GS083" and f"{{column: label, missing: [{blank}]}}" in found.hint
        with pytest.raises(DataError) as caught:
            labels_read(tmp_path, {"classes": count})
        assert (caught.value.message, caught.value.hint) == (found.message, found.hint)
    proposed = BOTH.replace("y: label", f"y: {{column: label, missing: [{blank}]}}")
    assert not checked(tmp_path, proposed, "{role: supervised, domain: category, classes: 3}")
    column = {"column": "label", "missing": [blank]}
    assert sorted(labels_read(tmp_path, {"classes": 3}, column)) == [-1] * 3 + [0] * 3 + [1] * 3 + [2] * 3
    names = [*folders, blank]
    quoted = ", ".join(f'"{name}"' for name in names)
    assert not checked(tmp_path, BOTH, f"{{role: supervised, domain: category, names: [{quoted}]}}")


def test_names_that_differ_are_found_by_check_and_reader(tmp_path: Path) -> None:
    fill(tmp_path / "set", "Fox/0.png", "cat/1.png", "owl/2.png")
    kind = "{role: supervised, domain: category, names: [fox, cat, owl]}"
    (found,) = checked(tmp_path, BOTH, kind)
    assert found.code == "GS083" and "'Fox'" in found.message and found.hint == "did you mean `fox`?"
    with pytest.raises(DataError) as caught:
        labels_read(tmp_path, {"names": ["fox", "cat", "owl"]})
    assert "Fox" in str(caught.value) and "did you mean `fox`?" in str(caught.value)
    (found,) = checked(tmp_path, BOTH, "{role: supervised, domain: category, names: [Fox, cat]}")
    assert "'owl'" in found.message


@pytest.mark.parametrize("count", [2, 4])
def test_as_many_classes_as_folders(tmp_path: Path, count: int) -> None:
    fill(tmp_path / "set", "ant/0.png", "bee/1.png", "cow/2.png")
    (found,) = checked(tmp_path, BOTH, f"{{role: supervised, domain: category, classes: {count}}}")
    assert f"'y' has {count} classes, the folder has 3: ant, bee, cow" in found.message
    with pytest.raises(DataError, match=f"has {count} classes, the folder has 3"):
        labels_read(tmp_path, {"classes": count})
    assert labels_read(tmp_path, {"classes": 3}) == [0, 1, 2]


def test_numbers_stay_numbers_and_minus_one_is_a_blank(tmp_path: Path) -> None:
    fill(tmp_path / "set", "-1/0.png", "0/1.png", "2/2.png", "10/3.png")
    kind = "{role: supervised, domain: category, classes: 11, allow: [GS121]}"
    assert not checked(tmp_path, BOTH, kind)
    assert sorted(labels_read(tmp_path, {"classes": 11})) == [-1, 0, 2, 10]


# --- names of pictures in a table ---


def test_a_table_of_picture_names_says_how_to_go_on(tmp_path: Path) -> None:
    lines = ["file,label", *(f"{i}.png,{i % 2}" for i in range(200))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    data = "{source: rows.csv, variables: {x: file, y: label}, test: 0, validation: 0}"
    (found,) = checked(tmp_path, data, x="[]")
    assert found.code == "GS083" and "holds names of picture files" in found.message and "folder: FOLDER" in found.hint
    (tmp_path / "rows.csv").write_text("file,label\n" + "\n".join(f"{i}.5,{i % 2}" for i in range(20)))
    (found,) = checked(tmp_path, data)
    assert found.code == "GS082" and "column file holds []" in found.message


# --- damaged archives ---


def tar_of(file: Path, *members: tuple[str, bytes]) -> bytearray:
    import io
    import tarfile

    with tarfile.open(file, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return bytearray(file.read_bytes())


def test_damaged_shards_lose_no_rows_silently(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    whole = tar_of(file, ("0.cls", b"1"), ("1.cls", b"0"), ("2.cls", b"1"))
    assert len(index_shards([file])["cls"]) == 3
    hurt = whole.copy()
    hurt[1024 + 150] ^= 0xFF  # inside the second header: tarfile takes it for the end
    for data, said in (
        (hurt, "goes on after its last member, at byte 1024"),
        (whole + whole, "goes on after its last member"),
        (whole[:1100], "at byte 1024"),
        (whole[:600], "claims 1 bytes|not a readable"),
    ):
        file.write_bytes(data)
        with pytest.raises(SourceError, match=said):
            index_shards([file])


def test_sizes_that_a_shard_only_claims(tmp_path: Path) -> None:
    import tarfile

    file = tmp_path / "a.tar"
    info = tarfile.TarInfo("0.png")
    info.size = 2**60
    file.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    with pytest.raises(SourceError, match=r"member 0\.png of a\.tar claims 1152921504606846976 bytes"):
        index_shards([file])


def test_arrays_that_claim_more_than_they_hold(tmp_path: Path) -> None:
    import io
    import zipfile

    from numpy.lib import format as npy

    head = io.BytesIO()
    npy.write_array_header_1_0(head, {"shape": (2**40, 4, 6), "fortran_order": False, "descr": "|u1"})
    with zipfile.ZipFile(tmp_path / "rows.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue() + b"\0" * 100)
    with pytest.raises(
        SourceError, match=r"array x of rows\.npz cannot be read \(it claims shape \[1099511627776, 4, 6\]"
    ):
        describe(resolve_source("rows.npz", tmp_path / "spec.yaml"))
    with pytest.raises(DataError, match="cannot be read"):
        prepared(tmp_path, {"x": IMAGE}, {"source": "rows.npz", "variables": {"x": "x"}})


def test_no_bytes_of_an_archive_make_a_traceback(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez_compressed(tmp_path / "whole.npz", x=np.zeros((6, 4, 6), np.uint8) + 9, y=np.arange(6) % 3)
    save(tmp_path / "0.png", ramp())
    png = (tmp_path / "0.png").read_bytes()
    tar = tar_of(
        tmp_path / "whole.tar", *((f"{i}.{e}", d) for i in range(6) for e, d in (("x.png", png), ("y.cls", b"1")))
    )
    for kind, whole in (("npz", bytearray((tmp_path / "whole.npz").read_bytes())), ("tar", tar)):
        for index in range(150):
            hurt = whole.copy()
            for place in generator.integers(0, len(hurt), 8):
                hurt[place] = generator.integers(256)
            (tmp_path / f"hurt.{kind}").write_bytes(hurt[: generator.integers(len(hurt))] if index % 3 == 0 else hurt)
            names = {"x": "x", "y": "y"} if kind == "npz" else {"x": "x.png", "y": "y.cls"}
            try:
                describe(resolve_source(f"hurt.{kind}", tmp_path / "spec.yaml"))
                prepared(tmp_path, {"x": IMAGE, "y": DIGIT}, {"source": f"hurt.{kind}", "variables": names})
            except (SourceError, DataError):
                continue


# --- pictures in shards ---


def png(pixels: np.ndarray) -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_both_splits_of_shards_are_on_one_scale(tmp_path: Path) -> None:
    for split, tops in (("train", (900, 4000)), ("test", (700, 100))):
        rows = [(f"{i}.png", png(ramp(top=top, kind=np.uint16))) for i, top in enumerate(tops)]
        tar_of(tmp_path / f"a-{split}.tar", *rows)
    data = {"source": "a-train.tar", "variables": {"x": "png"}, "validation": 0}
    found = prepared(tmp_path, {"x": IMAGE}, data)
    tops = [float(rows.values["x"].amax((1, 2, 3))[i]) for rows in (found.training, found.test) for i in (0, 1)]
    assert tops == pytest.approx([900 / 4095, 4000 / 4095, 700 / 4095, 100 / 4095])
    assert any("levels up to 4000" in note for note in found.notes)


def test_rows_of_shards_without_their_picture_are_skipped_as_a_whole(tmp_path: Path) -> None:
    cells = []
    for row in range(6):
        picture = png(np.full((8, 12), 40 * row, np.uint8))
        cells += [(f"{row}.png", picture[:45] if row in (1, 4) else picture), (f"{row}.cls", b"%d" % (row % 3))]
        cells.append((f"{row}.seg.png", b"" if row == 2 else picture))
    tar_of(tmp_path / "a.tar", *cells)
    column = {"column": "png", "resize": [4, 6]}
    data = {"source": "a.tar", "variables": {"x": column, "y": "cls"}, "test": 0, "validation": 0}
    with pytest.raises(DataError, match=r"2 of 6 pictures of png cells of a\.tar") as caught:
        prepared(tmp_path, {"x": IMAGE, "y": DIGIT}, data)
    assert "the png of row 1 in a.tar" in str(caught.value) and "the png of row 4 in a.tar" in str(caught.value)
    rows = prepared(tmp_path, {"x": IMAGE, "y": DIGIT}, {**data, "on_error": "skip"}).training.values
    assert rows["x"][:, 0, 0, 0].tolist() == [0, 80, 120, 200] and rows["y"].tolist() == [0, 2, 0, 2]
    both = {**data, "on_error": "skip", "variables": {**data["variables"], "w": {**column, "column": "seg.png"}}}
    rows = prepared(tmp_path, {"x": IMAGE, "w": IMAGE, "y": DIGIT}, both).training.values
    for name in "xw":
        assert rows[name][:, 0, 0, 0].tolist() == [0, 120, 200]
    assert rows["y"].tolist() == [0, 0, 2]
