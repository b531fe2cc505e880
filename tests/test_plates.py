"""Plates of fixed size: the objective of any spec with plates is that of the model written out."""

import json
import time

import numpy as np
import pytest
import torch
from plate_twin import PlateTwin, assert_written_out, gradients
from random_plates import PlateSpecDraw
from row_noise import RowNoise
from torch import Tensor
from typer.testing import CliRunner

from compiler import compile_spec
from compiler.emission import emit
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise
from graphspec.loading import check_graphs, load
from runtime.cli.app import app
from runtime.data import prepare

DOUBLE = torch.float64
ROWS = 3


def model_of(text: str, seed: int = 0):
    """A float64 model whose weights are far from even."""
    model = compile_spec(load("-", text=text), dtype=DOUBLE)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator, dtype=DOUBLE))
    return model


def rows_for(model, count: int = ROWS, seed: int = 0) -> dict[str, Tensor]:
    """Random rows: the first without labels, the second with all, the others with any elements; blanks anywhere."""
    generator, rows = torch.Generator().manual_seed(seed), {}
    for name in (*model.graphs.observed, *model.graphs.supervised):
        variable = model.graphs.variables[name]
        shape = (count, *variable.row_shape)
        if variable.support is not None:
            value = torch.randint(0, variable.support, shape, generator=generator)
            value = value if variable.domain == "category" else value.to(DOUBLE)
        else:
            value = torch.randn(shape, generator=generator, dtype=DOUBLE)
        gone = torch.rand(shape, generator=generator) < 0.5
        if variable.role == "supervised":
            gone[0], gone[1] = True, False
        if variable.role == "supervised" or variable.missing:
            value[gone] = -1 if variable.discrete else torch.nan
        rows[name] = value
    return rows


@pytest.mark.parametrize("seed", range(24))
def test_value_and_gradient_are_those_of_the_model_written_out(seed: int) -> None:
    """Nested plates and two side by side, every view, labels on any elements; one draw, or two where all labels of a row
    weigh its joint draws."""
    text = PlateSpecDraw(seed, samples=2).text()
    model = model_of(text)
    rows = rows_for(model)
    assert_written_out(model, rows, text)


@pytest.mark.parametrize("seed", [1, 4, 9])
def test_rows_and_batches_change_nothing(seed: int) -> None:
    model = model_of(PlateSpecDraw(seed, samples=2).text())
    rows = rows_for(model, 5)
    whole = model.bound(rows, noise=RowNoise(3, range(5)))
    for part in ([3, 1], [4], [2, 0]):
        found = model.bound({n: v[part] for n, v in rows.items()}, noise=RowNoise(3, part))
        torch.testing.assert_close(found, whole[part], atol=1e-10, rtol=0)


@pytest.mark.parametrize("seed", [0, 3, 12])
def test_the_emitted_file_agrees(seed: int) -> None:
    """`emit` runs the file beside the model and raises where value or gradient differ."""
    assert "def bound(" in emit(load("-", text=PlateSpecDraw(seed, most=3, samples=2).text()))


def test_the_emitted_file_agrees_where_directions_of_elements_have_no_label() -> None:
    """A direction is blank as a whole, by element."""
    text = """
graphspec: 1
name: lights
plates: {photos: {size: 3}}
variables:
  x: {role: observed, domain: real, size: 2, plate: photos}
  light: {role: supervised, domain: direction, size: 3, plate: photos}
generative:
  light: {}
  x: {parents: [light]}
recognition:
  light: {parents: [x]}
"""
    assert "def bound(" in emit(load("-", text=text))


class ElementNoise(Noise):
    """Draws by element: of one row with n elements, or of n rows, the same numbers."""

    in_order = False

    def __init__(self, batch: int, elements: int, order: tuple[int, ...] = ()) -> None:
        super().__init__(0, batch)
        self.order = order or tuple(range(elements))

    def _drawn(self, kind, name, lead, event, dtype) -> Tensor:
        plate = self.batch == 1 and len(self.order) > 1 and len(lead) > 0 and lead[-1] == len(self.order)
        ahead = lead[:-1] if plate else lead
        places = self.order if plate else range(self.batch)
        made = []
        for place in places:
            generator = torch.Generator().manual_seed(1000 * place + sum(map(ord, name)))
            made.append(kind((*ahead, *event), generator=generator, dtype=dtype))
        stacked = torch.stack(made, dim=len(ahead))
        return stacked.unsqueeze(len(lead)) if plate else stacked

    def normal(self, name, lead, event, dtype):
        return self._drawn(torch.randn, name, lead, event, dtype)

    def uniform(self, name, lead, event, dtype):
        return self._drawn(torch.rand, name, lead, event, dtype).clamp_min(torch.finfo(dtype).tiny)

    def select(self, rows):
        return self


ALONE = """
graphspec: 1
PLATES
variables:
  x: {role: observed, size: 2IN}
  t: {role: supervised, domain: category, classes: 3IN}
  y: {role: supervised, domain: binaryIN}
  z: {role: latent, size: 2IN}
generative:
  y: {}
  z: {parents: [y]}
  t: {parents: [z]}
  x: {parents: [z, y, t]}
recognition:
  y: {parents: [x]}
  z: {parents: [x, y]}
  t: {parents: [x, z, y]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {alpha: {t: 2.5, y: 0.7}, samples: 3, beta: {z: 1.5}, free_bits: {z: 0.4}, label_bound: BOUND}
"""


@pytest.mark.parametrize("bound", ["logmeanexp", "jensen"])
@pytest.mark.parametrize("labels", [(-1, -1), (2, -1), (2, 1), (-1, 0)])
def test_a_label_weighs_the_draws_of_its_own_element_where_elements_are_independent(bound, labels) -> None:
    """A model in one plate is a model of rows: four elements of one row are worth four rows, three draws each, however
    much the labels of each weigh its draws."""
    text = ALONE.replace("BOUND", bound)
    inside = model_of(text.replace("PLATES", "plates: {things: {size: 4}}").replace("IN", ", plate: things"))
    alone = model_of(text.replace("PLATES", "").replace("IN", ""))
    alone.load_state_dict(inside.state_dict())
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(4, 2, generator=generator, dtype=DOUBLE)
    t, y = torch.full((4,), labels[0]), torch.full((4,), float(labels[1]), dtype=DOUBLE)
    whole = inside.bound({"x": x[None], "t": t[None], "y": y[None]}, noise=ElementNoise(1, 4))
    parts = alone.bound({"x": x, "t": t, "y": y}, noise=ElementNoise(4, 4))
    torch.testing.assert_close(whole[0], parts.sum(), atol=1e-10, rtol=0)
    torch.testing.assert_close(gradients(whole[0], inside), gradients(parts.sum(), alone), atol=1e-9, rtol=0)


SHARED = """
graphspec: 1
plates: {things: {size: 3}}
variables:
  x: {role: observed, size: 2, plate: things}
  y: {role: supervised, domain: category, classes: 3, plate: things}
  t: {role: supervised, domain: binary, plate: things}
  s: {role: latent, size: 1}
generative:
  s: {}
  y: {parents: [s]}
  t: {parents: [y, s]}
  x: {parents: [y, t, s]}
recognition:
  s: {parents: [x@mean]}
  y: {parents: [x, s]}
  t: {parents: [x, y, s]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {alpha: {t: 2.5, y: 0.7}, samples: SAMPLES}
"""


@pytest.mark.parametrize("samples", [1, 2])
def test_labels_weigh_what_is_summed_within_their_element_and_the_draws_of_the_row(samples: int) -> None:
    """t of an element says something about its own hidden y, and about s, which all elements share."""
    model = model_of(SHARED.replace("SAMPLES", str(samples)))
    rows = rows_for(model, 4)
    rows["y"][2], rows["t"][2] = torch.tensor([-1, 2, -1]), torch.tensor([1.0, 0.0, 1.0], dtype=DOUBLE)
    found = model.bound(rows, noise=RowNoise(3, range(4)))
    expected = torch.stack([
        PlateTwin(model, {n: v[row : row + 1] for n, v in rows.items()}, RowNoise(3, [row])).bound() for row in range(4)
    ])  # fmt: skip
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(gradients(found.sum(), model), gradients(expected.sum(), model), atol=1e-9, rtol=0)


SET = """
graphspec: 1
plates: {things: {size: 4}}
variables:
  x: {role: observed, size: 2, plate: things}
  t: {role: supervised, domain: category, classes: 3, plate: things}
  s: {role: latent, size: 2}
  z: {role: latent, size: 1, plate: things}
generative:
  s: {}
  z: {parents: [s]}
  t: {parents: [s]}
  x: {parents: [z, t, s]}
recognition:
  t: {parents: [x, x@mean]}
  s: {parents: [x@max, t@mean]}
  z: {parents: [x, s, x@sum]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {alpha: 2, samples: 2}
"""


def test_the_order_of_the_elements_changes_nothing() -> None:
    """Of a plate whose order nobody looks at: elements moved, with their labels and their noise."""
    model, order = model_of(SET), (2, 0, 3, 1)
    x = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    t = torch.tensor([[0, -1, 2, -1]])
    here = model.bound({"x": x, "t": t}, noise=ElementNoise(1, 4))
    there = model.bound({"x": x[:, order], "t": t[:, order]}, noise=ElementNoise(1, 4, order))
    torch.testing.assert_close(here, there, atol=1e-10, rtol=0)


def test_a_map_by_class_is_the_map_of_that_class() -> None:
    """By a plate's place, by a category, and by relaxed classes, which mix the maps."""
    text = """
graphspec: 1
plates: {items: {size: 3}}
variables:
  x: {role: observed, size: 2, plate: items}
  g: {role: observed, domain: category, classes: 4}
  u: {role: observed, size: 2}
  z: {role: latent, size: 2}
generative: {z: {}, x: {parents: [z, items], network: {kind: linear, by: items}},
             u: {parents: [z, g], network: {kind: linear, by: g}}}
recognition: {z: {parents: [u]}}
"""
    model = model_of(text)
    z, g = torch.tensor([[0.3, -1.2]], dtype=DOUBLE), torch.tensor([2])
    by_item = dict(model.factors["generative--x"].named_parameters())
    by_group = dict(model.factors["generative--u"].named_parameters())
    made = model.generate({"z": z, "g": g}, 1, noise=Noise(0, 1))
    for weights, name, chosen in ((by_item, "x", range(3)), (by_group, "u", [2])):
        weight = next(v for k, v in weights.items() if k.endswith("from_z"))
        bias = next(v for k, v in weights.items() if k.endswith("bias"))
        expected = torch.stack([weight[k] @ z[0] + bias[k] for k in chosen])[:, :2]
        torch.testing.assert_close(made[name].reshape(-1, 2), expected)


COUNTS = """
graphspec: 1
plates: {days: {size: 3, ordered: true}}
variables:
  n: {role: observed, domain: count, plate: days, missing: true}
  z: {role: latent, size: 1}
generative: {z: {}, n: {parents: [z]}}
recognition: {z: {parents: [n@VIEW], network: {kind: KIND}, parameters: {scale: 1.0}}}
"""


@pytest.mark.parametrize(
    ("view", "kind", "expected"),
    [("sum", "linear", np.log1p(4) + np.log1p(7)), ("mean", "linear", (np.log1p(4) + np.log1p(7)) / 3),
     ("sum", "identity", 11.0), ("first", "linear", np.log1p(4)), ("last", "identity", 7.0), ("max", "linear", np.log1p(7))],
)  # fmt: skip
def test_counts_are_pooled_as_they_enter(view: str, kind: str, expected: float) -> None:
    """As logarithms where a network has weights, as they are where it has none; a blank as zero, beside its flag."""
    model = model_of(COUNTS.replace("VIEW", view).replace("KIND", kind))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("factors.recognition"):
                parameter.fill_(1.0 if "from_n" in name and "present" not in name else 0.0)
    rows = {"n": torch.tensor([[4.0, -1.0, 7.0]], dtype=DOUBLE)}
    assert model.predict("z", rows, noise=Noise(0, 1)).item() == pytest.approx(expected)


def test_a_neighbour_that_is_not_there_is_zero_beside_a_flag() -> None:
    """The first element has no previous one: its map sees zero, and a flag of zero."""
    text = (
        COUNTS.replace("n@VIEW", "n@previous")
        .replace("KIND", "linear")
        .replace("role: latent", "role: latent, plate: days")
    )
    model = model_of(text)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("factors.recognition"):
                parameter.fill_(10.0 if "present" in name else 1.0 if "from_n" in name else 0.0)
    rows = {"n": torch.tensor([[4.0, -1.0, 7.0]], dtype=DOUBLE)}
    found = model.predict("z", rows, noise=Noise(0, 1)).flatten().tolist()
    assert found == pytest.approx([0.0, 10 + np.log1p(4), 0.0])  # nothing before; four; a blank


DEEP = """
graphspec: 1
plates: {texts: {size: 2, ordered: true}, words: {size: 3, inside: texts, ordered: true}}
variables:
  w: {role: observed, domain: positive, plate: words}
  s: {role: latent, size: 1, plate: texts}
  r: {role: latent, size: 1}
generative: {r: {}, s: {}, w: {parents: [r, s]}}
recognition:
  s: {parents: [w@mean], network: {kind: linear}, parameters: {scale: 1.0}}
  r: {parents: [w@mean], network: {kind: linear}, parameters: {scale: {parents: [w@mean], network: {kind: linear}}}}
"""


def test_a_pool_takes_away_the_plates_that_the_reader_does_not_stand_in() -> None:
    """The mean over a text's words for the text, over all words for the row, also in a parameter of its own."""
    model = model_of(DEEP)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("factors.recognition"):
                parameter.fill_(1.0 if "from_w" in name else 0.0)
    w = torch.arange(1.0, 7.0, dtype=DOUBLE).reshape(1, 2, 3)
    texts = model.predict("s", {"w": w}, noise=Noise(0, 1))
    torch.testing.assert_close(texts, w.log1p().mean(2).unsqueeze(-1))
    torch.testing.assert_close(model.predict("r", {"w": w}, noise=Noise(0, 1)), w.log1p().mean().reshape(1, 1))
    assert set(model.graphs.views) == {"w@mean", "w@mean/row"}
    assert "def bound(" in emit(model.graphs)


def test_answers_have_the_elements_behind_the_rows() -> None:
    model = model_of(SET)
    rows = rows_for(model, 5)
    assert model.predict("t", rows, noise=Noise(0, 5)).shape == (5, 4, 3)
    assert model.infer(rows, samples=2, noise=Noise(0, 5))["z"].shape == (2, 5, 4, 1)
    assert model.posterior_means(rows, noise=Noise(0, 5))["t"].shape == (5, 4)
    made = model.generate({}, 5, noise=Noise(0, 5), means=False)
    assert {name: tuple(value.shape) for name, value in made.items()} == {
        "s": (5, 2), "z": (5, 4, 1), "t": (5, 4), "x": (5, 4, 2),
    }  # fmt: skip
    density = model.log_prob("generative", made)["z"]
    alone = model.conditional(model.graphs.generative["z"])
    loc, scale = alone({"s": made["s"]}, Layout(1, Noise(0, 5)))
    expected = torch.distributions.Normal(loc[:, None], scale[:, None]).log_prob(made["z"]).sum((1, 2))
    torch.testing.assert_close(density, expected)


@pytest.mark.parametrize(("wrong", "expected"), [((2, 3, 2), "[B, 4, 2]"), ((2, 2), "[B, 4, 2]")])
def test_rows_of_another_size_are_refused(wrong, expected) -> None:
    with pytest.raises(ValueError, match=r"takes values of shape \['B', 4, 2\]"):
        model_of(SET).bound({"x": torch.zeros(wrong, dtype=DOUBLE)})
    assert expected


def test_elements_that_something_couples_are_relaxed_with_a_reason() -> None:
    """t@mean is read in recognition: a sum over t's values, element by element, would be wrong. With six elements there
    are 729 joint values, too many to sum; with four, 81."""
    for size, estimator in ((6, "relax"), (4, "enumerate")):
        model = model_of(SET.replace("size: 4", f"size: {size}"))
        program, _ = model.program(model.group(model.prepare({"x": torch.zeros(1, size, 2)}))[0][0])
        choice = program.choices["t"]
        assert choice.estimator == estimator and "t@mean couples the elements" in choice.reason


TABLE = """
graphspec: 1
name: survey
plates: {questions: {size: 3}}
variables:
  answer: {role: observed, domain: category, classes: 4, missing: true, plate: questions}
  score: {role: observed, size: 1, plate: questions}
  cost: {role: observed, size: 1, plate: questions}
  group: {role: supervised, domain: category, names: [a, b]}
  easy: {role: supervised, domain: binary, plate: questions}
  z: {role: latent, size: 2}
generative:
  group: {}
  easy: {}
  z: {parents: [group]}
  answer: {parents: [z, questions, easy], network: {kind: linear, by: questions}}
  score: {parents: [z]}
  cost: {parents: [z]}
recognition:
  group: {parents: [answer@mean, score@mean]}
  easy: {parents: [answer, score]}
  z: {parents: [answer@sum, score@mean, cost@mean, group]}
networks: {default: {kind: mlp, hidden: [8]}}
data:
  source: rows.npz
  variables: {answer: answer, score: {column: score, standardize: true}, cost: cost, group: group, easy: easy}
  labels: {easy: 20}
training: {epochs: 2, batch_size: 16}
"""


def test_padded_arrays_train_and_are_measured_by_element(tmp_path, monkeypatch) -> None:
    """[N, n, *shape] columns; scales are those of all elements; a kept row keeps the labels of all its elements."""
    random = np.random.default_rng(0)
    answer = random.integers(0, 4, (120, 3))
    answer[::7, 1] = -1
    easy = random.integers(0, 2, (120, 3)).astype(float)
    easy[::5, 2] = np.nan
    score = (5 + 3 * random.normal(size=(120, 3, 1))).astype("float32")
    np.savez(
        tmp_path / "rows.npz",
        answer=answer,
        score=score,
        cost=9000 + 80 * (score - 5),
        group=random.integers(0, 2, 120),
        easy=easy,
    )
    (tmp_path / "survey.yaml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    graphs, found = check_graphs("survey.yaml")
    assert graphs is not None and not [each for each in found if each.severity == "error"]
    data = prepare(graphs)
    assert data.starts["cost"].shape == (1,) and data.starts["cost"].center == pytest.approx((9000,), rel=0.1)
    assert data.training.values["answer"].shape[1:] == (3,) and data.units["score"].mean.shape == (1,)
    assert data.units["score"].mean.item() == pytest.approx(5, abs=0.5)
    assert len(data.label_rows["easy"]) == 20
    result = CliRunner().invoke(app, ["train", "survey.yaml", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)["test"]
    assert report["variables"]["easy"]["elements"] > report["variables"]["easy"]["rows"]
    assert report["elbo_per_element"]["questions"] == pytest.approx(report["elbo"] / 3)


def test_two_hundred_plates_of_one_element_compile_in_seconds() -> None:
    names = [f"x{place}" for place in range(200)]
    text = "\n".join((
        "graphspec: 1", f"plates: {{{', '.join(f'of_{name}: {{size: 1}}' for name in names)}}}",
        "variables:", "  z: {role: latent, size: 2}",
        *(f"  {name}: {{role: observed, plate: of_{name}}}" for name in names),
        "generative:", "  z: {}", *(f"  {name}: {{parents: [z]}}" for name in names),
        f"recognition: {{z: {{parents: [{', '.join(f'{name}@sum' for name in names)}]}}}}",
        "networks: {default: {kind: linear}}",
    ))  # fmt: skip
    begun = time.process_time()
    found = model_of(text).bound({name: torch.full((2, 1), 0.5, dtype=DOUBLE) for name in names}, noise=Noise(0, 2))
    assert time.process_time() - begun < 20, "two seconds where nothing else runs"
    assert found.isfinite().all()


INSIDE = """
graphspec: 1
plates: {p: {size: 2}, s: {size: 2, inside: p}}
variables:
  x: {role: observed, size: 2}
  v: {role: observed, size: 2, plate: p}
  y: {role: latent, domain: binary, plate: p}
  w: {role: supervised, domain: binary, plate: s}
generative: {y: {}, w: {parents: [y]}, v: {parents: [y, w@mean]}, x: {parents: [y@mean]}}
recognition: {y: {parents: [x, v]}, w: {parents: [y, v]}}
networks: {default: {kind: linear}}
objective: {alpha: 1.3}
"""


@pytest.mark.parametrize("role", ["latent", "supervised"])
def test_labels_inside_elements_that_are_summed_together_count_once(role: str) -> None:
    """Each page's words weigh the values of all pages, whose topics the row reads together."""
    text = INSIDE.replace("y: {role: latent", f"y: {{role: {role}")
    model = model_of(text)
    assert_written_out(model, rows_for(model), text)
