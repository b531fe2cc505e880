"""One definition of a blank, a name and a number: what `check` accepts of a table the reader reads, cell by cell."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_specs import graphs_for, prepared, write_npz
from hypothesis import given, settings
from hypothesis import strategies as st

from graphspec.diagnostics import Diagnostic
from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import CellReader
from graphspec.headers.numbers import PLAIN_NUMBERS, NumberFormat, look_alike
from graphspec.language import Spec
from graphspec.rules.data_rules import check_data
from graphspec.text.report import Report
from graphspec.text.source import read_document
from runtime.data.preparation.values import read_values
from runtime.data.read.reading import read_table
from runtime.errors import DataError

NAN = math.nan
CELLS = [
    "", "nan", "NaN", "-nan", "-1", "-1.0", "0", "1", "1.0", "01", "2", "3", "-2", "0.5", "+1", "1e0", "1e30", "inf", "-inf",
    "red", "blue", "Red", "NA", "None", "unknown", "1_0", "\u0663", "1,5", "1.234,5", "99", " 1 ", "-0", ".5", "1.", "yes",
]  # fmt: skip
NAMES = [["red", "blue"], ["-1", "1"], ["nan", "red"], ["NA", "None"], ["1", "2"], ["0", "1"], ["0.5", "1"], ["NaN", "1"],
         ["red", "blue", "unknown"]]  # fmt: skip
MISSING: list[Any] = [[], [99], ["unknown"], [-1], ["nan"], ["-1.0", 2], ["NA", 0], {"v": [1, "yes"]}]


def errors(variable: dict[str, Any], data: dict[str, Any], folder: Path) -> list[Diagnostic]:
    spec = {"graphspec": 1, "variables": {"v": variable}, "generative": {}, "recognition": {}, "data": data}
    file = folder / "spec.yaml"
    file.write_text(json.dumps(spec))
    report = Report(read_document(file.read_text(), str(file)))
    check_data(Spec.model_validate(report.document.value), report)
    return [found for found in report.diagnostics if found.severity == "error"]


@st.composite
def variables(draw: st.DrawFn) -> dict[str, Any]:
    domain = draw(st.sampled_from(["category", "binary", "count", "real", "positive", "unit"]))
    role = draw(st.sampled_from(["supervised", "observed", "observed and missing"]))
    fields: dict[str, Any] = {"role": role.split()[0], "domain": domain}
    if role == "observed and missing":
        fields["missing"] = True
    names = draw(st.sampled_from(NAMES)) if domain in ("category", "binary") and draw(st.booleans()) else None
    if names and (domain == "category" or len(names) == 2):
        fields["names"] = names
    elif domain == "category":
        fields["classes"] = draw(st.sampled_from([2, 3, 5]))
    if domain == "count" and draw(st.booleans()):
        fields["max"] = 2
    return fields


@settings(max_examples=400, deadline=None)
@given(
    variables(),
    st.lists(st.sampled_from(CELLS), min_size=3, max_size=8),
    st.sampled_from(MISSING),
    st.sampled_from([{}, {"decimal": ","}, {"decimal": ",", "thousands": "."}]),
)
def test_what_check_accepts_the_reader_reads(
    variable: dict[str, Any], cells: list[str], missing: Any, dialect: dict[str, str]
) -> None:
    """And what `check` refuses of a small table it refuses rightly."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows.csv").write_text("v;w\n" + "".join(f'"{cell}";\n' for cell in cells))
        data = {"source": "rows.csv", "variables": {"v": {"column": "v", "missing": missing}}, **dialect}
        found = errors(variable, {**data, "test": 0, "validation": 0}, folder)
        if any("no name is a blank" in error.message for error in found):
            return  # the spec contradicts itself, whatever the cells are
        graphs = graphs_for({"v": variable}, data)
        assert graphs.spec.data is not None
        spec, numbers = graphs.spec.data.variables["v"], NumberFormat(**{"decimal": ".", **dialect})
        table = read_table("rows.csv", ["v"], folder / "spec.yaml", folder, print)
        try:
            read = read_values(graphs.variables["v"], spec, table, numbers).tensor.tolist()
        except DataError as error:
            assert found, (error.message, cells)
            return
        assert not found, (found[0].message, cells)
        distinct = list(dict.fromkeys(map(str.strip, cells)))
        reader = CellReader(graphs.variables["v"], spec.missing_in("v"), distinct, numbers)
        expected = {cell: NAN if value is None else value for cell, value in zip(distinct, reader.values, strict=True)}
        blank = -1 if graphs.variables["v"].discrete else NAN
        wanted = [blank if math.isnan(expected[cell.strip()]) else expected[cell.strip()] for cell in cells]
        np.testing.assert_array_equal(read, wanted)


def values(variable: Variable, cells: list[str], *missing: Any, numbers: NumberFormat = PLAIN_NUMBERS) -> list[Any]:
    found = CellReader(variable, missing, cells, numbers).values
    return [None if value is None else "blank" if math.isnan(value) else value for value in found]


def category(*names: str, classes: int = 3) -> Variable:
    return Variable("y", "supervised", "category", (), support=len(names) or classes, names=names)


@pytest.mark.parametrize(
    ("variable", "cells", "meant"),
    [
        (category("nan", "red"), ["nan", "red", ""], [0, 1, "blank"]),
        (category("red", "blue"), ["nan", "NaN", "red"], ["blank", "blank", 0]),
        (category("NA", "None", "null"), ["None", "NA", "null"], [1, 0, 2]),
        (category("red", "blue"), ["NA", "red"], [None, 0]),
        (category("-1", "1"), ["-1", "1", "1.0"], [0, 1, 1]),
        (category("1", "2"), ["1.0", "", "2.0", "-1", "0"], [0, "blank", 1, "blank", None]),
        (category(), ["0", "-1", "2.0", "2"], [0, "blank", 2, 2]),
        (category(), ["0", "-1", "1.5"], [0, None, None]),
        (category("cat", "dog"), ["cat", "-1", "dog"], [0, None, 1]),
        (category("cat", "dog"), ["0", "-1", "1"], [0, "blank", 1]),
        (category("0.5", "1.5"), ["0.50", "1.5", "nan"], [0, 1, "blank"]),
        (category(classes=2), ["1_0", "\u0661", "1"], [None, None, 1]),
    ],
)
def test_what_a_cell_means(variable: Variable, cells: list[str], meant: list[Any]) -> None:
    assert values(variable, cells) == meant


@pytest.mark.parametrize(
    ("cells", "missing", "names", "refused"),
    [
        (["-1", "1"], (), (), True),
        (["-1.0", "0", "1"], (), (), True),
        (["-1", "1", "", "nan"], (), (), True),
        (["-1", "1"], (-1,), (), False),
        (["-1", "1"], (), ("-1", "1"), False),
        (["-1", "0"], (), (), False),
        (["-1", "1", "2"], (), (), False),
        (["-1", "1", "99"], (99,), (), True),
    ],
)
def test_two_codings(cells: list[str], missing: tuple[Any, ...], names: tuple[str, ...], refused: bool) -> None:
    assert CellReader(category(*names), missing, cells).could_be_signs == refused


@pytest.mark.parametrize("domain", ["binary", "category", "count"])
@pytest.mark.parametrize("stored", [np.int8, np.int64, np.float64])
def test_two_codings_of_arrays(tmp_path: Path, domain: str, stored: type) -> None:
    label = {"role": "supervised", "domain": domain, "size": 2} | ({"classes": 2} if domain == "category" else {})
    cells = np.array([[-1, 1], [1, 1], [-1, -1], [1, 1], [1, -1], [1, 1]], stored)
    write_npz(tmp_path / "rows.npz", x=np.zeros(6), y=cells)
    named = {"x": {"role": "observed"}, "y": label}
    data = {"source": "rows.npz", "variables": {"x": "x", "y": "y"}, "test": 0, "validation": 0}
    with pytest.raises(DataError, match=r"only -1 and 1 \(4 cells are -1\)"):
        prepared(tmp_path, named, data)
    blank = {**data, "variables": {"x": "x", "y": {"column": "y", "missing": [-1]}}}
    assert prepared(tmp_path, named, blank).training.values["y"].tolist() == cells.tolist()
    if domain != "count":
        signs = {**named, "y": {**label, "names": ["-1", "1"]}}
        assert prepared(tmp_path, signs, data).training.values["y"].tolist() == ((cells + 1) // 2).tolist()


def test_missing_cells_per_column(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n99,1\n1,99\n2,-7\n3,4\n")
    vector = {"role": "observed", "size": 2, "missing": True}
    entry = {"columns": ["a", "b"], "missing": {"a": [99], "b": [-7]}}
    data = prepared(
        tmp_path, {"v": vector}, {"source": "rows.csv", "variables": {"v": entry}, "test": 0, "validation": 0}
    )
    assert data.training.values["v"].nan_to_num(-1).tolist() == [[-1, 1], [1, 99], [2, -1], [3, 4]]


@pytest.mark.parametrize(
    ("cell", "numbers", "read"),
    [
        ("1.234,5", NumberFormat(",", "."), 1234.5), ("1.23", NumberFormat(",", "."), None), ("3.5", NumberFormat(","), None),
        ("3,5", NumberFormat(","), 3.5), ("1,234", NumberFormat(thousands=","), 1234), ("12,34", NumberFormat(thousands=","), None),
        ("1 000 000", NumberFormat(thousands=" "), 1e6), ("1'000.5", NumberFormat(thousands="'"), 1000.5),
        ("-,5", NumberFormat(","), -0.5), ("1,5e3", NumberFormat(","), 1500), ("5", NumberFormat(","), 5), (",", NumberFormat(","), None),
    ],
)  # fmt: skip
def test_numbers_as_the_table_writes_them(cell: str, numbers: NumberFormat, read: float | None) -> None:
    assert numbers.number(cell) == read and numbers.all_of([cell, ""]) == [read, None]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["-0,44", "8,5"], 'decimal: ","'), (["1,250", "12,600"], 'thousands: ","'), (["1.250,75", "3,5"], 'decimal: ",", thousands: "."'),
        (["2024-01-05"], "date"), (["5.1.2024", "11/12/24"], "date"), (["12 %"], "percentage"), (["1'250"], "thousands: \"'\""),
        (["red"], ""), (["red", "1,5"], ""), (["€12.50", "$ 3"], "currency"), (["80 kg", "37.2 °C"], "unit"), (["e5", "12e"], ""), (["1\u00a0250"], 'thousands: "\\u00a0"'),
    ],
)  # fmt: skip
def test_what_cells_look_like(cells: list[str], said: str) -> None:
    hint = look_alike(cells, PLAIN_NUMBERS)
    assert said in hint and bool(hint) == bool(said)
