"""How many labels each split has, by class: a table for people, plain values for files, and what to be told of it.

Not here: which labels there are (`preparation`), how sure an error is (`measures.error_interval`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import torch

from graphspec.describe.label_shares import dilution, stakes, two_digits
from graphspec.graphs.graph import Graphs, Variable
from graphspec.language.data import FEW_LABELS
from graphspec.reading.suggestions import counted
from graphspec.rules.label_value_rules import CODING_HINT, label_problem
from runtime.data.stream.column_store import Selection
from runtime.data.stream.patterns import as_wide, given_elements

FEW_ROWS = 10
"""Training rows below which hardly anything can be learnt."""
MANY_LABELLED = 4
"""Labelled rows for each row without labels, from where on those without are few."""
MOST_CLASSES = 12
"""Classes that the table lists one by one."""


@dataclass(frozen=True)
class LabelCounts:
    """One label: rows that have it by split, and by split how many have each class; no classes where it has none.

    elements: of a label in a plate, how many elements have it by split; its classes are then counted by element.
    """

    name: str
    rows: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    elements: Mapping[str, int] | None = None

    @property
    def measured(self) -> Mapping[str, int]:
        """By split, of how many labels an error is the share: of elements where the label stands in a plate."""
        return self.rows if self.elements is None else self.elements

    def to_json(self) -> dict[str, Any]:
        """`{rows: {split: n}, classes: {class: {split: n}}}`, and `elements: {split: n}` of a label in a plate."""
        plain = {label: dict(counts) for label, counts in self.classes.items()}
        elements = {} if self.elements is None else {"elements": dict(self.elements)}
        return {"rows": dict(self.rows), "classes": plain, **elements}


def count_labels(splits: Mapping[str, Selection], labels: Mapping[str, Variable]) -> tuple[LabelCounts, ...]:
    """Labels by split and class, in the order of `labels`."""
    return tuple(_count(splits, variable) for variable in labels.values())


def _count(splits: Mapping[str, Selection], variable: Variable) -> LabelCounts:
    classes = variable.support if is_class(variable.of_one) else None
    rows: dict[str, int] = {}
    elements: dict[str, int] = {}
    by_class: dict[str, dict[str, int]] = {name: {} for name in variable.value_names} if classes else {}
    for split, chosen in splits.items():
        rows[split], elements[split], codes = 0, 0, torch.zeros(classes or 0, dtype=torch.int64)
        for values, there in chosen.chunks_there(variable.name):
            given = given_elements(values)
            given = given if there is None else given & as_wide(there, given)
            rows[split] += int(given.reshape(len(values), prod(variable.shape)).any(dim=1).sum())
            first = 1 + variable.row_axes
            elements[split] += int(given.reshape(*given.shape[:first], prod(variable.of_element)).any(dim=-1).sum())
            if classes is not None:
                codes += torch.bincount(values[given].long() - variable.minimum, minlength=classes)
        for label, number in zip(by_class, codes.tolist(), strict=True):
            by_class[label][split] = number
    return LabelCounts(variable.name, rows, by_class, elements if variable.row_axes else None)


def is_class(variable: Variable) -> bool:
    """The label is one of finitely many values, one a row."""
    return variable.discrete and variable.support is not None and variable.shape in ((), (1,))


def describe_labels(counts: Sequence[LabelCounts]) -> str:
    """A table: a line per label, below it one per class.

    labels       training  validation  test
      y                10           1     1
        no              8           1     1
        yes             2           0     0
    """
    if not counts:
        return ""
    splits = list(counts[0].rows)
    lines = [("labels", *splits)]
    for label in counts:
        lines.append((f"  {label.name}", *(str(label.rows[split]) for split in splits)))
        if label.elements is not None:
            lines.append(("    elements", *(str(label.elements[split]) for split in splits)))
        if len(label.classes) > MOST_CLASSES:
            lines.append((f"    {len(label.classes)} classes", *(_range(label, split) for split in splits)))
        else:
            lines += [
                (f"    {name}", *(str(found[split]) for split in splits)) for name, found in label.classes.items()
            ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(splits) + 1)]
    return "\n".join(
        "  ".join([f"{line[0]:<{widths[0]}}", *(f"{line[i]:>{widths[i]}}" for i in range(1, len(line)))])
        for line in lines
    )


def _range(label: LabelCounts, split: str) -> str:
    numbers = sorted({found[split] for found in label.classes.values()})
    return f"{numbers[0]} to {numbers[-1]} each" if len(numbers) > 1 else f"{numbers[0]} each"


def label_notes(graphs: Graphs, counts: Sequence[LabelCounts], split_rows: Mapping[str, int]) -> list[str]:
    """What must not be overlooked, and `check` has not told: hardly any rows to train on, labels of one class only,
    classes that no row has, errors that say little."""
    training, held = split_rows["training"], sum(split_rows.values()) - split_rows["training"]
    notes = [_hardly_any_rows(split_rows)] if training < min(FEW_ROWS, held) else []
    for label in counts:
        rows = {name: splits["training"] for name, splits in label.classes.items()}
        blanks = 0 if label.elements else split_rows["training"] - label.rows["training"]
        unit = "training element" if label.elements else "training row"
        untold = "" if graphs.told("GS121", label.name) else label_problem(label.name, rows, blanks, unit)
        notes += [*([f"{untold}; {CODING_HINT}"] if untold else []), *_unmeasured(label, split_rows)]
    return notes


def _hardly_any_rows(split_rows: Mapping[str, int]) -> str:
    held = " and ".join(f"{split_rows[split]} to {split}" for split in ("validation", "test") if split_rows[split])
    return f"only {counted(split_rows['training'], 'row')} for training" + (f": {held}" if held else "")


def dilution_notes(graphs: Graphs, label_rows: Mapping[str, int], labelled: int) -> list[str]:
    """Labels that others dilute, of which `check` has not told. label_rows: training rows that have each label;
    labelled: those that have any."""
    found = [
        dilution(graphs, stake, label_rows.get(stake.name, 0), labelled)
        for stake in stakes(graphs)
        if not graphs.told("GS123", stake.name)
    ]
    return ["; ".join(each) for each in found if each is not None]


def few_unlabelled_notes(graphs: Graphs, unlabelled: int, labelled: int) -> list[str]:
    """Rows without labels that are few beside those with some: they alone say how long an epoch is, and by rho they may
    weigh much more. A row with a label of one element is a labelled one, so a share of the elements may leave few."""
    training, rho = graphs.spec.training, graphs.spec.objective.labelled_share(labelled, unlabelled)
    if not unlabelled or labelled < MANY_LABELLED * unlabelled:
        return []
    steps = ceil(unlabelled / training.batch_size)
    seen = steps * min(training.labelled_batch_size or training.batch_size, labelled)
    consequences = []
    if seen < labelled:
        consequences.append(
            f"an epoch is one pass over these, {counted(steps, 'step')} with {counted(seen, 'labelled row')} of "
            f"{labelled} (ask for {ceil(labelled / seen)} times the epochs, or label fewer rows)"
        )
    weight = (1 - rho) / unlabelled * labelled / rho
    if weight >= MANY_LABELLED:
        alike = f"`objective: {{rho: {labelled / (unlabelled + labelled):.2g}}}` weighs all alike"
        consequences.append(f"each of them weighs as {two_digits(weight)} labelled rows, by rho {rho:.2g} ({alike})")
    few = f"{unlabelled} of {unlabelled + labelled} training rows have no label at all"
    return [f"{few}: {'; '.join(consequences)}"] if consequences else []


def _unmeasured(label: LabelCounts, split_rows: Mapping[str, int]) -> list[str]:
    """A note about splits on which an error says little."""
    given, unit = label.measured, "rows" if label.elements is None else "elements"
    few = {split: given[split] for split in ("validation", "test") if split_rows[split]}
    few = {split: number for split, number in few.items() if number < FEW_LABELS}
    if not few:
        return []
    held = " and ".join(f"{number} of the {split} {unit}" for split, number in few.items())
    return [
        f"{given['training']} training {unit} have a label of {label.name}, and {held}: an error on fewer than "
        f"{FEW_LABELS} labels says little. More labels say more, or each fold in turn: `test: {{fold: 0, of: 5}}`"
    ]
