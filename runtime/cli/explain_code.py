"""`graphspec explain GS012`: what a diagnostic means and how to mend it."""

from textwrap import fill

import typer

from graphspec.codes import CODES
from graphspec.reading.suggestions import did_you_mean


def explain_code(code: str) -> None:
    """Print title and explanation of a diagnostic's code; an unknown code is a usage error (exit 2)."""
    typer.echo(explanation_of(code))


def explanation_of(code: str) -> str:
    """Title and explanation as text. Raises typer.BadParameter for a code that is none."""
    entry = CODES.get(code.upper())
    if entry is None:
        guess = did_you_mean(code.upper(), CODES)
        raise typer.BadParameter(f"there is no diagnostic {code}; {guess or 'codes run from GS001 to GS119'}")
    paragraphs = [_wrapped(paragraph) for paragraph in entry.explanation.split("\n\n")]
    return "\n\n".join([f"{code.upper()}: {entry.title}", *paragraphs])


def _wrapped(paragraph: str) -> str:
    """Prose at a width that reads well; examples, which are indented, as they stand."""
    return paragraph if paragraph.startswith(" ") else fill(paragraph, 100, break_long_words=False)
