"""A question as a module of an emitted file: `Query`, from values in data's units to answers in data's units."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.emission.answer_code import write_answer
from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.query_noise import Draw, GivenNoise, RecordingNoise
from compiler.emission.query_plans import Question, plans_for, shows_classes, variables_read
from compiler.emission.text import Names, block, docstring, shape_text
from compiler.model.model import Model
from compiler.tensors import blanks
from compiler.tensors.expression import text_of


@dataclass(frozen=True)
class Scale:
    """value in data units = value * std + mean (float64, laid on a row's value); of logarithms where said."""

    mean: Tensor
    std: Tensor
    logarithm: bool = False


def at_temperature(probabilities: Tensor, temperature: float) -> Tensor:
    """p^(1/T), normalised over the classes, which come last."""
    logs = probabilities.double().clamp_min(torch.finfo(torch.float64).tiny).log()
    return torch.softmax(logs / temperature, -1).to(probabilities)


@dataclass(frozen=True)
class QueryText:
    """What a module of a query takes and gives: facts and noise by argument, and what it blanks. scales: of variables
    that the model has in other units than the data. temperatures: of labels whose probabilities are not the model's.
    outputs: the variable of each answer, by the answer's name (`weight.low`)."""

    question: Question
    title: str
    inputs: Mapping[str, str]
    draws: Mapping[str, Draw]
    blank: tuple[str, ...]
    scales: Mapping[str, Scale]
    temperatures: Mapping[str, float]
    outputs: Mapping[str, str]

    def code(self, plan: EmissionPlan, noisy: frozenset[str]) -> Sequence[str]:
        """The functions, the class and what opens it. Raises ValueError for what has no code."""
        function = plan.names.fresh("answer")
        answer = write_answer(plan, noisy, self.question, function)
        copied = [inspect.getsource(GivenNoise)]
        copied += [inspect.getsource(at_temperature)] if self.temperatures else []
        return [*answer, *copied, self._class(plan, function), OPEN]

    def _class(self, plan: EmissionPlan, function: str) -> str:
        arguments = [f"{each}: Tensor" for each in (*self.inputs.values(), *self.draws)]
        first = next(iter(self.inputs.values()))
        rows = [f"{text_of(name)}: {self._to_model(plan, name, own)}" for name, own in self.inputs.items()]
        rows += [f"{text_of(name)}: {_blank(plan, name, first)}" for name in self.blank]
        noise = [f"{text_of(tuple(draw))}: {name}" for name, draw in self.draws.items()]
        found = [f"{text_of(name)}: {self._to_data(plan, name)}" for name in self.outputs]
        forward = block(
            f"def forward(self, {', '.join(arguments)}) -> dict[str, Tensor]:",
            docstring(self._told(plan), 2),
            f"rows = {{{', '.join(rows)}}}",
            f"found = {function}(self.model, rows, GivenNoise({{{', '.join(noise)}}}))",
            f"return {{{', '.join(found)}}}",
        )
        start = ["super().__init__()", "self.model = model"]
        for name, scale in self.scales.items():
            for part, value in (("mean", scale.mean), ("std", scale.std)):
                numbers = f"torch.tensor({value.tolist()!r}, dtype=torch.float64)"
                start.append(f'self.register_buffer("{name}_{part}", {numbers}, persistent=False)')
        made = block("def __init__(self, model: Model) -> None:", *start)
        return block("class Query(nn.Module):", docstring(self.title), made, "", forward)

    def _told(self, plan: EmissionPlan) -> str:
        lines = ["Answers in the units of the data.", ""]
        for name, own in self.inputs.items():
            variable = plan.graphs.variables[name]
            text = f"{own} {shape_text(variable.row_shape, 'B')} {variable.domain}"
            if variable.domain == "category" and variable.names:
                text += f": index in {', '.join(variable.names)}"
            lines.append(text)
        for name, draw in self.draws.items():
            kind = "standard normal" if draw.kind == "normal" else "uniform in (0, 1)"
            lines.append(f"{name} {shape_text((*draw.lead, *draw.event), 'B')} {kind} noise")
        return "\n".join(lines)

    def _to_model(self, plan: EmissionPlan, name: str, own: str) -> str:
        if name not in self.scales:
            return f"{own}.double()" if plan.graphs.variables[name].domain == "category" else own  # a blank may be NaN
        value = f"{own}.double()"
        if self.scales[name].logarithm:
            return f"((({value}.clamp_min(1e-30)).log() - self.{name}_mean) / self.{name}_std).exp().to({own})"
        return f"(({value} - self.{name}_mean) / self.{name}_std).to({own})"

    def _to_data(self, plan: EmissionPlan, name: str) -> str:
        code, target = f"found[{text_of(name)}]", self.outputs[name]
        if target in self.temperatures:
            return f"at_temperature({code}, {self.temperatures[target]!r})"
        if target not in self.scales or shows_classes(plan.graphs, target):
            return code
        moved = f"{code}.clamp_min(1e-30).log()" if self.scales[target].logarithm else code
        moved = f"({moved}.double() * self.{target}_std + self.{target}_mean)"
        moved = f"{moved}.exp()" if self.scales[target].logarithm else moved
        return f"{moved}.to({code})"


def _blank(plan: EmissionPlan, name: str, first: str) -> str:
    """What no row tells."""
    variable = plan.graphs.variables[name]
    sizes = text_of((0, *variable.row_shape)).replace("(0", f"({first}.shape[0]", 1)
    value = "-1, dtype=torch.long" if variable.domain == "category" else "math.nan, dtype=torch.get_default_dtype()"
    return f"torch.full({sizes}, {value})"


def draws_of(model: Model, question: Question) -> tuple[Draw, ...]:
    """The noise that answers to a question are made from, in the order in which it is asked for."""
    count, graphs = 2, model.graphs
    noise = RecordingNoise(count)
    if question.generative:
        return ()
    rows = {}
    for name in (*graphs.observed, *graphs.supervised):
        variable = graphs.variables[name]
        if name in question.facts or (variable.role == "observed" and not variable.missing):
            rows[name] = torch.full((count, *variable.row_shape), blanks.filler(variable), dtype=model.dtype)
        else:
            rows[name] = blanks.blank(variable, count, model.dtype, torch.device("cpu"))
    with torch.no_grad():
        for target in question.targets:
            way = question.way(target)
            model.predict(target, rows, samples=question.samples, noise=noise, by=way)
    return tuple(noise.asked)


def query_text(
    model: Model, question: Question, title: str, scales: Mapping[str, Scale], temperatures: Mapping[str, float]
) -> QueryText:
    """What a query takes: of its facts those that the answer depends on; noise where draws are made; all else that a
    network reads and no row tells is blank. Raises ValueError for what has no code, and (`missing`) where something is
    read that must be told."""
    plans = plans_for(model, question)
    features = () if question.generative else model.compiled.features
    held = {each.target for each in plans if each.way == "bound"}
    read = [name for name in variables_read(model.graphs, plans, features) if name not in held]
    names = Names()
    names.taken |= {"rows", "found", "self"}
    inputs = {name: names.fresh(name) for name in question.facts if name in read}
    draws = {names.fresh(f"noise_{draw.name}"): draw for draw in draws_of(model, question)}
    blank = tuple(name for name in read if name not in question.facts)
    shown = {name: scale for name, scale in scales.items() if name in (*inputs, *question.targets)}
    fitted = {} if question.generative else {t: temperatures[t] for t in question.targets if t in temperatures}
    outputs = {each.name: each.target for each in plans}
    return QueryText(question, title, inputs, draws, blank, shown, fitted, outputs)


OPEN = '''
def load_query(folder: str = ".") -> "Query":
    """The query with the weights in `folder`, ready to be called."""
    model = Model()
    load_weights(model, f"{folder}/weights.safetensors")
    return Query(model.eval()).eval()
'''
