"""Rules of `data.labels`: who keeps a label, whether there are rows enough, and what weight they will carry."""

from collections.abc import Mapping
from pathlib import Path

from graphspec.graphs.graph import Variable
from graphspec.headers import SourceError
from graphspec.headers.sources import MissingSource, find_file, read_row_list
from graphspec.language import DataSection, LabelBudget, Spec
from graphspec.reading.suggestions import counted, did_you_mean, few
from graphspec.rules.declared import allowed, check_name, names_with
from graphspec.rules.split_rules import Sizes
from graphspec.text.report import Report

Places = tuple[Path | None, Path | None]
"""Where files are looked for: the spec's own file, and `--data-dir`."""
SMALL_SHARE = 0.02
"""Labelled rows with less of the total weight than this learn next to nothing from their labels."""


def check_labels(
    spec: Spec,
    data: DataSection,
    variables: dict[str, Variable],
    sizes: Sizes,
    places: Places,
    elements: Mapping[str, int],
    report: Report,
) -> dict[str, int | None]:
    """GS070 names, GS085 counts and files, GS086 `with`; warnings GS111 (share of weight) and GS114 (few labels).
    elements: of plates, as far as they are known.

    Returns rows that each budget asks for, None where it cannot be known, 0 for `with`.
    """
    counts: dict[str, int | None] = {}
    for name, budget in data.labels.items():
        path = ("data", "labels", name)
        if not check_name(spec, path, ("supervised",), "only labels can be hidden", report):
            continue
        if isinstance(budget, LabelBudget) and budget.same_as is not None:
            _check_with(spec, data, name, budget.same_as, report)
            counts[name] = 0  # rows that are counted already
        elif isinstance(budget, LabelBudget) and budget.rows is not None:
            counts[name] = _check_rows_file(name, budget.rows, sizes, places, report)
        elif isinstance(budget, LabelBudget) and budget.elements is not None:
            counts[name] = None  # in how many rows they stand, the draw tells
            _check_elements(spec, data, name, budget.elements, elements, report)
        elif name in variables:
            counts[name] = _check_count(spec, variables[name], budget, sizes, report)
    _check_share(spec, counts, sizes, report)
    return counts


def _check_count(
    spec: Spec, variable: Variable, budget: int | float | LabelBudget, sizes: Sizes, report: Report
) -> int | None:
    """Labelled rows that the budget means, None where it cannot be known."""
    path: tuple[str, ...] = ("data", "labels", variable.name)
    if isinstance(budget, float):
        return None if sizes.training is None else int(budget * sizes.training + 0.5)
    classes = variable.support if not variable.shape else None
    count = budget if isinstance(budget, int) else 0
    asked = str(count)
    if isinstance(budget, LabelBudget):
        path, per_class = (*path, "per_class"), budget.per_class or 0
        if variable.row_axes:
            return None  # GS096: it stands in a plate
        if classes is None:
            message = f"per_class needs one class per row, and '{variable.name}' has no classes to balance"
            report.error("GS085", path, message, key=True, hint="give a count, or a share such as 0.1")
            return None
        count, asked = per_class * classes, f"{per_class} labels of each of {classes} classes"
    if sizes.training is not None and count > sizes.training:
        message = f"'{variable.name}' cannot keep {asked}: there are {sizes.training} training rows"
        split = f"{sizes.total} rows, less {sizes.test} for test and {sizes.validation} for validation"
        report.error("GS085", path, message, hint=f"the source has {split}; 1.0 keeps every label")
    elif classes is not None and count < classes and not allowed(spec, variable.name, "GS114"):
        message = f"{counted(count, 'label')} for {classes} classes: some class of '{variable.name}' has none"
        hint = f"give at least {classes}, or a share with a decimal point such as 1.0"
        report.warning("GS114", path, message, hint=hint)
    return count


def _check_elements(
    spec: Spec, data: DataSection, name: str, asked: int | float, elements: Mapping[str, int], report: Report
) -> None:
    """GS085: elements are those of a plate, and there are so many."""
    path, plate = ("data", "labels", name, "elements"), spec.variables[name].plate
    if plate is None:
        message = f"`elements` are those of a plate, and '{name}' belongs to the row"
        report.error("GS085", path, message, key=True, hint=f"say how many rows: `labels: {{{name}: {asked}}}`")
    elif isinstance(asked, int) and asked > elements.get(plate, asked):
        message = f"'{name}' cannot keep {asked} labels: {data.source} has {elements[plate]} {plate}, of all rows"
        report.error("GS085", path, message, hint="ask for fewer, or for a share of the training rows' elements: 0.1")


def _check_with(spec: Spec, data: DataSection, name: str, other: str, report: Report) -> None:
    """`with` names another supervised variable, and following it comes to an end."""
    path = ("data", "labels", name, "with")
    others = [choice for choice in names_with(spec, ("supervised",)) if choice != name]
    if other not in others:
        what = "itself" if other == name else f"'{other}', which is no supervised variable"
        hint = did_you_mean(other, others, f"supervised variables: {few(others)}")
        report.error("GS086", path, f"'{name}' cannot have its labels on the rows of {what}", hint=hint)
        return
    chain = [name]
    while other not in chain:
        chain.append(other)
        budget = data.labels.get(other)
        if not isinstance(budget, LabelBudget) or budget.same_as is None:
            return
        other = budget.same_as
    if other == name:
        loop = " -> ".join((*chain, other))
        report.error(
            "GS086", path, f"no variable of this loop says which rows: {loop}", hint="give one of them a count"
        )


def _check_rows_file(name: str, file: str, sizes: Sizes, places: Places, report: Report) -> int | None:
    path = ("data", "labels", name, "rows")
    found = find_file(file, *places)
    if isinstance(found, MissingSource):
        hint = "paths start beside the spec, in the working folder or in the data folder"
        report.note("GS089", path, f"'{file}' is not there, so its rows are not checked", hint=hint)
        return None
    try:
        rows = read_row_list(found)
    except SourceError as error:
        report.error("GS085", path, error.message, hint=error.hint)
        return None
    beyond = [row for row in rows if sizes.total is not None and row >= sizes.total]
    if beyond or not rows:
        message = (
            f"{file} names row {beyond[0]}, and the last row is {(sizes.total or 0) - 1}"
            if beyond
            else (f"{file} names no rows")
        )
        report.error("GS085", path, message, hint="0-based rows of the source, training split first, one a line")
        return None
    return len(set(rows))


def _check_share(spec: Spec, counts: dict[str, int | None], sizes: Sizes, report: Report) -> None:
    """With a literal gamma, few labelled rows among many weigh next to nothing."""
    supervised = names_with(spec, ("supervised",))
    gamma, known = spec.objective.gamma, [counts.get(name) for name in supervised]
    if gamma is None or sizes.training is None or not known or any(count is None for count in known):
        return
    labelled = min(sum(count or 0 for count in known), sizes.training)
    unlabelled = sizes.training - labelled
    if labelled == 0 or unlabelled == 0:
        return
    share = spec.objective.labelled_share(labelled, unlabelled)
    if share < SMALL_SHARE and not any(allowed(spec, name, "GS111") for name in supervised):
        message = f"gamma: {gamma:g} leaves {labelled} labelled rows {share:.2%} of the total weight, against "
        hint = f"`rho: 0.5` gives them half of it (here gamma: {unlabelled / labelled:.0f})"
        report.warning("GS111", ("objective", "gamma"), f"{message}{unlabelled} rows without a label", hint=hint)
