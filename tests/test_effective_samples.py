"""Effective sample sizes: logged for training and validation rows, and a warning, once, where they collapse."""

from pathlib import Path

import pytest
import torch
from tiny_runs import tiny_model, train_tiny

from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from runtime.data import prepare
from runtime.training.loop.effective_samples import Collapse, mean_effective_samples, threshold
from runtime.training.loop.progress import SilentReporter

BELOW = (  # q(y | z): the label weighs eight draws of z
    "recognition={h: {parents: [x], network: {kind: mlp, hidden: [8]}}, z: {parents: [h]}, y: {parents: [z], network: {kind: linear}}}",
    "objective.samples=8",
    "variables.y.classes=4",  # one more than the data have: see `sharpen`
    "data.labels=null",
)


class Notes(SilentReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def warnings(self) -> list[str]:
        return [note for note in self.notes if "effective sample size" in note]


def sharpen(model: torch.nn.Module) -> None:
    """Weights of q(y | z) so large, and the labels that there are so unlikely, that one draw takes all."""
    with torch.no_grad():
        for parameter in model.factors["recognition--y"].parameters():  # type: ignore[index]
            parameter.mul_(1e4)
            if parameter.dim() == 1:
                parameter[3] = 1e5


def train(folder: Path, *, sharp: bool, out: str, resume: bool = False, epochs: int = 2) -> tuple[Notes, list[dict]]:  # type: ignore[type-arg]
    from runtime.training.loop.fitting import fit

    model = tiny_model(folder, *BELOW, "training.learning_rate=1e-30", f"training.epochs={epochs}")
    if sharp:
        sharpen(model)
    notes = Notes()
    run = fit(model, out=folder / out, progress=notes, device="cpu", resume=resume)
    return notes, run.metrics()


def test_a_collapse_is_told_once_with_the_figure_and_what_to_do(tmp_path: Path) -> None:
    notes, records = train(tmp_path, sharp=True, out="run")
    means = [record["ess"]["y"] for record in records]
    assert all(1 <= mean < 2 for mean in means)
    assert all(1 <= record["validation"]["ess"]["y"] < 2 for record in records)
    (warning,) = notes.warnings
    assert f"label y is {means[0]:.2f} of 8 on average over epoch 1" in warning
    assert "raise objective.samples" in warning
    assert "q(y | x), then q(z | x, y)" in warning
    again, records = train(tmp_path, sharp=True, out="run", resume=True, epochs=3)
    assert len(records) == 3
    assert again.warnings == [], "not once more after a resume"


def test_healthy_weights_and_graphs_without_weights_are_silent(tmp_path: Path) -> None:
    notes, records = train(tmp_path, sharp=False, out="run")
    assert notes.warnings == []
    assert 5 < records[0]["ess"]["y"] <= 8, "labels hardly depend on z at the start"
    plain = train_tiny(tmp_path, "training.epochs=1", "objective.samples=8", out="plain").metrics()[0]
    assert plain["ess"] == {}
    assert "ess" not in plain["validation"]
    single = train_tiny(tmp_path, BELOW[0], "training.epochs=1", out="single").metrics()[0]
    assert single["ess"] == {}, "one draw has nothing to weigh"


def test_validation_figures_are_the_mean_over_rows_of_the_definition(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, *BELOW)
    sharpen(model)
    model.eval()
    data = prepare(model.graphs, spec_path=tmp_path / "tiny.yaml")
    found = mean_effective_samples(model, data.validation, 3, None)
    rows = data.validation.batch(torch.arange(len(data.validation)), torch.float32)
    weights = ObjectiveWeights.at(model.graphs, None, 0.0)
    noise = Noise(torch.Generator().manual_seed(3), len(data.validation))
    with torch.no_grad():
        expected = model.evaluate(rows, weights=weights, noise=noise).effective_samples["y"].mean()
    assert found == {"y": pytest.approx(expected.item(), rel=1e-6)}


@pytest.mark.parametrize(("samples", "expected"), [(2, 1.5), (3, 2.0), (8, 2.0), (10, 2.0), (50, 10.0)])
def test_what_counts_as_collapsed(samples: int, expected: float) -> None:
    assert threshold(samples) == expected
    fine = {"epoch": 1, "ess": {"y": expected}}
    low = {"epoch": 2, "ess": {"y": expected - 0.01, "w": None}}
    collapse = Collapse(samples)
    assert collapse.after(fine) == []
    assert len(collapse.after(low)) == 1
    assert collapse.after(low) == []
    later = Collapse(samples)
    later.look_back([fine, low])
    assert later.after(low) == []
