"""`graphspec explain`: the derived objective of a spec, or what a diagnostic's code means."""

import re
from textwrap import fill
from typing import Annotated, Literal

import typer

from graphspec.codes import CODES
from graphspec.reading.suggestions import did_you_mean
from runtime.cli.common import DataDirOption, SetOption, print_json

CODE = re.compile(r"^GS\d{3}$", re.IGNORECASE)


def explain(
    subject: Annotated[str, typer.Argument(metavar="SPEC|CODE", help="A spec (path or -), or a code such as GS031.")],
    output: Annotated[
        Literal["text", "latex", "json"], typer.Option("--format", help="text, latex (a whole document) or json.")
    ] = "text",
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Print the objective that the compiler derives: per pattern of labels the bound, estimators, reasons and cost.

    Example:  graphspec explain specs/mnist-m2.yaml
              graphspec explain GS031
    """
    if CODE.match(subject):
        typer.echo(explanation_of(subject))
        return
    from compiler.symbolic.explanation import explain as derive_explanation
    from compiler.symbolic.explanation_text import as_json, as_latex, as_text
    from graphspec.loading import load

    graphs = load(subject, overrides or (), data_dir=data_dir)
    explanation = derive_explanation(graphs)
    if output == "json":
        print_json(as_json(explanation))
    else:
        typer.echo(as_latex(explanation) if output == "latex" else as_text(explanation))


def explanation_of(code: str) -> str:
    """Title and explanation of a diagnostic. Raises typer.BadParameter (exit 2) for a code that is none."""
    entry = CODES.get(code.upper())
    if entry is None:
        guess = did_you_mean(code.upper(), CODES)
        raise typer.BadParameter(
            f"there is no diagnostic {code}; {guess or 'codes run from {min(CODES)} to {max(CODES)}'}"
        )
    paragraphs = [_wrapped(paragraph) for paragraph in entry.explanation.split("\n\n")]
    return "\n\n".join([f"{code.upper()}: {entry.title}", *paragraphs])


def _wrapped(paragraph: str) -> str:
    """Prose at a width that reads well; examples, which are indented, as they stand."""
    return paragraph if paragraph.startswith(" ") else fill(paragraph, 100, break_long_words=False)
