"""Freed memory stays with the process while it trains."""

import subprocess
import sys

import pytest

_SCRIPT = """
import resource, torch
from runtime.training.speed.memory import keep_freed_memory
torch.set_num_threads(1)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(4_000_000)
        torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
default = faults()
assert keep_freed_memory()
faults()
print(default, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_a_step_that_repeats_gets_its_pages_back() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    default, kept = (int(word) for word in done.stdout.split())
    assert default > 1000 and kept < default / 10
