"""`graphspec evaluate`: how good a run is on rows it was not trained on."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, JsonOption, RunArgument, console, print_json, tell
from runtime.cli.disentanglement_report import MetricsOption, chosen_metrics
from runtime.cli.run_options import ByOption, CheckpointOption, Opened, SeedOption, SplitOption, open_for_questions

FEWEST_ANSWERS = 40
"""Fewer say nothing about how often they are right."""

if TYPE_CHECKING:
    from runtime.data import Rows
    from runtime.measures.label_figures import Prediction
    from runtime.measures.wrong_answers import WrongAnswer


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
    checks: Annotated[
        bool,
        typer.Option(
            "--checks",
            help="Also hold draws from p against the rows, column by column, in pairs and by class, and count how much "
            "of them 90 % intervals hold.",
        ),
    ] = False,
    metrics: MetricsOption = "all",
    by: ByOption = None,
    json_output: JsonOption = False,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Measure a run: the error of each supervised variable and the bound, with every label hidden.

    Example:  graphspec evaluate runs/digits --split test --json

    `elbo` is the mean over rows in nats, beta 1. `error` is the share of wrong labels, or the root mean square in data
    units where a variable is not discrete. Inferred values of all hidden variables are held against the columns under
    `data.factors` and the labels (MIG, DCI and others, in some seconds). A label of finitely many values is answered
    by q, by the bound with each of its values held, and by the mean of both: `--by` asks for one, else `error` is of
    the one that the spec says (`objective.answers`). The report is also written to
    RUN/evaluation-SPLIT.json, every wrong answer (by file name or row, the surest first) to RUN/wrong-SPLIT.csv, and
    confusion matrices to RUN/figures.
    """
    from runtime.cli.evaluation_tables import print_report, print_wrong
    from runtime.measures.evaluation import measure
    from runtime.measures.shortcomings import ChosenEpoch, TrainingRows, shortcomings
    from runtime.measures.temperature import add_calibration, badly_calibrated
    from runtime.measures.wrong_answers import wrong_answers

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
        latents=True,
        training=opened.data.training,
        by=by,
        compared=by is None,
    )
    manifest = opened.run.manifest()
    labelled = manifest.get("labelled") or {}
    counts = {name: len(kept) for name, kept in labelled.items()}
    for name, figures in found.report["variables"].items():
        figures["training_labels"] = counts.get(name, 0)
    report = {"run": str(run), "split": split, "checkpoint": checkpoint, "samples": samples, "seed": seed}
    report |= {"data": opened.data.fingerprint, "same_data": not opened.data_changed} | found.report
    training = TrainingRows(len(opened.data.training), len(set().union(*labelled.values())), counts)
    chosen = ChosenEpoch.of(manifest) if checkpoint == "best" else None
    add_calibration(found.report, found.predictions, manifest if checkpoint == "best" and by is None else {})
    warnings = shortcomings(opened.model.graphs, found.report, training, chosen)
    report["warnings"] = [*warnings, *badly_calibrated(found.report)]
    if checks:
        report["checks"] = _checks(opened, rows, seed, dict(found.predictions))
    if interventions:
        report |= _interventions(opened, rows, seed)
    name = split if not opened.data_changed else f"{split}-{opened.data.fingerprint[:8]}"
    wrong = wrong_answers(found.predictions, lambda row: opened.data.called(int(rows.source[row])))
    files = [_write_report(opened, name, report), *_write_wrong(opened, name, wrong)]
    files += [path for label, p in found.predictions.items() if (path := _draw_confusion(opened, label, p, name))]
    files += [_draw_reliability(opened, label, p, name, report) for label, p in found.predictions.items() if _told(p)]
    if json_output:
        print_json(report)
        return
    print_report(report)
    print_wrong(wrong)
    for path in files:
        console.print(str(path), highlight=False, markup=False, soft_wrap=True)


def _checks(opened: Opened, rows: "Rows", seed: int, predictions: "dict[str, Prediction]") -> dict[str, Any]:
    from runtime.criticism.checks import check_rows
    from runtime.criticism.logistic_beside import logistic_beside, worse_calibrated
    from runtime.errors import DataError
    from runtime.predicting.used_run import use_model

    if not len(rows):
        raise DataError("--checks: this split has no rows", "name another: --split validation")
    found = check_rows(use_model(opened.run, opened.model, opened.data_dir), rows, seed)
    beside = logistic_beside(opened.model.graphs, opened.data, rows, predictions)
    return found | {"logistic": beside, "notes": [*found["notes"], *worse_calibrated(beside)]}


def _interventions(opened: Opened, rows: "Rows", seed: int) -> dict[str, Any]:
    from runtime.probing.measuring import measure_interventions

    return measure_interventions(
        opened.model,
        rows,
        data_dir=opened.data_dir,
        spec_path=opened.run.spec_path,
        seed=seed,
        tell=tell,
        earlier=opened.earlier,
    )


def _write_report(opened: Opened, name: str, report: dict[str, Any]) -> Path:
    """RUN/evaluation-NAME.json; an earlier report of the same rows is replaced, any other file is not."""
    from runtime.errors import RunError
    from runtime.runs.records import read_object, write_object

    path = opened.run.folder / f"evaluation-{name}.json"
    try:
        ours = not path.exists() or "elbo" in read_object(path)
    except RunError:
        ours = False
    if not ours:
        raise RunError(f"{path} is not a report of `evaluate`", "move that file away")
    write_object(path, report)
    return path


def _write_wrong(opened: Opened, name: str, wrong: "list[WrongAnswer]") -> "list[Path]":
    """RUN/wrong-NAME.csv, a line for each wrong answer; none where no label has classes."""
    from runtime.measures.wrong_answers import HEADER
    from runtime.runs.atomic_files import replacing

    graphs = opened.model.graphs
    if all(graphs.variables[label].support is None for label in graphs.supervised):
        return []
    path = opened.run.folder / f"wrong-{name}.csv"
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(each.cells for each in wrong)
    return [path]


def _told(prediction: "Prediction") -> bool:
    """There are enough answers to see how often they are right."""
    return prediction.probabilities is not None and len(prediction.labels) >= FEWEST_ANSWERS


def _draw_reliability(opened: Opened, label: str, prediction: "Prediction", name: str, report: dict[str, Any]) -> Path:
    """RUN/figures/reliability-LABEL-NAME.png, at the run's temperature beside the model's own."""
    from runtime.figures.reliability import draw_reliability
    from runtime.measures.temperature import tempered

    assert prediction.probabilities is not None
    figures = report["variables"][label]
    ways = {f"the model's own (calibration error {figures['calibration']:.3f})": prediction.probabilities}
    own = figures.get("calibrated")
    if own is not None and own["used"]:
        called = f"temperature {own['temperature']:.2f} ({own['calibration']:.3f})"
        ways[called] = tempered(prediction.probabilities, own["temperature"])
    path = opened.run.figures / f"reliability-{label}-{name}.png"
    draw_reliability(ways, prediction.labels, path, f"{label} on {prediction.rows} {name} rows")
    return path


def _draw_confusion(opened: Opened, label: str, prediction: "Prediction", name: str) -> Path | None:
    """RUN/figures/confusion-LABEL-NAME.png for a variable of few values; None for any other."""
    from runtime.figures.confusion import MOST_CLASSES, draw_confusion
    from runtime.measures.metrics import confusion

    names = prediction.variable.value_names
    if len(names) > MOST_CLASSES or prediction.probabilities is None or not prediction.rows:
        return None
    table = confusion(prediction.values, prediction.labels, len(names))
    path = opened.run.figures / f"confusion-{label}-{name}.png"
    wrong = int(table.sum() - table.trace())
    draw_confusion(table, names, path, f"{label} on {name} rows: {wrong} of {table.sum()} wrong")
    return path
