"""`graphspec explain`: the derived objective of a spec, or what a diagnostic's code means."""

import re
from typing import Annotated, Literal

import typer

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
        from runtime.cli.explain_code import explain_code

        explain_code(subject.upper())
        return
    from compiler.symbolic.explanation import explain as derive_explanation
    from compiler.symbolic.explanation_text import as_json, as_latex, as_text
    from graphspec.describe.not_yet import refuse_not_yet
    from graphspec.loading import load

    graphs = load(subject, overrides or ())
    refuse_not_yet(graphs)
    explanation = derive_explanation(graphs)
    if output == "json":
        print_json(as_json(explanation))
    else:
        typer.echo(as_latex(explanation) if output == "latex" else as_text(explanation))
