"""`compile --emit`: the emitted file alone gives the values and gradients of the compiled model."""

import builtins
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from discrete_specs import discrete_spec, random_dag
from emission_specs import (
    ALL_FAMILIES,
    ARCHITECTURES,
    DIRECTIONS,
    LABELS,
    ODD_NAMES,
    OWN_MODULE,
    OWN_NETS,
    OWN_PARAMETERS,
    RELAXED,
    SPLIT,
    WEIGHTLESS,
    m2,
)
from graph_specs import graphs_of
from safetensors.torch import save_file
from typer.testing import CliRunner

from compiler.emission import emit, emitted
from compiler.emission.checking import verify_agreement
from compiler.emission.emission_plan import make_plan
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors.noise import Noise
from compiler.tensors.presence import uncounted
from graphspec.diagnostics import InternalError, SpecError
from graphspec.graphs.graph import Graphs, Variable
from graphspec.loading import load
from runtime.cli.app import app

ROOT = Path(__file__).parents[1]
OURS = ("graphspec", "compiler", "runtime")


@pytest.fixture(autouse=True)
def double_precision():
    """Emitted layers have torch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def executed(text: str) -> dict:
    """The emitted file's names, run where nothing of graphspec can be imported."""

    def guarded(name, *rest, **more):
        assert name.split(".")[0] not in OURS, f"the emitted file imports {name}"
        return builtins.__import__(name, *rest, **more)

    space = {"__name__": "emitted", "__builtins__": {**vars(builtins), "__import__": guarded}}
    exec(compile(text, "emitted.py", "exec"), space)
    return space


def values_of(variable: Variable, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Random legal values [count, *shape]."""
    shape = (count, *variable.row_shape)
    match variable.domain:
        case "unit":
            found = rng.random(shape)
        case "positive":
            found = rng.random(shape) + 0.2
        case "binary" | "category" | "count":
            found = rng.integers(variable.minimum, variable.minimum + (variable.support or 7), shape)
            return torch.tensor(found if variable.domain == "category" else found.astype(float))
        case "simplex":
            found = rng.random(shape) + 0.1
            found /= found.sum(axis=1, keepdims=True)
        case "direction":
            found = rng.normal(size=shape)
            found /= np.linalg.norm(found, axis=1, keepdims=True)
        case _:
            found = rng.normal(size=shape)
    return torch.tensor(found)


def rows_of(graphs: Graphs, count: int, seed: int) -> dict[str, torch.Tensor]:
    """Rows of every pattern: labels whole, missing, or (of vectors) in part; blanks where they may be."""
    rng = np.random.default_rng(seed)
    rows = {n: values_of(graphs.variables[n], count, rng) for n in (*graphs.observed, *graphs.supervised)}
    for name in rows:
        variable = graphs.variables[name]
        if variable.role != "supervised" and not variable.missing:
            continue
        missing = rng.random((count, *variable.row_shape)) < 0.4
        whole = rng.integers(0, 3, count)
        missing[whole == 0], missing[whole == 1] = False, variable.role == "supervised"
        if variable.domain in ("direction", "simplex"):
            missing[:] = missing[:, :1]
        rows[name][torch.tensor(missing)] = -1 if variable.discrete else math.nan
    for name in graphs.supervised:  # a label of an element implies the count
        if (found := uncounted(graphs, rows, name)) is not None:
            rows[name][found[1]] = -1 if graphs.variables[name].discrete else math.nan
    return rows


def shaken(model: Model, seed: int) -> Model:
    """Weights away from where they start: nothing is silent."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if "running_var" in name:
                tensor.add_(torch.rand(tensor.shape, generator=generator))
            elif tensor.is_floating_point():
                tensor.add_(
                    torch.randn(tensor.shape, generator=generator) / (3 * math.sqrt(math.prod(tensor.shape[1:])))
                )
    return model


def compare(graphs: Graphs, *, count: int = 9, seed: int = 0, training: bool = False, epoch: float = math.inf,
            tolerance: float = 1e-8) -> dict:  # fmt: skip
    """Bounds, loss and all gradients of the compiled model and of its emitted file, from equal seeds."""
    model = shaken(Model(graphs, seed=1, dtype=torch.float64, allow_python=True), seed).train(training)
    space = executed(emit(graphs, allow_python=True))
    twin = space["Model"]().train(training)
    twin.load_state_dict(space["from_graphspec"](model.state_dict()))
    rows = rows_of(graphs, count, seed)

    weights = ObjectiveWeights.at(graphs, None, epoch)
    ours = model.evaluate(rows, weights=weights, noise=Noise(torch.Generator().manual_seed(7), count)).bound
    varying = {"epoch": epoch} if "epoch" in space["bound"].__code__.co_varnames else {}
    theirs = space["bound"](twin, rows, torch.Generator().manual_seed(7), **varying)
    assert torch.isfinite(ours).all()
    torch.testing.assert_close(theirs, ours.expand(count), atol=tolerance, rtol=tolerance)

    twin.load_state_dict(space["from_graphspec"](model.state_dict()))
    labelled = torch.zeros(count, dtype=torch.bool)
    for name in graphs.supervised:
        blank = (rows[name] == -1) if graphs.variables[name].discrete else rows[name].isnan()
        for plate, size in graphs.variables[name].plates:
            if (counted := graphs.plates[plate].count) is not None:
                absent = torch.arange(size) >= rows[counted].unsqueeze(-1)
                blank = blank | absent.reshape(*absent.shape, *[1] * (blank.dim() - absent.dim()))
        labelled |= ~blank.flatten(1).all(1) if blank.dim() > 1 else ~blank
    expected = -ours.mean()
    if labelled.any() and not labelled.all():
        expected = -((1 - weights.rho) * ours[~labelled].mean() + weights.rho * ours[labelled].mean())
    varying = {"epoch": epoch} if "epoch" in space["loss"].__code__.co_varnames else {}
    value = space["loss"](twin, rows, torch.Generator().manual_seed(7), **varying)
    torch.testing.assert_close(value, expected, atol=tolerance, rtol=tolerance)
    _same_gradients(model, expected, twin, value, space, tolerance)
    return space


def _same_gradients(model, expected, twin, value, space, tolerance) -> None:
    expected.backward()
    value.backward()
    zero = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()}
    renamed = space["from_graphspec"](zero)
    found = dict(twin.named_parameters())
    assert renamed.keys() == found.keys()
    for name, parameter in found.items():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(
            gradient, renamed[name], atol=tolerance, rtol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


SMALLER = {
    "adgm": ["networks.default.hidden=[12, 12]", "objective.samples=2"],
    "sdgm": ["networks.default.hidden=[12, 12]", "objective.samples=2"],
    "two-labels": ["networks.trunk.channels=[2, 3]", "networks.decoder.channels=[3, 2]"],
    "mnist-m2": ["networks.default.hidden=[20, 20]"],
    "mnist-vae": ["networks.default.hidden=[20, 20]"],
    "beta-vae": ["networks.default.hidden=[20, 20]"],
    "beta-tcvae": ["networks.encoder.channels=[3, 4]", "networks.decoder.channels=[4, 3]"],
    "m1": ["networks.two.hidden=[20, 20]"],
    "m1m2": ["networks.two.hidden=[20, 20]", "networks.one.hidden=[20]"],
    "iwae": ["networks.default.hidden=[20, 20]"],
}


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_spec(path: Path) -> None:
    graphs = load(path)
    smaller = [
        o
        for o in SMALLER.get(path.stem, [])
        if o.split(".")[1] in (*graphs.spec.networks, *graphs.variables, "samples")
    ]
    compare(load(path, smaller), training=True, epoch=3.5)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("training", [False, True])
def test_architectures(name: str, training: bool) -> None:
    compare(graphs_of(ARCHITECTURES[name]), training=training)


@pytest.mark.parametrize("name", ALL_FAMILIES)
def test_families(name: str) -> None:
    compare(graphs_of(ALL_FAMILIES[name]))


@pytest.mark.parametrize("hard", ["true", "false"])
def test_relaxed_variables_of_every_discrete_domain(hard: str) -> None:
    compare(graphs_of(RELAXED.replace("HARD", hard)), count=40, epoch=4.5)


@pytest.mark.parametrize("text", [*ARCHITECTURES.values(), OWN_PARAMETERS, WEIGHTLESS])
def test_the_file_starts_where_the_compiled_model_starts(text: str) -> None:
    """Initial weights are those of the same seed, bit for bit."""
    graphs = graphs_of(text, "training.seed=5")
    space = executed(emit(graphs))
    expected = space["from_graphspec"](Model(graphs, seed=5, dtype=torch.float64).state_dict())
    found = space["Model"]().state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


def test_networks_without_weights_and_elementwise() -> None:
    compare(graphs_of(WEIGHTLESS))


def test_directions() -> None:
    compare(graphs_of(DIRECTIONS), count=12)


def test_parameters_with_networks_of_their_own() -> None:
    space = compare(graphs_of(OWN_PARAMETERS), training=True, epoch=100.0)
    assert space["labelled_share"](10, 20) == pytest.approx(0.5)


def test_names_that_python_or_the_file_needs() -> None:
    compare(graphs_of(ODD_NAMES))


@pytest.mark.parametrize(
    "objective",
    [
        "{samples: 2, alpha: {a: 2, b: 3, c: 0.5}}",
        "{samples: 2, label_bound: jensen, beta: {z: 3, a: 0.5}, free_bits: {z: 1}}",
        "{alpha: 3/rho, estimators: {b: relax}}",
        "{samples: 3, bound: importance_weighted}",
    ],
)
def test_labels_of_every_pattern(objective: str) -> None:
    """Three labels, two of them vectors: whole, missing or in part in every combination."""
    compare(graphs_of(LABELS.replace("OBJECTIVE", objective)), count=80)


@pytest.mark.parametrize("bound", ["logmeanexp", "jensen"])
@pytest.mark.parametrize("seed", range(4))
def test_enumerated_chains_with_two_labels(seed: int, bound: str) -> None:
    rng = np.random.default_rng(seed)
    names = ["a", "b", "c", "d"]
    recognition = {name: ["x", *parents] for name, parents in random_dag(rng, names).items()}
    objective = f"{{label_bound: {bound}, alpha: {{a: 2, c: 0.5}}, beta: {{b: 3}}}}"
    supports = {"a": 2, "b": 3, "c": 2, "d": 4}
    spec = discrete_spec(supports, ["a", "c"], random_dag(rng, [*names, "x"]), recognition, objective)
    compare(graphs_of(spec), count=12, seed=seed)


def test_one_masked_program_above_sixteen_patterns() -> None:
    rng = np.random.default_rng(3)
    names = ["a", "b", "c", "d", "e"]
    recognition = {name: ["x", *parents] for name, parents in random_dag(rng, names).items()}
    spec = discrete_spec(dict.fromkeys(names, 2), names, random_dag(rng, [*names, "x"]), recognition)
    assert emit(graphs_of(spec)).count("\ndef bound_") == 1
    compare(graphs_of(spec), count=12)


@pytest.mark.parametrize(
    "objective",
    [
        "{estimators: {y: {kind: enumerate, budget: 1}}}",
        "{samples: 2, estimators: {y: {kind: enumerate, budget: 1}}}",
        "{samples: 3, bound: importance_weighted}",
        "{bound: importance_weighted}",
        "{beta: {z: {total_correlation: 4, mutual_information: 2}}}",
        "{samples: 2, beta: {z: {total_correlation: 4, estimator: weighted}}}",
        "{samples: 2, estimators: {y: score_function}, beta: {z: {total_correlation: 4}}}",
        "{beta: {z: {from: 0, to: 2, epochs: 8}}, free_bits: {z: 0.5, y: {from: 2, to: 0.1, epochs: 8}}}",
    ],
)
def test_objectives(objective: str) -> None:
    compare(graphs_of(SPLIT.replace("OBJECTIVE", objective)), count=12, epoch=3.0)


def test_a_draw_that_nothing_reads_has_no_baseline() -> None:
    """w is drawn without a path, and its divergence needs no draw: leaving one out makes no difference to leave out."""
    text = SPLIT.replace("OBJECTIVE", "{samples: 2, estimators: {w: score_function}}")
    text = text.replace("z: {role: latent, domain: real", "w: {role: latent, domain: positive")
    graphs = graphs_of(text.replace("z: {parents: [x, y]}", "w: {}").replace("z: {}", "w: {}").replace("[y, z]", "[y]"))
    assert "with_scores" not in emit(graphs)
    compare(graphs, count=12)


ODD_ROWS = """
graphspec: 1
variables:
  X
  y: {role: supervised, domain: unit, size: 2}
  c: {role: supervised, domain: category, classes: 3}
generative: {y: {distribution: bernoulli}, c: {parents: [y]}R}
recognition: {y: {parents: [P]}, c: {parents: [y]}}
networks: {default: {kind: mlp, hidden: [4], dropout: 0.2}}
"""


@pytest.mark.parametrize("size", ["", ", size: 2"])
@pytest.mark.parametrize("observed", [True, False])
def test_rows_whose_first_column_holds_no_numbers(observed: bool, size: str) -> None:
    """Only labels, or classes and labels: how many rows there are, and of which type, is not read off the classes."""
    x = f"x: {{role: observed, domain: category, classes: 3{size}}}"
    text = ODD_ROWS.replace("  X", f"  {x}" if observed else "").replace(
        "R}", ", x: {parents: [y]}}" if observed else "}"
    )
    compare(graphs_of(text.replace("[P]", "[x]" if observed else "[]")), count=24)


@pytest.mark.parametrize("size", ["", ", size: 2"])
def test_a_bound_that_is_one_number(size: str) -> None:
    text = SPLIT.replace("domain: real, size: 3", f"domain: count, max: 3{size}").replace("objective: OBJECTIVE", "")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith(("y:", "z:")))
    text = text.replace("  x: {parents: [y, z]}", "  x: {}").replace("recognition:", "recognition: {h: {parents: [x]}}")
    assert ".new_full((len(x),), " in emit(
        graphs_of(text.replace("generative:", "  h: {role: deterministic}\ngenerative:"))
    )


def test_total_correlation_is_told_the_size_of_the_data() -> None:
    graphs = graphs_of(SPLIT.replace("OBJECTIVE", "{beta: {z: {total_correlation: 4}}}"))
    model = Model(graphs, dtype=torch.float64)
    model.rates = Rates(10, 50)
    rows = rows_of(graphs, 8, 1)
    space = executed(emit(graphs))
    twin = space["Model"]()
    twin.load_state_dict(space["from_graphspec"](model.state_dict()))
    generator = torch.Generator().manual_seed(5)
    theirs = space["bound"](twin, rows, generator, labelled_rows=10, unlabelled_rows=50)
    torch.testing.assert_close(theirs, model.bound(rows, noise=Noise(torch.Generator().manual_seed(5), 8)))


def test_a_network_of_the_users_own_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_nets.py").write_text(OWN_NETS)
    monkeypatch.syspath_prepend(tmp_path)
    compare(graphs_of(OWN_MODULE))
    with pytest.raises(SpecError, match="--allow-python"):
        emit(graphs_of(OWN_MODULE))


# what is refused, and where


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            SPLIT.replace("OBJECTIVE", "{beta: {z: {total_correlation: 4}}}").replace(
                "z: {parents: [x, y]}", "z: {parents: [x, y], distribution: {kind: neural_spline, hidden: [4]}}"
            ),
            "total correlation of neural_spline",
        ),
    ],
)
def test_what_is_not_emitted_yet_is_a_located_error(text: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        emit(graphs_of(text))
    (found,) = caught.value.diagnostics
    assert found.code == "GS090" and place in found.message and found.span is not None


def test_too_many_patterns_are_refused() -> None:
    shaped = LABELS.replace("classes: 3}", "classes: 3, size: 2}").replace("role: latent", "role: supervised")
    with pytest.raises(SpecError, match="81 patterns"):
        emit(graphs_of(shaped.replace("OBJECTIVE", "{}")))


@pytest.mark.parametrize(
    ("written", "mistaken", "what"),
    [
        ("h[None].detach()", "h[None]", "the gradient"),
        ("- kl_z", "+ kl_z", "the value"),
        ("ALPHA_Y * ", "", "the value"),
        ('positive(found["scale"], 1.0', 'positive(found["scale"], 2.0', "the value"),
        ("result[at] = bound_y", "result[at] = 0 * bound_y", "the value"),
        ("noise = Noise(generator, len(x))", "noise = Noise(generator, 1)", "the value"),
    ],
)
def test_a_file_that_disagrees_is_never_given_out(written: str, mistaken: str, what: str) -> None:
    model = Model(graphs_of(m2()), dtype=torch.float64)
    plan, text = make_plan(model), emitted(model)
    verify_agreement(text, plan)
    assert written in text
    with pytest.raises(InternalError, match=what):
        verify_agreement(text.replace(written, mistaken), plan)


LONG = """
graphspec: 1
plates: {time: {count: n, ordered: true}}
variables:
  n: {role: observed, domain: count, max: 500}
  x: {role: observed, size: 2, plate: time}
  z: {role: latent, size: 2, plate: time}
generative: {z: {parents: [z@previous], network: {kind: linear}}, x: {parents: [z], network: {kind: linear}}}
recognition: {z: {parents: [x, z@previous], network: {kind: linear}}}
"""


def test_long_plates_are_held_against_the_model_with_few_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that runs beside the model is the same one for fewer elements, and a fault of the writers shows there."""
    held: list[str] = []
    graphs = load("-", text=LONG)
    monkeypatch.setattr("compiler.emission.layout.verify_agreement", lambda text, plan: held.append(text))
    given = emit(graphs)
    short = given.replace("500", "6").replace("501", "7")
    assert short == held[0] != given
    monkeypatch.undo()
    mistaken = short.replace("gain_z = ", "gain_z = -")
    assert mistaken != short
    monkeypatch.setattr("compiler.emission.layout._text", lambda plan, more: mistaken)
    with pytest.raises(InternalError, match="the value"):
        emit(graphs)


# the file itself


@pytest.mark.parametrize("name", ["digits", "mnist-label-below"])
def test_golden_files(name: str, golden) -> None:
    golden(ROOT / f"tests/golden/emit/{name}.py.txt", emit(load(ROOT / f"specs/{name}.yaml")))


def test_emitted_files_are_formatted_and_clean(tmp_path: Path) -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    for index, text in enumerate(
        [m2(), OWN_PARAMETERS, *ARCHITECTURES.values(), WEIGHTLESS, RELAXED.replace("HARD", "true")]
    ):
        (tmp_path / f"m{index}.py").write_text(emit(graphs_of(text)), encoding="utf-8")
    (tmp_path / "table.py").write_text(emit(load(ROOT / "specs/table.yaml")), encoding="utf-8")
    config = ["--isolated", "--line-length", "120", str(tmp_path)]
    formatted = subprocess.run([ruff, "format", "--check", *config], capture_output=True, text=True)
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    linted = subprocess.run(
        [ruff, "check", "--select", "E,F,I,UP,B", "--ignore", "E741", *config], capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout


ALONE = """
import sys
for name in ("graphspec", "compiler", "runtime"):
    sys.modules[name] = None
import torch
import model
rows = model.read_rows("rows.npz")
network = model.Model()
model.load_weights(network, "weights.safetensors")
print(model.loss(network, rows, torch.Generator().manual_seed(3)).item())
model.EPOCHS = 2
model.train(network, rows, torch.Generator().manual_seed(1))
"""


def test_the_file_alone_loads_a_checkpoint_and_trains(tmp_path: Path) -> None:
    torch.set_default_dtype(torch.float32)
    graphs = load(ROOT / "specs/digits.yaml")
    model = Model(graphs, seed=4)
    (tmp_path / "model.py").write_text(emit(graphs), encoding="utf-8")
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()}, tmp_path / "weights.safetensors"
    )
    rows = rows_of(graphs, 60, 0)
    np.savez(tmp_path / "rows.npz", **{name: values.numpy() for name, values in rows.items()})
    ran = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    first, *epochs = ran.stdout.splitlines()
    weights = ObjectiveWeights.at(graphs, None, math.inf)
    bound = model.evaluate(rows, weights=weights, noise=Noise(torch.Generator().manual_seed(3), 60)).bound
    labelled = rows["y"] >= 0
    assert float(first) == pytest.approx(-0.5 * (bound[labelled].mean() + bound[~labelled].mean()).item(), rel=1e-5)
    assert [line.split(":")[0] for line in epochs] == ["epoch 1", "epoch 2"]


@pytest.mark.parametrize("text", [SPLIT.replace("OBJECTIVE", "{gamma: 1, alpha: 2/rho, beta: {z: {total_correlation: 3}}}"),
                                  ALL_FAMILIES["student_t, poisson"], WEIGHTLESS])  # fmt: skip
def test_the_training_loop_runs_on_random_rows(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    space = executed(emit(graphs_of(text, "training.epochs=1")))
    torch.set_default_dtype(torch.float32)
    generator = torch.Generator().manual_seed(0)
    space["train"](space["Model"](), space["random_rows"](300, generator), generator)
    assert "epoch 1: loss of the last batch" in capsys.readouterr().out


# the command


def test_the_command_writes_prints_and_never_overwrites(tmp_path: Path) -> None:
    spec, target = tmp_path / "m2.yaml", tmp_path / "model.py"
    spec.write_text(m2(), encoding="utf-8")
    written = CliRunner().invoke(app, ["compile", str(spec), "--emit", str(target)])
    assert written.exit_code == 0 and f"wrote {target}" in written.stdout.replace("\n", "")
    printed = CliRunner().invoke(app, ["compile", str(spec), "--emit", "-"])
    assert printed.stdout == target.read_text(encoding="utf-8")
    again = CliRunner().invoke(app, ["compile", str(spec), "--emit", str(target)])
    assert again.exit_code == 1 and "nothing is overwritten" in again.output
    both = CliRunner().invoke(app, ["compile", str(spec), "--emit", "-", "--stage", "spec"])
    assert both.exit_code == 2
    nowhere = CliRunner().invoke(app, ["compile", str(spec), "--emit", str(tmp_path / "no" / "model.py")])
    assert nowhere.exit_code == 1 and "cannot write" in nowhere.output
