"""Run folders: what is in them, how they are opened again, and that no run is ever written over."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import SPEC, tiny_model, train_tiny

from compiler.tensors.noise import Noise
from graphspec.describe.resolved import differences, spec_as_plain, spec_as_yaml
from graphspec.diagnostics import SpecError
from graphspec.loading import load
from runtime.errors import RunError
from runtime.runs.checkpoints import read_weights
from runtime.runs.claiming import claim_new, latest_folder
from runtime.runs.records import read_records
from runtime.runs.run_folder import Run, find_run, open_run
from runtime.training.loop.fitting import fit

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))


def test_a_run_folder_says_how_it_came_about(tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "training.epochs=2", command=["graphspec", "train", "tiny.yaml"])
    assert run.spec_file.read_text() == SPEC
    assert load(run.resolved_file).spec.training.epochs == 2
    manifest = run.manifest()
    assert manifest["status"] == "finished"
    assert manifest["command"] == ["graphspec", "train", "tiny.yaml"]
    assert manifest["spec"] == str(tmp_path / "tiny.yaml")
    assert run.spec_path == tmp_path / "tiny.yaml"
    assert manifest["seed"] == 0
    assert manifest["device"] == "cpu"
    assert manifest["precision"] == "fp32"
    assert manifest["epochs"] == 2
    assert manifest["wall_seconds"] > 0
    assert {"python", "torch", "graphspec", "platform"} <= set(manifest["versions"])
    assert len(manifest["labelled"]["y"]) == 12
    rows = [set(manifest["labelled"]["y"]), set(manifest["validation"]), set(manifest["test"])]
    assert all(not (a & b) for i, a in enumerate(rows) for b in rows[:i])
    assert manifest["fingerprint"]
    records = run.metrics()
    assert [(record["epoch"], record["step"]) for record in records] == [(1, 4), (2, 8)]
    assert set(records[0]) == {
        "epoch", "step", "seconds", "loss", "rho", "learning_rate", "terms", "validation", "ess",
    }  # fmt: skip
    assert {"log p(x)", "log q(y)"} <= set(records[0]["terms"])
    assert set(records[0]["validation"]) == {"rows", "elbo", "variables"}


def test_an_opened_run_answers_as_the_trained_model_did(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, "objective.alpha=25/rho")
    run = fit(model, out=tmp_path / "run", progress=False, device="cpu")
    opened = open_run(run.folder)
    assert not opened.training
    rows = {"x": torch.tensor([[1.0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 1]]), "y": torch.tensor([0, -1])}
    assert torch.equal(model.bound(rows, noise=Noise(0, 2)), opened.bound(rows, noise=Noise(0, 2)))
    assert open_run(run.last_file).state_dict().keys() == opened.state_dict().keys()


def test_an_opened_run_needs_neither_its_data_nor_its_place(tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "training.epochs=1")
    moved = run.folder.rename(tmp_path / "moved")
    (tmp_path / "rows.npz").unlink()
    (moved / "rows.npz").write_bytes(b"something else")
    (moved / "resolved.yaml").unlink()
    model = open_run(moved)
    weights = read_weights(Run(moved).best_file).weights
    assert all(torch.equal(model.state_dict()[name], weights[name]) for name in weights)


def test_what_is_no_run_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run folder"):
        open_run(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match=r"it has no manifest\.json"):
        find_run(tmp_path / "other")
    (tmp_path / "other" / "manifest.json").write_text('{"status": ')
    with pytest.raises(RunError, match="is damaged"):
        Run(tmp_path / "other").manifest()
    (tmp_path / "other" / "manifest.json").write_text('{"status": "running"}')
    with pytest.raises(RunError, match="no weights yet") as caught:
        open_run(tmp_path / "other")
    assert "--resume" in caught.value.hint


def test_a_state_file_is_not_a_model(tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "training.epochs=1")
    with pytest.raises(RunError, match="holds no model weights"):
        open_run(run.state_file)


def test_no_run_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = fit(tiny_model(tmp_path, "training.epochs=1"), progress=False, device="cpu")
    second = fit(tiny_model(tmp_path, "training.epochs=1"), progress=False, device="cpu")
    assert (first.folder, second.folder) == (Path("runs/tiny"), Path("runs/tiny-2"))
    assert latest_folder("tiny") == second.folder
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="exists and is not empty") as caught:
        fit(tiny_model(tmp_path), out=first.folder, progress=False)
    assert "--resume" in caught.value.hint
    assert {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()} == before
    resumed = fit(tiny_model(tmp_path), resume=True, progress=False, device="cpu")
    assert resumed.folder == second.folder
    assert len(resumed.metrics()) == 3


def test_folders_for_new_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="no run to resume"):
        latest_folder("m2")
    with claim_new(None, "m2", "text") as first, claim_new(None, "m2", "text") as second:
        assert (first.folder, second.folder) == (Path("runs/m2"), Path("runs/m2-2"))
    assert not Path("runs").exists(), "nothing was written"
    Path("runs/m2").mkdir(parents=True)
    with claim_new(None, "m2", "text") as claim:
        assert claim.folder == Path("runs/m2"), "an empty folder is nobody's run"
    Path("runs/m2/spec.yaml").write_text("another text")
    with claim_new(None, "m2", "text") as claim:
        assert claim.folder == Path("runs/m2-2")
    Path("file").touch()
    with pytest.raises(RunError):
        claim_new(Path("file"), "m2", "text")


def test_bad_data_leave_no_folder_behind(tmp_path: Path) -> None:
    tiny_model(tmp_path)
    np.savez(tmp_path / "rows.npz", x=np.full((30, 6), np.nan), y=np.arange(30) % 3)
    with pytest.raises(SpecError, match="GS083"):
        train_tiny(tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    assert read_records(path) == [{"epoch": 1}, {"epoch": 2}]
    assert read_records(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_resolved_spec_reads_back_as_itself(path: Path) -> None:
    spec = load(path).spec
    resolved = load(path, text=spec_as_yaml(spec))
    again = resolved.spec
    assert again == spec
    assert [found.code for found in resolved.warnings] == [found.code for found in load(path).warnings]
    assert not list(differences(spec_as_plain(spec), spec_as_plain(again)))


def test_words_that_yaml_could_mistake_read_back_as_text(tmp_path: Path) -> None:
    tiny_model(tmp_path)
    changes = ['variables.y.names=["no", "1e-3", "0x1F"]', 'description="yes: # 7"', "objective.alpha=25/rho"]
    spec = load(tmp_path / "tiny.yaml", changes).spec
    assert load(tmp_path / "tiny.yaml", text=spec_as_yaml(spec)).spec == spec


def test_differences_name_fields() -> None:
    old = {"a": {"b": 1, "c": 2}, "d": [1], "only": 0}
    new = {"a": {"b": 1, "c": 3}, "d": [1, 2], "new": {"x": 1}}
    assert list(differences(old, new)) == [
        ("a.c", 2, 3), ("d", [1], [1, 2]), ("only", 0, None), ("new", None, {"x": 1}),
    ]  # fmt: skip


def test_importing_runtime_loads_no_torch() -> None:
    code = "import json, runtime, runtime.runs.run_folder, sys; print(json.dumps(sorted({'torch', 'accelerate'} & set(sys.modules))))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout == "[]\n"
