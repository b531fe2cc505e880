"""Whatever an author's hands slip into a spec, the answer is diagnostics with places, never a traceback."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphspec.describe.formats import as_json, as_sarif
from graphspec.diagnostics import SpecError, render_text
from graphspec.loading import check_file, load

FOLDER = Path(__file__).parent / "specs" / "good"
TEXTS = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.yaml"))}
# What people put in the wrong place: other kinds of values, words of the language, empty and enormous things.
NUMBERS = [0, 1, -1, 0.5, 1e9, 2**62, float("nan"), float("inf"), None, True]
WORDS = ["", "x", "z", "auto", "learned", "exact", "25/rho", "h@previous", "normal", "gaussian", "flip flop"]
LISTS = [[], [[]], [0], ["x"], ["x", "x"], [None]]
MAPPINGS = [{}, {"kind": "mlp"}, {"from": 1}, {"kind": "dot"}, {"learned": "element"}, {"x": {}}, {"parents": ["x"]}]
VALUES = st.sampled_from([*NUMBERS, *WORDS, *LISTS, *MAPPINGS])
settings.register_profile("specs", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(text: str, overrides: tuple[str, ...] = ()) -> None:
    found = check_file("spec.yaml", overrides, text=text)
    render_text(found)
    as_json({"spec.yaml": found})
    as_sarif(found, "0")
    for diagnostic in found:
        assert diagnostic.message
        if diagnostic.span is not None:
            lines = diagnostic.source.text.splitlines()
            assert 0 <= diagnostic.span.line <= len(lines)
    try:
        load("spec.yaml", overrides, text=text)
    except SpecError as error:
        assert any(d.severity == "error" for d in error.diagnostics)
    else:
        assert all(d.severity != "error" for d in found)


@pytest.mark.parametrize("name", TEXTS)
@settings(settings.get_profile("specs"), max_examples=12)
@given(data=st.data())
def test_mutated_text(name, data):
    text = TEXTS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        inserted = data.draw(
            st.sampled_from(["", " ", ":", "- ", "\n", "\t", "[", "}", ",", "'", "&a ", "*a", "0", "é", "x"])
        )
        text = text[:start] + inserted + text[end:]
    survives(text)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def mutate(tree, data):
    """Deletes, replaces, renames or moves one node of a plain tree, in place."""
    path = data.draw(st.sampled_from([p for p in places(tree) if p]))
    parent = tree
    for step in path[:-1]:
        parent = parent[step]
    action = data.draw(st.sampled_from(["delete", "replace", "replace", "rename", "graft"]))
    if action == "delete":
        del parent[path[-1]]
    elif action == "rename" and isinstance(parent, dict):
        parent[data.draw(st.sampled_from(["x", "y", "kind", "parents", "foo", "auto", "from", "1", ""]))] = parent.pop(
            path[-1]
        )
    elif action == "graft":
        source = data.draw(st.sampled_from([p for p in places(tree) if p]))
        grafted = tree
        for step in source:
            grafted = grafted[step]
        parent[path[-1]] = copy.deepcopy(grafted)
    else:
        parent[path[-1]] = copy.deepcopy(data.draw(VALUES))


@pytest.mark.parametrize("name", TEXTS)
@settings(settings.get_profile("specs"), max_examples=25)
@given(data=st.data())
def test_mutated_trees(name, data):
    tree = yaml.safe_load(TEXTS[name].replace("no, yes", "'no', 'yes'"))
    for _ in range(data.draw(st.integers(1, 3))):
        if isinstance(tree, dict) and tree:
            mutate(tree, data)
    survives(yaml.safe_dump(tree, allow_unicode=True))


@settings(settings.get_profile("specs"), max_examples=40)
@given(data=st.data())
def test_mutating_overrides(data):
    name = data.draw(st.sampled_from(sorted(TEXTS)))
    tree = yaml.safe_load(TEXTS[name])
    path = data.draw(st.sampled_from([p for p in places(tree) if p]))
    value = yaml.safe_dump(data.draw(VALUES), default_flow_style=True).removesuffix("...\n").strip()
    survives(TEXTS[name], (f"{'.'.join(map(str, path))}={value}",))
