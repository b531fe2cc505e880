"""From: a checked spec and its `data` section. To: `PreparedData`. The steps, in order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from graphspec.headers.element_tables import Layouts, layouts_of
from graphspec.headers.sources import FileSource, dialect_of, resolve_source
from graphspec.language import ColumnSpec, DataSection
from graphspec.reading.suggestions import counted, few
from graphspec.rules.layout_rules import told_counts
from runtime.data.preparation.budgets import Budgets, Mask
from runtime.data.preparation.certain_labels import check_certain_labels
from runtime.data.preparation.earlier_rows import NONE, EarlierRows
from runtime.data.preparation.element_values import ElementReader
from runtime.data.preparation.far_values import far_values
from runtime.data.preparation.label_copies import copied_labels
from runtime.data.preparation.labelled_elements import hiding, refuse_uncounted_labels
from runtime.data.preparation.picture_wishes import picture_readings
from runtime.data.preparation.splits import RowNumbers, Splits, split_rows
from runtime.data.preparation.starts import starts_of
from runtime.data.preparation.strata import strata_of_labels
from runtime.data.preparation.values import Values, with_source_classes
from runtime.data.read.column_patterns import with_patterns
from runtime.data.read.laid_out import Opening, read_laid_out
from runtime.data.read.table import Table, whole
from runtime.data.read.unpacked_copies import Tell
from runtime.data.stream.column_store import Held, Mapped, Selection, Stored, scaled
from runtime.data.stream.known_rows import SourceRows, TrainedRows, cell_hashes
from runtime.data.stream.label_counts import dilution_notes, few_unlabelled_notes, label_notes
from runtime.data.stream.mirrors import other_sides
from runtime.data.stream.patterns import count_given, given_elements
from runtime.data.stream.ragged_store import Ragged, flat_rows
from runtime.data.stream.rows import PreparedData, Rows
from runtime.data.stream.seen_values import seen_in
from runtime.data.stream.units import Units, positive_log
from runtime.errors import DataError

BLOCKED_BYTES, BLOCK_BYTES = 2**34, 2**22
"""Mapped data from 16 GiB on are shuffled by blocks of 4 MiB."""


def prepare(
    graphs: Graphs,
    *,
    data_dir: Path | None = None,
    spec_path: Path | None = None,
    tell: Tell | None = None,
    units: Mapping[str, Units] | None = None,
    earlier: EarlierRows = NONE,
    every_label: bool = False,
) -> PreparedData:
    """Read, split, budget and standardize the data of a spec; the same seed always gives the same rows.

    Of a label under `data.labels`, nothing but what its budget keeps has a part in the result. (A split rule that
    names its column reads that column; a note says so.)
    data_dir: `--data-dir`; spec_path: the spec's file, beside which relative paths are looked for first. tell: called
    with a line of text before something that takes long. units: scales of standardized variables that hold already (a
    trained model's own); left out, and for any other variable, those of the training rows.
    earlier: rows that earlier trainings took. every_label: split as with the budgets, and then keep every label.
    Raises DataError for everything that is wrong with the data.
    """
    by_element, graphs = graphs, graphs.by_row
    data = _data_section(graphs)
    dialect, layouts = dialect_of(data), layouts_of(graphs.spec)
    columns = with_patterns(_columns(graphs, data, layouts), data, layouts, dialect, spec_path, data_dir)
    laid_out = read_laid_out(
        Opening(
            graphs,
            data,
            layouts,
            columns,
            (*data.factors.values(), *data.split_columns),
            spec_path,
            data_dir,
            tell or (lambda _: None),
            picture_readings(graphs, data),
            dialect,
        )
    )
    table = laid_out.rows
    reader = ElementReader(graphs, layouts, laid_out, columns, dialect.numbers)
    values = reader.read_all([*graphs.observed, *graphs.supervised])
    taken: list[str] = []
    for name in graphs.supervised:
        values[name], lost = without_parts(graphs, name, values[name])
        taken.extend(lost)
    check_certain_labels(by_element, values, columns, table.where)
    supervised = {name: values[name] for name in graphs.supervised}
    variables = {name: graphs.variables[name] for name in graphs.supervised}
    found = resolve_source(data.source, spec_path, data_dir)
    observed = {
        ", ".join(columns[name].names) if name in columns else name: values[name].stored for name in graphs.observed
    }
    place = str(found.path.resolve()) if isinstance(found, FileSource) else data.source
    source = SourceRows(place, laid_out.fingerprint(), table.named is not None, table.identities, cell_hashes(observed))
    strata = strata_of_labels(data, variables, supervised, table.rows)
    again = earlier.recorded
    again = None if again is None or again.fingerprint != source.fingerprint else again
    splits = _split(data, table, strata, source, earlier.trained) if again is None else again.splits(table.rows)
    rules = data.model_copy(update={"labels": {}}) if every_label else data
    folders = (spec_path, data_dir)
    budgets = Budgets(rules, variables, supervised, splits.training, table.identities, *folders, layouts.plate_of)
    if again is not None and not every_label:
        budgets.take_over(again)
    kept = {name: budgets.kept(name) for name in graphs.supervised}
    of_elements = {name: mask for name in kept if (mask := budgets.kept_elements(name)) is not None}
    refuse_uncounted_labels(graphs, supervised, splits.training, kept)
    notes = (
        *table.notes,
        *taken,
        *splits.notes,
        *budgets.notes,
        *_soft_labels(values),
        *_reading_labels(graphs, data, columns),
    )
    prepared = _assemble(graphs, data, columns, table, values, splits, (kept, of_elements), notes, source, units or {})
    rows = {"training": len(prepared.training), "validation": len(prepared.validation), "test": len(prepared.test)}
    per_label = {name: len(given) for name, given in prepared.label_rows.items()}
    labelled = len(prepared.labelled)
    weighed = (
        *dilution_notes(graphs, per_label, labelled),
        *few_unlabelled_notes(graphs, len(prepared.unlabelled), labelled),
    )
    copied = copied_labels(graphs, columns, values, splits, kept, of_elements)
    return replace(
        prepared, notes=(*prepared.notes, *label_notes(graphs, prepared.label_counts, rows), *weighed, *copied)
    )


def _split(
    data: DataSection, table: Table, strata: RowNumbers, source: SourceRows, trained: Sequence[TrainedRows]
) -> Splits:
    """The splits, without rows that trained the weights to start from among those held out."""
    splits = split_rows(data, table, strata)
    held_out = np.zeros(table.rows, dtype=np.bool_)
    held_out[np.concatenate([splits.validation, splits.test])] = True
    among = {rows.run: rows.among(source, held_out) for rows in trained}
    closed = np.any([*among.values(), np.zeros_like(held_out)], axis=0)
    if not closed.any():
        return splits
    notes = [
        f"{int(known.sum())} of these rows trained {run}; {int((known & held_out).sum())} of them would validate or "
        "test here, and are kept for training"
        for run, known in among.items()
    ]
    if (closed & held_out).any():
        splits = split_rows(data, table, strata, closed)
    return replace(splits, notes=(*splits.notes, *notes))


def _data_section(graphs: Graphs) -> DataSection:
    if graphs.spec.data is None:
        raise DataError("the spec has no `data` section", "add data: {source: ..., variables: {...}}")
    return graphs.spec.data


def _columns(graphs: Graphs, data: DataSection, layouts: Layouts) -> dict[str, ColumnSpec]:
    """How each observed and supervised variable is read, but for counts that the layout tells. Raises DataError where
    one has no column."""
    told = told_counts(graphs.spec, layouts)
    for name in (*graphs.observed, *graphs.supervised):
        if name not in data.variables and name not in told:
            role = graphs.variables[name].role
            raise DataError(
                f"{role} variable {name} has no column", f"add it to the data section: variables: {{{name}: COLUMN}}"
            )
    return {n: data.variables[n] for n in (*graphs.observed, *graphs.supervised) if n in data.variables}


def _soft_labels(values: Mapping[str, Values]) -> list[str]:
    return [
        f"{name} has soft labels: counts and errors are of each row's likeliest class"
        for name, read in values.items()
        if read.weights is not None
    ]


def _reading_labels(graphs: Graphs, data: DataSection, columns: Mapping[str, ColumnSpec]) -> list[str]:
    labels = {column: name for name in graphs.supervised for column in columns[name].names}
    return [
        f"the splits read column {column!r}, which holds the labels of {labels[column]}, hidden ones included"
        for column in data.split_columns
        if column in labels
    ]


def _assemble(
    graphs: Graphs,
    data: DataSection,
    columns: Mapping[str, ColumnSpec],
    table: Table,
    values: Mapping[str, Values],
    splits: Splits,
    kept_labels: tuple[Mapping[str, Mask], Mapping[str, Mask]],
    notes: tuple[str, ...],
    source: SourceRows,
    known_units: Mapping[str, Units],
) -> PreparedData:
    kept, of_elements = kept_labels
    units = {
        name: known_units.get(name)
        or _units(*flat_rows(graphs.variables[name], values[name].stored, _rows_for_units(name, kept, splits)))
        for name, spec in columns.items()
        if spec.standardize
    }
    factors = {name: whole(table.columns[column]) for name, column in data.factors.items()}
    stored = {name: in_model_units(read.stored, units.get(name)) for name, read in values.items()}
    trains = np.isin(np.arange(table.rows), splits.training)
    for name, mask in kept.items():
        elements = of_elements.get(name)
        stored[name] = (
            _budgeted(stored[name], mask, trains) if elements is None else hiding(stored[name], trains, elements)
        )

    def part(rows: NDArray[np.int64]) -> Rows:
        index = torch.from_numpy(rows)
        return Rows(Selection(stored, index), index, {name: column[rows] for name, column in factors.items()})

    training = part(splits.training)
    starts = starts_of(graphs, training)
    keeps = {name: torch.from_numpy(mask[splits.training]) for name, mask in kept.items()}
    any_label = torch.zeros(len(training), dtype=torch.bool)
    for keep in keeps.values():
        any_label |= keep
    return PreparedData(
        source=data.source,
        seed=data.seed,
        training=training,
        validation=part(splits.validation),
        test=part(splits.test),
        labelled=any_label.nonzero().flatten(),
        unlabelled=(~any_label).nonzero().flatten(),
        label_rows={name: keep.nonzero().flatten() for name, keep in keeps.items()},
        units=units,
        columns=columns,
        unit_valued=frozenset(name for name in columns if graphs.variables[name].domain in ("unit", "binary")),
        fingerprint=source.fingerprint,
        rows_of_source=source,
        labels={name: _with_classes(graphs.variables[name], columns, table) for name in graphs.supervised},
        notes=(*notes, *_never_labelled(training, kept), *far_values(graphs, training, starts)),
        starts=starts,
        plates=tuple(graphs.plates.values()),
        block_rows=_block_rows(stored),
        weights={name: read.weights[splits.training] for name, read in values.items() if read.weights is not None},
        seen=seen_in({n: graphs.variables[n] for n in values}, training.selection),
        may_be_blank=frozenset(name for name in values if name in graphs.supervised or graphs.variables[name].missing),
        known_as=table.known_as,
        other_sides=other_sides(
            {name: _with_classes(graphs.variables[name], columns, table) for name in columns}, columns, units
        ),
    )


def _with_classes(variable: Variable, columns: Mapping[str, ColumnSpec], table: Table) -> Variable:
    """With class folders for names; a count that the layout tells has no column."""
    spec = columns.get(variable.name)
    return variable if spec is None else with_source_classes(variable, spec, table)


def _never_labelled(training: Rows, labels: Iterable[str]) -> list[str]:
    """Notes about elements of a label that no training row has, although it has others."""
    notes = []
    for name in labels:
        stored, each = training.selection.stored[name], count_given(training.selection, name).per_element
        if isinstance(stored, Ragged):  # places share their networks, and the last ones are there in few rows
            each = each.sum(tuple(range(len(stored.of_rows.sizes))))
        never = [str(index) for index in (each == 0).nonzero().tolist() if index]
        if never:
            shown = few(never, 8)
            notes.append(f"no training row has a label for {name} at {shown}: learned without any")
    return notes


def _rows_for_units(name: str, kept: Mapping[str, Mask], splits: Splits) -> Tensor:
    """Rows that standardization may look at: training rows, of a label only those that keep it."""
    return torch.from_numpy(np.flatnonzero(kept[name]) if name in kept else splits.training)


def _units(variable: Variable, values: Selection) -> Units:
    """Mean and standard deviation over rows (and over what a plate repeats), per element (images: per channel), of
    positive values those of their logarithms; a constant keeps its scale."""
    name, plates, logarithm = variable.name, variable.row_axes, variable.domain == "positive"
    if not values.take(name, torch.arange(0)).is_floating_point():
        raise DataError(
            f"standardize: {name} holds no real numbers", "standardize variables of domain real or positive"
        )
    scale: Callable[[Tensor], Tensor] = positive_log if logarithm else lambda numbers: numbers
    count, total = _sums(values.chunks(name), plates, scale)
    count = count.clamp_min(1)
    mean = total / count
    std = (_sums(values.chunks(name), plates, lambda numbers: (scale(numbers) - mean) ** 2)[1] / count).sqrt()
    tiny = std <= 1e-12 * (1 + mean.abs())
    first = (0,) * (1 + plates)
    return Units(mean[first], torch.where(tiny, 1.0, std)[first], logarithm)


def _sums(chunks: Iterable[Tensor], plates: int, of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """How many values there are, and the sum of `of` them, over rows, the axes of plates and the sides of images:
    [1, *shape] each."""
    count = total = torch.zeros(1, dtype=torch.float64)
    for values in chunks:
        picture = values.dim() - plates > 3
        over = (*range(1 + plates), *(range(2 + plates, values.dim()) if picture else ()))
        known = ~values.isnan()
        count = count + known.sum(over, keepdim=True)
        total = total + torch.where(known, of(values.double()), 0.0).sum(over, keepdim=True)
    return count, total


def in_model_units(stored: Stored, units: Units | None) -> Stored:
    """The variable in the model's units: at once in memory, row by row as they are read from a file."""
    if units is None:
        return stored
    if isinstance(stored, Ragged):
        return replace(stored, elements=in_model_units(stored.elements, units))
    if isinstance(stored, Mapped):
        return scaled(stored, units.from_data)
    assert isinstance(stored, Held)
    return Held(units.from_data(stored.tensor))


def _block_rows(stored: Mapping[str, Stored]) -> int:
    """Rows of one block of what is mapped; 0 below a size that most machines keep in memory (the same on all)."""
    mapped = [column for column in stored.values() if isinstance(column, Mapped)]
    if sum(column.column.nbytes for column in mapped) < BLOCKED_BYTES:
        return 0
    return max(1, BLOCK_BYTES // sum(column.column.nbytes // len(column) for column in mapped))


def _budgeted(stored: Stored, kept: Mask, trains: Mask) -> Stored:
    """A label of which every training row is hidden that is not `kept` [rows of the source]; held-out rows are not."""
    hidden = torch.from_numpy(trains & ~kept)
    if isinstance(stored, Ragged):
        return stored.hiding(hidden[stored.of_rows.row_of])
    assert isinstance(stored, Held), "labels are held in memory"
    return replace(stored, hidden=hidden)


def without_parts(graphs: Graphs, name: str, values: Values) -> tuple[Values, tuple[str, ...]]:
    """The values of label `name`, rows that lack an element blanked, and a note if that took a label away.

    For labels that a flow gives in either graph: the density of part of one is not known, so a part is no label, for
    the model (docs/objective.md) and so for budgets and streams. (A direction or simplex that lacks an element has no
    length, and is blank as soon as it is read.)
    """
    if graphs.variables[name].domain != "real" or not graphs.indivisible(name):
        return values, ()
    if isinstance(values.stored, Ragged):
        return _without_torn_elements(name, values, values.stored)
    there, first = given_elements(values.tensor), 1 + graphs.variables[name].row_axes
    whole = there.reshape(*there.shape[:first], -1).all(dim=-1)
    present = whole.reshape(len(whole), -1).any(dim=1)
    lost = int(np.count_nonzero(values.present)) - int(present.sum())
    blank = ~whole.reshape(*whole.shape, *(1,) * (there.dim() - first))
    kept = Values(Held(values.tensor.masked_fill(blank, float("nan"))), np.asarray(present.numpy()))
    return kept, (_note(name, lost),) if lost else ()


def _without_torn_elements(name: str, values: Values, stored: Ragged) -> tuple[Values, tuple[str, ...]]:
    assert isinstance(stored.elements, Held), "labels are held in memory"
    there = given_elements(stored.elements.tensor)
    whole = there.flatten(1).all(dim=1)
    present = torch.zeros(len(stored), dtype=torch.bool)
    present[stored.of_rows.row_of[whole]] = True
    lost = int(np.count_nonzero(values.present)) - int(present.sum())
    blank = ~whole.reshape(-1, *(1,) * (there.dim() - 1))
    elements = Held(stored.elements.tensor.masked_fill(blank, float("nan")))
    return Values(replace(stored, elements=elements), present.numpy()), (_note(name, lost),) if lost else ()


def _note(name: str, lost: int) -> str:
    rows = counted(lost, "row has", "rows have")
    return f"{rows} only part of {name}, which a flow gives as a whole: counted as without a label"
