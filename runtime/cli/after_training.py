"""What `graphspec train` does after the last epoch: measure the test rows, draw the pictures, say where all is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from compiler.model.model import Model
    from runtime.data import PreparedData, Rows
    from runtime.runs.run_folder import Run

NO_TEST = "no test rows: nothing measured; `graphspec sweep SPEC --folds 5` tests every row that has a label once"


def measure(run: "Run", model: "Model", data: "PreparedData", *, test: bool = True) -> dict[str, Any] | None:
    """The test rows, once, with the selected weights: RUN/evaluation-test.json, as `graphspec evaluate` writes it.

    None without test rows, and where they are to be left alone."""
    from runtime.runs.records import write_object

    if not (test and len(data.test)):
        return None
    report = {"run": str(run.folder), "split": "test", "checkpoint": "best", "samples": 1, "seed": 0}
    report |= {"data": data.fingerprint, "same_data": True} | _measured(run, model, data, data.test)
    write_object(run.folder / "evaluation-test.json", report)
    return report


def shortcomings_of(run: "Run", model: "Model", data: "PreparedData", report: dict[str, Any] | None) -> list[str]:
    """What the model does not do, by the test rows if they are measured, else by the validation rows."""
    if report is None and not len(data.validation):
        return []
    found: list[str] = (report or _measured(run, model, data, data.validation))["warnings"]
    return found


def _measured(run: "Run", model: "Model", data: "PreparedData", rows: "Rows") -> dict[str, Any]:
    from runtime.measures.evaluation import measure as measured
    from runtime.measures.shortcomings import ChosenEpoch, TrainingRows, shortcomings
    from runtime.measures.temperature import add_calibration, badly_calibrated

    found = measured(model, rows, units=data.units, binarize=data.binarize, latents=True, training=data.training)
    report = found.report
    add_calibration(report, found.predictions, run.manifest())
    counts = {name: len(kept) for name, kept in data.label_rows.items()}
    for name, figures in report["variables"].items():
        figures["training_labels"] = counts[name]
    training = TrainingRows(len(data.training), len(data.labelled), counts)
    warnings = shortcomings(model.graphs, report, training, ChosenEpoch.of(run.manifest()))
    return report | {"warnings": [*warnings, *badly_calibrated(report)]}


def draw(run: "Run", model: "Model", data: "PreparedData") -> list[str]:
    """The default pictures; their paths."""
    from runtime.figures.defaults import default_figures

    return [str(path) for path in default_figures(model, data, run.figures)]


def gathered(
    run: "Run", report: dict[str, Any] | None, pictures: list[str], warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """What `--json` prints, and what `print_result` shows."""
    manifest = run.manifest()
    kept = {name: manifest[name] for name in ("status", "epochs", "best_epoch", "select", "wall_seconds")}
    speed = {name: manifest[name] for name in ("examples_per_second", "measured_steps", "time_shares")}
    profile = {"profile": str(run.folder / manifest["profile"])} if "profile" in manifest else {}
    return {
        "run": str(run.folder),
        **kept,
        **speed,
        **profile,
        "test": report,
        "warnings": list(warnings),
        "figures": pictures,
    }


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
        typer.echo("test rows not measured" if no_test else NO_TEST)
    else:
        _print_report(report)
    for warning in result["warnings"]:
        typer.echo(f"warning: {warning}")
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
        typer.echo(f"test error of {name}: {_error(figures)}")
    typer.echo(f"test elbo: {report['elbo']:.2f} nats per row")
    for note in report.get("notes", ()):
        typer.echo(f"note: {note}")


def _error(figures: dict[str, Any]) -> str:
    """In per cent with its interval, in degrees, or in data units; beside an answer that looks at nothing."""
    if "log_loss" in figures:
        elements = f"{figures['elements']} elements in " if "elements" in figures else ""
        low, high = (100 * bound for bound in figures["interval"])
        error = f"{100 * figures['error']:.2f} % of {elements}{figures['rows']} rows"
        constant = f"always {figures['majority']}" if "majority" in figures else "a constant answer"
        return f"{error} (95 % interval {low:.1f} to {high:.1f}; {constant}: {100 * figures['majority_error']:.2f} %)"
    if "angle_rms" in figures:
        return f"{figures['angle_rms']:.1f} degrees (root mean square; median {figures['angle_median']:.1f})"
    return (
        f"{figures['error']:.4g} (root mean square; median {figures['median_error']:.4g}; always the mean: "
        f"{figures['mean_error']:.4g})"
    )
