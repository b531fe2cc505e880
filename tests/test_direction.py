"""von Mises-Fisher: normaliser, densities, angles, draws, gradients and divergences against scipy and integrals."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from axis_modules import ConditionalModule
from distributions import Distribution, build, closed_kl
from graph_specs import found_in, graphs_of
from row_noise import RowNoise
from torch import Tensor

from compiler.factors.parameters import BORDER_START, Learned, constrain, legal
from compiler.families.sphere import bessel_terms, excess, log_area, polar_angle, shortfall
from compiler.model.model import compile_spec
from compiler.symbolic.lowering import lower
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Variable
from graphspec.language import LearnedParameter
from graphspec.language.families import FAMILIES

DOUBLE = torch.float64
FAMILY = FAMILIES["von_mises_fisher"]
CONCENTRATIONS = [0.0, 1e-6, 1e-3, 0.1, 0.499, 0.501, 1.0, 3.0, 30.0, 100.0, 1e3, 1e4, 1e6]


def towards(*numbers: float) -> Tensor:
    vector = torch.tensor(numbers, dtype=DOUBLE)
    return vector / vector.norm()


def vmf(loc: Tensor, concentration: float | Tensor, rows: int = 1) -> Distribution:
    """One vector per row, all rows alike."""
    variable = Variable("l", "latent", "direction", tuple(loc.shape))
    k = torch.as_tensor(concentration, dtype=loc.dtype).reshape(1, 1)
    return build(FAMILY, {}, {"loc": loc.expand(rows, *loc.shape), "concentration": k.expand(rows, 1)}, variable)


@pytest.mark.parametrize("dimension", [2, 3, 4, 5, 10, 60, 61, 62, 200])
def test_normaliser_and_mean_length_against_bessel_functions(dimension: int) -> None:
    order, k = dimension / 2 - 1, np.array(CONCENTRATIONS[1:])
    small = scipy.special.ive(order, k)
    usable = small > 1e-280
    k, small = k[usable], small[usable]
    normaliser = scipy.special.gammaln(order + 1) + order * np.log(2 / k) + np.log(small) + k
    length = scipy.special.ive(order + 1, k) / small
    for dtype, relative in ((DOUBLE, 1e-10), (torch.float32, 1e-5)):
        given = torch.as_tensor(k, dtype=dtype)
        rounding = 4e-16 * np.maximum(np.abs(normaliser), k)  # of scipy's own difference
        error = np.abs(excess(given, dimension).double().numpy() - (k - normaliser))
        assert (error < relative * np.maximum(np.abs(k - normaliser), 1e-3) + 10 * rounding).all()
        np.testing.assert_allclose(shortfall(given, dimension).double(), 1 - length, rtol=relative, atol=3e-16)
    assert excess(torch.zeros(1), dimension).item() == 0 and shortfall(torch.zeros(1), dimension).item() == 1


def test_three_dimensions_have_a_closed_form_that_the_general_one_meets() -> None:
    k = torch.tensor(CONCENTRATIONS, dtype=DOUBLE)
    general = bessel_terms(k, 3)
    torch.testing.assert_close(excess(k, 3), general[0], rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(shortfall(k, 3), general[1], rtol=1e-10, atol=1e-14)
    assert log_area(2) == pytest.approx(math.log(2 * math.pi)) and log_area(3) == pytest.approx(math.log(4 * math.pi))


@pytest.mark.parametrize("dimension", [2, 3, 4, 40])
def test_the_normaliser_has_the_right_slope_everywhere(dimension: int) -> None:
    k = torch.tensor([1e-3, 0.4, 0.6, 2.0, 50.0, 2e3], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: excess(x, dimension), k)
    assert torch.autograd.gradcheck(lambda x: shortfall(x, dimension), k, atol=1e-8)
    for dtype in (torch.float32, DOUBLE):
        ends = torch.tensor([0.0, 1e8], dtype=dtype, requires_grad=True)
        slopes = [torch.autograd.grad(f(ends, dimension).sum(), ends)[0] for f in (excess, shortfall)]
        assert all(slope.isfinite().all() for slope in slopes)
        assert slopes[0][0] == 1 and slopes[1][0].item() == pytest.approx(-1 / dimension, rel=1e-5)


@pytest.mark.parametrize("dimension", [2, 3, 4, 12])
@pytest.mark.parametrize("concentration", [0.3, 5.0, 800.0])
def test_densities_against_scipy(dimension: int, concentration: float) -> None:
    loc = towards(*np.linspace(-1, 2, dimension))
    points = scipy.stats.vonmises_fisher(loc.numpy(), 3.0).rvs(20, random_state=0)
    expected = scipy.stats.vonmises_fisher(loc.numpy(), concentration).logpdf(points)
    density = vmf(loc, concentration).log_prob(torch.as_tensor(points))
    np.testing.assert_allclose(density, expected, rtol=1e-10, atol=1e-9)
    assert vmf(loc, 0.0).log_prob(loc).item() == pytest.approx(-log_area(dimension), rel=1e-14)


def test_single_precision_keeps_its_digits_at_every_concentration() -> None:
    loc = towards(0.3, -0.2, 0.9)
    for concentration in CONCENTRATIONS:
        noise = vmf(loc, concentration, 50).standard_noise(Noise(0, 50), "l")
        near = vmf(loc, concentration, 50).reparameterize(noise)
        double = vmf(loc, concentration).log_prob(near)
        single = vmf(loc.float(), concentration).log_prob(near.float())
        # positions themselves are rounded to 1e-7 of a radian; the density changes by sqrt(k) per radian there
        np.testing.assert_allclose(single, double, atol=2e-6 + 1e-6 * math.sqrt(concentration), rtol=1e-6)


@pytest.mark.parametrize(("dimension", "concentration"), [(2, 0.2), (2, 40.0), (3, 1.0), (4, 0.0), (5, 8.0), (50, 3.0)])
def test_angles_have_the_distribution_of_the_density(dimension: int, concentration: float) -> None:
    shares = torch.tensor([1e-9, 1e-3, 0.1, 0.5, 0.9, 0.999], dtype=DOUBLE)
    angles = polar_angle(torch.full_like(shares, concentration), shares, dimension).numpy()

    def density(angle: float) -> float:
        return math.exp(concentration * (math.cos(angle) - 1)) * math.sin(angle) ** (dimension - 2)

    def mass(end: float) -> float:
        return scipy.integrate.quad(density, 0, end, epsabs=0, epsrel=1e-10, limit=400)[0]

    expected = [mass(angle) / mass(math.pi) for angle in angles]
    np.testing.assert_allclose(expected, shares, rtol=1e-5)
    if dimension == 2:
        cumulative = 2 * scipy.stats.vonmises(max(concentration, 1e-9)).cdf(angles) - 1
        np.testing.assert_allclose(cumulative, shares, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("dimension", [2, 3, 4, 17])
@pytest.mark.parametrize("concentration", [1e-5, 0.3, 7.0, 300.0, 1e5])
def test_angles_move_with_the_concentration_as_the_integral_says(dimension: int, concentration: float) -> None:
    """-(integral of (cos t - A) h(t) up to the angle) / h(angle), integrated from either side by scipy."""
    shares = torch.tensor([1e-3, 0.2, 0.5, 0.8, 0.999], dtype=DOUBLE)
    k = torch.full_like(shares, concentration, requires_grad=True)
    angles = polar_angle(k, shares, dimension)
    (slopes,) = torch.autograd.grad(angles.sum(), k)
    short = shortfall(k, dimension)[0].item()
    for angle, slope in zip(angles.tolist(), slopes.tolist(), strict=True):

        def moment(t: float, end: float = angle) -> float:
            ratio = (math.sin(t) / math.sin(end)) ** (dimension - 2)
            return (short - 2 * math.sin(t / 2) ** 2) * math.exp(concentration * (math.cos(t) - math.cos(end))) * ratio

        reach = 20 / math.sqrt(concentration + dimension - 2)
        sides = (max(0.0, angle - reach), angle), (angle, min(math.pi, angle + reach))
        low, high = (scipy.integrate.quad(moment, *side, epsabs=0, epsrel=1e-9, limit=300)[0] for side in sides)
        exact = -low if 2 * math.sin(angle / 2) ** 2 < short else high
        assert slope == pytest.approx(exact, rel=1e-6)
    single = torch.full((5,), concentration, requires_grad=True)
    (rounded,) = torch.autograd.grad(polar_angle(single, shares.float(), dimension).sum(), single)
    torch.testing.assert_close(rounded.double(), slopes, rtol=3e-3, atol=0)


def test_angles_are_defined_at_the_ends() -> None:
    for dtype in (torch.float32, DOUBLE):
        for dimension in (2, 3, 6):
            k = torch.tensor([0.0, 1e-30, 1.0, 1e6], dtype=dtype, requires_grad=True).unsqueeze(1)
            ends = torch.tensor([torch.finfo(dtype).tiny, 0.5, 1 - torch.finfo(dtype).eps], dtype=dtype)
            angle = polar_angle(k, ends, dimension)
            (slope,) = torch.autograd.grad(angle.sum(), k)
            assert ((angle > 0) & (angle < math.pi)).all() and slope.isfinite().all()


@pytest.mark.parametrize(
    "numbers", [(1.0, 0.0), (-0.6, 0.8), (0.2, -0.3, 0.9), (-1.0, 0.0, 0.0), (1.0, 2.0, -1.0, 0.5)]
)
@pytest.mark.parametrize("concentration", [0.0, 4.0])
def test_draws_have_the_moments_of_the_family(numbers: tuple[float, ...], concentration: float) -> None:
    rows, loc = 6_000, towards(*numbers)
    drawn = vmf(loc, concentration, rows).sample(Noise(5, rows), "l")
    torch.testing.assert_close(drawn.norm(dim=-1), torch.ones(rows, dtype=DOUBLE), rtol=0, atol=1e-12)
    dimension = len(numbers)
    length = 1 - shortfall(torch.tensor(concentration, dtype=DOUBLE), dimension).item()
    error = 4.5 / math.sqrt(rows)
    torch.testing.assert_close(drawn.mean(0), length * loc, rtol=0, atol=error)
    # E[x x'] = a I + (1 - d a) loc loc', a = A / k (1 / d at k = 0): isotropic around loc
    across = length / concentration if concentration else 1 / dimension
    second = across * torch.eye(dimension, dtype=DOUBLE) + (1 - dimension * across) * torch.outer(loc, loc)
    torch.testing.assert_close(drawn.T @ drawn / rows, second, rtol=0, atol=error)
    assert torch.equal(vmf(loc, concentration).mean[0], loc) and torch.equal(vmf(loc, concentration).mode[0], loc)


def test_pathwise_gradients_differentiate_the_mean_of_a_function() -> None:
    """d/dtheta E[f(x)] on the sphere, f not symmetric, against an integral over latitude and longitude."""
    rows = 30_000
    raw = torch.tensor([-0.4, 0.5, 0.7], dtype=DOUBLE)
    strength = torch.tensor(2.5, dtype=DOUBLE)

    def value(x: Tensor) -> Tensor:
        return torch.sin(2 * x[..., 0] + x[..., 1]) + x[..., 2] ** 3 * x[..., 1]

    height, weight = (torch.as_tensor(a, dtype=DOUBLE) for a in np.polynomial.legendre.leggauss(60))
    around = torch.arange(120, dtype=DOUBLE) * (2 * math.pi / 120)
    ring = (1 - height**2).sqrt()[:, None]
    grid = torch.stack([height[:, None].expand(60, 120), ring * around.cos(), ring * around.sin()], dim=-1)

    def expectation(raw: Tensor, k: Tensor) -> Tensor:
        density = torch.exp(vmf(raw / raw.norm(), k).log_prob(grid.reshape(-1, 3))).reshape(60, 120)
        return (density * value(grid) * weight[:, None]).sum() * (2 * math.pi / 120)

    leaves = [raw.clone().requires_grad_(), strength.clone().requires_grad_()]
    exact = torch.autograd.grad(expectation(*leaves), leaves)
    each = raw.expand(rows, 3).clone().requires_grad_()
    k = strength.expand(rows, 1).clone().requires_grad_()
    loc = each / each.norm(dim=-1, keepdim=True)
    spread = build(FAMILY, {}, {"loc": loc, "concentration": k}, Variable("l", "latent", "direction", (3,)))
    drawn = spread.rsample(Noise(3, rows), "l")
    for slopes, derivative in zip(torch.autograd.grad(value(drawn).sum(), [each, k]), exact, strict=True):
        errors = slopes.std(0) / math.sqrt(rows)
        assert ((slopes.mean(0) - derivative).abs() < 4 * errors).all()
        assert (errors < 0.02).all()


@pytest.mark.parametrize("numbers", [(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (1e-9, 1.0, 0.0), (-1e-9, 0.0, 1.0)])
def test_gradients_stay_bounded_around_the_sphere(numbers: tuple[float, ...]) -> None:
    loc = towards(*numbers).expand(200, 3).clone().requires_grad_()
    k = torch.full((200, 1), 5.0, dtype=DOUBLE)
    spread = build(FAMILY, {}, {"loc": loc, "concentration": k}, Variable("l", "latent", "direction", (3,)))
    drawn = spread.rsample(Noise(0, 200), "l")
    (slope,) = torch.autograd.grad(drawn.sum(), loc)
    assert slope.abs().max() < 10


@pytest.mark.parametrize("dimension", [2, 3])
def test_divergences_against_integrals(dimension: int) -> None:
    q, p = vmf(towards(*[0.3, -0.8, 0.5][:dimension]), 3.0), vmf(towards(*[1.0, 0.2, 0.4][:dimension]), 1.3)
    uniform = vmf(towards(*[1.0, 0.0, 0.0][:dimension]), 0.0)
    turn = torch.arange(400, dtype=DOUBLE) * (2 * math.pi / 400)
    if dimension == 2:
        grid, weight = (
            torch.stack([turn.cos(), turn.sin()], dim=-1),
            torch.full((400,), 2 * math.pi / 400, dtype=DOUBLE),
        )
    else:
        height, of_height = (torch.as_tensor(a, dtype=DOUBLE) for a in np.polynomial.legendre.leggauss(80))
        ring = (1 - height**2).sqrt()[:, None]
        parts = [height[:, None].expand(80, 400), ring * turn.cos(), ring * turn.sin()]
        grid = torch.stack(parts, dim=-1).reshape(-1, 3)
        weight = (of_height[:, None] * (2 * math.pi / 400)).expand(80, 400).reshape(-1)
    for other in (p, uniform):
        log_q, log_p = q.log_prob(grid), other.log_prob(grid)
        exact = (weight * log_q.exp() * (log_q - log_p)).sum().item()
        assert closed_kl(q, other).item() == pytest.approx(exact, rel=1e-10)
    assert closed_kl(q, q).item() == pytest.approx(0, abs=1e-14)
    assert closed_kl(uniform, p).item() == pytest.approx(-(p.log_prob(grid) * weight).sum().item() / weight.sum().item()
                                                         - log_area(dimension), rel=1e-10)  # fmt: skip


def test_divergence_has_a_gradient_from_nothing_to_certainty() -> None:
    for dtype in (torch.float32, DOUBLE):
        uniform = vmf(towards(1.0, 0.0, 0.0).to(dtype), 0.0)
        k = torch.tensor([[0.0], [1e-3], [1.0], [1e4], [1e8]], dtype=dtype, requires_grad=True)
        q = vmf(towards(0.0, 1.0, 0.0).to(dtype), 1.0, 5).rebuilt(lambda v: v)
        q.stored["concentration"] = k
        divergence = closed_kl(q, uniform)
        (slope,) = torch.autograd.grad(divergence.sum(), k)
        assert divergence.isfinite().all() and (divergence.diff() > 0).all() and slope.isfinite().all()
        assert slope[2].item() == pytest.approx(1 / 1.0 - 1 / math.sinh(1) ** 2, rel=1e-5)  # k A'(k)


def test_a_map_of_directions_is_independent_vectors_along_the_first_axis() -> None:
    generator = torch.Generator().manual_seed(0)
    loc = torch.nn.functional.normalize(torch.randn(5, 3, 2, 4, dtype=DOUBLE, generator=generator), dim=1)
    k = torch.rand(5, 1, 2, 4, dtype=DOUBLE, generator=generator) * 9
    whole = build(FAMILY, {}, {"loc": loc, "concentration": k}, Variable("n", "latent", "direction", (3, 2, 4)))
    noise = whole.standard_noise(Noise(1, 5), "n", (7,))
    assert noise.shape == (7, 5, 3, 2, 4)
    drawn = whole.reparameterize(noise)
    density, divergence = torch.zeros(7, 5, dtype=DOUBLE), torch.zeros(5, dtype=DOUBLE)
    scalar = Variable("n", "latent", "direction", (3,))
    for i in range(2):
        for j in range(4):
            one = build(FAMILY, {}, {"loc": loc[..., i, j], "concentration": k[..., i, j]}, scalar)
            torch.testing.assert_close(one.reparameterize(noise[..., i, j]), drawn[..., i, j])
            density = density + one.log_prob(drawn[..., i, j])
            divergence = divergence + closed_kl(one, vmf(towards(1.0, 0.0, 0.0), 0.0))
    torch.testing.assert_close(whole.log_prob(drawn), density)
    uniform = {"loc": loc[:1], "concentration": torch.zeros(1, 1, 1, 1, dtype=DOUBLE)}
    torch.testing.assert_close(closed_kl(whole, build(FAMILY, {}, uniform, whole_variable())), divergence)
    shared = build(FAMILY, {}, {"loc": loc, "concentration": torch.full((1, 1, 1, 1), 2.0)}, whole_variable())
    assert closed_kl(shared, build(FAMILY, {}, uniform, whole_variable()))[0].item() == pytest.approx(
        8 * closed_kl(vmf(towards(0.0, 1.0, 0.0), 2.0), vmf(towards(1.0, 0.0, 0.0), 0.0)).item()
    )


def whole_variable() -> Variable:
    return Variable("n", "latent", "direction", (3, 2, 4))


def test_noise_is_shared_along_axes_and_belongs_to_rows() -> None:
    base = vmf(towards(0.3, -0.5, 0.8), 3.0)
    turned = towards(-0.9, 0.1, 0.2)
    both = base.rebuilt(lambda v: torch.stack([turned.expand_as(v) if v.shape[-1] == 3 else v, v]))
    noise = both.standard_noise(RowNoise(7, [3, 1, 2]), "v", (2,))
    drawn = both.draw(noise.unsqueeze(1))
    assert drawn.shape == (2, 2, 3, 3)
    alone = base.draw(base.standard_noise(RowNoise(7, [1]), "v", (2,)))
    torch.testing.assert_close(drawn[:, 1, 1:2], alone)
    placed = base.on((), ("y",))
    assert placed.lead == (1, 1) and placed.log_prob(drawn[:, 1].unsqueeze(1)).shape == (2, 1, 3)


def test_the_link_runs_along_the_first_axis_and_starts_at_its_first_unit_vector() -> None:
    info = FAMILY.parameters[0]
    raw = torch.randn(4, 3, 2, 5, dtype=DOUBLE, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loc = constrain(info, raw, -3)
    torch.testing.assert_close(loc.norm(dim=1), torch.ones(4, 2, 5, dtype=DOUBLE))
    torch.testing.assert_close(constrain(info, torch.zeros(3, 1), -2), torch.tensor([[1.0], [0.0], [0.0]]))
    (slope,) = torch.autograd.grad(constrain(info, raw * 0, -3).sum(), raw)
    assert slope.abs().max() <= 1
    torch.testing.assert_close(legal(info, 3 * loc, -3), loc)


@pytest.mark.parametrize("extent", ["element", "channel", "variable"])
def test_learned_directions_have_length_one(extent: str) -> None:
    learned = Learned(LearnedParameter(learned=extent), FAMILY.parameters[0], "loc", (3, 2), DOUBLE)  # type: ignore[arg-type]
    torch.testing.assert_close(learned()[0, :, 1], torch.tensor([1.0, 0.0, 0.0], dtype=DOUBLE))
    with torch.no_grad():
        learned.raw.add_(torch.rand(learned.raw.shape, generator=torch.Generator().manual_seed(2)))
    torch.testing.assert_close(learned().norm(dim=1), torch.ones(1, 2, dtype=DOUBLE))
    concentration = Learned(LearnedParameter(learned=extent), FAMILY.parameters[1], "concentration", (1, 2), DOUBLE)  # type: ignore[arg-type]
    torch.testing.assert_close(
        concentration(), torch.full((1, 1, 2), BORDER_START + 1e-4, dtype=DOUBLE), rtol=0, atol=2e-4
    )


FACES = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 6]}
  n: {role: observed, domain: direction, shape: [3, 8, 6]}
  i: {role: supervised, domain: category, classes: 3}
  l: {role: supervised, domain: direction, size: 3}
  s: {role: latent, domain: direction, size: 4}
  normals: {role: deterministic, domain: direction, shape: [3, 8, 6]}
generative:
  i: {}
  l: {}
  s: {parameters: {loc: learned}}
  normals: {parents: [i, s], network: {kind: deconv, channels: [8], kernel: 4}}
  x: {parents: [l, normals], distribution: normal, network: {kind: dot, minimum: 0}, parameters: {scale: 0.1}}
  n: {parents: [i, s], network: {kind: deconv, channels: [8], kernel: 4}}
recognition:
  i: {parents: [x, n], network: {kind: linear}}
  l: {parents: [x], network: {kind: linear}}
  s: {parents: [x, i], network: {kind: mlp, hidden: [16]}}
"""


def face_rows(rows: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    light = torch.nn.functional.normalize(torch.randn(rows, 3, generator=generator), dim=1)
    light[rows // 2 :] = torch.nan
    return {
        "x": torch.rand(rows, 1, 8, 6, generator=generator),
        "n": torch.nn.functional.normalize(torch.randn(rows, 3, 8, 6, generator=generator), dim=1),
        "i": torch.tensor([0, 1, -1, 2, 1, -1][:rows]),
        "l": light,
    }


def test_a_model_of_directions_runs_in_both_graphs_and_every_pattern() -> None:
    model = compile_spec(graphs_of(FACES))
    rows = face_rows(6)
    bound = model.bound(rows, noise=Noise(0, 6))
    bound.mean().backward()
    assert bound.isfinite().all()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    direction = model.generate({}, 5, noise=Noise(1, 5), means=False)
    for name in ("l", "s", "n", "normals"):
        torch.testing.assert_close(direction[name].norm(dim=1), torch.ones_like(direction[name].norm(dim=1)))
    guess = model.predict("l", {name: rows[name] for name in ("x", "n")}, noise=Noise(2, 6))
    torch.testing.assert_close(guess.norm(dim=1), torch.ones(6))
    densities = model.log_prob("generative", {**direction, "x": rows["x"][:5], "l": direction["l"]})
    torch.testing.assert_close(densities["l"], torch.full((5,), -math.log(4 * math.pi)))


def test_a_root_of_p_is_uniform_and_its_divergence_is_closed() -> None:
    graphs = graphs_of(FACES)
    root = ConditionalModule(graphs.generative["l"], graphs)
    assert not list(root.parameters())
    normals = FACES.replace(
        "s: {role: latent, domain: direction, size: 4}", "s: {role: latent, domain: direction, shape: [3, 2]}"
    )
    mapped = graphs_of(normals.replace("s: {parameters: {loc: learned}}", "s: {}"))
    uniform = ConditionalModule(mapped.generative["s"], mapped).forward({}, Noise(0, 2)).distribution
    torch.testing.assert_close(uniform.parameters["loc"][0, :, 1], torch.tensor([1.0, 0.0, 0.0]))
    program = lower(mapped, Pattern(()))
    assert program.choices["s"].closed_kl and program.choices["s"].estimator == "reparameterize"


GIVEN = {
    "1": False,
    "[1, 0, 1, 0]": False,
    "[1]": False,
    "[0, 0, 0, 0]": False,
    "[0, 0.6, 0, 0.8]": True,
    "learned": True,
}


@pytest.mark.parametrize(("loc", "legal_"), GIVEN.items())
def test_a_given_direction_has_length_one(loc: str, legal_: bool) -> None:
    text = FACES.replace("s: {parameters: {loc: learned}}", f"s: {{parameters: {{loc: {loc}, concentration: 2}}}}")
    refused = [found for found in found_in(text) if found.code == "GS054"]
    if not legal_:
        (found,) = refused
        assert "length 1" in found.message and "[1.0, 0.0, 0.0, 0.0]" in found.hint
    else:
        assert not refused
        graphs = graphs_of(text)
        drawn = ConditionalModule(graphs.generative["s"], graphs).forward({}, Noise(0, 2)).distribution
        torch.testing.assert_close(drawn.mean.norm(dim=1), torch.ones(1))
