"""`fit`: everything around the loop: data, folder, manifest, resuming, and the weights handed back at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.model.model import Model
from graphspec.describe.resolved import spec_as_yaml
from graphspec.language import TrainingSection
from runtime.data.stream.streams import steps_per_epoch
from runtime.errors import RunError
from runtime.runs.checkpoints import load_weights, read_weights, write_text
from runtime.runs.records import cut_records
from runtime.runs.run_folder import Run, find_run, latest_folder, new_folder
from runtime.training.loop.initialization import initialize
from runtime.training.loop.loop import Training
from runtime.training.loop.manifest import first_manifest, write_manifest
from runtime.training.loop.progress import Reporter, SilentReporter, choose_reporter
from runtime.training.loop.resuming import state_to_resume
from runtime.training.loop.run_plan import TRACE, RunPlan
from runtime.training.loop.selection import Criterion
from runtime.training.loop.state import save_state
from runtime.training.processes.collectives import decided_by_main, main_process_first, others_may_end, processes
from runtime.training.processes.devices import (
    Precision,
    build_accelerator,
    join_processes,
    placement,
    require_tensorboard,
    resolve_device,
    start_tensorboard,
)
from runtime.training.processes.training_rows import near, prepare_rows, same_everywhere
from runtime.training.speed.choices import (
    Decision,
    choose_compile,
    choose_one_thread,
    choose_precision,
    describe_choices,
    rows_per_step,
    step_gflop,
    threads,
)
from runtime.training.speed.memory import keep_freed_memory
from runtime.training.step.compilation import compiled_networks

if TYPE_CHECKING:
    from accelerate import Accelerator

    from runtime.data import PreparedData


class Interrupted(KeyboardInterrupt):
    """Training was cut off within a step (a second Ctrl-C); `run` holds what was saved last."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__()


@dataclass(frozen=True)
class Options:
    """What is asked of one call of `fit`, apart from model and data; `precision`, `compiled`: what was chosen."""

    folder: Path
    resume: bool
    training: TrainingSection
    precision: Decision
    compiled: Decision
    one_thread: Decision
    tensorboard: bool
    profile: bool
    command: Sequence[str] | None


def fit(
    model: Model,
    data: "PreparedData | None" = None,
    *,
    out: Path | str | None = None,
    resume: bool = False,
    epochs: int | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    precision: Precision | None = None,
    compile_step: bool | None = None,
    tensorboard: bool = False,
    profile: bool = False,
    progress: bool | Reporter = True,
    command: Sequence[str] | None = None,
) -> Run:
    """Train `model` as its spec says and return the run folder; afterwards the model holds the selected weights.

    data: prepared rows; left out, the spec's own `data` section is read. out: the run folder, by default runs/NAME.
    resume: go on with the run in `out` (by default the newest runs/NAME*); its weights replace the model's.
    epochs, precision, compile_step: instead of the spec's training section. device: auto, cpu, cuda, cuda:1.
    profile: also write a trace of a few steps (RUN/profile/trace.json). progress: a bar or lines on standard output,
    nothing, or a Reporter of your own; with several processes (torchrun) the main one alone reports and writes.
    Ctrl-C ends training after the current step; the run is then not `finished` and can be resumed, by any number of
    processes. A second Ctrl-C is a KeyboardInterrupt at once: what was saved last stands.
    Raises RunError (DataError for the data); never overwrites another run.
    """
    if tensorboard:
        require_tensorboard()
    training = _settings(model.graphs.spec.training, epochs, precision, compile_step)
    place = resolve_device(device)
    join_processes(place)
    if data is None:
        with main_process_first():
            data = prepare_rows(model, data_dir)
    same_everywhere(data)
    folder = decided_by_main(lambda: _folder(model, out, resume))
    before = decided_by_main(lambda: find_run(folder).manifest()) if resume else None
    steps = steps_per_epoch(data, training.batch_size, training.labelled_batch_size)
    gflop = step_gflop(model, *rows_per_step(training, len(data.unlabelled), len(data.labelled)))
    options = Options(
        folder=folder,
        resume=resume,
        training=training,
        precision=choose_precision(training.precision, place, model.dtype, gflop, before),
        compiled=choose_compile(training, place, model.dtype, steps * training.epochs, gflop, before),
        one_thread=choose_one_thread(place, gflop),
        tensorboard=tensorboard,
        profile=profile,
        command=command,
    )
    reporter = choose_reporter(progress) if isinstance(progress, bool) else progress
    return _train(model, data, options, build_accelerator(place, options.precision.on), reporter)


def _train(model: Model, data: "PreparedData", options: Options, accelerator: "Accelerator", reporter: Reporter) -> Run:
    if not accelerator.is_main_process:
        reporter = SilentReporter()
    plan = _plan(model, near(data, accelerator.device), options)
    state = decided_by_main(lambda: state_to_resume(plan)) if options.resume else None
    if state is None:
        decided_by_main(lambda: initialize(model, Path(model.graphs.source.name).parent))
    training = Training(model, plan, accelerator, reporter)
    if state is not None:
        training.restore(state)
    manifest = _begin(training, options)
    if processes() > 1:
        reporter.note(f"{processes()} processes share out the rows of each step")
    for line in describe_choices(options.precision, options.compiled, options.one_thread):
        reporter.note(line)
    if options.tensorboard:
        start_tensorboard(accelerator, plan.run.folder)
    finished = False
    try:
        keep_freed_memory()
        with others_may_end(), threads(options.one_thread.on), compiled_networks(model, options.compiled.on):
            finished = training.run_to_end()
    except RunError:
        _end(training, manifest, "failed")
        raise
    except KeyboardInterrupt:
        _end(training, manifest, "interrupted")
        raise Interrupted(plan.run) from None
    accelerator.wait_for_everyone()
    _end(training, manifest, "finished" if finished else "interrupted")
    if finished:
        checkpoint = plan.run.checkpoint
        weights = decided_by_main(lambda: read_weights(checkpoint).weights)
        load_weights(model, weights, str(checkpoint))
    model.eval()
    return plan.run


def _settings(
    training: TrainingSection, epochs: int | None, precision: Precision | None, compiled: bool | None
) -> TrainingSection:
    """The spec's training section with what the caller wants otherwise."""
    if epochs is not None and epochs < 1:
        raise RunError(f"{epochs} epochs are not a training", "ask for at least one epoch")
    asked = {"epochs": epochs, "precision": precision, "compile": compiled}
    return training.model_copy(update={name: value for name, value in asked.items() if value is not None})


def _folder(model: Model, out: Path | str | None, resume: bool) -> Path:
    """Where the run is."""
    name = run_name(model)
    if resume:
        return latest_folder(name) if out is None else find_run(out).folder
    return new_folder(None if out is None else Path(out), name)


def run_name(model: Model) -> str:
    """The spec's name, else its file's, else `run`: what a run folder is called by default."""
    written = Path(model.graphs.source.name)
    return model.graphs.spec.name or (written.stem if written.suffix in (".yaml", ".yml") else "") or "run"


def _plan(model: Model, data: "PreparedData", options: Options) -> RunPlan:
    spec = model.graphs.spec.model_copy(update={"training": options.training})
    return RunPlan(
        run=Run(options.folder),
        data=data,
        training=options.training,
        criterion=Criterion.of(model.graphs, len(data.validation.source)),
        spec=spec_as_yaml(spec),
        tensorboard=options.tensorboard,
        compiled=options.compiled.on,
        profile=options.profile,
    )


def _begin(training: Training, options: Options) -> dict[str, Any]:
    """Write what a run folder has before its first epoch; a resumed one keeps its past, cut to the saved epoch."""
    plan, accelerator, graphs = training.plan, training.accelerator, training.model.graphs
    where = placement(accelerator)
    manifest = first_manifest(graphs, plan.training, plan.data.manifest(), where, options.command, options.compiled.on)
    manifest["choices"] = {"precision": options.precision.reason, "compile": options.compiled.reason}
    if not accelerator.is_main_process:
        return manifest
    run = plan.run
    if options.resume:
        earlier = run.manifest()
        again = [*earlier.get("resumed", []), {"at": manifest["started"], "command": manifest["command"]}]
        manifest |= {"started": earlier.get("started"), "command": earlier.get("command"), "resumed": again}
        cut_records(run.metrics_file, training.position.epoch)
    else:
        run.folder.mkdir(parents=True, exist_ok=True)
        write_text(run.spec_file, graphs.source.text)
    write_text(run.resolved_file, plan.spec)
    write_manifest(run.manifest_file, manifest)
    if not options.resume:
        save_state(
            run.state_file, training.state(training.meter.state())
        )  # from here on, a kill at any moment can be resumed
    return manifest


def _end(training: Training, manifest: dict[str, Any], status: str) -> None:
    """Say in the manifest how it went."""
    plan, position = training.plan, training.position
    if training.accelerator.is_main_process:
        facts = {
            "status": status,
            "epochs": position.epoch,
            "epochs_asked": plan.training.epochs,
            "step": position.step,
            "best_epoch": position.best.epoch,
            "select": plan.criterion.name,
            "wall_seconds": round(position.seconds, 3),
            **training.times.speed().facts(),
        }
        if (plan.run.folder / TRACE).exists():
            facts["profile"] = TRACE
        write_manifest(plan.run.manifest_file, manifest | facts)
    for tracker in training.accelerator.trackers:  # `end_training` would also part from the other processes
        tracker.finish()
