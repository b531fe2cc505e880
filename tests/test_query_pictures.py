"""Queries whose answer is a picture: as a file that shows it, and the numbers in it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from query_specs import used_run
from test_query_drawn import query

from compiler.tensors.noise import Noise
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_pictures import AnswerPictures
from runtime.querying.asking import Asking, Questions

SPEC = """
graphspec: 1
name: pixels
variables:
  x: {role: observed, domain: DOMAIN, size: 81}
  y: {role: supervised, domain: category, names: [a, b]}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: linear}}
data: {source: rows.csv, variables: {x: {columns: "g*"}, y: y}}
training: {epochs: 1}
"""


@pytest.fixture(scope="module", params=["unit", "unit, normal", "binary"])
def pixels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> UsedRun:
    rng, names = np.random.default_rng(0), [f"g{number}" for number in range(81)]
    rows = ",".join(["y", *names]) + "\n"
    for row in range(30):
        rows += ",".join(["ab"[row % 2], *map(str, rng.integers(0, 2, 81))]) + "\n"
    domain, _, normal = request.param.partition(", ")
    spec = SPEC.replace("DOMAIN", domain)
    if normal:
        spec = spec.replace("{parents: [y]}}\nrec", "{parents: [y], distribution: normal}}\nrec")
        assert "normal" in spec
    return used_run(tmp_path_factory.mktemp(domain), spec, rows, strength=1.5)


def class_means(used: UsedRun) -> torch.Tensor:
    """[2, 81] of p(x | y)."""
    model = used.double_model
    entry, extras, parameters = model.family_at(model.graphs.generative["x"], {"y": torch.arange(2)}, Noise(0, 2))
    return entry.mean_of(parameters, extras).detach().double()


def drawn(used: UsedRun) -> float:
    """How far a mean may be: its family has none in a short form that queries know, so that values are averaged."""
    family = used.model.graphs.generative["x"].family
    assert family is not None
    return 0.5 if family.name == "continuous_bernoulli" else 1e-6


def panel_of(used: UsedRun, text: str, rows: str | None = None) -> torch.Tensor:
    """[lines, 9, 81]"""
    questions = Questions(used, [text], rows, Asking(draws=400), pictures=True, examples=8)
    pictures = AnswerPictures(questions)
    for part in questions.answers():
        pictures.add(part)
    return pictures.panel().values["x"].reshape(len(pictures.lines), 9, 81)


def test_the_mean_and_the_means_of_eight_draws(pixels: UsedRun) -> None:
    means = class_means(pixels)
    set_b = panel_of(pixels, "x | do(y=b)")
    assert set_b.shape == (1, 9, 81)
    torch.testing.assert_close(set_b[0, 1:], means[1].expand(8, -1), atol=1e-6, rtol=0)
    torch.testing.assert_close(set_b[0, 0], means[1], atol=drawn(pixels), rtol=0)
    either = panel_of(pixels, "x")[0]
    which = [[bool((line - mean).abs().max() < 1e-6) for mean in means] for line in either[1:]]
    assert all(sum(each) == 1 for each in which)  # of one class each, not of a mixture
    assert {each[1] for each in which} == {True, False}
    middle, half = means.mean(0), (means[0] - means[1]).abs() / 2
    assert ((either[0] - middle).abs() - half).max() < drawn(pixels)  # the mean lies between


def test_a_line_for_each_row(pixels: UsedRun, tmp_path: Path) -> None:
    lines = panel_of(pixels, "x | y", "training")
    assert len(lines) > 5
    means = class_means(pixels)
    for line in lines:
        assert min(float((line[1:] - mean).abs().max()) for mean in means) < 1e-6
        assert min(float((line[0] - mean).abs().max()) for mean in means) < drawn(pixels)
    out = tmp_path / "x.png"
    said = query(pixels.run.folder, "x | y", "--rows", "training", "-o", out, "--draws", "100").stdout
    assert "81 elements" in said and len(said.splitlines()) < 40
    with Image.open(out) as image:
        assert image.height > 64 * len(lines)


def test_npz_has_every_pixel(pixels: UsedRun, tmp_path: Path) -> None:
    query(pixels.run.folder, "x | y=b", "-o", tmp_path / "x.npz", "--draws", "400")
    with np.load(tmp_path / "x.npz") as found:
        mean = found["x"] if "x" in found else found["x.probabilities"][..., 1]
    np.testing.assert_allclose(mean, class_means(pixels)[1:], atol=drawn(pixels))


def test_refusals_say_what_to_write(pixels: UsedRun, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        return " ".join(query(pixels.run.folder, *arguments, code=1).stderr.split())

    out = tmp_path / "x.png"
    assert "x has 81 elements: add -o FILE.png or FILE.npz" in refused("x | y=a")
    assert "y is no picture: name a .csv or .parquet file" in refused("y", "-o", out)
    assert "g3 is no picture" in refused("g3 | y=a", "-o", out)
    assert "one query" in refused("x | y=a", "x | y=b", "-o", out)
    assert "joint" in refused("x | y=a", "--joint", "-o", out)
    assert not out.exists()
    out.write_text("mine")
    refused("x | y=a", "-o", out)
    assert out.read_text() == "mine"
