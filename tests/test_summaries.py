"""What q says of numbers: deviations and intervals against the mixture written out, class by class."""

import torch
from graph_specs import graphs_of

from compiler import compile_spec
from compiler.model.row_summaries import summarize_rows
from compiler.tensors.noise import Noise

TEXT = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  y: {role: supervised, domain: category, classes: 3}
  v: {role: supervised, domain: real, size: 2}
  w: {role: supervised, domain: positive}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, z: {}, v: {parents: [y, z]}, w: {parents: [y]}, x: {parents: [v, z, y, w]}}
recognition:
  y: {parents: [x]}
  v: {parents: [x, y]}
  w: {parents: [x], distribution: gamma}
  z: {parents: [x, y]}
networks: {default: {kind: mlp, hidden: [8]}}
"""
LEVELS = (0.05, 0.95)


def test_numbers_below_a_hidden_class_are_its_mixture() -> None:
    torch.manual_seed(0)
    graphs = graphs_of(TEXT)
    model = compile_spec(graphs, dtype=torch.float64).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("factors.recognition--v"):
                parameter.mul_(4)
    rows, count = {"x": torch.randn(6, 3, dtype=torch.float64)}, 6
    with torch.no_grad():
        found = summarize_rows(
            model, rows, ["y", "v", "w", "z"], samples=2000, noise=Noise(0, count), levels=LEVELS, deviations=["z"]
        )
        weights = found["posterior y"]
        parts = {name: [] for name in ("v", "z")}
        for label in range(3):
            values = {"x": rows["x"], "y": torch.full((count,), label)}
            for name in parts:
                _, _, parameters = model.family_at(graphs.recognition[name], values, Noise(0, count))
                parts[name].append(parameters)
    loc, scale = (torch.stack([each[i] for each in parts["v"]]) for i in (0, 1))
    share = weights.T.unsqueeze(-1)
    assert torch.allclose(found["posterior v"], (share * loc).sum(0), atol=1e-10)
    for level, end in zip(LEVELS, ("low v", "high v"), strict=True):
        below = (share * torch.distributions.Normal(loc, scale).cdf(found[end])).sum(0)
        assert (below - level).abs().max() < 0.004
    loc, scale = (torch.stack([each[i] for each in parts["z"]]) for i in (0, 1))
    variance = (share * (loc**2 + scale**2)).sum(0) - (share * loc).sum(0) ** 2
    assert torch.allclose(found["deviation z"], variance.sqrt(), atol=1e-8)
    assert (found["low w"] < found["posterior w"]).all() and (found["posterior w"] < found["high w"]).all()


def test_one_distribution_has_its_own_quantiles_and_labels_are_held() -> None:
    model = compile_spec(graphs_of(TEXT), dtype=torch.float64).eval()
    rows = {"x": torch.randn(4, 3, dtype=torch.float64), "y": torch.tensor([0, 1, 2, -1])}
    with torch.no_grad():
        found = summarize_rows(model, rows, ["y", "v"], samples=1, noise=Noise(0, 4), levels=LEVELS)
        _, _, (loc, scale) = model.family_at(
            model.graphs.recognition["v"], {**rows, "y": rows["y"].clamp(0)}, Noise(0, 4)
        )
    assert found["posterior y"].isnan().all(1).tolist() == [True, True, True, False]
    expected = torch.distributions.Normal(loc, scale).icdf(torch.tensor(0.05, dtype=torch.float64))
    assert torch.allclose(found["low v"][:3], expected[:3], atol=1e-6)


def test_draws_that_labels_weigh_are_weighed() -> None:
    text = """
graphspec: 1
variables:
  x: {role: observed, domain: real}
  v: {role: supervised, domain: real}
  y: {role: supervised, domain: binary}
generative: {v: {}, y: {parents: [v]}, x: {parents: [v, y]}}
recognition: {v: {parents: [x]}, y: {parents: [x, v]}}
networks: {default: {kind: linear}}
"""
    model = compile_spec(graphs_of(text), dtype=torch.float64).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("factors.recognition--y"):
                parameter.fill_(1.0)
    rows = {"x": torch.zeros(2, dtype=torch.float64), "y": torch.tensor([0.0, 1.0], dtype=torch.float64)}
    with torch.no_grad():
        found = summarize_rows(model, rows, ["v"], samples=40_000, noise=Noise(0, 2), levels=LEVELS)
        _, _, (loc, scale) = model.family_at(model.graphs.recognition["v"], rows, Noise(0, 2))
    grid = torch.linspace(-8, 8, 20001, dtype=torch.float64)
    for row in range(2):
        density = torch.distributions.Normal(loc[row], scale[row]).log_prob(grid).exp()
        density = density * torch.sigmoid((grid + 1) * (1 if row else -1))
        below = density.cumsum(0) / density.sum()
        for level, end in zip(LEVELS, ("low v", "high v"), strict=True):
            assert abs(float(found[end][row]) - float(grid[int((below < level).sum())])) < 0.06
