"""A question as a function of an emitted file: `answer(model, rows, noise)`, in the model's own units."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from compiler.emission.emission_plan import EmissionPlan, TensorKind
from compiler.emission.plan_function import FunctionWriter
from compiler.emission.query_plans import AnswerPlan, Question, features_read, plans_for, shows_classes, variables_read
from compiler.emission.row_groups import elements_first_lines, feature_lines, given_lines
from compiler.emission.text import block, docstring, shape_text
from compiler.families.entry import call
from compiler.plan.ops.spreading import standard_numbers
from compiler.plan.plan import Line, Plan
from compiler.symbolic.answer_text import LEAST_DRAWS
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.expression import Expression, text_of

ROWS = "rows_at_hand"
"""In an answer's code, how many rows there are."""
NO_CODE = ("marginals", "aggregate", "assignment")
"""Operations that a function without gradients and without the data cannot have."""


class AnswerWriter(FunctionWriter):
    """Writes a plan whose result is an answer: by the bound itself (alpha 0, beta 1), of as many rows as come."""

    def __init__(self, plan: EmissionPlan, noisy: frozenset[str], written: Plan, samples: int) -> None:
        super().__init__(plan, noisy, written)
        self.samples = Expression(str(samples))
        self._weights = ObjectiveWeights.at(plan.graphs, None, float("inf")).plain()

    def number(self, kind: str, variable: str) -> Expression:
        return Expression(repr(self._weights.number(kind, variable)), scalar=True)

    def row_count(self) -> str:
        return ROWS

    @property
    def _special(self) -> Mapping[str, Callable[[Line], Expression]]:
        """Estimates of gradients leave the value as it is."""
        value: Callable[[Line], Expression] = lambda line: self.code(line.inputs[0])  # noqa: E731
        own = {"scores": value, "weigh_draws": value, "reweighted": value, "mean_value": self._mean_value,
               "own_ends": self._own_ends}  # fmt: skip
        return {**super()._special, **own}

    def _mean_value(self, line: Line) -> Expression:
        """A distribution's mean: a call of the family's function, or what a short one computes."""
        entry, extras = self.modules.family(line.options["factor"])
        values: Any = [self.code(value) for value in line.inputs]
        inputs: Any = entry.inputs(values, extras)
        assert entry.mean is not None, f"{entry.name} has a mean"
        if entry.mean.__name__ == "<lambda>":
            found: Any = entry.mean(*inputs, *extras.of(entry.mean, len(inputs)))
            return found  # type: ignore[no-any-return]
        return call(entry.mean, inputs, extras)  # type: ignore[return-value]

    def _own_ends(self, line: Line) -> Expression:
        """Both ends of a distribution's interval: what its draws are where their standard number is a quantile."""
        entry, extras = self.modules.family(line.options["factor"])
        values: Any = [self.code(value) for value in line.inputs]
        levels = torch.tensor(line.options["levels"], dtype=torch.float64)
        at = (
            Expression(f"torch.full_like({values[0]}, {number!r})")
            for number in standard_numbers(entry, levels).tolist()
        )
        return Expression(", ".join(str(entry.sampled(number, values, extras)) for number in at))  # type: ignore[arg-type]


def write_answer(plan: EmissionPlan, noisy: frozenset[str], question: Question, name: str) -> list[str]:
    """The functions that answer a question; the last is called `name`. Raises ValueError for what has no code."""
    plans = plans_for(plan.model, question)
    refused = [line.op for each in plans for line in each.plan.lines if line.op in NO_CODE]
    if refused:
        raise ValueError(f"its plan has a step that no file holds ({refused[0]})")
    features = plan.features if not question.generative else ()
    held = {each.target for each in plans if each.way == "bound"}
    read = [name for name in variables_read(plan.graphs, plans, features) if name not in held]
    body, apart, answers = list[str](), list[str](), dict[str, list[str]]()
    targets = {each.name: each.target for each in plans}
    needed: set[tuple[str, TensorKind]] = set()
    for whole in dict.fromkeys(id(each.plan) for each in plans if each.way == "value"):
        own = [each for each in plans if id(each.plan) == whole]
        writer = AnswerWriter(plan, noisy, own[0].plan, question.samples)
        body += writer.statements()
        needed |= {*writer.arguments}
        for each in own:
            answers.setdefault(each.name, []).append(str(writer.code(each.result)))
        needed |= {*writer.arguments}
    for each in plans:
        if each.way == "bound":
            function, wants, call = _bound(plan, noisy, each, question)
            apart.append(function)
            needed |= wants
            answers.setdefault(each.name, []).append(call)
    head = _head(plan, noisy, read, features_read(plan.graphs, plans, features), needed, question)
    listed = [f"{text_of(name)}: {_expanded(plan, targets[name], codes)}" for name, codes in answers.items()]
    inputs = "\n".join(f"    {n} {shape_text(plan.graphs.variables[n].row_shape, 'B')}" for n in read)
    told = docstring(f"{', '.join(question.targets)} of each row, in the units of the model.\n\nrows:\n{inputs}")
    code = block(
        f"def {name}(model: Model, rows: dict[str, Tensor], noise: Any) -> dict[str, Tensor]:", told, *head, *body,
        f"return {{{', '.join(listed)}}}",
    )  # fmt: skip
    return [*apart, code]


def _head(
    plan: EmissionPlan, noisy: frozenset[str], read: Sequence[str], features: Sequence[str],
    needed: set[tuple[str, TensorKind]], question: Question,
) -> list[str]:  # fmt: skip
    """From rows to the tensors that the plans are given."""
    graphs, ids = plan.graphs, plan.identifiers
    lines = ["like = next(model.parameters())", f'{ROWS} = rows["{read[0]}"].shape[0]']
    for name in read:
        if question.generative or graphs.variables[name].role == "latent":
            kind = ".long()" if graphs.variables[name].domain == "category" else ".to(like)"
            lines.append(f'{ids[name]} = rows["{name}"]{kind}')
            continue
        lines += given_lines(plan, name, needed)
        if (name, "label") in needed:
            lines.append(f"{plan.tensors[name, 'label']} = {ids[name]}")
    lines += [line for name in read for line in elements_first_lines(plan, name, needed)]
    if ("", "row") in needed:
        lines.append(f"{plan.tensors['', 'row']} = like.new_zeros({ROWS})")
    return [*lines, *feature_lines(plan, noisy, features, "noise")]


def _bound(
    plan: EmissionPlan, noisy: frozenset[str], each: AnswerPlan, question: Question
) -> tuple[str, set[tuple[str, TensorKind]], str]:
    """The bound of rows with one value of a label, as a function; what it is given; and how all values are compared."""
    variable = plan.graphs.variables[each.target]
    writer = AnswerWriter(plan, noisy, each.plan, max(question.samples, LEAST_DRAWS))
    body = writer.body()
    if writer.extras:
        raise ValueError(f"its bound needs to know {', '.join(sorted(writer.extras))}")
    name = plan.names.fresh(f"bound_with_{plan.identifiers[each.target]}")
    arguments = dict(writer.arguments)
    listed = [f"{own}: Tensor" for own in arguments.values()]
    told = docstring(f"L of each row with {each.target} held (alpha 0, beta 1), nats [B].")
    head = f"def {name}(model: Model, {', '.join([*listed, 'noise: Any', f'{ROWS}: int'])}) -> Tensor:"
    kind = "dtype=torch.long" if variable.domain == "category" else "dtype=like.dtype"
    values = {
        "value": f"torch.full(({ROWS},), k, {kind})",
        "label": f"torch.full(({ROWS},), k, {kind})",
        "given": f"torch.full(({ROWS},), True)",
    }
    call = [values.get(kind, own) if at == each.target else own for (at, kind), own in arguments.items()]
    span = f"range({variable.minimum}, {variable.minimum + (variable.support or 0)})"
    bounds = f"torch.stack([{name}(model, {', '.join([*call, 'noise', ROWS])}) for k in {span}], -1)"
    wants: set[Any] = {key for key in arguments if key[0] != each.target}
    return block(head, told, *body), wants, f"torch.softmax({bounds}, -1)"


def _expanded(plan: EmissionPlan, target: str, codes: Sequence[str]) -> str:
    """The mean of the ways in which a target is answered, [B, *row shape], with the classes last."""
    variable = plan.graphs.variables[target]
    sizes = [ROWS, *variable.row_shape, *([variable.support] if shows_classes(plan.graphs, target) else [])]
    mean = f"({codes[0]})" if len(codes) == 1 else f"(({' + '.join(codes)}) / {len(codes)})"
    return f"{mean}.expand({', '.join(map(str, sizes))})"
