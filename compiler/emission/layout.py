"""The whole file: header, constants, copied functions, classes, bounds, loss, checkpoint, training loop."""

from compiler.emission.checking import verify_agreement
from compiler.emission.copied_source import Piece, import_lines, needed
from compiler.emission.emission_plan import EmissionPlan, make_plan
from compiler.emission.factor_code import FactorCode, write_factor
from compiler.emission.objective_weights import weight_lines
from compiler.emission.plan_function import BoundCode, write_bound
from compiler.emission.row_groups import bound_lines, extras_of, loss_lines
from compiler.emission.text import INDENT, comment, docstring, statement
from compiler.emission.training import checkpoint_lines, data_lines, loop_lines, main_lines, training_constants
from compiler.model.model import Model
from compiler.symbolic.agreement import agreements
from compiler.symbolic.program import conditional_text
from graphspec.graphs.graph import SIDES, Factor, Side

GAP = ["", ""]
BEHIND = "Layers and networks, word for word as in graphspec. Values have size 1 along what they do not vary over."


def emitted(model: Model) -> str:
    """The file's text, of a model in double precision.

    Raises SpecError (GS090) naming the place of what has no code yet, InternalError if text and model disagree.
    """
    plan = make_plan(model)
    factors = {f.key: f for side in reversed(SIDES) for f in plan.graphs.order(side)}
    classes = {key: write_factor(plan, f) for key, f in factors.items() if plan.prior(f) is None}
    noisy = frozenset(key for key, code in classes.items() if code.noisy)
    bounds = [write_bound(plan, code, noisy) for code in plan.patterns]
    constants, functions = _constants(plan, bounds)
    body = [
        *functions,
        *(line for code in classes.values() for line in (*GAP, *code.lines)),
        *GAP, *_model(plan, factors, classes),
        *(line for bound in bounds for line in (*GAP, *bound.lines)),
        *GAP, *bound_lines(plan, bounds, noisy),
        *GAP, *loss_lines(plan, bounds),
        *GAP, *checkpoint_lines(_renames(plan, classes)),
        *GAP, *data_lines(plan),
        *GAP, *loop_lines(plan, extras_of(plan, bounds)),
    ]  # fmt: skip
    copied = needed("\n".join([*body, *main_lines()]))
    before, behind = ([piece for piece in copied if piece.behind is late] for late in (False, True))
    body += [*GAP, *comment(BEHIND, 0), *_copied(behind)] if behind else []
    rest = [*constants, *_copied(before), *body, *GAP, *main_lines()]
    users = {user for code in classes.values() for user in code.imports}
    text = "\n".join([*_header(plan), "", *import_lines("\n".join(rest), users), "", *rest]) + "\n"
    verify_agreement(text, plan)
    return text


def _header(plan: EmissionPlan) -> list[str]:
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
    functions = [f"{f.variable} = f({', '.join(f.parents)})" for f in factors if f.deterministic]
    return f"{left} = {right}" + (f" with {', '.join(functions)}" if functions else "")


def _constants(plan: EmissionPlan, bounds: list[BoundCode]) -> tuple[list[str], list[str]]:
    used = list(dict.fromkeys(weight for bound in bounds for weight in bound.weights))
    weights, functions = weight_lines(plan, used)
    several = plan.samples > 1
    samples = (
        statement(f"SAMPLES = {plan.samples}", 0, "S, joint draws of the hidden variables per row") if several else []
    )
    training, rate = training_constants(plan)
    return [*samples, *weights, *training], [*functions, *rate]


def _copied(chosen: list[Piece]) -> list[str]:
    lines: list[str] = []
    for piece in chosen:
        follows = piece.constant and bool(lines) and not lines[-1].startswith((" ", "def"))
        lines += [""] * (0 if follows else 2 - piece.constant)
        lines += piece.source.split("\n")
    return lines


def _model(plan: EmissionPlan, factors: dict[str, Factor], classes: dict[str, FactorCode]) -> list[str]:
    lines = [
        "class Model(nn.Module):",
        *docstring("One module per factor: q recognises, p generates, f computes deterministic variables."),
        "",
        f"{INDENT}def __init__(self) -> None:",
        *statement("super().__init__()", 2),
    ]
    for key, factor in factors.items():
        if key in classes:
            lines += statement(f"self.{plan.attributes[key]} = {plan.classes[key]}()", 2)
        else:
            letter = conditional_text("p", factor.variable, ())
            lines.append(f"{INDENT * 2}# {letter} is {plan.prior(factor)}: no parameters")
    return lines


def _renames(plan: EmissionPlan, classes: dict[str, FactorCode]) -> dict[str, str]:
    return {
        f"{plan.attributes[key]}.{ours}": theirs
        for key, code in classes.items()
        for ours, theirs in code.renames.items()
    }
