"""Which rows to label next: scores against closed forms, lists that spread, names that a person finds again."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_compare import run_of
from test_predict import BIRDS, bird, write_csv
from tiny_runs import write_tiny
from typer.testing import CliRunner, Result

from compiler.tensors.noise import Noise
from runtime.cli.app import app
from runtime.predicting.used_run import use_run
from runtime.suggesting.choosing_rows import Candidates, middles
from runtime.suggesting.label_scores import LabelScores, entropies, label_scores
from runtime.suggesting.replay import summarized


def suggest(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["suggest", *arguments])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suggest")
    return run_of(folder / "run", write_tiny(folder))


def test_entropy_is_in_nats() -> None:
    found = entropies(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]))
    assert found == pytest.approx([math.log(2), 0, math.log(3)])


def test_information_is_that_of_the_label_and_the_latents(tiny: Path) -> None:
    # by its definition, one draw and one class at a time
    model = use_run(tiny).model
    rows, samples = {"x": torch.randint(2, (5, 6), generator=torch.Generator().manual_seed(0)).float()}, 8
    told = label_scores(model, "y", rows, Noise(3, 5), samples)
    noise = Noise(3, 5)
    with torch.no_grad():
        model.predict("y", rows, samples=samples, noise=noise)  # what was drawn before
        z = model.infer(rows, samples=samples, noise=noise)["z"]
        each = np.zeros((samples, 5, 3))
        for s in range(samples):
            joint = [
                sum(model.log_prob("generative", {**rows, "z": z[s], "y": torch.full((5,), k)}).values())
                for k in range(3)
            ]
            each[s] = torch.stack(joint, -1).softmax(-1).numpy()
    expected = entropies(each.mean(0)) - entropies(each).mean(0)
    assert told.information == pytest.approx(expected, abs=1e-6)
    assert (told.information > 0).all()
    assert told.likeness == pytest.approx(z.double().mean(0).numpy(), abs=1e-6)


def scores_of(score: np.ndarray, likeness: np.ndarray) -> LabelScores:
    """Rows whose classes say nothing."""
    return LabelScores(np.full((len(score), 2), 0.5), score, np.zeros(len(score)), likeness)


def test_rows_that_stand_for_others_and_are_not_alike() -> None:
    """Three groups, and one odd row of the highest score: no row of it, one of each group, next to its middle."""
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    group = np.repeat(np.arange(3), 30)
    near = np.concatenate([centres[group] + rng.normal(0, 0.3, (90, 2)), [[0.9, 0.9]]])
    score = np.concatenate([rng.uniform(0.5, 1, 90), [1.2]])
    candidates = Candidates(keep=200)
    candidates.take_in([f"row {n}" for n in range(91)], scores_of(score, near), None)
    chosen = candidates.chosen(3)
    assert sorted(group[chosen]) == [0, 1, 2] and 90 not in chosen
    for place in chosen:
        assert np.linalg.norm(near[place] - centres[group[place]]) < 0.3
    assert chosen == sorted(chosen, key=lambda place: -score[place])


def test_weights_move_the_middles_and_no_row_is_taken_twice() -> None:
    line = np.arange(10.0)[:, None]
    assert middles(line, np.ones(10), 1, 0)[0] in (4, 5)
    assert middles(line, np.where(np.arange(10) == 8, 1000.0, 1.0), 1, 0) == [8]
    assert sorted(middles(np.zeros((4, 2)), np.ones(4), 3, 0)) == [0, 1, 2]
    assert sorted(middles(line, np.ones(10), 30, 0)) == [*range(10)], "no more than there are"


def test_a_sample_of_many_rows_adds_up_to_all_of_them() -> None:
    """By priorities: the weights of what is kept are right on average, rows of much score are all kept."""
    rng, totals = np.random.default_rng(0), []
    score = np.where(np.arange(400) < 5, 50.0, rng.uniform(0, 1, 400))
    for seed in range(200):
        candidates = Candidates(keep=40, seed=seed)
        for start in range(0, 400, 80):
            some = slice(start, start + 80)
            candidates.take_in([f"row {n}" for n in range(400)[some]], scores_of(score[some], score[some, None]), None)
        assert candidates.rows == 400 and len(candidates.names) == 40 and candidates.scores is not None
        assert {f"row {n}" for n in range(5)} <= {*candidates.names}
        assert candidates.scores.entropy.tolist() == score[[int(name[4:]) for name in candidates.names]].tolist()
        totals.append(np.maximum(candidates.scores.score, candidates.left).sum())
    error = np.std(totals) / len(totals) ** 0.5
    assert np.mean(totals) == pytest.approx(score.sum(), abs=4 * error)


def test_own_rows_without_a_label(tiny: Path) -> None:
    done = suggest(str(tiny), "--count", "7", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    manifest = json.loads((tiny / "manifest.json").read_text())
    rows = [int(each["row"].removeprefix("row ")) for each in report["suggestions"]]
    assert len({*rows}) == 7 and not {*rows} & {*manifest["labelled"]["y"], *manifest["test"], *manifest["validation"]}
    assert report["rows"] == manifest["rows"]["training"] - len(manifest["labelled"]["y"])
    scores = [each["entropy"] + each["information"] for each in report["suggestions"]]
    assert scores == sorted(scores, reverse=True)


def test_a_table_names_its_rows_and_those_with_a_label_are_left_out(tmp_path: Path) -> None:
    write_csv(tmp_path / "birds.csv", [bird(number) for number in range(40)])
    (tmp_path / "birds.yaml").write_text(BIRDS)
    run = run_of(tmp_path / "run", tmp_path / "birds.yaml")
    done = suggest(str(run), str(tmp_path / "birds.csv"), "--count", "50", "-o", str(tmp_path / "list.csv"))
    assert done.exit_code == 0, done.output
    with (tmp_path / "list.csv").open() as file:
        lines = [*csv.DictReader(file)]
    assert {line["row"] for line in lines} == {f"row {n}" for n in range(40) if not bird(n)["kind"]}
    assert {line["said"] for line in lines} <= {"Adelie", "Gentoo", "Chinstrap"}
    write_csv(tmp_path / "known.csv", [{**bird(number), "kind": "Gentoo"} for number in range(5)])
    done = suggest(str(run), str(tmp_path / "known.csv"))
    assert done.exit_code == 1 and "every row has a label of species" in done.output
    done = suggest(str(run), str(tmp_path / "birds.csv"), "--label", "weight")
    assert done.exit_code == 1 and "weight is no label with one class a row" in done.output
    done = suggest(str(run), str(tmp_path / "birds.csv"), "--sheet", str(tmp_path / "sheet.png"))
    assert done.exit_code == 1 and "no picture" in done.output


def test_pictures_are_named_by_file_and_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog", "unlabelled"):
        (tmp_path / "pics" / label).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pics" / label / f"{number}.png")
    (tmp_path / "pics.yaml").write_text(
        "graphspec: 1\nvariables:\n  x: {role: observed, domain: unit, shape: [1, 8, 8]}\n"
        "  y: {role: supervised, domain: category, names: [cat, dog]}\n"
        "generative: {y: {}, x: {parents: [y]}}\nrecognition: {y: {parents: [x]}}\n"
        "data: {source: pics, variables: {x: image, y: {column: label, missing: [unlabelled]}}}\n"
    )
    run = run_of(tmp_path / "run", tmp_path / "pics.yaml")
    sheet = tmp_path / "sheet.png"
    done = suggest(str(run), str(tmp_path / "pics"), "--count", "4", "--sheet", str(sheet), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["rows"] == 8
    assert all(each["row"].startswith("unlabelled/") and each["information"] == 0 for each in report["suggestions"])
    with Image.open(sheet) as picture:
        assert picture.width > 4 * 64
    own = json.loads(suggest(str(run), "--count", "20", "--json").stdout)
    assert own["suggestions"] and {each["row"] for each in own["suggestions"]} <= {
        f"unlabelled/{n}.png" for n in range(8)
    }


def test_a_replay_adds_the_same_number_of_labels_either_way(tiny: Path) -> None:
    done = suggest(str(tiny), "--replay", "1", "--count", "6", "--seeds", "2", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [(each["seed"], each["way"], each["labels"]) for each in report["runs"]] == [
        (seed, way, 12 + 6 * round_)
        for seed in range(2)
        for round_, way in ((0, "suggested"), (0, "random"), (1, "suggested"), (1, "random"))
    ]
    first, second = report["lines"]
    assert first["difference"] == 0 and second["labels"] == 18 and "standard_error" in second
    assert summarized(report["runs"]) == report["lines"]
    done = suggest(str(tiny), "--replay", "1", "--count", "600", "--seeds", "1")
    assert done.exit_code == 1 and "training rows have no label yet" in done.output
