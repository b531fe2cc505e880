"""`bound` and `loss`: rows grouped by their pattern of labels, weighed as the spec says."""

from collections.abc import Iterable, Mapping
from typing import Any

from compiler.emission.emission_plan import ROW, EmissionPlan, TensorKind
from compiler.emission.plan_function import EXTRAS, BoundCode
from compiler.emission.presence_code import as_given, mask_lines, mask_of
from compiler.emission.text import INDENT, block, comment, docstring, shape_text
from compiler.symbolic.axis_names import canonical
from compiler.symbolic.lowering import one_program_for_all
from compiler.symbolic.networks_read import flagged_parents, read_parents
from compiler.tensors import blanks
from compiler.tensors.expression import Expression

DOMAINS = {
    "real": "", "positive": " positive", "unit": " in [0, 1]", "binary": " 0 or 1", "category": " class index",
    "count": " counts", "direction": " unit vectors", "simplex": " summing to one",
}  # fmt: skip
DEFAULTS = {
    "epoch": "math.inf", "rho": "GAMMA / (1.0 + GAMMA)", "data_rows": "None", "labelled_rows": "None",
    "unlabelled_rows": "None",
}  # fmt: skip
"""What holds where nothing is said: schedules at their end, as many rows with labels as without, the batch is all."""

GIVEN = ("model: Model", "rows: dict[str, Tensor]", "generator: torch.Generator")

SHARE = '''
def labelled_share(labelled_rows: int, unlabelled_rows: int) -> float:
    """rho = gamma M / (N + gamma M) of M rows with labels and N without."""
    return GAMMA * labelled_rows / (unlabelled_rows + GAMMA * labelled_rows)
'''


def extras_of(bounds: list[BoundCode]) -> dict[str, str]:
    """Arguments that weights need, with their defaults: {name: default}."""
    used = {name for bound in bounds for name in bound.extras}
    return {name: default for name, default in DEFAULTS.items() if name in used}


def _head(name: str, extras: dict[str, str]) -> str:
    """`def NAME(model: Model, rows: ..., epoch: float = math.inf) -> Tensor:`."""
    listed = (f"{extra}: {EXTRAS[extra]} = {default}" for extra, default in extras.items())
    return f"def {name}({', '.join([*GIVEN, *listed])}) -> Tensor:"


def _told_of_rows(plan: EmissionPlan) -> str:
    """What `rows` holds, a line each, for docstrings."""
    parts = []
    for name in (*plan.graphs.observed, *plan.graphs.supervised):
        variable = plan.graphs.variables[name]
        text = f"{INDENT}{name} {shape_text(variable.row_shape, 'B')}{DOMAINS[variable.domain or 'real']}"
        where = "where the label is missing" if variable.role == "supervised" else "where blank"
        if variable.role == "supervised" or variable.missing:
            text += f", {'-1' if variable.discrete else 'NaN'} {where}"
        if (plate := plan.graphs.ragged(variable.path)) is not None:
            text += f"; of as many {plate.name} as {plate.count} says, whatever the others hold"
        parts.append(text)
    return "\n".join(parts)


def bound_code(plan: EmissionPlan, bounds: list[BoundCode], noisy: frozenset[str]) -> str:
    """`bound(model, rows, generator)`: L of each row under its own pattern."""
    needed = {key for bound in bounds for key in bound.arguments}
    graphs, ids = plan.graphs, plan.identifiers
    told = f"L of each row under its own pattern of labels, nats [B]; larger is better.\n\nrows:\n{_told_of_rows(plan)}"
    body = [docstring(told), "like = next(model.parameters())", *mask_lines(plan)]
    for name in (*graphs.observed, *graphs.supervised):
        body += given_lines(plan, name, needed)
    states, defined = _states(plan) if len(bounds) > 1 else ({}, [])
    body += [*defined, *(line for name in graphs.variables for line in elements_first_lines(plan, name, needed))]
    first = (*graphs.observed, *graphs.supervised)[0]
    rows = f'len(rows["{first}"])' if graphs.variables[first].plates else f"len({ids[first]})"
    if ROW in needed:
        body.append(f"{plan.tensors[ROW]} = like.new_zeros({rows})")
    body += feature_lines(plan, noisy, plan.features, f"Noise(generator, {rows})")
    if len(bounds) == 1:
        body.append(f"return {_call(plan, bounds[0], '')}.expand({rows})")
    else:
        body.append(f"result = like.new_zeros({rows})")
        body += [part for bound in bounds for part in _group(plan, bound, states)]
        body += ["", "return result"]
    return block(_head("bound", extras_of(bounds)), *body)


def feature_lines(plan: EmissionPlan, noisy: frozenset[str], names: Iterable[str], noise: str) -> list[str]:
    """Deterministic variables of observed ones, for all rows at once. noise: code of what noisy factors are told."""
    graphs, ids, lines = plan.graphs, plan.identifiers, list[str]()
    for name in names:
        factor = graphs.function(name)
        arguments = [ids[p] + (".detach()" if p in factor.stop_gradient else "") for p in read_parents(graphs, factor)]
        arguments += [f"{plan.tensors[p, 'given']}.to(like)" for p in flagged_parents(graphs, factor)]
        lead = len(graphs.variables[name].plates) + 1
        arguments += [f"Layout({lead}, {noise})" if factor.key in noisy else f"Lead({lead})"]
        lines.append(f"{ids[name]} = model.{plan.attributes[factor.key]}({', '.join(arguments)})")
    return lines


def given_lines(plan: EmissionPlan, name: str, needed: set[tuple[str, TensorKind]]) -> list[str]:
    """A variable as networks read it, and of one that rows may lack: where it is given, and with something legal in
    place of blanks, which masks keep out of every sum."""
    variable, own = plan.graphs.variables[name], plan.identifiers[name]
    kind = ".long()" if variable.domain == "category" else ".to(like)"
    if variable.role == "observed" and not variable.missing:
        return [f"{own} = {as_given(plan, name)}{kind}"]
    values: Any = Expression(own)
    given: Any = Expression(plan.tensors[name, "given"])
    like: Any = Expression("like")
    filled = f"{blanks.filled(variable, values, given)}{kind}"
    code = [f"{own} = {as_given(plan, name)}", f"{given} = {blanks.given(plan.graphs, name, values)}"]
    if variable.role == "supervised":
        return [*code, f"{own} = {filled}"]
    if (name, "known") in needed:
        code.append(f"{plan.tensors[name, 'known']} = {filled}")
    return [*code, f"{own} = {blanks.entering(variable, values, given, like).to(like)}"]


def elements_first_lines(plan: EmissionPlan, name: str, needed: set[tuple[str, TensorKind]]) -> list[str]:
    """What rows have of the elements of plates, with the plates in front of the rows."""
    variable, kinds = plan.graphs.variables[name], list[TensorKind](["value"])
    if not variable.plates or variable.role not in ("observed", "supervised"):
        return []
    kinds += ["given"] if variable.missing or variable.role == "supervised" else []
    kinds += ["known"] if variable.missing and (name, "known") in needed else []
    axes = variable.plate_axes
    where = tuple(canonical(axes).index(axis) for axis in axes)
    moved = "1, 0" if len(axes) == 1 else f"{tuple(range(1, len(axes) + 1))}, {where}"
    return [f"{own} = {own}.movedim({moved})" for own in (plan.tensors[name, kind] for kind in kinds)]


def _states(plan: EmissionPlan) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Of each label code of the rows that have it whole, and of those that have nothing of it; and what defines
    both."""
    scope, states, defined = plan.names.inner(), {}, []
    for name in plan.graphs.supervised:
        given = plan.tensors[name, "given"]
        states[name] = (given, f"~{given}")
        if plan.graphs.variables[name].row_shape and not one_program_for_all(plan.graphs):
            whole, none = (scope.fresh(f"{plan.identifiers[name]}_{what}") for what in ("whole", "none"))
            states[name] = (whole, none)
            there = mask_of(plan, name)
            some = given if there is None else f"({given} & {there})"
            code = f"{whole}, {none} = {given}.flatten(1).all(1), ~{some}.flatten(1).any(1)"
            defined += [code] if there is None else [code, f"{whole} = {whole} & ~{none}"]
    return states, defined


def _group(plan: EmissionPlan, bound: BoundCode, states: dict[str, tuple[str, str]]) -> list[str]:
    """The rows of one pattern, if there are any."""
    conditions = []
    for name, (whole, none) in states.items():
        if name in bound.pattern.labels:
            conditions.append(whole)
        elif name not in bound.pattern.masked:
            conditions.append(none)
        elif not one_program_for_all(plan.graphs):
            conditions += [f"~{whole}", f"~{none}"]
    rows = f"at = torch.nonzero({' & '.join(conditions)}).squeeze(1)"
    run = block("if len(at):", f"result[at] = {_call(plan, bound, '[at]')}")
    return ["", comment(str(bound.pattern)), rows, run]


def _call(plan: EmissionPlan, bound: BoundCode, rows: str) -> str:
    ids = plan.identifiers
    given = []
    for (name, kind), own in bound.arguments.items():
        ahead = "" if (name, kind) == ROW else ":, " * len(plan.graphs.variables[name].plates)
        given.append(f"{ids[name] if kind == 'label' else own}{rows.replace('[', f'[{ahead}')}")
    arguments = ["model", *given, "generator", *bound.extras]
    return f"{bound.function}({', '.join(arguments)})"


def loss_code(plan: EmissionPlan, bounds: list[BoundCode], decays: Mapping[str, float]) -> list[str]:
    """`labelled`, `cost_of_weights` and `loss`. decays: `weight_decay` of networks."""
    cost = " + cost_of_weights(model)" if decays else ""
    return [*([_cost_code(decays)] if decays else []), *_loss_code(plan, bounds, cost)]


def _cost_code(decays: Mapping[str, float]) -> str:
    rates = ", ".join(f'"{path}": {rate}' for path, rate in decays.items())
    return "\n".join(
        (
            f"WEIGHT_DECAY = {{{rates}}}",
            block(
                "def cost_of_weights(model: Model) -> Tensor:",
                docstring("Half of WEIGHT_DECAY times the squared weights of each network, []."),
                "costs = [r * squared_weights(model.get_submodule(path)) for path, r in WEIGHT_DECAY.items()]",
                "return 0.5 * torch.stack(costs).sum()",
            ),
        )
    )


def _loss_code(plan: EmissionPlan, bounds: list[BoundCode], cost: str) -> list[str]:
    extras, gamma = extras_of(bounds), plan.graphs.spec.objective.gamma is not None
    call = f"bound({', '.join(['model', 'rows', 'generator', *extras])})"
    if not plan.graphs.supervised:
        told = docstring("Minus the mean of L over the rows, []; smaller is better.")
        return [block(_head("loss", extras), told, f"return -{call}.mean(){cost}")]
    told = "Minus ((1 - rho) * mean L of rows without labels + rho * mean L of rows with one), []; smaller is better."
    if gamma:
        told += "\n\nrho: the share of the weight that labelled rows carry, `labelled_share` of the whole data set."
    weighed = block(
        _head("loss", {**extras, "rho": DEFAULTS["rho"] if gamma else "RHO"}),
        docstring(told),
        f"value, has_label = {call}, labelled(rows)",
        block("if has_label.all() or not has_label.any():", f"return -value.mean(){cost}"),
        f"return -((1.0 - rho) * value[~has_label].mean() + rho * value[has_label].mean()){cost}",
    )
    return [_labelled(plan), *([SHARE] if gamma else []), weighed]


def _labelled(plan: EmissionPlan) -> str:
    tests = []
    for name in plan.graphs.supervised:
        values: Any = Expression(f'rows["{name}"]')
        code, there = f"({blanks.given(plan.graphs, name, values)})", mask_of(plan, name)
        code = code if there is None else f"({code} & {there})"
        tests.append(f"{code}.flatten(1).any(1)" if plan.graphs.variables[name].row_shape else code)
    told = docstring("[B] bool: rows that have at least one label.")
    asked = f"return {' | '.join(tests)}"
    return block("def labelled(rows: dict[str, Tensor]) -> Tensor:", told, *mask_lines(plan), asked)
