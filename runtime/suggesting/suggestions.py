"""A run, rows without a label, and a list of which to label next, with reasons."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from runtime.answering.panels import Panel, picture_shape
from runtime.data import PreparedData
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import RunError
from runtime.measures.evaluation import placement
from runtime.predicting.input_tables import FILE_NAME, open_input
from runtime.predicting.input_values import InputReader, batch_of
from runtime.predicting.row_answers import as_rows, which_given
from runtime.predicting.row_noise import RowNoise, keys_of_contents
from runtime.predicting.used_run import UsedRun
from runtime.suggesting.choosing_rows import Candidates
from runtime.suggesting.label_scores import label_scores

BATCH_ROWS = 500
Named = tuple[list[str], dict[str, Tensor]]
"""Rows as the model takes them, and what each is called."""


@dataclass(frozen=True)
class Suggestion:
    """A row to label. said: classes with their probabilities, the likeliest first; entropy, information: nats."""

    row: str
    said: tuple[tuple[str, float], ...]
    entropy: float
    information: float

    @property
    def reason(self) -> str:
        """Between what it stands, and what speaks for a label of it."""
        (first, p), (second, r) = self.said[:2]
        text = f"{first} ({100 * p:.0f} %) or {second} ({100 * r:.0f} %)"
        return text + ("; what is hidden beside it speaks for both" if self.information > self.entropy / 2 else "")


@dataclass(frozen=True)
class Suggested:
    """suggestions: the likeliest to pay first. rows: how many were looked at. panel: their pictures, if they have
    some. notes: of the input."""

    label: str
    suggestions: tuple[Suggestion, ...]
    rows: int
    panel: Panel | None
    notes: tuple[str, ...] = ()


def suggest_rows(
    used: UsedRun, label: str, rows: Iterator[Named], count: int, seed: int = 0, samples: int = 20
) -> Suggested:
    """Of rows that lack a label those to ask for. RunError where every row has it."""
    shown, candidates = _picture(used), Candidates(10 * count + 200, seed)
    for names, values in rows:
        held = as_rows(used, values)
        lacking = torch.ones(len(names), dtype=torch.bool)
        if label in held:
            lacking = ~torch.from_numpy(which_given(used.graphs.variables[label], held[label])[:, 0])
        at = torch.nonzero(lacking).squeeze(1)
        kept = {name: value[at] for name, value in held.items() if name != label}
        if len(at):
            noise = RowNoise(seed, len(at), partial(keys_of_contents, kept), placement(used.model)[0])
            scores = label_scores(used.model, label, kept, noise, samples)
            pictures = None if shown is None else kept[shown].cpu()
            candidates.take_in([names[place] for place in at.tolist()], scores, pictures)
    if not candidates.rows:
        raise RunError(f"every row has a label of {label}", "leave INPUT out for the training rows that lack one")
    return _suggested(used, label, candidates, count, shown)


def _suggested(used: UsedRun, label: str, found: Candidates, count: int, shown: str | None) -> Suggested:
    places, scores = found.chosen(count), found.scores
    assert scores is not None
    classes, suggestions = used.graphs.variables[label].value_names, list[Suggestion]()
    for place in places:
        order = (-scores.probabilities[place]).argsort(kind="stable")
        said = tuple((classes[k], float(scores.probabilities[place, k])) for k in order)
        entropy, information = float(scores.entropy[place]), float(scores.information[place])
        suggestions.append(Suggestion(found.names[place], said, entropy, information))
    panel = None
    if shown is not None and places:
        panel = sheet(label, shown, suggestions, [found.pictures[place] for place in places])
    return Suggested(label, tuple(suggestions), found.rows, panel)


def sheet(
    label: str, shown: str, suggestions: Sequence[Suggestion], pictures: Sequence[Tensor], wide: int = 10
) -> Panel:
    """The pictures side by side, what each seems to be above it."""
    wide = min(wide, len(pictures))
    lines = -(-len(pictures) // wide)
    padded = [*pictures, *[torch.ones_like(pictures[0])] * (lines * wide - len(pictures))]
    values = torch.stack(padded).reshape(lines, wide, *pictures[0].shape)
    texts = ["/".join(name for name, _ in each.said[:2]) for each in suggestions]
    texts += [""] * (lines * wide - len(texts))
    captions = tuple(tuple(texts[line * wide : (line + 1) * wide]) for line in range(lines))
    return Panel(f"label next: {label}", shown, {shown: values}, ("",) * lines, ("",) * wide, captions)


def _picture(used: UsedRun) -> str | None:
    """The first observed variable that is a picture."""
    variables = used.graphs.variables
    return next((name for name in used.graphs.observed if picture_shape(variables[name]) is not None), None)


def rows_of_input(used: UsedRun, source: str, stack: ExitStack, tell: Tell, notes: list[str]) -> Iterator[Named]:
    """Rows of a file, folder or known set by their file names, else by their number from 0."""
    table = open_input(source, used, tell, stack)
    reader, dtype, done = InputReader(used, table), placement(used.model)[1], 0
    place = table.header.index(FILE_NAME) if FILE_NAME in table.header else None
    for part in table.parts(10_000):
        values = reader.read(part)
        for start in range(0, part.rows, BATCH_ROWS):
            stop = min(start + BATCH_ROWS, part.rows)
            names = [f"row {part.first + row}" for row in range(start, stop)]
            if place is not None:
                names = [str(cell) for cell in part.own[place][start:stop]]
            yield names, batch_of(values, slice(start, stop), dtype)
        done += part.rows
    notes += reader.notes(done)


def rows_of_training(used: UsedRun, data: PreparedData, label: str) -> Iterator[Named]:
    """The run's own training rows that train without a label, by file name, else by their number in the source."""
    given = {*data.label_rows.get(label, torch.zeros(0)).tolist()}
    positions = torch.tensor([place for place in range(len(data.training)) if place not in given], dtype=torch.long)
    for some in positions.split(BATCH_ROWS):
        values = data.training.batch(some, placement(used.model)[1])
        yield [_called(data, number) for number in data.training.source[some].tolist()], _without(values, label)


def _called(data: PreparedData, number: int) -> str:
    called = data.called(number)
    return f"row {number}" if called == str(number) else called


def _without(values: Mapping[str, Tensor], label: str) -> dict[str, Tensor]:
    return {name: value for name, value in values.items() if name != label}


def as_table(found: Suggested) -> tuple[list[str], list[list[Any]]]:
    """Header and lines, for a file."""
    header = ["row", "said", "probability", "second", "second_probability", "entropy", "information"]
    lines = [
        [each.row, each.said[0][0], each.said[0][1], each.said[1][0], each.said[1][1], each.entropy, each.information]
        for each in found.suggestions
    ]
    return header, lines
