"""Arrays of an .npz file: `check` refuses what the reader refuses, and looks no further than it has to."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_specs import graphs_for, write_npz
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cell_reader import errors, variables

from graphspec.headers import npz_cells
from graphspec.rules import array_rules
from runtime.data.preparation.values import read_values
from runtime.data.read.reading import read_table
from runtime.errors import DataError

NUMBERS = [0, 1, 2, 3, -1, -2, 99, 0.5, -0.5, 1.5, 1e30, np.nan, np.inf, -np.inf, 2000, -2000]
MISSING: list[Any] = [[], [], [99], [-1], ["nan"], [-2, 0.5]]
SHAPES: list[tuple[int, ...]] = [(), (2,), (1, 2), (2, 2, 3)]
TYPES = ["f8", "f4", ">f8", "i8", "i2", "u1", "u2", "?"]


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...], rows: int) -> np.ndarray:
    kind = draw(st.sampled_from(TYPES))
    few = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
    if kind[-2:] not in ("f8", "f4"):
        limits = (0, 1) if kind == "?" else (np.iinfo(kind).min, np.iinfo(kind).max)
        few = [x for x in few if float(x).is_integer() and limits[0] <= x <= limits[1]] or [1]
    size = rows * int(np.prod(shape, dtype=int))
    cells = draw(st.lists(st.sampled_from(few), min_size=size, max_size=size))
    array = np.array(cells).astype(kind).reshape(rows, *shape)
    return np.asfortranarray(array) if draw(st.booleans()) else array


@given(data=st.data(), variable=variables(), shape=st.sampled_from(SHAPES), missing=st.sampled_from(MISSING))
@settings(max_examples=200, deadline=None)
def test_check_refuses_what_the_reader_refuses(
    data: st.DataObject, variable: dict[str, Any], shape: tuple[int, ...], missing: list[Any]
) -> None:
    if shape:
        variable = {**variable, "shape": list(shape)}
    section: dict[str, Any] = {"source": "rows.npz", "variables": {"v": {"column": "a", "missing": missing}}}
    array = data.draw(arrays(shape, 6))
    parts = {"train_a": array[:4], "test_a": array[4:]} if data.draw(st.booleans()) else {"a": array}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_npz(folder / "rows.npz", **parts)
        told = errors(variable, section, folder)
        if any("no name is a blank" in error.message for error in told):
            return  # the spec contradicts itself, whatever the cells are
        graphs = graphs_for({"v": variable}, section)
        assert graphs.spec.data is not None
        table = read_table("rows.npz", ["a"], folder / "spec.yaml", folder, print)
        try:
            read_values(graphs.variables["v"], graphs.spec.data.variables["v"], table)
        except DataError as error:
            assert told, error
        else:
            assert not told, told[0].message


@pytest.mark.parametrize(
    ("domain", "array", "said"),
    [
        ("direction", [[0.6, 0.8], [1.0, 1.0]], "a row of length 1.41421, 1 is expected"),
        ("direction", [[0.6, 0.8], [0.0, 0.0]], "a row of length 0"),
        ("simplex", [[0.5, 0.5], [0.5, 0.7]], "a row of sum 1.2"),
        ("simplex", [[0.5, 0.5], [-0.5, 1.5]], "holds '-0.5'"),
        ("unit", np.array([[0, 1], [1, 0]], np.uint8), "no byte is larger than 1"),
        ("category", [[0, 1], [1, 7]], "holds '7', which is no value of 'v': 0 to 2"),
        ("count", [[0, 1], [1, 2.5]], "holds '2.5', which is no value of 'v': a whole number"),
        ("count", [[0, -4], [1, 2]], "holds '-4', which is no value of 'v': a whole number from 0"),
    ],
)
def test_what_is_said(domain: str, array: Any, said: str, tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", a=array)
    variable = {"role": "supervised", "domain": domain, "size": 2, **({"classes": 3} if domain == "category" else {})}
    (found,) = errors(variable, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    assert found.code == "GS083" and said in found.message


def test_a_blank_is_no_class_of_that_name(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", a=[0, 1, np.nan])
    variable = {"role": "observed", "domain": "category", "names": ["nan", "red"]}
    (found,) = errors(variable, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    assert "has blank cells" in found.message


def test_texts_are_looked_at_too(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", a=np.array(["cat", "dog", "cow"]), b=np.array([b"1.5", b"2"]))
    pets = {"role": "supervised", "domain": "category", "names": ["cat", "dog"]}
    (found,) = errors(pets, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    assert "holds 'cow'" in found.message
    write_npz(tmp_path / "rows.npz", b=np.array([b"1.5", b"2"]))
    real = {"role": "observed", "domain": "real"}
    assert not errors(real, {"source": "rows.npz", "variables": {"v": "b"}}, tmp_path)


def test_a_damaged_array_is_told(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", a=np.arange(4000.0))
    content = bytearray((tmp_path / "rows.npz").read_bytes())
    content[9000] ^= 255
    (tmp_path / "rows.npz").write_bytes(bytes(content))
    (found,) = errors({"role": "observed", "domain": "real"}, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    assert found.code == "GS088" and "array a of rows.npz cannot be read" in found.message


def test_a_large_array_is_looked_at_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_cells, "LOOKED_BYTES", 2**16)
    array = np.zeros((10**5, 4), np.float32)
    array[-1] = 7
    write_npz(tmp_path / "rows.npz", a=array)
    variable = {"role": "observed", "domain": "unit", "size": 4}
    began = time.perf_counter()
    assert not errors(variable, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    assert time.perf_counter() - began < 1
    array[1] = 7
    write_npz(tmp_path / "rows.npz", a=array)
    assert errors(variable, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)


def test_an_array_of_labels_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    looked_at = npz_cells.look_at

    def look_at(members: Any, *rest: Any) -> Any:
        opened.extend(member.key for member in members)
        return looked_at(members, *rest)

    monkeypatch.setattr(array_rules, "look_at", look_at)
    write_npz(tmp_path / "rows.npz", train_a=[0, 1, 1, -1], test_a=[1, 0, 0, 2])
    label = {"role": "supervised", "domain": "category", "classes": 3}
    assert not errors(label, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    assert sorted(opened) == ["test_a", "train_a"]
    write_npz(tmp_path / "rows.npz", train_a=[0, 1, 1, -1], test_a=[1, 0, 0, 3])
    assert any(
        "3" in found.message for found in errors(label, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    )


@pytest.mark.parametrize(("code", "blank"), [(255, True), (-999, True), (9, True), (2, False)])
def test_a_number_far_from_all_classes_may_mean_blank(tmp_path: Path, code: int, blank: bool) -> None:
    write_npz(tmp_path / "rows.npz", a=[0, 1, 1, 0, code])
    label = {"role": "supervised", "domain": "category", "classes": 2}
    (found,) = errors(label, {"source": "rows.npz", "variables": {"v": "a"}}, tmp_path)
    proposed = f"missing: [{code}]" in found.hint.replace('"', "")
    assert proposed == blank, found.hint
