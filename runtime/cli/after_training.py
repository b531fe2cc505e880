"""What `graphspec train` does after the last epoch: measure the test rows, draw the pictures, say where all is."""

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from compiler.model.model import Model
    from runtime.data import PreparedData
    from runtime.runs.run_folder import Run


def measure(run: "Run", model: "Model", data: "PreparedData") -> dict[str, Any] | None:
    """The test rows, once, with the selected weights: RUN/evaluation-test.json, as `graphspec evaluate` writes it."""
    from runtime.measures.evaluation import evaluate_rows
    from runtime.runs.checkpoints import write_text
    from runtime.runs.records import finite

    if not len(data.test):
        return None
    found = evaluate_rows(model, data.test, units=data.units, binarize=data.binarize)
    report = {"run": str(run.folder), "split": "test", "checkpoint": "best", "samples": 1, "seed": 0, **found}
    for name, figures in report["variables"].items():
        figures["training_labels"] = len(data.label_rows[name])
    write_text(run.folder / "evaluation-test.json", json.dumps(finite(report), indent=1, ensure_ascii=False) + "\n")
    return report


def draw(run: "Run", model: "Model", data: "PreparedData") -> list[str]:
    """The default pictures; their paths."""
    from runtime.figures.defaults import default_figures

    return [str(path) for path in default_figures(model, data, run.figures)]


def gathered(run: "Run", report: dict[str, Any] | None, pictures: list[str]) -> dict[str, Any]:
    """What `--json` prints, and what `print_result` shows."""
    manifest = run.manifest()
    kept = {name: manifest[name] for name in ("status", "epochs", "best_epoch", "select", "wall_seconds")}
    speed = {name: manifest[name] for name in ("examples_per_second", "measured_steps", "time_shares")}
    profile = {"profile": str(run.folder / manifest["profile"])} if "profile" in manifest else {}
    return {"run": str(run.folder), **kept, **speed, **profile, "test": report, "figures": pictures}


def print_result(result: dict[str, Any], no_test: bool) -> None:
    """The small table at the end."""
    from runtime.training.speed.timing import describe_speed

    chosen = (
        "" if result["select"] == "last" else f", best by {result['select']} on validation rows: {result['best_epoch']}"
    )
    typer.echo(f"\n{result['epochs']} epochs in {result['wall_seconds']:.0f} s{chosen}")
    typer.echo(describe_speed(result["examples_per_second"], result["time_shares"]))
    report = result["test"]
    if report is None:
        typer.echo("test rows not measured" if no_test else "no test rows: nothing measured")
    else:
        _print_report(report)
    typer.echo(f"run        {result['run']}")
    if "profile" in result:
        typer.echo(f"profile    {result['profile']}")
    for index, path in enumerate(result["figures"]):
        typer.echo(f"{'pictures' if index == 0 else '':<10} {path}")


def _print_report(report: dict[str, Any]) -> None:
    for name, figures in report["variables"].items():
        if figures.get("error") is None:
            typer.echo(f"test error of {name}: no test row has this label")
            continue
        error = f"{figures['error']:.4g} (root mean square)"
        if "log_loss" in figures:
            elements = f"{figures['elements']} elements in " if "elements" in figures else ""
            low, high = (100 * bound for bound in figures["interval"])
            error = f"{100 * figures['error']:.2f} % of {elements}{figures['rows']} rows"
            error += f" (95 % interval {low:.1f} to {high:.1f})"
        typer.echo(f"test error of {name}: {error}")
    typer.echo(f"test elbo: {report['elbo']:.2f} nats per row")
    for note in report.get("notes", ()):
        typer.echo(f"note: {note}")
