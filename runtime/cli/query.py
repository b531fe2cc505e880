"""`graphspec query`: questions to a trained model, in the terms of its graph."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from graphspec.language.base import LARGEST_SEED
from runtime.cli.common import AllowPythonOption, DataDirOption, JsonOption, RunArgument, console, tell
from runtime.cli.run_options import CheckpointOption


def query(
    run: RunArgument,
    queries: Annotated[
        list[str],
        typer.Argument(
            metavar='"TARGET, .. | FACT, .."',
            help="What is asked, a bar, what is known; several queries are compared with the first.",
        ),
    ],
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            metavar="SPLIT|FILE",
            help="Rows from which facts without a value are taken: test, validation or training (of the run's own "
            "data), or a file, as `predict` reads it.",
        ),
    ] = None,
    by: Annotated[
        Literal["recognition", "bound", "both", "generative"] | None,
        typer.Option("--by", help="The graph that answers; left out, recognition where it can run, else generative."),
    ] = None,
    joint: Annotated[
        bool,
        typer.Option("--joint", help="Targets together: a table, the likeliest first; draws where one is a number."),
    ] = False,
    draws: Annotated[
        int | None,
        typer.Option("--draws", min=1, metavar="S", help="Draws of what cannot be summed: 10000, of each row 1000."),
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", min=0.01, max=0.999, help="What `low` and `high` of a number enclose.")
    ] = 0.9,
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, metavar="N", help="Of every draw.")] = 0,
    as_json: JsonOption = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="A .csv, .tsv (or .gz), .parquet, .npz file; of pictures .png."
        ),
    ] = None,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Ask a trained model: TARGET given FACTS, and after do(CHANGES).

    Example:  graphspec query runs/birds "species, mass_g, mass_g > 5000 | bill_mm=48, island=Biscoe"
              graphspec query runs/clinic "recovered | drug=yes" "recovered | do(drug=yes)"
              graphspec query runs/clinic "recovered | drug, recovered, do(drug=no)" --rows patients.csv -o had-not.csv

    A fact is NAME=VALUE, a range (age > 60), or NAME alone, which each row of --rows tells; nothing else of a row is
    used. Facts are true of the world as it was; do() then changes it, and targets are asked of the world after that:
    facts about what the change moves make it a counterfactual, in which each thing keeps its own noise. Names are
    those of the spec or of the data's columns, elements are z[0], values are in data units and class names. Answers
    are exact where all that has to be summed can be, else from weighted draws, with their standard error (se) and
    effective number (ESS).
    """
    from runtime.answering.panels import Panel
    from runtime.figures.panel_files import PICTURES, write_panel
    from runtime.predicting.used_run import use_run
    from runtime.querying.answer_pictures import EXAMPLES, Draw
    from runtime.querying.answer_writing import is_arrays, json_answers, text_answers
    from runtime.querying.asking import Asking, Questions

    used = use_run(run, checkpoint=checkpoint, data_dir=data_dir, allow_python=allow_python)
    asking = Asking(by, joint, draws, interval, seed)
    draw: Draw | None = None
    if output is not None and output.suffix.lower() in PICTURES:

        def draw(panel: Panel, path: Path) -> None:
            write_panel(panel, used.graphs, path)

    examples = 0 if draw is None else EXAMPLES
    wide = draw is not None or is_arrays(output)
    questions = Questions(used, queries, rows, asking, pictures=wide, examples=examples)
    if as_json:
        json_answers(questions, sys.stdout, tell, output, draw)
        return
    text = text_answers(questions, tell, output, draw)
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    if output is not None:
        console.print(f"{output}", highlight=False, markup=False, soft_wrap=True)
