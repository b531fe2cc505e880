"""Training: epochs of steps, validation, checkpoints.

From: a `Model` and `PreparedData`. To: a run folder, and the model holding the selected weights.
Not here: what a batch is (`runtime.data`), what the objective is (`compiler`), how things are shown (`progress`).
Everything random in a step follows from the seed and the step's number, so a resumed training takes the same steps.
"""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights, value_at
from runtime.data.stream.streams import BatchRows, epoch_batches, steps_per_epoch
from runtime.errors import UnwritableError
from runtime.measures.evaluation import evaluate_rows
from runtime.runs.checkpoints import load_weights
from runtime.runs.records import append_record, flat
from runtime.training.loop.effective_samples import Collapse, mean_effective_samples
from runtime.training.loop.epoch_files import Saving, Weights
from runtime.training.loop.health import check_weights, refuse_broken
from runtime.training.loop.initialization import Frozen
from runtime.training.loop.interruption import StopRequest
from runtime.training.loop.progress import Clock, Reporter
from runtime.training.loop.run_plan import TRACE, RunPlan
from runtime.training.loop.state import Position, TrainState, load_optimizer, not_a_state
from runtime.training.processes.collectives import StopVote, Wish, from_all, processes, told_to_all
from runtime.training.speed.profiling import Profile, describe_table
from runtime.training.speed.timing import StepTimes, first_steps
from runtime.training.step.optimizers import trained_by
from runtime.training.step.step_metrics import Meter, MeterState, StepInfo
from runtime.training.step.stepping import Stepper

if TYPE_CHECKING:
    from accelerate import Accelerator


SAVE_INTERVAL = 600.0
"""Seconds after which a long epoch is saved before its end."""


class Training:
    """The moving parts. `run_to_end` is the whole story."""

    def __init__(self, model: Model, plan: RunPlan, accelerator: "Accelerator", reporter: Reporter) -> None:
        self.model, self.plan, self.accelerator, self.reporter = model, plan, accelerator, reporter
        self.position = self.saved = Position()
        self.saving = Saving(plan.run, plan.spec)
        self.frozen = Frozen(model)
        self.stepper = Stepper(model, plan.data, plan.training, accelerator)
        self.meter, self.average = self.stepper.meter, self.stepper.average
        self.steps_per_epoch = steps_per_epoch(plan.data, plan.training.batch_size, plan.training.labelled_batch_size)
        self.collapse = Collapse(model.graphs.spec.objective.samples)
        self._agreement = StopVote(self.stepper.meeting)

    @property
    def times(self) -> StepTimes:
        """How long the steps of this session took."""
        return self.stepper.times

    # --- resuming -------------------------------------------------------------------------------------------------

    def restore(self, state: TrainState) -> None:
        """Stand where `state` was saved, by however many processes. RunError where it is not of this model."""
        file = self.plan.run.state_file
        load_weights(self.model, state.weights, str(file))
        optimizer = self.stepper.optimizer
        load_optimizer(optimizer, state.optimizer, trained_by(optimizer), file)
        try:
            if self.average is not None:
                self.average.load(state.average)
            self.meter.restore(*state.meter, device=self.accelerator.device)
        except ValueError as error:
            raise not_a_state(file, str(error)) from None
        if not self.accelerator.is_main_process:
            self.meter.restart()  # what was logged before counts once
        self.position = self.saved = state.position
        self.collapse.look_back(self.plan.run.metrics())

    def save(self) -> None:
        """The state before the first step, or as it was restored; `saved` is where a resumed training would stand."""
        self._write_state(self.meter.state())

    def _write_state(self, meter: MeterState) -> None:
        """meter: the log of the open epoch, of all processes."""
        if self.accelerator.is_main_process:
            self.saving.state(self._state(meter))
        self.saved = self.position

    def _write_waiting(self) -> None:
        """Write what the last epochs left; nothing where it is written already."""
        self.saved = self.saving.write_all() or self.saved

    def _state(self, meter: MeterState) -> TrainState:
        """Everything `restore` needs."""
        return TrainState(
            position=self.position,
            weights=self.model.state_dict(),
            average={} if self.average is None else self.average.tensors(),
            optimizer=self.stepper.optimizer.state_dict()["state"],
            meter=meter,
            spec=self.plan.spec,
        )

    # --- the story ------------------------------------------------------------------------------------------------

    def run_to_end(self) -> bool:
        """Train until the last epoch or until patience runs out: True. False if somebody asked to stop before."""
        clock = Clock(self.position.seconds)
        training, done = self.plan.training, self.position.step
        left = training.epochs * self.steps_per_epoch - done
        profile = self._profile(left)
        left_out = first_steps(left, self.steps_per_epoch if self.plan.compiled else 0, profile is not None)
        self.stepper.times = StepTimes(self.accelerator.device, left_out)
        self.reporter.start(training.epochs, self.steps_per_epoch, done)
        try:
            if profile is not None:
                profile.start()
            with StopRequest(repeats=processes() > 1) as request:
                while not self.plan.over(self.position):
                    if not self._epoch(clock, request, profile):
                        return False
        except BaseException:
            with suppress(UnwritableError):  # what ended the training says it all
                self._write_waiting()
            raise
        finally:
            self.reporter.stop()
            if profile is not None:
                profile.stop()
        return True

    def _profile(self, steps: int) -> Profile | None:
        if not (self.plan.profile and self.accelerator.is_main_process):
            return None
        return Profile(self.model, self.plan.run.folder / TRACE, self.accelerator.device.type == "cuda", steps)

    def _epoch(self, clock: Clock, request: StopRequest, profile: Profile | None) -> bool:
        """One epoch, from `position.batch` on; False if interrupted (the state is saved)."""
        began, saved = clock.seconds, clock.seconds
        self.model.train()
        self.frozen.rest()
        self.times.go_on()
        for step in self._remaining_steps():
            self.times.mark("data")
            self._step(step)
            if profile is not None and profile.step():
                self._show(profile)
            last = self.position.batch == self.steps_per_epoch
            agreed = self._agreement.on(self._wish(request, clock, saved))
            self.times.step_over(len(step.unlabelled) + len(step.labelled))
            if agreed and not last:
                self.times.pause()
                self._save_within_epoch(clock)
                saved = clock.seconds
                self.times.go_on()
            if agreed is Wish.STOP and not last:
                return False
        self._finish_epoch(clock, began)
        stop = self._agreement.finish(Wish.STOP if request.asked else Wish.NOTHING) is Wish.STOP
        over = self.plan.over(self.position)
        if stop or over:
            self._write_waiting()
        return not stop or over

    def _wish(self, request: StopRequest, clock: Clock, saved: float) -> Wish:
        """What this process wants after a step; now and then it looks at its own numbers, and shows them."""
        broken = False
        if clock.due(self.reporter.interval):
            info = self.meter.read()
            broken = info.broken  # the processes find out together, in `_read`
            info = replace(info, loss=info.loss * self.accelerator.num_processes)  # estimated from this process's share
            self.reporter.step(self.position.epoch + 1, self.position.step, info)
        if request.asked:
            return Wish.STOP
        return Wish.SAVE if broken or clock.seconds - saved > SAVE_INTERVAL else Wish.NOTHING

    def _show(self, profile: Profile) -> None:
        title = f"profile of {profile.steps} steps, written to {profile.file}; milliseconds a step:"
        self.reporter.note("\n".join([title, *describe_table(profile.table)]))

    def _remaining_steps(self) -> Iterator[BatchRows]:
        """The open epoch's steps that are still to do."""
        training = self.plan.training
        all_steps = epoch_batches(
            self.plan.data, self.position.epoch, training.batch_size, training.labelled_batch_size, training.seed
        )
        left = islice(all_steps, self.position.batch, None)
        objective = self.model.graphs.spec.objective
        if ObjectiveWeights.at(self.model.graphs, self.stepper.rates, 0.0).rho < 1 or objective.consistency:
            return left
        # as many steps, but unlabelled rows, which weigh nothing, are not computed
        return (replace(step, unlabelled=step.unlabelled[:0]) for step in left)

    def _step(self, step: BatchRows) -> None:
        """One update."""
        self.stepper.take(step, step.number / self.steps_per_epoch)
        self.position = replace(self.position, step=step.number + 1, batch=self.position.batch + 1)

    # --- the end of an epoch --------------------------------------------------------------------------------------

    def _finish_epoch(self, clock: Clock, began: float) -> None:
        """Log, validate, save: at once, or after further epochs where they follow fast."""
        info = self._read()
        self.times.pause()
        check_weights(self.model, self.position.epoch, self.plan.run.folder)
        done = self.position.epoch + 1
        at_once = self.saving.due or processes() > 1
        self.model.eval()
        answering = self.average if self.plan.training.ema is not None else None
        with nullcontext() if answering is None else answering.in_place():
            validation = self._validate(weighed=bool(info.effective_samples))
            criterion = self.plan.criterion
            best = self.position.best.after(done, criterion.figure(validation), criterion.awaited(validation))
            self.position = replace(self.position, epoch=done, batch=0, best=best)
            record = self._record(info, validation, clock.seconds - began)
            if self.accelerator.is_main_process:
                append_record(self.plan.run.metrics_file, record)
                keep = self.saving.weights if at_once else self.saving.weights_later
                keep(self._weights(record), best.epoch == done)
        self.meter.restart()
        if at_once:
            self._save(clock, self.meter.state())
        else:
            self.position = replace(self.position, seconds=clock.seconds)
            self.saving.state_later(self._state(self.meter.state()))
        if self.plan.tensorboard:
            self.accelerator.log(dict(flat(record)), step=self.position.step)
        self.reporter.epoch(record)
        for warning in self.collapse.after(record):
            self.reporter.note(warning)

    def _validate(self, weighed: bool) -> dict[str, Any] | None:
        """Figures on the validation rows, measured by the main process and told to all.

        weighed: also the mean effective samples of those rows with their own labels.
        """
        data, found = self.plan.data, None
        if len(data.validation) and self.accelerator.is_main_process:
            seed = self.plan.training.seed
            found = evaluate_rows(self.model, data.validation, seed=seed, units=data.units, binarize=data.binarize)
            found.pop("notes", None)
            for figures in found["variables"].values():
                figures.pop("confusion", None)  # too long for a line an epoch
            if weighed:
                found["ess"] = mean_effective_samples(self.model, data.validation, seed, data.binarize)
        return told_to_all(found)

    def _record(self, info: StepInfo, validation: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
        epoch = float(self.position.epoch)
        return {
            "epoch": self.position.epoch,
            "step": self.position.step,
            "seconds": round(seconds, 3),
            "loss": info.loss,
            "rho": ObjectiveWeights.at(self.model.graphs, self.stepper.rates, epoch).rho,
            "learning_rate": value_at(self.plan.training.learning_rate, epoch),
            "terms": info.terms,
            "validation": validation,
            "ess": info.effective_samples,
        }

    def _weights(self, record: dict[str, Any]) -> Weights:
        facts = {name: record[name] for name in ("epoch", "step", "validation")} | {"rates": vars(self.stepper.rates)}
        facts["starts"] = {name: start.to_json() for name, start in self.model.graphs.starts.items()}
        return Weights(self.model.state_dict(), facts)

    def _save_within_epoch(self, clock: Clock) -> None:
        merged = self._merged()
        self._refuse_broken(merged.read())
        check_weights(self.model, self.position.epoch, self.plan.run.folder)
        self._save(clock, merged.state())

    def _save(self, clock: Clock, meter: MeterState) -> None:
        self.position = replace(self.position, seconds=clock.seconds)
        self._write_state(meter)

    def _merged(self) -> Meter:
        """The open epoch's log of all processes; each of them must ask."""
        if self.accelerator.num_processes == 1:
            return self.meter
        merged = Meter()
        for state in from_all(self.meter.state()):
            merged.take_in(state)
        return merged

    def _read(self) -> StepInfo:
        """The open epoch's numbers; RunError if the loss is not one. Nothing is saved after that."""
        info = self._merged().read()
        self._refuse_broken(info)
        return info

    def _refuse_broken(self, info: StepInfo) -> None:
        first = self.meter.first_bad() if info.broken else None
        refuse_broken(info, self.position.epoch, self.plan.run.folder, first, self.plan.data)
