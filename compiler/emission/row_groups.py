"""`bound` and `loss`: rows grouped by their pattern of labels, weighed as the spec says."""

from compiler.emission.emission_plan import EmissionPlan, PatternCode, TensorKind
from compiler.emission.plan_function import EXTRAS, BoundCode
from compiler.emission.text import INDENT, comment, docstring, event_text, number, shape_text, statement
from compiler.symbolic.lowering import one_program_for_all
from compiler.symbolic.networks_read import flagged_parents, read_parents
from compiler.tensors.blanks import filler
from graphspec.graphs.graph import Variable

DOMAINS = {
    "real": "", "positive": " positive", "unit": " in [0, 1]", "binary": " 0 or 1", "category": " class index",
    "count": " counts", "direction": " unit vectors", "simplex": " summing to one",
}  # fmt: skip
DEFAULTS = {
    "epoch": "math.inf", "rho": "GAMMA / (1.0 + GAMMA)", "data_rows": "None", "labelled_rows": "None",
    "unlabelled_rows": "None",
}  # fmt: skip
"""What holds where nothing is said: schedules at their end, as many rows with labels as without, the batch is all."""


def extras_of(plan: EmissionPlan, bounds: list[BoundCode]) -> dict[str, str]:
    """Arguments that weights need, with their defaults: {name: default}."""
    used = {name for bound in bounds for name in bound.extras}
    return {name: default for name, default in DEFAULTS.items() if name in used}


def arguments_text(extras: dict[str, str]) -> list[str]:
    """`epoch: float = math.inf`."""
    return [f"{name}: {EXTRAS[name]} = {default}" for name, default in extras.items()]


def row_lines(plan: EmissionPlan) -> str:
    """What `rows` holds, a line each, for docstrings."""
    parts = []
    for name in (*plan.graphs.observed, *plan.graphs.supervised):
        variable = plan.graphs.variables[name]
        text = f"{INDENT}{name} {shape_text(variable.shape, 'B')}{DOMAINS[variable.domain or 'real']}"
        if variable.role == "supervised":
            text += f", {'-1' if variable.discrete else 'NaN'} where the label is missing"
        elif variable.missing:
            text += f", {'-1' if variable.discrete else 'NaN'} where blank"
        parts.append(text)
    return "\n".join(parts)


def given_code(plan: EmissionPlan, variable: Variable, values: str) -> str:
    """[B, *shape] bool: elements that are there."""
    if not variable.discrete:
        code = f"~{values}.isnan()"
        if not (variable.shape and plan.graphs.indivisible(variable.name)):
            return code
        if variable.domain in ("direction", "simplex"):
            return f"({code}).all(1, keepdim=True).expand_as({values})"
        dims = event_text(tuple(range(1, len(variable.shape) + 1)))
        return f"({code}).all({dims}, keepdim=True).expand_as({values})"
    return f"{values} >= 0" if variable.minimum >= 0 else f"({values} != -1) & ~{values}.isnan()"


def bound_lines(plan: EmissionPlan, bounds: list[BoundCode], noisy: frozenset[str]) -> list[str]:
    """`bound(model, rows, generator)`: L of each row under its own pattern."""
    extras = extras_of(plan, bounds)
    needed = {key for bound in bounds for key in bound.arguments}
    listed = ["model: Model", "rows: dict[str, Tensor]", "generator: torch.Generator"]
    listed += arguments_text(extras)
    graphs, ids = plan.graphs, plan.identifiers
    lines = [
        *statement(f"def bound({', '.join(listed)}) -> Tensor:", 0),
        *docstring(
            f"L of each row under its own pattern of labels, nats [B]; larger is better.\n\nrows:\n{row_lines(plan)}"
        ),
        *statement("like = next(model.parameters())"),
    ]
    for name in graphs.observed:
        lines += _observed(plan, name, needed)
    for name in graphs.supervised:
        lines += _label(plan, name)
    for name in plan.features:
        factor = graphs.function(name)
        arguments = [ids[p] + (".detach()" if p in factor.stop_gradient else "") for p in read_parents(graphs, factor)]
        arguments += [f"{plan.tensors[p, 'given']}.to(like)" for p in flagged_parents(graphs, factor)]
        rows = f"len({ids[graphs.observed[0]]})"
        arguments += [f"Layout(1, Noise(generator, {rows}))" if factor.key in noisy else "Lead(1)"]
        lines += statement(f"{ids[name]} = model.{plan.attributes[factor.key]}({', '.join(arguments)})")
    first = ids[graphs.observed[0]]
    if len(plan.patterns) == 1:
        return [*lines, *statement(f"return {_call(plan, plan.patterns[0], bounds[0], '')}.expand(len({first}))")]
    states = _states(plan)
    lines += [line for _, _, code in states.values() if code for line in statement(code)]
    lines += statement(f"result = like.new_zeros(len({first}))")
    for code, bound in zip(plan.patterns, bounds, strict=True):
        lines += _group(plan, code, bound, states)
    return [*lines, "", *statement("return result")]


def _observed(plan: EmissionPlan, name: str, needed: set[tuple[str, TensorKind]]) -> list[str]:
    """The value as a tensor that networks read: zero where it is blank, a category then as weights of its classes."""
    variable, own = plan.graphs.variables[name], plan.identifiers[name]
    if not variable.missing:
        return statement(f'{own} = rows["{name}"]{_kind(variable)}')
    given = plan.tensors[name, "given"]
    lines = [*statement(f'{own} = rows["{name}"]'), *statement(f"{given} = {given_code(plan, variable, own)}")]
    if (name, "known") in needed:
        lines += statement(f"{plan.tensors[name, 'known']} = {_legal(variable, own, given)}")
    if variable.domain == "category":
        code = f"one_hot(torch.where({given}, {own}, 0), {variable.support}, 0, like)"
        return [*lines, *statement(f"{own} = {code} * {given}.unsqueeze(-1)")]
    return [*lines, *statement(f"{own} = torch.where({given}, {own}, 0).to(like)")]


def _label(plan: EmissionPlan, name: str) -> list[str]:
    """The label as a tensor that networks read, something legal where it is missing; and which rows have it."""
    variable, own = plan.graphs.variables[name], plan.identifiers[name]
    given = plan.tensors[name, "given"]
    lines = [*statement(f'{own} = rows["{name}"]'), *statement(f"{given} = {given_code(plan, variable, own)}")]
    return [*lines, *statement(f"{own} = {_legal(variable, own, given)}")]


def _kind(variable: Variable) -> str:
    """Classes are integers, everything else has the model's own type."""
    return ".long()" if variable.domain == "category" else ".to(like)"


def _legal(variable: Variable, own: str, given: str) -> str:
    """Values with something legal where they are blank, which masks keep out of every sum."""
    value = "0" if variable.domain == "category" else number(filler(variable))
    return f"torch.where({given}, {own}, {value}){_kind(variable)}"


def _states(plan: EmissionPlan) -> dict[str, tuple[str, str, str]]:
    """Of each label: code of the rows that have it whole, of those that have nothing of it, and what defines both."""
    scope, states = plan.names.inner(), {}
    for name in plan.graphs.supervised:
        given = plan.tensors[name, "given"]
        if not plan.graphs.variables[name].shape:
            states[name] = (given, f"~{given}", "")
        elif not one_program_for_all(plan.graphs):
            whole, none = (scope.fresh(f"{plan.identifiers[name]}_{what}") for what in ("whole", "none"))
            code = f"{whole}, {none} = {given}.flatten(1).all(1), ~{given}.flatten(1).any(1)"
            states[name] = (whole, none, code)
    return states


def _group(
    plan: EmissionPlan, code: PatternCode, bound: BoundCode, states: dict[str, tuple[str, str, str]]
) -> list[str]:
    """The rows of one pattern, if there are any."""
    conditions = []
    for name in plan.graphs.supervised:
        if name in code.pattern.labels:
            conditions.append(states[name][0])
        elif name not in code.pattern.masked:
            conditions.append(states[name][1])
        elif not one_program_for_all(plan.graphs):
            conditions += [f"~{states[name][0]}", f"~{states[name][1]}"]
    test = " & ".join(conditions)
    return [
        "",
        *comment(str(code.pattern)),
        *statement(f"at = torch.nonzero({test}).squeeze(1)"),
        f"{INDENT}if len(at):",
        *statement(f"result[at] = {_call(plan, code, bound, '[at]')}", 2),
    ]


def _call(plan: EmissionPlan, code: PatternCode, bound: BoundCode, rows: str) -> str:
    ids = plan.identifiers
    given = [ids[name] if kind == "label" else own for (name, kind), own in bound.arguments.items()]
    arguments = ["model", *(f"{own}{rows}" for own in given), "generator", *bound.extras]
    return f"{code.function}({', '.join(arguments)})"


def loss_lines(plan: EmissionPlan, bounds: list[BoundCode]) -> list[str]:
    """`labelled` and `loss`."""
    extras = extras_of(plan, bounds)
    graphs = plan.graphs
    if not graphs.supervised:
        listed = ["model: Model", "rows: dict[str, Tensor]", "generator: torch.Generator"]
        listed += arguments_text(extras)
        given = ", ".join(["model", "rows", "generator", *extras])
        return [
            *statement(f"def loss({', '.join(listed)}) -> Tensor:", 0),
            *docstring("Minus the mean of L over the rows, []; smaller is better."),
            *statement(f"return -bound({given}).mean()"),
        ]
    return [*_labelled(plan), "", "", *_weighted_loss(plan, extras)]


def _labelled(plan: EmissionPlan) -> list[str]:
    tests = []
    for name in plan.graphs.supervised:
        variable = plan.graphs.variables[name]
        code = given_code(plan, variable, f'rows["{name}"]')
        alone = len(plan.graphs.supervised) == 1 and not variable.shape
        tests.append(code if alone else f"({code}).flatten(1).any(1)" if variable.shape else f"({code})")
    return [
        "def labelled(rows: dict[str, Tensor]) -> Tensor:",
        *docstring("[B] bool: rows that have at least one label."),
        *statement(f"return {' | '.join(tests)}"),
    ]


def _weighted_loss(plan: EmissionPlan, extras: dict[str, str]) -> list[str]:
    gamma = plan.graphs.spec.objective.gamma is not None
    arguments = {**extras, "rho": DEFAULTS["rho"] if gamma else "RHO"}
    listed = ["model: Model", "rows: dict[str, Tensor]", "generator: torch.Generator", *arguments_text(arguments)]
    given = ", ".join(["model", "rows", "generator", *extras])
    told = "Minus ((1 - rho) * mean L of rows without labels + rho * mean L of rows with one), []; smaller is better."
    if gamma:
        told += "\n\nrho: the share of the weight that labelled rows carry, `labelled_share` of the whole data set."
    lines = [
        *statement(f"def loss({', '.join(listed)}) -> Tensor:", 0),
        *docstring(told),
        *statement(f"value, has_label = bound({given}), labelled(rows)"),
        *statement("if has_label.all() or not has_label.any():"),
        *statement("return -value.mean()", 2),
        *statement("return -((1.0 - rho) * value[~has_label].mean() + rho * value[has_label].mean())"),
    ]
    if not gamma:
        return lines
    return [
        "def labelled_share(labelled_rows: int, unlabelled_rows: int) -> float:",
        *docstring("rho = gamma M / (N + gamma M) of M rows with labels and N without."),
        *statement("return GAMMA * labelled_rows / (unlabelled_rows + GAMMA * labelled_rows)"),
        "", "", *lines,
    ]  # fmt: skip
