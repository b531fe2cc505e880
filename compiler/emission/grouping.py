"""`bound` and `loss`: rows grouped by their pattern of labels, weighed as the spec says."""

from math import prod

from compiler.emission.bounds import BoundCode
from compiler.emission.plan import PatternCode, Plan
from compiler.emission.text import INDENT, comment, docstring, number, shape_text, statement
from graphspec.graph import Variable

DOMAINS = {
    "real": "", "positive": " positive", "unit": " in [0, 1]", "binary": " 0 or 1", "category": " class index",
    "count": " counts", "direction": " unit vectors", "simplex": " summing to one",
}  # fmt: skip
FILLERS = {"positive": "1.0", "unit": "0.5"}


def extras_of(plan: Plan, bounds: list[BoundCode]) -> dict[str, str]:
    """Arguments that weights need, with their defaults: {name: default}."""
    used = {name for bound in bounds for name in bound.extras}
    found = {"epoch": "math.inf"} if "epoch" in used else {}
    gamma = plan.graphs.spec.objective.gamma
    return found | ({"rho": "GAMMA / (1.0 + GAMMA)"} if "rho" in used and gamma is not None else {})


def row_lines(plan: Plan) -> str:
    """What `rows` holds, for docstrings."""
    parts = []
    for name in (*plan.graphs.observed, *plan.graphs.supervised):
        variable = plan.graphs.variables[name]
        text = f"{name} {shape_text(variable.shape, 'B')}{DOMAINS[variable.domain or 'real']}"
        if variable.role == "supervised":
            text += f", {'-1' if variable.discrete else 'NaN'} where the label is missing"
        elif variable.missing:
            text += f", {'-1' if variable.discrete else 'NaN'} where blank"
        parts.append(text)
    return "; ".join(parts)


def given_code(plan: Plan, variable: Variable, values: str) -> str:
    """[B, *shape] bool: elements that are there."""
    if not variable.discrete:
        code = f"~{values}.isnan()"
        together = variable.domain in ("direction", "simplex")
        return f"({code}).all(1, keepdim=True).expand_as({values})" if together else code
    return f"{values} >= 0" if variable.minimum >= 0 else f"({values} != -1) & ~{values}.isnan()"


def bound_lines(plan: Plan, bounds: list[BoundCode], noisy: frozenset[str]) -> list[str]:
    """`bound(model, rows, generator)`: L of each row under its own pattern."""
    extras = extras_of(plan, bounds)
    needed = {key for bound in bounds for key in bound.arguments}
    listed = ["model: Model", "rows: dict[str, Tensor]", "generator: torch.Generator"]
    listed += [f"{name}: float = {default}" for name, default in extras.items()]
    graphs, ids = plan.graphs, plan.identifiers
    lines = [
        *statement(f"def bound({', '.join(listed)}) -> Tensor:", 0),
        *docstring("L of each row under its own pattern of labels, nats [B]; larger is better.\n\nrows: " + row_lines(plan) + "."),
        *statement("like = next(model.parameters())"),
    ]
    for name in graphs.observed:
        lines += _observed(plan, name, needed)
    for name in graphs.supervised:
        lines += _label(plan, name, needed)
    for name in plan.features:
        factor = graphs.function(name)
        arguments = [ids[p] + (".detach()" if p in factor.stop_gradient else "") for p in factor.parents]
        arguments += [f"(len({ids[graphs.observed[0]]}),)", "generator"] if factor.key in noisy else []
        lines += statement(f"{ids[name]} = model.{plan.attributes[factor.key]}({', '.join(arguments)})")
    first = ids[graphs.observed[0]]
    if len(plan.patterns) == 1:
        return [*lines, *statement(f"return {_call(plan.patterns[0], bounds[0], '')}.expand(len({first}))")]
    lines += statement(f"result = like.new_zeros(len({first}))")
    for code, bound in zip(plan.patterns, bounds, strict=True):
        lines += _group(plan, code, bound)
    return [*lines, "", *statement("return result")]


def _observed(plan: Plan, name: str, needed: set[str]) -> list[str]:
    variable, own = plan.graphs.variables[name], plan.identifiers[name]
    if name in plan.hot:
        return statement(f'{own} = one_hot(rows["{name}"], {variable.support}, like)')
    return statement(f'{own} = rows["{name}"].to(like)')


def _label(plan: Plan, name: str, needed: set[str]) -> list[str]:
    """The label as a tensor that networks read, and which rows have it."""
    variable, own = plan.graphs.variables[name], plan.identifiers[name]
    lines = statement(f'{own} = rows["{name}"]')
    lines += statement(f"{own}_given = {given_code(plan, variable, own)}")
    if name in plan.hot:
        shift = f" - {variable.minimum}" if variable.minimum else ""
        lines += statement(f"{own} = one_hot({own}{shift}, {variable.support}, like)")
    else:
        lines += statement(f"{own} = {own}.to(like)")
    if f"{name}_known" in needed:
        lines += _known(plan, variable, own)
    return lines


def _known(plan: Plan, variable: Variable, own: str) -> list[str]:
    """The label with something legal where it is missing, which masks keep out of every sum."""
    if variable.name in plan.hot:
        return statement(f"{own}_known = {own}")
    if variable.domain in ("direction", "simplex"):
        size = variable.shape[0]
        filler = number(size**-0.5 if variable.domain == "direction" else 1 / size)
    else:
        filler = number(variable.minimum) if variable.domain == "count" else FILLERS.get(variable.domain or "", "0.0")
    return statement(f"{own}_known = torch.where({own}_given, {own}, {filler})")


def _group(plan: Plan, code: PatternCode, bound: BoundCode) -> list[str]:
    """The rows of one pattern, if there are any."""
    conditions = []
    for name in plan.graphs.supervised:
        variable, given = plan.graphs.variables[name], f"{plan.identifiers[name]}_given"
        flat = f"{given}.flatten(1)" if variable.shape else given
        whole, none = (f"{flat}.all(1)", f"~{flat}.any(1)") if variable.shape else (flat, f"~{flat}")
        if name in code.pattern.labels:
            conditions.append(whole)
        elif name not in code.pattern.masked:
            conditions.append(none)
        elif prod(variable.shape) > 1:
            conditions += [f"{flat}.any(1)", f"~{flat}.all(1)"]
    test = " & ".join(conditions)
    return [
        "",
        *comment(str(code.pattern)),
        *statement(f"at = torch.nonzero({test}).squeeze(1)"),
        f"{INDENT}if len(at):",
        *statement(f"result[at] = {_call(code, bound, '[at]')}", 2),
    ]


def _call(code: PatternCode, bound: BoundCode, rows: str) -> str:
    arguments = ["model", *(f"{name}{rows}" for name in bound.arguments.values()), "generator", *bound.extras]
    return f"{code.function}({', '.join(arguments)})"


def loss_lines(plan: Plan, bounds: list[BoundCode]) -> list[str]:
    """`labelled` and `loss`."""
    extras = extras_of(plan, bounds)
    graphs = plan.graphs
    if not graphs.supervised:
        listed = ["model: Model", "rows: dict[str, Tensor]", "generator: torch.Generator"]
        listed += [f"{name}: float = {default}" for name, default in extras.items()]
        given = ", ".join(["model", "rows", "generator", *extras])
        return [
            *statement(f"def loss({', '.join(listed)}) -> Tensor:", 0),
            *docstring("Minus the mean of L over the rows, []; smaller is better."),
            *statement(f"return -bound({given}).mean()"),
        ]
    return [*_labelled(plan), "", "", *_weighted_loss(plan, extras)]


def _labelled(plan: Plan) -> list[str]:
    tests = []
    for name in plan.graphs.supervised:
        variable = plan.graphs.variables[name]
        code = given_code(plan, variable, f'rows["{name}"]')
        tests.append(f"({code}).flatten(1).any(1)" if variable.shape else f"({code})")
    return [
        "def labelled(rows: dict[str, Tensor]) -> Tensor:",
        *docstring("[B] bool: rows that have at least one label."),
        *statement(f"return {' | '.join(tests) if len(tests) > 1 else tests[0].strip('()') if tests[0].count('(') == 1 else tests[0]}"),
    ]


def _weighted_loss(plan: Plan, extras: dict[str, str]) -> list[str]:
    gamma = plan.graphs.spec.objective.gamma is not None
    arguments = {**({"epoch": extras["epoch"]} if "epoch" in extras else {})}
    arguments["rho"] = "GAMMA / (1.0 + GAMMA)" if gamma else "RHO"
    listed = ["model: Model", "rows: dict[str, Tensor]", "generator: torch.Generator"]
    listed += [f"{name}: float = {default}" for name, default in arguments.items()]
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
