"""The consistency regularisers in words, in LaTeX and as plain data: always apart from the bound."""

from typing import Any

from compiler.symbolic.agreement import PROBE, Agreement
from compiler.symbolic.explanation import Explanation, number_text
from compiler.symbolic.notation import LATEX, UNICODE, Notation

TITLE = "not part of the bound"
TOTAL = "training minimises −L plus the following; evaluation, checkpoints and `bound` know nothing of it"
SHARED = (
    "q is what the bound's own evaluation of the row gives, of the row as augmented and binarized for this step: no",
    "second pass, and its gradient is followed. q̄ is the model with averaged weights, in evaluation mode, of the row",
    "as it is in the data: one pass over what q needs, no gradient.",
)
AVERAGED = (
    "q̄ is the model with averaged weights, in evaluation mode; a clean row is as it is in the data: one pass over what",
    "q needs, no gradient.",
)
MOVED = (
    "r moves the row as augmented and binarized for this step: q̄ says which way, in two more passes over what q",
    "needs, and q is asked in a pass of its own, under the same dropout masks and noise, whose batch statistics are",
    "not kept. The gradient is followed through that pass alone, with r held fixed.",
)


def formula(agreement: Agreement, notation: Notation = UNICODE) -> str:
    """`R[y] = w[y] · mean over rows without y of [...]`."""
    n, name = notation, agreement.variable
    observed, labels = ([n.variable(parent) for parent in names] for names in (agreement.observed, agreement.labels))
    clean = [rf"\mathring{{{parent}}}" if n.latex else f"clean {parent}" for parent in observed]
    asked = [_moved(agreement, parent, n) for parent in agreement.observed]
    y = n.variable(name)
    element = f"{y}_d" if agreement.elements > 1 else y
    bars = (r"\bar q", "q") if n.latex else ("q̄", "q")
    answer = [
        f"{letter}({element} = k{n.given if parents else ''}{', '.join(parents)})"
        for letter, parents in zip(bars, ([*clean, *labels], [*asked, *labels]), strict=True)
    ]
    if n.latex:
        total = r"\sum_d\, " if agreement.elements > 1 else ""
        return (
            rf"\mathcal{{R}}_{{{y}}} = w_{{{y}}}\, \frac{{1}}{{R}} \sum_{{\text{{rows without }} {y}}} {total}"
            rf"\mathbf{{1}}\!\left[\max_k {answer[0]} \ge {agreement.confidence:g}\right] "
            rf"\left(-\sum_k {answer[0]} \log {answer[1]}\right)"
        )
    total = "Σ_d " if agreement.elements > 1 else ""
    return (
        f"R[{y}] = w[{y}] · mean over rows without {y} of {total}1[max_k {answer[0]} ≥ {agreement.confidence:g}] · "
        f"(−Σ_k {answer[0]} log {answer[1]})"
    )


def _moved(agreement: Agreement, parent: str, notation: Notation) -> str:
    """`x`, or `x + r[x]` where the row is moved."""
    written = notation.variable(parent)
    if parent not in agreement.moves:
        return written
    return rf"{written} + r_{{{written}}}" if notation.latex else f"{written} + r[{written}]"


def remarks(agreement: Agreement) -> list[str]:
    """When it acts, what it averages over, and its normaliser."""
    name = agreement.variable
    begin = f" from epoch {agreement.after:g} on" if agreement.after else ""
    lines = [f"w[{name}] = {number_text(agreement.weight)}{begin}; averaged weights of decay {agreement.decay:g}"]
    if agreement.elements > 1:
        lines.append(f"d runs over the elements of {name} that the row lacks")
    if agreement.adversarial:
        moves = ", ".join(agreement.moves)
        moved = ", ".join(_moved(agreement, parent, UNICODE) for parent in agreement.observed)
        lines += [
            f"r has length {agreement.adversarial:g} over all elements of {moves}, along the gradient in r of",
            f"KL(q̄({name} | {', '.join(agreement.observed)}) ‖ q̄({name} | {moved})), taken at {PROBE:g} of that length",
            "in a random direction",
        ]
    if agreement.hidden:
        where = ", ".join(agreement.hidden)
        lines.append(f"{where} upstream of {name}: each q is the mean over it, by the sums and draws of the program")
    if agreement.labels:
        where = ", ".join(agreement.labels)
        lines.append(f"{where}: the row's own label where it has one, else averaged over like everything hidden")
    return [
        *lines,
        f"R = training rows without {name}; a row weighs N / (U R) among the U unlabelled rows of a step, M / (L R)",
        "among its L labelled ones: once, by neither ρ nor α, and the same for any number of processes",
    ]


def agreements_text(explanation: Explanation) -> list[str]:
    """For the terminal; no lines without a regulariser."""
    if not explanation.agreements:
        return []
    lines = ["", f"{TITLE}: {TOTAL}"]
    for agreement in explanation.agreements:
        lines += [f"  {formula(agreement)}", "", *(f"    {line}" for line in remarks(agreement)), ""]
    return [*lines, *(f"    {line}" for line in shared(explanation))]


def shared(explanation: Explanation) -> list[str]:
    """What q and q̄ are, for all regularisers together."""
    moving = [agreement for agreement in explanation.agreements if agreement.adversarial]
    plain = len(moving) < len(explanation.agreements)
    return [*(SHARED if plain else AVERAGED), *(MOVED if moving else ())]


def agreements_latex(explanation: Explanation) -> list[str]:
    """Equations for the document of `as_latex`."""
    if not explanation.agreements:
        return []
    head = r"\paragraph{Not part of the bound} Training minimises $-\mathcal{L}$ plus"
    words = (
        r"\noindent $q$ of the row as augmented for the step; $\bar q$ is the model with averaged weights, without "
        r"gradient, of the row as it is in the data; $R$ is the number of training rows without the label."
    )
    if any(agreement.adversarial for agreement in explanation.agreements):
        words += (
            r" $r$ moves the row as augmented for the step along the gradient of the divergence of $\bar q$ from its "
            r"own answer, by a fixed length."
        )
    return [head, *(rf"\[ {formula(agreement, LATEX)} \]" for agreement in explanation.agreements), words]


def agreements_json(explanation: Explanation) -> list[dict[str, Any]]:
    """Plain data."""
    return [
        {
            "name": agreement.term,
            "variable": agreement.variable,
            "text": formula(agreement),
            "latex": formula(agreement, LATEX),
            "weight": number_text(agreement.weight),
            "after": agreement.after,
            "confidence": agreement.confidence,
            "averaged_weights_decay": agreement.decay,
            "adversarial": agreement.adversarial,
            "remarks": remarks(agreement),
        }
        for agreement in explanation.agreements
    ]
