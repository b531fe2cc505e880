"""A run in a few lines of HTML: what a notebook shows of it. Nothing of it raises: a run may be half written."""

from html import escape

from graphspec.diagnostics import SpecError
from runtime.errors import RunError
from runtime.runs.records import read_object
from runtime.runs.run_folder import Run, graphs_of
from runtime.runs.run_words import error_words, status_words


def run_card(run: Run) -> str:
    """Where it is, how far it came, its errors on test rows where they were measured, and its graphs."""
    try:
        manifest = run.manifest()
    except RunError as error:
        return f"<p>{escape(str(error))}</p>"
    lines = [("run", str(run.folder)), ("status", status_words(manifest)), ("data", str(manifest.get("source", "")))]
    lines += [(f"test error of {name}", text) for name, text in _errors(run)]
    table = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in lines if text)
    return f"<table>{table}</table>{_drawing(run)}"


def _errors(run: Run) -> list[tuple[str, str]]:
    try:
        variables = read_object(run.folder / "evaluation-test.json").get("variables", {})
    except (OSError, RunError):
        return []
    return [(name, words.error) for name, words in error_words(variables).items()]


def _drawing(run: Run) -> str:
    try:
        return graphs_of(run.resolved_file.read_text(encoding="utf-8"), str(run.resolved_file))._repr_svg_()
    except (OSError, UnicodeDecodeError, SpecError):
        return ""
