"""An `Explanation` in words, in LaTeX (a whole document) and as plain data for tools."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from compiler.symbolic.agreement_text import agreements_json, agreements_latex, agreements_text
from compiler.symbolic.answer_text import answer_lines
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.cost import Cost
from compiler.symbolic.explanation import Explanation, PatternExplanation, VariableNote, row_weight_text
from compiler.symbolic.label_share_text import stake_lines, stakes_json
from compiler.symbolic.notation import LATEX, UNICODE
from compiler.symbolic.printing import term_texts
from compiler.symbolic.program import Program, axes_text, conditional_text, function_text, loop_text
from compiler.symbolic.shared_features_text import shared_features_lines
from compiler.symbolic.step_memory import byte_text, memory_lines, savings, step_memory
from compiler.symbolic.weight_cost_text import weight_cost_lines, weight_costs
from graphspec.describe.parameter_words import parameter_origins
from graphspec.graphs.flow_times import slow_flows
from graphspec.graphs.graph import SIDES
from graphspec.graphs.label_sets import sets_of_labels
from graphspec.graphs.run_weights import told_weights
from graphspec.reading.suggestions import amount

LEGEND = (
    "g is the product of the recognition factors of the hidden variables, drawn or summed in recognition order.",
    "Everything is in nats per row, to be maximised.",
)
WEIGHTS_LEGEND = "E_g·w(y) weighs g by the density of label y, self-normalised over draws and sums."
ONE_DRAW_LEGEND = "With one draw its weight is 1, so log w and log q^ cancel: what is left is the plain mean over g."
MASKED_LEGEND = "[given] are the elements that a row has of a label, [hidden] those that it lacks."
ONE_FOR_ALL_LEGEND = "So many patterns of labels are possible that one program serves every row, with the same value."


SUMS_LEGEND = "Z sums p over all values of what is exact, Z(y) over those that agree with a row's labels of y."


WIDEST = 100
"""Cells longer than this do not widen their column."""


def as_text(explanation: Explanation) -> str:
    """The objective for the terminal."""
    graphs = explanation.graphs
    lines = [f"{graphs.spec.name or graphs.source.name}: the derived objective", ""]
    lines += [f"  {line}" for line in total_lines(explanation)]
    lines += ["", *(f"  {line}" for line in LEGEND)]
    lines += [f"  {line}" for line in _legend(explanation)]
    for pattern in explanation.patterns:
        lines += ["", *_pattern_text(pattern)]
    if explanation.skipped:
        several = explanation.skipped > 1
        words = "further patterns of labels follow" if several else "further pattern of labels follows"
        lines += ["", f"{explanation.skipped} {words} the same rules."]
    lines += agreements_text(explanation)
    return "\n".join([*lines, "", "parameters", *(f"  {line}" for line in origin_lines(explanation))])


def _legend(explanation: Explanation) -> list[str]:
    """What further signs mean, of those that occur."""
    programs = [pattern.program for pattern in explanation.patterns]
    weighing = [program for program in programs if program.weighing_labels()]
    lines = [WEIGHTS_LEGEND] if weighing else []
    if any(_by_one_draw(program) for program in weighing):
        lines.append(ONE_DRAW_LEGEND)
    for plate in explanation.graphs.plates.values():
        inside = f" of each of {plate.path[-2]}" if len(plate.path) > 1 else ""
        elements = f"the {plate.size} elements{inside} of plate {plate.name}"
        added = "adds them up"
        if plate.count is not None:
            elements = f"up to {plate.size} elements{inside} of plate {plate.name}"
            added = f"adds up those that are there, of which {plate.count} says how many"
        lines.append(f"@{plate.name} is the axis of {elements}; Σ_{plate.name} {added}.")
    for name in sets_of_labels(explanation.graphs):
        lines.append(
            f"Labels of {name} are a set: each goes to one element, where the sum of E[log q] of all is the largest, "
            "chosen anew each time, without a gradient. Other assignments count nothing, and all are alike beforehand: "
            "a bound with labels is lower by the log of how many there are."
        )
    for variable, axes in sorted(_summed_together(programs).items()):
        each = ", ".join(axes[:2]) + (", .." if len(axes) > 2 else "")
        lines.append(f"{variable} is the axis of one element's values; {each} are those of all, summed together.")
    lines += [SUMS_LEGEND] if explanation.graphs.exact else []
    lines += [MASKED_LEGEND] if any(program.pattern.masked for program in programs) else []
    return [*lines, ONE_FOR_ALL_LEGEND] if explanation.one_for_all else lines


def _summed_together(programs: Iterable[Program]) -> dict[str, tuple[str, ...]]:
    """Variables whose elements are summed at once, with the axes of their elements."""
    found = (program.joint for program in programs)
    return {name: joint.elements[name] for joint in found for name in joint.joint}


def _by_one_draw(program: Program) -> bool:
    """Every label's weight varies over the samples alone, and there is one sample."""
    axes = program.label_axes()
    return program.samples == 1 and all(axes[name] == (SAMPLES,) for name in program.weighing_labels())


def pattern_title(pattern: PatternExplanation) -> str:
    """Which rows."""
    if not pattern.program.graphs.supervised:
        return "every row"
    return str(pattern.program.pattern)


def origin_lines(explanation: Explanation) -> list[str]:
    """What gives each parameter of each factor, one aligned line per factor and parameter."""
    rows, told = [], told_weights(explanation.graphs)
    for side, letter in zip(SIDES, "pq", strict=True):
        for factor in explanation.graphs.factors(side).values():
            head = conditional_text(letter, factor.variable, factor.parents)
            if factor.deterministic:
                head = function_text(factor.variable, factor.parents)
            for parameter, origin in parameter_origins(explanation.graphs, factor).items():
                weights = f" ({told[factor.key]})" if head and factor.key in told else ""
                rows.append((head, parameter, origin + weights))
                head = ""
    widths = [max((len(row[column]) for row in rows if len(row[column]) <= WIDEST), default=0) for column in range(2)]
    return [f"{head.ljust(widths[0])}  {name.ljust(widths[1])}  {origin}".rstrip() for head, name, origin in rows]


def total_lines(explanation: Explanation) -> list[str]:
    """The normaliser and the sampling scheme, in words."""
    graphs = explanation.graphs
    if not graphs.supervised:
        lines = ["total     L = mean of L over all rows"]
    else:
        lines = [
            "total     L = (1 − ρ) · mean of L over unlabelled rows + ρ · mean of L over labelled rows",
            "            = (1 / (N + γM)) · [sum over N unlabelled rows + γ · sum over M labelled rows]",
            f"weights   {row_weight_text(graphs)}",
            "batches   labelled and unlabelled rows come in separate streams with these weights: unbiased, and the",
            "          same for every batch composition and number of processes",
            *stake_lines(graphs),
        ]
    if any(SAMPLES in pattern.program.sizes for pattern in explanation.patterns):
        count = graphs.spec.objective.samples
        draws = "joint draw" if count == 1 else "joint draws"
        lines.append(f"draws     S = {count} {draws} per row of what is not summed; E_g is their mean")
    heads = ("memory    ", "          ")
    lines += [head + line for head, line in zip(heads, memory_lines(graphs, step_memory(graphs)), strict=False)]
    slow = [flow for flow in slow_flows(graphs) if flow.seconds >= 0.1]
    lines += [f"time      {flow.factor.key}: {flow.text}; less with {flow.savings}" for flow in slow]
    lines += [f"auto      {line}" for line in shared_features_lines(graphs)]
    lines += answer_lines(graphs)
    lines += weight_cost_lines(graphs)
    if _uses_batch_statistics(explanation):
        lines.append("note      batch normalization makes a row's terms depend on its batch in training")
    return lines


def _uses_batch_statistics(explanation: Explanation) -> bool:
    graphs = explanation.graphs
    factors = (*graphs.generative.values(), *graphs.recognition.values())
    return any(getattr(factor.network, "normalization", "none") == "batch" for factor in factors)


def _pattern_text(pattern: PatternExplanation) -> list[str]:
    head = pattern.head()
    lines = [pattern_title(pattern)]
    for position, line in enumerate(pattern.lines()):
        lines.append(f"  {head if position == 0 else ' ' * len(head)} {'=' if position == 0 else ' '} {line}")
    lines += [f"  {' ' * len(head)}   where {line}" for line in pattern.sums()]
    rows = [("variable", "role", "how", "axes", "weight", "why"), *(_cells(note) for note in pattern.notes)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines.append("")
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True))
        lines.append(f"    {cells}  {row[5]}".rstrip())
    return [
        *lines,
        "",
        *(f"    {line}" for line in walk_lines(pattern.program)),
        f"    cost per row: {cost_text(pattern.cost)}",
    ]


def walk_lines(program: Program) -> list[str]:
    """What comes one element after the other, and in how many steps."""
    plates = program.graphs.plates
    names = [", ".join(loop.members) for loop in program.loops]
    told = [f"{loop_text(loop)}, {plates[loop.plate].size} steps" for loop in program.loops]
    heads = ["walks: ", *[" " * len("walks: ")] * len(told)]
    return [f"{head}{name}: {text}" for head, name, text in zip(heads, names, told, strict=False)]


def _cells(note: VariableNote) -> tuple[str, str, str, str, str, str]:
    axes = ", ".join(axis.strip() for axis in note.axes)
    return (note.name, note.role, note.estimator, axes, note.weight, note.reason)


def cost_text(cost: Cost) -> str:
    """`1.2 MFLOP forward, 3.5 MFLOP a training step, 12 KiB of activations, 10 joint values`."""
    parts = [
        f"{_scaled(2 * cost.multiply_adds)}FLOP forward",
        f"{_scaled(cost.training_flop)}FLOP a training step",
        f"{byte_text(cost.activation_bytes)} of activations",
    ]
    if cost.joint_values > 1:
        parts.append(f"{amount(cost.joint_values)} joint values summed at most")
    return ", ".join(parts)


def _scaled(number: float) -> str:
    for unit in ("", "k", "M", "G"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} T"


def as_latex(explanation: Explanation) -> str:
    """A document that pdflatex compiles: the total, then an aligned equation per pattern."""
    graphs = explanation.graphs
    title = _latex_text(graphs.spec.name or graphs.source.name)
    body = [r"\documentclass{article}", r"\usepackage{amsmath,amssymb}", r"\usepackage[margin=2cm]{geometry}"]
    body += [r"\begin{document}", rf"\section*{{{title}: the derived objective}}"]
    if graphs.supervised:
        body += [
            r"\[ \mathcal{L} = \frac{1}{N + \gamma M}\left[\sum_{n=1}^{N} \mathcal{L}_n"
            r" + \gamma \sum_{m=1}^{M} \mathcal{L}_m\right],\qquad \rho = \frac{\gamma M}{N + \gamma M} \]"
        ]
    body += [r"\par\noindent " + _latex_text(line) for line in _legend(explanation)]
    for pattern in explanation.patterns:
        lines = pattern.lines(LATEX)
        title = pattern_title(pattern)
        body += [rf"\paragraph{{{_latex_text(title[0].upper() + title[1:])}}}"]
        rows = [rf"{pattern.head(LATEX)} ={{}}& {lines[0].strip()}", *(rf"& {line}" for line in lines[1:])]
        rows += [rf"& \quad\text{{where }} {line}" for line in pattern.sums(LATEX)]
        body += [r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"]
    body += agreements_latex(explanation)
    return "\n".join([*body, r"\end{document}"])


LATEX_WORDS = {
    "E_g·w(y)": r"$\mathbb{E}_{g\,w(y)}$", "log w": r"$\log w$", "log q^": r"$\log \hat q$", "_": r"\_",
}  # fmt: skip


def _latex_text(text: str) -> str:
    """Words of ours outside a formula."""
    pattern = "|".join(re.escape(word) for word in LATEX_WORDS)
    return re.sub(pattern, lambda found: LATEX_WORDS[found[0]], text)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Plain data: everything `as_text` says."""
    return {
        "name": explanation.graphs.spec.name,
        "total": total_lines(explanation),
        "samples": explanation.graphs.spec.objective.samples,
        "answers": dict(explanation.graphs.spec.objective.answers),
        "one_program_for_all_patterns": explanation.one_for_all,
        "patterns": [_pattern_json(pattern) for pattern in explanation.patterns],
        "patterns_not_listed": explanation.skipped,
        "labels_at_the_start": stakes_json(explanation.graphs),
        "step_memory": _memory_json(explanation),
        "not_part_of_the_bound": agreements_json(explanation),
        "weight_decay": dict(weight_costs(explanation.graphs)),
        "parameters": {
            factor.key: parameter_origins(explanation.graphs, factor)
            for side in SIDES
            for factor in explanation.graphs.factors(side).values()
        },
    }


def _memory_json(explanation: Explanation) -> dict[str, Any]:
    memory = step_memory(explanation.graphs)
    return {
        "unlabelled_rows": memory.unlabelled,
        "labelled_rows": memory.labelled,
        "bytes": round(memory.total),
        "heaviest": memory.heaviest,
        "share": memory.share,
        "times": memory.times,
        "less_with": savings(explanation.graphs, memory),
    }


def _pattern_json(pattern: PatternExplanation) -> dict[str, Any]:
    program, contributions = pattern.program, pattern.objective.contributions
    terms = [contribution.term for contribution in contributions]
    texts, formulas = (term_texts(program, terms, notation) for notation in (UNICODE, LATEX))
    return {
        "labels": list(program.pattern.labels),
        "labels_in_part": list(program.pattern.masked),
        "contributions": [
            {"name": contribution.name, "text": text, "latex": latex}
            for contribution, text, latex in zip(contributions, texts, formulas, strict=True)
        ],
        "sums": pattern.sums(),
        "variables": [{**asdict(note), "axes": [axis.strip() for axis in note.axes]} for note in pattern.notes],
        "walks": [
            {
                "variables": list(loop.members),
                "plate": loop.plate,
                "reads": loop.kind,
                "steps": program.graphs.plates[loop.plate].size,
            }
            for loop in program.loops
        ],
        "cost": {
            "forward_flop": 2 * pattern.cost.multiply_adds,
            "training_flop": pattern.cost.training_flop,
            "activation_bytes": pattern.cost.activation_bytes,
            "joint_values": pattern.cost.joint_values,
        },
        "program": [
            f"{step.action} {step.factor.key}{axes_text(step.density_axes or step.value_axes)}"
            for step in (*program.recognition, *program.generative)
        ],
    }
