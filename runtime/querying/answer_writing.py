"""Queries put to a run and their answers written: as text, JSON, a table on the disk or in memory. Of many rows only a
part is in memory."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import RunError
from runtime.predicting.cell_texts import named
from runtime.predicting.output_files import OutputFile, ending_of, opened_output, refuse_other_columns
from runtime.querying.answer_arrays import AnswerArrays, array_layout
from runtime.querying.answer_parts import RowAnswer
from runtime.querying.answer_pictures import MOST_LINES, AnswerPictures, Draw
from runtime.querying.answer_tables import JointLayout, TableLayout, joint_layout, table_layout
from runtime.querying.answer_words import QueryText
from runtime.querying.asking import Questions
from runtime.querying.plain_answers import RowAverage, plain_query, plain_row, was_drawn
from runtime.runs.protected import refuse_foreign, refuse_users_own

Tell = Callable[[str], None]
Layout = TableLayout | JointLayout | AnswerArrays
Parts = Iterator[list[list[RowAnswer]]]


def text_answers(
    questions: Questions, tell: Tell = lambda _: None, output: Path | None = None, draw: Draw | None = None
) -> str:
    """Answers as text, written to a file too if one is named, as a picture by `draw` if that is given. RunError where
    some query has no answer at all."""
    texts = [QueryText(query, questions.asking.interval) for query in questions.queries]
    with _written(questions, output, tell, draw) as write:
        for part in _answered(questions, tell):
            write(part)
            for text, answers in zip(texts, part, strict=True):
                text.add(answers)
    return "\n\n".join("\n".join(text.lines()) for text in texts)


def json_answers(
    questions: Questions,
    into: IO[str],
    tell: Tell = lambda _: None,
    output: Path | None = None,
    draw: Draw | None = None,
) -> None:
    """One JSON object. Nothing is written where some query has no answer at all."""
    rows = questions.rows is not None
    averages, drawn = [RowAverage() for _ in questions.queries], [False for _ in questions.queries]
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in questions.queries]
        write = stack.enter_context(_written(questions, output, tell, draw))
        for part in _answered(questions, tell):
            write(part)
            for place, answers in enumerate(part):
                for answer in answers:
                    averages[place].add(answer)
                    drawn[place] |= was_drawn(answer)
                    files[place].write(f",\n{json.dumps(plain_row(answer), ensure_ascii=False, allow_nan=False)}")
        into.write(f'{{"run": {json.dumps(str(questions.used.run.folder))}, "answers": [')
        for place, query in enumerate(questions.queries):
            plain = plain_query(query, averages[place] if rows else None, drawn=drawn[place])
            average = json.dumps(plain.pop("average"), ensure_ascii=False, allow_nan=False)
            head = json.dumps(plain, ensure_ascii=False, allow_nan=False)[:-1]
            into.write(f'{"," if place else ""}\n{head}, "rows": [')
            files[place].seek(0)
            into.write(files[place].read(1)[1:])
            while block := files[place].read(2**20):
                into.write(block)
            into.write(f'], "average": {average}}}')
        into.write("]}\n")


def table_answers(questions: Questions, tell: Tell = lambda _: None) -> dict[str, NDArray[Any]]:
    """Answers as columns in memory."""
    layout, gathered = _layout(questions), dict[str, list[NDArray[Any]]]()
    for part in _answered(questions, tell):
        for cells in layout.cells(questions.queries, part):
            values = cells.own if cells.values is None else named(cells) if cells.names else cells.values
            gathered.setdefault(cells.name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in gathered.items()}


def _answered(questions: Questions, tell: Tell) -> Parts:
    """Parts of answers. RunError at the end where some query has none."""
    some = [False for _ in questions.queries]
    first: list[str | None] = [None for _ in questions.queries]
    for part in questions.answers(tell):
        for place, answers in enumerate(part):
            for answer in answers:
                some[place] |= answer.refused is None
                first[place] = first[place] or answer.refused
        yield part
    for query, answered, refused in zip(questions.queries, some, first, strict=True):
        if not answered:
            raise RunError(f"{query.question.text}: {refused}")


def is_arrays(output: Path | None) -> bool:
    """Answers go to an .npz file, which has room for pictures."""
    return output is not None and ending_of(output) == ".npz"


def _layout(questions: Questions) -> TableLayout | JointLayout:
    rows = questions.rows is not None
    if questions.asking.joint:
        asked = {tuple(name for t in q.question.targets for name in t.names) for q in questions.queries}
        if len(asked) > 1:
            raise RunError("queries with other targets have other joint tables", "ask them one by one")
        return joint_layout(questions.queries, rows=rows)
    return table_layout(questions.used, questions.queries, rows=rows)


@contextmanager
def _written(
    questions: Questions, output: Path | None, tell: Tell, draw: Draw | None
) -> Iterator[Callable[[list[list[RowAnswer]]], None]]:
    """What writes parts of answers to a file, or nowhere."""
    if output is None:
        yield lambda part: None
        return
    used = questions.used
    refuse_users_own(output, used.model.graphs, used.run.spec_path, used.data_dir)
    if draw is not None:
        refuse_foreign(output)
        pictures = AnswerPictures(questions)
        yield pictures.add
        draw(pictures.panel(), output)
        if pictures.more:
            tell(f"{output} shows the first {MOST_LINES} rows of {MOST_LINES + pictures.more}: -o FILE.npz has all")
        return
    layout: Layout = _layout(questions)
    if is_arrays(output):
        rows = questions.rows is not None
        layout = array_layout(used, questions.queries, rows=rows, joint=questions.asking.joint)
    refuse_other_columns(output, layout.header, ())
    with opened_output(output, layout.header, None, used.data.decimal or ".") as file:
        yield _writer(questions, layout, file)


def _writer(questions: Questions, layout: Layout, file: OutputFile) -> Callable[[list[list[RowAnswer]]], None]:
    return lambda part: file.write(layout.cells(questions.queries, part))
