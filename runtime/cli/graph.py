"""`graphspec graph`: both graphs of a spec as a picture."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from graphspec.drawing import SUFFIXES, DrawingFormat, draw
from graphspec.loading import load
from graphspec.reading.suggestions import did_you_mean
from runtime.cli.common import DataDirOption, SetOption, SpecArgument, console, print_diagnostics
from runtime.runs.atomic_files import write_bytes
from runtime.runs.protected import refuse_foreign, refuse_users_own

OutputOption = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help=f"Write the picture here; the suffix says how: {' '.join(SUFFIXES)}."
    ),
]
FormatOption = Annotated[
    DrawingFormat | None, typer.Option("--format", help="The format, where the suffix does not say it.")
]


def graph(
    spec: SpecArgument,
    output: OutputOption = None,
    form: FormatOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Draw the generative and the recognition graph side by side; without -o, as text in the terminal.

    Grey is observed, half-grey is supervised, white is latent, a square is deterministic.

    Example:  graphspec graph specs/mnist-m2.yaml -o m2.svg
              graphspec graph specs/mnist-m2.yaml
    """
    chosen = form or _format_of(output)
    if output is None and chosen in ("png", "pdf") and sys.stdout.isatty():
        raise typer.BadParameter(f"{chosen} is not for a terminal: add -o FILE.{chosen}", param_hint="--format")
    graphs = load(spec, overrides or (), data_dir=data_dir)
    print_diagnostics(graphs.warnings, error=True)
    drawn = draw(graphs, chosen, width=console.width)
    if output is not None:
        refuse_users_own(output, graphs, Path(spec), data_dir)
        refuse_foreign(output)
        write_bytes(output, drawn, make_folder=False)
        typer.echo(f"wrote {output}", err=True)
    elif chosen in ("png", "pdf"):
        sys.stdout.buffer.write(drawn)
    else:
        encoding = sys.stdout.encoding or "utf-8"
        typer.echo(drawn.decode().encode(encoding, "replace").decode(encoding), nl=False)


def _format_of(output: Path | None) -> DrawingFormat:
    """The format that the file's suffix names; a usage error lists the known ones."""
    if output is None:
        return "text"
    suffix = output.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    known = ", ".join(SUFFIXES)
    found = f"`{output.suffix}` is no picture format" if suffix else f"`{output}` has no suffix"
    guess = did_you_mean(suffix, list(SUFFIXES)) if suffix else ""
    raise typer.BadParameter(f"{found}; known: {known}" + (f" ({guess})" if guess else ""), param_hint="-o")
