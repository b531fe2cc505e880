"""Tables of text as people write them: separators, quotes, packed files, columns by pattern, classes from the column."""

import gzip
import os
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from data_specs import REALS, prepared, write_npz
from typer.testing import CliRunner

from graphspec.diagnostics import SpecError
from graphspec.headers import Dialect, SourceError, csv_rows, csv_table, expand
from graphspec.headers.sources import describe, resolve_source
from graphspec.loading import check_file, load
from runtime.cli.app import app
from runtime.errors import DataError

SPEC = """
graphspec: 1
variables:
  x: {{role: observed, domain: real, size: 2}}
  y: {{role: supervised, domain: category, {classes}}}
generative: {{y: {{}}, x: {{parents: [y]}}}}
recognition: {{y: {{parents: [x]}}}}
networks: {{default: {{kind: mlp, hidden: [4]}}}}
data: {{source: {source}, variables: {{x: {x}, y: {y}}}, test: 2, validation: 0{more}}}
"""


def spec(
    folder: Path, source: str, classes: str = "classes: 3", x: str = "[a, b]", y: str = "y", more: str = ""
) -> str:
    file = folder / "spec.yaml"
    file.write_text(SPEC.format(source=source, classes=classes, x=x, y=y, more=more))
    return str(file)


def errors(path: str, **options: Any) -> list[str]:
    return [found.message for found in check_file(path, **options) if found.severity == "error"]


def first_rows(path: Path, **dialect: Any) -> list[list[str]]:
    return list(csv_rows(path, Dialect(**dialect)))[:2]


# --- separators and quotes ---


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('w;"h, cm";y\n8.48;-12.57;0\n', [["w", "h, cm", "y"], ["8.48", "-12.57", "0"]]),
        ('"a,b,c";d\n1;2\n', [["a,b,c", "d"], ["1", "2"]]),
        ('"a;""b"",c";d\n1;2\n', [['a;"b",c', "d"], ["1", "2"]]),
        ('a,"b;c;d"\n1,2\n', [["a", "b;c;d"], ["1", "2"]]),
        ("h, cm;y\n1,5;2\n3;4\n", [["h, cm", "y"], ["1,5", "2"]]),
        ('"a\nb";c\n1;2\n', [["a\nb", "c"], ["1", "2"]]),
        ("a\tb,c\n1\t2\n", [["a", "b,c"], ["1", "2"]]),
        ("a|b\n1|2\n", [["a", "b"], ["1", "2"]]),
        ("sep=;\na;b,c\n1;2\n", [["a", "b,c"], ["1", "2"]]),
        ("\ufeffa;b\r\n1;2\r\n", [["a", "b"], ["1", "2"]]),
        ("a\n1\n", [["a"], ["1"]]),
    ],
)
def test_the_separator_is_judged_outside_quotes(tmp_path: Path, text: str, rows: list[list[str]]) -> None:
    (tmp_path / "t.csv").write_text(text, newline="")
    assert first_rows(tmp_path / "t.csv") == rows


def test_the_separator_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a b;c\n1 2;3\n")
    assert first_rows(tmp_path / "t.csv", separator=" ") == [["a", "b;c"], ["1", "2;3"]]
    (tmp_path / "rows.csv").write_text("a:b:y\n" + "1,5:2:0\n2:3:1\n3:4:2\n" * 3)
    path = spec(tmp_path, "rows.csv", more=', separator: ":", decimal: ","')
    assert errors(path) == []
    data = prepared(tmp_path, {"x": REALS}, {"source": "rows.csv", "separator": ":", "decimal": ",", "test": 0,
                                             "validation": 0, "variables": {"x": ["a", "b"]}})  # fmt: skip
    assert data.training.values["x"][:2].tolist() == [[1.5, 2], [2, 3]]


@pytest.mark.parametrize(
    "text", ['a,b,c\n1,2,"x\n2,3,y\n3,4,"z"\n', 'a,b,c\n1,2,x\n2,3,"y\n3,4,z\n', 'a,b,c\n1,2,"x"y\n']
)
def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path: Path, text: str) -> None:
    """Nobody reads the column of the open quote: its rows would be missing without a word."""
    (tmp_path / "t.csv").write_text(text)
    assert any("t.csv cannot be read at line" in message for message in errors(spec(tmp_path, "t.csv", y="b")))
    with pytest.raises(DataError, match="line"):
        prepared(tmp_path, {"x": REALS}, {"source": "t.csv", "variables": {"x": ["a", "b"]}})


def test_columns_that_nobody_reads(tmp_path: Path) -> None:
    """Without a name, or with one name for two: read past; asked for by that name, refused."""
    (tmp_path / "t.csv").write_text(",a,b,y,note,note,\n" + "".join(f"{i},{i},2,{i % 3},u,v,\n" for i in range(9)))
    assert errors(spec(tmp_path, "t.csv")) == []
    data = {"source": "t.csv", "variables": {"x": ["a", "b"]}, "test": 0, "validation": 0}
    assert prepared(tmp_path, {"x": REALS}, data).training.values["x"][:, 0].tolist() == list(range(9))
    assert errors(spec(tmp_path, "t.csv", x="[a, note]")) == ["t.csv has more than one column called 'note'"]
    with pytest.raises(DataError, match="more than one column called 'note'"):
        prepared(tmp_path, {"x": REALS}, {**data, "variables": {"x": ["a", "note"]}})


def test_a_header_one_cell_short_gets_advice(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n0,1,2\n")
    with pytest.raises(SourceError) as caught:
        csv_table(tmp_path / "t.csv")
    assert "line 2 has 3 cells, the header 2" in caught.value.message and "empty cell" in caught.value.hint


def test_a_comment_above_the_header_gets_advice(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("# made by the lab\na,b\n0,1\n")
    with pytest.raises(SourceError) as caught:
        csv_table(tmp_path / "t.csv")
    assert "take the comment out" in caught.value.hint


# --- packed tables ---


def write_rows(file: Path, separator: str = ",") -> None:
    text = separator.join("aby") + "\n" + "".join(separator.join(map(str, (i, 2 * i, i % 3))) + "\n" for i in range(9))
    file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv", "t.tsv.gz", "t.CSV"])
def test_packed_tables_and_tabs(tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / name, "\t" if "tsv" in name else ";")
    assert errors(spec(tmp_path, name)) == []
    data = prepared(
        tmp_path, {"x": REALS}, {"source": name, "variables": {"x": ["a", "b"]}, "test": 0, "validation": 0}
    )
    assert data.training.values["x"][:3].tolist() == [[0, 0], [1, 2], [2, 4]]


@pytest.mark.parametrize("place", [3, 12, 25, -6, -2])
def test_a_damaged_packed_table_is_named(tmp_path: Path, place: int) -> None:
    write_rows(tmp_path / "t.csv.gz")
    content = bytearray((tmp_path / "t.csv.gz").read_bytes())
    content[place] ^= 0xFF
    (tmp_path / "t.csv.gz").write_bytes(bytes(content))
    assert all("t.csv.gz" in message for message in errors(spec(tmp_path, "t.csv.gz")))
    (tmp_path / "t.csv.gz").write_bytes(bytes(content[:20]))
    assert any("t.csv.gz" in message for message in errors(spec(tmp_path, "t.csv.gz")))


# --- bounded ---


def test_a_wide_table_is_read_in_a_moment(tmp_path: Path) -> None:
    count = 33_000
    names = [f"gene_{i}" for i in range(count)]
    (tmp_path / "w.csv").write_text(
        ",".join([*names, "y"]) + "\n" + "".join(",".join("1" * count) + f",{k}\n" for k in "012")
    )
    before = time.process_time()
    table = csv_table(tmp_path / "w.csv")
    assert len(table.columns) == count + 1 and table.rows == 3
    absent = "[" + ", ".join(f"gen_{i}" for i in range(5000)) + "]"
    found = errors(spec(tmp_path, "w.csv", x=f"{{columns: {absent}}}"))
    assert len(found) == 4 and found[-1].endswith("and 4994 more")
    assert time.process_time() - before < 8, "a table of 33 000 columns took 20 to 35 s"


def test_only_the_first_rows_of_a_long_table_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphspec.headers.csv_files.COUNTED_CHARACTERS", 2000)
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 5000 + "x,y\n")
    table = csv_table(tmp_path / "t.csv")
    assert table.rows is None and not table.columns["a"].complete and table.columns["a"].values == ("1",)


@pytest.mark.parametrize(
    "name", ["r-{0..99999999999}.tar", "{0..9999}{0..9999}.tar", "r{" + "9" * 5000 + "..1}.tar", "{3..1}.tar"]
)
def test_ranges_are_bounded(tmp_path: Path, name: str) -> None:
    before = time.process_time()
    assert errors(spec(tmp_path, f'"{name}"')) != [] or "{3" in name
    assert time.process_time() - before < 3
    with pytest.raises((DataError, SpecError)):
        prepared(tmp_path, {"x": REALS}, {"source": name, "variables": {"x": ["a", "b"]}})


def test_small_ranges_are_what_they_were() -> None:
    assert [path.name for path in expand(Path("r-{08..11}.tar"))] == ["r-08.tar", "r-09.tar", "r-10.tar", "r-11.tar"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of this kind are Unix's")
@pytest.mark.parametrize("name", ["t.csv", "t.npz", "t.tar", "t.csv.gz", "pipe"])
def test_pipes_are_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    (message,) = errors(spec(tmp_path, name))
    assert "is a pipe or a device" in message
    with pytest.raises(DataError, match="is a pipe or a device"):
        prepared(tmp_path, {"x": REALS}, {"source": name, "variables": {"x": ["a", "b"]}})
    write_rows(tmp_path / "rows.csv")
    assert any(
        "is a pipe" in found for found in errors(spec(tmp_path, "rows.csv", more=f", labels: {{y: {{rows: {name}}}}}"))
    )


def test_a_data_folder_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSPEC_DATA", "~nobody-of-this-name/x")
    assert errors(spec(tmp_path, "nowhere.csv")) == []
    os.mkdir(tmp_path / "gone")
    monkeypatch.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    assert errors(spec(tmp_path, "nowhere.csv")) == []


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.npz"])
def test_damaged_files_are_told_in_words(tmp_path: Path, name: str) -> None:
    """Cut, changed and joined at random: what can still be read is read, all else names the file."""
    if name == "t.npz":
        write_npz(tmp_path / name, a=np.arange(9.0), b=np.arange(9.0), y=np.arange(9) % 3)
    else:
        write_rows(tmp_path / name)
    whole, random = (tmp_path / name).read_bytes(), Random(0)
    path = spec(tmp_path, name)
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(random.choice([1, 1, 3, 9])):
            content[random.randrange(len(content))] = random.choice([random.randrange(256), 0, 255, 34, 44, 57])
        cut = random.randrange(len(content)) if random.random() < 0.4 else None
        (tmp_path / name).write_bytes(bytes(content[:cut]) + (bytes(content[20:60]) if random.random() < 0.1 else b""))
        assert all(name in message or "column" in message or "'x'" in message for message in errors(path))
        with suppress(DataError):
            prepared(tmp_path, {"x": REALS}, {"source": name, "variables": {"x": ["a", "b"]}})


# --- columns by pattern, classes from the column ---


def test_columns_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("gene_2,y,gene_1,age,*odd\n" + "1,0,2,3,4\n" * 9)
    vector = {"role": "observed", "size": 3}
    data: dict[str, Any] = {"source": "t.csv", "test": 0, "validation": 0}
    for columns, row in (
        ("gene_*", [1, 2]),
        (["age", "gene_?"], [3, 1, 2]),
        (["gene_1", "gene_*"], [2, 1]),
        (["*odd", "age"], [4, 3]),
    ):
        graph = {"x": {**vector, "size": len(row)}}
        read = prepared(tmp_path, graph, {**data, "variables": {"x": {"columns": columns}}})
        assert read.training.values["x"][0].tolist() == row
        assert read.columns["x"].names == tuple(n for n in read.columns["x"].names if "?" not in n)
    assert errors(spec(tmp_path, "t.csv", x='{columns: "gene_*"}')) == []
    assert errors(spec(tmp_path, "t.csv", x='["gene_*", age]')) == ["'x' is [2], 3 stacked columns are [3]"]
    assert errors(spec(tmp_path, "t.csv", x='{columns: "gin_*"}')) == ["no column of t.csv matches 'gin_*'"]
    with pytest.raises(DataError, match=r"no column of .* matches"):
        prepared(tmp_path, {"x": vector}, {**data, "variables": {"x": {"columns": "gin_*"}}})


def auto(folder: Path, cells: str, y: str = "y") -> tuple[str, ...]:
    (folder / "t.csv").write_text("a,b,y\n" + "".join(f"1,{i},{cell}\n" for i, cell in enumerate(cells.split("|"))))
    return load(spec(folder, "t.csv", "names: auto", y=y)).variables["y"].names


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ("red|blue|red||nan", ("blue", "red")), ("10|9|2.0|2|", ("2", "9", "10")), ("0|1|2|-1", ("0", "1", "2")),
        ("b|NA|a", ("NA", "a", "b")), ("1.5|1|x", ("1", "1.5", "x")), ("no|yes|no", ("no", "yes")),
    ],
)  # fmt: skip
def test_names_auto_are_the_cells(tmp_path: Path, cells: str, names: tuple[str, ...]) -> None:
    assert auto(tmp_path, cells) == names


def test_names_auto_heeds_missing_and_asks_about_signs(tmp_path: Path) -> None:
    assert auto(tmp_path, "b|NA|a", "{column: y, missing: [NA]}") == ("a", "b")
    warned = [found.code for found in check_file(spec(tmp_path, "t.csv", "names: auto"))]
    assert warned == ["GS122"]
    for cells, said in (
        ("-1|1|1", "only -1 and 1"),
        ("a|a|", "holds a"),
        ("|".join(map(str, range(1200))), "different values"),
    ):
        with pytest.raises(SpecError) as caught:
            auto(tmp_path, cells)
        assert said in caught.value.diagnostics[0].message


@pytest.mark.parametrize("stored", [["a", "b", "a"], [3, 7, 3], [3.0, 7.0, np.nan], [3, 7, -1]])
def test_names_auto_of_arrays_are_those_that_are_read(tmp_path: Path, stored: list[Any]) -> None:
    write_npz(tmp_path / "t.npz", a=[1.0] * 3, b=[2.0] * 3, y=stored)
    graphs = load(spec(tmp_path, "t.npz", "names: auto"))
    assert graphs.variables["y"].names == tuple(
        map(str, sorted({v for v in stored if isinstance(v, str) or v > 0}))
    ) or (graphs.variables["y"].names == ("3", "7"))
    kind = {"role": "supervised", "domain": "category", "names": list(graphs.variables["y"].names)}
    data = {"source": "t.npz", "variables": {"x": ["a", "b"], "y": "y"}, "test": 0, "validation": 0}
    read = prepared(tmp_path, {"x": REALS, "y": kind}, data).training.values["y"].tolist()
    assert read[:2] == [0, 1] and read[2] in (0, -1)


def test_names_auto_needs_its_data_and_a_run_does_not(tmp_path: Path) -> None:
    """The names stand in the resolved spec: a model folder opens where the data are not."""
    from graphspec.describe.resolved import resolved_yaml
    from runtime.runs.run_folder import graphs_of

    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data" / "t.csv")
    path = spec(tmp_path, "t.csv", "names: auto")
    assert any("which is not there" in message for message in errors(path))
    for verb in (["check"], ["compile"], ["explain"], ["graph"], ["compile", "--stage", "spec"]):
        refused = CliRunner().invoke(app, [verb[0], path, *verb[1:]])
        found = CliRunner().invoke(app, [verb[0], path, *verb[1:], "--data-dir", str(tmp_path / "data")])
        assert refused.exit_code == 1 and found.exit_code == 0, found.output
    text = resolved_yaml(load(path, data_dir=tmp_path / "data"))
    assert graphs_of(text, "run").variables["y"].names == ("0", "1", "2")


def test_a_class_folder_that_names_declares_is_never_a_blank(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("owl", "nan", "cat"):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.new("L", (2, 1), 200).save(tmp_path / "set" / name / "0.png")
    folder = SPEC.replace("real, size: 2", "unit, shape: [1, 1, 2]")
    (tmp_path / "s.yaml").write_text(
        folder.format(source="set", classes="names: [cat, nan, owl]", x="image", y="label", more="")
    )
    assert errors(str(tmp_path / "s.yaml")) == []
    pixels = {"role": "observed", "domain": "unit", "shape": [1, 1, 2]}
    kind = {"role": "supervised", "domain": "category", "names": ["cat", "nan", "owl"]}
    data = {"source": "set", "variables": {"x": "image", "y": "label"}, "test": 0, "validation": 0}
    assert prepared(tmp_path, {"x": pixels, "y": kind}, data).training.values["y"].tolist() == [0, 1, 2]


def test_bytes_of_text_are_text(tmp_path: Path) -> None:
    write_npz(tmp_path / "t.npz", a=[1.0] * 3, b=[2.0] * 3, y=np.array([b"a", b"b", b"a"]))
    kind = {"role": "supervised", "domain": "category", "names": ["a", "b"]}
    data = {"source": "t.npz", "variables": {"x": ["a", "b"], "y": "y"}, "test": 0, "validation": 0}
    assert prepared(tmp_path, {"x": REALS, "y": kind}, data).training.values["y"].tolist() == [0, 1, 0]
    assert describe(resolve_source(str(tmp_path / "t.npz"))).columns is not None


def test_a_mistake_in_data_is_told_without_a_second_one_about_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,y\n" + "0.5,1.5,A\n2.5,0.5,B\n" * 20)
    told = errors(spec(tmp_path, "t.csv", classes="names: auto", more=", labels: {y: 0}"))
    assert len(told) == 1 and "must be at least 1" in told[0], told
