"""Every diagnostic has a bad spec and its expected message, word for word.

A bad spec is called after its code; lines `# --set a.b=c` in it are overrides.
"""

import re
from pathlib import Path

import pytest

from graphspec.codes import CODES
from graphspec.diagnostics import render_text
from graphspec.loading import check_file

BAD = Path(__file__).parent / "specs" / "bad"
SPECS = sorted(BAD.glob("*.yaml"))


def overrides_in(path: Path) -> tuple[str, ...]:
    text = path.read_bytes().decode("utf-8", "replace")
    return tuple(re.findall(r"^# --set (.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_message(path: Path, golden, monkeypatch):
    monkeypatch.chdir(BAD)
    monkeypatch.delenv("GRAPHSPEC_DATA", raising=False)
    found = check_file(path.name, overrides_in(path))
    code = path.stem.split("-")[0]
    assert code in {diagnostic.code for diagnostic in found}, render_text(found)
    for diagnostic in found:
        assert diagnostic.code in CODES
        if diagnostic.span is not None:
            line = diagnostic.source.line(diagnostic.span.line)
            assert 0 <= diagnostic.span.column <= len(line) + 1
    golden(path.with_suffix(".expected"), render_text(found) + "\n")


def test_every_code_has_a_bad_spec():
    # `check` never imports a python target: what is wrong with one is found, and tested, where models are built.
    have = {"GS069"} | {path.stem.split("-")[0] for path in SPECS}
    assert sorted(set(CODES) - have) == []


def test_every_expected_message_has_a_spec():
    assert {path.stem for path in BAD.glob("*.expected")} == {path.stem for path in SPECS}


@pytest.mark.parametrize("code", CODES)
def test_catalogue_entry(code):
    assert re.fullmatch(r"GS\d{3}", code)
    entry = CODES[code]
    assert entry.title and not entry.title.endswith(".") and len(entry.title) < 80
    assert len(entry.explanation) > 60
