"""One update of the weights: rows, noise, loss, gradients, optimizer.

From: a `Step` (which rows) and where the schedules stand. To: changed weights, and numbers in the meter. Everything
random follows from the seed and the step's number, and a row's from its place in the whole batch, so that any number of
processes takes the same step.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.module import Model
from compiler.weights import ObjectiveWeights, Rates, value_at
from graphspec.schema import TrainingSection
from runtime.data.randomness import Portion
from runtime.data.streams import Step
from runtime.errors import RunError
from runtime.training.averaging import Average
from runtime.training.loss import Loss, Share, patterns_of, share_of
from runtime.training.metrics import Meter
from runtime.training.noise import BatchNoise
from runtime.training.optimizers import build_optimizer, set_learning_rate
from runtime.training.timing import StepTimes

if TYPE_CHECKING:
    from accelerate import Accelerator

    from runtime.data import PreparedData


class Stepper:
    """The model, its optimizer and what one step needs. RunError if nothing can learn."""

    def __init__(
        self, model: Model, data: "PreparedData", training: TrainingSection, accelerator: "Accelerator"
    ) -> None:
        self.model, self.data, self.training, self.accelerator = model, data, training, accelerator
        self.rates: Rates = data.rates()
        model.to(accelerator.device)
        model.rates = self.rates
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise RunError("there is nothing to train: every factor is frozen", "leave out `freeze` for one factor")
        self.optimizer = build_optimizer(training, model.parameters())
        loss, self._prepared_optimizer = accelerator.prepare(Loss(model), self.optimizer)
        self._loss: Callable[..., Any] = loss
        self.average = None if training.ema is None else Average(model, training.ema)
        self.meter = Meter()
        self.times = StepTimes(accelerator.device, 0)
        self._patterns = patterns_of(model, data.training)
        factors = [*model.graphs.generative.values(), *model.graphs.recognition.values()]
        self._python = any(f.network is not None and f.network.kind == "python" for f in factors)

    def take(self, step: Step, epoch: float) -> None:
        """One update. epoch: where schedules stand."""
        weights = ObjectiveWeights.at(self.model.graphs, self.rates, epoch)
        accelerator, processes = self.accelerator, self.accelerator.num_processes
        share = share_of(step.unlabelled, step.labelled, weights.rho, accelerator.process_index, processes)
        inputs = self._inputs(share, step)
        set_learning_rate(self.optimizer, value_at(self.training.learning_rate, epoch))
        if self._python:  # a user's module may draw from torch's own generator
            torch.manual_seed(step.seed_for(f"python {accelerator.process_index}"))
        self.times.mark("data")
        with accelerator.autocast():
            loss, evaluation = self._loss(weights=weights, **inputs)
        self.times.mark("forward")
        # gradients are averaged over processes, while the shares of a batch add up
        accelerator.backward(loss * processes)
        self.times.mark("backward")
        self._update(step)
        self.times.mark("optimizer")
        terms, effective = evaluation.terms, evaluation.effective_samples
        self.meter.add(loss, evaluation.bound, terms, effective, inputs["row_weights"], share.unlabelled)

    def _inputs(self, share: Share, step: Step) -> dict[str, Any]:
        """This process's rows on the device, augmented and binarized as the spec says, with weights and noise."""
        device, dtype = self.accelerator.device, self.model.dtype
        portion = None if share.places is None else Portion(share.size, share.places)
        rows: dict[str, Tensor] = self.data.training.batch(share.positions, dtype, device)
        rows = self.data.augment(rows, step.generator("augment", device), portion)
        return {
            "rows": self.data.binarize(rows, step.generator("binarize", device), portion),
            "row_weights": share.weights.to(device, dtype),
            "noise": BatchNoise(step.seed_for("noise"), share.size, share.places, device),
            "patterns": self._patterns[share.positions],
        }

    def _update(self, step: Step) -> None:
        if self.training.gradient_clip is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.training.gradient_clip)
        self._prepared_optimizer.step()
        self._prepared_optimizer.zero_grad()
        if self.average is not None:
            self.average.update(step.number)
