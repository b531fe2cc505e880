"""graphspec itself, as `graphspec train` runs it: spec -> Model -> `fit`. The reporter is the only hook."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from benchmarks.contender import Case, Losses
from benchmarks.graphspec_weights import fill
from benchmarks.hand import losses_of
from benchmarks.settings import Implementation, Setting
from benchmarks.whole_training import WholeTraining
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from runtime.training.step.compilation import compiled_networks
from runtime.training.step.loss import Loss
from runtime.training.step.share import share_of


class CompiledSpec(WholeTraining):
    """The setting's spec, whose loss is held against the others'; see `Contender`."""

    def __init__(
        self, setting: Setting, implementation: Implementation, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> None:
        super().__init__(setting, implementation, dtype, device)
        self.setting = setting

    def losses(self, case: Case) -> Losses:
        """The loss that the training step calls, on the case's rows and noise."""
        fill(self.model, case.weights, turned=self.setting.turned)
        self.model.to(self.device).train()
        rows = {name: values.to(self.device) for name, values in self._rows(case).items()}
        counts = (len(case.unlabelled), len(case.labelled))
        weights = ObjectiveWeights.at(self.model.graphs, None, 0.0)
        positions = torch.arange(sum(counts))
        share = share_of(positions[: counts[0]], positions[counts[0] :], weights.rho)
        row_weights = share.weights.to(self.device, self.dtype)
        loss = Loss(self.model)

        def value(eps: Mapping[str, Tensor]) -> Tensor:
            with torch.autocast(self.device, torch.bfloat16, enabled=self.implementation.bf16):
                found: Tensor = loss(rows, row_weights, weights, GivenNoise(eps))[0]
            return found

        with compiled_networks(self.model, self.implementation.compiled):
            return losses_of(value, case.on(self.device).draws, list(self.model.parameters()))

    def _rows(self, case: Case) -> dict[str, Tensor]:
        """The case's rows by the spec's variables."""
        x = torch.cat([case.unlabelled, case.labelled])
        labels = torch.cat([torch.full((len(case.unlabelled),), -1), case.labels])
        if self.setting.rows_from == "table":
            age, _, _, glucose, visits, smoker, site = x.unbind(1)
            named = {"age": age, "labs": x[:, 1:3], "glucose": glucose, "visits": visits}
            return named | {"smoker": smoker, "site": site, self.setting.label: labels}
        return {"x": (x.flip(1) if self.setting.turned else x).reshape(-1, 1, 28, 28), self.setting.label: labels}


class GivenNoise(Noise):
    """The case's draws, by variable; `places` are the rows at hand."""

    in_order = False

    def __init__(self, eps: Mapping[str, Tensor], places: Tensor | None = None) -> None:
        size = next(iter(eps.values())).shape[1]
        super().__init__(0, size if places is None else len(places))
        self.eps, self.places = eps, torch.arange(size) if places is None else places

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """[*lead, n, *event]."""
        return self._rows(name, lead)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """[*lead, n, *event]."""
        return self._rows(name, lead)

    def _rows(self, name: str, lead: Sequence[int]) -> Tensor:
        values = self.eps[name]
        found = values.index_select(1, self.places.to(values.device))
        return found if lead else found[0]

    def select(self, rows: slice | Tensor) -> "GivenNoise":
        """The draws of some of the rows at hand."""
        return GivenNoise(self.eps, self.places[rows])
