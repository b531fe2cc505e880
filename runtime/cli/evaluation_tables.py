"""`graphspec evaluate`: its report as tables, each narrow enough for eighty columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from runtime.cli.common import console
from runtime.cli.disentanglement_report import print_disentanglement

if TYPE_CHECKING:
    from runtime.measures.wrong_answers import WrongAnswer

MOST_WRONG_SHOWN = 5
MOST_LINES = 20
"""Classes of one label that the table shows: beyond that, the ones that are found worst."""


def print_report(report: dict[str, Any]) -> None:
    """Labels, classes, numbers, latents, codes and interventions, as far as the report has them; notes last."""
    elbo = "not a number" if report["elbo"] != report["elbo"] else f"{report['elbo']:.3f} nats a row"
    each = ", ".join(f"{nats:.3f} an element of {plate}" for plate, nats in report.get("elbo_per_element", {}).items())
    elbo += f" ({each})" if each else ""
    console.print(f"{report['run']}: {report['rows']} {report['split']} rows, elbo {elbo}", highlight=False)
    for name, figures in report["variables"].items():
        if figures["error"] is None:
            console.print(f"{name}: no {report['split']} row has this label", highlight=False)
    measured = {name: figures for name, figures in report["variables"].items() if figures["error"] is not None}
    _print_classes({name: figures for name, figures in measured.items() if "log_loss" in figures})
    _print_numbers({name: figures for name, figures in measured.items() if "rmse" in figures})
    _print_angles({name: figures for name, figures in measured.items() if "angle_rms" in figures})
    for name, figures in measured.items():
        if "sets_right" in figures:
            share = _percent(figures["sets_right"])
            console.print(
                f"{name}: all labels are right, as a set, in {share} of {figures['rows']} rows", highlight=False
            )
    _print_latents(report.get("latents", {}))
    if "disentanglement" in report:
        print_disentanglement(report["disentanglement"])
    if "checks" in report:
        _print_checks(report["checks"])
    if "interventions" in report:
        print_interventions(report)
    for kind in ("note", "warning"):
        for text in report.get(f"{kind}s", ()):
            console.print(f"{kind}: {text}", highlight=False, markup=False)


def print_wrong(wrong: "Sequence[WrongAnswer]") -> None:
    """The surest mistakes; the file has all."""
    table = Table("wrong", "label", "true", "said", "probability")
    for each in wrong[:MOST_WRONG_SHOWN]:
        table.add_row(*map(Text, (each.name, each.label, each.true, each.said, f"{each.probability:.3f}")))
    _show(table)
    if len(wrong) > MOST_WRONG_SHOWN:
        console.print(
            f"The surest {MOST_WRONG_SHOWN} of {len(wrong)} wrong answers; the file has all.", highlight=False
        )


def _print_classes(labels: dict[str, Any]) -> None:
    table = Table("label", "error", "95 % interval", "constant answer", "rows", "training labels")
    further = Table("label", "balanced error", "macro F1", "AUC", "log loss", "calibration")
    for name, figures in labels.items():
        constant = _percent(figures["majority_error"]) + (f" ({figures['majority']})" if "majority" in figures else "")
        shown = (_percent(figures["error"]), _interval(figures), constant, _rows(figures))
        table.add_row(name, *shown, str(figures["training_labels"]))
        others = (_figure(figures.get(key)) for key in ("macro_f1", "auc", "log_loss", "calibration"))
        further.add_row(name, _percent(figures["balanced_error"]), *others)
    _show(table)
    _show(further)
    _print_ways(labels)
    _print_temperatures(labels)
    for name, figures in labels.items():
        if "classes" in figures:
            _print_each_class(name, figures)


def _print_ways(labels: dict[str, Any]) -> None:
    """What each way of answering a label is worth; an asterisk where the figures above are by it."""
    table = Table("label", "answered by", "error", "log loss", "calibration")
    for name, figures in labels.items():
        for way, found in figures.get("answers", {}).items():
            mark = " *" if way == figures["by"] else ""
            others = (_figure(found[key]) for key in ("log_loss", "calibration"))
            table.add_row(name, way + mark, _percent(found["error"]), *others)
    _show(table)


def _print_temperatures(labels: dict[str, Any]) -> None:
    """What the temperature of a run does to its probabilities, and on how many validation rows it was fitted."""
    table = Table("label", "temperature", "fitted on", "used", "log loss", "calibration", "by chance up to")
    for name, figures in labels.items():
        own = figures.get("calibrated")
        if own is None:
            continue
        ends = [f"{_figure(figures[key])} -> {_figure(own[key])}" for key in ("log_loss", "calibration")]
        used = "yes" if own["used"] else "no: within chance"
        table.add_row(name, f"{own['temperature']:.2f}", f"{own['fitted_on']} rows", used, *ends,
                      _figure(own["calibration_chance"]))  # fmt: skip
    _show(table)


def _print_checks(checks: dict[str, Any]) -> None:
    """Draws beside rows, the farthest columns first; pairs; columns by class; what intervals hold; what is off."""
    columns = Table("draws of", "distance", "5 to 95 %", "by chance up to", "rows", "draws")
    for each in sorted(checks["columns"], key=lambda found: found["chance"] - found["distance"])[:MOST_LINES]:
        ends = [f"{mean:.4g} ± {spread:.3g}" for mean, spread in (each[k] for k in ("rows", "draws") if k in each)]
        shown = (f"{each['distance']:.3f}", _ends(each["interval"]), f"{each['chance']:.3f}")
        columns.add_row(each["column"] + (" *" if each["off"] else ""), *shown, *(ends or ["-", "-"]))
    _show(columns)
    pairs = Table("pair", "correlation in rows", "in draws", "5 to 95 %")
    for each in checks["pairs"]:
        shown = (f"{each['rows']:.2f}", f"{each['draws']:.2f}", _ends(each["interval"]))
        pairs.add_row(", ".join(each["pair"]) + (" *" if each["off"] else ""), *shown)
    _show(pairs)
    classes = Table("within class", "draws of", "distance", "5 to 95 %", "by chance up to")
    for each in sorted(checks["by_class"], key=lambda found: -found["distance"])[:MOST_LINES]:
        shown = (f"{each['distance']:.3f}", _ends(each["interval"]), f"{each['chance']:.3f}")
        classes.add_row(f"{each['label']}={each['class']}", each["column"], *shown)
    _show(classes)
    intervals = Table("90 % intervals of", "what they are of", "hold", "95 % interval", "cells", "worst columns")
    for each in checks["intervals"]:
        worst = ", ".join(f"{name} {100 * share:.0f} %" for name, share in each.get("worst", {}).items())
        name = each["name"] + (" *" if each["off"] else "")
        shown = (_percent(each["holds"]), _interval(each), str(each["cells"]))
        intervals.add_row(name, each["of"], *shown, worst or "-")
    _show(intervals)
    for text in (*checks["notes"], *(f"check: {told}" for told in checks["warnings"])):
        console.print(text, highlight=False, markup=False)


def _ends(interval: list[float]) -> str:
    return " to ".join(f"{bound:.2f}" for bound in interval)


def _print_each_class(name: str, figures: dict[str, Any]) -> None:
    classes = figures["classes"]
    worst = sorted(classes, key=lambda each: (classes[each]["recall"] is None, classes[each]["recall"] or 0.0))
    shown = [each for each in classes if each in worst[:MOST_LINES]]
    title = f"{name}, class" if len(shown) == len(classes) else f"{name}, the {len(shown)} classes found worst"
    table = Table(title, "rows", "recall", "precision", "mostly taken for")
    for each in shown:
        found = classes[each]
        recall, precision = (_percent(found[key]) for key in ("recall", "precision"))
        table.add_row(each, str(found["rows"]), recall, precision, _taken_for(each, figures))
    console.print(table)


def _taken_for(name: str, figures: dict[str, Any]) -> str:
    """The class that most wrong answers about this one name, and how often."""
    names = list(figures["classes"])
    counts = list(figures.get("confusion", [[]] * len(names))[names.index(name)])
    if counts:
        counts[names.index(name)] = 0
    most = max(counts, default=0)
    return f"{names[counts.index(most)]} ({most})" if most else "-"


def _print_numbers(labels: dict[str, Any]) -> None:
    table = Table("label", "RMSE", "MAE", "median", "R2", "constant answer", "rows", "training labels")
    for name, figures in labels.items():
        shown = (_number(figures[key]) for key in ("rmse", "mae", "median_error"))
        r2 = "-" if figures["r2"] is None else f"{figures['r2']:.3f}"
        constant = _number(figures["mean_error"])
        table.add_row(name, *shown, r2, constant, _rows(figures), str(figures["training_labels"]))
    _show(table)


def _print_angles(labels: dict[str, Any]) -> None:
    table = Table("direction", "degrees off, root mean square", "degrees off, median")
    for name, figures in labels.items():
        table.add_row(name, f"{figures['angle_rms']:.1f}", f"{figures['angle_median']:.1f}")
    _show(table)


def _print_latents(latents: dict[str, Any]) -> None:
    table = Table("latent", "nats a row", "elements in use")
    for name, use in latents.items():
        table.add_row(name, f"{use['nats']:.2f}", f"{use['in_use']} of {use['elements']}")
    _show(table)


def _show(table: Table) -> None:
    """Print what has lines."""
    if table.row_count:
        console.print(table)


def _rows(figures: dict[str, Any]) -> str:
    return f"{figures['rows']} ({figures['elements']} elements)" if "elements" in figures else str(figures["rows"])


def _interval(figures: dict[str, Any]) -> str:
    return " to ".join(f"{100 * bound:.1f}" for bound in figures["interval"]) + " %" if "interval" in figures else "-"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def print_interventions(report: dict[str, Any]) -> None:
    """A table of interventions with the instrument's own error beside them, and one of leakage."""
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
