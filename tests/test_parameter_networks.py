"""Parameters with networks of their own: scVI's likelihood against scipy, and the words that say what feeds what."""

import numpy as np
import pytest
import scipy.stats
import torch
from axis_modules import ConditionalModule
from distributions import distribution_of
from graph_specs import graphs_of
from torch import Tensor

from compiler.model.model import compile_spec
from compiler.tensors.noise import Noise
from graphspec.describe.parameter_words import parameter_origins
from graphspec.graphs.graph import Graphs

SCVI = """
graphspec: 1
variables:
  x: {role: observed, domain: count, size: 7}
  batch: {role: observed, domain: category, classes: 3}
  library: {role: observed, domain: positive, size: 1}
  z: {role: latent, domain: real, size: 4}
  expression: {role: deterministic, domain: simplex, size: 7}
generative:
  z: {}
  expression: {parents: [z, batch], network: {kind: mlp, hidden: [12], dropout: 0.1}}
  x:
    parents: [expression, library, batch]
    distribution: negative_binomial
    parameters:
      mean: {parents: [expression, library], network: {kind: product}}
      dispersion: {parents: [batch], network: {kind: linear}}
recognition:
  z: {parents: [x, batch], network: {kind: mlp, hidden: [12], normalization: batch, dropout: 0.1}}
"""


def cells(rows: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.rand(rows, 7, generator=generator) * 20, generator=generator)
    return {"x": counts, "batch": torch.arange(rows) % 3, "library": counts.sum(1, keepdim=True)}


def test_the_likelihood_of_scvi_is_scipys_negative_binomial() -> None:
    model = compile_spec(graphs_of(SCVI), dtype=torch.float64).eval()
    rows = cells(6)
    z = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    values = {**rows, "z": z}
    density = model.log_prob("generative", values)["x"]
    factor, function = model.graphs.generative["x"], model.graphs.generative["expression"]
    with torch.no_grad():
        given = model.prepare(values)
        expression = model.compute(function, given, Noise(0, 6))
        found = distribution_of(model, factor, {**given, "expression": expression}, Noise(0, 6))
        dispersion = found.parameters["dispersion"]
    assert torch.equal(dispersion[0], dispersion[3]) and not torch.equal(dispersion[0], dispersion[1])
    mean = (expression * rows["library"]).numpy()
    theta = dispersion.numpy()
    expected = scipy.stats.nbinom(theta, theta / (theta + mean)).logpmf(rows["x"].numpy()).sum(1)
    np.testing.assert_allclose(density.detach(), expected, rtol=1e-10)


def test_scvi_trains() -> None:
    model = compile_spec(graphs_of(SCVI))
    rows = cells(30)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = -model.bound(rows, noise=Noise(0, 30)).mean()
        optimizer.zero_grad()
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 1


def test_each_parameters_network_has_weights_of_its_own_and_reads_its_own_parents() -> None:
    text = SCVI.replace("{parents: [batch], network: {kind: linear}}", "{parents: [batch], network: own}")
    text = text.replace("mean: {parents: [expression, library], network: {kind: product}}",
                        "mean: {parents: [expression, batch], network: own}")  # fmt: skip
    graphs = graphs_of(text + "networks: {own: {kind: mlp, hidden: [5]}}\n")
    module = ConditionalModule(graphs.generative["x"], graphs)
    mean, dispersion = module.sources
    assert {name for name, _ in mean.named_parameters() if "from_" in name} == {
        f"network.first.maps.from_{parent}.weight" for parent in ("batch", "expression")
    }
    assert {name for name, _ in dispersion.named_parameters() if "from_" in name} == {
        "network.first.maps.from_batch.weight"
    }
    firsts = [dict(source.named_parameters())["network.first.maps.from_batch.weight"] for source in (mean, dispersion)]
    assert firsts[0].shape == firsts[1].shape and not torch.equal(*firsts)


def test_stopped_parents_stop_in_every_network() -> None:
    text = SCVI.replace(
        "parents: [expression, library, batch]\n",
        "parents: [expression, library, batch]\n    stop_gradient: [expression]\n",
    )
    model = compile_spec(graphs_of(text))
    model.log_prob("generative", {**cells(4), "z": torch.randn(4, 4)})["x"].sum().backward()
    names = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert names and all(name.startswith("factors.generative--x.") for name in names)


def all_origins(graphs: Graphs) -> dict[str, str]:
    return {
        f"{factor.key} {name}": text
        for side in ("generative", "recognition")
        for factor in graphs.factors(side).values()  # type: ignore[arg-type]
        for name, text in parameter_origins(graphs, factor).items()
    }


def test_which_head_feeds_which_parameter() -> None:
    assert all_origins(graphs_of(SCVI)) == {
        "generative.z loc": "0, the standard prior",
        "generative.z scale": "1, the standard prior",
        "generative.expression value": "head of mlp [12], softmax",
        "generative.x mean": "product(expression, library)",
        "generative.x dispersion": "linear of its own from batch, softplus above 0.0001",
        "recognition.z loc": "head of mlp [12]",
        "recognition.z scale": "head of mlp [12], softplus above 0.0001",
    }


GALLERY = """
graphspec: 1
variables:
  x: {role: observed, domain: real, shape: [2, 8, 8]}
  y: {role: supervised, domain: category, classes: 3}
  o: {role: supervised, domain: category, classes: 4}
  b: {role: observed, domain: binary, size: 2}
  m: {role: latent, domain: unit, size: 2}
  l: {role: latent, domain: direction, size: 3}
  h: {role: deterministic}
  d: {role: deterministic, domain: direction, size: 3}
  s: {role: deterministic, shape: [1]}
generative:
  y: {parameters: {probs: learned}}
  o: {distribution: ordered_logistic}
  m: {parameters: {probs: [0.25, 0.5]}}
  l: {parameters: {concentration: {learned: variable, initial: 2, maximum: 50}}}
  d: {parents: [m], network: {kind: linear}}
  s: {parents: [l, d], network: {kind: dot, minimum: 0}}
  x:
    parents: [y, o, m, s]
    network: {kind: deconv, channels: [4]}
    parameters: {scale: {learned: channel, minimum: 0.004}}
  b: {parents: [m], network: {kind: identity}}
recognition:
  h: {parents: [x], network: {kind: cnn, channels: [4], hidden: [9]}}
  y: {parents: [h]}
  o: {parents: [h], distribution: ordered_logistic, network: {kind: linear}}
  m: {parents: [h, b], parameters: {logits: {parents: [h], network: {kind: mlp, hidden: [6]}}}}
  l: {}
"""


def test_a_gallery_of_origins() -> None:
    graphs = graphs_of(GALLERY)
    origins = all_origins(graphs)
    expected = {
        "generative.y logits": "learned per element as probs",
        "generative.o predictor": "0, the standard prior",
        "generative.m logits": "[0.25, 0.5] as probs, given",
        "generative.l loc": "[1, 0, 0], the standard prior",
        "generative.l concentration": "learned, one for all elements, at least 0, at most 50, starts at 2",
        "generative.d value": "head of linear, scaled to length 1",
        "generative.s value": "dot(l, d), at least 0",
        "generative.x loc": "head of deconv [4]",
        "generative.x scale": "learned per channel, at least 0.004",
        "generative.b logits": "identity(m) as probs",
        "recognition.h value": "last hidden layer of cnn [4]",
        "recognition.y logits": "head of mlp [256, 256]",
        "recognition.o cutpoints": "head of linear, made to rise",
        "recognition.m logits": "mlp [6] of its own from h",
        "recognition.l loc": "learned per element, scaled to length 1",
        "recognition.l concentration": "learned per element, at least 0",
    }
    assert {name: origins[name] for name in expected} == expected
    assert compile_spec(graphs) is not None


@pytest.mark.parametrize("side", ["generative", "recognition"])
def test_every_parameter_of_every_factor_has_an_origin(side: str) -> None:
    graphs = graphs_of(GALLERY)
    for factor in graphs.factors(side).values():  # type: ignore[arg-type]
        wanted = ["value"] if factor.family is None else [info.name for info in factor.family.parameters]
        assert list(parameter_origins(graphs, factor)) == wanted
