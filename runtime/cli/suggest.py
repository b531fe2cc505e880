"""`graphspec suggest`: which rows to label next."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, JsonOption, RunArgument, console, print_json, tell
from runtime.cli.run_options import CheckpointOption, SeedOption, open_for_questions

if TYPE_CHECKING:
    from runtime.suggesting.suggestions import Suggested


def suggest(
    run: RunArgument,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[INPUT]", help="As for predict; left out, the training rows that have no label."),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, metavar="N", help="How many rows to suggest.")] = 20,
    label: Annotated[
        str | None, typer.Option("--label", metavar="VARIABLE", help="Of which label, where there are several.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="The list as a file.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="FILE.png", help="Where the sheet goes; by default RUN/figures/suggest.png."),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=2, metavar="S", help="Draws of what else is hidden.")] = 20,
    replay: Annotated[
        int | None,
        typer.Option(
            "--replay",
            min=1,
            metavar="ROUNDS",
            help="Instead: train the spec again in so many rounds of N labels more, suggested or random, and tell the "
            "test error of both.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="Of --replay: how often.")] = 5,
    seed: SeedOption = 0,
    json_output: JsonOption = False,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """List the rows whose labels would tell most, by name, with reasons; a sheet of them where they are pictures.

    Example:  graphspec suggest runs/digits --count 20
              graphspec suggest runs/mine new-pictures -o to-label.csv
              graphspec suggest runs/digits --replay 4 --count 20 --json

    A row's score is the entropy of its label and what the label shares with everything else that is hidden (nats, by
    draws). Rows are grouped by what the model makes of them, weighed by their scores, and the row in the middle of each
    group is listed: it stands for others, and is not like the rest of the list. Rows that have the label are left out.
    """
    from runtime.predicting.used_run import use_run
    from runtime.suggesting.label_scores import label_to_suggest
    from runtime.suggesting.suggestions import rows_of_input, rows_of_training, suggest_rows

    used = use_run(run, checkpoint=checkpoint, data_dir=data_dir, allow_python=allow_python)
    name = label_to_suggest(used.graphs, label)
    if replay is not None:
        _replay(run, name, replay, count, seeds, data_dir, json_output)
        return
    notes: list[str] = []
    with ExitStack() as stack:
        if source is None:
            data = open_for_questions(run, checkpoint, data_dir, allow_python).data
            rows = rows_of_training(used, data, name)
        else:
            rows = rows_of_input(used, source, stack, tell, notes)
        found = suggest_rows(used, name, rows, count, seed, samples)
    for note in notes:
        tell(f"note: {note}")
    files = _files(run, used.model.graphs, used.units, found, output, picture)
    if json_output:
        print_json(_plain(found))
        return
    _print(found)
    for path in files:
        console.print(str(path), highlight=False, markup=False, soft_wrap=True)


def _files(
    run: Path, graphs: Any, units: Any, found: "Suggested", output: Path | None, picture: Path | None
) -> list[Path]:
    """The list and the sheet, where they are asked for or have their place in the run."""
    from runtime.errors import RunError
    from runtime.figures.panel_files import write_panel
    from runtime.runs.run_folder import Run
    from runtime.suggesting.suggestions import as_table

    written = []
    if output is not None:
        import csv

        from runtime.runs.atomic_files import replacing

        if output.suffix.lower() != ".csv":
            raise RunError(f"{output}: the list is a .csv file", "name one, such as to-label.csv")
        header, lines = as_table(found)
        with (
            replacing(output, make_folder=False) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            csv.writer(file).writerows([header, *lines])
        written.append(output)
    if picture is not None and found.panel is None:
        raise RunError(
            "this model reads no picture, so that there is no sheet", "leave --sheet out; -o writes the list"
        )
    if found.panel is not None:
        path = picture or Run(run).figures / "suggest.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        written.append(write_panel(found.panel, graphs.by_row, path, units))
    return written


def _plain(found: "Suggested") -> dict[str, Any]:
    return {
        "label": found.label,
        "rows": found.rows,
        "suggestions": [
            {"row": e.row, "probabilities": dict(e.said), "entropy": e.entropy, "information": e.information}
            for e in found.suggestions
        ],
    }


def _print(found: "Suggested") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("row", f"{found.label} seems to be", "entropy", "information")
    for each in found.suggestions:
        table.add_row(Text(each.row), Text(each.reason), f"{each.entropy:.2f}", f"{each.information:.2f}")
    console.print(table)
    console.print(f"of {found.rows} rows without a label of {found.label}; nats", highlight=False)


def _replay(
    run: Path, label: str, rounds: int, count: int, seeds: int, data_dir: Path | None, json_output: bool
) -> None:
    from rich.table import Table

    from runtime.runs.run_folder import find_run
    from runtime.suggesting.replay import Replay, summarized

    found = Replay(find_run(run), label, rounds, count, data_dir).results(range(seeds), tell)
    lines = summarized(found)
    if json_output:
        print_json({"label": label, "count": count, "seeds": seeds, "lines": lines, "runs": found})
        return
    table = Table("labels", "suggested", "random", "difference")
    for line in lines:
        error = f" +- {100 * line['standard_error']:.2f}" if "standard_error" in line else ""
        shown = (f"{100 * line[way]:.2f} %" for way in ("suggested", "random"))
        table.add_row(str(line["labels"]), *shown, f"{100 * line['difference']:+.2f}{error}")
    console.print(table)
    console.print(f"test error of {label}, {seeds} seeds", highlight=False)
