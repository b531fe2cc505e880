"""Plates whose count rows may lack: the sum over all counts of the model of as many elements."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from plate_twin import PlateTwin, assert_written_out
from random_plates import PlateSpecDraw
from row_noise import RowNoise
from test_plates import DOUBLE, model_of
from test_ragged_plates import ragged_rows
from torch import Tensor
from typer.testing import CliRunner

from compiler.emission import emit
from compiler.symbolic.explanation import explain
from compiler.tensors.noise import Noise
from graphspec.loading import check_graphs, load
from runtime.answering.interventions import infer, intervene
from runtime.answering.panels import Target
from runtime.answering.traversal import traverse
from runtime.cli.app import app
from runtime.data import Rows
from runtime.measures.evaluation import measure

ROWS = 4


@pytest.mark.parametrize("seed", [3, 5, 9, 14, 21, 82])
def test_value_and_gradient_are_those_of_all_counts(seed: int) -> None:
    """Counts supervised and latent beside each other, views on their elements, labels where the count is known."""
    text = PlateSpecDraw(seed, samples=2, ragged=True, hidden=True).text()
    model = model_of(text)
    rows = ragged_rows(model)
    apart = [model.program(pattern)[0].elements_apart() for pattern, _ in model.group(model.prepare(rows))]
    if any(apart):
        model = model_of(text.replace("samples: 2", "samples: 1"))
    assert_written_out(model, rows, text)


DIGITS = """
graphspec: 1
plates: {digits: {count: k}}
variables:
  x: {role: observed, size: 4}
  k: {role: ROLE, domain: count, min: 1, max: 3}
  y: {role: supervised, domain: category, classes: 3, plate: digits}
  z: {role: latent, size: 2, plate: digits}
generative:
  PRIOR
  y: {}
  z: {parents: [y, digits]}
  x: {parents: [z@sum, z@mean], parameters: {scale: 0.5}}
recognition:
  ANSWER
  z: {parents: [x, digits]}
  y: {parents: [x, z]}
networks: {default: {kind: mlp, hidden: [5], activation: tanh}}
objective: {alpha: {ALPHAy: 2}, samples: 2, free_bits: {z: 0.5}, beta: {y: 0.8}}
"""


def test_the_bound_of_an_element_needs_the_count() -> None:
    """Hidden from the model as it is: told counts are counted, and nothing is said where some row has none."""
    for role in ("supervised", "latent"):
        model = model_of(digits(role))
        x, k = torch.randn(6, 4, dtype=DOUBLE), torch.tensor([1.0, 2, 3, 3, 2, 1], dtype=DOUBLE)
        values = {"x": x, "y": torch.zeros(6, 3, dtype=torch.long)} | ({"k": k} if role == "supervised" else {})
        report = measure(model, Rows(values, torch.arange(6)), latents=False).report
        if role == "latent":
            assert "elbo_per_element" not in report
            continue
        assert report["elbo_per_element"] == {"digits": pytest.approx(report["elbo"] * 6 / 12)}
        k[2] = torch.nan
        assert "elbo_per_element" not in measure(model, Rows(values, torch.arange(6)), latents=False).report


def digits(role: str) -> str:
    hidden = role != "observed"
    prior, answer = ("k: {}", "k: {parents: [x], network: {kind: linear}}") if hidden else ("", "")
    found = DIGITS.replace("ROLE", role).replace("PRIOR", prior).replace("ANSWER", answer)
    if role == "latent":
        found = found.replace("{role: supervised, domain: category", "{role: latent, domain: category")
    return found.replace(
        "alpha: {ALPHAy: 2}, ", {"supervised": "alpha: {k: 3, y: 2}, ", "observed": "alpha: 2, "}.get(role, "")
    )


def rows_of(lengths: list[float]) -> dict[str, Tensor]:
    generator, count = torch.Generator().manual_seed(2), len(lengths)
    x = torch.randn(count, 4, generator=generator, dtype=DOUBLE)
    return {"x": x, "k": torch.tensor(lengths, dtype=DOUBLE), "y": torch.full((count, 3), -1)}


def test_a_hidden_count_is_the_sum_over_models_of_as_many_elements() -> None:
    """sum_k q(k | x) (log p(k) - log q(k | x) + L of the row with k elements), each by a model whose count is observed."""
    model, known = model_of(digits("supervised")), model_of(digits("observed"))
    known.load_state_dict({n: v for n, v in model.state_dict().items() if "--k" not in n})
    rows = rows_of([-1.0, -1.0])
    rows.pop("k")
    q = model.predict("k", rows, noise=Noise(0, 2))
    each = torch.stack([
        known.bound({**rows, "k": torch.full((2,), float(k), dtype=DOUBLE)}, noise=RowNoise(3, range(2)))
        for k in (1, 2, 3)
    ], 1)  # fmt: skip
    expected = (q * (each - math.log(3) - q.log())).sum(1)
    torch.testing.assert_close(model.bound(rows, noise=RowNoise(3, range(2))), expected, atol=1e-10, rtol=0)


def test_elements_are_drawn_once_whatever_the_count() -> None:
    """One call of q's networks serves every k: only what reads the pool has an axis of it."""
    plan = str(model_of(digits("latent")).compiled.plan(load_pattern(digits("latent"))))
    assert "z_noise [S, @digits, B]" in plan and "z [S, @digits, B]" in plan
    assert "z@sum [S, k, B]" in plan and "digits_there [@digits, k]" in plan


def load_pattern(text: str):
    model = model_of(text)
    return model.group(model.prepare({"x": torch.zeros(1, 4, dtype=DOUBLE)}))[0][0]


def test_answers_go_up_to_the_known_or_likeliest_count() -> None:
    model, rows = model_of(digits("supervised")), rows_of([2.0, -1.0, 1.0])
    noise = Noise(0, 3)
    likeliest = model.predict("k", {"x": rows["x"]}, noise=noise).argmax(-1) + 1
    counts = torch.where(rows["k"] > 0, rows["k"], likeliest)
    there = torch.arange(3) < counts[:, None]
    assert torch.equal(~model.predict("y", rows, noise=noise)[..., 0].isnan(), there)
    means = model.posterior_means(rows, noise=noise)
    assert torch.equal(~means["z"][..., 0].isnan(), there) and torch.equal(means["k"], counts)
    drawn = model.infer(rows, samples=8, noise=noise)
    assert torch.equal(~drawn["z"][..., 0].isnan(), torch.arange(3) < drawn["k"][..., None])
    assert len(set(drawn["k"][:, 1].tolist())) > 1


def test_a_label_of_an_element_says_that_the_count_is_known() -> None:
    model, rows = model_of(digits("supervised")), rows_of([2.0, -1.0])
    rows["y"][1, 0] = 1
    with pytest.raises(ValueError, match="a row has a label of y and none of k, which says how many there are"):
        model.bound(rows)
    rows["y"][1, 0] = -1
    assert torch.isfinite(model.bound(rows)).all()


@pytest.mark.parametrize("role", ["supervised", "latent"])
def test_the_emitted_file_agrees(role: str) -> None:
    """`emit` runs the file beside the model and raises where value or gradient differ."""
    assert "elements_below(k" in emit(load("-", text=digits(role)))


def test_more_labels_than_programs_are_worth_go_by_one_masked_program() -> None:
    """Five supervised variables: rows that know their count and rows that do not come to what their own programs say."""
    more = "".join(f"  {name}: {{role: supervised, domain: binary}}\n" for name in "abc")
    roots, heads = ("".join(f"  {name}: {what}\n" for name in "abc") for what in ("{}", "{parents: [x]}"))
    text = digits("supervised").replace("samples: 2", "samples: 1")
    text = text.replace("generative:\n", more + "generative:\n" + roots).replace(
        "recognition:\n", "recognition:\n" + heads
    )
    model, rows = model_of(text), {**rows_of([2.0, -1.0, 3.0])}
    rows["y"][0], rows["y"][2] = torch.tensor([1, 2, 0]), torch.tensor([-1, 0, 1])
    rows |= {name: torch.full((3,), -1.0, dtype=DOUBLE) for name in "abc"}
    found = model.bound(rows, noise=RowNoise(3, range(3)))
    expected = torch.stack([
        PlateTwin(model, {n: v[row : row + 1] for n, v in rows.items()}, RowNoise(3, [row])).bound() for row in range(3)
    ])  # fmt: skip
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_good_specs_get_no_warning() -> None:
    text = digits("supervised").replace("z: {parents: [x, digits]}", "z: {parents: [x, digits], allow: [GS105]}")
    graphs, found = check_graphs("-", text=text)
    assert graphs is not None and not found


SCENES = """
graphspec: 1
name: scenes
plates: {parts: {count: k}}
variables:
  x: {role: observed, size: 4}
  k: {role: supervised, domain: count, min: 0, max: 3}
  y: {role: supervised, domain: category, names: [a, b, c], plate: parts}
  z: {role: latent, size: 2, plate: parts}
  part: {role: deterministic, size: 4, plate: parts}
generative:
  k: {}
  y: {}
  z: {}
  part: {parents: [y, z], network: {kind: mlp, hidden: [8]}}
  x: {parents: [part], network: {kind: sum}, parameters: {scale: 0.5}}
recognition:
  k: {parents: [x]}
  y: {parents: [x, parts]}
  z: {parents: [x, y, parts]}
networks: {default: {kind: mlp, hidden: [8]}}
objective: {alpha: {k: 3, y: 2}}
data:
  source: scenes.npz
  variables: {x: x, k: k, y: y}
  labels: {k: 30, y: {with: k}}
  test: 0.2
training: {epochs: 1, batch_size: 32}
"""


def test_scenes_of_any_number_of_parts_train_and_are_measured(tmp_path, monkeypatch) -> None:
    """Arrays with room for the most parts, garbage where there are fewer; a table of draws leaves those cells empty."""
    random = np.random.default_rng(0)
    k = random.integers(0, 4, 90)
    there = np.arange(3) < k[:, None]
    x = (random.normal(size=(90, 3, 4)) * there[..., None]).sum(1).astype("float32")
    y = np.where(there, random.integers(0, 3, (90, 3)), 77)
    np.savez(tmp_path / "scenes.npz", x=x, k=k, y=y)
    (tmp_path / "scenes.yaml").write_text(SCENES)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    result = runner.invoke(app, ["train", "scenes.yaml", "--out", "run", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)["test"]["variables"]["y"]
    assert report["elements"] > report["rows"] and math.isfinite(report["log_loss"])
    result = runner.invoke(app, ["sample", "run", "-o", "drawn.csv"])
    assert result.exit_code == 0, result.output
    scenes: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in csv.DictReader((tmp_path / "drawn.csv").read_text().splitlines()):
        scenes.setdefault((line["row"], line["column"]), []).append(line)
    assert {int(lines[0]["k"]) for lines in scenes.values()} == {0, 1, 2, 3}
    for lines in scenes.values():
        there = [str(place) for place in range(int(lines[0]["k"]))]
        assert [line["parts number"] for line in lines] == (there or [""])
        assert all((line["y"] != "") == bool(there) for line in lines)


def test_explain_tells_only_patterns_that_rows_can_have() -> None:
    """A label of an element implies the count, in part too."""
    explanation = explain(load("-", text=digits("supervised")))
    assert [str(p.program.pattern) for p in explanation.patterns] == [
        "rows without labels", "rows with k", "rows with k and y", "rows with k, and any part of y",
    ]  # fmt: skip
    assert explanation.skipped == 0


def test_another_count_keeps_the_elements_that_were_there() -> None:
    model = model_of(digits("supervised")).eval()
    k = Target(model.graphs.by_row.variables["k"], ())
    data = {"x": torch.randn(3, 4, dtype=DOUBLE), "k": torch.tensor([1.0, 2, 3], dtype=DOUBLE)}
    with torch.no_grad():
        held = infer(model, data, 0, keep_labels=True)
        made = {count: intervene(model, held, {k: torch.tensor(float(count))}, 0) for count in (1, 3)}
    for name in ("y", "z"):
        assert held[name].isnan().any(), "rows lack elements"
        assert torch.equal(made[1][name][:, 0], held[name][:, 0]) and made[1][name][:, 1:].isnan().all()
        there = ~held[name].isnan()
        assert torch.equal(made[3][name][there], held[name][there]) and made[3][name].isfinite().all()


def test_traverse_moves_elements_that_the_row_has() -> None:
    """Within the values of the rows that have them."""
    model = model_of(digits("supervised")).eval()
    rows = Rows({"x": torch.randn(40, 4, dtype=DOUBLE)}, torch.arange(40))
    with torch.no_grad():
        has = infer(model, {"x": rows.values["x"]}, 0, keep_labels=False)["k"]
    assert len(has.unique()) > 1
    few = int(has.argmin())
    names = traverse(model, rows, row=few, steps=3, count=20).rows
    assert names and all("?" not in name for name in names)
    assert len(names) == 2 * int(has[few])
