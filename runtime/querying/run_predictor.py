"""A run as an object that people ask: predictions, and queries in the terms of its graph."""

from pathlib import Path
from typing import Any

from runtime.predicting.predictor import Predictor
from runtime.predicting.tables_in_memory import as_frame
from runtime.predicting.used_run import use_run
from runtime.querying.answer_writing import table_answers
from runtime.querying.asking import Asking, Questions


class RunPredictor(Predictor):
    """Answers of one run. notes: what was strange about the table that was last read, or about the last query."""

    def query(self, *queries: str, table: Any = None, **asked: Any) -> Any:
        """Answers to "TARGET, .. | FACT, .." as a table: a row for each row of `table` (a path, a split's name, a data
        frame, a mapping of names to arrays), or one.

        asked: `by` ("recognition", "bound", "both", "generative"), `joint`, `draws`, `interval`, `seed`, as
        `graphspec query` has them. Raises RunError, whose message has a caret under the place that cannot be asked.
        """
        questions, told = Questions(self.used, queries, table, Asking(**asked)), list[str]()
        found = table_answers(questions, told.append)
        self.notes = (*told, *dict.fromkeys(note for query in questions.queries for note in query.notes))
        return as_frame(found, table)


def open_predictor(
    folder: Path | str, *, device: str = "cpu", allow_python: bool = False, **options: Any
) -> RunPredictor:
    """The run in `folder`, to answer for tables. options: `checkpoint` ("best", "last"), `data_dir`.

    Raises RunError (or SpecError) where the run cannot be used.
    """
    return RunPredictor(use_run(folder, device=device, allow_python=allow_python, **options))
