"""`graphspec data`: lists, looks into files, counts a spec's rows; mistakes are told, never traced."""

import json
from pathlib import Path

import numpy as np
import pytest
from data_specs import write_npz
from picture_makers import ramp, save
from typer.testing import CliRunner

from runtime.cli.app import app

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 2}
  y: {role: supervised, domain: category, classes: 2}
  z: {role: latent, size: 2}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
data: {source: rows.npz, variables: {x: x, y: y}, labels: {y: 6}, test: 20, validation: 0}
"""


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["data", *arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    write_npz(tmp_path / "rows.npz", x=np.zeros((50, 2)), y=np.arange(50) % 2)
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path / "spec.yaml"


def test_every_known_set_is_listed(tmp_path: Path) -> None:
    text = run("--data-dir", str(tmp_path))
    assert all(name in text for name in ("digits", "mnist", "svhn", "yale_b", "embedded", str(tmp_path)))
    found = json.loads(run("--json", "--data-dir", str(tmp_path)))
    there = {known["name"]: known["present"] for known in found["sets"]}
    assert there == {
        "digits": True,
        "mnist": False,
        "mnist_pairs": False,
        "multi_mnist": False,
        "sprites": True,
        "svhn": False,
        "svhn_extra": False,
        "yale_b": False,
    }


def test_one_set_and_one_file(spec: Path) -> None:
    assert "label: integer [], 10 classes" in run("mnist")
    assert json.loads(run("digits", "--json"))["rows"] == {"train": 1797}
    assert "x: number [2]" in run(str(spec.parent / "rows.npz"))


def test_a_spec_is_counted(spec: Path) -> None:
    lines = [line.split() for line in run(str(spec)).splitlines()]
    assert ["training", "30"] in lines and ["x", "y", "6"] in lines and ["x", "24"] in lines
    found = json.loads(run(str(spec), "--json", "--set", "data.labels.y=10"))
    assert found["labelled"] == {"y": 10} and found["patterns"]["training"] == {"y": 10, "none": 20}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mnst"], "did you mean `mnist`?"),
        (["nothing.npz"], "no file of that name"),
        (["nothing.yaml"], "nothing.yaml"),
        (["SPEC", "--set", "data.source=gone.npz"], "gone.npz"),
        (["SPEC", "--set", "data.labels.y={per_class: 15}"], "are asked for"),
    ],
)
def test_mistakes(spec: Path, arguments: list[str], said: str) -> None:
    assert said in run(*[str(spec) if word == "SPEC" else word for word in arguments], code=1)


def test_a_folder_of_images_shows_its_classes_and_what_is_not_read(tmp_path: Path) -> None:
    for name in ("ant/1.png", "bee/2.png", "unlabelled/3.png", "bee/old/4.png"):
        save(tmp_path / "pics" / name, ramp())
    shown = run(str(tmp_path / "pics"))
    assert "image: integer [1, 4, 6]" in shown and "label: text [], 3 classes: ant, bee, unlabelled" in shown
    assert "images in deeper folders are not read: bee/old (1 image)" in shown
    assert "then read {column: label, missing: [unlabelled]}" in shown
    facts = json.loads(run(str(tmp_path / "pics"), "--json"))
    assert facts["columns"]["label"]["folders"] == ["ant", "bee", "unlabelled"] and len(facts["notes"]) == 2


def test_texts_that_are_numbers_or_dates_are_told_with_what_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["price;weight;born;share;kind", "3,5;1.234,5;1.2.1990;5 %;a", "4,25;1.000;2.3.1991;7 %;b", ";NA;;9 %;a"]
    Path("shop.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    notes = json.loads(run("shop.csv", "--json"))["notes"]
    assert notes[0] == """price, weight: '3,5' looks like a number: say data: {decimal: ",", thousands: "."}"""
    assert notes[1].startswith("born: '1.2.1990' looks like a date") and notes[2].startswith(
        "share: '5 %' is a percent"
    )
    assert len(notes) == 3 and all(note in run("shop.csv") for note in notes)


def test_plain_columns_have_no_note(tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text("a,b,c\n1.5,x,\n2,y,NA\n,NA,?\n", encoding="utf-8")
    assert json.loads(run(str(tmp_path / "plain.csv"), "--json"))["notes"] == []
