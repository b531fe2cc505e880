"""Queries about elements of plates: against brute force over every value of every element, forward-backward, and closed
forms. p runs there as the compiled model runs it, all elements at once."""

from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from query_specs import ask, ask_one, used_run
from typer.testing import CliRunner

from runtime import open_predictor
from runtime.cli.app import app
from runtime.errors import RunError
from runtime.predicting.used_run import UsedRun

SIZES = {"p": 3, "r": 2, "s": 2}
PATHS: dict[str | None, tuple[str, ...]] = {None: (), "p": ("p",), "r": ("r",), "s": ("p", "s")}


class PlateDraw:
    """A random discrete p with plates: fixed, with a count, inside another; views of every kind. counts: of the query."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.count = self.random.choice([1, 2, 3])
        self.ragged = self.random.random() < 0.6
        self.there = {**SIZES, "p": self.count if self.ragged else SIZES["p"]}
        self.plates: dict[str, str | None] = {"a": None, "b": "p", "c": self.random.choice(["p", "r"]), "d": None}
        self.plates["e"] = self.random.choice(["s", "r", "p"]) if self.elements() < 9 else None
        self.classes = {name: 2 if self.elements() > 9 else self.random.choice([2, 3]) for name in self.plates}
        while self.cells() > 40_000:
            self.classes[max(self.classes, key=lambda name: self.classes[name])] = 2
            self.plates["e"] = None if max(self.classes.values()) == 2 else self.plates["e"]

    def places(self, name: str) -> list[tuple[int, ...]]:
        return list(product(*(range(self.there[plate]) for plate in PATHS[self.plates[name]])))

    def elements(self) -> int:
        return sum(len(self.places(name)) for name in self.plates)

    def cells(self) -> int:
        return int(np.prod([self.classes[name] ** len(self.places(name)) for name in self.plates]))

    def read(self, reader: str, parent: str) -> str:
        here, there = PATHS[self.plates.get(reader)], PATHS[self.plates[parent]]
        pools = ["sum", "mean", "max", *(["first", "last"] if "r" not in there else [])] if there else []
        if here[: len(there)] == there and (not there or self.random.random() < 0.7):
            neighbours = ["previous", "next"] if there and "r" not in there and reader != parent else []
            return (
                parent if not neighbours or self.random.random() < 0.5 else f"{parent}@{self.random.choice(neighbours)}"
            )
        return f"{parent}@{self.random.choice(pools)}"

    def text(self) -> str:
        names = list(self.plates)
        size = {"p": "count: n" if self.ragged else "size: 3"}
        lines = ["graphspec: 1", f"plates: {{p: {{{size['p']}, ordered: true}}, r: {{size: 2}}, "
                 "s: {size: 2, inside: p, ordered: true}}", "variables:", "  o: {role: observed, domain: binary}"]  # fmt: skip
        if self.ragged:
            lines.append("  n: {role: observed, domain: count, min: 1, max: 3}")
        for name, plate in self.plates.items():
            inside = f", plate: {plate}" if plate else ""
            role = "supervised" if name in "bd" else "latent"
            domain = f"category, classes: {self.classes[name]}" if self.classes[name] > 2 else "binary"
            lines.append(f"  {name}: {{role: {role}, domain: {domain}{inside}}}")
        lines.append("generative:")
        for at, name in enumerate(names):
            parents = [self.read(name, other) for other in names[:at] if self.random.random() < 0.7]
            if self.plates[name] in ("p", "s") and self.random.random() < 0.7:
                parents.append(f"{name}@previous")
            if self.plates[name] and self.random.random() < 0.3:
                parents.append(str(self.plates[name]))
            lines.append(f"  {name}: {{parents: [{', '.join(parents)}]}}" if parents else
                         f"  {name}: {{parameters: {{logits: learned}}}}")  # fmt: skip
        lines.append(f"  o: {{parents: [a, {self.read('o', 'b')}]}}")
        lines.append("recognition:")
        lines += [f"  {name}: {{parents: [o]}}" for name in names]
        lines.append("networks: {default: {kind: mlp, hidden: [4], activation: tanh}}")
        read = "o: o, b: b, d: d" + (", n: n" if self.ragged else "")
        return "\n".join([*lines, f"data: {{source: rows.npz, variables: {{{read}}}}}", "training: {epochs: 1}"]) + "\n"

    def arrays(self) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        found = {"o": rng.integers(0, 2, 30), "n": rng.integers(1, 4, 30)}
        return found | {"b": rng.integers(0, self.classes["b"], (30, 3)), "d": rng.integers(0, self.classes["d"], 30)}


class PlateBruteForce:
    """log p of every value of every element that is there, variable by variable."""

    def __init__(self, used: UsedRun, draw: PlateDraw) -> None:
        model, graphs = used.double_model, used.double_model.graphs
        self.elements = [
            (name, place) for name in [*draw.plates, "o"] for place in (draw.places(name) if name != "o" else [()])
        ]
        self.sizes = [graphs.variables[name].support or 1 for name, _ in self.elements]
        cells = torch.tensor(list(product(*map(range, self.sizes))))
        given: dict[str, torch.Tensor] = {}
        for name in [*draw.plates, "o"]:
            variable = graphs.variables[name]
            given[name] = torch.full((len(cells), *variable.row_shape), torch.nan, dtype=torch.float64)
            for column, (other, place) in enumerate(self.elements):
                if other == name:
                    given[name][(slice(None), *place)] = cells[:, column].double()
        if draw.ragged:
            given["n"] = torch.full((len(cells),), float(draw.count), dtype=torch.float64)
        with torch.no_grad():
            found = model.log_prob("generative", given)
        self.cells = cells.numpy()
        self.log = {name: value.numpy() for name, value in found.items() if name != "n"}

    def called(self, at: int) -> str:
        name, place = self.elements[at]
        return f"{name}[{','.join(map(str, place))}]" if place else name

    def weights(self, facts: dict[int, int], do: str = "") -> np.ndarray:
        joint = np.exp(sum(log for name, log in self.log.items() if name != do))
        for at, value in facts.items():
            joint = joint * (self.cells[:, at] == value)
        return joint

    def posterior(self, at: int, weights: np.ndarray) -> np.ndarray:
        found = np.array([weights[self.cells[:, at] == value].sum() for value in range(self.sizes[at])])
        return found / found.sum()


@pytest.fixture(scope="module", params=range(3))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    draw, folder = PlateDraw(request.param), tmp_path_factory.mktemp(f"plates{request.param}")
    np.savez(folder / "rows.npz", **draw.arrays())
    used = used_run(folder, draw.text(), "", strength=2.0)
    return used, draw, PlateBruteForce(used, draw)


def probabilities(answer: dict[str, Any], name: str) -> np.ndarray:
    figure = answer["targets"][name]
    assert figure["exact"]
    return np.array(list(figure["probabilities"].values()))


def counted(draw: PlateDraw) -> str:
    return f"n={draw.count}, " if draw.ragged else ""


def test_posteriors_of_elements(world: Any) -> None:
    used, draw, brute = world
    random = Random(7)
    for _ in range(6):
        chosen = random.sample(range(len(brute.elements)), 3)
        facts = {at: random.randrange(brute.sizes[at]) for at in chosen[:2]}
        weights = brute.weights(facts)
        said = ", ".join(f"{brute.called(at)}={value}" for at, value in facts.items())
        names = dict.fromkeys(name for at, (name, _) in enumerate(brute.elements) if at not in facts)
        asked = [at for at, (name, _) in enumerate(brute.elements) if name in names and at not in facts]
        found = ask_one(used, f"{', '.join(brute.called(at) for at in asked)} | {counted(draw)}{said}", by="generative")
        for at in asked:
            np.testing.assert_allclose(
                probabilities(found, brute.called(at)), brute.posterior(at, weights), atol=1e-9, err_msg=draw.text()
            )
        assert found["log_evidence"] == pytest.approx(np.log(weights.sum()), abs=1e-9)


def test_changes_of_whole_variables(world: Any) -> None:
    """do(b=1) sets every element of a plate: p without b's factor."""
    used, draw, brute = world
    for changed in "abc":
        held = {at: 1 for at, (name, _) in enumerate(brute.elements) if name == changed}
        weights = brute.weights(held, changed)
        said = f"{counted(draw)}do({changed}=1)"
        asked = [at for at, (name, _) in enumerate(brute.elements) if name != changed]
        found = ask_one(used, f"{', '.join(dict.fromkeys(brute.elements[at][0] for at in asked))} | {said}")
        for at in asked:
            np.testing.assert_allclose(probabilities(found, brute.called(at)), brute.posterior(at, weights), atol=1e-9)


def test_joint_tables_of_elements(world: Any) -> None:
    used, draw, brute = world
    weights = brute.weights({len(brute.elements) - 1: 1})
    some = [at for at, (name, _) in enumerate(brute.elements) if name == "b"]
    found = ask_one(used, f"b | {counted(draw)}o=1", by="generative", joint=True)["joint"]
    assert found["names"] == [brute.called(at) for at in some]
    for line in found["table"]:
        values = [int(value) for value in line["values"]]
        same = (brute.cells[:, some] == values).all(1)
        assert line["probability"] == pytest.approx(weights[same].sum() / weights.sum(), abs=1e-9)


HMM = """
graphspec: 1
plates: {time: {count: n, ordered: true}}
networks: {default: {kind: linear}}
variables:
  n: {role: observed, domain: count, min: 1, max: 6}
  c: {role: supervised, domain: category, names: [rest, walk, run], plate: time}
  x: {role: observed, domain: real, plate: time}
generative: {c: {parents: [c@previous]}, x: {parents: [c]}}
recognition: {c: {parents: [x, c@previous]}}
data: {source: rows.npz, variables: {n: n, c: c, x: {column: heart, standardize: true}}, test: 0.3}
training: {epochs: 1}
"""


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> UsedRun:
    folder, rng = tmp_path_factory.mktemp("hmm"), np.random.default_rng(0)
    np.savez(folder / "rows.npz", n=rng.integers(1, 7, 30), c=rng.integers(0, 3, (30, 6)),
             heart=60 + 5 * rng.normal(size=(30, 6)))  # fmt: skip
    return used_run(folder, HMM, "", strength=2.0)


def forward_backward(used: UsedRun, x: np.ndarray) -> tuple[np.ndarray, float]:
    """p(c_t | x) [n, K] and log p(x). x: [n] in the model's units."""
    from compiler.tensors.noise import Noise

    model, graphs = used.double_model, used.double_model.graphs
    before = torch.cat([torch.zeros(1, 3), torch.eye(3)]).double()
    flags = torch.tensor([[0.0], [1.0], [1.0], [1.0]]).double().reshape(4, *graphs.variables["c@previous"].flags)
    with torch.no_grad():
        values = {"c@previous": before, "c@previous present": flags}
        entry, extras, parameters = model.family_at(graphs.generative["c"], values, Noise(0, 4))
        steps = entry.classes(parameters, extras).numpy()
        entry, extras, parameters = model.family_at(graphs.generative["x"], {"c": torch.arange(3)}, Noise(0, 3))
        density = np.stack([entry.each(torch.full((3,), value), parameters, extras).numpy() for value in x])
    forward = [steps[0] + density[0]]
    for emitted in density[1:]:
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + steps[1:], 0) + emitted)
    backward = [np.zeros(3)]
    for emitted in density[:0:-1]:
        backward.insert(0, np.logaddexp.reduce(steps[1:] + emitted + backward[0], 1))
    both = np.array(forward) + np.array(backward)
    total = np.logaddexp.reduce(forward[-1])
    return np.exp(both - total), float(total)


def test_states_of_sequences_equal_forward_backward(sequences: UsedRun) -> None:
    source = np.load(sequences.run.folder.parent / "rows.npz")
    units = sequences.units["x"]
    answers = ask(sequences, "c | x", rows="test", by="generative")[0]
    assert len(answers) == 9 and len({len(answer["targets"]) for answer in answers}) > 1
    for answer in answers:
        row = answer["row"]
        heart = torch.from_numpy(source["heart"][row, : source["n"][row]])
        wanted, total = forward_backward(sequences, units.from_data(heart).numpy())
        assert list(answer["targets"]) == [f"c[{at}]" for at in range(source["n"][row])]
        for at, expected in enumerate(wanted):
            np.testing.assert_allclose(probabilities(answer, f"c[{at}]"), expected, atol=1e-6)
        assert answer["log_evidence"] == pytest.approx(total, abs=1e-4)


def test_recognition_says_what_predict_says(sequences: UsedRun) -> None:
    path, predictor = str(sequences.run.folder.parent / "rows.npz"), open_predictor(sequences.run.folder)
    source = np.load(path)
    hidden = {"n": source["n"], "heart": source["heart"]}
    asked, said = predictor.query("c | x", table=path), predictor.predict(hidden)
    for place, there in enumerate(source["n"]):
        for at in range(6):
            found, wanted = ([of[f"c[{at}]={name}"][place] for name in ("rest", "walk", "run")] for of in (asked, said))
            assert np.isnan(found).all() == np.isnan(wanted).all() == (at >= there)
            if at == 0:  # of later ones predict draws what came before, and a query sums it
                assert np.allclose(found, wanted, atol=1e-5)


def test_the_last_element_is_the_last_of_its_row(sequences: UsedRun) -> None:
    every, last = (ask(sequences, f"{target} | x", rows="test")[0] for target in ("c", "c[last]"))
    for whole, answer in zip(every, last, strict=True):
        assert answer["targets"]["c[last]"]["probabilities"] == list(whole["targets"].values())[-1]["probabilities"]


def test_a_change_of_one_element_keeps_the_noise_of_what_is_below(tmp_path: Path) -> None:
    """x_t = a x_(t-1) + e_t: after do(x[1]=v), x[2]' = x[2] + a (v - x[1]); what came before is as it was."""
    text = """
graphspec: 1
plates: {time: {size: 4, ordered: true}}
networks: {default: {kind: linear}}
variables:
  y: {role: supervised, domain: binary}
  x: {role: observed, domain: real, plate: time}
generative: {y: {}, x: {parents: [x@previous], parameters: {scale: 0.5}}}
recognition: {y: {parents: [x@mean]}}
data: {source: rows.npz, variables: {x: x, y: y}}
training: {epochs: 1}
"""
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "rows.npz", x=rng.normal(size=(20, 4)), y=rng.integers(0, 2, 20))
    used = used_run(tmp_path, text, "", strength=2.0)
    slope = ask_one(used, "x[1] | x[0]=1")["targets"]["x[1]"]["mean"]
    slope -= ask_one(used, "x[1] | x[0]=0")["targets"]["x[1]"]["mean"]
    found = ask_one(used, "x[0], x[2], x[3] | x[0]=0.1, x[1]=0.7, x[2]=-0.4, x[3]=0.2, do(x[1]=1.5)")["targets"]
    assert found["x[0]"]["mean"] == pytest.approx(0.1, abs=1e-6)
    assert found["x[2]"]["mean"] == pytest.approx(-0.4 + slope * 0.8, abs=1e-5)
    assert found["x[3]"]["mean"] == pytest.approx(0.2 + slope**2 * 0.8, abs=1e-5)


def test_rows_without_elements_are_answered_as_the_others(tmp_path: Path) -> None:
    text = """
graphspec: 1
plates: {time: {count: n}}
networks: {default: {kind: linear}}
variables:
  n: {role: observed, domain: count, max: 3}
  x: {role: observed, domain: real, plate: time}
  y: {role: supervised, domain: category, names: [ill, well]}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x@mean]}}
data: {source: rows.npz, variables: {n: n, x: x, y: y}}
training: {epochs: 1}
"""
    rng = np.random.default_rng(1)
    arrays = {"n": np.arange(16) % 4, "x": rng.normal(size=(16, 3))}
    np.savez(tmp_path / "rows.npz", **arrays, y=rng.integers(0, 2, 16))
    used = used_run(tmp_path, text, "", strength=2.0)
    predictor = open_predictor(used.run.folder)
    asked, said = predictor.query("y | x", table=arrays), predictor.predict(arrays)
    np.testing.assert_allclose(asked["y=ill"], said["y=ill"], atol=1e-5)
    answers = ask(used, "y | x", rows=str(tmp_path / "rows.npz"))[0]
    assert [answer["refused"] for answer in answers] == [None] * 16


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("c | x[0]=60", "how many elements time has is not known: add n=VALUE"),
        ("c[4] | n=3, x[1]=60", "element 4 of time is not there: n is 3"),
        ("c[6] | n=3", "element 6 of time is not there: n is at most 6"),
        ("c | n=2, x[2]=60", "element 2 of time is not there: n is 2"),
        ("n | x[0]=60", "n is conditioned on, never modelled"),
        ("c[0, 1] | n=3", "c has shape [6]: give 1 numbers"),
        ("c=rest | n=3", "c has 6 elements"),
        ("c | x", "x is taken from rows: add --rows"),
        ("c | n=3, c[1]=run, do(n=2)", "n is given once"),
        ("c | c[1]=run, do(n=2)", "do(n=2) beside facts about c[1]"),
    ],
)
def test_what_cannot_be_asked_of_elements(sequences: UsedRun, query: str, words: str) -> None:
    if words == "n is given once":
        words = "do(n=2) beside facts about"
    with pytest.raises(RunError) as caught:
        ask_one(sequences, query)
    assert words in caught.value.message and query in caught.value.message


def test_elements_on_the_command_line(sequences: UsedRun, tmp_path: Path) -> None:
    run, path = sequences.run.folder, tmp_path / "answers.csv"
    told = CliRunner().invoke(
        app, ["query", str(run), "c[1], x[last] > 60 | x, do(c[0]=run)", "--rows", "test", "-o", str(path)]
    )
    assert told.exit_code == 0 and "Traceback" not in told.output, told.output
    header, *lines = path.read_text().splitlines()
    assert header == "row,c[1],c[1].probability,c[1]=rest,c[1]=walk,c[1]=run,x[last] > 60,ess"
    assert len(lines) == 9
    for arguments in (
        ["c[1] | n=3, x[0]=60"],
        ["c | x", "--rows", "test", "--joint"],
        ["c | x", "--rows", "test", "--json"],
    ):
        told = CliRunner().invoke(app, ["query", str(run), *arguments])
        assert told.exit_code == 0 and "Traceback" not in told.output, told.output
