"""The command line: one file per verb; the only place of the project that prints or exits."""

import sys


def main() -> None:
    """Entry point of the `graphspec` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from runtime.cli.app import app

    app()
