"""`graphspec reconstruct`: rows of data and what the model makes of them."""

from typing import Annotated

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, RunArgument
from runtime.cli.run_options import (
    CheckpointOption,
    OutputOption,
    SeedOption,
    ShowOption,
    SplitOption,
    answer,
    open_for_questions,
)


def reconstruct(
    run: RunArgument,
    output: OutputOption = None,
    count: Annotated[int, typer.Option("--count", min=1, metavar="N", help="Rows of data to show.")] = 20,
    show: ShowOption = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Show rows of data above their reconstruction: infer every hidden variable by q, then take the mean of p.

    Example:  graphspec reconstruct runs/digits -o reconstructions.png --count 30

    Labels are inferred too; the small print above each pair has the true and the inferred one. A .csv names the row of
    each line by its file or its number in the source.
    """
    from runtime.answering.queries import reconstruct as reconstruct_query

    opened = open_for_questions(run, checkpoint, data_dir, allow_python)
    called = opened.data.called
    panel = reconstruct_query(opened.model, opened.rows(split), count=count, shown=show, seed=seed, called=called)
    answer(opened, panel, output, "reconstruct")
