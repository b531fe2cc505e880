"""`--set` texts: what they change, and where their mistakes are shown."""

import pytest

from graphspec.diagnostics import SpecError
from graphspec.reading.overrides import apply_overrides
from graphspec.text.source import read_document

TEXT = """
graphspec: 1
objective: {rho: 0.5, beta: {z: 4}}
networks: {default: {kind: mlp, hidden: [500, 400]}}
training:
  epochs: 5
  initialize: [{from: runs/a, factors: [recognition.z]}]
data:
"""


def after(*overrides: str) -> dict:
    return apply_overrides(read_document(TEXT, "spec.yaml"), overrides).value


def test_values_read_like_yaml():
    changed = after("training.learning_rate=1e-3", "name=no", "objective.alpha={y: 25/rho}", "description='5'")
    assert changed["training"]["learning_rate"] == 0.001
    assert changed["name"] == "no" and changed["description"] == "5"
    assert changed["objective"]["alpha"] == {"y": "25/rho"}


def test_everything_else_stays():
    before = read_document(TEXT, "spec.yaml").value
    changed = after("training.epochs=7")
    assert changed["training"]["epochs"] == 7
    before["training"]["epochs"] = 7
    assert changed == before and list(changed) == list(before)


def test_positions_in_lists():
    assert after("networks.default.hidden.1=10")["networks"]["default"]["hidden"] == [500, 10]
    assert after("training.initialize.0.from=runs/b")["training"]["initialize"][0]["from"] == "runs/b"
    assert after("networks.default.hidden.0=null")["networks"]["default"]["hidden"] == [400]


def test_missing_mappings_are_made():
    assert after("objective.estimators.y.kind=relax")["objective"]["estimators"] == {"y": {"kind": "relax"}}
    assert after("data.labels.y=100")["data"] == {"labels": {"y": 100}}


def test_null_deletes():
    assert "beta" not in after("objective.beta=null")["objective"]
    assert "objective" not in after("objective=~")
    assert "epochs" not in after("training.epochs=")["training"]
    # A field of the language that is not written has its default already.
    assert after("training.patience=null") == after()


def test_rho_and_gamma_replace_each_other():
    assert after("objective.gamma=2")["objective"] == {"beta": {"z": 4}, "gamma": 2}
    assert after("objective.gamma=2", "objective.rho=0.1")["objective"] == {"beta": {"z": 4}, "rho": 0.1}
    assert after("objective.gamma=null")["objective"]["rho"] == 0.5


def test_later_overrides_win():
    assert after("training.epochs=7", "training.epochs=9")["training"]["epochs"] == 9


def test_values_are_located_in_the_override():
    document = apply_overrides(read_document(TEXT, "spec.yaml"), ["objective.beta={z: {from: 0, to: x}}"])
    span, source = document.locate(("objective", "beta", "z", "to"))
    assert (source.name, source.text[span.column : span.end_column]) == ("--set", "x")
    span, source = document.locate(("objective", "beta"), key=True)
    assert source.text[span.column : span.end_column] == "beta"
    span, source = document.locate(("training", "epochs"))
    assert source.name == "spec.yaml"


@pytest.mark.parametrize(
    ("override", "column", "message"),
    [
        ("training.epochs", 1, "expected SECTION.FIELD=VALUE"),
        ("", 1, "expected SECTION.FIELD=VALUE"),
        ("=5", 1, "empty"),
        ("training..epochs=5", 10, "empty"),
        ("objective.rho.x=5", 15, "single value"),
        ("networks.default.hidden.2=5", 25, "position 2 does not exist"),
        ("networks.default.hidden.-1=5", 25, "expected a position"),
        ("networks.default.hidden.first=5", 25, "expected a position"),
        ("networks.small=null", 10, "to delete"),
        ("training.epoch=null", 10, "to delete"),
        ("objective.beta={z: [1}", 22, "expected `,` or `]`"),
        ("objective.beta={z: 1, z: 2}", 23, "defined twice"),
        ("name=!!python/name:os.system", 6, "tag"),
        ("name=*x", 6, "no anchor"),
        (".".join("a" * 70) + "=1", 1, "more than 64 parts"),
    ],
)
def test_mistakes(override, column, message):
    with pytest.raises(SpecError, match="--set") as caught:
        after(override)
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.line, found.span.column + 1) == ("GS009", 0, column)
    assert message in found.message


def test_all_mistakes_at_once():
    with pytest.raises(SpecError) as caught:
        after("a", "training.epochs=3", "=b")
    assert len(caught.value.diagnostics) == 2
