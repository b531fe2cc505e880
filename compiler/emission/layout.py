"""The whole file: header, constants, copied functions, classes, bounds, loss, checkpoint, training loop."""

from collections.abc import Callable, Sequence

from compiler.emission.checking import verify_agreement, verify_weights
from compiler.emission.copied_source import import_lines, needed
from compiler.emission.emission_plan import EmissionPlan, make_plan
from compiler.emission.factor_code import write_factor
from compiler.emission.fewer_elements import fewer_elements
from compiler.emission.objective_weights import weight_lines
from compiler.emission.plan_function import BoundCode, write_bound
from compiler.emission.row_groups import bound_code, extras_of, loss_code
from compiler.emission.starting import starting_code
from compiler.emission.text import block, comment, docstring, remarked, tidied
from compiler.emission.training import checkpoint_code, data_code, loop_code, main_code, training_constants
from compiler.emission.writing import ClassText
from compiler.model.model import Model
from compiler.symbolic.agreement import agreements
from compiler.symbolic.program import conditional_text
from graphspec.graphs.graph import SIDES, Factor, Side

BEHIND = "Layers and networks, word for word as in graphspec. Values have size 1 along what they do not vary over."


More = Callable[[EmissionPlan, frozenset[str]], Sequence[str]]
"""Further functions and classes of a file, of a plan and the factors that draw."""


def nothing_more(plan: EmissionPlan, noisy: frozenset[str]) -> Sequence[str]:
    """A file as it is."""
    return ()


def emitted(model: Model, more: More = nothing_more) -> str:
    """The file's text, of a model in double precision. more: what stands behind the losses.

    Raises SpecError (GS090) naming the place of what has no code yet, InternalError if text and model disagree.
    """
    plan = make_plan(model)
    text = _text(plan, more)
    few = fewer_elements(model.graphs)
    if few is model.graphs:
        verify_agreement(text, plan)
    else:
        verify_weights(text, plan)
        short = make_plan(Model(few, dtype=model.dtype, allow_python=model.allow_python))
        verify_agreement(_text(short, more), short)
    return text


def _text(plan: EmissionPlan, more: More) -> str:
    factors = {f.key: f for side in reversed(SIDES) for f in plan.graphs.order(side) if f.view is None}
    classes = {key: write_factor(plan, f) for key, f in factors.items() if plan.prior(f) is None}
    noisy = frozenset(key for key, text in classes.items() if text.noisy)
    bounds = [write_bound(plan, pattern, noisy) for pattern in plan.patterns]
    constants, functions = _constants(plan, bounds)
    start = starting_code(plan)
    end = main_code(bool(start))
    body = [
        *functions,
        *(text.code for text in classes.values()),
        _model(plan, factors, classes),
        *(bound.code for bound in bounds),
        bound_code(plan, bounds, noisy),
        *loss_code(plan, bounds, _of_model(plan, {key: text.decays for key, text in classes.items()})),
        checkpoint_code(_renames(plan, classes)),
        *more(plan, noisy),
        start,
        *data_code(plan),
        *loop_code(plan, extras_of(bounds), _of_model(plan, {key: t.rate_factors for key, t in classes.items()})),
    ]
    copied = needed("\n".join([*body, end]))
    before, behind = ([piece.source for piece in copied if piece.behind is late] for late in (False, True))
    rest = [*constants, *before, *body, *(["\n", comment(BEHIND, 0), "", *behind] if behind else []), end]
    users = sorted({user for text in classes.values() for user in text.imports})
    own = [f"from {module} import {name}" for module, name in users]
    return tidied("\n".join([_header(plan), *import_lines(), *own, *rest]))


def _header(plan: EmissionPlan) -> str:
    spec = plan.graphs.spec
    title = spec.name or plan.graphs.source.name
    title += f": {spec.description.strip()}" if spec.description else "."
    p, q = _factorization(plan, "generative"), _factorization(plan, "recognition")
    text = [title, "", p, q, ""]
    sizes = "B rows, S samples" if plan.samples > 1 else "B rows"
    parts = "PyTorch and zuko" if plan.flows else "PyTorch only"
    text += [f"Written by graphspec; needs {parts}. Shapes: {sizes}, an axis named after a variable holds its"]
    text += ["values. Everything random comes from the generator that is passed."]
    beside = agreements(plan.graphs)
    if beside:
        terms = ", ".join(agreement.term for agreement in beside)
        text += ["", f"Not in this file: {terms}. It is no part of the bound; it needs augmented rows and averaged"]
        text += ["weights, which the training loop below has not. `graphspec explain` prints it."]
    return docstring("\n".join(text), 0)


def _factorization(plan: EmissionPlan, side: Side) -> str:
    """`p(x, y, z) = p(y) p(z) p(x | y, z)`, and how deterministic variables come about."""
    factors = plan.graphs.order(side)
    letter = "p" if side == "generative" else "q"
    drawn = [f for f in factors if not f.deterministic]
    modelled = {f.variable for f in drawn}
    ground = sorted({a for f in drawn for a in plan.graphs.stochastic_parents(f)} - modelled)
    left = conditional_text(letter, ", ".join(f.variable for f in drawn), tuple(ground))
    right = " ".join(conditional_text(letter, f.variable, f.parents) for f in drawn)
    functions = [f"{f.variable} = f({', '.join(f.parents)})" for f in factors if f.deterministic and f.view is None]
    return f"{left} = {right}" + (f" with {', '.join(functions)}" if functions else "")


def _constants(plan: EmissionPlan, bounds: list[BoundCode]) -> tuple[list[str], list[str]]:
    used = list(dict.fromkeys(weight for bound in bounds for weight in bound.weights))
    weights, functions = weight_lines(plan, used)
    several = plan.samples > 1
    samples = [remarked(f"SAMPLES = {plan.samples}", "S, joint draws of the hidden variables per row")] * several
    training, rate = training_constants(plan)
    return [*samples, *weights, *training], [*functions, *rate]


def _model(plan: EmissionPlan, factors: dict[str, Factor], classes: dict[str, ClassText]) -> str:
    parts = ["super().__init__()"]
    for key, factor in factors.items():
        if key in classes:
            parts.append(f"self.{plan.attributes[key]} = {plan.classes[key]}()")
        else:
            letter = conditional_text("p", factor.variable, ())
            parts.append(comment(f"{letter} is {plan.prior(factor)}: no parameters", 2))
    told = "One module per factor: q recognises, p generates, f computes deterministic variables."
    return block("class Model(nn.Module):", docstring(told), block("def __init__(self) -> None:", *parts))


def _of_model(plan: EmissionPlan, numbers: dict[str, dict[str, float]]) -> dict[str, float]:
    """Numbers of the attributes of each class, by where they stand in the model."""
    return {f"{plan.attributes[key]}.{own}": r for key, of_class in numbers.items() for own, r in of_class.items()}


def _renames(plan: EmissionPlan, classes: dict[str, ClassText]) -> dict[str, str]:
    return {
        f"{plan.attributes[key]}.{ours}": theirs
        for key, text in classes.items()
        for ours, theirs in text.renames.items()
    }
