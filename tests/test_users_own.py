"""A network of one's own from anywhere: its module and its weights stand beside the spec, and torchvision works in it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_runs import SPEC, write_tiny

from compiler import compile_spec
from compiler.networks import found_beside
from graphspec.loading import load
from runtime.runs.run_folder import open_run
from runtime.training.loop.fitting import fit

MODULE = """
import torch
from torch import nn

class Pretrained(nn.Module):
    def __init__(self, inputs, outputs, weights):
        super().__init__()
        self.map = nn.Linear(inputs["x"][0], outputs["logits"][0])
        self.map.load_state_dict(torch.load(weights))
        self.map.requires_grad_(False)

    def forward(self, x):
        return {"logits": self.map(x)}
"""
TORCHVISION = """
import torchvision
from torch import nn

class Squeeze(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = torchvision.models.squeezenet1_1(weights=None, num_classes=outputs["logits"][0])

    def forward(self, x):
        return {"logits": self.body(x.expand(-1, 3, -1, -1))}
"""
IMAGES = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 32, 32]}
  y: {role: supervised, domain: category, classes: 3}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x], network: {kind: python, target: vision_nets_own:Squeeze}}}
"""


def own_spec(folder: Path) -> Path:
    """A tiny spec whose q(y | x) is a network with weights in a file; all of it in `folder`."""
    folder.mkdir()
    spec = write_tiny(folder)
    network = "{kind: python, target: pretrained_nets_own:Pretrained, args: {weights: weights/start.pt}}"
    text = SPEC.replace("y: {parents: [h], network: {kind: linear}}", f"y: {{parents: [x], network: {network}}}")
    spec.write_text(text)
    (folder / "pretrained_nets_own.py").write_text(MODULE)
    (folder / "weights").mkdir()
    torch.save(torch.nn.Linear(6, 3).state_dict(), folder / "weights" / "start.pt")
    return spec


def test_weights_are_found_beside_the_spec_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the spec is compiled, and when its run is opened again in yet another folder."""
    spec = own_spec(tmp_path / "own")
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model = compile_spec(load(spec, ["training.epochs=1"]), allow_python=True)
    expected = torch.load(tmp_path / "own" / "weights" / "start.pt")["weight"]
    (found,) = [p for name, p in model.named_parameters() if p.shape == (3, 6) and not p.requires_grad]
    torch.testing.assert_close(found, expected)
    run = fit(model, out=tmp_path / "run", progress=False)
    monkeypatch.chdir(tmp_path / "there")
    for opened in (open_run(run.folder, allow_python=True), open_run(run.checkpoint, allow_python=True)):
        (again,) = [p for p in opened.parameters() if p.shape == (3, 6) and not p.requires_grad]
        torch.testing.assert_close(again, expected)


def test_only_names_of_files_beside_the_spec_become_paths(tmp_path: Path) -> None:
    spec = tmp_path / "a.yaml"
    spec.write_text("")
    (tmp_path / "w.pt").write_text("")
    (tmp_path / "resnet18").mkdir()
    given = {
        "a": "w.pt",
        "b": ["w.pt", 3, None],
        "c": {"d": "w.pt"},
        "e": "resnet18",
        "f": "v.pt",
        "g": "",
        "h": "x" * 5000,
    }
    full = str(tmp_path / "w.pt")
    assert found_beside(spec, given) == {**given, "a": full, "b": [full, 3, None], "c": {"d": full}}
    assert found_beside(Path("-"), given) == given


def test_torchvision_works_in_a_network_of_ones_own(tmp_path: Path) -> None:
    """In a fresh interpreter, whose module imports torchvision as anybody would."""
    (tmp_path / "vision_nets_own.py").write_text(TORCHVISION)
    (tmp_path / "a.yaml").write_text(IMAGES)
    code = (
        "import sys, torch; from compiler import compile_spec\n"
        "model = compile_spec(sys.argv[1], allow_python=True)\n"
        "rows = {'x': torch.rand(2, 1, 32, 32), 'y': torch.tensor([0, -1])}\n"
        "model.bound(rows).sum().backward(); assert 'torchvision' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
