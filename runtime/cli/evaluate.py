"""`graphspec evaluate`: how good a run is on rows it was not trained on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, JsonOption, RunArgument, console, print_json, tell
from runtime.cli.disentanglement_report import MetricsOption, chosen_metrics, print_disentanglement
from runtime.cli.run_options import CheckpointOption, Opened, SeedOption, SplitOption, open_for_questions

if TYPE_CHECKING:
    from runtime.data import Rows
    from runtime.measures.evaluation import Prediction


def evaluate(
    run: RunArgument,
    split: SplitOption = "test",
    samples: Annotated[
        int, typer.Option("--samples", min=1, metavar="S", help="Joint samples of the hidden variables per row.")
    ] = 1,
    seed: SeedOption = 0,
    interventions: Annotated[
        bool,
        typer.Option(
            "--interventions",
            help="Also set each discrete label, generate, and let a classifier trained on real rows read the result; "
            "and measure how well latents give labels away. Trains that classifier once a data set: minutes.",
        ),
    ] = False,
    metrics: MetricsOption = "all",
    json_output: JsonOption = False,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Measure a run: the error of each supervised variable and the bound, with every label hidden.

    Example:  graphspec evaluate runs/digits --split test --json

    `elbo` is the mean over rows in nats, beta 1. `error` is the share of wrong labels, or the root mean square in data
    units where a variable is not discrete. Inferred values of all hidden variables are held against the columns under
    `data.factors` and the labels (MIG, DCI and others, in some seconds). The report is also written to
    RUN/evaluation-SPLIT.json, and confusion matrices to RUN/figures.
    """
    from runtime.measures.evaluation import measure

    wanted = chosen_metrics(metrics)
    opened = open_for_questions(run, checkpoint, data_dir, allow_python)
    rows = opened.rows(split)
    found = measure(
        opened.model,
        rows,
        samples=samples,
        seed=seed,
        units=opened.data.units,
        binarize=opened.data.binarize,
        disentanglement=wanted,
    )
    labelled = opened.run.manifest().get("labelled") or {}
    for name, figures in found.report["variables"].items():
        figures["training_labels"] = len(labelled.get(name, ()))
    report = {"run": str(run), "split": split, "checkpoint": checkpoint, "samples": samples, "seed": seed}
    report |= found.report
    if interventions:
        report |= _interventions(opened, rows, seed)
    files = [_write_report(opened, split, report)]
    files += [path for name, p in found.predictions.items() if (path := _draw_confusion(opened, name, p, split))]
    if json_output:
        print_json(report)
        return
    _print_report(report)
    for path in files:
        console.print(str(path), highlight=False, markup=False, soft_wrap=True)


def _interventions(opened: Opened, rows: "Rows", seed: int) -> dict[str, Any]:
    from runtime.probing.measuring import measure_interventions

    return measure_interventions(
        opened.model, rows, data_dir=opened.data_dir, spec_path=opened.run.spec_path, seed=seed, tell=tell
    )


def _write_report(opened: Opened, split: str, report: dict[str, Any]) -> Path:
    """RUN/evaluation-SPLIT.json; an earlier report of the same split is replaced, any other file is not."""
    from runtime.errors import RunError

    path = opened.run.folder / f"evaluation-{split}.json"
    try:
        if path.exists() and "elbo" not in json.loads(path.read_text(encoding="utf-8")):
            raise ValueError
    except (ValueError, TypeError):
        raise RunError(f"{path} is not a report of `evaluate`", "move that file away") from None
    try:
        path.write_text(json.dumps(_plain(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}", "the run folder must be writable") from None
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and value - value != 0 else value


def _draw_confusion(opened: Opened, name: str, prediction: "Prediction", split: str) -> Path | None:
    """RUN/figures/confusion-NAME-SPLIT.png for a variable of few values; None for any other."""
    from runtime.answering.panels import finite_values, value_name
    from runtime.figures.confusion import MOST_CLASSES, draw_confusion
    from runtime.measures.metrics import confusion

    variable = prediction.variable
    values = finite_values(variable)
    if values is None or len(values) > MOST_CLASSES or prediction.probabilities is None or not prediction.rows:
        return None
    table = confusion(prediction.values, prediction.labels, len(values))
    path = opened.run.figures / f"confusion-{name}-{split}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [value_name(variable, float(value)) for value in values]
    wrong = int(table.sum() - table.trace())
    draw_confusion(table, names, path, f"{name} on {split} rows: {wrong} of {table.sum()} wrong")
    return path


def _print_report(report: dict[str, Any]) -> None:
    from rich.table import Table

    elbo = "not a number" if report["elbo"] != report["elbo"] else f"{report['elbo']:.3f} nats a row"
    console.print(f"{report['run']}: {report['rows']} {report['split']} rows, elbo {elbo}", highlight=False)
    if report["variables"]:
        table = Table("variable", "error", "95 % interval", "log loss", "calibration", "rows", "training labels")
        for name, figures in report["variables"].items():
            table.add_row(
                name,
                _figure(figures, "error"),
                _interval(figures),
                *(_figure(figures, key) for key in ("log_loss", "calibration")),
                f"{figures['rows']} ({figures['elements']} elements)"
                if "elements" in figures
                else str(figures["rows"]),
                str(figures["training_labels"]),
            )
        console.print(table)
    if "disentanglement" in report:
        print_disentanglement(report["disentanglement"])
    if "interventions" in report:
        print_interventions(report)
    for note in report["notes"]:
        console.print(f"note: {note}", highlight=False, markup=False)


def _interval(figures: dict[str, Any]) -> str:
    return " to ".join(f"{100 * bound:.1f}" for bound in figures["interval"]) + " %" if "interval" in figures else "-"


def _figure(figures: dict[str, Any], key: str) -> str:
    value = figures.get(key)
    if value is None:
        return "-"
    return f"{value:.4f} ({100 * value:.2f} %)" if key == "error" and "log_loss" in figures else f"{value:.4f}"


def print_interventions(report: dict[str, Any]) -> None:
    """A table of interventions with the instrument's own error beside them, and one of leakage."""
    from rich.table import Table

    from runtime.cli.common import console

    if report["interventions"]:
        table = Table("set", "read as set", "styles of rows", "worst value", "instrument's error", "read from")
        for name, figures in report["interventions"].items():
            worst, share = min(figures["per_class"].items(), key=lambda entry: entry[1])
            table.add_row(
                name,
                _percent(figures["accuracy"]),
                _percent(figures["inferred"]["accuracy"]),
                f"{worst}: {_percent(share)}",
                _percent(figures["instrument_error"]),
                ", ".join(figures["read_from"]),
            )
        console.print(table)
        console.print(
            "The instrument is a separate classifier, trained on real training rows with every label the source has: "
            "it measures, and no model is compared with it. Styles: drawn from p; inferred from rows of the split.",
            highlight=False,
        )
    if report["leakage"]:
        table = Table("label", "read from", "means of it", "draws of it", "chance", "folds")
        for name, latents in report["leakage"].items():
            for latent, figures in latents.items():
                table.add_row(name, latent, *_leak(figures))
        console.print(table)
    if not report["interventions"]:
        console.print("no discrete supervised variable has an observed variable below it in p: nothing to set")


def _leak(figures: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if figures is None:
        return ("-", "-", "-", "-")
    means, draws = (
        f"{_percent(found['accuracy'])} ± {_percent(found['std'])}" for found in (figures, figures["draws"])
    )
    return (means, draws, _percent(figures["chance"]), str(figures["folds"]))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
