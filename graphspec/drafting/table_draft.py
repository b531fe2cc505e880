"""The text of a starter spec for a table: labels and a small latent explain the columns, all maps linear.

The recipe is that of few labels in a table (the share of learned class frequencies, of answers from both graphs and of
linear maps is measured in the documents on tables): numbers in one standardized vector, a student t around a linear map
of label and latent; q linear, the label's kept small by `weight_decay`; 300 steps at a falling rate, the last weights.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count as numbered
from pathlib import PurePath

from graphspec.drafting.guesses import Guess, guess, told_blanks
from graphspec.drafting.written_numbers import data_marks, number_format
from graphspec.headers import Table
from graphspec.headers.numbers import NumberFormat
from graphspec.reading.suggestions import amount, counted, did_you_mean, few, listed
from graphspec.text.yaml_words import flow_list, plain

FEW_LABELS = 200
"""Below so many rows with a label all of them are kept for training, and the error is estimated by folds."""
STEPS, BATCH = 300, 75
LATENT = 4
VECTOR = "numbers"
_RESERVED = frozenset({"z", VECTOR})


@dataclass(frozen=True)
class _Variable:
    """A variable of the draft and the columns that feed it."""

    name: str
    columns: tuple[Guess, ...]
    label: bool = False

    @property
    def kind(self) -> str:
        return self.columns[0].kind

    @property
    def missing(self) -> bool:
        return any(each.blanks for each in self.columns)


def table_draft(name: str, source: str, table: Table, labels: Sequence[str]) -> str:
    """A starter spec for a table.

    name: of the spec. source: as `data.source` says it. labels: columns to be predicted.
    Raises ValueError, in words, for a label that is no column or has nothing to learn from, and for a table without
    another column to learn from.
    """
    for label in labels:
        if label not in table.columns:
            raise ValueError(f"there is no column '{label}': {did_you_mean(label, table.columns, few(table.columns))}")
        if table.columns[label].repeated:
            raise ValueError(f"two columns are called '{label}': rename one of them")
    numbers = number_format(table.columns.values())
    columns = [column for column in table.columns.values() if not column.repeated]
    guesses = [guess(column, numbers, label=column.name in labels) for column in columns]
    return recipe(name, source, table, numbers, guesses, labels)


def recipe(
    name: str, source: str, table: Table, numbers: NumberFormat, guesses: Sequence[Guess], labels: Sequence[str]
) -> str:
    """A starter spec for columns of which it is known what they are. Raises ValueError where none is left."""
    variables = list(_variables(guesses, labels))
    if all(variable.label for variable in variables):
        raise ValueError("no column is left to learn from: " + _reasons(guesses))
    return _Text(name, source, table, numbers, variables, guesses).text()


def _reasons(guesses: Iterable[Guess]) -> str:
    return few([f"{each.column} {each.why}" for each in guesses if each.kind == "left out"], 4)


def _variables(guesses: Sequence[Guess], labels: Sequence[str]) -> Iterator[_Variable]:
    """Numbers in one vector, every other column by itself, labels last."""
    inputs = [each for each in guesses if each.column not in labels and each.kind != "left out"]
    vector = [each for each in inputs if each.kind == "number"]
    taken = set(_RESERVED)
    if len(vector) > 1:
        yield _Variable(VECTOR, tuple(vector))
    for each in inputs:
        if each.kind != "number" or len(vector) == 1:
            yield _Variable(identifier(each.column, taken), (each,))
    by_name = {each.column: each for each in guesses}
    for label in dict.fromkeys(labels):
        yield _Variable(identifier(label, taken), (by_name[label],), label=True)


def identifier(column: str, taken: set[str]) -> str:
    """A name for a column's variable that no other has; added to `taken`."""
    bare = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_").lower() or "column"
    bare = bare if not bare[0].isdigit() else f"c_{bare}"
    others = (f"{bare}_{number}" for number in numbered(2))
    name = bare if bare not in taken else next(other for other in others if other not in taken)
    taken.add(name)
    return name


class _Text:
    def __init__(
        self, name: str, source: str, table: Table, numbers: NumberFormat, variables: Sequence[_Variable],
        guesses: Sequence[Guess],
    ) -> None:  # fmt: skip
        self.name, self.source, self.table, self.numbers = name, source, table, numbers
        self.labels = [variable for variable in variables if variable.label]
        self.inputs = [variable for variable in variables if not variable.label]
        self.guesses = guesses
        self.columns = sum(len(variable.columns) for variable in self.inputs)

    def text(self) -> str:
        """The whole spec."""
        parts = [
            self._head(), self._variables_section(), self._generative(), self._recognition(), *self._settings(),
            self._data(), self._training(),
        ]  # fmt: skip
        return "\n\n".join("\n".join(part) for part in parts) + "\n"

    def _head(self) -> list[str]:
        rows = "" if self.table.rows is None else f"{amount(self.table.rows, ',')} rows, "
        lines = [
            f"# Written by `graphspec new` from {PurePath(self.source).name} ({rows}"
            f"{counted(len(self.table.columns), 'column')}). What was assumed stands beside",
            "# each line; correct what is wrong, then",
            f"#   graphspec check {self.name}.yaml      graphspec train {self.name}.yaml",
        ]
        lines += [f"# left out: {each.column} {each.why}" for each in self.guesses if each.kind == "left out"]
        what = listed([label.columns[0].column for label in self.labels]) or "What rows have in common"
        described = f"{what} and what a small latent variable adds explain {counted(self.columns, 'column')}."
        return [*lines, "graphspec: 1", f"name: {plain(self.name)}", f"description: {plain(described)}"]

    def _variables_section(self) -> list[str]:
        lines = []
        for variable in (*self.inputs, *self.labels):
            written = f"  {variable.name}: {{{', '.join(_fields(variable))}}}"
            lines.append(f"{written}  # {note}" if (note := _note(variable)) else written)
        lines.append(
            f"  z: {{role: latent, domain: real, size: {self._latent}}}  # what the rest does not say of a row"
        )
        return ["variables:", *lines]

    @property
    def _latent(self) -> int:
        return max(1, min(LATENT, self.columns - 1))

    def _generative(self) -> list[str]:
        above = flow_list([*(label.name for label in self.labels), "z"])
        lines = ["generative:  # how the columns come about"]
        for label in self.labels:
            classes = label.kind == "category"
            entry = "{parameters: {probs: learned}}  # how common each class is" if classes else "{}"
            lines.append(f"  {label.name}: {entry}")
        lines.append("  z: {}")
        for variable in self.inputs:
            how = ""
            if variable.kind == "number":  # heavy tails: a wrong number in a table costs little
                how = ", distribution: student_t, parameters: {df: 5, scale: learned}"
            lines.append(f"  {variable.name}: {{parents: {above}{how}, network: {{kind: linear}}}}")
        return lines

    def _recognition(self) -> list[str]:
        read = [variable.name for variable in self.inputs]
        lines = ["recognition:  # what a row says of what it lacks"]
        for label in self.labels:
            lines.append(f"  {label.name}: {{parents: {flow_list(read)}, network: small}}")
            read = [*read, label.name]
        lines.append(f"  z: {{parents: {flow_list(read)}, network: {{kind: linear}}}}")
        return lines

    def _settings(self) -> Iterator[list[str]]:
        if not self.labels:
            return
        yield ["networks:", "  small: {kind: linear, weight_decay: 0.1}  # few labels: weights are kept small"]
        classes = [label.name for label in self.labels if label.kind == "category"]
        answers = ", ".join(f"{name}: both" for name in classes)
        told = "  # a label is answered by q and by p's posterior, the mean of both" if classes else ""
        yield [f"objective: {{rho: 0.5, alpha: 20{f', answers: {{{answers}}}' if classes else ''}}}{told}"]

    def _data(self) -> list[str]:
        lines = ["data:", f"  source: {plain(self.source)}"]
        lines += [f"  {mark}" for mark in data_marks(self.numbers)]
        lines.append("  variables:")
        lines += [f"    {variable.name}: {_entry(variable)}" for variable in (*self.inputs, *self.labels)]
        return [*lines, *self._splits()]

    def _labelled(self) -> int | None:
        """Rows that have the first label, where they were counted."""
        if self.table.rows is None or not self.labels:
            return None
        return self.table.rows - self.labels[0].columns[0].blanks

    def _splits(self) -> Iterator[str]:
        labelled = self._labelled()
        if labelled is not None and labelled < FEW_LABELS:
            yield f"  test: 0  # {counted(labelled, 'row has', 'rows have')} a label: all are used. What the error is:"
            yield f"  validation: 0  # graphspec sweep {self.name}.yaml --folds 5"
            return
        classes = bool(self.labels) and self.labels[0].kind == "category"
        yield "  test: 0.2" + ("  # every class in its proportion" if classes else "")
        yield "  validation: 0  # nothing is chosen by it: 300 steps, the last weights"

    def _training(self) -> list[str]:
        rows = self.table.rows or 1000
        labelled = self._labelled()
        unlabelled = rows - labelled if labelled is not None and labelled < rows else rows
        epochs = max(20, min(STEPS, round(STEPS * BATCH / max(unlabelled, BATCH))))
        rate = f"{{from: 2e-2, to: 4e-4, shape: cosine, epochs: {epochs}}}"
        return [f"training: {{epochs: {epochs}, batch_size: {BATCH}, learning_rate: {rate}, select: last, seed: 0}}"]


def _fields(variable: _Variable) -> Iterator[str]:
    first = variable.columns[0]
    yield f"role: {'supervised' if variable.label else 'observed'}"
    yield f"domain: {'real' if variable.kind == 'number' else variable.kind}"
    if len(variable.columns) > 1:
        yield f"size: {len(variable.columns)}"
    if variable.kind != "number" and first.names is None:
        yield "names: auto"
    elif first.names:
        yield f"names: {flow_list(first.names)}"
    if variable.missing and not variable.label:
        yield "missing: true"


def _note(variable: _Variable) -> str:
    first, parts = variable.columns[0], list[str]()
    if variable.label and first.counts:
        parts.append(few([f"{name} {count}" for name, count in zip(first.names or (), first.counts, strict=False)], 6))
    if len(variable.columns) > 1:
        parts.append("one number a column, standardized")
    if first.why:
        parts.append(first.why)
    blanks = told_blanks(list(variable.columns))
    if blanks:
        parts.append(f"{blanks}: rows without a label" if variable.label else blanks)
    return "; ".join(parts)


def _entry(variable: _Variable) -> str:
    """What feeds the variable."""
    columns = [each.column for each in variable.columns]
    if len(columns) == 1:
        return entry_of(variable.columns[0])
    return _written([f"columns: {flow_list(columns)}"], variable.columns)


def entry_of(guessed: Guess) -> str:
    """How a variable of one column is read."""
    fields = _written([f"column: {plain(guessed.column)}"], [guessed])
    return plain(guessed.column) if fields == f"{{column: {plain(guessed.column)}}}" else fields


def _written(fields: list[str], guesses: Sequence[Guess]) -> str:
    marks = sorted({mark for each in guesses for mark in each.marks})
    if marks:
        fields.append(f"missing: {flow_list(marks)}")
    if guesses[0].kind == "number":
        fields.append("standardize: true")
    return f"{{{', '.join(fields)}}}"
