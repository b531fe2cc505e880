"""Tables in .parquet files: types, nulls, damaged files, and the same answers as the table of text says."""

import csv
import datetime
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_specs import DIGIT, REALS, prepared
from test_layouts import COLUMNS, INNER, refusals, rows_of
from test_layouts import prepared as prepared_plates

from graphspec.diagnostics import render_text
from graphspec.headers import SourceError
from graphspec.headers.sources import FileSource, describe
from graphspec.loading import check_file
from runtime.data.read.parquet_columns import read_parquet
from runtime.errors import DataError

pa = pytest.importorskip("pyarrow")
SPEC = """
graphspec: 1
variables:
  x: {{role: observed, domain: real, size: 2, missing: true}}
  y: {{role: supervised, domain: category, names: {names}}}
generative: {{y: {{}}, x: {{parents: [y]}}}}
recognition: {{y: {{parents: [x]}}}}
networks: {{default: {{kind: mlp, hidden: [4]}}}}
data: {{source: rows.parquet, variables: {{x: {x}, y: {y}}}, test: 2, validation: 0}}
"""


def write(file: Path, **columns: Any) -> Path:
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), file)
    return file


def rows(folder: Path, **changes: Any) -> Path:
    columns = {
        "a": [1.5, None, 0.25, 3.0, 2.0, 1.0], "b": pa.array([1, 2, None, 4, 5, 6], pa.int32()),
        "y": pa.array(["cat", "dog", "dog", None, "cat", "dog"]).dictionary_encode(),
    }  # fmt: skip
    return write(folder / "rows.parquet", **{**columns, **changes})


def told(folder: Path, names: str = "[cat, dog]", x: str = "[a, b]", y: str = "y") -> list[str]:
    file = folder / "spec.yaml"
    file.write_text(SPEC.format(names=names, x=x, y=y))
    return [each.message for each in check_file(str(file)) if each.severity == "error"]


def test_a_table_is_read_as_its_twin_in_text(tmp_path: Path) -> None:
    rows(tmp_path)
    assert told(tmp_path) == []
    with (tmp_path / "rows.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [
                ("a", "b", "y"),
                (1.5, 1, "cat"),
                ("", 2, "dog"),
                (0.25, "", "dog"),
                (3, 4, ""),
                (2, 5, "cat"),
                (1, 6, "dog"),
            ]
        )
    variables = {"x": {**REALS, "missing": True}, "y": {**DIGIT, "classes": None, "names": ["cat", "dog"]}}
    variables["y"].pop("classes")
    read = {}
    for source in ("rows.parquet", "rows.csv"):
        data = {"source": source, "variables": {"x": ["a", "b"], "y": "y"}, "test": 0, "validation": 0}
        read[source] = prepared(tmp_path, variables, data).training
    for name in ("x", "y"):
        found, wanted = (each.values[name].double().numpy() for each in read.values())
        np.testing.assert_array_equal(found, wanted)


def test_names_are_taken_from_the_column(tmp_path: Path) -> None:
    rows(tmp_path)
    assert told(tmp_path, names="auto") == []


def test_every_type_is_text_or_a_number(tmp_path: Path) -> None:
    zone = datetime.UTC
    day, moment = datetime.date(2024, 3, 31), datetime.datetime(2024, 3, 31, 18, 30)
    file = write(
        tmp_path / "types.parquet",
        flag=[True, None, False], small=pa.array([1, 2, 3], pa.uint8()), big=pa.array([2**60 + 1, 1, 2]),
        share=pa.array([Decimal("1.25"), None, Decimal("3.00")]), half=pa.array(np.array([1, 2, 0.5], np.float16)),
        day=[day, None, day], moment=[moment, None, moment], zoned=[moment.replace(tzinfo=zone)] * 3,
        text=pa.array([" a ", None, "b"], pa.large_string()), nothing=pa.nulls(3),
        coded=pa.array([3, 4, 3]).dictionary_encode(),
    )  # fmt: skip
    names = list(describe(FileSource(file, "parquet")).columns or {})
    read = read_parquet(file, names).columns
    found = {name: [str(cell) for cell in read[name]] for name in names}  # type: ignore[union-attr]
    assert found["flag"] == ["1.0", "nan", "0.0"] and found["big"] == [str(2**60 + 1), "1", "2"]
    assert found["share"] == ["1.25", "nan", "3.0"] and found["half"] == ["1.0", "2.0", "0.5"]
    assert found["day"] == ["2024-03-31", "", "2024-03-31"] and found["moment"][0] == "2024-03-31T18:30:00"
    assert found["zoned"][0] == "2024-03-31T18:30:00+00:00" and found["text"] == ["a", "", "b"]
    assert found["nothing"] == ["", "", ""] and found["coded"] == ["3", "4", "3"]


def test_what_is_no_single_cell_is_refused(tmp_path: Path) -> None:
    rows(tmp_path, a=[[1.0], [2.0, 3.0], [], None, [1.0], [2.0]])
    (message,) = told(tmp_path)
    assert message == "column a holds objects that cannot be read"
    with pytest.raises(DataError, match="holds no single numbers or texts"):
        read_parquet(tmp_path / "rows.parquet", ["a"])


def test_cells_are_held_against_the_spec(tmp_path: Path) -> None:
    rows(tmp_path, y=["cat", "dog", "bird", None, "cat", "dog"])
    assert told(tmp_path) == ["column y holds 'bird', which is no value of 'y': one of cat, dog, or 0 to 1"]
    rows(tmp_path)
    assert told(tmp_path, x="[a, c]") == ["rows.parquet has no column 'c'"]


@pytest.mark.parametrize("cut", [0, 3, 40, -20])
def test_damaged_files_are_named(cut: int, tmp_path: Path) -> None:
    file = rows(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[:cut])
    assert len(told(tmp_path)) == 1 and "rows.parquet" in told(tmp_path)[0]
    with pytest.raises(SourceError, match=r"rows\.parquet cannot be read"):
        read_parquet(file, ["a"])


def test_pages_that_are_damaged_are_named(tmp_path: Path) -> None:
    file = rows(tmp_path)
    content = bytearray(file.read_bytes())
    content[4:60] = bytes(56)
    file.write_bytes(content)
    with pytest.raises((SourceError, DataError), match=r"rows\.parquet"):
        read_parquet(file, ["a", "b", "y"])


def test_without_pyarrow_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "spec.yaml").write_text(SPEC.format(names="[cat, dog]", x="[a, b]", y="y"))
    text = render_text(check_file(str(tmp_path / "spec.yaml")))
    assert "pyarrow, which reads it, is not installed" in text and "pip install -e '.[parquet]'" in text


def test_plates_on_lines_of_a_parquet_table(tmp_path: Path) -> None:
    entry = {"visits": {"key": "who", "order": "day"}}
    days = [datetime.date(2024, 1, day) for day in (2, 1, 1, 1)]
    write(tmp_path / "long.parquet", **{**INNER, "day": days})
    data = {"source": "long.parquet", "plates": entry, "variables": COLUMNS, "test": 0, "validation": 0}
    found = rows_of(prepared_plates(data, tmp_path))
    assert [row["lab"] for row in found.values()] == [[2.0, 1.0], [3.0], [4.0]]
    write(tmp_path / "outer.parquet", who=["1", "2", "3"], sex=[0, 1, 0])
    entry = {"visits": {"source": "long.parquet", "key": "who"}}
    several = prepared_plates({**data, "source": "outer.parquet", "plates": entry}, tmp_path)
    assert [row["n"] for row in rows_of(several).values()] == [[2.0], [1.0], [1.0]]
    write(tmp_path / "long.parquet", **{**INNER, "sex": [1, 0, 0, 0]})
    by_check, by_reader = refusals(data, tmp_path)
    assert (
        by_check.startswith("long.parquet row 1 (from 0): sex is '0', and '1' in long.parquet row 0")
        and by_reader == by_check
    )
