"""The parser in C reads a text exactly as PyYAML's own does, to the column, or leaves it to that one."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphspec.diagnostics import SourceText
from graphspec.text import composing
from graphspec.text.composing import MAX_DEPTH, MAX_NODES
from graphspec.text.quick_composing import compose_clean

ROOT = Path(__file__).parents[1]
TEXTS = sorted([*(ROOT / "specs").glob("*.yaml"), *(ROOT / "tests" / "specs").rglob("*.yaml")])
pytest.importorskip("yaml.cyaml", reason="PyYAML was built without its parser in C")


def both(text: str):
    source = SourceText("spec.yaml", text)
    return compose_clean(source, MAX_NODES, MAX_DEPTH), composing._compose_carefully(source)


def agree(text: str) -> bool:
    quick, (careful, found) = both(text)
    assert quick is None or (quick == careful and not found)
    return quick is not None


def test_specs_are_read_alike():
    read = [agree(path.read_text(encoding="utf-8", errors="replace")) for path in TEXTS]
    assert sum(read) > len(read) / 2  # and mostly by the quick one


@pytest.mark.parametrize(
    "text",
    [
        "a: 1",  # no last line break
        "a: &b 1\nc: *b\n",
        "a: 1\na: 2\n",
        "<<: {a: 1}\n",
        "a: !t 1\n",
        "? a\n: 1\n",
        "a:\t1\n",
        "a: [1,\n 2]\n",
        "a: x\n  y\n",
        "a: |\n  x\n",
        "a: {b: }\n",
        "a: 99999999999999999999\n",
        "a: [1\n",
        "a: 1\n---\nb: 2\n",
        "",
        "a: '\ud800'\n",
        "a: \x85b\n",
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_careful_one(text):
    assert compose_clean(SourceText("spec.yaml", text), MAX_NODES, MAX_DEPTH) is None


def test_caps_are_left_to_the_careful_one():
    source = SourceText("spec.yaml", "a: [1, [2]]\n")
    assert compose_clean(source, 6, 4) is not None
    assert compose_clean(source, 5, 4) is None
    assert compose_clean(source, 6, 3) is None


PIECES = st.sampled_from(
    [
        *":,[]{}#&*!|>'\"%@`-? \n\\.~=<0aé\r/",
        ": ",
        "- ",
        "\n  ",
        "---\n",
        "...\n",
        "# c\n",
        "''",
        '"\\x41"',
        "\U0001f600",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_broken_specs_are_read_alike_or_left(data):
    lines = data.draw(st.sampled_from(TEXTS)).read_text(encoding="utf-8", errors="replace").splitlines(True)
    first = data.draw(st.integers(0, max(0, len(lines) - 4)))
    text = "".join(line for line in lines[first : first + 6] if "?" not in line)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(PIECES) + text[place + data.draw(st.integers(0, 2)) :]
    agree(text.rstrip("\n ") + "\n")
