"""What a trained model does not do, and what is usually done about it: labels no better than a guess, dead latents,
columns that a fit of each by itself tells better.

From: what `measure` reports, and the spec. To: one text each, for a person. Not here: the figures themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from graphspec.describe.label_shares import undiluted_alpha
from graphspec.graphs.graph import Graphs

RANKS = 0.7
"""From this area under the curve on, a label that is never answered is still told apart."""
FINDS, RARE = 0.8, 0.6
"""Below this share of a constant answer's balanced error rare classes are found. There are some where the commonest
class is wrong less often than this share of what it would be among equally common ones."""


@dataclass(frozen=True)
class TrainingRows:
    """rows: how many there are; labelled: how many have any label; labels: how many have each."""

    rows: int
    labelled: int
    labels: Mapping[str, int]


@dataclass(frozen=True)
class ChosenEpoch:
    """The epoch whose weights are measured, of how many, and the figure of validation rows that chose it."""

    epoch: int
    epochs: int
    by: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "ChosenEpoch | None":
        """Of a run's manifest; None where the last weights stand."""
        best, chosen_by = manifest.get("best_epoch"), manifest.get("select", "last")
        return None if best is None or chosen_by == "last" else cls(best, manifest["epochs"], chosen_by)


def shortcomings(
    graphs: Graphs, report: Mapping[str, Any], training: TrainingRows, chosen: ChosenEpoch | None = None
) -> list[str]:
    """Labels that are not clearly better than the commonest class (or the mean), latents that follow no row, and a
    bound below what columns give by themselves, which may be those of an early epoch that some label's error chose.

    report: of held-out rows; its latents may be missing. chosen: None for the last weights.
    """
    found = []
    for name, figures in report["variables"].items():
        if figures.get("error") is not None and not figures["clearly_better"]:
            compared = _of_classes(name, figures) if "majority_error" in figures else _of_numbers(name, figures)
            found.append(f"{compared}. {_advice(graphs, name, figures, training)}")
    unlearnt = [_dead(graphs, name, use) for name, use in report.get("latents", {}).items() if use["in_use"] == 0]
    unlearnt += _below_columns(graphs, report)
    return found + unlearnt + (_chosen_early(chosen) if unlearnt and chosen is not None else [])


def _chosen_early(chosen: ChosenEpoch) -> list[str]:
    """A label's error on few rows is as good by chance after one epoch, when p has hardly begun."""
    if chosen.by == "elbo" or 2 * chosen.epoch > chosen.epochs:
        return []
    return [
        f"these weights are of epoch {chosen.epoch} of {chosen.epochs}, best by {chosen.by} on validation rows: "
        "see what the last ones do, `graphspec evaluate RUN --checkpoint last`; "
        "training: {select: elbo} (or last) keeps others"
    ]


def _of_classes(name: str, figures: Mapping[str, Any]) -> str:
    interval = figures.get("interval")
    within = f" (95 % interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
    constant = f"always answering {figures['majority']}" if "majority" in figures else "a constant answer"
    return (
        f"{name} is not clearly better than a guess: {100 * figures['error']:.1f} % wrong{within}, "
        f"{constant} {100 * figures['majority_error']:.1f} %"
    )


def _of_numbers(name: str, figures: Mapping[str, Any]) -> str:
    r2 = "" if figures["r2"] is None else f" (R2 {figures['r2']:.2f})"
    return (
        f"{name} is not clearly better than a guess: root mean square {figures['rmse']:.4g}{r2}, always answering the "
        f"mean {figures['mean_error']:.4g}"
    )


def _learnt_all_the_same(figures: Mapping[str, Any]) -> str:
    """What the error does not show, where some class is much commoner than the others."""
    balanced, chance = figures.get("balanced_error", 1.0), 1 - 1 / max(2, len(figures.get("classes", ())))
    if figures.get("majority_error", 1.0) >= RARE * chance:
        return ""
    if balanced < FINDS * chance:
        return (
            f"Rare classes are found all the same: balanced error {100 * balanced:.0f} %, a constant answer "
            f"{100 * chance:.0f} %"
        )
    if (figures.get("auc") or 0.0) >= RANKS:
        return f"It ranks rows all the same (AUC {figures['auc']:.2f}): read its probabilities, not its answers"
    return ""


def _advice(graphs: Graphs, name: str, figures: Mapping[str, Any], training: TrainingRows) -> str:
    learnt, labels, rows = _learnt_all_the_same(figures), training.labels.get(name, 0), training.rows
    if learnt:
        return learnt
    if not labels:
        return "No training row has this label, so that nothing says what its values mean: give some rows theirs"
    spec = graphs.spec
    reads = ", ".join(graphs.observed)
    every = f"all {rows} training rows have it, so perhaps it does not follow from {reads or 'what is observed'}"
    steps = [every if labels == rows else f"label more rows ({labels} of {rows} have it)"]
    if spec.recognition.auto and name not in spec.recognition.factors:
        steps.append(
            "give it a network of its own instead of the trunk that `recognition: auto` shares, "
            f"recognition: {{auto: true, {name}: {{parents: [{reads}]}}}}"
        )
    steps.append(f"weigh it more, {_more_weight(graphs, name, labels, training.labelled)}")
    return "What may help: " + "; ".join([*steps, "train for more epochs"])


def _more_weight(graphs: Graphs, name: str, rows: int, labelled: int) -> str:
    """What GS123 says where others dilute the label, from the counts that `check` had; else ten times its alpha."""
    counted = graphs.label_rows
    if counted is not None:
        rows, labelled = counted.training.get(name, rows), counted.labelled
    own = graphs.spec.objective.number_of("alpha", name)
    tenfold = f"{10 * own:g}" if isinstance(own, float) else "..."
    value = undiluted_alpha(graphs, name, rows, labelled) or tenfold
    return (
        f"objective: {{alpha: {{{name}: {value}}}}}" if len(graphs.supervised) > 1 else f"objective: {{alpha: {value}}}"
    )


def _dead(graphs: Graphs, name: str, use: Mapping[str, Any]) -> str:
    epochs, elements = max(1, graphs.spec.training.epochs // 5), use["elements"]
    begin = f"start without its divergence, objective: {{beta: {{{name}: {{from: 0, to: 1, epochs: {epochs}}}}}}}"
    variable = graphs.variables[name]
    free = f"leave it some nats free, free_bits: {{{name}: {max(1, prod(variable.of_element) // 2)}}}"
    free += f" in each element of {variable.plates[-1][0]}" if variable.plates else ""
    beta = graphs.spec.objective.beta.get(name, 1.0)
    less = f"beta: {{{name}: {beta / 10:g}}}" if isinstance(beta, float) else f"a smaller beta of {name}"
    follow = f"none of its {elements} elements follows" if elements > 1 else "it does not follow"
    steps = f"{begin}; {free}; or weigh it less, {less}"
    if name in graphs.exact:
        steps = f"its values begin alike: another training.seed; train for more epochs; or weigh it less, {less}"
    return f"{name} carries nothing: {follow} the rows ({use['nats']:.2g} nats a row). What may help: {steps}"


def _below_columns(graphs: Graphs, report: Mapping[str, Any]) -> list[str]:
    columns = report.get("columns", {"below": False, "variables": {}})
    worst = {name: nats for name, nats in columns["variables"].items() if nats["below"]}
    if not (columns["below"] or worst):
        return []
    told = [
        f"{name} alone has {nats['model']:.4g}, and {_family(graphs, name)} that is fitted to it {nats['fit']:.4g}"
        for name, nats in worst.items()
    ]
    if columns["below"]:
        whole = "fits of each column by itself give" if len(columns["variables"]) > 1 else "a fit of the column gives"
        told.insert(0, f"the bound is {report['elbo']:.4g} nats a row, and {whole} {columns['fit']:.4g}")
    names = worst or columns["variables"]
    data = graphs.spec.data
    done = {name for name, column in data.variables.items() if column.standardize} if data is not None else set()
    far = [n for n in names if graphs.variables[n].domain in ("real", "positive") and n not in done]
    steps = ["train for more epochs"]
    steps += [f"write `standardize: true` for {', '.join(far)} in `data.variables`"] if far else []
    steps += ["a lower training.learning_rate or training.gradient_clip: 5"]
    return [f"{'; '.join(told)}: worse than a model without any dependence. What may help: {'; '.join(steps)}"]


def _family(graphs: Graphs, name: str) -> str:
    family = graphs.generative[name].family
    assert family is not None
    return f"a {family.name.replace('_', ' ')}"
