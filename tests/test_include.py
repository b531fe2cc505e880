"""`include`: a spec that takes in another one is the flat spec that says the same; weights of a run come along."""

import json
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import yaml
from included_specs import spec_drawn, split
from random_plates import PlateSpecDraw
from row_noise import RowNoise
from test_plates import rows_for
from tiny_runs import SPEC as TINY
from tiny_runs import train_tiny, write_tiny
from typer.testing import CliRunner

from compiler import Model, compile_spec
from compiler.emission import emit
from graphspec import Graphs
from graphspec.describe.resolved import resolved_yaml, spec_as_plain
from graphspec.diagnostics import SpecError
from graphspec.loading import check_file, load
from runtime import fit, open_run
from runtime.cli.app import app
from runtime.runs.checkpoints import read_weights, save_weights, weights_digest
from runtime.runs.run_rows import rows_to_train
from runtime.training.loop.initialization import initialize

DOUBLE = torch.float64


def flat_like(text: str, nested: Graphs) -> Model:
    """The flat spec's model, its entries in the order that the nested one has (on which increments of labels depend)."""
    plain = yaml.safe_load(text)
    for section, names in (("variables", nested.spec.variables), ("generative", nested.generative),
                           ("recognition", nested.recognition)):  # fmt: skip
        assert set(plain[section]) == set(names)
        plain[section] = {name: plain[section][name] for name in names}
    return compile_spec(load("-", text=yaml.safe_dump(plain, sort_keys=False)), dtype=DOUBLE)


def assert_same(text: str, path: Path, rows_for_model) -> None:
    """Initial weights to the bit; value and gradient at other weights."""
    nested = compile_spec(load(path), dtype=DOUBLE)
    flat = flat_like(text, nested.graphs)
    assert {n: (v.role, v.shape, v.plates) for n, v in flat.graphs.variables.items()} == {
        n: (v.role, v.shape, v.plates) for n, v in nested.graphs.variables.items()
    }
    theirs, mine = flat.state_dict(), nested.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
    generator, scale = torch.Generator().manual_seed(0), torch.arange(1, 4, dtype=DOUBLE)
    moved = {n: 0.7 * torch.randn(t.shape, generator=generator, dtype=DOUBLE) for n, t in mine.items()}
    found = []
    for model in (flat, nested):
        model.load_state_dict(moved)
        value = model.bound(rows_for_model(model), noise=RowNoise(3, range(3)))
        names = [name for name, _ in sorted(model.named_parameters())]
        weights = [model.get_parameter(name) for name in names]
        gradient = torch.autograd.grad(value @ scale, weights, allow_unused=True)
        found.append(
            (value.detach(), [torch.zeros_like(w) if g is None else g for w, g in zip(weights, gradient, strict=True)])
        )
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-11, rtol=0)
    for a, b in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_an_include_equals_the_flat_spec(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    text = spec_drawn(seed).text()
    assert_same(text, split(text, random, tmp_path), rows_for)


@pytest.mark.parametrize("seed", range(6))
def test_an_include_in_a_plate_equals_the_flat_spec(tmp_path: Path, seed: int) -> None:
    text = PlateSpecDraw(seed, samples=2).text()
    plate = next((v["plate"] for v in yaml.safe_load(text)["variables"].values() if "plate" in v), None)
    assert_same(text, split(text, Random(seed), tmp_path, plate=plate), rows_for)


# --- runs -------------------------------------------------------------------------------------------------------------

OUTER = """\
graphspec: 1
name: outer
include:
  part: {run: first, rename: {x: code, y: y}, roles: {x: latent}, freeze: true}
variables:
  x: {role: observed, domain: binary, size: 6}
generative:
  x: {parents: [code], network: {kind: mlp, hidden: [8]}}
recognition:
  code: {parents: [x], network: {kind: mlp, hidden: [8], normalization: batch}}
networks: {default: {kind: mlp, hidden: [5]}}
objective: {estimators: {code: relax}}
data: {source: rows.npz, variables: {x: x, y: y}, labels: {y: 12}, test: 0.2, validation: 0.2}
training: {epochs: 2, batch_size: 20, learning_rate: 1e-2}
"""
SAME_COLUMNS = """\
graphspec: 1
include: {part: {run: first, rename: {x: x, y: y}}}
variables: {}
generative: {}
recognition: {}
data: {source: rows.npz, variables: {x: {column: x, standardize: true}, y: y}, labels: {y: 12}}
training: {epochs: 1, batch_size: 20}
"""
HERE = {"x": "code", "z": "part_z", "h": "part_h"}
"""What the variables of the run are called in OUTER."""


def first_run(folder: Path, *overrides: str) -> None:
    """A run of the tiny spec in folder/first, its rows, and OUTER."""
    write_tiny(folder)
    train_tiny(folder, "training.epochs=1", *overrides, out="first")
    (folder / "outer.yaml").write_text(OUTER, encoding="utf-8")


def trained(path: Path, *overrides: str, out: str = "second"):
    return fit(compile_spec(load(path, overrides)), out=path.parent / out, progress=False, device="cpu")


def called_here(name: str) -> str:
    """A tensor of the run by the name that it has in OUTER."""
    _, factor, *rest = name.split(".")
    side, _, variable = factor.partition("--")
    parts = [f"from_{HERE.get(part[5:], part[5:])}" if part.startswith("from_") else part for part in rest]
    return ".".join(["factors", f"{side}--{HERE.get(variable, variable)}", *parts])


def test_frozen_parts_are_the_runs_to_the_bit_after_training(tmp_path: Path) -> None:
    """Under weight decay, averaging and batch statistics; what reads them and what they read has learnt."""
    first_run(tmp_path)
    run = trained(tmp_path / "outer.yaml", "training.ema=0.9", "training.optimizer=adamw", "training.weight_decay=0.1")
    before, after = (
        read_weights(file).weights for file in (tmp_path / "first/checkpoints/best.safetensors", run.last_file)
    )
    assert any("running" in name for name in before), "batch statistics among them"
    for name, tensor in before.items():
        assert torch.equal(tensor, after[called_here(name)]), name
    fresh = compile_spec(load(tmp_path / "outer.yaml")).state_dict()
    learnt = [n for n in fresh if n.startswith(("factors.recognition--code.", "factors.generative--x."))]
    assert learnt and all(not torch.equal(fresh[name], after[name]) for name in learnt if "weight" in name)


def test_the_value_is_that_of_the_runs_factors(tmp_path: Path) -> None:
    first_run(tmp_path)
    trained(tmp_path / "outer.yaml")
    outer, inner = open_run(tmp_path / "second"), open_run(tmp_path / "first")
    rows = {"x": torch.randint(0, 2, (4, 6)).float(), "y": torch.tensor([0, 1, 2, 1]), "z": torch.randn(4, 2)}
    here = {HERE.get(name, name): value for name, value in rows.items()}
    for side in ("generative", "recognition"):
        expected = inner.log_prob(side, rows)
        found = outer.log_prob(side, {**here, "x": rows["x"]})
        for name in ("y", "z", *(["x"] if side == "generative" else [])):
            # parents are added up in the order of their names, which are others here
            torch.testing.assert_close(found[HERE.get(name, name)], expected[name], atol=1e-5, rtol=1e-5)


def test_the_run_is_not_needed_afterwards(tmp_path: Path) -> None:
    """Opening, evaluating, going on: one flat spec, and all weights, are in the new run."""
    first_run(tmp_path)
    run = trained(tmp_path / "outer.yaml")
    digest = weights_digest(tmp_path / "first/checkpoints/best.safetensors")
    assert [(e["run"], e["sha256"], e["frozen"]) for e in run.manifest()["starts_from"]] == [("first", digest, True)]
    frozen = {n: t for n, t in read_weights(run.last_file).weights.items() if "part_" in n}
    shutil.rmtree(tmp_path / "first")
    assert "include" not in yaml.safe_load(run.resolved_file.read_text())
    open_run(run.folder)
    found = check_file(tmp_path / "outer.yaml")
    assert [each.code for each in found] == ["GS091"] and "resolved.yaml" in found[0].hint
    text = run.resolved_file.read_text().replace("rows.npz", str(tmp_path / "rows.npz"))
    told = CliRunner().invoke(
        app, ["train", str(run.resolved_file), "--out", str(run.folder), "--resume", "--set", "training.epochs=3",
              "--data-dir", str(tmp_path), "--no-figures", "--quiet", "--device", "cpu"]
    )  # fmt: skip
    assert text and told.exit_code == 0, told.output
    assert run.manifest()["epochs"] == 3 and run.manifest()["starts_from"][0]["sha256"] == digest
    after = read_weights(run.last_file).weights
    assert frozen and all(torch.equal(tensor, after[name]) for name, tensor in frozen.items())


def test_two_includes_of_one_run_are_two_copies(tmp_path: Path) -> None:
    first_run(tmp_path)
    twice = OUTER.replace(", freeze: true", "").replace(
        "variables:\n", "  other: {run: first, rename: {y: kind}, roles: {x: latent}}\nvariables:\n", 1
    )
    twice = twice.replace("x: {parents: [code]", "x: {parents: [code, other_x]")
    twice = twice.replace("recognition:\n", "recognition:\n  other_x: {parents: [x]}\n").replace(
        "{code: relax}", "{code: relax, other_x: relax}"
    )
    (tmp_path / "outer.yaml").write_text(twice.replace("y: y}, labels", "y: y, kind: y}, labels"), encoding="utf-8")
    run = trained(tmp_path / "outer.yaml", "training.learning_rate=1e-30")
    first, after = (read_weights(f).weights for f in (tmp_path / "first/checkpoints/best.safetensors", run.last_file))
    name = "factors.generative--x.sources.0.network.layers.0.maps.from_z.weight"
    name = next(n for n in first if n.startswith("factors.generative--x.") and n.endswith("from_z.weight"))
    for variable, z in (("code", "part_z"), ("other_x", "other_z")):
        copy = after[name.replace("--x.", f"--{variable}.").replace("from_z", f"from_{z}")]
        assert torch.allclose(copy, first[name], rtol=0, atol=1e-20)
    run = trained(tmp_path / "outer.yaml", out="third")
    after = read_weights(run.last_file).weights
    copies = [
        after[name.replace("--x.", f"--{v}.").replace("from_z", f"from_{z}")]
        for v, z in (("code", "part_z"), ("other_x", "other_z"))
    ]
    assert not torch.equal(*copies), "they learn by themselves"


def test_an_emitted_file_starts_from_the_runs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_run(tmp_path)
    model = compile_spec(load(tmp_path / "outer.yaml"))
    initialize(model, tmp_path)
    space: dict = {"__name__": "emitted"}
    exec(compile(emit(model.graphs), "emitted.py", "exec"), space)
    twin = space["Model"]()
    monkeypatch.chdir(tmp_path)
    space["begin"](twin)
    theirs = space["from_graphspec"](model.state_dict())
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in twin.state_dict().items())
    frozen = [name for name, parameter in twin.named_parameters() if not parameter.requires_grad]
    assert frozen and not any(name.startswith(("q_code", "p_x")) for name in frozen) and not twin.p_code.training


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: _flip(run / "checkpoints/best.safetensors"), "is damaged: its contents do not have the SHA-256"),
        (lambda run: (run / "checkpoints/best.safetensors").write_text("text"), "cannot be read as a checkpoint"),
        (lambda run: _other_spec(run), "holds weights of another spec"),
        (lambda run: (run / "resolved.yaml").write_text("graphspec: 1\n"), "section `variables` is missing"),
        (lambda run: (run / "checkpoints/best.safetensors").unlink(), "is missing: epoch 1 was selected"),
    ],
)
def test_a_damaged_or_foreign_run_is_told_at_its_place(tmp_path: Path, damage, message: str) -> None:
    first_run(tmp_path)
    damage(tmp_path / "first")
    with pytest.raises(SpecError, match=message) as caught:
        trained(tmp_path / "outer.yaml")
    places = [(d.code, d.source.name) for d in caught.value.diagnostics if d.severity == "error"]
    related = [r.source.name for d in caught.value.diagnostics for r in d.related]
    assert str(tmp_path / "outer.yaml") in [name for _, name in places] + related
    assert not (tmp_path / "second").exists()


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def _other_spec(run: Path) -> None:
    file = run / "checkpoints/best.safetensors"
    checkpoint = read_weights(file)
    save_weights(file, checkpoint.weights, checkpoint.spec.replace("size: 2", "size: 3"), checkpoint.facts)


def test_a_run_keeps_its_units(tmp_path: Path) -> None:
    """A standardized column is counted by the run's numbers, not by those of the rows that train here."""
    write_tiny(tmp_path)
    real = ("variables.x={role: observed, size: 6}", "data.variables.x={column: x, standardize: true}")
    train_tiny(tmp_path, "training.epochs=1", *real, out="first")
    rows = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", x=3.0 * rows["x"] + 1, y=rows["y"])
    (tmp_path / "outer.yaml").write_text(SAME_COLUMNS, encoding="utf-8")
    run = trained(tmp_path / "outer.yaml")
    assert run.manifest()["units"]["x"] == json.loads((tmp_path / "first/manifest.json").read_text())["units"]["x"]


def test_a_run_that_has_changed_since_is_told_and_changes_nothing(tmp_path: Path) -> None:
    first_run(tmp_path)
    run = trained(tmp_path / "outer.yaml")
    again = ("train", str(tmp_path / "outer.yaml"), "--resume", "--out", str(run.folder), "--no-figures", "-q")
    kept = read_weights(run.last_file).weights
    told = CliRunner().invoke(app, [*again, "--set", "training.epochs=3", "--device", "cpu"])
    assert told.exit_code == 0 and "other weights now" not in told.output
    shutil.rmtree(tmp_path / "first")
    train_tiny(tmp_path, "training.epochs=1", out="first", seed=3)
    told = CliRunner().invoke(app, [*again, "--set", "training.epochs=4", "--device", "cpu"])
    assert told.exit_code == 0 and "first has other weights now" in told.output, told.output
    after = read_weights(run.last_file).weights
    assert all(torch.equal(tensor, after[name]) for name, tensor in kept.items() if "part_" in name)


@pytest.mark.parametrize(
    ("scale", "shift", "told"), [(1.0, 0.0, False), (1.5, 0.5, False), (1.0, 90.0, True), (0.01, 0.5, True)]
)
def test_columns_unlike_those_that_the_runs_weights_have_seen_are_told(
    tmp_path: Path, scale: float, shift: float, told: bool
) -> None:
    write_tiny(tmp_path)
    real = ("variables.x={role: observed, size: 6}", "data.variables.x={column: x, standardize: true}")
    train_tiny(tmp_path, "training.epochs=1", *real, out="first")
    rows = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", x=scale * rows["x"] + shift, y=rows["y"])
    (tmp_path / "outer.yaml").write_text(SAME_COLUMNS, encoding="utf-8")
    graphs = load(tmp_path / "outer.yaml")
    notes = rows_to_train(graphs, spec_path=tmp_path / "outer.yaml").notes
    assert any("seen nothing like them" in note for note in notes) == told, notes


# --- specs within specs -----------------------------------------------------------------------------------------------


def test_nested_includes_reach_their_runs(tmp_path: Path) -> None:
    """A spec that includes a spec that includes a run: all in one flat spec, each name in the words of the outermost."""
    first_run(tmp_path)
    (tmp_path / "deep").mkdir()
    inner = OUTER.replace("run: first", "run: ../first")
    (tmp_path / "deep/middle.yaml").write_text(inner, encoding="utf-8")
    whole = """\
graphspec: 1
include: {m: {spec: deep/middle.yaml, rename: {x: x, y: y, part_z: style}}}
variables: {}
generative: {}
recognition: {}
objective: {estimators: {m_code: relax}}
data: {source: rows.npz, variables: {x: x, y: y}, labels: {y: 12}}
training: {epochs: 1, batch_size: 20}
"""
    (tmp_path / "outer.yaml").write_text(whole, encoding="utf-8")
    graphs = load(tmp_path / "outer.yaml")
    (start,) = graphs.spec.training.initialize
    assert start.freeze and start.rename == {"x": "m_code", "z": "style", "h": "m_part_h"}
    run = trained(tmp_path / "outer.yaml")
    first, after = (read_weights(f).weights for f in (tmp_path / "first/checkpoints/best.safetensors", run.last_file))
    names = {"x": "m_code", "z": "style", "h": "m_part_h"}
    name = next(n for n in first if n.startswith("factors.recognition--z.") and n.endswith("from_h.weight"))
    assert torch.equal(first[name], after[name.replace("--z.", "--style.").replace("from_h", f"from_{names['h']}")])


def test_auto_is_resolved_inside(tmp_path: Path) -> None:
    """The trunk of the included graphs is theirs, and reads what they observe."""
    auto = TINY[: TINY.index("recognition:")] + "recognition: auto\n" + TINY[TINY.index("networks:") :]
    (tmp_path / "tiny.yaml").write_text(auto.replace("  h: {role: deterministic}\n", ""), encoding="utf-8")
    outer = "graphspec: 1\ninclude: {part: {spec: tiny.yaml}}\nvariables: {}\ngenerative: {}\nrecognition: {}\n"
    (tmp_path / "outer.yaml").write_text(outer, encoding="utf-8")
    inner, nested = load(tmp_path / "tiny.yaml"), load(tmp_path / "outer.yaml")
    assert {f"part_{n}": [f"part_{p}" for p in f.parents] for n, f in inner.recognition.items()} == {
        n: list(f.parents) for n, f in nested.recognition.items()
    }
    assert not nested.spec.recognition.auto


def test_an_omitted_network_is_the_included_specs_own(tmp_path: Path) -> None:
    """Its `default`, or where it has none the language's, whatever `default` is here."""
    outer = "graphspec: 1\ninclude: {part: {spec: tiny.yaml}}\nvariables: {}\ngenerative: {}\nrecognition: {}\n"
    outer += "networks: {default: {kind: mlp, hidden: [3]}}\n"
    for section, hidden in (("networks: {default: {kind: mlp, hidden: [8]}}", (8,)), ("", (256, 256))):
        text = TINY.replace("networks: {default: {kind: mlp, hidden: [8]}}", section)
        (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
        (tmp_path / "outer.yaml").write_text(outer, encoding="utf-8")
        assert load(tmp_path / "outer.yaml").generative["part_x"].network.hidden == hidden


def test_the_resolved_spec_reads_back_as_the_same(tmp_path: Path) -> None:
    first_run(tmp_path)
    graphs = load(tmp_path / "outer.yaml")
    again = load(tmp_path / "outer.yaml", text=resolved_yaml(graphs))
    assert spec_as_plain(again.spec) == spec_as_plain(graphs.spec)


def test_overrides_reach_the_include(tmp_path: Path) -> None:
    first_run(tmp_path)
    graphs = load(tmp_path / "outer.yaml", ["include.part.freeze=false", "include.part.rename.z=style"])
    assert not graphs.spec.training.initialize[0].freeze and "style" in graphs.variables


def test_factors_left_behind_are_written_anew_on_either_side(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    text = OUTER.replace(
        "{run: first, rename: {x: code, y: y}, roles: {x: latent}, freeze: true}",
        "{spec: tiny.yaml, rename: {x: code, y: y}, roles: {x: latent}, without: [generative.z, recognition.z]}",
    )
    text = text.replace("generative:\n", "generative:\n  part_z: {parents: [y]}\n")
    text = text.replace("recognition:\n", "recognition:\n  part_z: {parents: [code]}\n")
    (tmp_path / "outer.yaml").write_text(text, encoding="utf-8")
    graphs = load(tmp_path / "outer.yaml")
    assert graphs.generative["part_z"].parents == ("y",) and graphs.recognition["part_z"].parents == ("code",)
    assert graphs.recognition["part_h"].parents == ("code",), "what is not left behind stays"
