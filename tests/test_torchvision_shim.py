"""torchvision imports beside any torch, and what we use of it works."""

import subprocess
import sys

import pytest
import torch

from compiler.networks import torchvision_shim

DECLARED_ALREADY = """
import torch
library = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from compiler.networks.torchvision_shim import import_torchvision
assert import_torchvision().__name__ == "torchvision"
"""


def test_what_we_use_of_it_works() -> None:
    torchvision = torchvision_shim.import_torchvision()
    from torchvision.transforms import v2

    assert torchvision.datasets.MNIST.__name__ == "MNIST"
    assert torchvision.utils.make_grid(torch.zeros(4, 1, 8, 8), nrow=2, padding=0).shape == (3, 16, 16)
    assert v2.Resize([4, 4])(torch.zeros(1, 8, 8)).shape == (1, 4, 4)


def test_operators_that_are_declared_are_left_alone() -> None:
    finished = subprocess.run([sys.executable, "-c", DECLARED_ALREADY], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_nothing_is_declared_where_the_operators_are_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_shim, "is_declared", lambda name: True)
    assert torchvision_shim._declarations.__wrapped__() is None


def test_the_import_is_repeatable() -> None:
    first = torchvision_shim.import_torchvision()
    assert torchvision_shim.import_torchvision() is first
    assert torchvision_shim.is_declared("nms")
    assert not torchvision_shim.is_declared("no_such_operator")
    assert torch.ops.torchvision is not None
