"""The command line: one file per verb; the only place of the project that prints or exits."""

import gc
import os
import sys

SPINS = "2000"
"""Rounds that a thread of libgomp waits for its next piece of work before it sleeps; libgomp's own 300,000 use up the
time that the system grants it, and on a machine with other work every meeting of the threads then takes milliseconds
(results/busy.json). Where nothing else runs, no difference was measured."""


def sleep_sooner() -> None:
    """Has to come before torch, whose libgomp reads it as it is loaded; whoever sets either variable decides."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def main() -> None:
    """Entry point of the `graphspec` command."""
    # imports and specs make many objects and next to no garbage; verbs that go on to compute turn it on again
    gc.disable()
    sleep_sooner()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from runtime.cli.app import app

    app()
