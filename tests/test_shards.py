""".tar shards: columns without unpacking, rows in order, the same data set as an .npz file of the same cells."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from graphspec.headers import SourceError, expand, index_shards, shard_tables
from graphspec.headers.sources import describe, resolve_source
from runtime.cli.app import app
from runtime.data.read import mapped_arrays
from runtime.data.read.reading import read_table
from runtime.data.read.table import Parts, whole
from runtime.errors import DataError

Row = Mapping[str, bytes]


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def npy(values: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(values))
    return stream.getvalue()


def write(file: Path, rows: Sequence[Row], first: int = 0, mode: str = "w") -> None:
    with tarfile.open(file, mode) as archive:
        for number, row in enumerate(rows, start=first):
            for column, data in row.items():
                member = tarfile.TarInfo(f"images/{number:05}.{column}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def picture_rows(count: int, seed: int = 0) -> tuple[np.ndarray, list[Row]]:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 4, 3), dtype=np.uint8)
    return pixels, [
        {"png": png(image), "cls": str(i % 3).encode(), "json": json.dumps({"age": i / 2, "name": f"n{i}", "x": None})
         .encode(), "seg.png": png(image)} for i, image in enumerate(pixels)
    ]  # fmt: skip


def read(folder: Path, source: str, *columns: str, said: list[str] | None = None):
    return read_table(source, columns, folder / "spec.yaml", None, (said if said is not None else []).append)


def test_ranges_are_expanded() -> None:
    assert [p.name for p in expand(Path("a/t-{08..11}.tar"))] == ["t-08.tar", "t-09.tar", "t-10.tar", "t-11.tar"]
    assert [str(p) for p in expand(Path("a/{x,y}-{0..1}.tar"))] == [f"a/{a}-{b}.tar" for a in "xy" for b in "01"]
    assert expand(Path("a.tar")) == (Path("a.tar"),)
    assert expand(Path(".")) == (Path("."),)
    assert expand(Path("odd{name}.tar")) == (Path("odd{name}.tar"),)


def test_columns_and_rows_over_several_shards(tmp_path: Path) -> None:
    pixels, rows = picture_rows(7)
    write(tmp_path / "t-0.tar", rows[:3])
    write(tmp_path / "t-1.tar", rows[3:], first=3)
    info = describe(resolve_source("t-{0..1}.tar", tmp_path / "spec.yaml"))
    assert info.columns is not None and info.rows == {"train": 7}
    assert info.columns["png"].shape == (1, 4, 3) and info.columns["png"].picture
    assert info.columns["cls"].kind == "integer" and info.columns["json.name"].kind == "text"
    assert info.columns["json.age"].kind == "number" and info.columns["json.x"].kind == "integer", "blank so far"
    table = read(tmp_path, "t-{0..1}.tar", "png", "cls", "json.age", "json.x", "seg.png")
    np.testing.assert_array_equal(whole(table.columns["seg.png"]), whole(table.columns["png"]))
    np.testing.assert_array_equal(whole(table.columns["png"])[:, 0], pixels)
    assert whole(table.columns["cls"]).tolist() == ["0", "1", "2", "0", "1", "2", "0"]
    assert whole(table.columns["json.age"]).astype(float).tolist() == [i / 2 for i in range(7)]
    assert set(whole(table.columns["json.x"])) == {""}


def test_test_shards_stand_beside_training_shards(tmp_path: Path) -> None:
    pixels, rows = picture_rows(6)
    write(tmp_path / "digits-train-000.tar", rows[:3])
    write(tmp_path / "digits-train-001.tar", rows[3:4])
    write(tmp_path / "digits-test-000.tar", rows[4:])
    table = read(tmp_path, "digits-train-{000..001}.tar", "png")
    assert table.training_rows == 4
    np.testing.assert_array_equal(whole(table.columns["png"])[:, 0], pixels)
    assert describe(resolve_source("digits-train-{000..001}.tar", tmp_path / "s.yaml")).rows == {"train": 4, "test": 2}


def test_arrays_and_large_columns_are_mapped_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    values = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    write(tmp_path / "a.tar", [{"npy": npy(v)} for v in values])
    held = read(tmp_path, "a.tar", "npy")
    np.testing.assert_array_equal(held.columns["npy"], values)
    monkeypatch.setattr(mapped_arrays, "MAPPED_BYTES", 1)
    said: list[str] = []
    for _ in range(2):
        mapped = read(tmp_path, "a.tar", "npy", said=said)
        assert isinstance(mapped.columns["npy"], Parts) and mapped.fingerprint() == held.fingerprint()
    assert len(said) == 1 and "unpacking 9 npy cells of a.tar" in said[0]


def test_headers_are_not_kept_in_memory(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", [{"cls": b"1"}] * 3000)
    index = index_shards([tmp_path / "a.tar"])
    assert len(index["cls"]) == 3000 and {data for _, data in index["cls"].read()} == {b"1"}


def _lacking(folder: Path) -> str:
    write(folder / "a.tar", [{"png": b"", "cls": b"0"}, {"png": b""}, {"png": b"", "cls": b"0"}])
    return "a.tar"


def _missing(folder: Path) -> str:
    write(folder / "a-0.tar", [{"cls": b"0"}])
    return "a-{0..2}.tar"


def _packed(folder: Path) -> str:
    write(folder / "a.tar", [{"cls": b"0"}], mode="w:gz")
    return "a.tar"


def _twice(folder: Path) -> str:
    with tarfile.open(folder / "a.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("1.cls"))
    return "a.tar"


def _empty(folder: Path) -> str:
    tarfile.open(folder / "a.tar", "w").close()
    return "a.tar"


def _no_json(folder: Path) -> str:
    write(folder / "a.tar", [{"json": b"[1]"}])
    return "a.tar"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_lacking, "row 'images/00001' of a.tar has no .cls member"),
        (_missing, "2 of 3 shards of a-{0..2}.tar are missing, the first is a-1.tar"),
        (_packed, "a.tar is not a readable .tar file"),
        (_twice, "row '1' of a.tar has two .cls members"),
        (_empty, "a.tar holds no rows"),
        (_no_json, "images/00000.json is no JSON object"),
    ],
)
def test_mistakes_in_shards_have_a_place(tmp_path: Path, make, says: str) -> None:
    source = make(tmp_path)
    with pytest.raises(SourceError) as found:
        for file in expand(tmp_path / source):
            index_shards([file]) if file.exists() and make is not _no_json else shard_tables(tmp_path / source)
    assert says in found.value.message
    with pytest.raises((DataError, SourceError)):
        read(tmp_path, source, "cls")


def test_cells_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", [{"png": png(np.zeros((2, 2), np.uint8)), "txt": b"\xff", "npy": npy([1])}] * 2)
    write(tmp_path / "b.tar", [{"png": b"no image", "npy": npy(["text"])}] * 2)
    for source, column, says in (
        ("a.tar", "txt", "the txt of row 0 in a.tar is not UTF-8"),
        ("b.tar", "png", "the png of row 0 in b.tar is not a readable picture"),
        ("b.tar", "npy", "the npy of row 0 in b.tar has type"),
        ("a.tar", "jpg", "a.tar has no column 'jpg'"),
    ):
        with pytest.raises(DataError) as found:
            read(tmp_path, source, column)
        assert says in str(found.value)


def test_shards_train_as_the_same_rows_in_an_npz_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 3
    images = rng.integers(0, 40, (60, 4, 4)) + 80 * (labels == 1)[:, None, None] + 200 * (labels == 2)[:, None, None]
    images = images.astype(np.uint8)
    rows = [{"png": png(image), "cls": str(label).encode()} for image, label in zip(images, labels, strict=True)]
    write(tmp_path / "rows-{0}.tar".replace("{0}", "0"), rows[:25])
    write(tmp_path / "rows-1.tar", rows[25:], first=25)
    np.savez(tmp_path / "rows.npz", png=images, cls=labels)
    errors = []
    for name, source in (("shards", "rows-{0..1}.tar"), ("npz", "rows.npz")):
        spec = tmp_path / f"{name}.yaml"
        spec.write_text(TRAINED.replace("SOURCE", source), encoding="utf-8")
        result = CliRunner().invoke(app, ["train", str(spec), "--out", str(tmp_path / name), "--no-figures"])
        assert result.exit_code == 0, result.output
        errors.append(json.loads((tmp_path / name / "evaluation-test.json").read_text())["elbo"])
    assert errors[0] == errors[1] and torch.isfinite(torch.tensor(errors[0]))


TRAINED = """
graphspec: 1
name: shards
variables:
  x: {role: observed, domain: unit, shape: [1, 4, 4]}
  y: {role: supervised, domain: category, classes: 3}
generative: {y: {}, x: {parents: [y], distribution: bernoulli}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: mlp, hidden: [8]}}
data: {source: "SOURCE", variables: {x: png, y: cls}, test: {column: cls, value: 2}, validation: 0}
training: {epochs: 2, batch_size: 10}
"""
