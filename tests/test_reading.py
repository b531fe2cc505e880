"""Fields and values: pydantic's errors in our words, at the right place, one for each mistake."""

import re
from pathlib import Path

import pytest

from graphspec import SpecError, load
from graphspec.describe.json_schema import json_schema
from graphspec.describe.resolved import spec_as_yaml
from graphspec.language import Schedule, Spec
from graphspec.loading import check_file

GOOD = sorted((Path(__file__).parent / "specs" / "good").glob("*.yaml"))
BASE = """\
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  y: {role: supervised, domain: category, classes: 10}
  z: {role: latent, domain: real, size: 5}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], distribution: bernoulli}
recognition:
  y: {parents: [x]}
  z: {parents: [x, y]}
"""


def found(extra: str = "", base: str = BASE, overrides: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(code, the text under the caret) of every error."""
    diagnostics = check_file("spec.yaml", overrides, text=base + extra)
    return [
        (d.code, d.source.line(d.span.line)[d.span.column : d.span.end_column])
        for d in diagnostics
        if d.severity == "error"
    ]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_specs_are_good(path):
    assert check_file(path) == ()
    assert load(path).spec.graphspec == 1


def test_whole_numbers_are_numbers():
    graphs = load("s", text=BASE + "objective: {alpha: 50, rho: 1}\ntraining: {learning_rate: 1}\n")
    assert graphs.spec.objective.alpha == 50 and graphs.spec.training.learning_rate == 1


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        # Tags of unions never show, and no mistake is told twice.
        ("training: {compile: 3}", [("GS012", "3")]),
        ("training: {learning_rate: {from: a, to: 1, epochs: 2}}", [("GS012", "a")]),
        ("objective: {alpha: {y: [1]}}", [("GS012", "[1]")]),
        ("objective: {alpha: {y: {from: 1, to: b, epochs: 2}}}", [("GS012", "b")]),
        ("objective: {alpha: {from: 1, to: b, epochs: 2}}", [("GS012", "b")]),
        ("objective: {beta: {z: {total_correlation: six}}}", [("GS012", "six")]),
        ("objective: {estimators: {y: {kind: enumerate, budget: 0}}}", [("GS014", "0")]),
        ("networks: {mlp: {kind: mlp, mlp: 3, hidden: [0]}}", [("GS010", "mlp"), ("GS014", "0")]),
        ("networks: {default: {kind: mlp, hidden: wide}}", [("GS012", "wide")]),
        ("training: {initialize: {from: 3, factors: [recognition.z]}}", [("GS012", "3")]),
        ("training: {initialize: [{from: a, factors: recognition.z}]}", [("GS012", "recognition.z")]),
        ("data: {source: digits, variables: {x: [1]}}", [("GS012", "1")]),
        ("data: {source: digits, variables: {x: {column: image, missing: [[1]]}}}", [("GS012", "[1]")]),
        ("data: {source: digits, variables: {x: image}, test: {fraction: 2}}", [("GS014", "2")]),
        # A misspelled required field is one mistake, and its value is checked as well.
        ("networks: {default: {kind: mlp, hiden: [0]}}", [("GS010", "hiden"), ("GS014", "0")]),
        ("objective: {beta: {z: {from: 0, to: 1, epoch: 5}}}", [("GS010", "epoch")]),
        # Aliases of fields are the names shown.
        ("objective: {beta: {z: {start: 0, to: 1, epochs: 5}}}", [("GS010", "start")]),
        (
            "data: {source: digits, variables: {x: image, y: label}, labels: {y: {same_as: x}}}",
            [("GS010", "same_as"), ("GS086", "x")],
        ),
        ("objective: {alpha: .nan}", [("GS014", ".nan")]),
    ],
)
def test_one_mistake_one_diagnostic(extra, expected):
    assert found(extra + "\n") == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("graphspec: 1", "graphspec: 1.0", [("GS017", "1.0")]),
        ("graphspec: 1", "graphspec: true", [("GS017", "true")]),
        ("size: 5", "sizes: 5", [("GS010", "sizes")]),
        ("role: latent", "role: latnet", [("GS013", "latnet")]),
        ("  z: {parents: [x, y]}", "  z: {parent: [x, y]}", [("GS010", "parent")]),
        ("  z: {parents: [x, y]}", "  z: {parents: [x, y], size: 3}", [("GS010", "size")]),
        ("  z: {}", "  z:", [("GS012", "")]),
        ("recognition:\n", "encoder:\n", [("GS010", "encoder")]),
        ("distribution: bernoulli", "distribution: {knd: bernoulli}", [("GS010", "knd")]),
        ("distribution: bernoulli", "network: {kind: dense, hidden: [3]}", [("GS013", "dense")]),
        ("distribution: bernoulli", "parameters: {loc: lerned}", [("GS012", "lerned")]),
        ("distribution: bernoulli", "parameters: {scale: {learned: pixel}}", [("GS013", "pixel")]),
        ("distribution: bernoulli", "parameters: {scale: {network: small}}", [("GS011", "{network: small}")]),
    ],
)
def test_graph_sections(old, new, expected):
    assert old in BASE
    assert found(base=BASE.replace(old, new, 1))[: len(expected)] == expected


def test_a_mistake_in_a_field_does_not_hide_one_in_the_graphs():
    codes = [code for code, _ in found("training: {epochs: many}\n", BASE.replace("[x, y]", "[x, w]"))]
    assert codes == ["GS030", "GS012"]


def test_a_misspelled_section_does_not_hide_what_is_in_it():
    codes = found("traning: {epochs: many, epoch: 3}\n")
    assert codes[0] == ("GS010", "traning") and ("GS012", "many") in codes


def test_faulty_data_are_not_judged_further():
    extra = "data: {source: digits, variables: {x: image, y: {missing: [9]}}, labels: {y: 100}}\n"
    assert found(extra) == [("GS015", "{missing: [9]}")]


def test_load_raises_with_everything():
    with pytest.raises(SpecError) as caught:
        load("spec.yaml", ["training.epochs=0"], text=BASE.replace("[x, y]", "[x, w]"))
    assert {d.code for d in caught.value.diagnostics} == {"GS030", "GS014"}
    assert [d.source.name for d in caught.value.diagnostics] == ["spec.yaml", "--set"]


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.yaml").write_text(BASE)
    Path("latin.yaml").write_bytes(b"graphspec: 1\nname: caf\xe9\n")
    for name, words in [
        ("modle.yaml", "did you mean `model.yaml`?"),
        ("nowhere/model.yaml", "folder nowhere does not exist"),
        (".", "this is a folder"),
        ("latin.yaml", "line 2 is not UTF-8"),
        ("model.yaml/x", "cannot be read"),
        ("nul\0byte", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ]:
        (diagnostic,) = check_file(name)
        assert diagnostic.code == "GS001"
        assert words in f"{diagnostic.message} {diagnostic.hint}"


# --- JSON Schema ----------------------------------------------------------------------------------------------------


def fits(value, schema, root) -> bool:
    """The part of JSON Schema that ours uses, spelled out."""
    if "$ref" in schema and not fits(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root):
        return False
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    kind = schema.get("type")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in kinds and not isinstance(value, kinds[kind]):
        return False
    if (kind == "number" and not number) or (kind == "integer" and (not number or value != int(value))):
        return False
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        return False
    if "anyOf" in schema and not any(fits(value, form, root) for form in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(fits(value, form, root) for form in schema["oneOf"]) != 1:
        return False
    if "not" in schema and fits(value, schema["not"], root):
        return False
    if number:
        limits = {"minimum": 0, "exclusiveMinimum": 1, "maximum": 2, "exclusiveMaximum": 3}
        holds = [lambda a: value >= a, lambda a: value > a, lambda a: value <= a, lambda a: value < a]
        return all(holds[limits[word]](schema[word]) for word in limits if word in schema)
    if isinstance(value, str) and "pattern" in schema:
        return re.search(schema["pattern"], value) is not None
    if isinstance(value, list):
        return all(fits(item, schema.get("items", {}), root) for item in value)
    if isinstance(value, dict):
        fields, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        names = all(fits(key, schema.get("propertyNames", {}), root) for key in value)
        needed = all(name in value for name in schema.get("required", ()))
        known = all(fits(item, fields[key], root) for key, item in value.items() if key in fields)
        unknown = [item for key, item in value.items() if key not in fields]
        return (
            names
            and needed
            and known
            and (not unknown if rest is False else all(fits(u, rest, root) for u in unknown if rest is not True))
        )
    return True


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_json_schema_accepts_good_specs(path):
    from graphspec.text.source import read_document

    schema = json_schema()
    assert fits(read_document(path.read_text(), path.name).value, schema, schema)


@pytest.mark.parametrize(
    "extra",
    [
        "traning: {}",
        "objective: {rho: 2}",
        "objective: {alpha: 25*rho}",
        "networks: {default: {kind: mlp}}",
        "networks: {default: {kind: conv, channels: [3]}}",
        "networks: {auto: {kind: linear}}",
        "training: {epochs: 0}",
        "training: {optimizer: adamax}",
        "data: {source: digits, labels: {y: 1.5}}",
        "data: {variables: {x: image}}",
    ],
)
def test_json_schema_refuses_what_reading_refuses(extra):
    from graphspec.text.source import read_document

    schema = json_schema()
    assert fits(read_document(BASE, "s").value, schema, schema)
    assert not fits(read_document(BASE + extra + "\n", "s").value, schema, schema)
    assert found(extra + "\n")


def test_json_schema_describes_every_field():
    def properties(value):
        if isinstance(value, dict):
            yield from value.get("properties", {}).items()
            for item in value.values():
                yield from properties(item)
        elif isinstance(value, list):
            for item in value:
                yield from properties(item)

    bare = [
        name for name, entry in properties(json_schema()) if isinstance(entry, dict) and not entry.get("description")
    ]
    assert bare == []


def test_json_schema_knows_every_section():
    schema = json_schema()
    assert set(schema["properties"]) == set(Spec.model_fields)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["properties"]["networks"]["additionalProperties"]["discriminator"]["propertyName"] == "kind"


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        ("{from: 5, to: 3}", {"from": 5.0, "to": 3.0}),
        ("{to: {from: 0, to: 1, epochs: 3}}", {"to": Schedule.model_validate({"from": 0.0, "to": 1.0, "epochs": 3.0})}),
        ("{from: 5, to: 3, epochs: 4}", Schedule.model_validate({"from": 5.0, "to": 3.0, "epochs": 4.0})),
    ],
)
def test_labels_called_from_and_to_have_weights_of_their_own(alpha, expected):
    text = f"""
graphspec: 1
variables:
  x: {{role: observed, size: 3}}
  from: {{role: supervised, domain: binary}}
  to: {{role: supervised, domain: binary}}
generative: {{from: {{}}, to: {{}}, x: {{parents: [from, to]}}}}
recognition: {{from: {{parents: [x]}}, to: {{parents: [x, from]}}}}
objective: {{alpha: {alpha}}}
"""
    graphs = load("spec.yaml", text=text)
    assert graphs.spec.objective.alpha == expected
    assert load("spec.yaml", text=spec_as_yaml(graphs.spec)).spec == graphs.spec
