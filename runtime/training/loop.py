"""Training: epochs of steps, validation, checkpoints.

From: a `Model` and `PreparedData`. To: a run folder, and the model holding the selected weights.
Not here: what a batch is (`runtime.data`), what the objective is (`compiler`), how things are shown (`progress`).
Everything random in a step follows from the seed and the step's number, so a resumed training takes the same steps.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from compiler.module import Model
from compiler.noise import Noise
from compiler.weights import ObjectiveWeights, Rates, value_at
from graphspec.schema import TrainingSection
from runtime.data.streams import Step, epoch_batches, steps_per_epoch
from runtime.errors import RunError
from runtime.evaluation import evaluate_rows
from runtime.run import Run
from runtime.training.averaging import Average
from runtime.training.checkpoints import load_weights, save_weights, write_copy
from runtime.training.devices import told_to_all
from runtime.training.initialization import Frozen
from runtime.training.interruption import StopRequest
from runtime.training.loss import Loss, share_of
from runtime.training.metrics import Meter, StepInfo
from runtime.training.optimizers import build_optimizer, set_learning_rate
from runtime.training.progress import Clock, Reporter
from runtime.training.records import append_record, flat
from runtime.training.selection import Criterion
from runtime.training.state import Position, TrainState, load_optimizer, save_state

if TYPE_CHECKING:
    from accelerate import Accelerator

    from runtime.data import PreparedData

SAVE_INTERVAL = 600.0
"""Seconds after which a long epoch is saved before its end."""


@dataclass(frozen=True)
class Plan:
    """What a training is given and never changes. `spec` is the resolved text that goes into every checkpoint."""

    run: Run
    data: "PreparedData"
    training: TrainingSection
    criterion: Criterion
    spec: str
    tensorboard: bool


class Training:
    """The moving parts. `run_to_end` is the whole story."""

    def __init__(self, model: Model, plan: Plan, accelerator: "Accelerator", reporter: Reporter) -> None:
        self.model, self.plan, self.accelerator, self.reporter = model, plan, accelerator, reporter
        self.rates: Rates = plan.data.rates()
        self.position = Position()
        self.meter = Meter()
        self.frozen = Frozen(model)
        model.to(accelerator.device)
        model.rates = self.rates
        self.average = None if plan.training.ema is None else Average(model, plan.training.ema)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise RunError("there is nothing to train: every factor is frozen", "leave out `freeze` for one factor")
        self.optimizer = build_optimizer(plan.training, model.parameters())
        loss, self.prepared_optimizer = accelerator.prepare(Loss(model), self.optimizer)
        self.loss: Callable[..., Any] = loss
        self.steps_per_epoch = steps_per_epoch(plan.data, plan.training.batch_size, plan.training.labelled_batch_size)
        self._python = any(f.network is not None and f.network.kind == "python" for f in _all_factors(model))

    # --- resuming -------------------------------------------------------------------------------------------------

    def restore(self, state: TrainState) -> None:
        """Stand where `state` was saved."""
        load_weights(self.model, state.weights, "the saved training state")
        if self.average is not None:
            self.average.load(state.average)
        load_optimizer(self.optimizer, state.optimizer)
        self.meter.restore(*state.meter, device=self.accelerator.device)
        self.position = state.position

    def state(self) -> TrainState:
        """Everything `restore` needs."""
        return TrainState(
            position=self.position,
            weights=self.model.state_dict(),
            average={} if self.average is None else self.average.tensors(),
            optimizer=self.optimizer.state_dict()["state"],
            meter=self.meter.state(),
            spec=self.plan.spec,
        )

    # --- the story ------------------------------------------------------------------------------------------------

    def run_to_end(self) -> bool:
        """Train until the last epoch or until patience runs out: True. False if somebody asked to stop before."""
        clock = Clock(self.position.seconds)
        self.reporter.start(self.plan.training.epochs, self.steps_per_epoch, self.position.step)
        try:
            with StopRequest() as request:
                while not self._over():
                    if not self._epoch(clock, request):
                        return False
        finally:
            self.reporter.stop()
        return True

    def _over(self) -> bool:
        training, position = self.plan.training, self.position
        out_of_patience = training.patience is not None and position.best.waited >= training.patience
        return position.epoch >= training.epochs or out_of_patience

    def _epoch(self, clock: Clock, request: StopRequest) -> bool:
        """One epoch, from `position.batch` on; False if interrupted (the state is saved)."""
        began, saved = clock.seconds, clock.seconds
        self.model.train()
        self.frozen.rest()
        for step in self._remaining_steps():
            self._step(step)
            if clock.due(self.reporter.interval):
                self.reporter.step(self.position.epoch + 1, self.position.step, self._read())
            if request.asked or clock.seconds - saved > SAVE_INTERVAL:
                self._read()
                self._check_weights()
                self._save(clock)
                saved = clock.seconds
            if request.asked:
                return False
        self._finish_epoch(clock, began)
        return not request.asked or self._over()

    def _remaining_steps(self) -> Iterator[Step]:
        """The open epoch's steps that are still to do."""
        training = self.plan.training
        all_steps = epoch_batches(
            self.plan.data, self.position.epoch, training.batch_size, training.labelled_batch_size, training.seed
        )
        return islice(all_steps, self.position.batch, None)

    def _step(self, step: Step) -> None:
        """One update."""
        training, accelerator = self.plan.training, self.accelerator
        epoch = step.number / self.steps_per_epoch
        weights = ObjectiveWeights.at(self.model.graphs, self.rates, epoch)
        process, processes = accelerator.process_index, accelerator.num_processes
        share = share_of(step.unlabelled, step.labelled, weights.rho, process, processes)
        rows = self._rows(share.positions, step)
        row_weights = share.weights.to(accelerator.device, self.model.dtype)
        noise = Noise(step.generator(f"noise {process}", accelerator.device), len(share.positions))
        set_learning_rate(self.optimizer, value_at(training.learning_rate, epoch))
        if self._python:  # a user's module may draw from torch's own generator
            torch.manual_seed(step.seed_for(f"python {process}"))
        with accelerator.autocast():
            loss, evaluation = self.loss(rows, row_weights, weights, noise)
        loss = loss * processes  # gradients are averaged over processes, while the shares of a batch add up
        accelerator.backward(loss)
        if training.gradient_clip is not None:
            accelerator.clip_grad_norm_(self.model.parameters(), training.gradient_clip)
        self.prepared_optimizer.step()
        self.prepared_optimizer.zero_grad()
        if self.average is not None:
            self.average.update(step.number)
        self.meter.add(
            loss, evaluation.bound, evaluation.terms, evaluation.effective_samples, row_weights, share.unlabelled
        )
        self.position = replace(self.position, step=step.number + 1, batch=self.position.batch + 1)

    def _rows(self, positions: torch.Tensor, step: Step) -> dict[str, torch.Tensor]:
        """The rows of a batch on the device: augmented and binarized as the spec says."""
        data, process = self.plan.data, self.accelerator.process_index
        rows = data.training.batch(positions, self.model.dtype)
        rows = {name: values.to(self.accelerator.device, non_blocking=True) for name, values in rows.items()}
        rows = data.augment(rows, step.generator(f"augment {process}", self.accelerator.device))
        return data.binarize(rows, step.generator(f"binarize {process}", self.accelerator.device))

    # --- the end of an epoch --------------------------------------------------------------------------------------

    def _finish_epoch(self, clock: Clock, began: float) -> None:
        """Log, validate, save. The state comes last: killed before it, training resumes at the epoch's start."""
        info = self._read()
        self._check_weights()
        done = self.position.epoch + 1
        self.model.eval()
        with nullcontext() if self.average is None else self.average.in_place():
            validation = self._validate()
            best = self.position.best.after(done, self.plan.criterion.figure(validation))
            self.position = replace(self.position, epoch=done, batch=0, best=best)
            record = self._record(info, validation, clock.seconds - began)
            if self.accelerator.is_main_process:
                append_record(self.plan.run.metrics_file, record)
                self._save_weights(record, is_best=best.epoch == done)
        self.meter.restart()
        self._save(clock)
        if self.plan.tensorboard:
            self.accelerator.log(dict(flat(record)), step=self.position.step)
        self.reporter.epoch(record)

    def _validate(self) -> dict[str, Any] | None:
        """Figures on the validation rows, measured by the main process and told to all."""
        data, found = self.plan.data, None
        if len(data.validation) and self.accelerator.is_main_process:
            seed = self.plan.training.seed
            found = evaluate_rows(self.model, data.validation, seed=seed, units=data.units, binarize=data.binarize)
            found.pop("notes", None)
        return told_to_all(self.accelerator, found)

    def _record(self, info: StepInfo, validation: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
        epoch = float(self.position.epoch)
        return {
            "epoch": self.position.epoch,
            "step": self.position.step,
            "seconds": round(seconds, 3),
            "loss": info.loss,
            "rho": ObjectiveWeights.at(self.model.graphs, self.rates, epoch).rho,
            "learning_rate": value_at(self.plan.training.learning_rate, epoch),
            "terms": info.terms,
            "validation": validation,
            "ess": info.effective_samples,
        }

    def _save_weights(self, record: dict[str, Any], is_best: bool) -> None:
        facts = {name: record[name] for name in ("epoch", "step", "validation")} | {"rates": vars(self.rates)}
        save_weights(self.plan.run.last_file, self.model.state_dict(), self.plan.spec, facts)
        if is_best:
            write_copy(self.plan.run.last_file, self.plan.run.best_file)

    def _save(self, clock: Clock) -> None:
        self.position = replace(self.position, seconds=clock.seconds)
        if self.accelerator.is_main_process:
            save_state(self.plan.run.state_file, self.state())

    def _read(self) -> StepInfo:
        """The open epoch's numbers; RunError if the loss is not one. Nothing is saved after that."""
        info = self.meter.read()
        if info.broken:
            terms = f" in {', '.join(info.culprits)}" if info.culprits else ""
            raise self._diverged(f"the objective became {_kind(info.loss)}{terms}")
        return info

    def _check_weights(self) -> None:
        """A gradient that is not finite shows in the loss one step later only: never save such weights."""
        for name, parameter in self.model.named_parameters():
            if not bool(parameter.isfinite().all()):
                factor = name.split(".")[1].replace("--", ".")
                raise self._diverged(f"weights of factor {factor} became not a number (its gradient did)")

    def _diverged(self, what: str) -> RunError:
        kept = self.position.epoch
        return RunError(
            f"{what}, in epoch {kept + 1}",
            "try a lower training.learning_rate or training.gradient_clip: 5, and look at the data's range; "
            + (f"epoch {kept} is kept in {self.plan.run.folder}" if kept else "no weights were kept"),
        )


def _all_factors(model: Model) -> list[Any]:
    return [*model.graphs.generative.values(), *model.graphs.recognition.values()]


def _kind(loss: float) -> str:
    return "infinite" if math.isinf(loss) else "not a number"
