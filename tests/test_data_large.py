"""Data that stay in their files: the same rows as if they were loaded, in little memory, in an order kind to disks."""

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_specs import DIGIT, PIXELS, REALS, graphs_for, prepared, write_npz
from PIL import Image

from graphspec.headers import Member
from runtime.data import PreparedData, epoch_batches, prepare
from runtime.data.preparation import preparation
from runtime.data.read import mapped_arrays
from runtime.data.read.mapped_arrays import map_member
from runtime.data.read.table import Parts, make_table
from runtime.data.stream import streams
from runtime.data.stream.column_store import Held, Mapped, hold
from runtime.data.stream.streams import order_of
from runtime.errors import DataError

COLOUR = {"role": "observed", "domain": "unit", "shape": [3, 4, 5]}
GREY = np.random.default_rng(0).integers(0, 256, (60, 4, 4)).astype(np.uint8)
REAL_LABEL = {"role": "supervised", "domain": "real"}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Sets from how many bytes on a column is large (none is at first), and how many are looked at in one go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def set_sizes(mapped: int, chunk: int = 100) -> None:
        monkeypatch.setattr(mapped_arrays, "MAPPED_BYTES", mapped)
        monkeypatch.setattr("runtime.data.preparation.values.CHUNK_BYTES", chunk)
        monkeypatch.setattr("runtime.data.stream.column_store.CHUNK_BYTES", chunk)

    return set_sizes


def same(one: PreparedData, other: PreparedData) -> None:
    """Every manifest entry and every value alike; notes may tell where a file is read."""
    manifests = [{**data.manifest(), "notes": None} for data in (one, other)]
    assert json.dumps(manifests[0]) == json.dumps(manifests[1])
    for split in ("training", "validation", "test"):
        a, b = getattr(one, split), getattr(other, split)
        for name in a.values:
            assert a.values[name].dtype == b.values[name].dtype, name
            assert torch.equal(a.values[name].nan_to_num(-9), b.values[name].nan_to_num(-9)), name
        chosen = torch.randperm(len(a), generator=torch.Generator().manual_seed(0))[:7]
        for x, y in zip(a.batch(chosen, torch.float32).values(), b.batch(chosen, torch.float32).values(), strict=True):
            assert torch.equal(x.nan_to_num(-9), y.nan_to_num(-9))


CASES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "bytes": (PIXELS, GREY, {}),
    "colour": (COLOUR, np.random.default_rng(1).integers(0, 256, (60, 4, 5, 3)).astype(np.uint8), {}),
    "cut": (PIXELS, GREY, {"binarize": "threshold"}),
    "resized": (PIXELS, np.repeat(np.repeat(GREY, 2, 1), 3, 2), {"resize": [4, 4]}),
    "listed": ({**PIXELS, "missing": True}, GREY, {"missing": [0, 7, 200]}),
    "floats": (REALS, np.random.default_rng(2).normal(size=(60, 2)).astype(np.float32), {}),
    "half": (REALS, np.random.default_rng(2).normal(size=(60, 2)).astype(np.float16), {}),
    "other end": (REALS, np.random.default_rng(2).normal(size=(60, 2)).astype(">f8"), {}),
    "blanks": ({**REALS, "missing": True}, np.where(np.eye(60, 2), np.nan, 1.5), {}),
    "standardized": (REALS, np.random.default_rng(3).normal(5, 3, (60, 2)), {"standardize": True}),
    "standardized bytes": ({**PIXELS, "domain": "real"}, GREY, {"standardize": True}),
    "counts": ({"role": "observed", "domain": "count", "size": 2}, np.arange(120, dtype=np.uint8).reshape(60, 2), {}),
    "bits": ({"role": "observed", "domain": "binary", "size": 4}, np.eye(60, 4, dtype=np.bool_), {}),
    "classes": ({"role": "observed", "domain": "category", "classes": 3, "size": 2},
                np.arange(120, dtype=np.int64).reshape(60, 2) % 3, {}),
    "direction": ({"role": "observed", "domain": "direction", "size": 2}, np.tile(np.float32([0.6, 0.8]), (60, 1)), {}),
}  # fmt: skip


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("case", CASES)
def test_mapped_rows_are_loaded_rows(
    tmp_path: Path, tiny: Callable[..., None], case: str, save: Callable[..., None]
) -> None:
    variable, cells, options = CASES[case]
    save(tmp_path / "a.npz", odd=np.zeros(7, np.int8), x=cells, y=np.arange(60) % 3)
    data = {"source": "a.npz", "variables": {"x": {"column": "x", **options}, "y": "y"}, "labels": {"y": 9}}
    tiny(10**9)
    loaded = prepared(tmp_path, {"x": variable, "y": DIGIT}, data)
    assert isinstance(loaded.training.selection.stored["x"], Held)
    tiny(80)
    kept = prepared(tmp_path, {"x": variable, "y": DIGIT}, data)
    assert isinstance(kept.training.selection.stored["x"], Mapped)
    same(loaded, kept)


@pytest.mark.parametrize("layout", ["prefixes", "siblings"])
def test_both_splits_of_a_source(tmp_path: Path, tiny: Callable[..., None], layout: str) -> None:
    train, test = {"x": GREY[:40], "y": np.arange(40) % 3}, {"x": GREY[40:], "y": np.arange(20) % 3}
    if layout == "prefixes":
        write_npz(
            tmp_path / "train.npz",
            **{f"train_{name}": array for name, array in train.items()},
            **{f"test_{name}": array for name, array in test.items()},
        )
    else:
        write_npz(tmp_path / "train.npz", **train)
        write_npz(tmp_path / "test.npz", **test)
    data = {"source": "train.npz", "variables": {"x": "x", "y": "y"}}
    loaded = prepared(tmp_path, {"x": PIXELS, "y": DIGIT}, data)
    for size in (600, 300):  # the training split alone, then both
        tiny(size)
        same(loaded, prepared(tmp_path, {"x": PIXELS, "y": DIGIT}, data))


def test_labels_splits_and_factors_may_be_large(tmp_path: Path, tiny: Callable[..., None]) -> None:
    write_npz(tmp_path / "a.npz", x=GREY, w=np.arange(60.0), part=np.arange(60) % 4, form=np.arange(60))
    data = {
        "source": "a.npz", "variables": {"x": "x", "w": {"column": "w", "standardize": True}},
        "labels": {"w": 20}, "test": {"column": "part", "value": 2}, "factors": {"form": "form"},
    }  # fmt: skip
    tiny(10**9)
    loaded = prepared(tmp_path, {"x": PIXELS, "w": REAL_LABEL}, data)
    tiny(1)
    kept = prepared(tmp_path, {"x": PIXELS, "w": REAL_LABEL}, data)
    same(loaded, kept)
    assert kept.test.factors["form"].tolist() == list(range(2, 60, 4))


def test_arrays_that_cannot_be_mapped_are_loaded(tmp_path: Path, tiny: Callable[..., None]) -> None:
    write_npz(tmp_path / "a.npz", x=np.asfortranarray(np.arange(120.0).reshape(60, 2)), y=np.array(list("abc") * 20))
    tiny(1)
    names = {**DIGIT, "names": ["a", "b", "c"]}
    data = {"source": "a.npz", "variables": {"x": "x", "y": "y"}, "test": 0, "validation": 0}
    rows = prepared(tmp_path, {"x": REALS, "y": names}, data).training
    assert isinstance(rows.selection.stored["x"], Held) and rows.values["x"][59].tolist() == [118, 119]


def wrong(folder: Path, variable: dict[str, Any], cells: Any) -> str:
    write_npz(folder / "a.npz", x=cells)
    with pytest.raises(DataError) as caught:
        prepared(folder, {"x": variable}, {"source": "a.npz", "variables": {"x": "x"}})
    return str(caught.value)


def test_mistakes_far_into_a_file(tmp_path: Path, tiny: Callable[..., None]) -> None:
    tiny(1)
    cells = np.zeros((60, 2))
    cells[[47, 48, 59], 1] = np.nan, np.nan, np.inf
    assert "column 'x', row 47, element [1]: nan is a blank, but x is observed" in wrong(tmp_path, REALS, cells)
    assert "row 59, element [1]: inf" in wrong(tmp_path, {**REALS, "missing": True}, cells)
    assert "no byte is larger than 1" in wrong(tmp_path, PIXELS, GREY % 2)
    dark = GREY.copy()
    dark[:50] = 0
    write_npz(tmp_path / "a.npz", x=dark)
    data = prepared(tmp_path, {"x": PIXELS}, {"source": "a.npz", "variables": {"x": "x"}})
    assert len(data.training), "some pictures may be black"


# --- files --------------------------------------------------------------------------------------------------------


def unpack(file: Path) -> tuple[Any, list[str]]:
    said: list[str] = []
    found = map_member(Member(file, "x"), said.append)
    assert found is not None
    return found, said


def test_a_compressed_array_is_unpacked_once(tmp_path: Path, tiny: Callable[..., None]) -> None:
    tiny(1)
    file = tmp_path / "a.npz"
    np.savez_compressed(file, x=GREY)
    (array, note), said = unpack(file)
    assert np.array_equal(array, GREY) and len(said) == 1 and said[0].startswith("unpacking array 'x' of a.npz")
    cached = list((tmp_path / "cache").rglob("*.npy"))
    assert len(cached) == 1 and str(cached[0]) in note
    (again, _), said = unpack(file)
    assert np.array_equal(again, GREY) and said == []
    np.savez_compressed(file, x=GREY[::-1])
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))
    (changed, _), said = unpack(file)
    assert np.array_equal(changed, GREY[::-1]) and len(said) == 1
    assert len(list((tmp_path / "cache").rglob("*"))) == 3, (
        "the copy of what the file was is gone, and nothing is left over"
    )


def test_what_a_killed_unpacking_left_is_removed(tmp_path: Path, tiny: Callable[..., None]) -> None:
    tiny(1)
    np.savez_compressed(tmp_path / "a.npz", x=GREY)
    (_, _), _ = unpack(tmp_path / "a.npz")
    (copy,) = (tmp_path / "cache").rglob("*.npy")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, at_work = (copy.with_name(f"{copy.stem}.{number}.partial") for number in (ended.pid, os.getppid()))
    for partial in (left, at_work):
        partial.write_bytes(bytes(100))
    np.savez_compressed(tmp_path / "b.npz", x=GREY)
    unpack(tmp_path / "b.npz")
    assert not left.exists() and at_work.exists()


def test_no_room_for_the_copy(tmp_path: Path, tiny: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(1)
    np.savez_compressed(tmp_path / "a.npz", x=GREY)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(DataError, match=r"large and compressed.*unpacked into .*: 0\.0 MiB are free there") as caught:
        unpack(tmp_path / "a.npz")
    assert "numpy.savez" in caught.value.hint
    monkeypatch.undo()
    monkeypatch.setattr(mapped_arrays, "MAPPED_BYTES", 1)
    (tmp_path / "blocked").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("damage", ["cut", "crc"])
def test_damaged_files(tmp_path: Path, tiny: Callable[..., None], save: Callable[..., None], damage: str) -> None:
    file = tmp_path / "a.npz"
    save(file, x=np.tile(GREY, (50, 1, 1)))
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif save is np.savez:
        return  # bytes of another value are values: the fingerprint tells that they changed
    else:
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)
    tiny(1)
    text = wrong_source(tmp_path)
    assert "a.npz" in text and not list((tmp_path / "cache").rglob("*.np*"))


def wrong_source(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        prepared(folder, {"x": PIXELS}, {"source": "a.npz", "variables": {"x": "x"}})
    return str(caught.value)


def folder_of_images(folder: Path, sizes: list[tuple[int, int]]) -> None:
    for index, size in enumerate(sizes):
        place = folder / "set" / ("train" if index % 3 else "test") / f"class{index % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(size, index * 4, np.uint8)).save(place / f"{index:03}.png")


def test_a_folder_of_many_images_is_decoded_once(tmp_path: Path, tiny: Callable[..., None]) -> None:
    folder_of_images(tmp_path, [(4, 4)] * 60)
    data = {"source": "set", "variables": {"x": "image", "y": "label"}}
    variables = {"x": PIXELS, "y": {**DIGIT, "classes": 2}}
    loaded = prepared(tmp_path, variables, data)
    tiny(16 * 60)
    said: list[str] = []
    graphs = graphs_for(variables, data)
    kept = prepare(graphs, spec_path=tmp_path / "spec.yaml", tell=said.append)
    assert isinstance(kept.training.selection.stored["x"], Mapped) and "unpacking 60 images of folder set" in said[0]
    same(loaded, kept)
    assert prepare(graphs, spec_path=tmp_path / "spec.yaml", tell=said.append).manifest() == kept.manifest()
    assert len(said) == 1 and any("decoded copy" in note for note in kept.notes)
    file = next((tmp_path / "set").rglob("*.png"))
    Image.fromarray(np.full((4, 4), 255, np.uint8)).save(file)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))
    changed = prepare(graphs, spec_path=tmp_path / "spec.yaml", tell=said.append)
    assert len(said) == 2 and changed.fingerprint != kept.fingerprint
    kept_files = sorted(file.suffix for file in (tmp_path / "cache").rglob("*.*"))
    assert kept_files == [".json", ".npy"], "the copy of the folder as it was before is gone"


def test_images_of_several_sizes_are_kept_small(tmp_path: Path, tiny: Callable[..., None]) -> None:
    folder_of_images(tmp_path, [(4, 4)] * 30 + [(8, 6)])
    data = {"source": "set", "variables": {"x": {"column": "image", "resize": [4, 4]}}}
    loaded = prepared(tmp_path, {"x": PIXELS}, data)
    tiny(1)
    kept = prepared(tmp_path, {"x": PIXELS}, data)
    assert isinstance(kept.training.selection.stored["x"], Mapped)
    same(loaded, kept)
    (copy,) = (tmp_path / "cache").rglob("*.npy")
    assert np.load(copy, mmap_mode="r").shape == (31, 1, 4, 4)


def test_a_fingerprint_is_of_the_contents() -> None:
    one = make_table("a", {"x": GREY}).fingerprint()
    assert one == make_table("a", {"x": Parts((GREY[:13], GREY[13:]))}).fingerprint()
    other = GREY.copy()
    other[59, 3, 3] ^= 1
    assert one != make_table("a", {"x": Parts((GREY[:13], other[13:]))}).fingerprint()


def test_preparing_a_mapped_source_takes_little_memory(tmp_path: Path, tiny: Callable[..., None]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20_000, 40, 40)).astype(np.uint8)
    write_npz(tmp_path / "a.npz", x=pixels, y=np.arange(20_000) % 3)
    image = {**PIXELS, "shape": [1, 40, 40]}
    tiny(2**20, 2**18)
    tracemalloc.start()
    try:
        data = prepared(tmp_path, {"x": image, "y": DIGIT}, {"source": "a.npz", "variables": {"x": "x", "y": "y"}})
        for step in epoch_batches(data, 0, 100, 50, 0):
            batch = data.training.batch(step.labelled, torch.float32)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < pixels.nbytes / 4, f"{peak / 2**20:.1f} MiB of {pixels.nbytes / 2**20:.1f}"
    row = int(data.training.source[step.labelled[0]])
    assert torch.equal(batch["x"][0, 0], torch.from_numpy(pixels[row]).float() / 255)


# --- what is held, is held once -----------------------------------------------------------------------------------


def test_splits_share_one_copy_of_bytes(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", x=GREY, b=np.eye(60, 4, dtype=np.bool_), y=np.arange(60) % 3)
    bits = {"role": "observed", "domain": "binary", "size": 4}
    data = {"source": "a.npz", "variables": {"x": "x", "b": "b", "y": "y"}, "labels": {"y": 6}}
    found = prepared(tmp_path, {"x": PIXELS, "b": bits, "y": DIGIT}, data)
    stored = [split.selection.stored for split in (found.training, found.validation, found.test)]
    assert all(part[name] is stored[0][name] for part in stored for name in part)
    kinds = {name: column.raw(torch.arange(1)).dtype for name, column in stored[0].items()}
    assert kinds == {"x": torch.uint8, "b": torch.int8, "y": torch.int64}
    assert found.training.nbytes == len(found.training) * (16 + 4 + 8)
    batch = found.training.batch(torch.arange(3), torch.float64)
    assert batch["b"].dtype == torch.int64 and batch["x"].dtype == torch.float64


def test_rows_on_another_device_are_only_those_of_the_split() -> None:
    rows = hold({"x": torch.arange(10.0), "b": torch.arange(10, dtype=torch.int8)}, 10)
    assert rows.to("cpu") is rows
    moved = type(rows)(rows.stored, torch.tensor([7, 2])).to("meta")
    assert {name: (column.device.type, len(column)) for name, column in moved.stored.items()} == {
        "x": ("meta", 2), "b": ("meta", 2),
    }  # fmt: skip
    assert moved.stored["b"].raw(torch.arange(1)).dtype == torch.int8


# --- orders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "block"), [(1000, 10), (1003, 10), (5, 10), (777, 1)])
def test_orders_by_blocks_are_permutations(count: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "WINDOW_BLOCKS", 8)
    first = order_of(count, block, 0, "rows", 0)
    assert sorted(first.tolist()) == list(range(count))
    assert first.tolist() == order_of(count, block, 0, "rows", 0).tolist()
    assert count < 10 or first.tolist() != order_of(count, block, 0, "rows", 1).tolist()


def test_orders_by_blocks_read_few_places_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "WINDOW_BLOCKS", 8)
    order = order_of(10_000, 100, 0, "rows")
    for window in order[: 12 * 800].reshape(12, 800):
        assert len(np.unique(window // 100)) <= 16, "eight blocks, each of which may lie across two hundreds"
        assert np.abs(np.diff(window)).mean() > 100, "and rows within them change places"


def test_every_row_is_as_likely_at_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "WINDOW_BLOCKS", 3)
    draws, count = 4000, 23
    firsts = Counter(int(order_of(count, 4, seed, "rows")[0]) for seed in range(draws))
    lasts = Counter(int(order_of(count, 4, seed, "rows")[-1]) for seed in range(draws))
    sigma = (draws / count * (1 - 1 / count)) ** 0.5
    assert max(abs(found[row] - draws / count) for found in (firsts, lasts) for row in range(count)) < 5 * sigma


def test_very_large_data_are_read_by_blocks(
    tmp_path: Path, tiny: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "a.npz", x=GREY, y=np.arange(60) % 3)
    data = {"source": "a.npz", "variables": {"x": "x", "y": "y"}, "labels": {"y": 9}, "test": 0, "validation": 0}
    tiny(500)
    assert prepared(tmp_path, {"x": PIXELS, "y": DIGIT}, data).block_rows == 0
    monkeypatch.setattr(preparation, "BLOCKED_BYTES", 900)
    monkeypatch.setattr(preparation, "BLOCK_BYTES", 16 * 5)
    monkeypatch.setattr(streams, "WINDOW_BLOCKS", 2)
    found = prepared(tmp_path, {"x": PIXELS, "y": DIGIT}, data)
    assert found.block_rows == 5
    steps = [step for epoch in range(3) for step in epoch_batches(found, epoch, 7, 2, 0)]
    per_epoch = len(steps) // 3
    whole = torch.cat([step.unlabelled for step in steps[:per_epoch]])
    assert torch.equal(whole.sort().values, found.unlabelled)
    assert len({int(row) // 5 for row in whole[:10]}) <= 6
    resumed = [step for epoch in (1, 2) for step in epoch_batches(found, epoch, 7, 2, 0)]
    for one, other in zip(steps[per_epoch:], resumed, strict=True):
        assert torch.equal(one.unlabelled, other.unlabelled) and torch.equal(one.labelled, other.labelled)
