"""What the model itself says to an exported query's arguments: the judge of every file."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from compiler.emission.query_class import QueryText
from compiler.emission.query_noise import Draw
from compiler.emission.query_plans import shows_classes
from compiler.model.model import Model
from compiler.model.row_summaries import summarize_rows
from compiler.tensors import blanks
from compiler.tensors.noise import Noise
from runtime.predicting.used_run import UsedRun


class HandedNoise(Noise):
    """The noise that a query is given, as a model takes it. draws: [B, *lead, *event] each."""

    in_order = False

    def __init__(self, draws: Mapping[Draw, Tensor], batch: int) -> None:
        super().__init__(torch.Generator().manual_seed(0), batch)
        self.draws = draws

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._at(Draw("normal", name, tuple(lead), tuple(event)), dtype)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._at(Draw("uniform", name, tuple(lead), tuple(event)), dtype)

    def _at(self, draw: Draw, dtype: torch.dtype) -> Tensor:
        return self.draws[draw].movedim(0, len(draw.lead)).to(dtype)

    def select(self, rows: slice | Tensor) -> "HandedNoise":
        """Noise for some of the rows."""
        some = {draw: value[rows] for draw, value in self.draws.items()}
        return HandedNoise(some, len(next(iter(some.values()))) if some else super().select(rows).batch)


def model_answers(used: UsedRun, text: QueryText, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """{target: [B, *shape]} in data's units, classes with their probabilities. values: by argument."""
    model, question = used.model, text.question
    rows = {name: _to_model(used, name, values[own], model.dtype) for name, own in text.inputs.items()}
    count = len(next(iter(rows.values())))
    noise = HandedNoise({draw: values[own] for own, draw in text.draws.items()}, count)
    with torch.no_grad():
        if question.generative:
            found = _of_p(model, question.targets, rows, noise)
        else:
            for name in model.graphs.observed:
                if name not in rows:
                    variable = model.graphs.variables[name]
                    rows[name] = blanks.blank(variable, count, model.dtype, torch.device("cpu"))
            found = _of_q(model, text, rows, noise)
    return {name: _to_data(used, text, name, value) for name, value in found.items()}


def _of_q(model: Model, text: QueryText, rows: Mapping[str, Tensor], noise: Noise) -> dict[str, Tensor]:
    question, found = text.question, dict[str, Tensor]()
    for target in question.targets:
        way = question.way(target)
        found[target] = model.predict(target, rows, samples=question.samples, noise=noise, by=way)
    numbers = [target for target in question.targets if f"{target}.low" in text.outputs]
    if numbers:
        told = summarize_rows(
            model, rows, numbers, samples=question.samples, noise=noise, levels=question.levels, by="recognition"
        )
        found |= {f"{name}.{part}": told[f"{part} {name}"] for name in numbers for part in ("low", "high")}
    return {name: found[name] for name in text.outputs}


def _of_p(model: Model, targets: Sequence[str], rows: Mapping[str, Tensor], noise: Noise) -> dict[str, Tensor]:
    told = {**_conditioned(model, noise.batch), **rows}
    values = {**model.generate(told, noise.batch, noise=Noise(0, noise.batch)), **told}
    found = {}
    for target in targets:
        if not shows_classes(model.graphs, target) and model.graphs.variables[target].role == "observed":
            found[target] = values[target]
            continue
        entry, extras, parameters = model.family_at(model.graphs.generative[target], values, noise)
        classes = shows_classes(model.graphs, target)
        value = entry.classes(parameters, extras).exp() if classes else entry.mean_of(parameters, extras)
        found[target] = value.expand(noise.batch, *value.shape[1:])
    return found


def _conditioned(model: Model, count: int) -> dict[str, Tensor]:
    """Something legal for what p conditions on: what matters to the answer is told."""
    given = (v for v in model.graphs.variables.values() if v.role in ("observed", "supervised"))
    given = (variable for variable in given if variable.name not in model.graphs.generative)
    return {v.name: torch.full((count, *v.row_shape), blanks.filler(v), dtype=model.dtype) for v in given}


def _to_model(used: UsedRun, name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    units = used.units.get(name)
    value = value if units is None else units.from_data(value)
    return value.to(dtype) if value.is_floating_point() else value


def _to_data(used: UsedRun, text: QueryText, name: str, value: Tensor) -> Tensor:
    """At the run's temperature, and in the data's units."""
    target = text.outputs[name]
    units = used.units.get(target)
    if target in text.temperatures:
        return torch.from_numpy(used.temperatures[target].applied(value.numpy()))
    return value if units is None or shows_classes(used.model.graphs, target) else units.to_data(value)
