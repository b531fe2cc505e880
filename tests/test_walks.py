"""Walks: recurrences in either graph are those of the model written out, whatever runs in one call."""

import pytest
import torch
from plate_twin import assert_written_out
from random_walks import WalkSpecDraw
from test_plates import DOUBLE, ROWS, model_of, rows_for
from test_ragged_plates import ragged_rows
from torch import Tensor, nn

from compiler.emission import emit
from compiler.networks.gru import GruNetwork
from compiler.networks.initialization import Initializer
from compiler.networks.interface import VALUE, ParentInput, Setup
from compiler.plan.ops import along_walks
from compiler.plan.planner import plans_of
from compiler.tensors.call_layout import Lead
from compiler.tensors.noise import ElementNoise, Noise
from graphspec.loading import load


def assert_as_written_out(text: str) -> None:
    model = model_of(text)
    rows = ragged_rows(model, ROWS)
    for plate in model.graphs.plates.values():
        if plate.count is not None:
            rows[plate.count][0] = plate.size - 1  # neither all nor none
    assert_written_out(model, rows, text)


@pytest.mark.parametrize("seed", [1, 3, 13, 15, 19, 25, 26, 30])
def test_value_and_gradient_are_those_of_the_model_written_out(seed: int) -> None:
    """Recurrences in both graphs, forward and back, states shared by both, labels on any elements, in nested plates."""
    assert_as_written_out(WalkSpecDraw(seed).text())


@pytest.mark.parametrize("seed", [3, 13, 19, 25, 28])
def test_walks_are_those_of_the_elements_that_are_there(seed: int) -> None:
    """Counts of both plates: walks back begin at the last element that is there, also in rows without any."""
    assert_as_written_out(WalkSpecDraw(seed, ragged=True).text())


RECURRENT = """
graphspec: 1
plates: {time: {size: 4, ordered: true}}
variables:
  x: {role: observed, domain: real, size: 2, plate: time}
  y: {role: supervised, domain: category, classes: 3, plate: time}
  z: {role: latent, domain: real, size: 2, plate: time}
  h: {role: deterministic, plate: time}
generative:
  y: {parents: [h@previous]}
  z: {parents: [h@previous, y]}
  x: {parents: [h@previous, y, z]}
  h: {parents: [h@previous, x, y, z], network: {kind: gru, hidden: 3}}
recognition:
  y: {parents: [h@previous, x]}
  z: {parents: [h@previous, x, y]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {alpha: 2, samples: 2}
"""

MARKOV = """
graphspec: 1
plates: {time: {size: 4, ordered: true}}
variables:
  x: {role: observed, domain: binary, size: 3, plate: time}
  z: {role: latent, size: 2, plate: time}
  h: {role: deterministic, plate: time}
generative:
  z: {parents: [z@WAY]}
  x: {parents: [z]}
recognition:
  h: {parents: [h@next, x], network: {kind: gru, hidden: 3}}
  z: {parents: [h, z@previous]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
"""


def test_a_state_that_both_graphs_read() -> None:
    assert_as_written_out(RECURRENT)


@pytest.mark.parametrize(("way", "closed"), [("previous", True), ("next", False)])
def test_divergences_are_closed_where_the_neighbour_is_drawn_before(way: str, closed: bool) -> None:
    text = MARKOV.replace("WAY", way)
    assert_as_written_out(text)
    (plan,) = plans_of(load("-", text=text))
    assert any(line.op == "kl" for line in plan.lines) == closed


def test_a_fused_gru_begins_at_the_last_element_that_is_there() -> None:
    text = MARKOV.replace("WAY", "previous").replace("{size: 4, ordered", "{count: n, ordered")
    text = text.replace("variables:", "variables:\n  n: {role: observed, domain: count, max: 4}")
    assert_as_written_out(text)
    (plan,) = plans_of(load("-", text=text))
    assert any(line.op == "gru" for line in plan.lines)


def test_the_body_of_a_walk_is_verified_and_printed() -> None:
    (plan,) = plans_of(load("-", text=MARKOV.replace("WAY", "previous")))
    assert "h [@time, B] = gru(x, factor=recognition.h, kind=next, axis=@time, size=4)" in str(plan)
    assert "at first z@previous [B] = 0" in str(plan) and "on to the next: z@previous = z" in str(plan)


@pytest.mark.parametrize("text", [RECURRENT, MARKOV.replace("WAY", "previous"), WalkSpecDraw(1).text()])
def test_the_emitted_file_agrees(text: str) -> None:
    """`emit` runs the file beside the model and raises where value or gradient differ."""
    assert "put_together(" in emit(load("-", text=text))


def gru_of(hidden: int = 4) -> GruNetwork:
    inputs = {
        "h@next": ParentInput("h@next", "identity", (hidden,), state=True),
        "x": ParentInput("x", "identity", (2, 3)),
        "y": ParentInput("y", "table", (), 3),
        "n": ParentInput("n", "log1p", ()),
    }
    return GruNetwork(Setup(inputs, {}, Initializer(0, "recognition.h", DOUBLE)), hidden)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("place", [0, 1])
def test_the_fused_gru_is_the_loop_is_torchs(back: bool, place: int) -> None:
    """Inputs that do not vary over the elements, or over the other axis, a category among them."""
    network, steps, rows, generator = gru_of(), 5, 3, torch.Generator().manual_seed(1)
    sizes = [2, 2]
    sizes[place] = steps
    x = torch.randn(*sizes, rows, 2, 3, generator=generator, dtype=DOUBLE, requires_grad=True)
    y = torch.randint(0, 3, (*(1 if at != place else steps for at in range(2)), rows), generator=generator)
    n = torch.rand(1, 1, rows, generator=generator, dtype=DOUBLE)
    values = {"x": x, "y": y, "n": n}
    fused = network.along(values, Lead(3), place, steps, None, back=back)

    state, each = torch.zeros(1, 1, 4, dtype=DOUBLE), [torch.empty(0)] * steps
    for step in reversed(range(steps)) if back else range(steps):
        here = {name: v.select(place, step if v.shape[place] > 1 else 0) for name, v in values.items()}
        state = network({**here, "h@next": state}, Lead(2))[VALUE]
        each[step] = state
    looped = torch.stack(torch.broadcast_tensors(*each), dim=place)
    torch.testing.assert_close(fused, looped, atol=1e-12, rtol=0)
    parameters = [x, *network.parameters()]
    weights = torch.randn(fused.shape, generator=generator, dtype=DOUBLE)
    both = (torch.autograd.grad((value * weights).sum(), parameters) for value in (fused, looped))
    for mine, theirs in zip(*both, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-11, rtol=0)

    theirs = nn.GRU(network.width, 4, dtype=DOUBLE)
    maps = [network.first.maps[f"from_{name}"].weight for name in ("n", "x", "y")]
    for parameter, own in zip(
        theirs.parameters(), [torch.cat(maps, 1), network.weight, network.first.bias, network.bias], strict=True
    ):
        parameter.data.copy_(own)
    hot = torch.nn.functional.one_hot(y, 3).to(DOUBLE)
    flat = torch.cat([v.expand(*sizes, rows, v.shape[-1]) for v in (n.log1p()[..., None], x.flatten(3), hot)], -1)
    line = flat.movedim(place, 0).flatten(1, 2)
    found = theirs(line.flip(0) if back else line)[0]
    found = (found.flip(0) if back else found).reshape(steps, 2, rows, 4).movedim(0, place)
    torch.testing.assert_close(fused, found, atol=1e-12, rtol=0)


def test_a_state_without_a_gradient_walks_step_by_step() -> None:
    """`stop_gradient` of the state cuts the walk's own gradient, which the fused kernel has not."""
    text = MARKOV.replace("WAY", "previous").replace("x], network", "x], stop_gradient: [h@next], network")
    assert_as_written_out(text)
    (plan,) = plans_of(load("-", text=text))
    assert not any(line.op == "gru" for line in plan.lines)


def test_questions_walk_too() -> None:
    """Draws from p feed back, also where what is told are means; densities of what was drawn are those of its walk."""
    model = model_of(RECURRENT)
    drawn = model.generate({}, 5, noise=Noise(0, 5), means=False)
    assert {name: tuple(value.shape) for name, value in drawn.items()} == {
        "y": (5, 4), "z": (5, 4, 2), "x": (5, 4, 2), "h": (5, 4, 3),
    }  # fmt: skip
    told = model.generate({}, 5, noise=Noise(0, 5), means=True)
    torch.testing.assert_close(told["h"], drawn["h"])
    assert not torch.equal(told["x"], drawn["x"])
    held = model.generate({name: drawn[name] for name in "yzx"}, 5, noise=Noise(1, 5))
    torch.testing.assert_close(held["h"], drawn["h"], atol=1e-12, rtol=0)
    rows = rows_for(model, 4)
    inferred = model.infer(rows, samples=2, noise=Noise(0, 4))
    assert torch.equal(inferred["y"][0, 1], rows["y"][1])
    values = {**rows, **{name: value[0] for name, value in inferred.items()}}
    assert all(value.isfinite().all() for value in model.log_prob("recognition", values).values())
    assert model.predict("y", rows, samples=3, noise=Noise(0, 4)).shape == (4, 4, 3)


def test_an_elements_noise_is_its_own() -> None:
    """Networks that draw get other numbers at each element of a walk, whatever the order; variables do by their name."""
    noise = ElementNoise(Noise(0, 3), 4)
    drawn: list[Tensor] = []
    for noise.element in (2, 0, 1):
        drawn.append(noise.uniform("dropout", (), (5,), DOUBLE))
    noise.element = 2
    assert torch.equal(noise.uniform("dropout", (), (5,), DOUBLE), drawn[0])
    assert not torch.equal(drawn[0], drawn[1])


def test_each_element_of_a_walk_draws_its_own_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout inside a loop: asked for once an element, of that element."""
    asked: list[int] = []

    class Recorder(ElementNoise):
        def uniform(self, name, lead, event, dtype) -> Tensor:
            asked.append(self.element)
            return super().uniform(name, lead, event, dtype)

    monkeypatch.setattr(along_walks, "ElementNoise", Recorder)
    text = MARKOV.replace("WAY", "previous").replace("activation: tanh}", "activation: tanh, dropout: 0.5}")
    model = model_of(text).train()
    model.bound(rows_for(model, 3), noise=Noise(0, 3))
    assert asked and {element: asked.count(element) for element in asked} == dict.fromkeys(
        range(4), asked.count(asked[0])
    )
