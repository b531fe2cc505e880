"""A run in a few lines of HTML: what a notebook shows of it. Nothing of it raises: a run may be half written."""

from html import escape
from typing import Any

from graphspec.diagnostics import SpecError
from runtime.errors import RunError
from runtime.runs.records import read_object
from runtime.runs.run_folder import Run, graphs_of


def run_card(run: Run) -> str:
    """Where it is, how far it came, its errors on test rows where they were measured, and its graphs."""
    try:
        manifest = run.manifest()
    except RunError as error:
        return f"<p>{escape(str(error))}</p>"
    lines = [("run", str(run.folder)), ("status", _status(manifest)), ("data", str(manifest.get("source", "")))]
    lines += [(f"test error of {name}", text) for name, text in _errors(run)]
    table = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in lines if text)
    return f"<table>{table}</table>{_drawing(run)}"


def _status(manifest: dict[str, Any]) -> str:
    epochs, asked = manifest.get("epochs"), manifest.get("epochs_asked")
    best = manifest.get("best_epoch")
    told = str(manifest.get("status", "unknown"))
    told += f", {epochs} of {asked} epochs" if epochs is not None else ""
    return told + (f", best by {manifest.get('select')}: {best}" if best is not None else "")


def _errors(run: Run) -> list[tuple[str, str]]:
    try:
        variables = read_object(run.folder / "evaluation-test.json").get("variables", {})
    except (OSError, RunError):
        return []
    found = {name: each for name, each in variables.items() if each.get("error") is not None}
    return [
        (name, f"{100 * each['error']:.2f} %" if "log_loss" in each else f"{each['error']:.4g} (root mean square)")
        for name, each in found.items()
    ]


def _drawing(run: Run) -> str:
    try:
        return graphs_of(run.resolved_file.read_text(encoding="utf-8"), str(run.resolved_file))._repr_svg_()
    except (OSError, UnicodeDecodeError, SpecError):
        return ""
