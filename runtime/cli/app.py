"""The `graphspec` command: which verbs there are. Each is a plain function in the file of its name."""

import importlib
import inspect
import platform
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from graphspec.reading.suggestions import did_you_mean
from runtime.cli.common import collect_again, run_safely

VERBS = (
    "new",
    "check",
    "graph",
    "explain",
    "compile",
    "train",
    "evaluate",
    "compare",
    "predict",
    "export",
    "suggest",
    "query",
    "sample",
    "reconstruct",
    "traverse",
    "analogies",
    "sweep",
    "report",
    "data",
    "schema",
    "doctor",
)
BRIEF = ("new", "check", "graph", "explain", "compile", "schema", "train")
"""Commands too short for garbage collection to be worth it, and `train`, which collects once after loading."""
_SUMMARY = "One YAML file with two graphs becomes a trained semi-supervised deep generative model."
_HELP_NAMES = {"help_option_names": ["-h", "--help"]}
_START = "Start here:  graphspec new hello,  then  graphspec check hello.yaml  and  graphspec train hello.yaml"


class Verbs(TyperGroup):
    """The verbs by name; only the one asked for is imported, which keeps `check` fast."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every verb, in the order that a newcomer needs them."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb's function from `runtime/cli/<verb>.py`, with errors told in words; None for no such verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"runtime.cli.{cmd_name}")
        if cmd_name not in BRIEF:
            collect_again()
        verb = getattr(module, cmd_name)
        single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_HELP_NAMES)
        single.command(cmd_name, help=_help_text(verb))(run_safely(verb))
        return typer.main.get_command(single)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As always, with a guess for a verb that does not exist."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            guess = did_you_mean(args[0], VERBS) or f"verbs: {', '.join(VERBS)}"
            ctx.fail(f"there is no verb `{args[0]}`; {guess}")
        return super().resolve_command(ctx, args)


def _help_text(verb: Callable[..., None]) -> str:
    """The docstring; its example keeps its line breaks (the mark that stops rewrapping is a form of its own)."""
    return inspect.cleandoc(verb.__doc__ or "").replace("Example:", "\b\nExample:")


app = typer.Typer(
    name="graphspec",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=_HELP_NAMES,
    help=_SUMMARY,
    epilog=_START,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"graphspec {version('graphspec')} (python {platform.python_version()}, torch {version('torch')})")
        raise typer.Exit()


@app.callback()
def graphspec(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print versions and stop.")
    ] = False,
) -> None:
    """What every verb shares: nothing but the version."""
