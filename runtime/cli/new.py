"""`graphspec new`: a commented starter spec."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import typer

from runtime.cli.common import fail


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the model; writes NAME.yaml.")] = "model",
    template: Annotated[
        Literal["m2", "vae", "label-below", "table"],
        typer.Option(
            "--template",
            help="m2: a label and a style make an image. vae: no labels. label-below: the label is read from the "
            "style. table: columns of a .csv file.",
        ),
    ] = "m2",
) -> None:
    """Write a commented starter spec.

    Example:  graphspec new digits-m2 --template m2
    """
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem):
        raise typer.BadParameter(f"{path.stem!r} is no name: letters, digits, `.`, `_`, `-`", param_hint="NAME")
    text = files("runtime").joinpath("templates", f"{template}.yaml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text.replace("NAME", path.stem))
    except FileExistsError:
        fail(f"{path} is already there and stays as it is", "choose another name, or remove the file first")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", "give a name in a folder that exists")
    typer.echo(f"wrote {path}\nnext:  graphspec check {path}   and   graphspec train {path}")
