"""What training and evaluation read: rows of one split, and all splits of a prepared data set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from compiler.symbolic.schedules import Rates
from graphspec.graphs.graph import Plate, Variable
from graphspec.graphs.start import Start
from graphspec.language import ColumnSpec
from graphspec.language.data import changed_alike
from runtime.data.randomness import Portion, draw_rows
from runtime.data.read.table import Array
from runtime.data.stream.augmentation import augment_images
from runtime.data.stream.column_store import Selection, hold
from runtime.data.stream.element_lengths import Lengths, describe_lengths, lengths_of
from runtime.data.stream.known_rows import SourceRows
from runtime.data.stream.label_counts import LabelCounts, count_labels, describe_labels
from runtime.data.stream.mirrors import OtherSide
from runtime.data.stream.patterns import Given, count_given, count_patterns, describe_blanks, describe_splits
from runtime.data.stream.seen_values import Seen
from runtime.data.stream.units import Units

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Rows:
    """One split, in the order of the source: row numbers into variables that all splits share.

    values: observed and supervised variables; `values[name]` takes every row [N, *shape] into a tensor of its own:
    uint8 for images of bytes, int64 for discrete variables (blank -1), floats for all else (blank NaN). A dictionary
    of tensors will do as well. source: [N] 0-based rows of the source. factors: [N] each.
    """

    values: Mapping[str, Tensor]
    source: Tensor
    factors: dict[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.source.shape[0])

    @property
    def selection(self) -> Selection:
        """What `values` is made of."""
        return self.values if isinstance(self.values, Selection) else hold(self.values, len(self))

    @property
    def device(self) -> torch.device:
        """Where batches come from."""
        return self.selection.device

    @property
    def nbytes(self) -> int:
        """Bytes that all rows take in memory."""
        return self.selection.nbytes

    def batch(
        self, positions: Tensor, dtype: torch.dtype, device: torch.device | str | None = None, *, short: bool = False
    ) -> Batch:
        """Rows at `positions` [B] of this split: floats in `dtype`, images in [0, 1], discrete values int64.

        device: where to; bytes travel as bytes and are converted there. Left out, they stay where they are. short: of
        elements that are held apart from their rows no more places than one of these rows fills.
        """
        chosen, batch = self.selection, {}
        for name in chosen:
            values = chosen.take(name, positions, short=short)
            batch[name] = as_numbers(values if device is None else values.to(device, non_blocking=True), dtype)
        return batch

    def to(self, device: torch.device | str) -> "Rows":
        """The same rows with their values on `device`."""
        return replace(self, values=self.selection.to(device))


def as_numbers(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Values as they are held, as training has them: images of bytes in [0, 1], floats in `dtype`."""
    if values.dtype == torch.uint8:
        return values.to(dtype) / 255
    return values.to(dtype) if values.is_floating_point() else values


@dataclass(frozen=True)
class PreparedData:
    """A data set ready for training: splits, budgets applied, units known.

    training: labels beyond the budget are blank; validation, test: their own labels.
    labelled, unlabelled: positions in `training` with at least one label, and with none; both sorted.
    label_rows: positions in `training` of rows with at least one element of a supervised variable. columns: how each
    variable is read. may_be_blank: variables of which a row may lack elements.
    weights: [N, K] of each soft label, per training row and class.
    block_rows: rows that training reads together, where the data are much too large for memory; else 0.
    rows_of_source: all rows, as other data may know them again. labels: the supervised variables, with class names.
    starts: of variables whose values are far from where their factors would start. plates: of the spec. seen: what
    training rows hold of each variable. known_as: see `Table`. other_sides: by picture, what its mirroring takes along.
    """

    source: str
    seed: int
    training: Rows
    validation: Rows
    test: Rows
    labelled: Tensor
    unlabelled: Tensor
    label_rows: dict[str, Tensor]
    units: dict[str, Units]
    columns: Mapping[str, ColumnSpec]
    unit_valued: frozenset[str]
    fingerprint: str
    notes: tuple[str, ...] = ()
    may_be_blank: frozenset[str] = frozenset()
    block_rows: int = 0
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    rows_of_source: SourceRows | None = None
    labels: Mapping[str, Variable] = field(default_factory=dict)
    starts: Mapping[str, Start] = field(default_factory=dict)
    plates: tuple[Plate, ...] = ()
    seen: Mapping[str, Seen] = field(default_factory=dict)
    known_as: Array | None = None
    other_sides: Mapping[str, Mapping[str, OtherSide]] = field(default_factory=dict)

    def called(self, row: int) -> str:
        """A row of the source as people know it: its file or key, else its number."""
        return str(row) if self.known_as is None or not self.known_as[row] else str(self.known_as[row])

    def augment(self, batch: Mapping[str, Tensor], generator: torch.Generator, portion: Portion | None = None) -> Batch:
        """The batch with its images changed as `augment` says; for training only. generator: on the batch's device.

        portion: which rows of a whole batch these are; they change as they would in it.
        """
        result, begun = dict(batch), dict[str, Tensor]()
        for name, first in self._changed_alike.items():
            augment = self.columns[name].augment
            if augment is None or name not in batch:
                continue
            own = generator
            if first in begun:
                own = torch.Generator(device=generator.device)
                own.set_state(begun[first])
            elif first in self._followed:
                begun[first] = generator.get_state()
            blank = name in self.may_be_blank
            change = partial(augment_images, changes=augment, generator=own, may_be_blank=blank)
            images, mirrored = _each_alone(batch[name], portion, change)
            result[name] = images.clamp(0, 1) if name in self.unit_valued else images
            for other, side in self.other_sides.get(name, {}).items():
                if other in result and mirrored is not None:
                    result[other] = side.of(result[other], mirrored)
        return self._cut(result)

    @cached_property
    def _changed_alike(self) -> dict[str, str]:
        return changed_alike(self.columns)

    @cached_property
    def _followed(self) -> frozenset[str]:
        """Variables whose changes others share."""
        return frozenset(first for name, first in self._changed_alike.items() if first != name)

    def _cut(self, batch: Batch) -> Batch:
        """Warped black-and-white images are grey along their edges: cut them again."""
        for name, spec in self.columns.items():
            if spec.binarize == "threshold" and name in batch:
                batch[name] = torch.where(batch[name].isnan(), batch[name], (batch[name] >= 0.5).to(batch[name].dtype))
        return batch

    def binarize(
        self, batch: Mapping[str, Tensor], generator: torch.Generator, portion: Portion | None = None
    ) -> Batch:
        """The batch with pixels drawn anew where `binarize: dynamic` says so. generator: on the batch's device.

        A pixel is 1 with its grey level as probability. For training after `augment`, and for evaluation.
        portion: as for `augment`.
        """
        result = dict(batch)
        for name, spec in self.columns.items():
            if spec.binarize == "dynamic" and name in batch:
                grey = batch[name]
                options = {"generator": generator, "device": grey.device, "dtype": grey.dtype}
                black = draw_rows(torch.rand, tuple(grey.shape), 0, portion, **options) < grey
                result[name] = torch.where(grey.isnan(), grey, black.to(grey.dtype))
        return self._cut(result)

    @cached_property
    def may_be_short(self) -> bool:
        """Batches of training may have no more places for elements than a row fills: there are plates with a count, and
        no column is augmented or binarized anew, by draws for the batch as it is."""
        drawn = any(spec.augment is not None or spec.binarize == "dynamic" for spec in self.columns.values())
        return not drawn and any(plate.count is not None for plate in self.plates)

    def rates(self) -> Rates:
        """Rows with a label, rows without, and rows per label; a label given in part counts as one."""
        per_label = {name: len(rows) for name, rows in self.label_rows.items()}
        return Rates(len(self.labelled), len(self.unlabelled), per_label)

    def to(self, device: torch.device | str) -> "PreparedData":
        """The same data with the values of every split on `device`; positions stay where they are."""
        move: Callable[[Rows], Rows] = lambda rows: rows.to(device)  # noqa: E731
        return replace(self, training=move(self.training), validation=move(self.validation), test=move(self.test))

    def describe(self) -> str:
        """Rows of each split per pattern of labels, labels per class, how much training has of what may be blank."""
        rows = describe_splits(self._splits(), tuple(self.columns), tuple(self.label_rows))
        blanks = describe_blanks(self.training.selection, self._with_blanks_inside())
        parts = (rows, describe_lengths(self.lengths), describe_labels(self.label_counts), blanks)
        return "\n".join(part for part in parts if part)

    @cached_property
    def lengths(self) -> tuple[Lengths, ...]:
        """How many elements rows have of each plate with a count."""
        return lengths_of(self.plates, self._splits())

    @cached_property
    def label_counts(self) -> tuple[LabelCounts, ...]:
        """Labels of each split, by class."""
        return count_labels(self._splits(), self.labels)

    @property
    def class_names(self) -> dict[str, list[str]]:
        """What the classes of each label are called, by the spec or by the data, where they have names."""
        return {name: list(variable.names) for name, variable in self.labels.items() if variable.names}

    def _with_blanks_inside(self) -> list[str]:
        """Variables about which the patterns do not say all: observed ones with blanks, labels of several elements."""
        return [
            name for name in self.columns
            if name in self.may_be_blank
            and (name not in self.label_rows or self.training.selection.stored[name].shape.numel() > 1)
        ]  # fmt: skip

    def _lengths_by_plate(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for each in self.lengths:
            found.setdefault(each.plate, {})[each.split] = each.to_json()
        return found

    def _splits(self) -> dict[str, Selection]:
        splits = {"training": self.training, "validation": self.validation, "test": self.test}
        return {name: rows.selection for name, rows in splits.items()}

    def manifest(self) -> dict[str, Any]:
        """Plain values for the run's manifest; row numbers are 0-based rows of the source as read.

        Rows of the source's own training split come first, those of its test split after them.
        """
        return {
            "source": self.source,
            "seed": self.seed,
            "rows": {name: len(split.rows) for name, split in self._splits().items()},
            "row_numbers": "0-based rows of the source: its training split first, then its own test split",
            "labelled": {name: self.training.source[rows].tolist() for name, rows in self.label_rows.items()},
            "validation": self.validation.source.tolist(),
            "test": self.test.source.tolist(),
            "patterns": {
                name: {" ".join(labels) or "none": count for labels, count in count_patterns(split, self.label_rows)}
                for name, split in self._splits().items()
            },
            **({"elements": self._lengths_by_plate()} if self.lengths else {}),
            "class_names": self.class_names,
            "label_counts": {counts.name: counts.to_json() for counts in self.label_counts},
            "given": {
                name: {split: _plain(count_given(chosen, name)) for split, chosen in self._splits().items()}
                for name in self._with_blanks_inside()
            },
            "units": {
                name: {"mean": units.mean.flatten().tolist(), "std": units.std.flatten().tolist()}
                | ({"logarithm": True} if units.logarithm else {})
                for name, units in self.units.items()
            },
            "starts": {name: start.to_json() for name, start in self.starts.items()},
            "columns": {name: list(spec.names) for name, spec in self.columns.items()},
            "seen": {name: seen.to_json() for name, seen in self.seen.items()},
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
        }


def _each_alone(
    values: Tensor, portion: Portion | None, change: Callable[..., tuple[Tensor, Tensor | None]]
) -> tuple[Tensor, Tensor | None]:
    """`change` of pictures [B, C, H, W], or of those of all elements [B, *plates, C, H, W] as if each were a row; and
    which were mirrored, [B, *plates]."""
    plates = values.shape[1:-3]
    if not plates:
        return change(values, portion=portion)
    room, flat = plates.numel(), values.reshape(-1, *values.shape[-3:])
    if portion is not None:
        places = (portion.places[:, None] * room + torch.arange(room, device=portion.places.device)).flatten()
        portion = Portion(portion.size * room, places)
    images, mirrored = change(flat, portion=portion)
    return images.reshape(values.shape), None if mirrored is None else mirrored.reshape(values.shape[:-3])


def _plain(given: Given) -> dict[str, Any]:
    """Rows that have all, some, none; elements given, of how many."""
    return {
        "all": given.whole,
        "some": given.part,
        "none": given.without,
        "elements": given.elements,
        "of": given.possible,
    }
