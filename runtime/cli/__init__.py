"""The command line: one file per verb; the only place of the project that prints or exits."""

import gc
import os
import sys


def main() -> None:
    """Entry point of the `graphspec` command."""
    _let_interrupts_end_at_once()
    # imports and specs make many objects and next to no garbage; verbs that go on to compute turn it on again
    gc.disable()
    # nor has any plugin a part in reading a spec, for which pydantic would look through all that is installed
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from runtime.cli.thread_waiting import wait_as_the_machine_allows

    wait_as_the_machine_allows()
    from runtime.cli.app import app

    app()


def _let_interrupts_end_at_once() -> None:
    """Until a verb runs (`interrupts.py`), Ctrl-C is left to the system: within an import it may be swallowed, or come
    out as another error. A process that was told to ignore it (`nohup`) goes on doing so."""
    import _signal  # type: ignore[import-not-found]  # the half of `signal` that needs no loading: whatever comes before this shows a traceback

    if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
