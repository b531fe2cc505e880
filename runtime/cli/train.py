"""`graphspec train`: train a spec, measure it once on the test rows, draw what it learnt."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from graphspec.diagnostics import SpecError
from graphspec.language.base import LARGEST_SEED
from runtime.cli.after_training import draw, gathered, measure, print_result, shortcomings_of
from runtime.cli.common import (
    EXIT_FAULT,
    EXIT_INTERRUPTED,
    AllowPythonOption,
    DataDirOption,
    JsonOption,
    SetOption,
    SpecArgument,
    collect_again,
    console,
    error_console,
    print_diagnostics,
    print_json,
    tell,
)
from runtime.errors import RunError, UnwritableError
from runtime.training.processes.launcher import is_main, started_with, tells_errors

if TYPE_CHECKING:
    from compiler.model.model import Model
    from graphspec.graphs.graph import Graphs
    from runtime.data import PreparedData
    from runtime.runs.run_folder import Run
    from runtime.training.loop.progress import Reporter


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
        int | None,
        typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of weights, batches and noise (training.seed)."),
    ] = None,
    compile_step: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Run the step through torch.compile, or not.")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"] | None, typer.Option("--precision", help="Arithmetic of the step.")
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also trace a few steps, per variable: a table, RUN/profile/trace.json.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard event files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    as_json: JsonOption = False,
    no_figures: Annotated[bool, typer.Option("--no-figures", help="Draw no pictures at the end.")] = False,
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Leave the test rows alone; --resume without it measures them later.")
    ] = False,
    allow_python: AllowPythonOption = False,
) -> None:
    """Train a spec: a progress bar, then the error on the test rows, and pictures of what was learnt.

    Example:  graphspec train specs/digits.yaml
              graphspec train specs/mnist-m2.yaml --set data.labels.y.per_class=100 --seed 1 --out runs/m2-1000
              graphspec train specs/mnist-m2.yaml --out runs/m2-1000 --resume

    Ctrl-C stops after the current step and saves; --resume goes on, with the same result as without the stop.
    For several processes start it through torchrun: docs/scaling.md.
    """
    texts = [*(overrides or ()), *_asked(seed, precision, compile_step)]
    again = _resume_command(spec, overrides or [], data_dir, device, seed, precision, compile_step, allow_python)
    loud = is_main() and not (quiet or as_json)
    with _processes_together():
        graphs = _load_spec(spec, texts, data_dir)
        if not resume:
            _check_place(out, graphs, data_dir)
        model, data = _load(graphs, data_dir, device, allow_python, out, resume)
        notes = [f"note: {note}" for note in data.notes]
        if loud:  # in one piece: a reader that goes away after the first line ends no training
            typer.echo("\n".join([data.describe(), *notes]))
        elif notes and is_main():  # what may make the result worthless is told all the same
            tell("\n".join(notes))
        from runtime.training.loop.fitting import Interrupted, fit

        collect_again()
        reporter = _reporter(quiet, as_json)
        try:
            run = fit(
                model,
                data,
                out=out,
                resume=resume,
                device=device,
                tensorboard=tensorboard,
                profile=profile,
                progress=reporter,
            )
        except Interrupted as interrupted:
            _say_how_to_go_on(interrupted.run, again, as_json, cut_off=True)
        if not run.finished:
            _say_how_to_go_on(run, again, as_json)
    if is_main():
        _conclude(run, model, data, as_json, no_figures, no_test)


@contextmanager
def _processes_together() -> Iterator[None]:
    """Several processes, started by torchrun, meet the same mistake: one on each machine tells it. They part at the
    end, so that none waits for the main one to measure and to draw."""
    if started_with() > 1:  # else DDP warns in every process that it looks for unused parameters, as it must
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        yield
    except (RunError, SpecError):
        if tells_errors():
            raise
        raise typer.Exit(EXIT_FAULT) from None
    finally:
        if started_with() > 1:
            from runtime.training.processes.devices import leave_processes

            leave_processes()


def _reporter(quiet: bool, as_json: bool) -> "Reporter":
    from runtime.training.loop.progress import QuietReporter, choose_reporter

    silent = quiet or (as_json and not error_console.is_terminal)
    return QuietReporter(error_console) if silent else choose_reporter(True, error_console if as_json else console)


def _conclude(run: "Run", model: "Model", data: "PreparedData", as_json: bool, no_figures: bool, no_test: bool) -> None:
    """Measure, draw, tell."""
    try:
        report = measure(run, model, data, test=not no_test)
        warnings = shortcomings_of(run, model, data, report)
        pictures, undrawn = ([], None) if no_figures else _drawn(run, model, data)
    except UnwritableError as error:
        evaluate = shlex.join(["graphspec", "evaluate", str(run.folder)])
        kept = f"the trained model is kept in {run.folder}; measure it with {evaluate}"
        raise RunError(error.message, kept) from None
    except KeyboardInterrupt:
        typer.echo(f"interrupted after training: the trained model is in {run.folder}; measure it with", err=True)
        typer.echo(f"  {shlex.join(['graphspec', 'evaluate', str(run.folder)])}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    result = gathered(run, report, pictures, warnings)
    print_json(result) if as_json else print_result(result, no_test)
    if undrawn is not None:
        raise RunError(undrawn.message, f"all but pictures is kept in {run.folder}")


def _drawn(run: "Run", model: "Model", data: "PreparedData") -> tuple[list[str], UnwritableError | None]:
    """The pictures, or why they could not be written: no reason to keep the figures from anyone."""
    try:
        return draw(run, model, data), None
    except UnwritableError as error:
        return [], error


def _asked(seed: int | None, precision: str | None, compile_step: bool | None) -> list[str]:
    """Flags that stand for fields of the spec, as overrides, so that they are checked and recorded like them."""
    wanted = {
        "seed": seed,
        "precision": precision,
        "compile": None if compile_step is None else str(compile_step).lower(),
    }
    return [f"training.{field}={value}" for field, value in wanted.items() if value is not None]


def _load_spec(spec: str, overrides: list[str], data_dir: Path | None) -> "Graphs":
    from graphspec.loading import load

    graphs = load(spec, overrides, data_dir=data_dir)
    if is_main():
        print_diagnostics(graphs.warnings, error=True)
    if graphs.spec.data is None:
        raise RunError(f"{spec} has no `data` section, so there is nothing to train on", "add `data: {source: ...}`")
    return graphs


def _check_place(out: Path | None, graphs: "Graphs", data_dir: Path | None) -> None:
    """A place that no new run can have is told before data are read, which may take long."""
    if not is_main():
        return
    from runtime.runs.claiming import check_new
    from runtime.runs.protected import refuse_users_own

    refuse_users_own(out or Path("runs"), graphs, Path(graphs.source.name), data_dir)
    check_new(out, graphs.source.text)


def _load(
    graphs: "Graphs", data_dir: Path | None, device: str, allow_python: bool, out: Path | None, resume: bool
) -> "tuple[Model, PreparedData]":
    """Everything that can be wrong with the data, before anything is written."""
    from compiler import compile_spec
    from runtime.cli.before_training import warnings_before
    from runtime.runs.memory_guard import refuse_too_large
    from runtime.training.loop.fitting import run_to_resume
    from runtime.training.processes.collectives import main_process_first
    from runtime.training.processes.devices import join_processes, resolve_device
    from runtime.training.processes.training_rows import prepare_rows

    refuse_too_large(graphs)
    model = compile_spec(graphs, seed=graphs.spec.training.seed, allow_python=allow_python)
    place = resolve_device(device)
    join_processes(place)
    if is_main():
        for warning in warnings_before(graphs, place):
            tell(f"warning: {warning}")
    with main_process_first():
        return model, prepare_rows(model, data_dir, run_to_resume(model, out) if resume else None, tell)


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


def _say_how_to_go_on(run: "Run", command: list[str], as_json: bool, cut_off: bool = False) -> NoReturn:
    """What an interrupted training leaves, and the command that goes on with it; exit 130."""
    if is_main():
        going_on = shlex.join([*command, "--out", str(run.folder), "--resume"])
        manifest = run.manifest()
        if as_json:
            print_json({"run": str(run.folder), "status": manifest["status"], "resume": going_on})
        done = f"{manifest['epochs']} of {manifest['epochs_asked']} epochs ({manifest['step']} steps)"
        kept = "what was saved last is" if cut_off else "everything up to here is saved"
        way = " (alone, or through torchrun as before)" if started_with() > 1 else ""
        typer.echo(f"interrupted after {done}; {kept} in {run.folder}; go on with{way}\n  {going_on}", err=as_json)
    raise typer.Exit(EXIT_INTERRUPTED)
