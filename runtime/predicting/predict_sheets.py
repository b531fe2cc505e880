"""Predictions for inputs whose elements stand apart: rows are answered, then each file gets what its lines are about.

One table of lines is written as the same lines, answers about rows repeated; rows and elements in tables of their own
as so many files, `answers.csv` and `answers-PLATE.csv`; flat arrays as flat arrays.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphspec.headers import npz_tables
from graphspec.headers.element_tables import Layouts
from graphspec.reading.suggestions import few
from runtime.data.read.reading import read_table
from runtime.data.read.table import whole
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import RunError
from runtime.measures.evaluation import placement
from runtime.predicting.draw_files import draw_files, opened_files, refuse_files
from runtime.predicting.input_parts import InputPart, InputTable
from runtime.predicting.input_tables import own_table, piped_input
from runtime.predicting.laid_out_inputs import LaidOutInput, Lines, Sheet, read_input
from runtime.predicting.output_columns import ArrayLayout, Cells, OutputLayout, layout_of
from runtime.predicting.output_files import ending_of
from runtime.predicting.predict_rows import (
    BATCH_ROWS,
    Predicted,
    Progress,
    answered_batch,
    joined_answers,
    predict_file,
    refuse_output,
)
from runtime.predicting.row_answers import Answer, AskedFor
from runtime.predicting.used_run import UsedRun

_ROWS_AT_ONCE = 10_000
Draws = Sequence[Sequence[Answer]]


def predict_input(
    used: UsedRun,
    source: str,
    output: Path,
    asked: AskedFor,
    *,
    batch_rows: int = BATCH_ROWS,
    tell: Tell = lambda _: None,
    progress: Progress = lambda done, of: None,
) -> Predicted:
    """Write predictions for every row of an input, in its own layout. RunError or DataError says why not."""
    if not used.layouts.apart:
        return predict_file(used, source, output, asked, batch_rows=batch_rows, tell=tell, progress=progress)
    arrays = _holds_arrays(Path(source))
    if _holds_arrays(Path(ending_of(output))) != arrays:
        kind, hint = "elements on lines of a table are written as lines", "name a .csv, .tsv or .parquet file"
        if arrays:
            kind, hint = "elements in flat arrays are written as arrays", "name an .npz file"
        raise RunError(f"{output}: {kind}", hint)
    with ExitStack() as stack:
        source = str(piped_input(stack)) if source == "-" else source
        given = read_input(used, source, tell)
        files = [Sheeted(used, sheet, output, asked) for sheet in given.sheets]
        for file in files:
            file.refuse(used)
        draws = answered_rows(used, given, asked, batch_rows, progress)
        for file in files:
            file.write(draws, used.data.decimal or ".")
    count = len(given.rows)
    others = tuple(
        f"elements of {each.sheet.plate} are in {few(map(str, each.files), 3)}" for each in files if each.sheet.plate
    )
    return Predicted(count, (*given.reader.notes(count), *others))


def _holds_arrays(path: Path) -> bool:
    return path.name.lower().endswith(".npz")


def answered_rows(
    used: UsedRun, given: LaidOutInput, asked: AskedFor, batch_rows: int, progress: Progress = lambda done, of: None
) -> Draws:
    """Answers to all rows together, for each draw."""
    found, dtype, count = [], placement(used.model)[1], len(given.rows)
    for positions in torch.arange(count).split(batch_rows):
        batch = given.rows.batch(positions, dtype)
        lacking = {name: _blank(used, name, len(positions)) for name in used.columns if name not in batch}
        found.append(answered_batch(used, {**batch, **lacking}, asked, int(positions[0])))
        progress(int(positions[-1]) + 1, count)
    return [joined_answers(each) for each in zip(*found, strict=True)]


def _blank(used: UsedRun, name: str, rows: int) -> torch.Tensor:
    return torch.full((rows, *used.graphs.variables[name].shape), torch.nan)


class Sheeted:
    """A file of the input as one of the output."""

    def __init__(self, used: UsedRun, sheet: Sheet, output: Path | None, asked: AskedFor) -> None:
        self.sheet = sheet
        lined = frozenset(name for name in sheet.about if used.layouts.kind(name) != "padded")
        self.used = replace(used, lined=lined)
        self.arrays = _holds_arrays(sheet.path)
        self.table = _own_arrays(used, sheet) if self.arrays else own_table(sheet.path, used)
        self.files = [] if output is None else draw_files(self._path(output), asked.draws)
        layout = layout_of(self.used, self.table, asked, sheet.about, numbered=len(self.files) < 2)
        self.layout: OutputLayout | ArrayLayout = ArrayLayout(layout) if self.arrays else layout

    def _path(self, output: Path) -> Path:
        if not self.sheet.plate:
            return output
        ending = ending_of(output)
        own = ".npz" if self.arrays else output.name[-len(ending) :]
        return output.with_name(f"{output.name[: -len(ending)]}-{self.sheet.plate}{own}")

    def refuse(self, used: UsedRun) -> None:
        """RunError where the output may not be written."""
        header = self.layout.header
        refuse_files(self.files, header, self.table.header, lambda file: refuse_output(used, file, self.table))

    def write(self, draws: Draws, decimal: str) -> None:
        """All lines, once for each draw."""
        with opened_files(self.files, self.layout.header, self.table.separator, decimal) as write:
            for number, cells in self.cells(draws):
                write(number, cells)

    def cells(self, draws: Draws) -> Iterator[tuple[int, Iterator[Cells]]]:
        """The number of a draw, from 1, and the columns of some lines more."""
        for number, answers in enumerate(draws, start=1):
            told = {answer.variable.name: answer for answer in answers}
            about = [(told[name], lines) for name, lines in self.sheet.about.items() if name in told]
            for part in self.table.parts(_ROWS_AT_ONCE):
                some = slice(None) if self.arrays else slice(part.first, part.first + part.rows)
                told_here = [self._of(answer, lines, some) for answer, lines in about]
                yield number, self.layout.cells(part, told_here, number)

    def _of(self, answer: Answer, lines: Lines, some: slice) -> Answer:
        """What some lines are told: the answers about their rows, or about their elements."""
        variable = self.used.variable(answer.variable.name)
        width = int(np.prod(variable.shape, dtype=np.int64))

        def chosen(values: Any) -> Any:
            if values is None:
                return None
            return values.reshape(len(values), -1, width, *values.shape[2:])[lines.rows[some], lines.places[some]]

        kinds = ("best", "given", "probabilities", "low", "high", "deviation")
        return replace(answer, variable=variable, **{kind: chosen(getattr(answer, kind)) for kind in kinds})


def _own_arrays(used: UsedRun, sheet: Sheet) -> InputTable:
    """Arrays of one value a row (or a line), and lengths, which the output has too."""
    headers = npz_tables(sheet.path)["train"].columns
    lengths = _lengths(used.layouts)
    count = headers[lengths[0]].rows if lengths else max(len(lines.rows) for lines in sheet.about.values())
    names = [n for n, header in headers.items() if n in lengths or (not header.shape and header.rows == count)]
    own = tuple(
        whole(read_table(str(sheet.path), [name], None, used.data_dir, lambda _: None).columns[name]) for name in names
    )

    def parts(size: int) -> Iterator[InputPart]:
        yield InputPart(0, count or 0, own, {})

    return InputTable(sheet.path.name, sheet.path, tuple(names), tuple(names), count, parts, arrays=True)


def _lengths(layouts: Layouts) -> list[str]:
    """Columns of lengths, those of the rows first."""
    return [layouts.lengths[plate] for plate in sorted(layouts.lengths, key=lambda name: len(layouts.levels[name]))]
