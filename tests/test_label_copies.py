"""A label's column under another name among the inputs: found by `check` where it can look, by `train` elsewhere."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_specs import DIGIT, REALS, prepared, write_npz

from graphspec.loading import check_file, check_graphs, load
from graphspec.rules.label_copy_rules import agreement
from runtime.data import prepare
from runtime.errors import DataError

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 3, 90)
NOISE = RNG.normal(size=90)
SPEC = """
graphspec: 1
variables: {{x: {{role: observed, size: 2{observed}}}, y: {{role: supervised, {label}}}}}
generative: {{y: {{}}, x: {{parents: [y]}}}}
recognition: {{y: {{parents: [x]}}}}
networks: {{default: {{kind: linear}}}}
data: {{source: {source}, variables: {{x: [a, b], y: y}}, test: 0.2, validation: 0}}
training: {{epochs: 1}}
"""
CATEGORY = "domain: category, classes: 3"


def codes(folder: Path, columns: Mapping[str, Sequence[Any]], label: str = CATEGORY, observed: str = "") -> set[str]:
    """What `check` says of a table with these columns that is about copies."""
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.format(source="rows.csv", label=label, observed=observed))
    found = check_file(spec)
    assert {each.code for each in found if each.severity == "error"} <= {"GS097"}, found
    return {each.code for each in found} & {"GS097", "GS124"}


def test_an_equal_column_is_an_error(tmp_path: Path) -> None:
    assert codes(tmp_path, {"a": NOISE, "b": CLASSES, "y": CLASSES}) == {"GS097"}


def test_an_equal_column_of_numbers_is_an_error(tmp_path: Path) -> None:
    written_otherwise = [f"{value:.8e}" for value in NOISE]
    assert codes(tmp_path, {"a": CLASSES, "b": written_otherwise, "y": NOISE}, "domain: real") == {"GS097"}


def test_another_coding_of_the_classes_is_told(tmp_path: Path) -> None:
    assert codes(tmp_path, {"a": NOISE, "b": 10 * CLASSES % 7, "y": CLASSES}) == {"GS124"}
    quiet = f"{CATEGORY}, allow: [GS124]"
    assert codes(tmp_path, {"a": NOISE, "b": 10 * CLASSES % 7, "y": CLASSES}, quiet) == set()


def test_a_copy_that_has_what_the_label_lacks_is_found(tmp_path: Path) -> None:
    """The leak that matters: the label is blank in half the rows, the copy never is."""
    known = [value if row % 2 else "" for row, value in enumerate(CLASSES)]
    assert codes(tmp_path, {"a": NOISE, "b": CLASSES, "y": known}) == {"GS097"}


@pytest.mark.parametrize(
    "other",
    [
        np.ones(90, dtype=int),
        np.where(np.arange(90) == 89, 1 - CLASSES.clip(0, 1), CLASSES),
        CLASSES.clip(0, 1),
        3 * np.arange(90) + CLASSES,
        [value if row < 20 else "" for row, value in enumerate(CLASSES)],
    ],
    ids=["constant", "one row differs", "coarser", "an identity of its own", "too few rows"],
)
def test_what_is_no_copy_is_left_alone(tmp_path: Path, other: Sequence[Any]) -> None:
    assert codes(tmp_path, {"a": NOISE, "b": other, "y": CLASSES}, observed=", missing: true") == set()


def test_two_rare_flags_agree_by_luck(tmp_path: Path) -> None:
    rare = (np.arange(90) == 7).astype(int)
    assert codes(tmp_path, {"a": NOISE, "b": rare, "y": rare}, "domain: binary") == set()


def test_classes_that_never_repeat_have_no_other_coding() -> None:
    assert agreement(range(200), range(7, 207), classes=True) is None
    assert agreement(range(200), range(200), classes=False) == ("equal", 200)


def rules(**data: Any) -> dict[str, Any]:
    return {"source": "rows.npz", "variables": {"x": "x", "y": "y"}, **data}


def test_an_element_of_an_array_is_found(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.stack([NOISE, CLASSES], 1), y=CLASSES)
    spec = tmp_path / "spec.yaml"
    text = SPEC.format(source="rows.npz", label=CATEGORY, observed="").replace("[a, b]", "x")
    spec.write_text(text)
    assert any(each.code == "GS097" and "element 1 of column x" in each.message for each in check_file(spec))


def test_train_looks_where_check_does_not(tmp_path: Path) -> None:
    """(These graphs come from a text: no file was there to look at.)"""
    write_npz(tmp_path / "rows.npz", x=np.stack([NOISE, CLASSES], 1), y=CLASSES)
    with pytest.raises(DataError, match="element 1 of column x holds the labels of 'y'"):
        prepared(tmp_path, {"x": REALS, "y": DIGIT}, rules())
    write_npz(tmp_path / "rows.npz", x=np.stack([NOISE, 2 - CLASSES], 1), y=CLASSES)
    said = prepared(tmp_path, {"x": REALS, "y": DIGIT}, rules()).notes
    assert any("element 1 of column x tells 'y' outright" in note for note in said)
    assert not any("outright" in note for note in prepared(tmp_path, {"x": REALS, "y": DIGIT}, rules(labels={"y": 9},
                                                           test=3, validation=3)).notes)  # fmt: skip


def test_what_check_has_told_train_does_not_repeat(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.stack([NOISE, 2 - CLASSES], 1), y=CLASSES)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(source="rows.npz", label=CATEGORY, observed="").replace("[a, b]", "x"))
    graphs = load(spec)
    assert [warning.code for warning in graphs.warnings] == ["GS124"]
    assert not any("outright" in note for note in prepare(graphs, spec_path=spec).notes)


def indicators(folder: Path, columns: Mapping[str, Any], label: str = CATEGORY) -> list[str]:
    np.savez(folder / "rows.npz", **columns)
    path = folder / "spec.yaml"
    size = sum(np.atleast_2d(np.asarray(c).T).shape[0] for name, c in columns.items() if name != "y")
    text = SPEC.format(observed="", label=label, source="rows.npz").replace("size: 2", f"size: {size}")
    read = [name for name in columns if name != "y"]
    path.write_text(text.replace("x: [a, b]", f"x: {read if len(read) > 1 else read[0]}"), encoding="utf-8")
    _, found = check_graphs(path)
    return [f"{each.code} {each.message}" for each in found if each.code == "GS124"]


def test_indicators_of_all_classes_but_one_are_told(tmp_path: Path) -> None:
    one_hot = np.eye(3)[CLASSES]
    (told,) = indicators(tmp_path, {"codes": one_hot, "y": CLASSES})
    assert told == "GS124 elements 0, 1 and 2 of column codes tell 'y' outright: each marks one class, in all 90 rows"
    (told,) = indicators(tmp_path, {"is0": one_hot[:, 0], "is2": 7 - one_hot[:, 2], "noise": NOISE, "y": CLASSES})
    assert "columns is0 and is2 tell 'y' outright" in told
    assert indicators(tmp_path, {"is0": one_hot[:, 0], "noise": NOISE, "y": CLASSES}) == []  # as milk marks mammals
    almost = one_hot.copy()
    almost[5] = 1 - almost[5]
    assert indicators(tmp_path, {"codes": almost, "y": CLASSES}) == []
    assert indicators(tmp_path, {"codes": one_hot, "y": CLASSES}, f"{CATEGORY}, allow: [GS124]") == []
    assert indicators(tmp_path, {"codes": one_hot[:20], "y": CLASSES[:20]}) == []
