"""From a `Program` to its `Objective` (design, section 3; Siddharth et al. 2017, section 3 of the digest in prose).

For clamped labels y and hidden variables h, g(h) = prod q(h_i | parents), log w = sum_j log q(y_j | parents):

    L = E_w[ log p(x, y, h) - log g(h) - log w ] + log q^(y | x) + sum_j alpha_j * (label j's part of log q^(y | x))

E_w weighs g by w, self-normalised. A label whose density varies over no axis cancels between -log w and log q^, so it
is left out of both: with no hidden variable upstream of a label this is alpha log q(y | x) + E_g[log p - log g], exact.
Not here: any number, any tensor.
"""

from collections.abc import Sequence

from compiler.expression import (
    ClosedDivergence,
    Contribution,
    Expectation,
    FreeBits,
    LogDensity,
    LogEvidence,
    Measure,
    Negative,
    Objective,
    Sum,
    Term,
    Weight,
    Weighted,
)
from compiler.naming import canonical
from compiler.program import Program, Step


def derive(program: Program) -> Objective:
    """The objective of one observation pattern, as a sum of named contributions."""
    weighing = program.weighing_labels()
    measure = Measure(weighing)
    contributions = [
        *_likelihoods(program, measure),
        *(_divergence(program, name, measure) for name in program.hidden),
        *_importance(program, weighing, measure),
        *_label_terms(program),
    ]
    return Objective(program.pattern, tuple(contributions))


def _steps(program: Program) -> tuple[dict[str, Step], dict[str, Step]]:
    q = {s.factor.variable: s for s in program.recognition if s.action != "compute"}
    p = {s.factor.variable: s for s in program.generative if s.action == "score"}
    return q, p


def log_density(program: Program, side: str, name: str) -> LogDensity:
    """The leaf for one factor."""
    q, p = _steps(program)
    step = q[name] if side == "q" else p[name]
    return LogDensity("q" if side == "q" else "p", name, step.factor.parents, step.density_axes)


def _likelihoods(program: Program, measure: Measure) -> list[Contribution]:
    """log p of everything with a value in the row: observed variables and clamped labels."""
    hidden = set(program.hidden)
    _, p = _steps(program)
    result = []
    for name in p:
        if name not in hidden:
            leaf = log_density(program, "p", name)
            term: Term = Expectation(measure, leaf) if leaf.axes else leaf
            result.append(Contribution(f"log p({name})", term, term))
    return result


def _divergence(program: Program, name: str, measure: Measure) -> Contribution:
    """beta times E[log p - log q] of one hidden variable, in closed form where one holds; free bits before beta."""
    q, p = _steps(program)
    if program.choices[name].closed_kl:
        closed = ClosedDivergence(name, q[name].factor.parents, p[name].factor.parents, _closed_axes(q[name], p[name]))
        inner: Term = Negative(closed)
    else:
        parts: list[Term] = [log_density(program, "p", name)] if name in p else []
        inner = Sum((*parts, Negative(log_density(program, "q", name))))
    gain: Term = Expectation(measure, inner)
    section = program.graphs.spec.objective
    floored = FreeBits(Weight("free_bits", name), gain) if name in section.free_bits else gain
    term = Weighted(Weight("beta", name), floored) if name in section.beta else floored
    return Contribution(f"KL {name}", term, Negative(gain))


def _closed_axes(q: Step, p: Step) -> tuple[str, ...]:
    """A closed form does not depend on the variable's own draw, only on the values of the parents."""
    return canonical((*q.parent_axes, *p.parent_axes))


def _importance(program: Program, weighing: Sequence[str], measure: Measure) -> list[Contribution]:
    """-E_w[log w] + log q^: what the labelled bound gains by weighing draws; nothing when weights are constant."""
    if not weighing:
        return []
    log_w = Sum(tuple(log_density(program, "q", name) for name in weighing))
    term = Sum((Negative(Expectation(measure, log_w)), _log_evidence(program, tuple(weighing))))
    return [Contribution("importance weights", term, term)]


def _log_evidence(program: Program, labels: tuple[str, ...]) -> Term:
    """log q^ of several labels: logmeanexp over g, or the mean of the logs (`jensen`)."""
    if program.graphs.spec.objective.label_bound == "logmeanexp":
        return LogEvidence(labels)
    return Expectation(Measure(), Sum(tuple(log_density(program, "q", name) for name in labels)))


def _label_terms(program: Program) -> list[Contribution]:
    """alpha_j times label j's part: its own term under `jensen`, else log q^(y_1..j) - log q^(y_1..j-1)."""
    axes = program.log_q_axes()
    result: list[Contribution] = []
    before: tuple[str, ...] = ()
    for name in program.clamped:
        if not axes[name]:
            part: Term = log_density(program, "q", name)
        elif program.graphs.spec.objective.label_bound == "jensen" or not before:
            part = _log_evidence(program, (name,))
        else:
            part = Sum((LogEvidence((*before, name)), Negative(LogEvidence(before))))
        if axes[name]:
            before = (*before, name)
        result.append(Contribution(f"log q({name})", Weighted(Weight("alpha", name), part), part))
    return result
