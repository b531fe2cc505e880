"""Soft labels: L = sum_k w_k L(y = k), in closed form, beside hard labels, and from a table to a trained run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from data_specs import REALS, prepared

from compiler import compile_spec
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from graphspec.loading import check_file, load
from runtime import fit
from runtime.data import prepare
from runtime.errors import DataError, RunError
from runtime.training.step.loss import Loss
from runtime.training.step.noise import BatchNoise
from runtime.training.step.soft_labels import with_every_class

SPEC = """
graphspec: 1
variables:
  x: {{role: observed, domain: real, size: 2}}
  y: {{role: supervised, domain: category, names: [cat, dog, owl]}}
  b: {{role: supervised, domain: binary}}
  {latent}
generative: {{y: {{parameters: {{probs: learned}}}}, b: {{}}, {prior} x: {{parents: [y, b{z}]}}}}
recognition: {{y: {{parents: [x]}}, b: {{parents: [x, y]}}{posterior}}}
networks: {{default: {{kind: mlp, hidden: [5]}}}}
objective: {{alpha: 3, gamma: 1}}
data: {{source: rows.csv, variables: {{x: [x1, x2], y: {y}, b: b}}, test: 5, validation: 0}}
training: {{epochs: 3, batch_size: 4, labelled_batch_size: 4}}
"""
WEIGHTS = torch.tensor([[0.5, 0.2, 0.3], [0, 1, 0], [0, 0, 0], [0.9, 0.1, 0], [1 / 3] * 3], dtype=torch.float64)
SOFT = "{columns: [p0, p1, p2], soft: true}"


def model(folder: Path, latent: bool = False) -> Model:
    parts = {
        "latent": "z: {role: latent, size: 2}",
        "prior": "z: {},",
        "z": ", z",
        "posterior": ", z: {parents: [x, y, b]}",
    }
    text = SPEC.format(y=SOFT, **(parts if latent else dict.fromkeys(parts, "")))
    file = folder / "spec.yaml"
    file.write_text(text)
    return compile_spec(load(file), dtype=torch.float64)


def inputs(model: Model, weights: torch.Tensor, binary: torch.Tensor) -> dict[str, Any]:
    y = torch.where(weights.sum(1) > 0, weights.argmax(1), -1)
    generator = torch.Generator().manual_seed(0)
    rows = {"x": torch.randn(len(y), 2, generator=generator, dtype=torch.float64), "y": y, "b": binary}
    return {
        "rows": rows,
        "row_weights": torch.linspace(0.1, 1, len(y), dtype=torch.float64),
        "noise": BatchNoise(7, len(y)),
        "patterns": model.row_patterns(rows),
    }


def test_the_loss_in_closed_form(tmp_path: Path) -> None:
    """All labels given and nothing hidden: L(y = k) = log p(x, y = k, b) + alpha log q(y = k, b | x)."""
    made = model(tmp_path)
    given = WEIGHTS[WEIGHTS.sum(1) > 0]
    batch = inputs(made, given, torch.tensor([0, 1, 1, 0]))
    weights = ObjectiveWeights.at(made.graphs, made.rates, 0)
    loss, _ = Loss(made)(weights=weights, **with_every_class(batch, {"y": given}))
    expected = torch.zeros((), dtype=torch.float64)
    for k in range(3):
        rows = {**batch["rows"], "y": torch.full((len(given),), k)}
        p, q = made.log_prob("generative", rows), made.log_prob("recognition", rows)
        bound = sum(p.values()) + 3 * sum(q.values())
        expected = expected - (batch["row_weights"] * given[:, k] * bound).sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("latent", [False, True])
def test_the_loss_is_the_weighted_sum_over_classes(tmp_path: Path, latent: bool) -> None:
    """With blanks of either label, and a latent variable under the same noise; gradients too."""
    made = model(tmp_path, latent)
    batch = inputs(made, WEIGHTS, torch.tensor([0, -1, 1, 1, -1]))
    weights = ObjectiveWeights.at(made.graphs, made.rates, 0)
    loss, _ = Loss(made)(weights=weights, **with_every_class(batch, {"y": WEIGHTS}))
    given = WEIGHTS.sum(1) > 0
    expected = torch.zeros((), dtype=torch.float64)
    for k in range(3):
        y = torch.where(given, k, -1)
        share = torch.where(given, WEIGHTS[:, k], 1 / 3)
        hard = {**batch, "rows": {**batch["rows"], "y": y}, "row_weights": batch["row_weights"] * share}
        expected = expected + Loss(made)(weights=weights, **{**hard, "noise": BatchNoise(7, len(y))})[0]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for found, right in zip(*(torch.autograd.grad(v, list(made.parameters())) for v in (loss, expected)), strict=True):
        assert torch.allclose(found, right, rtol=1e-7, atol=1e-10)


def test_two_soft_labels_combine(tmp_path: Path) -> None:
    made = model(tmp_path)
    of_b = torch.tensor([[0.25, 0.75], [1, 0], [0, 0], [0.5, 0.5], [0, 1]], dtype=torch.float64)
    batch = inputs(made, WEIGHTS, torch.where(of_b.sum(1) > 0, of_b.argmax(1), -1))
    spread = with_every_class(batch, {"y": WEIGHTS, "b": of_b})
    assert spread["row_weights"].sum().item() == pytest.approx(batch["row_weights"].sum().item())
    first = {(y, b): w for x, y, b, w in zip(spread["rows"]["x"].tolist(), spread["rows"]["y"].tolist(),
             spread["rows"]["b"].tolist(), spread["row_weights"].tolist(), strict=True) if x == batch["rows"]["x"][0].tolist()}  # fmt: skip
    expected = {(k, j): 0.1 * WEIGHTS[0, k].item() * of_b[0, j].item() for k in range(3) for j in range(2)}
    assert first == pytest.approx(expected)


def write(folder: Path, hard: bool = False) -> None:
    lines = []
    for i in range(30):
        k = i % 3
        shares = [float(k == j) if hard else 0.8 if k == j else 0.1 for j in range(3)]
        label = ["", "", ""] if i % 5 == 0 else [f"{share:g}" for share in shares]
        name = "" if i % 5 == 0 else ["cat", "dog", "owl"][k]
        lines.append(",".join([f"{k + i / 30:.3f}", f"{i % 7}", *label, name, str(i % 2)]))
    (folder / "rows.csv").write_text("x1,x2,p0,p1,p2,name,b\n" + "\n".join(lines) + "\n")


def spec_file(folder: Path, y: str) -> Path:
    parts = {
        "latent": "z: {role: latent, size: 2}",
        "prior": "z: {},",
        "z": ", z",
        "posterior": ", z: {parents: [x, y, b]}",
    }
    (folder / "spec.yaml").write_text(SPEC.format(y=y, **parts))
    return folder / "spec.yaml"


def test_weights_of_one_class_train_as_its_label(tmp_path: Path) -> None:
    write(tmp_path, hard=True)
    found = []
    for name, y in (("soft", SOFT), ("hard", "name")):
        graphs = load(spec_file(tmp_path, y))
        made = compile_spec(graphs)
        fit(made, out=tmp_path / name, data=prepare(graphs, spec_path=tmp_path / "spec.yaml"), progress=False)
        found.append([parameter.detach().clone() for parameter in made.parameters()])
    assert all(torch.equal(soft, hard) for soft, hard in zip(*found, strict=True))


def test_a_row_without_a_finite_bound_is_named_also_among_copies(tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / "rows.csv"
    lines = file.read_text().splitlines()
    graphs = load(spec_file(tmp_path, SOFT))
    data = prepare(graphs, spec_path=tmp_path / "spec.yaml")
    row = int(data.training.source[data.label_rows["y"][0]])
    lines[1 + row] = ",".join(["1e30", *lines[1 + row].split(",")[1:]])
    file.write_text("\n".join(lines) + "\n")
    data = prepare(graphs, spec_path=tmp_path / "spec.yaml")
    with pytest.raises(RunError, match=rf"first in 1 of \d rows .* row {row} of rows.csv \(0-based\) has x1 = 1e\+30"):
        fit(compile_spec(graphs), data, out=tmp_path / "run", progress=False)


def test_soft_labels_from_a_table(tmp_path: Path) -> None:
    write(tmp_path)
    graphs = load(spec_file(tmp_path, SOFT))
    data = prepare(graphs, spec_path=tmp_path / "spec.yaml")
    assert any("likeliest class" in note for note in data.notes)
    weights, y = data.weights["y"], data.training.values["y"]
    assert weights.shape == (25, 3) and torch.equal(weights.sum(1) == 0, y == -1)
    assert torch.equal(weights.argmax(1)[y >= 0], y[y >= 0]) and set(weights[y >= 0].unique().tolist()) == {0.1, 0.8}
    made = compile_spec(graphs)
    fit(made, out=tmp_path / "run", data=data, progress=False)
    assert all(parameter.isfinite().all() for parameter in made.parameters())


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("{columns: [p0, p1], soft: true}", "3 classes, and 2 columns give weights"),
        ("{column: p0, soft: true}", "`soft` needs `columns`"),
        ("{columns: [p0, p1, name], soft: true}", "column name holds"),
    ],
)
def test_what_check_says_of_soft_labels(tmp_path: Path, columns: str, said: str) -> None:
    write(tmp_path)
    assert [found.message for found in check_file(spec_file(tmp_path, SOFT)) if found.severity == "error"] == []
    messages = [found.message for found in check_file(spec_file(tmp_path, columns)) if found.severity == "error"]
    assert any(said in message for message in messages), messages


@pytest.mark.parametrize(("cells", "said"), [("2,1,0", "is the sum of this row"), ("1.5,-0.5,0", "is no share")])
def test_weights_are_shares(tmp_path: Path, cells: str, said: str) -> None:
    (tmp_path / "rows.csv").write_text(f"x1,x2,p0,p1,p2\n1,2,0.5,0.5,0\n1,2,{cells}\n")
    kind = {"role": "supervised", "domain": "category", "classes": 3}
    entry = {"columns": ["p0", "p1", "p2"], "soft": True}
    data = {"source": "rows.csv", "variables": {"x": ["x1", "x2"], "y": entry}, "test": 0, "validation": 0}
    with pytest.raises(DataError, match=said):
        prepared(tmp_path, {"x": REALS, "y": kind}, data)
