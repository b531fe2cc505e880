"""Which training rows keep a label. From: `data.labels` and who has a label at all. To: one mask per variable.

Counts and shares take the classes as they come, each at least once where the count allows it; `per_class` takes them
evenly. Each variable draws from a stream of its own; a smaller count keeps a subset of what a larger one keeps, and a
row that is added moves others only where a count ends. With `rows`, no label decides anything: only the listed rows'
labels are ever used.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from graphspec.headers import SourceError
from graphspec.headers.sources import MissingSource, find_file, read_row_list
from graphspec.language import DataSection, LabelBudget
from runtime.data.preparation.earlier_rows import RecordedRows
from runtime.data.preparation.labelled_elements import LabelledElements
from runtime.data.preparation.strata import class_codes
from runtime.data.preparation.values import Values
from runtime.data.randomness import drawn_numbers, drawn_order
from runtime.data.read.row_identity import Identities
from runtime.data.stream.label_counts import is_class
from runtime.data.stream.proportions import proportional_order, ranks_within
from runtime.errors import DataError

Mask = NDArray[np.bool_]


class Budgets:
    """Resolves the budgets of all supervised variables, `with` included; collects notes on the way.

    variables: the supervised ones; values: theirs, all rows of the source; training: sorted rows of the source;
    identities: who each row of the source is. plate_of: variables that stand in a plate.
    """

    def __init__(
        self,
        data: DataSection,
        variables: Mapping[str, Variable],
        values: Mapping[str, Values],
        training: NDArray[np.int64],
        identities: Identities,
        spec_path: Path | None,
        data_dir: Path | None,
        plate_of: Mapping[str, str],
    ) -> None:
        self.data = data
        self.variables = variables
        self.values = values
        self.training = training
        self.identities = identities
        self.folders = (spec_path, data_dir)
        self.plate_of = plate_of
        self.notes: list[str] = []
        self._kept: dict[str, Mask] = {}
        self._elements: dict[str, Mask] = {}

    def take_over(self, recorded: RecordedRows) -> None:
        """Keep the labels that a run kept, whatever the budgets say."""
        for name in self.values:
            self._kept[name] = recorded.kept(name, self._available(name))

    def _available(self, name: str) -> Mask:
        """[rows of the source]: training rows that have a label of `name`."""
        return self._mask(self.training) & self.values[name].present

    def kept_elements(self, name: str) -> Mask | None:
        """[elements] of a label of which elements are kept, and not rows; None of all others. Held-out rows keep
        theirs."""
        self.kept(name)
        rule = self.data.labels.get(name)
        if not isinstance(rule, LabelBudget) or name in self._elements:
            return self._elements.get(name)
        if rule.elements is not None:
            self._resolve(name, ())  # the rows are those of an earlier run
        elif rule.same_as is not None and self.plate_of.get(name) == self.plate_of.get(rule.same_as):
            other = self.kept_elements(rule.same_as)
            self._elements |= {} if other is None else {name: other}
        return self._elements.get(name)

    def kept(self, name: str, asking: tuple[str, ...] = ()) -> Mask:
        """[rows of the source]: training rows in which `name` keeps its label. Raises DataError if there is none."""
        if name in asking:
            raise DataError(f"labels refer to each other in a circle: {' -> '.join((*asking, name))}", "break it")
        if name not in self._kept:
            mask = self._resolve(name, asking)
            if not mask.any():
                raise DataError(
                    f"supervised variable {name} has no labelled training row",
                    "give it labels, or say role: latent",
                )
            self._kept[name] = mask
        return self._kept[name]

    def _resolve(self, name: str, asking: tuple[str, ...]) -> Mask:
        budget = self.data.labels.get(name)
        available = self._available(name)
        if budget is None:
            return available
        if isinstance(budget, LabelBudget):
            return self._by_rule(name, budget, available, asking)
        there = int(available.sum())
        count = int(budget * there + 0.5) if isinstance(budget, float) else budget
        if not there:
            hint = f"what its column holds is blank in all of them: label some rows, or leave {name} out of `labels`"
            raise DataError(f"no training row has a label of {name}, and `labels` asks for {budget:g}", hint)
        if count == 0:
            raise DataError(f"labels: {{{name}: {budget:g}}} keeps no row of {there}", "ask for a larger share")
        if count > there:
            raise DataError(
                f"labels: {{{name}: {budget}}} asks for more than the {there} training rows that have a label of "
                f"{name}{self._table(name, available)}",
                "ask for fewer, or hold out fewer rows",
            )
        drawn = self._drawn(name, available)
        order = proportional_order(class_codes(self.variables[name], self.values[name])[drawn], each_first=True)
        return self._mask(drawn[order[:count]])

    def _by_rule(self, name: str, budget: LabelBudget, available: Mask, asking: tuple[str, ...]) -> Mask:
        if budget.per_class is not None:
            return self._even(name, budget.per_class, available)
        if budget.same_as is not None:
            return self._with(name, budget.same_as, available, asking)
        if budget.elements is not None:
            return self._of_elements(name, budget.elements, available)
        assert budget.rows is not None, "the schema lets through one of per_class, with, rows and elements"
        return self._listed(name, budget.rows, available)

    def _of_elements(self, name: str, asked: int | float, available: Mask) -> Mask:
        label = LabelledElements.of(self.variables[name], self.values[name])
        there = available[label.row_of] & label.given
        count = int(asked * there.sum() + 0.5) if isinstance(asked, float) else asked
        if count == 0 or count > there.sum():
            raise DataError(
                f"labels: {{{name}: {{elements: {asked:g}}}}} asks for {count} of {int(there.sum())} elements with a "
                f"label of {name} in training rows",
                "ask for as many as there are, or fewer; at least for one",
            )
        identities = of_elements(self.identities[label.row_of], label.places)
        order = drawn_order(identities, self.data.seed, "labels", name)
        drawn = order[there[order]]
        chosen = drawn[proportional_order(label.codes[drawn], each_first=True)[:count]]
        kept = np.zeros(len(there), dtype=np.bool_)
        kept[chosen] = True
        self._elements[name] = kept
        rows = np.zeros(len(available), dtype=np.bool_)
        rows[label.row_of[chosen]] = True
        return rows

    def _with(self, name: str, other: str, available: Mask, asking: tuple[str, ...]) -> Mask:
        if other not in self.values:
            known = ", ".join(self.values)
            raise DataError(f"labels of {name} follow {other!r}, which is not supervised", f"supervised: {known}")
        rows = self.kept(other, (*asking, name))
        without = int((rows & ~available).sum())
        if without:
            self.notes.append(f"labels of {name} follow {other}: {without} of its rows have no label of {name}")
        return rows & available

    def _listed(self, name: str, file: str, available: Mask) -> Mask:
        found = find_file(file, *self.folders)
        if isinstance(found, MissingSource):
            tried = ", ".join(map(str, found.searched))
            raise DataError(f"row list {file!r} of {name} is not there; looked for {tried}", "one 0-based row a line")
        try:
            rows = np.array(read_row_list(found), dtype=np.int64)
        except SourceError as error:
            raise DataError(error.message, error.hint) from error
        if len(rows) and rows.max() >= len(available):
            raise DataError(
                f"{file} lists row {rows.max()}, the source has rows 0 to {len(available) - 1}",
                "rows count from 0, the training split first, then the source's own test split",
            )
        listed, training = self._mask(rows), self._mask(self.training)
        held_out, unlabelled = int((listed & ~training).sum()), int((listed & training & ~available).sum())
        if held_out or unlabelled:
            self.notes.append(
                f"labels of {name}, skipped rows of {file}: {held_out} not for training, {unlabelled} without a label"
            )
        return listed & available

    def _even(self, name: str, number: int, available: Mask) -> Mask:
        """`number` rows of each class, first come in the variable's own order."""
        sizes = self._sizes(name, available)
        if sizes is None:
            raise DataError(f"{name} has no classes, so per_class cannot be met", f"say labels: {{{name}: COUNT}}")
        value = min(sizes, key=lambda candidate: sizes[candidate])
        if sizes[value] < number:
            raise DataError(
                f"labels of {name}: class {self._class_name(name, value)} has {sizes[value]} labelled training rows, "
                f"{number} are asked for\n{self._counts(name, sizes)}",
                f"ask for fewer, or for a count such as labels: {{{name}: {number * len(sizes)}}}, which takes the "
                "classes as they come",
            )
        drawn = self._drawn(name, available)
        rank, _ = ranks_within(class_codes(self.variables[name], self.values[name])[drawn])
        return self._mask(drawn[rank < number])

    def _drawn(self, name: str, available: Mask) -> NDArray[np.int64]:
        """The available rows in the variable's own order."""
        order = drawn_order(self.identities, self.data.seed, "labels", name)
        return order[available[order]]

    def _mask(self, rows: NDArray[np.int64]) -> Mask:
        mask = np.zeros(len(self.identities), dtype=np.bool_)
        mask[rows] = True
        return mask

    def _sizes(self, name: str, available: Mask) -> dict[int, int] | None:
        """Rows of each class, every class listed; None for a variable without (scalar, finite) classes."""
        variable = self.variables[name]
        if variable.support is None or not is_class(variable):
            return None
        labels = self.values[name].tensor.numpy().reshape(-1)[available]
        counts = np.bincount(labels - variable.minimum, minlength=variable.support).tolist()
        return {variable.minimum + index: count for index, count in enumerate(counts)}

    def _table(self, name: str, available: Mask) -> str:
        sizes = self._sizes(name, available)
        return "" if sizes is None else f"\n{self._counts(name, sizes)}"

    def _counts(self, name: str, sizes: Mapping[int, int]) -> str:
        rows = [(self._class_name(name, value), size) for value, size in sizes.items()]
        width = max(len(label) for label, _ in rows)
        return "\n".join(f"  {label:<{width}} {size:>8}" for label, size in rows)

    def _class_name(self, name: str, value: int) -> str:
        variable = self.variables[name]
        return variable.value_names[value - variable.minimum]


def of_elements(rows: Identities, places: NDArray[np.int64]) -> Identities:
    """Elements by the row they stand in [total] and their place in it: who they are does not hang on other rows."""
    return drawn_numbers(rows ^ drawn_numbers(places.astype(np.uint64) + np.uint64(1)))
