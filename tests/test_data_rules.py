"""Rules of the data section: columns, shapes, cells, label budgets and splits, held against real headers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graphspec.diagnostics import Diagnostic
from graphspec.language import Spec
from graphspec.rules.data_rules import check_data
from graphspec.text.report import Report
from graphspec.text.source import read_document

GRAPHS = "generative: {}\nrecognition: {}\n"
IMAGE = "{role: observed, domain: unit, shape: [1, 8, 8]}"
CLASS = "{role: supervised, domain: category, classes: 10}"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHSPEC_DATA", str(tmp_path / "data"))


def findings(variables: str, data: str, rest: str = "", name: str = "model.yaml") -> list[Diagnostic]:
    document = read_document(f"graphspec: 1\nvariables: {variables}\n{GRAPHS}data: {data}\n{rest}", name)
    report = Report(document)
    check_data(Spec.model_validate(document.value), report)
    return report.diagnostics


def codes(variables: str, data: str, rest: str = "") -> list[str]:
    return [found.code for found in findings(variables, data, rest)]


def one(variables: str, data: str, rest: str = "") -> Diagnostic:
    (found,) = findings(variables, data, rest)
    return found


def under_caret(found: Diagnostic) -> str:
    assert found.span is not None and found.source is not None
    return found.source.line(found.span.line)[found.span.column : found.span.end_column]


XY = f"{{x: {IMAGE}, y: {CLASS}}}"


def digits(rest: str = "", x: str = "image", y: str = "label") -> str:
    return f"{{source: digits, variables: {{x: {x}, y: {y}}}{rest}}}"


# --- which variable has a column ---


def test_a_section_in_order_is_silent() -> None:
    assert codes(XY, digits(", labels: {y: 100}, validation: 0.1, factors: {kind: label}")) == []
    assert codes(XY, digits(", labels: {y: {per_class: 10}}, test: 0.25, validation: {fold: 0, of: 5}")) == []


def test_columns_pair_up_with_the_variables_of_the_rows() -> None:
    variables = f"{{x: {IMAGE}, y: {CLASS}, z: {{role: latent, size: 2}}, h: {{role: deterministic}}}}"
    found = findings(variables, "{source: digits, variables: {x: image, z: label, h: label, q: label}}")
    assert [d.code for d in found] == ["GS080"] * 4
    assert [under_caret(d) for d in found] == ["z", "h", "q", "variables"]
    assert "supervised variable 'y' has no column" in found[3].message


def test_labels_of_a_variable_without_a_column_are_shown_beside_it() -> None:
    found = one(XY, "{source: digits, variables: {x: image}, labels: {y: 100}}")
    assert found.code == "GS080" and len(found.related) == 2


def test_a_missing_column_gets_the_likeliest_name() -> None:
    found = one(XY, digits(x="images"))
    assert (found.code, under_caret(found)) == ("GS081", "images")
    assert found.hint == "did you mean `image`? columns: image, label"
    assert codes(XY, digits(", factors: {kind: lable}")) == ["GS081"]
    assert under_caret(one(XY, digits(x="{column: imgae}"))) == "imgae"


def test_the_name_in_a_list_of_columns_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,3\n")
    for written in ("[a, d, c]", "{columns: [a, d, c]}"):
        found = one("{x: {role: observed, size: 3}}", f"{{source: rows.csv, variables: {{x: {written}}}}}")
        assert (found.code, under_caret(found)) == ("GS081", "d")


def test_the_test_split_needs_the_columns_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", x=np.zeros((4, 2)), y=np.zeros(4, int))
    np.savez(tmp_path / "test.npz", x=np.zeros((4, 2)))
    variables = f"{{x: {{role: observed, size: 2}}, y: {CLASS}}}"
    found = one(variables, "{source: train.npz, variables: {x: x, y: y}}")
    assert found.code == "GS081" and found.message == "the test split of train.npz has no column 'y'"


# --- shapes ---


@pytest.mark.parametrize(
    "stored,declared,entry",
    [((8, 8), "shape: [1, 8, 8]", "x"), ((6, 8, 3), "shape: [3, 6, 8]", "x"), ((), "size: 1", "x"), ((1,), "", "x"),
     ((6, 8, 3), "shape: [3, 12, 16]", "{column: x, resize: [12, 16]}"), ((5,), "size: 5", "x")],
)  # fmt: skip
def test_shapes_that_meet(tmp_path: Path, stored: tuple[int, ...], declared: str, entry: str) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((4, *stored)))
    variables = f"{{x: {{role: observed, domain: real, {declared}}}}}"
    assert codes(variables, f"{{source: rows.npz, variables: {{x: {entry}}}, validation: 1, test: 1}}") == []


@pytest.mark.parametrize(
    "stored,declared,entry,hint",
    [((8, 8), "shape: [3, 8, 8]", "x", "declare `shape: [1, 8, 8]`"),
     ((8, 8), "shape: [1, 4, 4]", "x", "declare `shape: [1, 8, 8]`, or read {column: x, resize: [4, 4]}"),
     ((8, 8), "shape: [1, 8, 8]", "{column: x, resize: [4, 4]}", "declare `shape: [1, 4, 4]`"),
     ((64,), "shape: [1, 8, 8]", "x", "declare `size: 64`"), ((), "size: 2", "x", "the cell is a single value"),
     ((6, 8, 3), "shape: [3, 8, 6]", "x", "declare `shape: [3, 6, 8]`")],
)  # fmt: skip
def test_shapes_that_do_not(tmp_path: Path, stored: tuple[int, ...], declared: str, entry: str, hint: str) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((9, *stored)))
    variables = f"{{x: {{role: observed, domain: real, {declared}}}}}"
    found = one(variables, f"{{source: rows.npz, variables: {{x: {entry}}}}}")
    assert found.code == "GS082" and hint in found.hint


def test_stacked_columns_are_a_vector_of_single_values(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", a=np.zeros(9), b=np.zeros(9), v=np.zeros((9, 2)))
    variables = "{x: {role: observed, size: 3}}"
    assert codes("{x: {role: observed, size: 2}}", "{source: rows.npz, variables: {x: [a, b]}}") == []
    assert one(variables, "{source: rows.npz, variables: {x: [a, b]}}").hint == "declare `size: 2`"
    assert one(variables, "{source: rows.npz, variables: {x: [a, v]}}").code == "GS082"


def test_a_one_hot_class_is_recognised(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((9, 8, 8)), y=np.zeros((9, 10)))
    assert "its number" in one(XY, "{source: rows.npz, variables: {x: x, y: y}}").hint


def test_arrays_of_different_lengths_do_not_pair(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((9, 8, 8)), w=np.zeros(9), y=np.zeros(8), names=np.array(["a", "b"]))
    found = one(XY, "{source: rows.npz, variables: {x: x, y: y}}")
    assert found.code == "GS088" and "8 rows" in found.message


def test_images_of_several_sizes_need_a_size(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for i, size in enumerate([(5, 4), (6, 6), (5, 4)]):
        Image.new("L", size).save(tmp_path / "set" / f"{i}.png")
    variables = f"{{x: {IMAGE}}}"
    found = one(variables, "{source: set, variables: {x: image}}")
    assert found.code == "GS082" and found.hint == "add `resize: [8, 8]`"
    assert codes(variables, "{source: set, variables: {x: {column: image, resize: [8, 8]}}}") == []


# --- cells ---


@pytest.mark.parametrize(
    "declared,fine",
    [("domain: category, classes: 10", True), ("domain: category, classes: 9", False),
     ("domain: category, classes: 11", False), ("domain: count, min: 0, max: 9", True), ("domain: count", True),
     ("domain: count, min: 0, max: 8", False), ("domain: count, min: 1, max: 10", False), ("domain: binary", False),
     ("domain: real", True), ("domain: unit", False)],
)  # fmt: skip
def test_classes_of_a_known_set(declared: str, fine: bool) -> None:
    variables = f"{{x: {IMAGE}, y: {{role: supervised, {declared}}}}}"
    assert codes(variables, digits()) == ([] if fine else ["GS083"])


@pytest.mark.parametrize(
    "domain,entry,found",
    [("unit", "image", []), ("real", "image", []), ("binary", "image", ["GS083"]), ("positive", "image", ["GS083"]),
     ("binary", "{column: image, binarize: threshold}", []), ("unit", "{column: image, binarize: dynamic}", []),
     ("category, classes: 17", "image", ["GS083"])],
)  # fmt: skip
def test_pixels_are_values_in_0_to_1(domain: str, entry: str, found: list[str]) -> None:
    variables = f"{{x: {{role: observed, domain: {domain}, shape: [1, 8, 8]}}, y: {CLASS}}}"
    assert codes(variables, digits(x=entry)) == found


TABLE = "weight,kind,age,ok\n1.5,setosa,3,YES\n2,virginica,-1,NO\n0,,unknown,YES\n7,setosa,99,\n"


@pytest.mark.parametrize(
    "variable,entry,problem",
    [("role: observed, domain: real", "weight", ""), ("role: observed, domain: positive", "weight", "'0'"),
     ("role: observed, domain: unit", "weight", "'1.5', '2', '7'"),
     ("role: supervised, domain: real", "kind", "setosa"),
     ("role: supervised, domain: category, names: [setosa, virginica]", "kind", ""),
     ("role: supervised, domain: category, classes: 2", "kind", "'setosa', 'virginica'"),
     ("role: observed, domain: category, names: [setosa, virginica]", "kind", "has blank cells"),
     ("role: observed, missing: true, domain: category, names: [setosa, virginica]", "kind", ""),
     ("role: supervised, domain: binary, names: [NO, YES]", "ok", ""),
     ("role: supervised, domain: binary", "ok", "'YES', 'NO'"),
     ("role: supervised, domain: count, max: 50", "{column: age, missing: [unknown, 99]}", ""),
     ("role: supervised, domain: count, max: 50", "{column: age, missing: [unknown]}", "'99'"),
     ("role: supervised, domain: real", "{column: age, missing: [unknown]}", "")],
)  # fmt: skip
def test_cells_of_a_table(tmp_path: Path, variable: str, entry: str, problem: str) -> None:
    (tmp_path / "rows.csv").write_text(TABLE)
    found = findings(f"{{v: {{{variable}}}}}", f"{{source: rows.csv, variables: {{v: {entry}}}}}")
    assert [d.code for d in found] == (["GS083"] if problem else [])
    assert all(problem in d.message for d in found)


def test_names_are_offered_ready_to_paste(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("kind\nvirginica\nsetosa\nsetosa\n")
    found = one("{v: {role: supervised, domain: category, classes: 2}}", "{source: rows.csv, variables: {v: kind}}")
    assert "`names: [setosa, virginica]`" in found.hint


def test_class_folders_are_classes(tmp_path: Path) -> None:
    for name in ("cat", "dog", "owl"):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "set" / name / "0.png")
    for declared, found in (("classes: 3", []), ("classes: 2", ["GS083"]), ("names: [owl, cat, dog]", []),
                            ("names: [owl, cat, cow]", ["GS083"])):  # fmt: skip
        variables = f"{{x: {IMAGE}, y: {{role: supervised, domain: category, {declared}}}}}"
        assert codes(variables, "{source: set, variables: {x: image, y: label}, test: 1, validation: 1}") == found


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.array([{}, {}], dtype=object), allow_pickle=True)
    found = one("{x: {role: observed, domain: real}}", "{source: rows.npz, variables: {x: x}, test: 1, validation: 0}")
    assert found.code == "GS083" and "objects" in found.message


# --- options ---


@pytest.mark.parametrize(
    "variable,options,refused",
    [("domain: unit, shape: [1, 8, 8]", "resize: [8, 8], augment: {shift: 1}, binarize: dynamic", []),
     ("domain: unit, shape: [1, 8, 8]", "standardize: true", ["standardize"]),
     ("domain: real, shape: [1, 8, 8]", "standardize: true, augment: {flip: true}", []),
     ("domain: real, shape: [1, 8, 8]", "binarize: threshold", ["binarize"]),
     ("domain: real, size: 8", "augment: {shift: 1}", ["augment"]), ("domain: real", "resize: [8, 8]", ["resize"]),
     ("domain: unit, shape: [1, 8, 8]", "resize: [8]", ["resize"]),
     ("domain: binary, shape: [1, 8, 8]", "augment: {shift: 1}", ["augment"]),
     ("domain: binary, shape: [1, 8, 8]", "augment: {shift: 1}, binarize: threshold", []),
     ("domain: category, classes: 3", "standardize: true", ["standardize"])],
)  # fmt: skip
def test_options_apply_to_what_they_are_for(variable: str, options: str, refused: list[str]) -> None:
    data = f"{{source: nowhere.npz, variables: {{x: {{column: x, {options}}}}}}}"
    found = [d for d in findings(f"{{x: {{role: observed, {variable}}}}}", data) if d.code != "GS089"]
    assert [(d.code, under_caret(d)) for d in found] == [("GS084", option) for option in refused]


# --- label budgets ---


@pytest.mark.parametrize(
    "budget,found",
    [("1294", []), ("1295", ["GS085"]), ("{per_class: 129}", []), ("{per_class: 130}", ["GS085"]), ("1.0", []),
     ("9", ["GS114"]), ("10", [])],
)  # fmt: skip
def test_budgets_are_of_training_rows(budget: str, found: list[str]) -> None:
    """1797 rows, 359 for test, 144 of the other 1438 for validation."""
    assert codes(XY, digits(f", labels: {{y: {budget}}}")) == found


def test_an_allowed_warning_is_silent() -> None:
    variables = XY.replace("classes: 10", "classes: 10, allow: [GS114]")
    assert codes(variables, digits(", labels: {y: 9}")) == []


def test_per_class_needs_one_class_per_row() -> None:
    variables = f"{{x: {IMAGE}, y: {{role: supervised, domain: real}}}}"
    assert codes(variables, digits(", labels: {y: {per_class: 3}}")) == ["GS085"]
    assert codes(variables, digits(", labels: {y: 5}")) == []


def test_labels_are_hidden_of_supervised_variables_only() -> None:
    assert codes(XY, digits(", labels: {x: 5}")) == ["GS070"]
    assert codes(XY, digits(", labels: {q: 5}")) == ["GS070"]


FACES = (
    "{x: {role: observed, domain: unit, shape: [1, 192, 168]}, i: {role: supervised, domain: category, classes: 38}, "
    "l: {role: supervised, domain: direction, size: 3}, a: {role: supervised, domain: real}}"
)


@pytest.mark.parametrize(
    "labels,found",
    [("i: {per_class: 6}, l: {with: i}", 0), ("i: {per_class: 6}, l: {with: i}, a: {with: l}", 0), ("l: {with: i}", 0),
     ("i: {with: i}", 1), ("i: {with: x}", 1), ("i: {with: ii}", 1), ("i: {with: l}, l: {with: i}", 2),
     ("i: {with: l}, l: {with: a}, a: {with: i}", 3), ("i: {with: l}, l: {with: a}, a: {with: l}", 2)],
)  # fmt: skip
def test_with_leads_to_rows(labels: str, found: int) -> None:
    data = f"{{source: yale_b, variables: {{x: image, i: identity, l: light, a: azimuth}}, labels: {{{labels}}}}}"
    assert codes(FACES, data) == ["GS086"] * found


def test_row_files_are_read(tmp_path: Path) -> None:
    path, data = tmp_path / "rows.txt", digits(", labels: {y: {rows: rows.txt}}")
    missing = one(XY, data)
    assert (missing.code, missing.severity) == ("GS089", "note")
    for content, found in (("0\n1796\n", []), ("0\n1797\n", ["GS085"]), ("", ["GS085"]), ("x\n", ["GS085"])):
        path.write_text(content)
        assert codes(XY, data) == found


@pytest.mark.parametrize(
    "objective,labels,warned",
    [("gamma: 1", "y: 100", True), ("gamma: 1", "y: {per_class: 10}", True), ("gamma: 1", "y: 0.001", True),
     ("gamma: 1", "y: 1000", False), ("gamma: 499", "y: 100", False), ("rho: 0.01", "y: 100", False),
     ("alpha: 50", "y: 100", False), ("gamma: 1", "y: 1.0", False)],
)  # fmt: skip
def test_labels_that_weigh_nothing_are_noticed(objective: str, labels: str, warned: bool) -> None:
    variables = XY.replace("[1, 8, 8]", "[1, 28, 28]")
    data = f"{{source: mnist, variables: {{x: image, y: label}}, labels: {{{labels}}}, validation: 10000}}"
    found = findings(variables, data, f"objective: {{{objective}}}\n")
    assert [d.code for d in found] == (["GS111"] if warned else [])
    if labels in ("y: 100", "y: {per_class: 10}") and warned:
        assert "0.20%" in found[0].message and "gamma: 499" in found[0].hint


def test_rows_with_two_labels_count_once() -> None:
    """Both labels on every row make as many labelled rows as there are, and no row without a label."""
    variables = f"{{x: {IMAGE}, y: {CLASS}, w: {CLASS}}}"
    data = "{source: digits, variables: {x: image, y: label, w: label}, labels: {y: 1.0, w: 1.0}}"
    assert codes(variables, data, "objective: {gamma: 0.5}\n") == []


# --- splits ---


@pytest.mark.parametrize(
    "rest,found",
    [(", test: 1000, validation: 796", []), (", test: 1000, validation: 797", ["GS087"]), (", test: 1797", ["GS087"]),
     (", test: {fraction: 0.2, stratify: label}", []), (", test: {fraction: 0.2, group: lable}", ["GS087"]),
     (", test: {fraction: 0.2, stratify: image}", ["GS087"])],
)  # fmt: skip
def test_splits_leave_training_rows_and_name_columns(rest: str, found: list[str]) -> None:
    assert codes(XY, digits(rest)) == found


def test_a_split_column_holds_the_value(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("v,split,fold\n1,train,1\n2,test,2.0\n")
    variables, data = "{v: {role: observed, domain: real}}", "{source: rows.csv, variables: {v: v}, validation: 0, %s}"
    assert codes(variables, data % "test: {column: split, value: test}") == []
    assert codes(variables, data % "test: {column: fold, value: 2}") == []
    found = one(variables, data % "test: {column: split, value: tset}")
    assert (found.code, under_caret(found)) == ("GS087", "tset")
    assert "`test`" in found.hint


def test_replacing_the_sources_own_test_split_is_noticed() -> None:
    variables = XY.replace("[1, 8, 8]", "[1, 28, 28]")
    found = one(variables, "{source: mnist, variables: {x: image, y: label}, test: 0.2}")
    assert (found.code, found.severity) == ("GS113", "warning")


# --- the source itself ---


def test_a_source_that_is_not_there_is_a_note_and_the_rest_is_checked() -> None:
    found = findings(XY, "{source: minst, variables: {x: image, z: label}, labels: {y: {per_class: 3}}}")
    assert [(d.code, d.severity) for d in found] == [("GS089", "note"), ("GS080", "error"), ("GS080", "error")]
    assert found[0].hint == "did you mean `mnist`?"


@pytest.mark.parametrize("name,content", [("rows.txt", "a"), ("rows.npz", "a"), ("rows.csv", ""), ("rows.csv", "v\n")])
def test_a_source_that_cannot_be_read_is_an_error(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = one("{v: {role: observed, domain: real}}", f"{{source: {name}, variables: {{v: v}}}}")
    assert (found.code, found.severity, under_caret(found)) == ("GS088", "error", name)


def test_paths_start_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "model.yaml").write_text("")
    (tmp_path / "deep" / "rows.csv").write_text("v\n1\n2\n3\n")
    data = "{source: rows.csv, variables: {v: v}}"
    variables = "{v: {role: observed, domain: real}}"
    assert findings(variables, data, name=str(tmp_path / "deep" / "model.yaml")) == []
    assert [d.code for d in findings(variables, data, name="-")] == ["GS089"]


def test_no_data_section_is_fine() -> None:
    document = read_document(f"graphspec: 1\nvariables: {XY}\n{GRAPHS}", "model.yaml")
    report = Report(document)
    check_data(Spec.model_validate(document.value), report)
    assert report.diagnostics == []
