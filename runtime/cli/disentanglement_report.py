"""`graphspec evaluate`: which metrics of disentanglement are asked for, and their tables."""

from typing import Annotated, Any

import typer

from runtime.cli.common import console

MetricsOption = Annotated[
    str,
    typer.Option(
        "--metrics",
        metavar="NAMES",
        help="How codes are held against factors: all, none, or some of "
        "mig,purity,dci,sap,factor_vae,beta_vae,irs,modularity.",
    ),
]
_TITLES = {
    "mig": "MIG", "sap": "SAP", "factor_vae": "FactorVAE", "beta_vae": "BetaVAE", "irs": "IRS",
    "modularity": "modularity",
}  # fmt: skip


def chosen_metrics(text: str) -> tuple[str, ...]:
    """The metrics that `--metrics` names. Raises BadParameter for one that does not exist."""
    if text in ("all", "none"):
        return _known() if text == "all" else ()
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in _known():
            from graphspec.reading.suggestions import did_you_mean

            hint = f"{did_you_mean(name, _known())} there are all, none, {', '.join(_known())}".strip()
            raise typer.BadParameter(f"no metric {name!r}; {hint}", param_hint="--metrics")
    return tuple(name for name in _known() if name in names)


def _known() -> tuple[str, ...]:
    from runtime.measures.disentanglement import METRICS

    return METRICS


def print_disentanglement(figures: dict[str, Any]) -> None:
    """One line per metric, then one per factor."""
    from rich.table import Table

    means = {title: figures[name]["mean"] for name, title in _TITLES.items() if name in figures}
    scores = {f"DCI {name}": value for name, value in figures.get("dci", {}).items() if not isinstance(value, dict)}
    if means or scores:
        table = Table("codes against factors", "score")
        for title, value in (means | scores).items():
            table.add_row(title, _figure(value))
        console.print(table)
    columns = _per_factor(figures)
    factors = list(dict.fromkeys(factor for column in columns.values() for factor in column))
    if factors:
        table = Table("factor", *columns)
        for factor in factors:
            table.add_row(factor, *(_figure(column.get(factor)) for column in columns.values()))
        console.print(table)


def _per_factor(figures: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Columns of the second table: {title: {factor: value}}."""
    columns = {title: figures[name]["factors"] for name, title in _TITLES.items() if "factors" in figures.get(name, {})}
    columns |= {f"DCI {name[:6]}.": column for name, column in figures.get("dci", {}).get("factors", {}).items()}
    return columns | {f"purity of {name}": column for name, column in figures.get("purity", {}).items()}


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
