"""How `evaluate --interventions` prints what it found."""

from typing import Any


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
