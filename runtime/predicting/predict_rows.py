"""From a run and an input to a file of predictions: read a part, answer it batch by batch, write it, and so on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from runtime.errors import RunError
from runtime.measures.evaluation import placement
from runtime.predicting.draw_files import draw_files, opened_files, refuse_files
from runtime.predicting.imputing import draw_whole_rows, impute_rows
from runtime.predicting.input_parts import InputPart, InputTable
from runtime.predicting.input_tables import open_input
from runtime.predicting.input_values import InputReader, batch_of
from runtime.predicting.output_columns import ArrayLayout, layout_of
from runtime.predicting.output_files import ending_of
from runtime.predicting.present_elements import only_present, present_elements
from runtime.predicting.row_answers import Answer, Array, AskedFor, answer_rows
from runtime.predicting.used_run import UsedRun
from runtime.runs.protected import refuse_users_own

PART_ROWS = 10_000
"""Rows that are read and written together, about."""
BATCH_ROWS = 500
"""Rows of one call of the model; as `evaluate` has them."""

Progress = Callable[[int, int | None], None]
"""Told the rows done, and how many there are if that is known."""


@dataclass(frozen=True)
class Predicted:
    """rows: how many; notes: what was strange about them."""

    rows: int
    notes: tuple[str, ...]


def predict_file(
    used: UsedRun,
    source: str,
    output: Path,
    asked: AskedFor,
    *,
    batch_rows: int = BATCH_ROWS,
    tell: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda done, of: None,
) -> Predicted:
    """Write predictions for every row of an input into one file. RunError or DataError says why not."""
    arrays = ending_of(output) == ".npz"
    with ExitStack() as stack:
        table = open_input(source, used, tell, stack)
        files = draw_files(output, asked.draws)
        reader, layout = InputReader(used, table), layout_of(used, table, asked, numbered=len(files) == 1)
        shown = ArrayLayout(layout) if arrays else layout
        refuse_files(files, shown.header, table.header, lambda file: refuse_output(used, file, table))
        done, decimal = 0, used.data.decimal or "."
        with opened_files(files, shown.header, table.separator, decimal) as write:
            for part, draws in answered_parts(used, table, reader, asked, batch_rows):
                for number, answers in enumerate(draws, start=1):
                    write(number, shown.cells(part, answers, number))
                done += part.rows
                progress(done, table.rows)
        return Predicted(done, tuple(reader.notes(done)))


def refuse_output(used: UsedRun, output: Path, table: InputTable) -> None:
    """RunError where the output would replace the input, or lie in it, or replace what is the user's own."""
    refuse_users_own(output, used.model.graphs, used.run.spec_path, used.data_dir)
    if table.path is None:
        return
    own, target = table.path.resolve(), output.resolve()
    if target == own:
        raise RunError(f"{output} is the input itself", "name another file")
    if own.is_dir() and own in target.parents:
        raise RunError(f"{output} lies in {table.path}, which is the input", "name a place outside of it")


def answered_parts(
    used: UsedRun, table: InputTable, reader: InputReader, asked: AskedFor, batch_rows: int
) -> Iterator[tuple[InputPart, list[list[Answer]]]]:
    """Parts of an input with the answers to their rows; of each joint draw, where such are asked for."""
    dtype = placement(used.model)[1]
    for part in table.parts(batch_rows * max(1, PART_ROWS // batch_rows)):
        values = reader.read(part)
        found = []
        for start in range(0, part.rows, batch_rows):
            batch = batch_of(values, slice(start, start + batch_rows), dtype)
            found.append(answered_batch(used, batch, asked, part.first + start))
        yield part, [joined_answers(each) for each in zip(*found, strict=True)]


def answered_batch(used: UsedRun, batch: Mapping[str, Tensor], asked: AskedFor, first: int) -> list[list[Answer]]:
    """Answers to one batch, about elements that are there: once, or for each joint draw."""
    if asked.draws:
        found = draw_whole_rows(used, batch, asked.draws, asked.seed, first)
    else:
        found = [[*answer_rows(used, batch, asked, first), *(impute_rows(used, batch, asked) if asked.impute else ())]]
    return [only_present(used, answers, present_elements(used, batch, answers)) for answers in found]


def joined_answers(batches: Sequence[list[Answer]]) -> list[Answer]:
    """Answers to several batches as those to all their rows."""
    return [_joined(each) for each in zip(*batches, strict=True)]


def _joined(answers: Sequence[Answer]) -> Answer:
    if len(answers) == 1:
        return answers[0]
    whole: dict[str, Any] = {}
    for name in ("best", "given", "probabilities", "low", "high", "deviation"):
        values = [getattr(answer, name) for answer in answers]
        like = next((each for each in values if each is not None), None)
        if like is not None:
            whole[name] = np.concatenate([_or_nothing(each, a, like) for a, each in zip(answers, values, strict=True)])
    return replace(answers[0], **whole)


def _or_nothing(values: Array | None, answer: Answer, like: Array) -> Array:
    """Of a batch that has none of them, blanks."""
    return np.full((len(answer.best), *like.shape[1:]), np.nan) if values is None else values
