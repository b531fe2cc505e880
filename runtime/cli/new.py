"""`graphspec new`: a commented starter spec, from a template or from data."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import typer

from runtime.cli.common import fail

MOST_TOLD = 8
"""Columns left out are told on the screen up to so many."""


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the model; writes NAME.yaml.")] = "model",
    template: Annotated[
        Literal["m2", "vae", "label-below", "table"] | None,
        typer.Option(
            "--template",
            help="m2 (left out): a label and a style make an image. vae: no labels. label-below: the label is read "
            "from the style. table: columns of a .csv file.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATA", help="Write it for this .csv, .tsv or .parquet table, or folder of pictures."
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="COLUMN", help="With --from: a column to be predicted (repeatable)."),
    ] = None,
) -> None:
    """Write a commented starter spec: from a template, or from your own data with what was assumed beside each line.

    Example:  graphspec new digits-m2 --template m2
              graphspec new mine --from people.csv --label diagnosis
    """
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem):
        raise typer.BadParameter(f"{path.stem!r} is no name: letters, digits, `.`, `_`, `-`", param_hint="NAME")
    if source is not None and template is not None:
        fail("--template and --from are two ways to begin", "leave one of them out")
    if source is None and label:
        fail("--label names a column of the data that --from gives", "add --from DATA")
    text = _from_template(path.stem, template or "m2") if source is None else _from_data(path, source, label or [])
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        fail(f"{path} is already there and stays as it is", "choose another name, or remove the file first")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", "give a name in a folder that exists")
    for told in _left_out(text):
        typer.echo(told)
    typer.echo(f"wrote {path}\nnext:  graphspec check {path}   and   graphspec train {path}")


def _left_out(text: str) -> list[str]:
    """Columns that the draft's header says it leaves out; of many the first."""
    found = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# left out: ")]
    more = [f"and {len(found) - MOST_TOLD} more, named in the draft's first lines"]
    return found if len(found) <= MOST_TOLD else [*found[:MOST_TOLD], *more]


def _from_template(name: str, template: str) -> str:
    return files("runtime").joinpath("templates", f"{template}.yaml").read_text(encoding="utf-8").replace("NAME", name)


def _from_data(path: Path, source: str, labels: list[str]) -> str:
    """The text for a table or a folder, found to be a spec that can be trained; else what is wrong with the data."""
    from graphspec.drafting import draft_from
    from graphspec.headers import SourceError
    from graphspec.loading import check_file
    from runtime.cli.common import print_diagnostics

    try:
        text = draft_from(path.stem, source, labels)
    except SourceError as error:
        fail(error.message, error.hint)
    except ValueError as error:
        fail(f"{source}: {error}", "graphspec data " + source + "  shows its columns")
    found = check_file(str(path), text=text)
    if found:
        print_diagnostics(found)
    return text
