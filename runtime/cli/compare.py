"""`graphspec compare`: which of several runs explains the rows better that all of them held out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, JsonOption, console, print_json
from runtime.cli.run_options import CheckpointOption, SeedOption, open_for_questions


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Run folders that `train` wrote.")],
    samples: Annotated[
        int, typer.Option("--samples", min=1, metavar="S", help="Joint draws of what is hidden, per row.")
    ] = 50,
    seed: SeedOption = 0,
    json_output: JsonOption = False,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Hold runs against the first of them, on the test rows that all of them held out.

    Example:  graphspec compare runs/digits runs/digits-2 --json

    Paired differences, row by row: of the bound and of log p(row) by importance (S draws), in nats and data units, with
    standard errors over the rows; of labels, with McNemar's exact test where they are classes. Then parameters, time,
    and what differs between the graphs.
    """
    from runtime.comparing.comparison import compared
    from runtime.comparing.held_out_rows import common_rows
    from runtime.errors import RunError

    if len(runs) < 2:
        raise RunError("one run has nothing beside it", "name two runs or more: graphspec compare runs/a runs/b")
    twice = [run for place, run in enumerate(runs) if run.resolve() in [other.resolve() for other in runs[:place]]]
    if twice:
        raise RunError(f"{twice[0]} is named twice", "name different runs")
    opened = [open_for_questions(run, checkpoint, data_dir, allow_python) for run in runs]
    report = compared(common_rows([(each.run, each.model, each.data) for each in opened]), samples, seed)
    if json_output:
        print_json(report)
    else:
        _print(report)


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(f"{report['rows']} test rows that all runs held out, S = {report['samples']}", highlight=False)
    labels = list(dict.fromkeys(name for run in report["runs"] for name in run["errors"]))
    table = Table("run", "bound", "log p by importance", *(f"error of {name}" for name in labels), "parameters", "s")
    kinds = {name: told["kind"] for each in report["differences"] for name, told in each["labels"].items()}
    for run in report["runs"]:
        errors = [_error(run["errors"].get(name), kinds.get(name, "classes")) for name in labels]
        seconds = run["wall_seconds"]
        table.add_row(
            Text(run["run"]), _nats(run.get("elbo")), _nats(run.get("log_likelihood")), *errors,
            f"{run['parameters']:,}", "-" if seconds is None else f"{seconds:.0f}",
        )  # fmt: skip
    console.print(table)
    for each in report["differences"]:
        console.print(f"\n{each['second']} less {each['first']}", highlight=False, markup=False)
        for key, what in (("elbo", "bound"), ("log_likelihood", "log p by importance")):
            if key in each:
                console.print(f"  {what}: {_interval(each[key])} nats a row", highlight=False, markup=False)
        for name, told in each["labels"].items():
            console.print(f"  {_label(name, told)}", highlight=False, markup=False, soft_wrap=True)
        console.print("  graphs:" if each["changes"] else "  the specs say the same", highlight=False)
        for change in each["changes"]:
            console.print(f"    {change['text']}", highlight=False, markup=False, soft_wrap=True)
    for note in report["notes"]:
        console.print(f"note: {note}", highlight=False, markup=False)


def _nats(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _error(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f} %" if kind == "classes" else f"{value**0.5:.4g}"


def _interval(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['mean']:+.3f} +- {found['standard_error']:.3f} (95 % {low:+.3f} to {high:+.3f})"


def _label(name: str, told: dict[str, Any]) -> str:
    difference = told["difference"]
    if told["kind"] == "numbers":
        return f"squared error of {name}: {_interval(difference)}, {told['rows']} rows"
    low, high = (100 * end for end in difference["interval"])
    text = f"error of {name}: {100 * difference['mean']:+.2f} points (95 % {low:+.2f} to {high:+.2f})"
    text += f", {told['rows']} labelled rows"
    if "p_value" in told:
        text += f"; {told['only_second_right']} only this one has right, {told['only_first_right']} only the first"
        text += f" (McNemar's exact test: p = {told['p_value']:.3g})"
    return text
