"""`graphspec sample`: draws from the generative graph."""

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


def sample(
    run: RunArgument,
    output: OutputOption = None,
    count: CountOption = 8,
    columns: Annotated[
        int, typer.Option("--columns", min=1, metavar="N", help="Draws a row, where no label gives the columns.")
    ] = 10,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw observed variables too, instead of showing the mean of p.")
    ] = False,
    show: ShowOption = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Draw from p: a row shares its latents, and a supervised category has one column per class.

    Example:  graphspec sample runs/digits -o samples.png --count 5

    Data are only needed where p conditions on an observed variable, or for a table in data units.
    """
    from runtime.answering.panels import conditioned
    from runtime.answering.queries import sample as sample_query

    opened = open_for_questions(run, checkpoint, data_dir, allow_python)
    rows = opened.rows(split) if conditioned(opened.model.graphs) else None
    panel = sample_query(opened.model, rows, count=count, columns=columns, shown=show, means=not draw, seed=seed)
    answer(opened, panel, output, "sample")
