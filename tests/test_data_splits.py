"""Splits and label budgets: every rule, always the same rows, and no label that a budget hides ever counts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_specs import DIGIT, REALS, prepared, write_npz

from runtime.data import PreparedData
from runtime.data.stream.proportions import proportional_order
from runtime.errors import DataError

ROWS = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """120 rows: classes 0, 1, 2 in shares 3 : 2 : 1, six groups, a column that names splits, a real label."""
    rng = np.random.default_rng(0)
    write_npz(
        tmp_path / "rows.npz",
        x=rng.normal(size=(ROWS, 2)),
        y=np.repeat([0, 1, 2], [60, 40, 20]),
        w=rng.normal(5, 2, size=ROWS),
        group=np.arange(ROWS) % 6,
        part=np.array(["train", "test", "extra"])[np.arange(ROWS) % 3],
    )
    return tmp_path


BOTH = {"x": REALS, "y": DIGIT}
REAL_LABEL = {"role": "supervised", "domain": "real"}


def rows_of(folder: Path, variables: dict[str, Any] = BOTH, **data: Any) -> PreparedData:
    return prepared(folder, variables, {"source": "rows.npz", "variables": {v: v for v in variables}, **data})


def kept(data: PreparedData, name: str = "y") -> list[int]:
    labelled: list[int] = data.manifest()["labelled"][name]
    return labelled


def classes(rows: list[int]) -> list[int]:
    return np.bincount(np.repeat([0, 1, 2], [60, 40, 20])[rows], minlength=3).tolist()


# --- splits -------------------------------------------------------------------------------------------------------


def test_defaults_hold_out_a_fifth_then_a_tenth(folder: Path) -> None:
    data = rows_of(folder)
    assert [len(data.test), len(data.validation), len(data.training)] == [24, 10, 86]
    together = torch.cat([data.test.source, data.validation.source, data.training.source])
    assert together.sort().values.tolist() == list(range(ROWS))


@pytest.mark.parametrize(
    ("rule", "size"),
    [(30, 30), (0, 0), (0.25, 30), ({"fraction": 0.25}, 30), ({"fold": 0, "of": 7}, 18), ({"fold": 6, "of": 7}, 17)],
)
def test_sizes(folder: Path, rule: Any, size: int) -> None:
    assert len(rows_of(folder, test=rule, validation=0).test) == size


def test_stratified_share_keeps_proportions(folder: Path) -> None:
    data = rows_of(folder, test={"fraction": 0.25, "stratify": "y"}, validation={"fraction": 0.2, "stratify": "y"})
    assert classes(data.test.source.tolist()) == [15, 10, 5]
    assert classes(data.validation.source.tolist()) == [9, 6, 3]
    assert any("hidden ones included" in note for note in data.notes)


def test_groups_stay_together(folder: Path) -> None:
    data = rows_of(folder, test={"fraction": 0.3, "group": "group"}, validation=0)
    assert len(data.test) == 40  # two of six groups come closest to 36 rows
    assert not set((data.test.source % 6).tolist()) & set((data.training.source % 6).tolist())


def test_a_column_names_the_rows(folder: Path) -> None:
    data = rows_of(folder, test={"column": "part", "value": "test"}, validation={"column": "part", "value": "extra"})
    assert data.test.source.tolist() == list(range(1, ROWS, 3))
    assert data.validation.source.tolist() == list(range(2, ROWS, 3))


def test_a_column_names_none_that_is_held_out_already(folder: Path) -> None:
    data = rows_of(folder, test=30, validation={"column": "part", "value": "extra"})
    test, named = set(data.test.source.tolist()), set(range(2, ROWS, 3))
    assert test & named and set(data.validation.source.tolist()) == named - test


@pytest.mark.parametrize("each_first", [False, True])
def test_every_beginning_of_an_order_has_the_classes_in_proportion(each_first: bool) -> None:
    sizes = np.array([55, 26, 19, 1])
    classes = np.random.default_rng(0).permutation(np.repeat(range(4), sizes))
    order = proportional_order(classes, each_first=each_first)
    assert sorted(order.tolist()) == list(range(101))
    for count in range(1, 102):
        drawn = np.bincount(classes[order[:count]], minlength=4)
        if not each_first:
            assert (abs(drawn - count * sizes / 101) < 1).all()
        elif count >= 4:
            assert (drawn >= 1).all()


def test_ties_of_an_order_go_to_the_row_drawn_first() -> None:
    assert proportional_order(np.array([3, 1, 3, 1])).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("extra", [{}, {"stratify": "y"}, {"group": "group"}])
def test_folds_are_a_partition(folder: Path, extra: dict[str, str]) -> None:
    folds = [rows_of(folder, test={"fold": f, "of": 3, **extra}, validation=0).test.source for f in range(3)]
    assert torch.cat(folds).sort().values.tolist() == list(range(ROWS))
    assert {len(fold) for fold in folds} == {40}
    if "stratify" in extra:
        assert all(max(abs(a - b) for a, b in zip(classes(f.tolist()), [20, 13, 7], strict=True)) <= 1 for f in folds)
    if "group" in extra:
        assert all(len(set((fold % 6).tolist())) == 2 for fold in folds)


def test_blank_is_a_stratum_of_its_own(tmp_path: Path) -> None:
    kind = np.where(np.arange(40) % 4 == 0, np.nan, 1.0)
    write_npz(tmp_path / "rows.npz", x=np.zeros((40, 2)), kind=kind)
    data = rows_of(tmp_path, {"x": REALS}, test={"fraction": 0.5, "stratify": "kind"}, validation=0)
    assert int(np.isnan(kind[data.test.source.numpy()]).sum()) == 5


def test_the_sources_own_test_split_comes_last(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", train_x=np.zeros((20, 2)), test_x=np.ones((5, 2)))
    own = rows_of(tmp_path, {"x": REALS})
    assert own.test.source.tolist() == [20, 21, 22, 23, 24] and own.test.values["x"].min() == 1
    redrawn = rows_of(tmp_path, {"x": REALS}, test=10)
    assert len(redrawn.test) == 10 and any("own test split" in note for note in redrawn.notes)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"test": 120}, "only 120 are there"),
        ({"test": 60, "validation": 60}, "only 60 are there"),
        ({"test": {"column": "part", "value": "tets"}}, "no row has 'tets'"),
        ({"test": {"fraction": 0.5, "stratify": "x"}}, "no single values"),
        ({"test": {"fraction": 0.5, "group": "grupp"}}, "no column 'grupp'"),
        ({"test": {"fold": 0, "of": 7, "group": "group"}}, "7 folds of 6 groups"),
    ],
)
def test_rules_that_cannot_be_met(folder: Path, rules: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        rows_of(folder, **rules)


def test_labels_that_are_classes_keep_their_proportions_without_being_asked(folder: Path) -> None:
    data = rows_of(folder, test=0.25, validation=18)
    assert classes(data.test.source.tolist()) == [15, 10, 5]
    assert classes(data.validation.source.tolist()) == [9, 6, 3]
    assert not any("hidden ones" in note for note in data.notes)


@pytest.mark.parametrize("labels", [12, 30])
def test_few_labels_are_shared_out_too_and_no_class_loses_its_last(tmp_path: Path, labels: int) -> None:
    y = np.full(600, -1)
    y[:labels] = np.arange(labels) % 3
    y[0] = 3 if labels == 30 else 0
    write_npz(tmp_path / "rows.npz", x=np.zeros((600, 2)), y=y)
    four = {**DIGIT, "classes": 4}
    for seed in range(5):
        data = rows_of(tmp_path, {"x": REALS, "y": four}, seed=seed)
        test = y[data.test.source.numpy()]
        assert len(test) == 120 and abs((test >= 0).sum() - labels / 5) <= 1
        assert set(y[data.training.source.numpy()]) >= set(y), "each class trains, the one of one row too"


def test_a_large_share_leaves_every_class_a_row_to_train_on(tmp_path: Path) -> None:
    y = np.array([0] * 30 + [1] * 9 + [2])
    write_npz(tmp_path / "rows.npz", x=np.zeros((40, 2)), y=y)
    for seed in range(5):
        data = rows_of(tmp_path, test=0.7, validation=0.5, seed=seed)
        assert set(y[data.training.source.numpy()]) == {0, 1, 2}


def test_several_labels_are_shared_out_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    y, w = rng.integers(0, 3, 300), rng.normal(size=300)
    y[rng.random(300) < 0.8], w[rng.random(300) < 0.9] = -1, np.nan
    write_npz(tmp_path / "rows.npz", x=np.zeros((300, 2)), y=y, w=w)
    data = rows_of(tmp_path, {**BOTH, "w": REAL_LABEL}, test=0.3, validation=0)
    test = data.test.source.numpy()
    for given in ((y >= 0), ~np.isnan(w), (y < 0) & np.isnan(w)):
        assert abs(given[test].sum() - 0.3 * given.sum()) <= 2


# --- rows that are added ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"test": 40, "validation": 20},
        {"test": {"fold": 1, "of": 4}},
        {"test": {"fraction": 0.3, "stratify": "y"}},
        {"test": {"fraction": 0.3, "group": "group"}, "validation": 0},
    ],
)
def test_rows_that_are_added_move_no_others_but_at_the_edge(tmp_path: Path, rules: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    x, y, group = rng.normal(size=(205, 2)), rng.integers(-1, 3, 205), rng.integers(0, 40, 205)
    held_out = []
    for rows in (200, 201, 205):
        write_npz(tmp_path / "rows.npz", x=x[:rows], y=y[:rows], group=group[:rows])
        data = rows_of(tmp_path, labels={"y": 24}, **rules)
        part_of = np.zeros(rows, dtype=int)
        part_of[data.test.source.numpy()], part_of[data.validation.source.numpy()] = 1, 2
        held_out.append((part_of[:200], set(kept(data))))
    for (one, labels), (other, others), moved in zip(held_out, held_out[1:], (4, 8), strict=False):
        assert (one != other).sum() <= moved * (4 if "group" in json.dumps(rules) else 1)
        assert len(labels - others) <= moved + (one != other).sum()


def test_a_row_more_for_training_moves_no_test_split_of_the_source(tmp_path: Path) -> None:
    def validation(rows: int) -> set[int]:
        write_npz(tmp_path / "rows.npz", train_x=np.zeros((rows, 2)), test_x=np.ones((50, 2)))
        redrawn = rows_of(tmp_path, {"x": REALS}, test=0.2)
        return {row - rows for row in redrawn.test.source.tolist() if row >= rows}

    assert len(validation(100) ^ validation(101)) <= 2


# --- budgets ------------------------------------------------------------------------------------------------------


def test_labels_left_out_stand(folder: Path) -> None:
    data = rows_of(folder)
    assert kept(data) == data.training.source.tolist() and len(data.unlabelled) == 0


@pytest.mark.parametrize(
    ("count", "expected"), [(12, [6, 4, 2]), (30, [15, 10, 5]), (3, [1, 1, 1]), (2, [1, 1, 0]), (1, [1, 0, 0])]
)
def test_a_count_takes_the_classes_as_they_come_and_each_once(folder: Path, count: int, expected: list[int]) -> None:
    assert classes(kept(rows_of(folder, test=0, validation=0, labels={"y": count}))) == expected


def test_a_rare_class_has_a_label_wherever_it_has_a_row(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.zeros((400, 2)), y=np.repeat([0, 1, 2, -1], [297, 2, 1, 100]))
    for seed in range(5):
        data = rows_of(tmp_path, test=0, validation=0, labels={"y": 20}, seed=seed)
        assert np.bincount(data.training.values["y"][data.label_rows["y"]]).tolist() == [18, 1, 1]


def test_a_share_keeps_proportions(folder: Path) -> None:
    data = rows_of(folder, test=0, validation=0, labels={"y": 0.1})
    assert classes(kept(data)) == [6, 4, 2]


def test_a_share_is_of_the_rows_that_have_a_label(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.zeros((40, 2)), y=np.repeat([0, 2, -1], [10, 10, 20]))
    assert len(kept(rows_of(tmp_path, test=0, validation=0, labels={"y": 0.5}))) == 10


def test_classes_of_a_count_begin_at_its_minimum(tmp_path: Path) -> None:
    counts = np.repeat([2, 3, 4], [10, 10, 10])
    write_npz(tmp_path / "rows.npz", x=np.zeros((30, 2)), n=counts)
    number = {"role": "supervised", "domain": "count", "min": 2, "max": 4}
    data = rows_of(tmp_path, {"x": REALS, "n": number}, test=0, validation=0, labels={"n": 6})
    assert np.bincount(counts[kept(data, "n")]).tolist() == [0, 0, 2, 2, 2]
    data = rows_of(tmp_path, {"x": REALS, "n": number}, test=0, validation=0, labels={"n": {"per_class": 10}})
    assert data.rates().labelled == 30
    with pytest.raises(DataError, match=r"class 2 has 10 labelled training rows, 11 are asked for\n  2 +10\n  3 +10\n"):
        rows_of(tmp_path, {"x": REALS, "n": number}, test=0, validation=0, labels={"n": {"per_class": 11}})


def test_per_class_and_with(folder: Path) -> None:
    variables = {**BOTH, "w": REAL_LABEL}
    data = rows_of(folder, variables, labels={"y": {"per_class": 4}, "w": {"with": "y"}})
    assert classes(kept(data)) == [4, 4, 4] and kept(data, "w") == kept(data)
    assert data.rates().labelled == 12 and data.rates().per_label == {"y": 12, "w": 12}


def test_variables_draw_independently(folder: Path) -> None:
    variables = {**BOTH, "w": REAL_LABEL}
    both = rows_of(folder, variables, labels={"y": 12, "w": 12})
    assert kept(both, "w") != kept(both, "y")
    assert kept(both, "y") == kept(rows_of(folder, labels={"y": 12}))
    union = set(kept(both, "w")) | set(kept(both, "y"))
    assert set(both.training.source[both.labelled].tolist()) == union


def test_a_larger_budget_keeps_the_smaller_ones_rows(folder: Path) -> None:
    assert set(kept(rows_of(folder, labels={"y": 6}))) < set(kept(rows_of(folder, labels={"y": 21})))


def test_the_seed_decides(folder: Path) -> None:
    first, again, other = (rows_of(folder, labels={"y": 9}, seed=seed) for seed in (1, 1, 2))
    assert first.manifest() == again.manifest()
    assert kept(first) != kept(other) and first.test.source.tolist() != other.test.source.tolist()


def test_the_seed_decides_who_is_labelled_among_the_same_rows(folder: Path) -> None:
    one, other = (kept(rows_of(folder, test=0, validation=0, labels={"y": 9}, seed=seed)) for seed in (1, 2))
    assert one != other


def test_these_rows_for_good(folder: Path) -> None:
    """A change of these numbers changes everybody's labelled rows: never within `graphspec: 1`."""
    data = rows_of(folder, labels={"y": 6})
    assert kept(data) == [13, 41, 50, 77, 84, 109]
    assert data.test.source.tolist()[:5] == [10, 14, 20, 22, 24]


def test_rows_of_a_file(folder: Path) -> None:
    everything = rows_of(folder)
    training = everything.training.source.tolist()
    listed = [*training[:3], int(everything.test.source[0])]
    (folder / "keep.txt").write_text("# chosen by hand\n" + "\n".join(map(str, listed)))
    data = rows_of(folder, labels={"y": {"rows": "keep.txt"}})
    assert kept(data) == training[:3] and "1 not for training" in data.notes[0]
    assert data.training.values["y"][data.label_rows["y"]].min() >= 0
    assert (data.training.values["y"][data.unlabelled] == -1).all() and (data.test.values["y"] >= 0).all()


def test_listed_rows_without_a_label_are_skipped(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.zeros((10, 2)), y=[0, 1, 2, -1, -1, 0, 1, 2, 0, 1])
    (tmp_path / "keep.txt").write_text("1\n3\n4\n5\n")
    data = rows_of(tmp_path, test=0, validation=0, labels={"y": {"rows": "keep.txt"}})
    assert kept(data) == [1, 5] and data.labelled.tolist() == [1, 5] and "2 without a label" in data.notes[0]


def test_patterns_are_counted(folder: Path) -> None:
    (folder / "keep.txt").write_text("\n".join(map(str, range(20))))
    data = rows_of(folder, {**BOTH, "w": REAL_LABEL}, labels={"w": {"rows": "keep.txt"}}, test=20, validation=0)
    both = len(kept(data, "w"))
    assert data.manifest()["patterns"]["training"] == {"y w": both, "y": 100 - both}
    lines = [line.split() for line in data.describe().splitlines()]
    assert lines[:3] == [["training", "100"], ["x", "y", "w", str(both)], ["x", "y", str(100 - both)]]


def test_hidden_pictures_are_blank(tmp_path: Path) -> None:
    """A label that is an image of bytes can be hidden too."""
    picture = {"role": "supervised", "domain": "unit", "shape": [1, 4, 4]}
    write_npz(tmp_path / "rows.npz", x=np.zeros((10, 2)), m=np.arange(160, dtype=np.uint8).reshape(10, 4, 4))
    data = rows_of(tmp_path, {"x": REALS, "m": picture}, labels={"m": 3}, test=0, validation=0)
    batch = data.training.batch(torch.arange(10), torch.float32)["m"]
    assert batch[data.unlabelled].isnan().all() and not batch[data.labelled].isnan().any()
    assert batch[data.labelled[-1]].max() == pytest.approx((16 * int(data.labelled[-1]) + 15) / 255)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"y": {"per_class": 60}}, r"class 2 has \d+ labelled training rows, 60 are asked for\n  0"),
        ({"y": 500}, "more than the 86 training rows"),
        ({"y": 0.001}, "keeps no row"),
        ({"y": {"rows": "none.txt"}}, "not there"),
        ({"y": {"with": "x"}}, "not supervised"),
        ({"y": {"rows": "far.txt"}}, "rows 0 to 119"),
        ({"y": {"rows": "words.txt"}}, "not a row number"),
    ],
)
def test_budgets_that_cannot_be_met(folder: Path, labels: dict[str, Any], said: str) -> None:
    (folder / "far.txt").write_text("120\n")
    (folder / "words.txt").write_text("first\n")
    with pytest.raises(DataError, match=said):
        rows_of(folder, labels=labels)


def test_a_budget_of_a_label_that_no_row_has_is_told(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.zeros((30, 2)), y=np.full(30, -1))
    with pytest.raises(DataError, match="no training row has a label of y"):
        rows_of(tmp_path, labels={"y": 1.0})


def test_per_class_needs_classes(folder: Path) -> None:
    with pytest.raises(DataError, match="w has no classes"):
        rows_of(folder, {"x": REALS, "w": REAL_LABEL}, labels={"w": {"per_class": 2}})


def test_budgets_in_a_circle(folder: Path) -> None:
    with pytest.raises(DataError, match="y -> w -> y"):
        rows_of(folder, {**BOTH, "w": REAL_LABEL}, labels={"y": {"with": "w"}, "w": {"with": "y"}})


def test_no_label_at_all(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.zeros((20, 2)), y=np.full(20, -1))
    with pytest.raises(DataError, match="y has no labelled training row"):
        rows_of(tmp_path)


# --- honest budgets -----------------------------------------------------------------------------------------------


def same_data(one: PreparedData, other: PreparedData) -> bool:
    """Everything derived, bit by bit; only the fingerprint of the columns may differ."""
    manifests = [{**data.manifest(), "fingerprint": ""} for data in (one, other)]
    tensors = [
        [v for rows in (d.training, d.validation, d.test) for v in (*rows.values.values(), rows.source)]
        + [d.labelled, d.unlabelled, *d.label_rows.values(), *(t for u in d.units.values() for t in (u.mean, u.std))]
        for d in (one, other)
    ]
    equal = all(
        a.dtype == b.dtype and torch.equal(a.nan_to_num(-9), b.nan_to_num(-9)) for a, b in zip(*tensors, strict=True)
    )
    return json.dumps(manifests[0]) == json.dumps(manifests[1]) and equal


@pytest.mark.parametrize("budget", [{"y": 9, "w": 14}, {"y": 0.2, "w": {"with": "y"}}])
def test_hidden_labels_have_no_part_in_anything(folder: Path, budget: dict[str, Any]) -> None:
    variables = {**BOTH, "w": REAL_LABEL}
    columns = {"x": {"column": "x", "standardize": True}, "y": "y", "w": {"column": "w", "standardize": True}}
    first = prepared(folder, variables, {"source": "rows.npz", "variables": columns, "labels": budget})
    for name in ("y", "w"):
        (folder / f"{name}.txt").write_text("\n".join(map(str, kept(first, name))))
    listed = {"y": {"rows": "y.txt"}, "w": {"rows": "w.txt"}}
    rules = {"variables": columns, "labels": listed}
    whole = prepared(folder, variables, {"source": "rows.npz", **rules})
    assert same_data(first, whole), "the rows of the manifest are the rows of the budget"

    arrays = dict(np.load(folder / "rows.npz"))
    training = first.training.source.numpy()
    for name, blank in (("y", -1), ("w", np.nan)):
        arrays[name][np.setdiff1d(training, kept(first, name))] = blank
    write_npz(folder / "blanked.npz", **arrays)
    blanked = prepared(folder, variables, {"source": "blanked.npz", **rules})
    assert same_data(replace(whole, source="blanked.npz"), blanked)
    assert whole.fingerprint != blanked.fingerprint
