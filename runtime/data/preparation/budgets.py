"""Which training rows keep a label. From: `data.labels` and who has a label at all. To: one mask per variable.

Each variable draws from a stream of its own; a smaller count keeps a subset of what a larger one keeps. With `rows`,
no label decides anything: only the listed rows' labels are ever used.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from graphspec.headers import SourceError
from graphspec.headers.sources import MissingSource, find_file, read_row_list
from graphspec.language import DataSection, LabelBudget
from runtime.data.preparation.splits import apportion
from runtime.data.preparation.values import Values
from runtime.data.randomness import shuffled
from runtime.errors import DataError

Mask = NDArray[np.bool_]


class Budgets:
    """Resolves the budgets of all supervised variables, `with` included; collects notes on the way.

    variables: the supervised ones; values: theirs, all rows of the source; training: sorted rows of the source.
    """

    def __init__(
        self,
        data: DataSection,
        variables: Mapping[str, Variable],
        values: Mapping[str, Values],
        training: NDArray[np.int64],
        spec_path: Path | None,
        data_dir: Path | None,
    ) -> None:
        self.data = data
        self.variables = variables
        self.values = values
        self.training = training
        self.folders = (spec_path, data_dir)
        self.notes: list[str] = []
        self._kept: dict[str, Mask] = {}

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
        available = np.zeros(len(self.values[name].present), dtype=np.bool_)
        available[self.training] = self.values[name].present[self.training]
        if budget is None:
            return available
        if isinstance(budget, LabelBudget):
            return self._by_rule(name, budget, available, asking)
        if isinstance(budget, float):
            count = int(budget * available.sum() + 0.5)
            if count == 0:
                raise DataError(
                    f"labels: {{{name}: {budget:g}}} keeps no row of {int(available.sum())}", "ask for a larger share"
                )
            return self._draw(name, available, self._proportional(name, available, count), count)
        if budget > available.sum():
            raise DataError(
                f"labels: {{{name}: {budget}}} asks for more than the {int(available.sum())} training rows that have "
                f"a label of {name}{self._table(name, available)}",
                "ask for fewer, or hold out fewer rows",
            )
        return self._draw(name, available, self._balanced(name, available, budget), budget)

    def _by_rule(self, name: str, budget: LabelBudget, available: Mask, asking: tuple[str, ...]) -> Mask:
        if budget.per_class is not None:
            sizes = self._sizes(name, available)
            if sizes is None:
                raise DataError(f"{name} has no classes, so per_class cannot be met", f"say labels: {{{name}: COUNT}}")
            wanted = dict.fromkeys(sizes, budget.per_class)
            self._require(name, sizes, wanted)
            return self._draw(name, available, wanted, sum(wanted.values()))
        if budget.same_as is not None:
            return self._with(name, budget.same_as, available, asking)
        assert budget.rows is not None, "the schema lets through one of per_class, with and rows"
        return self._listed(name, budget.rows, available)

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
        listed = np.zeros(len(available), dtype=np.bool_)
        listed[rows] = True
        training = np.zeros(len(available), dtype=np.bool_)
        training[self.training] = True
        held_out, unlabelled = int((listed & ~training).sum()), int((listed & training & ~available).sum())
        if held_out or unlabelled:
            self.notes.append(
                f"labels of {name}, skipped rows of {file}: {held_out} not for training, {unlabelled} without a label"
            )
        return listed & available

    def _draw(self, name: str, available: Mask, wanted: Mapping[int, int] | None, count: int) -> Mask:
        """`wanted` rows of each class, or `count` rows alike, first come in the variable's own shuffle."""
        order = shuffled(len(available), self.data.seed, "labels", name)
        drawn = order[available[order]]
        mask = np.zeros(len(available), dtype=np.bool_)
        if wanted is None:
            mask[drawn[:count]] = True
            return mask
        labels = self.values[name].tensor.numpy().reshape(-1)[drawn]
        for value, number in wanted.items():
            mask[drawn[labels == value][:number]] = True
        return mask

    def _sizes(self, name: str, available: Mask) -> dict[int, int] | None:
        """Rows of each class, every class listed; None for a variable without (scalar, finite) classes."""
        variable = self.variables[name]
        if variable.support is None or not variable.discrete or self.values[name].tensor.numel() != len(available):
            return None
        labels = self.values[name].tensor.numpy().reshape(-1)[available]
        counts = np.bincount(labels - variable.minimum, minlength=variable.support).tolist()
        return {variable.minimum + index: count for index, count in enumerate(counts)}

    def _proportional(self, name: str, available: Mask, count: int) -> dict[int, int] | None:
        sizes = self._sizes(name, available)
        return None if sizes is None else apportion(count, sizes)

    def _balanced(self, name: str, available: Mask, count: int) -> dict[int, int] | None:
        """As even as possible; where it does not divide, the odd ones go to classes drawn among those large enough."""
        sizes = self._sizes(name, available)
        if sizes is None:
            return None
        each, odd = divmod(count, len(sizes))
        wanted = dict.fromkeys(sizes, each)
        if odd:
            self._require(name, sizes, wanted)
            order = [list(sizes)[i] for i in shuffled(len(sizes), self.data.seed, "odd labels", name)]
            larger = [value for value in order if sizes[value] > each]
            for value in (larger + [value for value in order if sizes[value] <= each])[:odd]:
                wanted[value] += 1
        self._require(name, sizes, wanted)
        return wanted

    def _require(self, name: str, sizes: Mapping[int, int], wanted: Mapping[int, int]) -> None:
        short = [value for value in sizes if sizes[value] < wanted[value]]
        if short:
            value = min(short, key=lambda candidate: sizes[candidate])
            raise DataError(
                f"labels of {name}: class {self._class_name(name, value)} has {sizes[value]} labelled training rows, "
                f"{wanted[value]} are asked for\n{self._counts(name, sizes)}",
                "ask for fewer labels, or for a share (a number between 0 and 1), which keeps the classes' proportions",
            )

    def _table(self, name: str, available: Mask) -> str:
        sizes = self._sizes(name, available)
        return "" if sizes is None else f"\n{self._counts(name, sizes)}"

    def _counts(self, name: str, sizes: Mapping[int, int]) -> str:
        rows = [(self._class_name(name, value), size) for value, size in sizes.items()]
        width = max(len(label) for label, _ in rows)
        return "\n".join(f"  {label:<{width}} {size:>8}" for label, size in rows)

    def _class_name(self, name: str, value: int) -> str:
        names = self.variables[name].names
        return names[value] if names else str(value)
