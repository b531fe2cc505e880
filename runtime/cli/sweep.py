"""`graphspec sweep`: many runs of one spec, several at a time, and one table of what they reached."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, JsonOption, SetOption, collect_again, tell
from runtime.errors import RunError

if TYPE_CHECKING:
    from runtime.sweeping.baselines import Baseline


def sweep(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="The spec: a path.")],
    over: Annotated[
        list[str] | None,
        typer.Option("--over", metavar="FIELD=A,B,...", help="A field and its values (repeatable: all combinations)."),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N", help="How many seeds (0 to N-1), or a list: 3,7,9. One: 3,")
    ] = "1",
    folds: Annotated[
        int | None,
        typer.Option("--folds", min=2, metavar="K", help="Test every labelled row once: K trainings, one error."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            metavar="KIND",
            help="Also train, on the same labelled rows: labels-only (the classifier network alone), generative-off "
            "(the recipe without the generative terms). Repeatable.",
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option("--variant", metavar="NAME: FIELD=VALUE; ...", help="Also train this change of every run."),
    ] = None,
    drop_edge: Annotated[
        list[str] | None,
        typer.Option(
            "--drop-edge",
            metavar="EDGE",
            help="Also train without an edge, such as 'p: z -> x', and tell what it is worth; all, p, q: without each "
            "in turn. Repeatable.",
        ),
    ] = None,
    search: Annotated[
        int | None,
        typer.Option("--search", min=1, metavar="N", help="N trials that Optuna proposes, instead of a grid."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            metavar="URL",
            help="The study of --search: a file, or a database's URL, which several machines may share.",
        ),
    ] = None,
    overrides: SetOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The sweep's folder; by default sweeps/NAME.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Runs at a time; by default one a core, one on a GPU.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="ADDRESS", help="Train on a Dask cluster: tcp://MACHINE:8786 (docs/scaling.md)."),
    ] = None,
    measure: Annotated[
        Literal["both", "test", "validation"],
        typer.Option("--measure", help="Which rows to report; with validation the test rows are never looked at."),
    ] = "both",
    data_dir: DataDirOption = None,
    device: Annotated[
        str, typer.Option("--device", help="auto (CUDA where there is one), cpu, cuda or cuda:1.")
    ] = "auto",
    list_only: Annotated[bool, typer.Option("--list", "--dry-run", help="Print the runs and stop.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the table.")] = False,
    as_json: JsonOption = False,
    allow_python: AllowPythonOption = False,
) -> None:
    """Train a spec at every combination of values and seeds, several runs at a time; end with one table and a plot.

    Example:  graphspec sweep specs/digits.yaml --over data.labels.y.per_class=5,10,30 --seeds 5
              graphspec sweep specs/digits.yaml --over data.labels.y.per_class=10 --seeds 5 --baseline labels-only
              graphspec sweep specs/digits.yaml --over objective.rho=0.1,0.5 --variant "no style: objective.beta.z=9"
              graphspec sweep specs/digits.yaml --drop-edge all --seeds 3
              graphspec sweep mine.yaml --folds 5
              graphspec sweep specs/digits.yaml --search 30 --over "training.learning_rate=log(1e-4,1e-2)"

    A seed sets data.seed and training.seed, so that the labelled rows vary with it. Ctrl-C stops and saves; the same
    command goes on, and runs what is new after --over, --seeds, --baseline or --variant were extended. DIR holds
    summary.json, table.md, table.txt, plot.png, curves.png (error against minutes) and a run folder per run.

    A search draws from log(a,b), uniform(a,b), int(a,b) and choice(a,b,...), and makes better what training.select
    names on the validation rows; only the best trial is measured on the test rows, at the end.
    """
    from graphspec.reading.spec_files import read_text
    from runtime.sweeping.folds import fold_field
    from runtime.sweeping.sweep_plan import build_plan
    from runtime.sweeping.swept_values import read_fields, read_seeds, read_variants

    _check_options(spec, search, storage, [*(baseline or ()), *(variant or ()), *(drop_edge or ())], list_only)
    _check_folds(folds, over or (), search, measure)
    text, numbers, sets = read_text(spec), read_seeds(seeds), overrides or ()
    if search is not None:
        from runtime.sweeping.ranges import read_ranges
        from runtime.sweeping.study import check_ranges

        ranges = read_ranges(over or ())
        plan = check_ranges(spec, text, sets, ranges, numbers, data_dir)
    else:
        fields, variants = read_fields(over or ()), read_variants(variant or ())
        if drop_edge:
            from runtime.sweeping.dropped_edges import edge_variants

            dropped, kept = edge_variants(spec, text, sets, drop_edge, data_dir)
            for note in kept:
                tell(f"note: {note}")
            variants = (*variants, *dropped)
        fields = fields if folds is None else (*fields, fold_field(folds))
        plan = build_plan(spec, text, sets, fields, numbers, variants, _baselines(baseline or ()), data_dir)
    if list_only:
        from runtime.cli.sweep_run import print_runs

        print_runs(plan, as_json)
        return
    from runtime.cli.sweep_run import Wishes, run_grid, run_search
    from runtime.sweeping.run_commands import SweepOptions

    collect_again()
    options = SweepOptions(data_dir, device, allow_python, test=measure != "validation")
    splits = ("test", "validation") if measure == "both" else (measure,)
    wishes = Wishes(out or Path("sweeps") / plan.name, jobs, quiet, as_json, options, splits, on)
    if search is not None:
        run_search(plan, ranges, search, storage, wishes)
    else:
        run_grid(plan, wishes)


def _check_options(spec: str, search: int | None, storage: str | None, models: Sequence[str], list_only: bool) -> None:
    if spec == "-":
        raise RunError("a sweep reads its spec many times, which standard input cannot give", "name a file")
    if search is None and storage is not None:
        raise RunError("--storage holds the study of a search", "add --search N")
    if search is not None and models:
        raise RunError("--search compares values, not models", "leave out --baseline, --variant and --drop-edge")
    if search is not None and list_only:
        raise RunError("--list shows the runs of a grid; a search chooses as it goes", "leave one of them out")


def _check_folds(folds: int | None, over: Sequence[str], search: int | None, measure: str) -> None:
    if folds is None:
        return
    if search is not None:
        raise RunError("--search chooses on validation rows, --folds tests", "leave one of them out")
    if measure == "validation":
        raise RunError("--folds measures test rows, and --measure validation never looks at them", "leave one out")
    if any(text.split("=")[0].strip().startswith("data.test") for text in over):
        raise RunError("--folds says which rows are tested, and so does --over data.test", "leave one of them out")


def _baselines(texts: Sequence[str]) -> "tuple[Baseline, ...]":
    from runtime.sweeping.baselines import BASELINES

    for text in texts:
        if text not in BASELINES:
            raise RunError(f"there is no --baseline {text}", f"use {' or '.join(BASELINES)}, or write a --variant")
    return tuple(kind for kind in BASELINES if kind in texts)
