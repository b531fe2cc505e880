"""Queries on small untrained models: what is held, what is set, and what is said where a query is impossible."""

from typing import Any

import pytest
import torch
from torch import Tensor

from compiler.model.model import Model
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Graphs, Variable
from graphspec.loading import load
from runtime.answering.interventions import infer, intervene, take
from runtime.answering.panels import Panel, Target, parse_target, picture_shape, shown_variable, value_name
from runtime.answering.queries import analogies, reconstruct, sample, spread, wrong_captions
from runtime.answering.traversal import traverse
from runtime.data import Rows, Units
from runtime.errors import RunError

HEAD = "graphspec: 1\nnetworks: {default: {kind: mlp, hidden: [8]}}\n"
M2 = (
    HEAD
    + """
variables:
  x: {role: observed, domain: unit, shape: [1, 7, 7]}
  y: {role: supervised, domain: category, classes: 3, names: [ant, bee, cat]}
  z: {role: latent, domain: real, size: 4}
generative: {y: {}, z: {}, x: {parents: [y, z], distribution: bernoulli}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
"""
)
BELOW = (
    HEAD
    + """
variables:
  x: {role: observed, domain: real, shape: [1, 7, 7]}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, shape: [1, 7, 7]}
generative:
  y: {}
  z: {parents: [y], parameters: {scale: 0.5}}
  x: {parents: [z], network: {kind: identity}, parameters: {scale: 0.1}}
recognition: {z: {parents: [x]}, y: {parents: [z]}}
"""
)
PLAIN = (
    HEAD
    + """
variables:
  x: {role: observed, domain: real, size: 2}
  z: {role: latent, domain: real, size: 3}
generative: {z: {}, x: {parents: [z]}}
recognition: {z: {parents: [x]}}
"""
)
CONDITIONED = (
    HEAD
    + """
variables:
  c: {role: observed, domain: real, size: 2}
  x: {role: observed, domain: real, size: 2}
  z: {role: latent, domain: real}
generative: {z: {}, x: {parents: [z, c]}}
recognition: {z: {parents: [x, c]}}
"""
)
SEVERAL = (
    HEAD
    + """
variables:
  x: {role: observed, domain: unit, size: 49}
  t: {role: observed, domain: real, size: 2}
  n: {role: supervised, domain: count, min: 1, max: 3}
  a: {role: supervised, domain: binary, size: 2}
  p: {role: supervised, domain: real}
  c: {role: latent, domain: category, classes: 2}
  s: {role: latent, domain: simplex, size: 3}
  u: {role: latent, domain: real}
generative:
  {n: {}, a: {}, p: {}, c: {}, s: {}, u: {}, x: {parents: [n, a, c, s, p]}, t: {parents: [u]}}
recognition:
  {n: {parents: [x]}, a: {parents: [x]}, p: {parents: [x]}, c: {parents: [x]}, s: {parents: [x]}, u: {parents: [t]}}
"""
)


def model_of(text: str) -> Model:
    return Model(load("spec.yaml", text=text)).eval()


def rows_of(graphs: Graphs, count: int = 12, **labels: Tensor) -> Rows:
    generator = torch.Generator().manual_seed(3)
    values = {n: torch.rand((count, *graphs.variables[n].shape), generator=generator) for n in graphs.observed}
    for name in graphs.supervised:
        variable = graphs.variables[name]
        if variable.support is None:
            values[name] = torch.rand((count, *variable.shape), generator=generator)
        else:
            drawn = torch.randint(variable.support, (count, *variable.shape), generator=generator)
            values[name] = drawn + variable.minimum
    return Rows(values | labels, torch.arange(count))


def column(panel: Panel, name: str, index: int) -> Tensor:
    return panel.values[name][:, index]


def test_samples_share_a_rows_latents_over_the_columns_of_a_label() -> None:
    panel = sample(model_of(M2), count=4)
    assert panel.columns == ("ant", "bee", "cat")
    assert panel.values["x"].shape == (4, 3, 1, 7, 7)
    assert torch.equal(column(panel, "z", 0), column(panel, "z", 2))
    assert not torch.equal(column(panel, "x", 0), column(panel, "x", 2))
    assert panel.values["y"].tolist() == [[0.0, 1.0, 2.0]] * 4
    assert not torch.equal(panel.values["z"][0], panel.values["z"][1])


def test_samples_show_means_or_draws() -> None:
    model = model_of(M2)
    means, draws = sample(model, count=2), sample(model, count=2, means=False)
    assert torch.equal(means.values["z"], draws.values["z"])
    assert set(draws.values["x"].unique().tolist()) <= {0.0, 1.0}
    assert 0 < float(means.values["x"].min()) < float(means.values["x"].max()) < 1


def test_samples_of_a_latent_below_the_label_share_its_noise() -> None:
    model = model_of(BELOW)
    panel = sample(model, count=2)
    values = [{n: column(panel, n, k) for n in ("x", "y", "z")} for k in range(3)]
    densities = [model.log_prob("generative", v)["z"] for v in values]
    assert torch.allclose(densities[0], densities[1], rtol=1e-5)
    assert not torch.allclose(values[0]["z"], values[1]["z"])


def test_samples_without_a_label_are_separate_draws() -> None:
    panel = sample(model_of(PLAIN), count=2, columns=5)
    assert panel.values["z"].shape == (2, 5, 3)
    assert len(panel.values["z"].reshape(10, 3).unique(dim=0)) == 10


def test_samples_take_what_p_conditions_on_from_data() -> None:
    model = model_of(CONDITIONED)
    rows = rows_of(model.graphs)
    panel = sample(model, rows, count=3, columns=2)
    data = {tuple(row) for row in rows.values["c"].tolist()}
    assert {tuple(cell) for line in panel.values["c"].tolist() for cell in line} <= data
    with pytest.raises(RunError, match="p conditions on c"):
        sample(model, count=3)


@pytest.mark.parametrize("query", [sample, reconstruct, analogies, traverse])
def test_queries_are_repeatable_by_seed(query: Any) -> None:
    model = model_of(M2)
    rows = rows_of(model.graphs)
    first, again, other = (query(model, rows, count=3, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(v.nan_to_num(9.0), again.values[n].nan_to_num(9.0)) for n, v in first.values.items())
    assert query is traverse or not torch.equal(first.values["x"], other.values["x"])


def test_reconstructions_do_not_look_at_labels() -> None:
    model = model_of(M2)
    rows = rows_of(model.graphs)
    panel = reconstruct(model, rows, count=4, columns=2)
    assert panel.rows == ("input", "reconstruction") * 2
    data = take(model, rows, torch.arange(12))
    blind = {**data, "y": torch.full((12,), float("nan"))}
    alone, with_labels = (infer(model, d, 0, keep_labels=k) for d, k in ((data, False), (data, True)))
    assert torch.equal(alone["z"], infer(model, blind, 0, keep_labels=True)["z"])
    assert torch.equal(with_labels["y"], data["y"])
    assert not torch.equal(alone["z"], with_labels["z"])


def noise(count: int) -> Noise:
    return Noise(0, count)


def test_reconstruction_is_what_p_makes_of_what_q_infers() -> None:
    model = model_of(M2)
    rows = rows_of(model.graphs)
    panel = reconstruct(model, rows, count=12, columns=12)
    inputs = panel.values["x"][0]
    inferred = model.posterior_means({"x": inputs}, noise=noise(12))
    made = model.generate(inferred, 12, noise=noise(12))["x"]
    assert torch.allclose(panel.values["x"][1], made, atol=1e-6)
    assert torch.equal(panel.values["y"][1], inferred["y"].float())
    assert torch.isnan(panel.values["z"][0]).all()
    assert panel.captions[1][0] == ("ant", "bee", "cat")[int(inferred["y"][0])]


def test_reconstructions_of_a_number_that_fills_no_grid_leave_cells_blank() -> None:
    model = model_of(M2)
    rows = rows_of(model.graphs)
    panel = reconstruct(model, rows, count=7, columns=4)
    assert panel.values["x"].shape[:2] == (4, 4)
    assert torch.isnan(panel.values["x"][2:, 3]).all()
    assert not torch.isnan(panel.values["x"][:, :3]).any()
    assert [line[3] for line in panel.captions][2:] == ["", ""]


def test_inferred_labels_that_differ_from_known_ones_are_marked() -> None:
    captions = (("a", "b", "?"), ("a", "c", "c"))
    assert wrong_captions(captions) == {(1, 1)}


def test_analogies_keep_the_style_and_set_the_label() -> None:
    model = model_of(M2)
    rows = rows_of(model.graphs)
    panel = analogies(model, rows, count=3)
    assert panel.columns == ("input", "ant", "bee", "cat")
    assert panel.inputs == 1
    for name in ("ant", "bee", "cat"):
        index = panel.columns.index(name)
        assert torch.equal(column(panel, "z", index), column(panel, "z", 0))
        assert (column(panel, "y", index) == index - 1).all()
        given = {"y": column(panel, "y", index), "z": column(panel, "z", 0)}
        expected = model.generate(given, 3, noise=noise(3))["x"]
        assert torch.allclose(column(panel, "x", index), expected, atol=1e-6)


def test_analogies_infer_style_from_the_label_where_a_row_has_one() -> None:
    model = model_of(M2)
    x = rows_of(model.graphs).values["x"][:1].expand(3, 1, 7, 7)
    rows = Rows({"x": x, "y": torch.tensor([0, 1, 2])}, torch.arange(3))
    panel = analogies(model, rows, count=3)
    assert column(panel, "y", 0).tolist() == [0.0, 1.0, 2.0]
    for row in range(3):
        seen = {"x": x[:1], "y": torch.tensor([row])}
        expected = model.posterior_means(seen, noise=noise(1))["z"][0]
        assert torch.allclose(panel.values["z"][row, 0], expected, atol=1e-6)
    assert not torch.allclose(panel.values["z"][0, 0], panel.values["z"][1, 0])


def test_a_latent_below_the_label_keeps_its_noise() -> None:
    model = model_of(BELOW)
    data = take(model, rows_of(model.graphs), torch.arange(4))
    held = infer(model, data, 0, keep_labels=True)
    label = Target(model.graphs.variables["y"])
    before = model.log_prob("generative", {**held, "x": data["x"]})["z"]
    own = intervene(model, held, {label: held["y"]}, 0)
    assert torch.allclose(own["z"], held["z"], atol=1e-6)
    for value in range(3):
        after = intervene(model, held, {label: torch.tensor(value)}, 0)
        changed = model.log_prob("generative", {**after, "x": data["x"]})["z"]
        assert torch.allclose(changed, before, rtol=1e-4)
        assert torch.allclose(after["x"], after["z"])
    assert not torch.allclose(after["z"], held["z"])


def test_a_discrete_latent_below_what_is_set_is_drawn_with_the_same_numbers() -> None:
    text = M2.replace("z: {role: latent, domain: real, size: 4}", "z: {role: latent, domain: category, classes: 5}")
    model = model_of(text.replace("z: {}", "z: {parents: [y]}"))
    data = take(model, rows_of(model.graphs), torch.arange(6))
    held = infer(model, data, 0, keep_labels=True)
    label = Target(model.graphs.variables["y"])
    first, again = (intervene(model, held, {label: torch.tensor(1)}, 4) for _ in range(2))
    assert torch.equal(first["z"], again["z"])
    assert first["z"].min() >= 0


def test_analogies_say_what_the_spec_would_need() -> None:
    model = model_of(PLAIN)
    with pytest.raises(RunError, match="analogies need a supervised category") as caught:
        analogies(model, rows_of(model.graphs))
    assert "role: supervised" in caught.value.hint
    assert "traverse" in caught.value.hint


@pytest.mark.parametrize(
    ("vary", "message", "hint"),
    [
        ("n", None, ""),
        ("a[1]", None, ""),
        ("a", "shape [2]", "a[0]"),
        ("a[2]", "shape [2]", "a[0]"),
        ("n[0]", "shape []", "write n"),
        ("p", "no finite set", "traverse --vary p"),
        ("q", "no variable 'q'", "n, a, p"),
        ("x", "x is observed", "n, a, p"),
        ("aa", "no variable 'aa'", "did you mean a?"),
        ("a[", "cannot read", "z[3]"),
        ("u", "no finite set", ""),
    ],
)
def test_what_analogies_may_set(vary: str, message: str | None, hint: str) -> None:
    model = model_of(SEVERAL)
    rows = rows_of(model.graphs)
    if message is None:
        panel = analogies(model, rows, vary=vary, count=2)
        assert panel.columns[1:] == (("1", "2", "3") if vary == "n" else ("0", "1"))
        return
    with pytest.raises(RunError) as caught:
        analogies(model, rows, vary=vary)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_setting_one_element_leaves_the_others() -> None:
    model = model_of(SEVERAL)
    panel = analogies(model, rows_of(model.graphs), vary="a[1]", count=3)
    assert torch.equal(column(panel, "a", 1)[:, 0], column(panel, "a", 0)[:, 0])
    assert column(panel, "a", 1)[:, 1].tolist() == [0.0] * 3
    assert column(panel, "a", 2)[:, 1].tolist() == [1.0] * 3


def test_rows_for_analogies_take_turns_over_the_classes() -> None:
    labels = torch.tensor([0] * 20 + [1] * 3 + [2] * 2 + [-1] * 5)
    rows = Rows({"x": torch.zeros(30, 1), "y": labels}, torch.arange(30))
    y = Target(Variable("y", "supervised", "category", (), support=3))
    positions = spread(rows, y, 6, seed=0)
    assert sorted(labels[positions].tolist()) == [-1, 0, 0, 1, 1, 2]
    assert len(set(positions.tolist())) == 6
    assert sorted(spread(rows, y, 99, seed=1).tolist()) == list(range(30))


def test_traversal_moves_one_element_a_row_and_holds_the_rest() -> None:
    model = model_of(M2)
    rows = rows_of(model.graphs)
    panel = traverse(model, rows, row=2, steps=5, count=3)
    held = infer(model, take(model, rows, torch.tensor([2])), 0, keep_labels=False)
    assert len(panel.rows) == 3
    assert torch.equal(panel.values["x"][0, 0], rows.values["x"][2])
    moved = [(panel.values["z"][row, 1:] != held["z"][0]).any(dim=0) for row in range(3)]
    assert [int(changes.sum()) for changes in moved] == [1, 1, 1]
    assert len({int(changes.nonzero()) for changes in moved}) == 3
    for row, changes in enumerate(moved):
        path = panel.values["z"][row, 1:, int(changes.nonzero())]
        assert (path.diff() > 0).all()
        assert panel.rows[row].startswith(f"z[{int(changes.nonzero())}]\n")


def test_traversal_of_a_label_names_its_classes() -> None:
    model = model_of(M2)
    panel = traverse(model, rows_of(model.graphs), vary=["y"], count=2)
    assert panel.columns == ("input", "ant", "bee", "cat")
    assert torch.equal(column(panel, "z", 1), column(panel, "z", 3))


def test_traversal_over_two_targets_is_a_grid() -> None:
    model = model_of(M2)
    panel = traverse(model, rows_of(model.graphs), vary=["z[1]", "y"], steps=4)
    assert panel.values["x"].shape[:2] == (4, 3)
    assert panel.columns == ("ant", "bee", "cat")
    assert (panel.values["z"][:, 0, 1].diff() > 0).all()
    assert torch.equal(panel.values["z"][:, 0], panel.values["z"][:, 2])
    assert torch.equal(panel.values["z"][0, :, 0], panel.values["z"][3, :, 0])


def test_traversal_starts_with_what_the_data_move_most() -> None:
    text = (
        HEAD
        + """
variables:
  x: {role: observed, domain: real, size: 3}
  z: {role: latent, domain: real, size: 3}
generative: {z: {}, x: {parents: [z]}}
recognition: {z: {parents: [x], network: {kind: identity}, parameters: {scale: [0.01, 10, 0.5]}}}
"""
    )
    model = model_of(text)
    panel = traverse(model, rows_of(model.graphs, 200), count=3)
    assert [name.split("\n")[0] for name in panel.rows] == ["z[0]", "z[2]", "z[1]"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vary": ["u"]}, "x does not depend on u"),
        ({"vary": ["s[0]"]}, "tied together"),
        ({"vary": ["p", "p"]}, "two different ones"),
        ({"vary": ["p", "n", "c"]}, "two different ones"),
        ({"row": 12}, "there is no row 12"),
        ({"shown": "z"}, "--show z"),
    ],
)
def test_what_traverse_refuses(options: dict[str, Any], message: str) -> None:
    model = model_of(SEVERAL)
    with pytest.raises(RunError) as caught:
        traverse(model, rows_of(model.graphs), **options)
    assert message in caught.value.message


def test_discrete_and_continuous_targets_without_classes_move_too() -> None:
    model = model_of(SEVERAL)
    rows = rows_of(model.graphs)
    assert traverse(model, rows, vary=["c"], count=2).columns == ("input", "0", "1")
    assert len(traverse(model, rows, vary=["p"], count=2, steps=6).columns) == 7
    default = traverse(model, rows, count=5)
    assert [name.split("\n")[0] for name in default.rows] == ["c"]
    assert traverse(model, rows, vary=["u"], count=2, shown="t").shown == "t"


@pytest.mark.parametrize(
    ("domain", "shape", "expected"),
    [
        ("unit", (1, 28, 28), (1, 28, 28)),
        ("real", (3, 32, 30), (3, 32, 30)),
        ("unit", (784,), (1, 28, 28)),
        ("binary", (8, 9), (1, 8, 9)),
        ("real", (784,), None),
        ("unit", (50,), None),
        ("unit", (16,), None),
        ("unit", (5, 28, 28), None),
        ("category", (28, 28), None),
        ("real", (), None),
    ],
)
def test_what_counts_as_a_picture(domain: Any, shape: tuple[int, ...], expected: object) -> None:
    assert picture_shape(Variable("x", "observed", domain, shape)) == expected


def test_the_picture_is_shown_before_other_observed_variables() -> None:
    x = "  x: {role: observed, domain: unit, size: 49}\n"
    graphs = load("spec.yaml", text=SEVERAL.replace(x, "").replace("  n: {role", f"{x}  n: {{role", 1))
    assert graphs.observed == ("t", "x")
    assert shown_variable(graphs).name == "x"
    assert shown_variable(graphs, "t").name == "t"


def test_targets_print_as_they_are_written() -> None:
    graphs = load("spec.yaml", text=SEVERAL)
    assert str(parse_target(" a[ 1 ]", graphs)) == "a[1]"
    assert str(parse_target("n", graphs)) == "n"


def test_values_in_words() -> None:
    y = Variable("y", "supervised", "category", (), support=2, names=("no", "yes"))
    assert value_name(y, 1.0) == "yes"
    assert value_name(y, float("nan")) == "?"
    assert value_name(Variable("n", "supervised", "count", (), support=3, minimum=1), 3.0) == "3"
    z = Variable("z", "latent", "real", ())
    numbers = {
        -1.5: "\N{MINUS SIGN}1.50",
        0.0: "0.00",
        371.2: "371.20",
        45210.4: "45210",
        0.00123: "0.0012",
        3e7: "3e+07",
    }
    assert {value: value_name(z, value) for value in numbers} == numbers


SCALED = (
    HEAD
    + """
variables:
  x: {role: observed, domain: unit, shape: [1, 7, 7]}
  light: {role: supervised, domain: real, size: 2}
  size: {role: supervised, domain: positive}
  n: {role: supervised, domain: count}
  z: {role: latent, domain: real, size: 2}
generative: {light: {}, size: {}, n: {distribution: poisson}, z: {}, x: {parents: [light, size, n, z]}}
recognition: {light: {parents: [x]}, size: {parents: [x]}, n: {parents: [x]}, z: {parents: [x]}}
"""
)
SCALES = {"light": Units(torch.tensor([10.0, 0.0]).double(), torch.tensor([40.0, 5.0]).double())}


def test_settings_and_headings_are_in_the_units_of_their_element() -> None:
    model = model_of(SCALED)
    rows = rows_of(model.graphs)
    panel = traverse(model, rows, vary=["light[0]"], fixed=["light[1]=5"], steps=3, count=2, scales=SCALES)
    assert panel.values["light"][:, 1:, 1].allclose(torch.tensor(1.0))  # 5 = 0 + 1 * 5
    swept = panel.values["light"][0, 1:, 0].double() * 40 + 10
    assert panel.columns[1:] == tuple(value_name(model.graphs.variables["light"], float(value)) for value in swept)
    assert "light[1] = 5.00" in panel.title
    plain = traverse(model, rows, vary=["light[0]"], fixed=["light[1]=5"], steps=3, count=2)
    assert plain.values["light"][:, 1:, 1].allclose(torch.tensor(5.0))


def test_rows_without_a_target_are_named_in_data_units() -> None:
    model = model_of(SCALED.replace("light: {role: supervised", "light: {role: latent"))
    panel = traverse(model, rows_of(model.graphs), count=4, scales=SCALES)
    (name,) = (name for name in panel.rows if name.startswith("light[0]"))
    low, high = (float(part.replace("\N{MINUS SIGN}", "-")) for part in name.split("\n")[1].split(" to "))
    assert high - low > 40  # of draws that lie one standard deviation apart and more


@pytest.mark.parametrize(
    ("setting", "legal"),
    [("size=-3", "a number above 0"), ("size=0", "a number above 0"), ("n=-1", "a whole number from 0 on"),
     ("n=2.5", "a whole number from 0 on"), ("light[0]=north", "a number"), ("light[0]=inf", "a number")],
)  # fmt: skip
def test_a_value_outside_the_domain_is_refused(setting: str, legal: str) -> None:
    model = model_of(SCALED)
    with pytest.raises(RunError, match="is no value of") as caught:
        traverse(model, rows_of(model.graphs), vary=["z[0]"], fixed=[setting], scales=SCALES)
    assert caught.value.hint == f"it takes {legal}"


def test_a_setting_far_from_what_rows_have_is_said_beside_their_range() -> None:
    model = model_of(SCALED)
    title = traverse(model, rows_of(model.graphs), vary=["z[0]"], fixed=["light[0]=3000"], scales=SCALES).title
    assert "light[0] = 3000 (rows have" in title
    title = traverse(model, rows_of(model.graphs), vary=["z[0]"], fixed=["light[0]=30"], scales=SCALES).title
    assert "light[0] = 30.00" in title and "rows have" not in title


def test_an_empty_split_is_said_to_be_empty() -> None:
    model = model_of(M2)
    with pytest.raises(RunError, match="this split has no rows"):
        reconstruct(model, rows_of(model.graphs, 0))
