"""YAML text to a located tree: scalars, places, caps, and no mistake that escapes as anything but SpecError."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from graphspec.diagnostics import SpecError
from graphspec.text import composing
from graphspec.text.source import read_document, read_faulty_document


def read(text: str) -> dict:
    return read_document(text, "spec.yaml").value


def mistakes(text: str) -> list[tuple[str, int, int]]:
    with pytest.raises(SpecError) as caught:
        read_document(text, "spec.yaml")
    return [
        (d.code, d.span.line + 1, d.span.column + 1) if d.span else (d.code, 0, 0) for d in caught.value.diagnostics
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        ("12e03", 12000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-0.0", -0.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("NULL", None),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("+5", 5),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("2001-01-01", "2001-01-01"),
        ("12:30:00", "12:30:00"),
        ("'5'", "5"),
        ('"null"', "null"),
        ("25/rho", "25/rho"),
        ("9223372036854775807", 2**63 - 1),
        ("1.2.3", "1.2.3"),
        ("e3", "e3"),
        ("x@previous", "x@previous"),
    ],
)
def test_scalars_follow_the_core_schema(written, value):
    found = read(f"a: {written}\n")["a"]
    assert found == value and type(found) is type(value)


def test_not_a_number_is_a_float():
    assert math.isnan(read("a: .NaN")["a"])


def test_keys_are_always_text():
    assert read("1: a\nno: b\nnull: c\n'': d\n") == {"1": "a", "no": "b", "null": "c", "": "d"}


def test_places():
    document = read_document("a: {b: [1, {c: éé}]}\nlist:\n  - x\n  - y: 2\n    z: 3\n", "spec.yaml")

    def place(path, key=False):
        span, source = document.locate(path, key=key)
        assert source is document.source
        return (span.line, span.column, span.end_line, span.end_column)

    assert place(("a", "b", 1, "c")) == (0, 15, 0, 17)
    assert place(("a", "b", 1, "c"), key=True) == (0, 12, 0, 13)
    assert place(("a",)) == (0, 3, 0, 20)
    assert place(("list", 1, "z")) == (4, 7, 4, 8)
    assert place(("list", 0), key=True) == (2, 4, 2, 5)
    # What is not there is shown at the deepest part that is: a mapping on one line, the key of a longer one.
    assert place(("a", "b", 1, "d")) == (0, 11, 0, 18)
    assert place(("a", "b", 5)) == (0, 7, 0, 19)
    assert place(("list", "nothing")) == (1, 0, 1, 4)
    assert place(("nothing", "at", "all")) == (0, 0, 0, 1)


def test_an_alias_stands_where_its_anchor_does():
    document = read_document("a: &w {from: 0}\nb: *w\n", "spec.yaml")
    assert document.value == {"a": {"from": 0}, "b": {"from": 0}}
    assert document.locate(("b", "from"))[0].line == 0
    assert document.locate(("b",), key=True)[0].line == 1


def test_line_ends_and_byte_order_mark():
    document = read_document("\ufeffa: 1\r\nb:\r\n  c: 2\r\n", "spec.yaml")
    assert document.value == {"a": 1, "b": {"c": 2}}
    assert document.locate(("a",), key=True)[0].column == 0
    assert document.locate(("b", "c"))[0].line == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("GS007", 0, 0)]),
        ("# only a remark\n---\n...\n", [("GS007", 0, 0)]),
        ("5\n", [("GS007", 1, 1)]),
        ("- a\n", [("GS007", 1, 1)]),
        ("a: 1\n---\nb: 2\n", [("GS007", 2, 1)]),
        ("a: 1\nb: 2\na: 3\nb: 4\n", [("GS003", 3, 1), ("GS003", 4, 1)]),
        ("a: {b: 1, b: 2}\n", [("GS003", 1, 11)]),
        ("a: 1\n'a': 2\n", [("GS003", 2, 1)]),
        ("<<: {a: 1}\n", [("GS005", 1, 1)]),
        ("a: !!int 5\nb: !mine x\n", [("GS006", 1, 4), ("GS006", 2, 4)]),
        ("a: !!python/object/apply:os.system ['true']\n", [("GS006", 1, 4)]),
        ("!!python/name:os.system x: 1\n", [("GS006", 1, 1)]),
        ("a: *b\n", [("GS004", 1, 4)]),
        ("a: &b [*b]\n", [("GS004", 1, 4)]),
        ("a: &b 1\nc: &b 2\n", [("GS004", 2, 4)]),
        ("a: " + "[" * 80 + "]" * 80, [("GS008", 1, 67)]),
        ("a: 9223372036854775808\n", [("GS008", 1, 4)]),
        ("a: " + "9" * 5000, [("GS008", 1, 4)]),
        ("? [a]\n: 1\n", [("GS002", 1, 3)]),
        ("a:\n\t- b\n", [("GS002", 2, 1)]),
        ("a: 'b\n", [("GS002", 1, 4)]),
        ("a: [1, 2\nb: 3\n", [("GS002", 2, 2)]),
        ("a: 1\n  b: 2\n", [("GS002", 2, 4)]),
        ("a: \x07\n", [("GS002", 1, 4)]),
        ("a: 1\nb: \x1b[31m\n", [("GS002", 2, 4)]),
    ],
)
def test_mistakes_and_their_places(text, expected):
    assert mistakes(text) == expected


def test_control_characters_do_not_reach_the_terminal():
    with pytest.raises(SpecError) as caught:
        read_document("a: \x1b[31mred\n", "spec.yaml")
    assert "\x1b" not in str(caught.value)


def test_duplicate_key_shows_the_first():
    with pytest.raises(SpecError) as caught:
        read_document("variables:\n  x: 1\n  x: 2\n", "spec.yaml")
    (related,) = caught.value.diagnostics[0].related
    assert (related.span.line, related.message) == (1, "first defined here")


def test_what_leaves_the_structure_known_lets_reading_go_on():
    document, found = read_faulty_document("a: &a {x: 1}\nb: {<<: *a, y: 2, y: 3}\nc: !t 5\n", "spec.yaml")
    assert [d.code for d in found] == ["GS005", "GS003", "GS006"]
    assert document.value == {"a": {"x": 1}, "b": {"y": 2, "x": 1}, "c": "5"}


def bomb(width: int, height: int) -> str:
    lines = ["a0: &a0 [" + ", ".join(["1"] * width) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * width) + "]" for i in range(1, height)]
    return "\n".join(lines)


def test_alias_bombs_are_refused_without_being_expanded():
    assert mistakes(bomb(9, 30))[0][0] == "GS004"
    nested = "\n".join(["a0: &a0 [1]", *(f"a{i}: &a{i} [[[*a{i - 1}]]]" for i in range(1, 40))])
    assert mistakes(nested)[0][0] == "GS008"
    assert len(read(bomb(3, 5))["a4"]) == 3


def test_size_is_capped(monkeypatch):
    assert mistakes("a: '" + "x" * (1 << 20) + "'") == [("GS008", 0, 0)]
    # the real cap takes seconds to reach: its wording and its count are those of a smaller one
    assert composing.MAX_NODES == 100_000
    monkeypatch.setattr(composing, "MAX_NODES", 1000)
    assert read("a: [" + ", ".join(["1"] * 997) + "]\n")["a"] == [1] * 997
    assert mistakes("a: [" + ", ".join(["1"] * 998) + "]\n") == [("GS008", 1, 4 + 3 * 997 + 1)]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!<>'\"\\|%@#,? \n\t~01.é\u2028\x85\x00", max_size=40))
def test_any_text_gives_a_tree_or_a_located_error(text):
    try:
        document = read_document(text, "spec.yaml")
    except SpecError as error:
        assert error.diagnostics and str(error)
        for diagnostic in error.diagnostics:
            if diagnostic.span is not None:
                assert diagnostic.span.line <= len(text.splitlines())
    else:
        assert isinstance(document.value, dict)


# PyYAML writes line separators other than line feeds where they fold into spaces when read.
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"), max_size=8)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.integers(-(2**62), 2**62) | WORDS | st.booleans() | st.none() | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
        max_leaves=10,
    )
)
def test_what_a_yaml_writer_writes_comes_back(value):
    text = yaml.safe_dump({"a": value}, allow_unicode=True)
    # PyYAML writes 1e-05 unquoted as 1.0e-05 and quotes what YAML 1.1 would misread: both mean the same in 1.2.
    assert read(text) == {"a": value}
