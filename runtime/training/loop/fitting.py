"""`fit`: everything around the loop: data, folder, manifest, resuming, and the weights handed back at the end."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.model.model import Model
from graphspec.describe.resolved import spec_as_yaml
from graphspec.graphs.start import Start
from graphspec.language import TrainingSection
from runtime.data.stream.streams import steps_per_epoch
from runtime.errors import RunError
from runtime.measures.temperature import temperatures_of
from runtime.runs.checkpoints import load_weights, read_weights
from runtime.runs.claiming import Claim, claim_new, claim_old, latest_folder, name_of_file
from runtime.runs.records import understood
from runtime.runs.run_folder import Run, starts_in
from runtime.training.loop.bookkeeping import Bookkeeper
from runtime.training.loop.initialization import initialize, with_earlier_starts
from runtime.training.loop.loop import Training
from runtime.training.loop.manifest import write_manifest
from runtime.training.loop.progress import Reporter, SilentReporter, UntilGone, choose_reporter
from runtime.training.loop.resuming import Resumption, state_to_resume
from runtime.training.loop.run_plan import RunPlan
from runtime.training.loop.selection import Criterion
from runtime.training.processes.collectives import decided_by_main, main_process_first, others_may_end, processes
from runtime.training.processes.devices import (
    Precision,
    build_accelerator,
    join_processes,
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
            data = prepare_rows(model, data_dir, run_to_resume(model, out) if resume else None)
    model.graphs = model.graphs.with_names(data.class_names)
    same_everywhere(data)
    folder, saved, claim = _claim(model, out, resume)
    with claim or nullcontext():
        before = decided_by_main(lambda: Run(folder).manifest()) if saved else None
        data = replace(data, starts=_starts(model, data, Run(folder), before))
        model.begin_at(data.starts)
        steps = steps_per_epoch(data, training.batch_size, training.labelled_batch_size)
        gflop = step_gflop(model, *rows_per_step(training, len(data.unlabelled), len(data.labelled)))
        options = Options(
            folder=folder,
            resume=saved,
            training=training,
            precision=choose_precision(training.precision, place, model.dtype, gflop, before),
            compiled=choose_compile(training, place, model.dtype, steps * training.epochs, gflop, before),
            one_thread=choose_one_thread(place, gflop),
            tensorboard=tensorboard,
            profile=profile,
            command=command,
        )
        reporter = UntilGone(choose_reporter(progress) if isinstance(progress, bool) else progress)
        if claim is not None:
            _tell_of(claim, reporter)
        return _train(model, data, options, build_accelerator(place, options.precision.on), reporter)


def _claim(model: Model, out: Path | str | None, resume: bool) -> tuple[Path, bool, Claim | None]:
    """(folder, whether a saved state is there to go on from) in every process; the claim in the main one alone."""
    mine: list[Claim] = []

    def decide() -> tuple[Path, bool]:
        claim = (claim_old if resume else claim_new)(
            None if out is None else Path(out), run_name(model), model.graphs.source.text
        )
        mine.append(claim)
        return claim.folder, claim.resume

    folder, saved = decided_by_main(decide)
    return folder, saved, mine[0] if mine else None


def _tell_of(claim: Claim, reporter: Reporter) -> None:
    if claim.note:
        reporter.note(claim.note)
    if claim.begun:
        reporter.note(f"{claim.folder} has no saved state, as after a kill in its first moments: it begins again")


def _train(model: Model, data: "PreparedData", options: Options, accelerator: "Accelerator", reporter: Reporter) -> Run:
    if not accelerator.is_main_process:
        reporter = SilentReporter()
    plan = _plan(model, near(data, accelerator.device), options)
    resumed = _before(model, plan, options)
    training = Training(model, plan, accelerator, reporter)
    if resumed is not None:
        training.restore(resumed.state)
    choices = {"precision": options.precision.reason, "compile": options.compiled.reason}
    book = Bookkeeper(training, options.command, choices, resumed)
    if processes() > 1:
        reporter.note(f"{processes()} processes share out the rows of each step")
    if plan.criterion.note:
        reporter.note(plan.criterion.note)
    chosen = describe_choices(options.precision, options.compiled, options.one_thread)
    for line in () if resumed is None else resumed.lost:
        reporter.warning(line)
    for line in chosen:
        reporter.note(line)
    manifest = book.manifest()
    try:
        book.begin(manifest)
        if options.tensorboard:
            start_tensorboard(accelerator, plan.run.folder)
        keep_freed_memory()
        with others_may_end(), threads(options.one_thread.on), compiled_networks(model, options.compiled.on):
            finished = training.run_to_end()
        accelerator.wait_for_everyone()
        book.end(manifest, "finished" if finished else "interrupted", {})
    except RunError as error:
        raise book.fail(manifest, error) from None
    except KeyboardInterrupt:
        book.end(manifest, "interrupted", {})
        raise Interrupted(plan.run) from None
    if finished:
        checkpoint = plan.run.checkpoint
        weights = decided_by_main(lambda: read_weights(checkpoint).weights)
        load_weights(model, weights, str(checkpoint))
    model.eval()
    if finished and accelerator.is_main_process:
        _keep_temperatures(model, data, plan.run)
    return plan.run


def _keep_temperatures(model: Model, data: "PreparedData", run: Run) -> None:
    """How sure answers may be, by validation rows, in the manifest. (After the weights: it is of the selected ones.)"""
    found = temperatures_of(model, data)
    if found:
        told = {name: temperature.to_json() for name, temperature in found.items()}
        write_manifest(run.manifest_file, {**run.manifest(), "calibration": told})


def _before(model: Model, plan: RunPlan, options: Options) -> Resumption | None:
    """What is gone on from: a saved state, other runs' weights (which the model then has), or nothing."""
    if options.resume:
        return decided_by_main(lambda: state_to_resume(plan))
    decided_by_main(lambda: initialize(model, Path(model.graphs.source.name).parent))
    return None


def _starts(model: Model, data: "PreparedData", run: Run, before: Mapping[str, Any] | None) -> dict[str, Start]:
    """Where far variables start: as the resumed run had it, or those that it starts from, else as the data say."""
    if before is not None:
        with understood(run.manifest_file):
            return starts_in(before)
    folder = Path(model.graphs.source.name).parent
    return decided_by_main(lambda: with_earlier_starts(model.graphs, folder, data.starts))


def _settings(
    training: TrainingSection, epochs: int | None, precision: Precision | None, compiled: bool | None
) -> TrainingSection:
    """The spec's training section with what the caller wants otherwise."""
    if epochs is not None and epochs < 1:
        raise RunError(f"{epochs} epochs are not a training", "ask for at least one epoch")
    asked = {"epochs": epochs, "precision": precision, "compile": compiled}
    return training.model_copy(update={name: value for name, value in asked.items() if value is not None})


def run_to_resume(model: Model, out: Path | str | None) -> Run | None:
    """The run that `resume` goes on with; None where a kill left nothing of it yet. RunError if there is no folder."""
    run = Run(latest_folder(run_name(model)) if out is None else Path(out))
    return run if run.manifest_file.is_file() else None


def run_name(model: Model) -> str:
    """The spec's name, else its file's, else `run`: what a run folder is called by default."""
    return model.graphs.spec.name or name_of_file(model.graphs.source.name) or "run"


def _plan(model: Model, data: "PreparedData", options: Options) -> RunPlan:
    before = str(Run(options.folder).manifest().get("select", "")) if options.resume else ""
    spec = model.graphs.spec.model_copy(update={"training": options.training})
    return RunPlan(
        run=Run(options.folder),
        data=data,
        training=options.training,
        criterion=Criterion.of(
            model.graphs,
            len(data.validation.source),
            {counts.name: counts.measured["validation"] for counts in data.label_counts},
            before,
        ),
        spec=spec_as_yaml(spec),
        tensorboard=options.tensorboard,
        compiled=options.compiled.on,
        profile=options.profile,
    )
