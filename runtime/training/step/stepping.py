"""One update of the weights: rows, noise, loss, gradients, optimizer.

From: a `BatchRows` (which rows) and where the schedules stand. To: changed weights, and numbers in the meter.
Everything random follows from the seed and the step's number, and a row's from its place in the whole batch, so that
any number of processes takes the same step.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.model.model import Model
from compiler.model.training_of_networks import rate_factors
from compiler.symbolic.agreement import agreements
from compiler.symbolic.schedules import ObjectiveWeights, Rates, value_at
from graphspec.language import TrainingSection
from runtime.data.randomness import Portion
from runtime.data.stream.streams import BatchRows
from runtime.errors import RunError
from runtime.training.processes.exchange import shared_gradients
from runtime.training.speed.timing import StepTimes
from runtime.training.step.averaging import Average
from runtime.training.step.consistency import Targets, Teacher
from runtime.training.step.loss import Loss, counted, patterns_of
from runtime.training.step.noise import BatchNoise
from runtime.training.step.optimizers import build_optimizer, set_learning_rate
from runtime.training.step.share import Share, share_of
from runtime.training.step.soft_labels import with_every_class
from runtime.training.step.step_metrics import NO_WEIGHTS, Meter

if TYPE_CHECKING:
    from accelerate import Accelerator

    from runtime.data import PreparedData


class Stepper:
    """The model, its optimizer and what one step needs. RunError if nothing can learn."""

    def __init__(
        self, model: Model, data: "PreparedData", training: TrainingSection, accelerator: "Accelerator"
    ) -> None:
        self.model, self.data, self.training, self.accelerator = model, data, training, accelerator
        model.to(accelerator.device)
        self._patterns = patterns_of(model, data.training)
        self.rates: Rates = replace(data.rates(), per_pattern=counted(model, self._patterns))
        model.rates = self.rates
        if not any(True for _ in model.parameters()):
            raise RunError(
                "there is nothing to train: every parameter of every factor is a constant",
                "leave one out of `parameters`, or write `learned`",
            )
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise RunError("there is nothing to train: every factor is frozen", "leave out `freeze` for one factor")
        self.optimizer = build_optimizer(training, model.parameters(), rate_factors(model))
        # the optimiser stays bare: accelerate's wrapper looks for a package on the path at every step, and without
        # loss scaling or accumulation it adds nothing; nor does its wrapper of the loss for a single process, whose
        # making takes half a second and 40 MiB
        self._loss: Callable[..., Any] = Loss(model, accelerator.num_processes)
        self._exchange = None
        if accelerator.num_processes > 1:
            self._exchange = shared_gradients(model, accelerator.device)
            if self._exchange is None:
                self._loss = accelerator.prepare(self._loss)
        self.meeting = None if self._exchange is None else self._exchange.meeting
        self.average, self._teacher = self._averaged()
        self.meter = Meter()
        self.times = StepTimes(accelerator.device, 0)
        factors = [*model.graphs.generative.values(), *model.graphs.recognition.values()]
        self._python = any(f.network is not None and f.network.kind == "python" for f in factors)

    def _averaged(self) -> tuple[Average | None, Teacher | None]:
        """The averaged weights that the spec or one of its regularisers asks for, and the model they make."""
        asked = agreements(self.model.graphs)
        decay = asked[0].decay if asked else self.training.ema
        if decay is None:
            return None, None
        average = Average(self.model, decay)
        return average, Teacher(self.model, self.data, average) if asked else None

    def take(self, step: BatchRows, epoch: float) -> None:
        """One update. epoch: where schedules stand."""
        weights = ObjectiveWeights.at(self.model.graphs, self.rates, epoch)
        accelerator, processes = self.accelerator, self.accelerator.num_processes
        share = share_of(step.unlabelled, step.labelled, weights.rho, accelerator.process_index, processes)
        clean = self._clean(share)
        inputs = self._inputs(share, step, clean)
        positions = inputs.pop("positions")
        set_learning_rate(self.optimizer, value_at(self.training.learning_rate, epoch))
        self.times.mark("data")
        if self._python:  # a user's module may draw from torch's own generator
            torch.manual_seed(step.seed_for(f"python {accelerator.process_index}"))
        with accelerator.autocast():
            targets = self._targets(step, epoch, share, clean, inputs["rows"])
            loss, evaluation = self._loss(weights=weights, targets=targets, **inputs)
        self.times.mark("forward")
        if not loss.requires_grad:
            raise RunError(
                "there is nothing to train: no weight has a part in the objective",
                "what is to be learned needs a place in a factor that is no standard prior, or `learned` parameters",
            )
        if self._exchange is None:  # accelerate averages gradients over processes, and our shares are to be added up
            accelerator.backward(loss * processes)
        else:
            accelerator.backward(loss)
            self._exchange.add_up()
        self.times.mark("backward")
        self._update(step)
        self.times.mark("optimizer")
        terms, effective = evaluation.terms, evaluation.effective_samples
        own = NO_WEIGHTS if targets is None else targets.term_weights()
        weights_of_rows = inputs["row_weights"]
        self.meter.add(loss, evaluation.bound, terms, effective, weights_of_rows, share.unlabelled, own, positions)

    def _clean(self, share: Share) -> dict[str, Tensor]:
        """This process's rows on the device, as they are in the data."""
        data, device = self.data, self.accelerator.device
        return data.training.batch(share.positions, self.model.dtype, device, short=data.may_be_short)

    def _inputs(self, share: Share, step: BatchRows, clean: Mapping[str, Tensor]) -> dict[str, Any]:
        """The rows augmented and binarized as the spec says, with weights and noise."""
        device = self.accelerator.device
        portion = None if share.places is None else Portion(share.size, share.places)
        rows = self.data.augment(clean, step.generator("augment", device), portion)
        inputs = {
            "rows": self.data.binarize(rows, step.generator("binarize", device), portion),
            "row_weights": share.weights.to(device, self.model.dtype),
            "noise": BatchNoise(step.seed_for("noise"), share.size, share.places, device),
            "patterns": self._patterns[share.positions],
            "positions": share.positions,
        }
        weights = {name: of_rows[share.positions] for name, of_rows in self.data.weights.items()}
        return with_every_class(inputs, weights) if weights else inputs

    def _targets(
        self, step: BatchRows, epoch: float, share: Share, clean: Mapping[str, Tensor], seen: Mapping[str, Tensor]
    ) -> Targets | None:
        """What the averaged model says of the rows as they are, where the spec has them agree."""
        if self._teacher is None:
            return None
        return self._teacher.targets(step, epoch, share, clean, seen, self._patterns[share.positions])

    def _update(self, step: BatchRows) -> None:
        if self.training.gradient_clip is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.training.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update(step.number)
