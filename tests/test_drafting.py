"""`graphspec new --from`: what columns are taken for, and drafts that are specs without a mistake."""

import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from graphspec.drafting import draft_from
from graphspec.drafting.guesses import Guess, guess
from graphspec.headers.blank_numbers import number_for_blank
from graphspec.headers.columns import Column
from graphspec.headers.numbers import NumberFormat
from graphspec.loading import check_file, load
from graphspec.text.yaml_words import plain


def guessed(*cells: str, name: str = "c", label: bool = False, numbers: NumberFormat | None = None) -> Guess:
    counts = Counter(cells)
    column = Column(name, "text", (), values=tuple(counts), counts=tuple(counts.values()), complete=True)
    return guess(column, numbers or NumberFormat(), label=label)


def test_numbers_classes_and_blanks_are_told_apart() -> None:
    assert guessed("1.5", "2", "3", "", "NA").kind == "number"
    assert guessed("1.5", "2", "3", "", "NA").marks == ("NA",) and guessed("1.5", "2", "3", "", "NA").blanks == 2
    assert guessed("red", "blue", "red", "green").names == ("blue", "green", "red")
    assert guessed("f", "m", "m", "?").kind == "binary" and guessed("f", "m", "m", "?").marks == ("?",)
    assert guessed("0", "1", "1").names == () and guessed("1", "2", "2.0").names == ("1", "2")
    assert guessed("none", "gas", "oil").names == ("gas", "none", "oil")
    assert guessed("1", "2", "none", "7").marks == ("none",)


def test_a_repeated_negative_number_among_others_is_a_blank() -> None:
    assert guessed("-99", "-99", "3", "4").marks == ("-99",)
    assert guessed("-99", "3", "4").marks == () and guessed("-99", "-99", "-3", "4").marks == ()


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("id", [str(i) for i in range(7, 40, 3)], "names the rows"),
        ("c", [str(i) for i in range(30)], "counts the rows"),
        ("c", ["a", "a"], "same in every row"),
        ("c", ["", "NA"], "no value"),
        ("c", [f"name {i}" for i in range(30)], "another text"),
        ("c", ["2024-01-02", "2024-01-03", "2023-05-06"], "date"),
        ("c", ["5 kg", "6 kg", "7.5 kg"], "unit"),
    ],
)
def test_what_no_start_can_use_is_left_out_with_a_reason(name: str, cells: list[str], why: str) -> None:
    found = guessed(*cells, name=name)
    assert found.kind == "left out" and why in found.why


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ([50, 61.5, 72, -1, -1, 80], -1.0),
        ([1, 2, 3, 4, -1, -1], None),  # steps of a scale
        ([*range(12), -1, -1, -1], -1.0),
        ([*range(12), -1], None),
        ([*range(12), *[0] * 5, -1, -1, -1], None),
        ([20, 35, 41, 999, 999], 999.0),
        ([20, 35, 41, 999], None),
        ([500, 700, 850, 930, 999, 999], None),
        ([-3.5, 2, 4, -99, -99], None),
        ([20, 21, 22, -9, -9], -9.0),
        ([2, 3, 4, -99, -99], -99.0),
    ],
)
def test_numbers_that_stand_apart_read_like_blanks(numbers: list[float], code: float | None) -> None:
    assert number_for_blank(Counter(map(float, numbers))) == code


def test_minus_one_beside_classes_is_no_label_as_the_reader_has_it() -> None:
    species = guessed("-1", "-1", "1", "2", "3", label=True)
    assert species.names == ("1", "2", "3") and species.marks == ("-1",) and species.blanks == 2
    assert guessed("-1", "0", "4", label=True).marks == ("-1",)
    for signs in (("-1", "1"), ("-1", "0", "1")):
        assert guessed(*signs, label=True).names == signs
        assert "missing: [-1]" in guessed(*signs, label=True).why
    assert guessed("-1", "-2", "3", label=True).marks == () and guessed("-1", "2", "7").marks == ()


def test_labels_are_never_left_out() -> None:
    assert guessed("3", "1", "2", "1", label=True).names == ("1", "2", "3")
    assert guessed("-1", "1", label=True).names == ("-1", "1")
    assert guessed(*(str(i) for i in range(30)), label=True).kind == "number"
    assert guessed("cat", "dog", "unknown", label=True).marks == ("unknown",)
    with pytest.raises(ValueError, match="one value only"):
        guessed("a", "a", label=True)
    with pytest.raises(ValueError, match="210 different texts"):
        guessed(*(f"t{i}" for i in range(210)), label=True)


def test_words_come_back_from_yaml_as_they_are() -> None:
    from yaml import safe_load

    for word in ("a b", "no", "1.5", "x: y", "a, b", "#a", "a #b", "'", '"', "ä", "-", "[a", "null", "on", "a.b", " a"):
        assert safe_load(f"[{plain(word)}]") == [word], word


TABLE = """id;Körper größe;weight (kg);Sex;town;born;smoker;note
{rows}
"""


def german(tmp_path: Path) -> Path:
    rows = [
        f"{100 + 7 * i};{150 + i},{i % 10};{60 + i}.{i:03d},5;{'fm'[i % 2]};{['Ulm', 'Bonn', 'no'][i % 3]};1.2.19{10 + i};"
        f"{['yes', 'no', '?'][i % 3]};{'fine' if i < 30 else ''}"
        for i in range(40)
    ]
    path = tmp_path / "people.csv"
    path.write_text(TABLE.format(rows="\n".join(rows)), encoding="utf-8")
    return path


def test_a_draft_is_a_spec_that_reads_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(german(tmp_path).parent)
    text = draft_from("mine", "people.csv", ["smoker"])
    assert not check_file("mine.yaml", text=text)
    spec = load("mine.yaml", text=text).spec
    assert spec.data is not None and spec.data.decimal == "," and spec.data.thousands == "."
    assert spec.data.variables["numbers"].names == ("Körper größe", "weight (kg)")
    assert spec.data.variables["smoker"].missing == ("?",)
    assert "# left out: id counts or names the rows" in text and "left out: born" in text
    assert spec.data.test == 0 and "graphspec sweep mine.yaml --folds 5" in text
    assert spec.objective.answers == {"smoker": "both"}


def test_blanks_hide_no_decimal_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{f'{i},5' if i % 4 else '?'};{f'{i % 7},25' if i % 5 else 'NA'};{'ab'[i % 2]}" for i in range(30)]
    Path("few.csv").write_text("\n".join(["x;w;y", *lines]) + "\n")
    spec = load("mine.yaml", text=draft_from("mine", "few.csv", ["y"])).spec
    assert spec.data is not None and spec.data.decimal == "," and spec.data.variables["numbers"].names == ("x", "w")


def test_labels_may_be_numbers_or_several_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(german(tmp_path).parent)
    for labels in (["weight (kg)"], ["smoker", "Körper größe", "town"], []):
        text = draft_from("mine", "people.csv", labels)
        assert not [found for found in check_file("mine.yaml", text=text) if found.severity == "error"], labels
        assert len(load("mine.yaml", text=text).supervised) == len(labels)


def test_what_cannot_be_drafted_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(german(tmp_path).parent)
    with pytest.raises(ValueError, match="did you mean `smoker`"):
        draft_from("mine", "people.csv", ["smokr"])
    (tmp_path / "bare.csv").write_text("y,a\n1,x\n2,x\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column is left to learn from: a is the same in every row"):
        draft_from("mine", "bare.csv", ["y"])


def test_enough_labels_are_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{i % 7}.5,{'ab'[i % 2]}" for i in range(300)]
    Path("many.csv").write_text("x,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    text = draft_from("mine", "many.csv", ["y"])
    assert not check_file("mine.yaml", text=text) and "test: 0.2  # every class" in text


@pytest.mark.parametrize("sizes", [((12, 10), (12, 10)), ((80, 90), (50, 70))])
def test_a_folder_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[tuple[int, int], ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for place, kind in enumerate(("cat", "dog", "unlabelled")):
        folder = tmp_path / "pics" / kind
        folder.mkdir(parents=True)
        for i in range(4):
            Image.new("RGB" if i % 2 else "L", sizes[i % 2], 10 * place).save(folder / f"{i}.png")
    text = draft_from("mine", "pics", [])
    assert not check_file("mine.yaml", text=text)
    graphs = load("mine.yaml", text=text)
    assert graphs.variables["y"].names == ("cat", "dog")
    assert graphs.variables["x"].shape == (3, *((10, 12) if sizes[0] == sizes[1] else (32, 32)))
    assert graphs.spec.data is not None and graphs.spec.data.test == 0 and graphs.spec.training.select == "last"
    assert "8 pictures have a label: all are used" in text and "sweep mine.yaml --folds 5" in text
    assert graphs.spec.objective.consistency["y"].after == 60
    assert f"shift: {'0.62' if sizes[0] == sizes[1] else '2'}," in text
    with pytest.raises(ValueError, match="class folder"):
        draft_from("mine", "pics", ["label"])


def test_enough_labelled_pictures_are_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, count in (("cat", 120), ("dog", 80)):
        (tmp_path / "pics" / kind).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (4, 4), i).save(tmp_path / "pics" / kind / f"{i}.png")
    text = draft_from("mine", "pics", [])
    spec = load("mine.yaml", text=text).spec
    assert not check_file("mine.yaml", text=text) and "test: 0.2  # every class" in text
    assert not spec.objective.consistency and spec.training.select == "last"


def test_a_parquet_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    table = arrow.table({"a": [1.5, None, 3.0] * 5, "b": ["u", "v", "w"] * 5, "y": ["p", "q", None] * 5})
    parquet.write_table(table, "t.parquet")
    text = draft_from("mine", "t.parquet", ["y"])
    assert not [found for found in check_file("mine.yaml", text=text) if found.severity == "error"]
    assert "p 5, q 5; 5 cells are blank: rows without a label" in text


def test_a_class_in_two_spellings_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{i % 7}.5,{('Yes', 'no', 'yes ', 'A', 'a')[i % 5]}" for i in range(40)]
    Path("t.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    text = draft_from("mine", "t.csv", ["y"])
    told = [found.message for found in check_file("mine.yaml", text=text)]
    assert told == ["classes of 'y' differ by case or spaces alone: 'Yes' and 'yes'"]
    automatic = re.sub("names: .*]}", "names: auto, allow: [GS129]}", text)
    assert automatic != text and not check_file("mine.yaml", text=automatic)
