"""`graphspec predict`: what a run says of rows that it has never seen."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from graphspec.language.base import LARGEST_SEED
from runtime.cli.common import AllowPythonOption, DataDirOption, RunArgument, console, error_console, tell
from runtime.cli.run_options import ByOption, CheckpointOption
from runtime.errors import RunError


def predict(
    run: RunArgument,
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A .csv, .tsv (or .gz), .parquet or .npz file, a folder of pictures, a known set, - for a table on "
            'standard input, or a pattern for many files: "parts/*.parquet".',
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="A .csv, .tsv (or .gz), .parquet or .npz file; of many, a folder."
        ),
    ],
    latents: Annotated[
        str, typer.Option("--latents", metavar="mean|draws|none", help="Latents as means with deviations, or one draw.")
    ] = "mean",
    interval: Annotated[
        float, typer.Option("--interval", min=0.01, max=0.999, help="What `.low` and `.high` of a number enclose.")
    ] = 0.9,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the input's own columns as they are; answers go into `v.predicted`.")
    ] = False,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="V=NAME:SHARE",
            help="Say class NAME of v from this probability on, for classes of unequal cost (repeatable).",
        ),
    ] = None,
    impute: Annotated[
        bool,
        typer.Option(
            "--impute", help="Fill blanks of observed variables too: mean or likeliest class, with intervals."
        ),
    ] = False,
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            min=0,
            metavar="N",
            help="N joint draws of all that rows lack instead (multiple imputation), one below the other, by `draw`; a "
            "file each with -o answers-{draw}.csv.",
        ),
    ] = 0,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Probabilities as the model has them, not at the temperature that validation rows gave."
        ),
    ] = False,
    by: ByOption = None,
    samples: Annotated[
        int, typer.Option("--samples", min=1, metavar="S", help="Draws of what can be neither summed nor computed.")
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, metavar="N", help="Of every draw.")] = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, metavar="N", help="Rows of one call.")] = 500,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    checkpoint: CheckpointOption = "best",
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="ADDRESS", help="Many files on a Dask cluster: tcp://MACHINE:8786."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", hidden=True)] = None,
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Answer for new rows: labels with probabilities, numbers with intervals, latents; in the data's units and names.

    Example:  graphspec predict runs/table new-patients.csv -o answers.csv

              graphspec predict runs/table "parts/*.parquet" -o answers

    Columns may stand in any order; those that the model does not know stay. A label that a row has is used for the
    others, and a column that is there already is filled where it is blank. Rows are read as in training, by what the
    run folder says; its own data are not needed. Elements of plates come back as they stand: lines as lines, other
    tables (beside INPUT, under the names of the spec) as FILE-PLATE, arrays as arrays.
    """
    from runtime.predicting.predict_sheets import predict_input
    from runtime.predicting.settings import asked_for
    from runtime.predicting.used_run import use_run
    from runtime.training.processes.devices import resolve_device

    used = use_run(
        run, checkpoint=checkpoint, device=resolve_device(device), data_dir=data_dir, allow_python=allow_python
    )
    asked = asked_for(used, latents, interval, keep, threshold or (), samples, seed, impute, draws, raw, by)
    from runtime.predicting.many_files import ManyFiles, many_files, parts_of

    if many_files(source):
        from runtime.cli.predict_many import chosen, predict_here, predict_there, without_address

        many = ManyFiles(used, chosen(parts_of(source, output), only or ()), asked, checkpoint)
        if on is None:
            predict_here(many, batch_size)
        else:
            predict_there(many, on, without_address(sys.argv[1:]))
        return
    if on is not None:
        raise RunError(f"{source} is one file, which one process answers", 'for --on name many: "parts/*.csv"')
    from runtime.cli.row_progress import row_progress

    with row_progress(error_console) as progress:
        found = predict_input(used, source, output, asked, batch_rows=batch_size, tell=tell, progress=progress)
    for note in found.notes:
        tell(f"note: {note}")
    console.print(f"{output}  ({found.rows} rows)", highlight=False, markup=False, soft_wrap=True)
