"""Predictions for rows with as many elements as they have: in the input's own layout, whatever stands beside a row, and up
to the likeliest number where nobody counted."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plate_examples import NAMES, OVERRIDES, example
from tiny_runs import make_run

from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.data import prepare
from runtime.errors import DataError, RunError
from runtime.predicting.predict_sheets import predict_input
from runtime.predicting.row_answers import AskedFor
from runtime.predicting.settings import asked_for
from runtime.predicting.used_run import use_run
from runtime.runs.run_folder import Run

LONG = """graphspec: 1
name: visits
plates:
  visits: {count: n, ordered: true}
variables:
  n: {role: observed, domain: count, min: 0, max: 8}
  age: {role: observed, domain: real}
  crp: {role: observed, domain: real, missing: true, plate: visits}
  ill: {role: supervised, domain: binary, names: [well, ill], allow: [GS121]}
  stage: {role: supervised, domain: category, names: [a, b, c], plate: visits, allow: [GS121]}
  z: {role: latent, domain: real, size: 2, plate: visits}
  f: {role: deterministic, plate: visits}
generative:
  ill: {}
  age: {parents: [ill]}
  stage: {parents: [ill, stage@previous]}
  z: {parents: [z@previous]}
  crp: {parents: [stage, z]}
recognition:
  f: {parents: [f@previous, crp, age], network: {kind: gru, hidden: 4}, allow: [GS105]}
  ill: {parents: [f@last], allow: [GS105]}
  stage: {parents: [f, ill, stage@previous], allow: [GS105]}
  z: {parents: [f, stage, z@previous], allow: [GS105]}
networks: {default: {kind: mlp, hidden: [4]}}
data:
  source: SOURCE
  PLATES
  variables: {age: age, crp: {column: crp, standardize: true}, ill: ill, stage: stage}
  test: 0
  validation: 0
training: {epochs: 1}
"""
LINES = "plates: {visits: {key: patient, order: day}}"
TABLES = "plates: {visits: {source: visits.csv, key: patient, order: day}}"


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def patients(lengths: list[int], seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "patient": f"p{number}", "age": 40 + 2 * number, "ill": ["well", "ill", ""][number % 3],
            "visits": [
                {"day": day, "crp": round(float(rng.normal(20, 5)), 3), "stage": ["a", "b", "c", ""][(number + day) % 4]}
                for day in range(length)
            ],
        }
        for number, length in enumerate(lengths)
    ]  # fmt: skip


def long(people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line a visit."""
    return [
        {"patient": p["patient"], "note": f"{p['patient']}/{v['day']}", "age": p["age"], "ill": p["ill"], **v}
        for p in people
        for v in p["visits"]
    ]


def run_of(folder: Path, source: str, plates: str, **files: list[dict[str, Any]]) -> Run:
    for name, rows in files.items():
        write(folder / f"{name}.csv", rows)
    spec = folder / "visits.yaml"
    spec.write_text(LONG.replace("SOURCE", source).replace("PLATES", plates), encoding="utf-8")
    return make_run(folder / "run", spec)


PEOPLE = patients([3, 1, 5, 2, 4, 2])


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("lines"), "all.csv", LINES, all=long(PEOPLE))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rows = [{name: p[name] for name in ("patient", "age", "ill")} for p in PEOPLE]
    visits = [{"patient": p["patient"], **v} for p in PEOPLE for v in p["visits"]]
    return run_of(tmp_path_factory.mktemp("tables"), "rows.csv", TABLES, rows=rows, visits=visits)


def answer(run: Run, source: Path, out: Path, asked: AskedFor | None = None, **options: Any) -> list[dict[str, str]]:
    predict_input(use_run(run.folder), str(source), out, asked or AskedFor(), **options)
    return read(out)


def shares(line: dict[str, str]) -> list[float]:
    return [float(cell) for name, cell in line.items() if "=" in name]


def test_a_table_of_lines_comes_back_as_its_lines(lines: Run, tmp_path: Path) -> None:
    given = long(PEOPLE)[::-1]  # the file's own order, whatever the days say
    found = answer(lines, write(tmp_path / "new.csv", given), tmp_path / "out.csv")
    assert [line["note"] for line in found] == [line["note"] for line in given]
    for line, told in zip(found, given, strict=True):
        assert line["crp"] == str(told["crp"]) and line["age"] == str(told["age"])
        assert line["stage"] in ("a", "b", "c") and line["ill"] in ("well", "ill")
        assert not told["stage"] or (line["stage"] == told["stage"] and float(line["stage.probability"]) == 1)
    by_patient: dict[str, set[str]] = {}
    for line in found:
        by_patient.setdefault(line["patient"], set()).add(line["ill=ill"])
    assert all(len(different) == 1 for different in by_patient.values())
    assert len({line["stage=a"] for line in found if line["stage.probability"] != "1.0"}) > 1


def test_what_is_said_is_what_the_model_says_of_the_row(lines: Run, tmp_path: Path) -> None:
    bare = [{**line, "ill": "", "stage": ""} for line in long(PEOPLE)]
    found = answer(lines, write(tmp_path / "new.csv", bare), tmp_path / "out.csv")
    used = use_run(lines.folder)
    rows = prepare(load(lines.folder.parent / "visits.yaml"), spec_path=lines.folder.parent / "visits.yaml").training
    batch = rows.batch(torch.arange(len(PEOPLE)), torch.float32)
    observed = {name: values for name, values in batch.items() if name not in used.graphs.supervised}
    with torch.no_grad():
        ill = used.model.predict("ill", observed, noise=Noise(0, len(PEOPLE)))
    order = {p["patient"]: place for place, p in enumerate(PEOPLE)}
    for line in found:
        assert float(line["ill=ill"]) == pytest.approx(ill[order[line["patient"]], 1].item(), abs=1e-5)


def test_neither_padding_nor_company_changes_an_answer(lines: Run, tmp_path: Path) -> None:
    """One patient alone, among others, among longer ones, in batches of any size and in any order."""
    every = long(PEOPLE)
    asked = AskedFor(samples=7)
    whole = answer(lines, write(tmp_path / "a.csv", every), tmp_path / "a-out.csv", asked)
    longer = [*every, *long([{**patients([8], seed=3)[0], "patient": "long"}])]
    among = answer(lines, write(tmp_path / "b.csv", longer[::-1]), tmp_path / "b-out.csv", asked, batch_rows=2)
    by_note = {line["note"] + line["patient"]: line for line in among}
    for line in whole:
        assert shares(line) == pytest.approx(shares(by_note[line["note"] + line["patient"]]), abs=2e-6)
    for person in PEOPLE[1:4]:
        alone = answer(lines, write(tmp_path / "c.csv", long([person])), tmp_path / "c-out.csv", asked)
        for line in alone:
            same = next(each for each in whole if each["note"] == line["note"])
            assert shares(line) == pytest.approx(shares(same), abs=2e-6)
            assert float(line["z[0]"]) == pytest.approx(float(same["z[0]"]), abs=2e-5)


def test_several_tables_come_back_as_several(tables: Run, lines: Run, tmp_path: Path) -> None:
    """A row without lines among them; one longer than any in training."""
    people = [*patients([3, 0, 7, 1], seed=5)]
    write(tmp_path / "rows.csv", [{name: p[name] for name in ("patient", "age", "ill")} for p in people])
    visits = [{"patient": p["patient"], **v} for p in people for v in p["visits"]]
    write(tmp_path / "visits.csv", visits)
    used = use_run(tables.folder)
    told = predict_input(used, str(tmp_path / "rows.csv"), tmp_path / "answers.csv", AskedFor())
    rows, found = read(tmp_path / "answers.csv"), read(tmp_path / "answers-visits.csv")
    assert any("answers-visits.csv" in note for note in told.notes) and told.rows == 4
    assert [line["patient"] for line in rows] == ["p0", "p1", "p2", "p3"] and "stage" not in rows[0]
    assert rows[1]["ill"] == "ill" and rows[2]["ill"] in ("well", "ill") and 0 < float(rows[2]["ill=ill"]) < 1
    assert [(line["patient"], line["day"]) for line in found] == [(v["patient"], str(v["day"])) for v in visits]
    assert "ill" not in found[0] and all(line["stage"] for line in found)
    weights = {name: values.clone() for name, values in used.model.state_dict().items()}
    same = use_run(lines.folder)
    same.model.load_state_dict(weights)
    predict_input(same, str(write(tmp_path / "long.csv", long(people))), tmp_path / "l.csv", AskedFor())
    for one, other in zip(read(tmp_path / "l.csv"), found, strict=True):
        assert one["stage"] == other["stage"] and float(one["stage=b"]) == pytest.approx(
            float(other["stage=b"]), abs=1e-5
        )


def test_the_same_from_python(tables: Run, tmp_path: Path) -> None:
    from runtime import open_predictor

    write(tmp_path / "rows.csv", [{name: p[name] for name in ("patient", "age", "ill")} for p in PEOPLE])
    write(tmp_path / "visits.csv", [{"patient": p["patient"], **v} for p in PEOPLE for v in p["visits"]])
    predictor = open_predictor(tables.folder)
    told = predictor.predict(str(tmp_path / "rows.csv"))
    predict_input(predictor.used, str(tmp_path / "rows.csv"), tmp_path / "a.csv", AskedFor())
    for plate, file in (("", "a.csv"), ("visits", "a-visits.csv")):
        for name in ("ill=ill",) if not plate else ("stage=a", "z[1]"):
            assert np.allclose(np.asarray(told[plate][name], float), [float(r[name]) for r in read(tmp_path / file)])
    with pytest.raises(RunError, match="path of the rows' table"):
        predictor.predict({"age": np.ones(2)})


def test_elements_beyond_the_plate_and_tables_that_are_not_there(tables: Run, lines: Run, tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", [{"patient": "p0", "age": 40, "ill": ""}])
    with pytest.raises(DataError, match=r"no visits.csv beside rows.csv"):
        answer(tables, tmp_path / "rows.csv", tmp_path / "out.csv")
    with pytest.raises(DataError, match="has 9 visits, and plate visits has room for 8"):
        answer(lines, write(tmp_path / "long.csv", long(patients([9]))), tmp_path / "out.csv")
    with pytest.raises(RunError, match="are written as lines"):
        answer(lines, tmp_path / "long.csv", tmp_path / "out.npz")
    with pytest.raises(DataError, match="'age'"):
        answer(lines, write(tmp_path / "few.csv", [{"patient": "p0", "day": 1, "crp": 3}]), tmp_path / "out.csv")
    assert not list(tmp_path.glob("out*"))


def test_labels_that_the_input_lacks_and_classes_that_are_none(lines: Run, tmp_path: Path) -> None:
    bare = [{k: v for k, v in line.items() if k not in ("ill", "stage")} for line in long(PEOPLE)]
    found = answer(lines, write(tmp_path / "bare.csv", bare), tmp_path / "bare-out.csv")
    blank = [{**line, "ill": "", "stage": ""} for line in long(PEOPLE)]
    strange = [{**line, "stage": "q" if i == 2 else ""} for i, line in enumerate(blank)]
    told = predict_input(
        use_run(lines.folder), str(write(tmp_path / "s.csv", strange)), tmp_path / "s-out.csv", AskedFor()
    )
    assert any("'stage'" in note and "'q'" in note for note in told.notes)
    for one, other in zip(found, read(tmp_path / "s-out.csv"), strict=True):
        assert shares(one) == pytest.approx(shares(other), abs=1e-6)


def test_draws_and_imputed_cells_of_elements(lines: Run, tmp_path: Path) -> None:
    holes = [{**line, "crp": "" if i % 3 == 0 else line["crp"]} for i, line in enumerate(long(PEOPLE))]
    source = write(tmp_path / "holes.csv", holes)
    used = use_run(lines.folder)
    found = answer(lines, source, tmp_path / "i.csv", asked_for(used, impute=True))
    assert all(float(line["crp"]) for line in found)
    assert all(bool(line["crp.low"]) == (i % 3 == 0) for i, line in enumerate(found))
    drawn = answer(lines, source, tmp_path / "d.csv", asked_for(used, draws=3))
    assert len(drawn) == 3 * len(holes) and [line["draw"] for line in drawn[:: len(holes)]] == ["1", "2", "3"]
    assert drawn[0]["crp"] != drawn[len(holes)]["crp"] and drawn[1]["crp"] == drawn[len(holes) + 1]["crp"]


HIDDEN = """graphspec: 1
name: scenes
plates:
  objects: {size: 3, count: k}
variables:
  x: {role: observed, domain: real, size: 4}
  k: {role: supervised, domain: count, min: 0, max: 3, allow: [GS121]}
  kind: {role: supervised, domain: category, names: [dot, ring], plate: objects, allow: [GS121]}
  z: {role: latent, domain: real, plate: objects}
generative:
  k: {}
  kind: {}
  z: {}
  x: {parents: [kind@sum, z@sum]}
recognition:
  k: {parents: [x]}
  kind: {parents: [x], allow: [GS105]}
  z: {parents: [x, kind], allow: [GS105]}
networks: {default: {kind: mlp, hidden: [4]}}
data:
  source: scenes.npz
  variables: {x: x, k: k, kind: kind}
  test: 0
  validation: 0
training: {epochs: 1}
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    k = rng.integers(0, 4, 30)
    kind = np.where(np.arange(3) < k[:, None], rng.integers(0, 2, (30, 3)), -1)
    np.savez(folder / "scenes.npz", x=rng.normal(size=(30, 4)), k=k, kind=kind)
    (folder / "scenes.yaml").write_text(HIDDEN)
    return make_run(folder / "run", folder / "scenes.yaml")


def test_padded_arrays_end_where_the_count_or_the_likeliest_count_says(scenes: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x, k = rng.normal(size=(12, 4)) * 5, np.where(np.arange(12) < 6, np.arange(12) % 4, -1)
    kind = np.full((12, 3), 1)  # the cells of absent elements hold anything
    np.savez(tmp_path / "new.npz", x=x, k=k, kind=np.where(k[:, None] < 0, -1, kind), name=np.arange(12))
    used = use_run(scenes.folder)
    predict_input(used, str(tmp_path / "new.npz"), tmp_path / "out.npz", AskedFor())
    found = np.load(tmp_path / "out.npz")
    assert (found["k"][:6] == k[:6]).all() and (found["name"] == np.arange(12)).all()
    there = np.arange(3) < found["k"][:, None]
    assert found["kind"].shape == (12, 3) and ((found["kind"] != "") == there).all()
    assert (np.isnan(found["kind.probabilities"]).all(-1) == ~there).all() and (np.isnan(found["z"]) == ~there).all()
    assert (found["kind"][:6][there[:6]] == "ring").all() and set(found["kind"][6:][there[6:]]) <= {"dot", "ring"}
    likeliest = found["k.probabilities"][6:].argmax(-1)
    assert (found["k"][6:] == likeliest).all()
    np.savez(tmp_path / "bare.npz", x=x[6:], k=np.full(6, -1), kind=np.full((6, 1), -1))
    predict_input(used, str(tmp_path / "bare.npz"), tmp_path / "b.npz", AskedFor(latents="none"), batch_rows=5)
    bare = np.load(tmp_path / "b.npz")
    assert np.allclose(bare["kind.probabilities"], found["kind.probabilities"][6:], atol=1e-6, equal_nan=True)


def test_flat_arrays_come_back_flat_with_their_lengths(lines: Run, tmp_path: Path) -> None:
    people = patients([2, 0, 4, 1], seed=2)
    lengths = np.array([len(p["visits"]) for p in people])
    visits = [v for p in people for v in p["visits"]]
    arrays = {
        "count": lengths, "age": np.array([float(p["age"]) for p in people]), "ill": np.array([p["ill"] for p in people]),
        "crp": np.array([v["crp"] for v in visits]), "stage": np.array([v["stage"] for v in visits]),
    }  # fmt: skip
    np.savez(tmp_path / "all.npz", **arrays)
    spec = tmp_path / "visits.yaml"
    spec.write_text(LONG.replace("SOURCE", "all.npz").replace("PLATES", "plates: {visits: {lengths: count}}"))
    used = use_run(make_run(tmp_path / "run", spec).folder)
    with pytest.raises(RunError, match="are written as arrays"):
        predict_input(used, str(tmp_path / "all.npz"), tmp_path / "out.csv", AskedFor())
    predict_input(used, str(tmp_path / "all.npz"), tmp_path / "out.npz", AskedFor())
    found = np.load(tmp_path / "out.npz")
    assert (found["count"] == lengths).all() and (found["age"] == arrays["age"]).all()
    assert found["ill.probabilities"].shape == (4, 2) and found["stage.probabilities"].shape == (7, 3)
    assert found["z"].shape == (7, 2) and found["z.sd"].shape == (7, 2)
    assert [s for s, own in zip(found["stage"], arrays["stage"], strict=True) if own] == [
        s for s in arrays["stage"] if s
    ]


EXAMPLES = [name for name in NAMES if name in ("patients", "survey")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_every_layout_are_predicted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = example(name, tmp_path)
    overrides = dict(each.split("=", 1) for each in OVERRIDES.get(name, ()))
    text = spec.read_text()
    spec.write_text(text.replace("source: multi_mnist", f"source: {overrides.get('data.source', '')}"))
    run = make_run(tmp_path / "run", spec)
    used = use_run(run.folder)
    source = tmp_path / Path(used.data.source).name
    out = tmp_path / ("out.npz" if source.suffix == ".npz" else "out.csv")
    told = predict_input(used, str(source), out, AskedFor(samples=3))
    assert told.rows and out.exists()
