"""`fit`: everything around the loop: data, folder, manifest, resuming, and the weights handed back at the end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from compiler.module import Model
from graphspec.resolved import differences, spec_as_plain, spec_as_yaml
from graphspec.schema import TrainingSection
from runtime.errors import RunError
from runtime.run import Run, find_run, graphs_of, latest_folder, new_folder
from runtime.training.checkpoints import load_weights, read_weights, write_text
from runtime.training.compilation import compiled_networks
from runtime.training.devices import (
    Precision,
    build_accelerator,
    placement,
    require_tensorboard,
    start_tensorboard,
    told_to_all,
)
from runtime.training.initialization import initialize
from runtime.training.loop import Plan, Training
from runtime.training.manifest import first_manifest, write_manifest
from runtime.training.progress import Reporter, choose_reporter
from runtime.training.records import cut_records
from runtime.training.selection import Criterion
from runtime.training.state import TrainState, read_state, save_state

if TYPE_CHECKING:
    from accelerate import Accelerator

    from runtime.data import PreparedData

_MAY_CHANGE = frozenset({"name", "description", "training.epochs", "training.patience"})
"""Fields that a resumed training may have otherwise: no step taken so far depends on them."""

_DATA_FACTS = {
    "fingerprint": "the source's contents",
    "labelled": "the labelled rows",
    "validation": "the validation rows",
    "test": "the test rows",
}


@dataclass(frozen=True)
class Options:
    """What is asked of one call of `fit`, apart from the model and its data."""

    folder: Path
    resume: bool
    training: TrainingSection
    compiled: bool
    tensorboard: bool
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
    progress: bool | Reporter = True,
    command: Sequence[str] | None = None,
) -> Run:
    """Train `model` as its spec says and return the run folder; afterwards the model holds the selected weights.

    data: prepared rows; left out, the spec's own `data` section is read. out: the run folder, by default runs/NAME.
    resume: go on with the run in `out` (by default the newest runs/NAME*); its weights replace the model's.
    epochs, precision, compile_step: instead of the spec's training section. device: auto, cpu, cuda, cuda:1.
    progress: a bar or lines on standard output, nothing, or a Reporter of your own.
    Ctrl-C ends training after the current step; the run is then not `finished` and can be resumed.
    Raises RunError (DataError for the data); never overwrites another run.
    """
    if tensorboard:
        require_tensorboard()
    training = _settings(model.graphs.spec.training, epochs, precision, compile_step)
    accelerator = build_accelerator(device, training.precision)
    options = Options(
        folder=_folder(model, out, resume, accelerator),
        resume=resume,
        training=training,
        compiled=training.compile is True,
        tensorboard=tensorboard,
        command=command,
    )
    reporter = choose_reporter(progress) if isinstance(progress, bool) else progress
    if data is None:
        with accelerator.main_process_first():
            data = _prepare(model, data_dir)
    return _train(model, data, options, accelerator, reporter)


def _train(model: Model, data: "PreparedData", options: Options, accelerator: "Accelerator", reporter: Reporter) -> Run:
    plan = _plan(model, _near(data, accelerator.device), options)
    state = _state_to_resume(plan) if options.resume else None
    if state is None:
        initialize(model, Path(model.graphs.source.name).parent)
    training = Training(model, plan, accelerator, reporter)
    if state is not None:
        training.restore(state)
    manifest = _begin(training, options)
    if options.tensorboard:
        start_tensorboard(accelerator, plan.run.folder)
    finished = False
    try:
        with compiled_networks(model, options.compiled):
            finished = training.run_to_end()
    except RunError:
        _end(training, manifest, "failed")
        raise
    accelerator.wait_for_everyone()
    _end(training, manifest, "finished" if finished else "interrupted")
    if finished:
        load_weights(model, read_weights(plan.run.checkpoint).weights, str(plan.run.checkpoint))
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


def _prepare(model: Model, data_dir: Path | None) -> "PreparedData":
    from runtime.data import prepare

    if model.graphs.spec.data is None:
        raise RunError("the spec has no `data` section, so there is nothing to train on", "add `data: {source: ...}`")
    return prepare(model.graphs, data_dir=data_dir, spec_path=Path(model.graphs.source.name))


def _near(data: "PreparedData", device: torch.device) -> "PreparedData":
    """Training rows on the GPU where they fill at most a quarter of what is free there: no copy per step."""
    if device.type != "cuda":
        return data
    size = sum(values.nbytes for values in data.training.values.values())
    fits = size <= torch.cuda.mem_get_info(device)[0] / 4
    return replace(data, training=data.training.to(device)) if fits else data


def _folder(model: Model, out: Path | str | None, resume: bool, accelerator: "Accelerator") -> Path:
    """Where the run is, decided by the main process for all."""
    chosen = None
    if accelerator.is_main_process:
        name = run_name(model)
        if resume:
            chosen = latest_folder(name) if out is None else find_run(out).folder
        else:
            chosen = new_folder(None if out is None else Path(out), name)
    return Path(str(told_to_all(accelerator, chosen)))


def run_name(model: Model) -> str:
    """The spec's name, else its file's, else `run`: what a run folder is called by default."""
    written = Path(model.graphs.source.name)
    return model.graphs.spec.name or (written.stem if written.suffix in (".yaml", ".yml") else "") or "run"


def _plan(model: Model, data: "PreparedData", options: Options) -> Plan:
    spec = model.graphs.spec.model_copy(update={"training": options.training})
    return Plan(
        run=Run(options.folder),
        data=data,
        training=options.training,
        criterion=Criterion.of(model.graphs, len(data.validation.source)),
        spec=spec_as_yaml(spec),
        tensorboard=options.tensorboard,
    )


def _state_to_resume(plan: Plan) -> TrainState:
    """The saved state, if it belongs to this spec and these data; RunError says what is different."""
    state = read_state(plan.run.state_file)
    origin = str(plan.run.resolved_file)
    old, new = (spec_as_plain(graphs_of(text, origin).spec) for text in (state.spec, plan.spec))
    changed = [found for found in differences(old, new) if found[0] not in _MAY_CHANGE]
    if changed:
        what = "; ".join(f"{name} was {_shown(before)}, is {_shown(now)}" for name, before, now in changed[:5])
        raise RunError(
            f"the spec is not the one that {plan.run.folder} was trained with: {what}",
            "resume with the old values (only epochs and patience may change), or train into another folder",
        )
    _check_rows(plan)
    done = state.position.epoch + (1 if state.position.batch else 0)
    if plan.training.epochs < done:
        raise RunError(
            f"{plan.run.folder} has finished epoch {state.position.epoch} already, more than the "
            f"{plan.training.epochs} asked for",
            "raise training.epochs, or train into another folder",
        )
    return state


def _check_rows(plan: Plan) -> None:
    """RunError if a resumed training would see other rows, or rows in other splits, than before."""
    before, now = plan.run.manifest(), json.loads(json.dumps(plan.data.manifest()))
    changed = [words for key, words in _DATA_FACTS.items() if before.get(key) != now.get(key)]
    if changed:
        raise RunError(
            f"the data are not the ones that {plan.run.folder} was trained with: {', '.join(changed)} changed",
            "bring the old data back, or train into another folder",
        )


def _shown(value: Any) -> str:
    text = json.dumps(value) if value is not None else "absent"
    return text if len(text) <= 60 else text[:57] + "..."


def _begin(training: Training, options: Options) -> dict[str, Any]:
    """Write what a run folder has before its first epoch; a resumed one keeps its past, cut to the saved epoch."""
    plan, accelerator, graphs = training.plan, training.accelerator, training.model.graphs
    where = placement(accelerator)
    manifest = first_manifest(graphs, plan.training, plan.data.manifest(), where, options.command, options.compiled)
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
        save_state(run.state_file, training.state())  # from here on, a kill at any moment can be resumed
    return manifest


def _end(training: Training, manifest: dict[str, Any], status: str) -> None:
    """Say in the manifest how it went."""
    plan, position = training.plan, training.position
    if training.accelerator.is_main_process:
        facts = {
            "status": status,
            "epochs": position.epoch,
            "best_epoch": position.best.epoch,
            "select": plan.criterion.name,
            "wall_seconds": round(position.seconds, 3),
        }
        write_manifest(plan.run.manifest_file, manifest | facts)
    training.accelerator.end_training()
