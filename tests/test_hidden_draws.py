"""Draws for rows with blanks are p's, however wrong q is: against the posterior in closed form."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tiny_runs import make_run
from torch import Tensor

from runtime.predicting import hidden_draws
from runtime.predicting.hidden_draws import weighed_draws
from runtime.predicting.imputing import impute_rows
from runtime.predicting.row_answers import AskedFor
from runtime.predicting.row_noise import RowNoise, keys_of_places
from runtime.predicting.used_run import UsedRun, use_run

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 2, missing: true}
  y: {role: supervised, domain: binary}
  z: {role: latent, domain: real, size: 1}
generative:
  y: {parameters: {probs: 0.3}}
  z: {}
  x: {parents: [y, z], parameters: {scale: 0.5}, network: {kind: linear}}
recognition:
  y: {parents: [x], network: {kind: linear}}
  z: {parents: [x, y], network: {kind: linear}}
data: {source: rows.npz, variables: {x: x, y: y}}
training: {epochs: 1}
"""
ROWS = torch.tensor([[1.5, torch.nan], [-1.0, torch.nan], [0.2, torch.nan]])


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> UsedRun:
    """Untrained weights, loadings made larger so that x[0] tells much of x[1]."""
    folder = tmp_path_factory.mktemp("blanks")
    np.savez(folder / "rows.npz", x=np.zeros((6, 2)), y=np.array([0, 1] * 3))
    (folder / "s.yaml").write_text(SPEC)
    found = use_run(make_run(folder / "run", folder / "s.yaml").folder)
    with torch.no_grad():
        for name, weights in found.model.named_parameters():
            if "generative--x" in name and weights.dim() == 2:
                weights.mul_(3)
    return found


def loadings(used: UsedRun, y: float) -> tuple[Tensor, Tensor]:
    """(loc at z = 0, slope in z) of p(x | y, z), [2] each."""
    z = torch.tensor([[0.0], [1.0]])
    held = {"y": torch.full((2,), y), "z": z}
    with torch.no_grad():
        loc = used.model.generate(held, 2, noise=RowNoise(0, 2, lambda: keys_of_places(0, 2)))["x"]
    return loc[0], loc[1] - loc[0]


def posterior(used: UsedRun) -> tuple[Tensor, Tensor, Tensor]:
    """p(y = 1 | x[0]), and mean and variance of x[1] given x[0], [rows] each: two Gaussians, weighed."""
    parts = []
    for y, prior in ((0.0, 0.7), (1.0, 0.3)):
        at, slope = loadings(used, y)
        seen = slope[0] ** 2 + 0.25
        off = ROWS[:, 0] - at[0]
        log_weight = np.log(prior) - 0.5 * (off**2 / seen + torch.log(seen))
        mean = at[1] + slope[1] * slope[0] / seen * off
        parts.append((log_weight, mean, 0.25 + slope[1] ** 2 * (1 - slope[0] ** 2 / seen)))
    share = torch.softmax(torch.stack([part[0] for part in parts]), 0)
    means, variances = (torch.stack([part[place] + 0 * ROWS[:, 0] for part in parts]) for place in (1, 2))
    mean = (share * means).sum(0)
    return share[1], mean, (share * (variances + means**2)).sum(0) - mean**2


def drawn_by(used: UsedRun, draw: Callable[..., dict[str, Tensor]], samples: int) -> dict[str, Tensor]:
    noise = RowNoise(1, 3, lambda: keys_of_places(0, 3))
    with torch.no_grad():
        return draw(used, {"x": ROWS}, samples, noise)


def test_draws_have_the_posterior_s_moments(used: UsedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_draws, "PROPOSALS", 20_000)
    share, mean, variance = posterior(used)
    found = drawn_by(used, weighed_draws, 20_000)
    torch.testing.assert_close(found["y"].float().mean(0), share, atol=0.03, rtol=0)
    expected = torch.zeros_like(mean)
    for y in (0.0, 1.0):
        at, slope = loadings(used, y)
        of_y = (found["y"] == y).float()
        expected += (of_y * (at[1] + slope[1] * found["z"][..., 0].float())).mean(0)
    torch.testing.assert_close(expected, mean, atol=0.05, rtol=0)
    own = drawn_by(
        used, lambda used, rows, samples, noise: used.model.infer(rows, samples=samples, noise=noise), 20_000
    )
    assert bool(((own["y"].float().mean(0) - share).abs() > 0.05).any()), "q alone is wrong here"
    assert float(variance.min()) > 0


def test_imputed_numbers_and_intervals_are_p_s(used: UsedRun) -> None:
    _, mean, variance = posterior(used)
    with torch.no_grad():
        (answer,) = impute_rows(used, {"x": ROWS}, AskedFor("none", samples=4000, impute=True))
    assert answer.low is not None and answer.high is not None
    np.testing.assert_allclose(answer.best[:, 1], mean.numpy(), atol=0.15)
    width = (answer.high - answer.low)[:, 1] / (2 * 1.645)
    np.testing.assert_allclose(width, variance.sqrt().numpy(), rtol=0.15)
    assert np.array_equal(answer.best[:, 0], ROWS[:, 0].numpy()), "what a row tells stays"


def test_rows_alone_and_together_have_the_same_draws(used: UsedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn_by(used, weighed_draws, 50)
    monkeypatch.setattr(hidden_draws, "_AT_ONCE", 1)
    apart = drawn_by(used, weighed_draws, 50)
    for name, values in whole.items():
        torch.testing.assert_close(values, apart[name], atol=1e-6, rtol=0)
