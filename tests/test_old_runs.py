"""Run folders that older versions wrote stay readable: they open, evaluate and resume.

`tests/runs/before-the-plan` was written at commit bb4ddbc, where the model was interpreted and not planned: interrupted
after 4 of 12 epochs. The expected figures are what that commit itself printed for the same folder.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from runtime import open_run
from runtime.cli.app import app

OLD = Path(__file__).parent / "runs" / "before-the-plan"


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "run"))


def test_an_old_run_opens_and_evaluates_as_it_did(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["evaluate", str(copied(tmp_path)), "--json"])
    assert found.exit_code == 0, found.output
    figures = json.loads(found.stdout)
    assert figures["elbo"] == pytest.approx(-36.745549704039, rel=1e-5)
    assert figures["variables"]["y"]["error"] == pytest.approx(0.1894150417827298, abs=1e-9)
    model = open_run(OLD)
    assert sum(parameter.numel() for parameter in model.parameters()) > 0
    assert torch.isfinite(model.bound({"x": torch.rand(3, 1, 8, 8)})).all()


def test_an_old_run_resumes_and_ends_as_it_would_have(tmp_path: Path) -> None:
    run = copied(tmp_path)
    spec = tmp_path / "before-the-plan.yaml"
    shutil.copy(run / "spec.yaml", spec)
    found = CliRunner().invoke(app, ["train", str(spec), "--out", str(run), "--resume"])
    assert found.exit_code == 0, found.output
    last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last["epoch"] == 12 and last["step"] == 132
    assert last["loss"] == pytest.approx(34.96939364346591, rel=1e-4)
    assert last["validation"]["elbo"] == pytest.approx(-28.44411751959059, rel=1e-3)
