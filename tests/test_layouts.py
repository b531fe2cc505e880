"""Elements of plates in files: flat with lengths, on lines of a table, in tables of their own, nested. One data set says
the same in every layout, what does not add up is told with file and line, and what `check` accepts is read."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from plate_examples import FOLDER as SPECS
from plate_examples import NAMES, OVERRIDES, example

from compiler import compile_spec
from graphspec.diagnostics import Diagnostic
from graphspec.graphs.connect import connect
from graphspec.graphs.declared_names import outline_of
from graphspec.graphs.graph import Graphs
from graphspec.headers.key_cells import LayoutError, canonical, read_keys, read_order
from graphspec.headers.numbers import PLAIN_NUMBERS
from graphspec.language import Spec
from graphspec.loading import check_file, load
from graphspec.reading.overrides import apply_overrides
from graphspec.rules.data_rules import check_data
from graphspec.text.report import Report
from graphspec.text.source import read_document
from runtime.answering.queries import reconstruct
from runtime.cli.evaluation_tables import print_report
from runtime.data import PreparedData, prepare
from runtime.data.stream.ragged_store import Ragged
from runtime.errors import DataError
from runtime.figures.panel_tables import panel_table
from runtime.measures.evaluation import measure
from runtime.training.loop.fitting import fit

COUNT = {"role": "observed", "domain": "count", "max": 6}
LAB = {"role": "observed", "domain": "real", "plate": "visits", "missing": True}
KIND = {"role": "supervised", "domain": "category", "classes": 3, "plate": "visits"}
SEX = {"role": "observed", "domain": "binary"}
VISITS = {"visits": {"count": "n"}}
VARIABLES = {"n": COUNT, "lab": LAB, "kind": KIND, "sex": SEX}
COLUMNS = {"lab": "lab", "kind": "kind", "sex": "sex"}


def report_of(plates: Any, variables: Any, data: Any, folder: Path) -> tuple[Graphs, list[Diagnostic]]:
    """A spec in `folder`, its factors of no interest, and what is said about its data."""
    hidden = {name: {} for name, fields in variables.items() if fields["role"] in ("supervised", "latent")}
    modelled = hidden or {next(iter(variables)): {}}
    spec = {"graphspec": 1, "plates": plates, "variables": variables, "data": data}
    spec |= {"generative": modelled, "recognition": hidden}
    document = read_document(json.dumps(spec), str(folder / "spec.yaml"))
    written = Spec.model_validate(document.value)
    found = Report(document)
    check_data(written, found, folder)
    graphs = connect(outline_of(written, Report(document)), Report(document))
    assert graphs is not None
    return graphs, found.diagnostics


def prepared(data: Any, folder: Path, plates: Any = VISITS, variables: Any = VARIABLES) -> PreparedData:
    """Data that `check` has nothing against."""
    graphs, found = report_of(plates, variables, data, folder)
    assert [each.message for each in found if each.severity == "error"] == []
    return prepare(graphs, spec_path=folder / "spec.yaml", data_dir=folder)


def refusals(data: Any, folder: Path, plates: Any = VISITS, variables: Any = VARIABLES) -> list[str]:
    """What `check` and the reader say: the same words, where both look."""
    graphs, found = report_of(plates, variables, data, folder)
    told = [f"{each.message} = {each.hint}" for each in found if each.severity == "error"]
    with pytest.raises(DataError) as caught:
        prepare(graphs, spec_path=folder / "spec.yaml", data_dir=folder)
    return [*told, f"{caught.value.message} = {caught.value.hint}"]


def write_csv(file: Path, columns: dict[str, Sequence[Any]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def rows_of(data: PreparedData) -> dict[int, dict[str, list[float]]]:
    """What each row has, by its number in the source: of elements only those that are there."""
    found: dict[int, dict[str, list[float]]] = {}
    for split in (data.training, data.validation, data.test):
        values = {name: split.values[name] for name in split.values}
        for place, row in enumerate(split.source.tolist()):
            count = int(values["n"][place])
            found[row] = {
                name: [float(x) for x in (value[place][:count] if value.dim() > 1 else value[place : place + 1])]
                for name, value in values.items()
            }
            for name, value in values.items():
                if value.dim() > 1:  # absent cells are blank
                    rest = value[place][count:].double()
                    assert bool((rest.isnan() | (rest == -1)).all()), name
    return found


def tables(seed: int, least: int = 1) -> tuple[list[int], dict[str, list[Any]], list[int]]:
    """Lengths of rows, element columns, and the sex of rows."""
    random = Random(seed)
    lengths = [random.randint(least, 6) for _ in range(16)]
    total = sum(lengths)
    labs = [None if random.random() < 0.2 else round(random.gauss(0, 1), 3) for _ in range(total)]
    kinds = [random.choice([0, 1, 2, None]) for _ in range(total)]
    kinds[:3] = 0, 1, 2
    return lengths, {"lab": labs, "kind": kinds}, [random.randint(0, 1) for _ in lengths]


def same(left: PreparedData, right: PreparedData) -> None:
    assert str(rows_of(left)) == str(rows_of(right))


@pytest.mark.parametrize("seed", range(6))
def test_one_data_set_is_read_alike_in_every_layout(seed: int, tmp_path: Path) -> None:
    lengths, columns, sexes = tables(seed)
    labs = np.array([np.nan if cell is None else cell for cell in columns["lab"]])
    kinds = np.array([-1 if cell is None else cell for cell in columns["kind"]])
    np.savez(tmp_path / "flat.npz", lab=labs, kind=kinds, sex=sexes, many=lengths)
    flat = prepared({"source": "flat.npz", "plates": {"visits": {"lengths": "many"}}, "variables": COLUMNS}, tmp_path)

    there = np.arange(6) < np.array(lengths)[:, None]
    wide = {"lab": np.full(there.shape, 77.0), "kind": np.full(there.shape, 77)}  # what stands beyond is nobody's
    wide["lab"][there], wide["kind"][there] = labs, kinds
    np.savez(tmp_path / "wide.npz", **wide, sex=sexes, many=lengths)
    same(flat, prepared({"source": "wide.npz", "variables": {**COLUMNS, "n": "many"}}, tmp_path))

    rows = np.repeat(np.arange(len(lengths)), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    shuffled = sorted(range(len(rows)), key=lambda line: Random(line).random() if place[line] else rows[line] - 99)
    long = {
        "who": [f"w{rows[line]}" for line in shuffled],
        "when": [f"2024-01-{place[line] + 1:02}" for line in shuffled],
        "sex": [sexes[rows[line]] if place[line] == 0 or seed % 2 else None for line in shuffled],
        **{name: [cells[line] for line in shuffled] for name, cells in columns.items()},
    }
    write_csv(tmp_path / "long.csv", long)
    entry = {"visits": {"key": "who", "order": "when"}}
    by_key = prepared({"source": "long.csv", "plates": entry, "variables": COLUMNS}, tmp_path)
    assert sorted(map(str, rows_of(by_key).values())) == sorted(map(str, rows_of(flat).values()))

    write_csv(tmp_path / "outer.csv", {"who": [f"w{row}" for row in range(len(lengths))], "sex": sexes})
    write_csv(tmp_path / "inner.csv", {name: cells for name, cells in long.items() if name != "sex"})
    apart = {"visits": {"source": "inner.csv", "key": "who", "order": "when"}}
    same(by_key, prepared({"source": "outer.csv", "plates": apart, "variables": COLUMNS}, tmp_path))


def test_rows_are_who_they_are_by_their_key(tmp_path: Path) -> None:
    """A row that is added moves no other from one split to another."""
    lengths, columns, _ = tables(1)
    who = [f"w{row}" for row, length in enumerate(lengths) for _ in range(length)]
    data = {
        "source": "long.csv",
        "plates": {"visits": {"key": "who"}},
        "variables": {"lab": "lab"},
        "test": {"fraction": 0.3},
    }
    variables = {"n": COUNT, "lab": LAB}
    found = []
    for first in (0, 1):
        lines = [line for line, name in enumerate(who) if name != "w0" or first == 0]
        write_csv(tmp_path / "long.csv", {"who": [who[n] for n in lines], "lab": [columns["lab"][n] for n in lines]})
        read = prepared(data, tmp_path, variables=variables)
        found.append({16 - len(lengths) + row + first for row in read.test.source.tolist()})
    assert len(found[0] ^ found[1]) <= 2


NESTED = {"sentences": {"count": "s"}, "words": {"count": "w", "inside": "sentences"}}
WORDS = {
    "s": {"role": "observed", "domain": "count", "max": 4},
    "w": {"role": "observed", "domain": "count", "max": 5, "plate": "sentences"},
    "x": {"role": "observed", "domain": "real", "plate": "words"},
    "tone": {"role": "observed", "domain": "real", "plate": "sentences"},
    "date": {"role": "observed", "domain": "real"},
}


@pytest.mark.parametrize("seed", range(3))
def test_nested_plates_are_read_alike_in_every_layout(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    documents = [[random.randint(1, 5) for _ in range(random.randint(1, 4))] for _ in range(14)]
    sentences, words = [len(document) for document in documents], [n for document in documents for n in document]
    x = np.round(np.random.default_rng(seed).normal(size=sum(words)), 3)
    tone, date = np.arange(len(words)) / 8, np.arange(14) / 4
    np.savez(tmp_path / "flat.npz", x=x, tone=tone, date=date, s=sentences, w=words)
    variables = {name: name for name in ("x", "tone", "date")}
    entries = {"sentences": {"lengths": "s"}, "words": {"lengths": "w"}}
    flat = prepared({"source": "flat.npz", "plates": entries, "variables": variables}, tmp_path, NESTED, WORDS)

    cells = {"x": np.zeros((14, 4, 5)), "tone": np.zeros((14, 4)), "w": np.full((14, 4), 5)}
    there = np.arange(4) < np.array(sentences)[:, None]
    cells["w"][there], cells["tone"][there] = words, tone
    cells["x"][there[..., None] & (np.arange(5) < cells["w"][..., None])] = x
    np.savez(tmp_path / "wide.npz", **cells, date=date, s=sentences)
    every = {**variables, "s": "s", "w": "w"}
    wide = prepared({"source": "wide.npz", "variables": every}, tmp_path, NESTED, WORDS)

    document = np.repeat(np.arange(14), sentences)
    sentence = np.concatenate([np.arange(n) for n in sentences])
    line = {
        "document": np.repeat(document, words).tolist(), "sentence": np.repeat(sentence, words).tolist(),
        "place": np.concatenate([np.arange(n) for n in words]).tolist(), "x": x.tolist(),
        "tone": np.repeat(tone, words).tolist(), "date": np.repeat(np.repeat(date, sentences), words).tolist(),
    }  # fmt: skip
    order = random.sample(range(len(x)), len(x))
    order.sort(key=lambda n: line["document"][n])
    write_csv(tmp_path / "long.csv", {name: [column[n] for n in order] for name, column in line.items()})
    entries = {"sentences": {"order": "sentence"}, "words": {"key": ["document", "sentence"], "order": "place"}}
    long = prepared({"source": "long.csv", "plates": entries, "variables": variables}, tmp_path, NESTED, WORDS)

    write_csv(tmp_path / "documents.csv", {"document": range(14), "date": date.tolist()})
    write_csv(
        tmp_path / "sentences.csv",
        {"document": document.tolist(), "sentence": sentence.tolist(), "tone": tone.tolist()},
    )
    write_csv(
        tmp_path / "words.csv",
        {name: [line[name][n] for n in order] for name in ("document", "sentence", "place", "x")},
    )
    entries = {
        "sentences": {"source": "sentences.csv", "key": "document"},
        "words": {"source": "words.csv", "key": ["document", "sentence"], "order": "place"},
    }
    several = prepared({"source": "documents.csv", "plates": entries, "variables": variables}, tmp_path, NESTED, WORDS)

    def everything(data: PreparedData) -> dict[str, torch.Tensor]:
        parts = (data.training, data.validation, data.test)
        order = torch.cat([part.source for part in parts]).argsort()
        return {n: torch.cat([part.values[n] for part in parts])[order].double() for n in WORDS}

    wanted = everything(flat)
    assert float(wanted["x"].nansum()) == pytest.approx(x.sum())
    for other in (wide, long, several):
        for name, values in everything(other).items():
            torch.testing.assert_close(values, wanted[name], equal_nan=True, rtol=0, atol=0)


def test_rows_without_elements(tmp_path: Path) -> None:
    write_csv(tmp_path / "outer.csv", {"who": range(12), "sex": [0, 1] * 6})
    write_csv(tmp_path / "inner.csv", {"who": [3, 1, 1], "lab": [1, 2, 3], "kind": [0, 1, 2]})
    entry = {"visits": {"source": "inner.csv", "key": "who"}}
    data = prepared(
        {"source": "outer.csv", "plates": entry, "variables": COLUMNS, "test": 0, "validation": 0}, tmp_path
    )
    assert data.training.values["n"].tolist() == [0, 2, 0, 1, *[0] * 8]
    assert data.training.values["lab"][1, :2].tolist() == [2, 3]
    assert data.label_rows["kind"].tolist() == [1, 3]


# --- what does not add up -----------------------------------------------------------------------------------------

INNER = {"who": [1, 1, 2, 3], "day": [1, 2, 1, 1], "lab": [1, 2, 3, 4], "kind": [0, 1, 2, 0], "sex": [1, 1, 0, 0]}


def long_table(folder: Path, changes: dict[str, Sequence[Any]], **entry: Any) -> list[str]:
    write_csv(folder / "long.csv", {**INNER, **changes})
    plates = {"visits": {"key": "who", **entry}}
    return refusals({"source": "long.csv", "plates": plates, "variables": COLUMNS, "test": 0, "validation": 0}, folder)


@pytest.mark.parametrize(
    ("changes", "entry", "told"),
    [
        ({"sex": [1, 0, 0, 0]}, {}, "long.csv line 3: sex is '0', and '1' in long.csv line 2"),
        ({"who": [1, "", 2, 3]}, {}, "long.csv line 3 has no who"),
        ({"who": ["1", "01", "2", "3"]}, {}, "column who holds '1' (long.csv line 2) and '01' (long.csv line 3)"),
        ({"day": [1, "", 1, 1]}, {"order": "day"}, "long.csv line 3 has no day, by which elements are sorted"),
        ({"day": [1, "March 3", 1, 1]}, {"order": "day"}, "long.csv line 3: day 'March 3' is no number and no date"),
        ({"day": ["2024-01-01", 2, "2024-01-01", "2024-01-02"]}, {"order": "day"}, "line 3: day '2' is a number among dates"),
        ({"day": ["2024-01-01T10:00Z", "2024-01-02", "2024-01-01Z", "2024-01-02Z"]}, {"order": "day"}, "is no number and no date"),
    ],
)  # fmt: skip
def test_lines_that_do_not_add_up(changes: Any, entry: Any, told: str, tmp_path: Path) -> None:
    by_check, by_reader = long_table(tmp_path, changes, **entry)
    assert told in by_check and by_reader == by_check


def test_more_elements_than_there_is_room_for(tmp_path: Path) -> None:
    by_check, by_reader = long_table(tmp_path, {name: cells * 4 for name, cells in INNER.items()})
    assert by_check.startswith(
        "who 1 (long.csv line 2) has 8 visits, and plate visits has room for 6 = the largest is 8: say `max: 8` of n"
    )
    assert by_reader == by_check


def two_tables(folder: Path, outer: dict[str, Sequence[Any]], inner: dict[str, Sequence[Any]]) -> list[str]:
    write_csv(folder / "outer.csv", outer)
    write_csv(folder / "inner.csv", inner)
    plates = {"visits": {"source": "inner.csv", "key": "who"}}
    return refusals({"source": "outer.csv", "plates": plates, "variables": COLUMNS, "test": 0, "validation": 0}, folder)


def test_keys_that_lead_nowhere_or_twice(tmp_path: Path) -> None:
    outer = {"who": [1, 2, 4], "sex": [0, 1, 0]}
    by_check, by_reader = two_tables(tmp_path, outer, INNER)
    assert by_check.startswith("inner.csv line 5: outer.csv has no who 3") and by_reader == by_check
    by_check, by_reader = two_tables(tmp_path, {"who": [1, 2, 2, 3], "sex": [0, 1, 0, 1]}, INNER)
    assert by_check.startswith("outer.csv has two lines of who 2") and by_reader == by_check


def test_what_a_row_has_is_on_the_first_of_its_lines_that_is_not_blank(tmp_path: Path) -> None:
    lines = {"who": [*"aabbcc"], "lab": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "kind": [0, 1, 2, 0, 1, 2]}
    write_csv(tmp_path / "long.csv", {**lines, "sex": ["", 1, 0, "", "", ""]})
    entry = {"source": "long.csv", "plates": {"visits": {"key": "who"}}, "variables": COLUMNS, "test": 0}
    variables = {**VARIABLES, "sex": {**SEX, "missing": True}}
    found = rows_of(prepared({**entry, "validation": 0}, tmp_path, variables=variables))
    assert [found[row]["sex"][0] for row in range(2)] == [1.0, 0.0] and found[2]["sex"][0] == -1.0
    write_csv(tmp_path / "long.csv", {**lines, "sex": ["", 1, 0, 1, "", ""]})
    (told, again) = refusals({**entry, "validation": 0}, tmp_path, variables=variables)
    assert told == again and "sex" in told


def test_tables_agree_on_keys_that_they_spell_differently(tmp_path: Path) -> None:
    """A column of whole numbers with a blank anywhere is written 1.0 by pandas."""
    write_csv(tmp_path / "outer.csv", {"who": [1, 2, 3], "sex": [0, 1, 0]})
    write_csv(tmp_path / "inner.csv", {**INNER, "who": ["1.0", "1.0", "2.0", "3.0"]})
    plates = {"visits": {"source": "inner.csv", "key": "who"}}
    data = {"source": "outer.csv", "plates": plates, "variables": COLUMNS, "test": 0, "validation": 0}
    assert prepared(data, tmp_path).training.values["n"].tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        ([2, 1, 2], "column lab has 4 elements, and the lengths in many add up to 5"),
        ([2, 1.5, 0.5], "column many, row 1 (from 0): 1.5 is no length"),
        ([5, -1, 0], "column many, row 1 (from 0): -1 is no length"),
        ([4, 0], "column sex"),
    ],
)
def test_lengths_that_do_not_add_up(lengths: list[float], told: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "flat.npz", many=lengths, **{name: INNER[name] for name in ("lab", "kind")}, sex=[0, 1, 0])
    data = {"source": "flat.npz", "plates": {"visits": {"lengths": "many"}}, "variables": COLUMNS}
    assert told in refusals(data, tmp_path)[0]


@pytest.mark.parametrize(("lengths", "ends"), [([2, 3, 9], True), ([3, 9, 9], True), ([9, 1, 2], False)])
def test_where_rows_end_is_no_length(lengths: list[int], ends: bool, tmp_path: Path) -> None:
    np.savez(tmp_path / "flat.npz", many=lengths, **{name: INNER[name] for name in ("lab", "kind")}, sex=[0, 1, 0])
    data = {"source": "flat.npz", "plates": {"visits": {"lengths": "many"}}, "variables": COLUMNS}
    for told in refusals(data, tmp_path):
        assert "has room for 6" in told and ("np.diff" in told) == ends == ("max: 9" not in told), told


def test_elements_sorted_by_a_label_give_it_away(tmp_path: Path) -> None:
    write_csv(tmp_path / "long.csv", {**INNER, "day": [1, 2, 1, 1]})
    plates = {"visits": {"count": "n", "ordered": True}}
    for column, warned in (("kind", True), ("day", False), ("lab", False)):
        data = {"source": "long.csv", "plates": {"visits": {"key": "who", "order": column}}, "variables": COLUMNS}
        found = [each.message for each in report_of(plates, VARIABLES, data, tmp_path)[1]]
        assert any("which holds the label 'kind'" in message for message in found) == warned, found


def test_objects_are_never_opened(tmp_path: Path) -> None:
    cells = np.array([np.zeros(2), np.zeros(3)], dtype=object)
    np.savez(tmp_path / "wide.npz", lab=cells, kind=[[0, 1, 2], [0, 1, 2]], sex=[0, 1], many=[2, 3])
    told = refusals({"source": "wide.npz", "variables": {**COLUMNS, "n": "many"}}, tmp_path)
    assert "holds objects that cannot be read" in told[0] and "holds Python objects" in told[1]
    assert all("lengths" in each for each in told)


def test_a_count_of_its_own_agrees_with_what_is_found(tmp_path: Path) -> None:
    write_csv(tmp_path / "long.csv", {**INNER, "n": [2, 2, 2, 1]})
    plates = {"visits": {"key": "who"}}
    data = {"source": "long.csv", "plates": plates, "variables": {**COLUMNS, "n": "n"}, "test": 0, "validation": 0}
    assert refusals(data, tmp_path)[-1].startswith("n is 2 in row 1 (from 0), which has 1 visits")


def test_a_plate_of_fixed_size_has_all_its_elements(tmp_path: Path) -> None:
    by_check, by_reader = refusals_of_fixed(tmp_path, 2)
    assert by_check.startswith(
        "who 2 (long.csv line 4) has 1 visits, and plate visits always has 2 (so it is in 1 more row)"
    )
    assert by_reader == by_check


def refusals_of_fixed(folder: Path, size: int) -> list[str]:
    write_csv(folder / "long.csv", INNER)
    variables = {name: fields for name, fields in VARIABLES.items() if name != "n"}
    data = {
        "source": "long.csv",
        "plates": {"visits": {"key": "who"}},
        "variables": COLUMNS,
        "test": 0,
        "validation": 0,
    }
    return refusals(data, folder, {"visits": {"size": size}}, variables)


# --- labels, units, keys ------------------------------------------------------------------------------------------


def test_elements_keep_their_labels_by_count_wherever_they_stand(tmp_path: Path) -> None:
    lengths, _, sexes = tables(3)
    kinds = [(0, 1, 2)[n % 3] for n in range(sum(lengths))]
    np.savez(tmp_path / "flat.npz", lab=np.zeros(len(kinds)), kind=kinds, sex=sexes, many=lengths)
    data = {"source": "flat.npz", "plates": {"visits": {"lengths": "many"}}, "variables": COLUMNS}
    kept = {}
    for asked in (6, 12):
        labels = {"labels": {"kind": {"elements": asked}}}
        read = prepared({**data, **labels}, tmp_path)
        given = read.training.values["kind"] != -1
        assert int(given.sum()) == asked
        found = torch.bincount(read.training.values["kind"][given], minlength=3)
        assert int(found.min()) >= asked // 3 - 1
        assert len(read.label_rows["kind"]) == int(given.any(1).sum())
        held_out = read.test.values["kind"]
        assert int((held_out != -1).sum()) == int(read.test.values["n"].sum())  # held-out rows keep theirs
        kept[asked] = {tuple(place) for place in given.nonzero().tolist()}
    assert kept[6] < kept[12]
    share = prepared({**data, "labels": {"kind": {"elements": 0.5}}}, tmp_path)
    total = int(share.training.values["n"].sum())
    assert int((share.training.values["kind"] != -1).sum()) == int(total / 2 + 0.5)


def test_units_are_those_of_elements_that_are_there(tmp_path: Path) -> None:
    lengths, _, sexes = tables(4)
    labs = np.random.default_rng(0).normal(5, 3, sum(lengths))
    np.savez(tmp_path / "flat.npz", lab=labs, kind=np.arange(len(labs)) % 3, sex=sexes, many=lengths)
    columns = {**COLUMNS, "lab": {"column": "lab", "standardize": True}}
    data = {
        "source": "flat.npz",
        "plates": {"visits": {"lengths": "many"}},
        "variables": columns,
        "test": 0,
        "validation": 0,
    }
    read = prepared(data, tmp_path)
    assert float(read.units["lab"].mean) == pytest.approx(labs.mean()) and float(
        read.units["lab"].std
    ) == pytest.approx(labs.std())
    there = read.training.values["lab"]
    assert float(there[~there.isnan()].mean()) == pytest.approx(0, abs=1e-9)


def test_elements_are_counted_by_row(tmp_path: Path) -> None:
    write_csv(tmp_path / "outer.csv", {"who": range(12), "sex": [0, 1] * 6})
    write_csv(tmp_path / "inner.csv", {"who": [3, 1, 1], "lab": [1, 2, 3], "kind": [0, 1, 2]})
    entry = {"visits": {"source": "inner.csv", "key": "who"}}
    data = prepared(
        {"source": "outer.csv", "plates": entry, "variables": COLUMNS, "test": 0, "validation": 0}, tmp_path
    )
    told = {"least": 0, "median": 0, "most": 2, "all": 3, "without": 10, "unknown": 0}
    assert data.manifest()["elements"] == {"visits": {"training": told}}
    assert "elements of visits  least  median  most  all  none at all\n  training" in data.describe()
    assert data.label_counts[0].to_json() == {
        "rows": {"training": 2, "validation": 0, "test": 0}, "elements": {"training": 3, "validation": 0, "test": 0},
        "classes": {name: {"training": 1, "validation": 0, "test": 0} for name in "012"},
    }  # fmt: skip


def test_keys_and_orders_mean_what_people_mean() -> None:
    where = "line {}".format
    assert [canonical(cell) for cell in ("3", "3.0", "03", "3.5", "abc", "", "1e3")] == [
        "3",
        "3",
        "3",
        "3.5",
        "abc",
        "",
        "1000",
    ]
    assert read_keys("who", ["1.0", "2.0", "1.0"], where) == ["1", "2", "1"]
    with pytest.raises(LayoutError, match="column who holds '1'"):
        read_keys("who", ["1", "1.0"], where)
    big = [str(2**60 + n) for n in (3, 1, 2)]
    assert read_order("t", big, where, PLAIN_NUMBERS).argsort().tolist() == [1, 2, 0]
    times = ["2024-01-01T12:00+01:00", "2024-01-01T11:30+00:00", "2024-01-01T10:00Z"]
    assert read_order("t", times, where, PLAIN_NUMBERS).argsort().tolist() == [2, 0, 1]
    with pytest.raises(LayoutError, match="has no time zone"):
        read_order("t", ["2024-01-01", "2024-01-01T10:00Z"], where, PLAIN_NUMBERS)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({}, "no `order` says which"),
        ({"day": [1, 1, 1, 2]}, "2 elements of visits share their day with another one of the same row"),
        ({"who": ["Ann", "Ann", "ann", "Bo"]}, "differ by case or spaces only"),
    ],
)
def test_doubts_are_told(columns: Any, told: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "long.csv", {**INNER, **columns})
    entry = {"key": "who", "order": "day"} if "day" in columns else {"key": "who"}
    data = {"source": "long.csv", "plates": {"visits": entry}, "variables": COLUMNS, "test": 0, "validation": 0}
    plates = {"visits": {"count": "n", "ordered": True}}
    graphs, found = report_of(plates, VARIABLES, data, tmp_path)
    assert any(told in each.message and each.code == "GS125" for each in found)
    assert any(told in note for note in prepare(graphs, spec_path=tmp_path / "spec.yaml", data_dir=tmp_path).notes)


# --- the examples -------------------------------------------------------------------------------------------------

INCLUDED = {"multi-mnist"}
"""Its elements' variables are declared in another spec."""


@pytest.mark.parametrize("name", sorted(set(NAMES) - INCLUDED))
def test_examples_without_their_data_have_notes_alone(name: str, tmp_path: Path) -> None:
    shutil.copy(SPECS / f"{name}.yaml", tmp_path)
    found = check_file(tmp_path / f"{name}.yaml", data_dir=tmp_path)
    assert [each.message for each in found if each.severity == "error"] == []


@pytest.mark.parametrize("name", sorted(set(NAMES) - INCLUDED))
def test_data_of_the_examples_are_read(name: str, tmp_path: Path) -> None:
    path = example(name, tmp_path)
    document = apply_overrides(read_document(path.read_text(), str(path)), OVERRIDES.get(name, ()))
    spec = document.value
    variables = {name: fields for name, fields in spec["variables"].items() if fields["role"] != "deterministic"}
    graphs, found = report_of(spec.get("plates", {}), variables, spec["data"], tmp_path)
    assert [each.message for each in found if each.severity == "error"] == []
    data = prepare(graphs, spec_path=path, data_dir=tmp_path)
    for plate in graphs.plates.values():
        count = graphs.variables.get(plate.count or "")
        if count is not None and count.role == "observed":
            lengths = torch.cat([part.values[count.name] for part in (data.training, data.validation, data.test)])
            assert 0 < int(lengths.max()) <= plate.size


def test_pictures_of_elements_are_made_small_and_moved_one_by_one(tmp_path: Path) -> None:
    """`resize` and `augment` act on each element; what no row has stays as it is."""
    pictures = np.random.default_rng(0).integers(0, 256, (30, 1, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "flat.npz", picture=pictures, who=np.repeat(np.arange(15), 2), sex=np.arange(30) % 2)
    variables = {"n": COUNT, "x": {"role": "observed", "domain": "unit", "shape": [1, 4, 4], "plate": "visits"}}
    column = {"column": "picture", "resize": [4, 4], "augment": {"shift": 1}}
    data = {
        "source": "flat.npz",
        "plates": {"visits": {"key": "who"}},
        "variables": {"x": column},
        "test": 0,
        "validation": 0,
    }
    read = prepared(data, tmp_path, variables=variables)
    batch = read.training.batch(torch.arange(15), torch.float32)
    assert batch["x"].shape == (15, 6, 1, 4, 4)
    moved = read.augment(batch, torch.Generator().manual_seed(0))["x"]
    assert bool((moved[:, :2] != batch["x"][:, :2]).any()) and torch.equal(moved[:, 2:], batch["x"][:, 2:])


WHOLE = """
graphspec: 1
plates: {visits: {count: n}}
variables:
  n: {role: observed, domain: count, max: 6}
  lab: {role: observed, domain: real, size: 2, missing: true, plate: visits}
  kind: {role: supervised, domain: category, classes: 3, plate: visits}
  sex: {role: supervised, domain: binary}
  u: {role: latent, domain: real, size: 2}
generative: {u: {}, kind: {}, sex: {}, lab: {parents: [kind, u, sex]}}
recognition: {kind: {parents: [lab]}, sex: {parents: [lab@mean]}, u: {parents: [lab@mean, kind@mean, sex]}}
networks: {default: {kind: mlp, hidden: [4]}}
data:
  source: long.csv
  plates: {visits: {key: who, order: day}}
  variables: {lab: {columns: [a, b], standardize: true}, kind: kind, sex: sex}
  labels: {kind: {elements: 9}}
training: {epochs: 1, batch_size: 8}
"""


def test_a_long_table_is_trained_measured_and_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is counted of elements that are not there: not labels, not errors, not latents. Lines have their fields,
    named as in the table, and rows their keys."""
    lengths, _, sexes = tables(7)
    who = [f"w{row}" for row, length in enumerate(lengths) for _ in range(length)]
    day = [n for length in lengths for n in range(length)]
    numbers = np.random.default_rng(0).normal(4, 2, (2, len(who))).round(2).tolist()
    sex = [sexes[int(name[1:])] for name in who]
    kinds = [n % 3 for n in range(len(who))]
    write_csv(
        tmp_path / "long.csv", {"who": who, "day": day, "a": numbers[0], "b": numbers[1], "kind": kinds, "sex": sex}
    )
    (tmp_path / "spec.yaml").write_text(WHOLE)
    graphs = load(tmp_path / "spec.yaml")
    model, data = compile_spec(graphs), prepare(graphs, spec_path=tmp_path / "spec.yaml")
    fit(model, data, out=tmp_path / "run", progress=False, device="cpu", compile_step=False)
    counts = data.test.values["n"]
    report = measure(model, data.test, latents=True, disentanglement=("mig",), units=data.units).report
    assert report["variables"]["kind"]["elements"] == int(counts.sum())
    assert report["elbo_per_element"]["visits"] == pytest.approx(report["elbo"] * len(counts) / int(counts.sum()))
    carried = report["latents"]["u"]
    assert carried["elements"] == 2 and np.isfinite(carried["nats"])
    assert "mig" in report["disentanglement"]
    panel = reconstruct(model, data.test, count=2, called=data.called)
    columns = json.loads((tmp_path / "run" / "manifest.json").read_text())["columns"]
    header, written = panel_table(panel, model.graphs.by_row, data.units, columns)
    lines = list(written)
    assert all(len(line) == len(header) for line in lines)
    assert [name for name in header if "[" in name] == ["u[0]", "u[1]"]
    rows = list(dict.fromkeys(who))
    tested = {rows[int(row)] for row in data.test.source}
    assert {line[3] for line in lines} <= tested
    labs = {f"{each:.6g}" for name, each in zip(who, numbers[0], strict=True) if name == lines[0][3]}
    assert lines[0][header.index("a")] in labs
    print_report({"run": "run", "split": "test", **report, "variables": {}})
    printed = capsys.readouterr().out
    assert f"nats a row ({report['elbo_per_element']['visits']:.3f} an element of visits)" in " ".join(printed.split())


def test_labels_of_elements_come_with_their_count(tmp_path: Path) -> None:
    """A label of an element where the count is hidden, or blank, is a mistake in the data."""
    count = {"role": "supervised", "domain": "count", "max": 3}
    variables = {"n": count, "kind": KIND, "x": {"role": "observed", "domain": "real"}}
    lengths, kinds = np.array([3, 1, 2] * 5), np.arange(45).reshape(15, 3) % 3
    np.savez(tmp_path / "wide.npz", n=lengths, kind=kinds, x=np.arange(15) / 8)
    data = {"source": "wide.npz", "variables": {"n": "n", "kind": "kind", "x": "x"}, "test": 0, "validation": 0}
    (told,) = refusals({**data, "labels": {"n": 4}}, tmp_path, variables=variables)
    assert told.startswith("11 training rows keep labels of kind and none of n") and "with: n" in told
    read = prepared({**data, "labels": {"n": 4, "kind": {"with": "n"}}}, tmp_path, variables=variables)
    assert read.label_rows["kind"].tolist() == read.label_rows["n"].tolist()
    np.savez(tmp_path / "wide.npz", n=np.where(np.arange(15) == 4, -1, lengths), kind=kinds, x=np.arange(15) / 8)
    (told,) = refusals(data, tmp_path, variables=variables)
    assert told.startswith("row 4 (from 0) has labels of kind, and n is blank there")


def test_a_column_of_elements_that_copies_their_label_is_told(tmp_path: Path) -> None:
    """Under another name, element by element: of labels that are kept, and of no others."""
    lengths = [4] * 20
    kinds = np.arange(80) % 3
    copies = {"equal": kinds, "renamed": (kinds + 1) % 3, "other": np.random.default_rng(0).integers(0, 3, 80)}
    code = {"role": "observed", "domain": "category", "classes": 3, "plate": "visits"}
    np.savez(tmp_path / "flat.npz", kind=kinds, many=lengths, **copies)
    for column in copies:
        variables = {"n": COUNT, "kind": KIND, "code": code}
        data = {
            "source": "flat.npz",
            "plates": {"visits": {"lengths": "many"}},
            "variables": {"kind": "kind", "code": column},
        }
        data |= {"labels": {"kind": {"elements": 50}}}
        if column == "equal":
            assert "equal holds the labels of 'kind': equal in all" in refusals(data, tmp_path, variables=variables)[-1]
            continue
        notes = [
            note for note in prepared(data, tmp_path, variables=variables).notes if "tells 'kind' outright" in note
        ]
        assert len(notes) == (column == "renamed") and all("elements that have both" in note for note in notes)


def test_rows_that_move_take_their_own_elements_along(tmp_path: Path) -> None:
    """What `to(device)` copies of a split: the elements of its rows, flat as they were, in the rows' order."""
    lengths, columns, sexes = tables(5)
    labs = [9.0 if cell is None else cell for cell in columns["lab"]]
    np.savez(tmp_path / "flat.npz", lab=labs, kind=np.arange(len(labs)) % 3, sex=sexes, many=lengths)
    data = {
        "source": "flat.npz",
        "plates": {"visits": {"lengths": "many"}},
        "variables": COLUMNS,
        "labels": {"kind": {"elements": 9}},
    }
    read = prepared(data, tmp_path)
    for part in (read.training, read.test):
        chosen = part.selection
        for name in ("lab", "kind"):
            stored = chosen.stored[name]
            assert isinstance(stored, Ragged)
            moved = stored.chosen(chosen.rows, "cpu")
            assert len(moved.elements) == int(part.values["n"].sum()) < len(labs)
            rows = torch.arange(len(part))
            torch.testing.assert_close(moved.take(rows), chosen[name], equal_nan=True)
            assert torch.equal(moved.there(rows), torch.arange(6) < part.values["n"][:, None])
            some = rows[:2]
            most = int(part.values["n"][some].max())
            torch.testing.assert_close(moved.take_short(some), chosen[name][some][:, :most], equal_nan=True)
