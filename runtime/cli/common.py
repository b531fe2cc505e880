"""What every verb shares: option types, output, and how an error becomes an exit code.

Exit 0: fine. 1: the spec, the data or the run is at fault. 2: usage. 130: interrupted. 70: graphspec itself is.
"""

import errno
import functools
import gc
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer

from graphspec.diagnostics import Diagnostic, SpecError, render_text
from runtime.cli.interrupts import Interruptible
from runtime.errors import RunError

EXIT_FAULT = 1
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    console: Console
    error_console: Console


@functools.cache
def _consoles() -> "dict[str, Console]":
    from rich.console import Console

    return {"console": Console(), "error_console": Console(stderr=True)}


def __getattr__(name: str) -> Any:
    """`console` and `error_console`, made on first use: `check` needs no rich where its output is no terminal."""
    if name in ("console", "error_console"):
        return _consoles()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


SpecArgument = Annotated[str, typer.Argument(metavar="SPEC", help="The spec: a path, or - for standard input.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder that `train` wrote.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.FIELD=VALUE",
        help="Override a field of the spec (repeatable); VALUE is read as YAML, null deletes the field.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Where data sets live; else $GRAPHSPEC_DATA, else the user's cache folder.",
    ),
]
AllowPythonOption = Annotated[
    bool, typer.Option("--allow-python", help="Let the spec import the classes its `kind: python` networks name.")
]

P = ParamSpec("P")
R = TypeVar("R")


def run_safely(verb: Callable[P, R]) -> Callable[P, R]:
    """`verb` with its errors told in words: what the user can mend never shows a traceback."""

    @functools.wraps(verb)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with Interruptible() as interruption:
            try:
                result = verb(*args, **kwargs)
                sys.stdout.flush()
                return result
            except (typer.Exit, typer.Abort, typer.BadParameter):
                raise
            except SpecError as error:
                print_diagnostics(error.diagnostics, error=True)
                raise typer.Exit(EXIT_FAULT) from None
            except RunError as error:
                fail(error.message, error.hint)
            except KeyboardInterrupt:
                _say_interrupted()
            except Exception as error:
                if interruption.happened:
                    _say_interrupted()
                _tell_of_the_system(error)
                traceback.print_exc()
                typer.echo(
                    "internal error: graphspec broke a promise of its own. Please report it with the lines above,",
                    err=True,
                )
                typer.echo("the command and the spec.", err=True)
                raise typer.Exit(EXIT_INTERNAL) from None

    return wrapped


def _say_interrupted() -> NoReturn:
    typer.echo("interrupted", err=True)
    raise typer.Exit(EXIT_INTERRUPTED) from None


def _tell_of_the_system(error: Exception) -> None:
    """Says it, and exits, where what was refused is the system's to give: files, output, memory. Else returns."""
    if isinstance(error, OSError):
        if error.filename is None and error.errno in (errno.EPIPE, errno.EIO):
            # The reader went away (`| head`, a closed terminal): nobody is left to tell.
            _let_output_go()
            raise typer.Exit(0) from None
        if error.filename is None and error.errno == errno.ENOSPC:
            _let_output_go()
            fail("standard output cannot be written: no space left where it goes")
        if error.filename is not None:
            fail(f"{os.fsdecode(error.filename)}: {error.strerror or error}")
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error) or "out of memory" in str(error):
        first = (str(error).splitlines() or [""])[0][:200]
        hint = "a smaller model, fewer samples or training.batch_size need less; `graphspec explain` predicts a step's"
        fail(f"there is not enough memory for this ({first or 'none was left'})", hint)


def _let_output_go() -> None:
    """Python would complain again when it flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def collect_again() -> None:
    """Turns on the collection of garbage that `main` turned off for the imports. What they left stays for good: later
    collections need not look at it."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def fail(message: str, hint: str = "") -> NoReturn:
    """Print `error: message` and the hint on standard error, exit 1."""
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"  = help: {hint}", err=True)
    raise typer.Exit(EXIT_FAULT)


def tell(text: str) -> None:
    """One line on standard error, before something that takes long."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON object on standard output; NaN and infinities become null, which JSON can say."""
    typer.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def print_diagnostics(diagnostics: Iterable[Diagnostic], *, error: bool = False) -> None:
    """Diagnostics as text on standard output (or standard error), coloured on a terminal."""
    text = render_text(diagnostics)
    if not text:
        return
    if (sys.stderr if error else sys.stdout).isatty():
        _consoles()["error_console" if error else "console"].print(_coloured(text), soft_wrap=True)
    else:
        typer.echo(text, err=error)


_STYLES = {
    r"(?m)^(?P<place>\S+:\d+:\d+): (?=error|warning|note)": {"place": "bold"},
    r"(?P<found>\berror(\[GS\d+\])?):": {"found": "bold red"},
    r"(?P<found>\bwarning\[GS\d+\]):": {"found": "bold yellow"},
    r"(?P<found>\bnote(\[GS\d+\])?):": {"found": "bold cyan"},
    r"(?m)^(?P<gutter> +\d* \|)": {"gutter": "blue"},
    r"(?m)^ +\| *(?P<caret>\^+.*)$": {"caret": "red"},
    r"(?m)^  = (?P<help>help:)": {"help": "bold green"},
}


def _coloured(text: str) -> "Text":
    from rich.text import Text

    shown = Text(text)
    for pattern, styles in _STYLES.items():
        for match in re.finditer(pattern, text):
            for group, style in styles.items():
                shown.stylize(style, *match.span(group))
    return shown
