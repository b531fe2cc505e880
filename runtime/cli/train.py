"""`graphspec train`: train a spec, measure it once on the test rows, draw what it learnt."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from runtime.cli.common import (
    EXIT_INTERRUPTED,
    AllowPythonOption,
    DataDirOption,
    JsonOption,
    SetOption,
    SpecArgument,
    console,
    error_console,
    print_diagnostics,
    print_json,
)

if TYPE_CHECKING:
    from compiler.module import Model
    from runtime.data import PreparedData
    from runtime.run import Run


def train(
    spec: SpecArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="The run folder to write; by default runs/NAME, runs/NAME-2, ..."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out (by default the newest runs/NAME).")
    ] = False,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    device: Annotated[
        str, typer.Option("--device", help="auto (CUDA where there is one), cpu, cuda or cuda:1.")
    ] = "auto",
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of weights, batches and noise (training.seed).")
    ] = None,
    compile_step: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Run the step through torch.compile, or not.")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"] | None, typer.Option("--precision", help="Arithmetic of the step.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard event files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    as_json: JsonOption = False,
    no_figures: Annotated[bool, typer.Option("--no-figures", help="Draw no pictures at the end.")] = False,
    allow_python: AllowPythonOption = False,
) -> None:
    """Train a spec: a progress bar, then the error on the test rows, and pictures of what was learnt.

    Example:  graphspec train specs/digits.yaml
              graphspec train specs/mnist-m2.yaml --set labels.y=1000 --seed 1 --out runs/m2-1000
              graphspec train specs/mnist-m2.yaml --out runs/m2-1000 --resume

    Ctrl-C stops after the current step and saves; --resume goes on, with the same result as without the stop.
    """
    texts = [*(overrides or ()), *_asked(seed, precision, compile_step)]
    model, data = _load(spec, texts, data_dir, allow_python)
    again = _resume_command(spec, overrides or [], data_dir, device, seed, precision, compile_step, allow_python)
    if not (quiet or as_json):
        typer.echo(data.describe())
    from runtime.training.fitting import fit
    from runtime.training.progress import SilentReporter, choose_reporter

    silent = quiet or (as_json and not error_console.is_terminal)
    reporter = SilentReporter() if silent else choose_reporter(True, error_console if as_json else console)
    run = fit(model, data, out=out, resume=resume, device=device, tensorboard=tensorboard, progress=reporter)
    if not run.finished:
        _say_how_to_go_on(run, again, as_json)
    report = _measure(run, model, data)
    pictures = [] if no_figures else _draw(run, model, data)
    result = _result(run, report, pictures)
    print_json(result) if as_json else _print(result)


def _asked(seed: int | None, precision: str | None, compile_step: bool | None) -> list[str]:
    """Flags that stand for fields of the spec, as overrides, so that they are checked and recorded like them."""
    wanted = {
        "seed": seed,
        "precision": precision,
        "compile": None if compile_step is None else str(compile_step).lower(),
    }
    return [f"training.{field}={value}" for field, value in wanted.items() if value is not None]


def _load(spec: str, overrides: list[str], data_dir: Path | None, allow_python: bool) -> "tuple[Model, PreparedData]":
    """Everything that can be wrong with the spec and the data, before anything is written."""
    from graphspec.loading import load
    from runtime.errors import RunError

    graphs = load(spec, overrides)
    print_diagnostics(graphs.warnings, error=True)
    if graphs.spec.data is None:
        raise RunError(f"{spec} has no `data` section, so there is nothing to train on", "add `data: {source: ...}`")
    from compiler import compile_spec
    from runtime.data import prepare

    model = compile_spec(graphs, seed=graphs.spec.training.seed, allow_python=allow_python)
    return model, prepare(graphs, data_dir=data_dir, spec_path=Path(graphs.source.name))


def _resume_command(
    spec: str,
    overrides: list[str],
    data_dir: Path | None,
    device: str,
    seed: int | None,
    precision: str | None,
    compile_step: bool | None,
    allow_python: bool,
) -> list[str]:
    """The command that goes on with this training, but for the run folder."""
    command = ["graphspec", "train", spec]
    for override in overrides:
        command += ["--set", override]
    valued = {"--data-dir": data_dir, "--seed": seed, "--precision": precision}
    for flag, value in valued.items():
        command += [] if value is None else [flag, str(value)]
    command += [] if device == "auto" else ["--device", device]
    command += [] if compile_step is None else ["--compile" if compile_step else "--no-compile"]
    return [*command, *(["--allow-python"] if allow_python else [])]


def _say_how_to_go_on(run: "Run", command: list[str], as_json: bool) -> None:
    going_on = shlex.join([*command, "--out", str(run.folder), "--resume"])
    if as_json:
        print_json({"run": str(run.folder), "status": run.manifest()["status"], "resume": going_on})
    typer.echo(f"stopped and saved in {run.folder}; go on with\n  {going_on}", err=as_json)
    raise typer.Exit(EXIT_INTERRUPTED)


def _measure(run: "Run", model: "Model", data: "PreparedData") -> dict[str, Any] | None:
    """The test rows, once, with the selected weights: RUN/evaluation-test.json, as `graphspec evaluate` writes it."""
    from runtime.evaluation import evaluate_rows
    from runtime.training.checkpoints import write_text
    from runtime.training.records import finite

    if not len(data.test):
        return None
    found = evaluate_rows(model, data.test, units=data.units, binarize=data.binarize)
    report = {"run": str(run.folder), "split": "test", "checkpoint": "best", "samples": 1, "seed": 0, **found}
    for name, figures in report["variables"].items():
        figures["training_labels"] = len(data.label_rows[name])
    write_text(run.folder / "evaluation-test.json", json.dumps(finite(report), indent=1, ensure_ascii=False) + "\n")
    return report


def _draw(run: "Run", model: "Model", data: "PreparedData") -> list[str]:
    from runtime.figures.defaults import default_figures

    return [str(path) for path in default_figures(model, data, run.figures)]


def _result(run: "Run", report: dict[str, Any] | None, pictures: list[str]) -> dict[str, Any]:
    manifest = run.manifest()
    kept = {name: manifest[name] for name in ("status", "epochs", "best_epoch", "select", "wall_seconds")}
    return {"run": str(run.folder), **kept, "test": report, "figures": pictures}


def _print(result: dict[str, Any]) -> None:
    """The small table at the end."""
    chosen = (
        "" if result["select"] == "last" else f", best by {result['select']} on validation rows: {result['best_epoch']}"
    )
    typer.echo(f"\n{result['epochs']} epochs in {result['wall_seconds']:.0f} s{chosen}")
    report = result["test"]
    if report is None:
        typer.echo("no test rows: nothing measured")
    else:
        _print_report(report)
    typer.echo(f"run        {result['run']}")
    for index, path in enumerate(result["figures"]):
        typer.echo(f"{'pictures' if index == 0 else '':<10} {path}")


def _print_report(report: dict[str, Any]) -> None:
    for name, figures in report["variables"].items():
        if figures.get("error") is None:
            typer.echo(f"test error of {name}: no test row has this label")
            continue
        error = f"{figures['error']:.4g} (root mean square)"
        if "log_loss" in figures:
            error = f"{100 * figures['error']:.2f} % of {figures['rows']} rows"
        typer.echo(f"test error of {name}: {error}")
    typer.echo(f"test elbo: {report['elbo']:.2f} nats per row")
    for note in report.get("notes", ()):
        typer.echo(f"note: {note}")
