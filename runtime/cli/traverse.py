"""`graphspec traverse`: move one hidden number, or two, and hold all else."""

from typing import Annotated

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, RunArgument
from runtime.cli.run_options import (
    CheckpointOption,
    CountOption,
    OutputOption,
    SeedOption,
    ShowOption,
    SplitOption,
    answer,
    open_for_questions,
)


def traverse(
    run: RunArgument,
    output: OutputOption = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="TARGET", help="What moves: y, or one element such as z[3]; twice for a grid."),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TARGET=VALUE",
            help="Held in every picture: y=9, kind=cat, or angle=30 in data units (repeatable).",
        ),
    ] = None,
    row: Annotated[int, typer.Option("--row", min=0, metavar="N", help="Row of the split to start from.")] = 0,
    steps: Annotated[int, typer.Option("--steps", min=2, metavar="N", help="Values of a continuous target.")] = 9,
    count: CountOption = 8,
    show: ShowOption = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Move hidden numbers through their range, all others held at what is inferred from a row of data.

    Example:  graphspec traverse runs/digits --vary z[0] --vary z[1] -o grid.png
              graphspec traverse runs/digits --vary z[0] --vary z[1] --set y=9

    Without --vary: the latent numbers that the data move most, one a row. With one: several rows of data. With two: a
    grid. A .csv names the row of data of each line. Ranges run from the 1st to the 99th percentile of the inferred
    values. Numbers are in data units throughout.
    """
    from runtime.answering.traversal import traverse as traverse_query

    opened = open_for_questions(run, checkpoint, data_dir, allow_python)
    panel = traverse_query(
        opened.model,
        opened.rows(split),
        vary=vary or (),
        fixed=fixed or (),
        row=row,
        steps=steps,
        count=count,
        shown=show,
        seed=seed,
        scales=opened.units,
        called=opened.data.called,
    )
    answer(opened, panel, output, "traverse")
