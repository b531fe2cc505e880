"""`graphspec analogies`: infer a row's style, then set its label to every class."""

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


def analogies(
    run: RunArgument,
    output: OutputOption = None,
    vary: Annotated[
        str | None,
        typer.Option("--vary", metavar="TARGET", help="The label to set: y, or one element such as a[3]."),
    ] = None,
    count: CountOption = 10,
    show: ShowOption = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Show analogies: one row is one style, one column is one value of the label; the first column is data.

    Example:  graphspec analogies runs/digits -o analogies.png --count 6

    The style is inferred from the picture and its label (or the inferred label, where the row has none). A .csv names
    the row of data of each line by its file, its key or its number in the source.
    """
    from runtime.answering.queries import analogies as analogies_query

    opened = open_for_questions(run, checkpoint, data_dir, allow_python)
    called = opened.data.called
    panel = analogies_query(
        opened.model, opened.rows(split), vary=vary, count=count, shown=show, seed=seed, called=called
    )
    answer(opened, panel, output, "analogies")
