"""The command line: one file per verb; the only place of the project that prints or exits."""

import gc
import sys


def main() -> None:
    """Entry point of the `graphspec` command."""
    # imports and specs make many objects and next to no garbage; verbs that go on to compute turn it on again
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from runtime.cli.thread_waiting import wait_as_the_machine_allows

    wait_as_the_machine_allows()
    from runtime.cli.app import app

    app()
