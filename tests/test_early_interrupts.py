"""Ctrl-C while the command line loads: no traceback at any moment that is ours, and the exit of an interruption."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = Path(__file__).parent / "specs" / "good" / "m2.yaml"
INTERRUPTED_AT = """
import signal, sys

class Presser:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python starts, unless it is told to ignore it
sys.meta_path.insert(0, Presser())
sys.argv = ["graphspec", "check", {spec!r}]
from runtime.cli import main
main()
"""


@pytest.mark.parametrize("module", ["runtime.cli.app", "typer", "runtime.cli.check", "networkx", "graphspec.rules"])
def test_ctrl_c_within_an_import_shows_no_traceback(module: str) -> None:
    code = INTERRUPTED_AT.format(module=module, spec=str(GOOD))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode in (130, -signal.SIGINT), done.stderr  # a shell calls both 130
    assert "Traceback" not in done.stderr and not done.stdout


def test_next_to_nothing_is_loaded_before_ctrl_c_is_answered() -> None:
    code = "import sys; before = set(sys.modules); import runtime.cli; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"runtime", "runtime.cli", "gc"}
