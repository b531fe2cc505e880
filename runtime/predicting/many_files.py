"""Many files of rows, each with its answers under its own name in one folder; what is done already is not done twice.

FOLDER/part-03.parquet       what `predict` says of the input of that name
FOLDER/.predicted/NAME.json  of which input, weights and questions that is
"""

import glob
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.errors import RunError
from runtime.predicting.output_files import ending_of
from runtime.predicting.predict_rows import Predicted, Progress
from runtime.predicting.predict_sheets import predict_input
from runtime.predicting.row_answers import AskedFor
from runtime.predicting.used_run import UsedRun
from runtime.runs.atomic_files import write_text
from runtime.runs.checkpoints import weights_digest

RECORDS = ".predicted"


def many_files(source: str) -> bool:
    """`parts/*.csv` stands for files, unless one is called exactly so."""
    return glob.has_magic(source) and not Path(source).exists()


@dataclass(frozen=True)
class Part:
    """One input and where its answers go."""

    source: Path
    output: Path

    @property
    def record(self) -> Path:
        """What `output` was made of."""
        return self.output.parent / RECORDS / f"{self.output.name}.json"


def parts_of(pattern: str, folder: Path) -> list[Part]:
    """The files in order of their names. RunError where there are none, two of one name, or no place to write."""
    sources = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
    if not sources:
        raise RunError(f"no file is called {pattern}", "put the pattern in quotes, and mind the folder it starts from")
    names: dict[str, Path] = {}
    for source in sources:
        ending_of(source)
        if source.name in names:
            raise RunError(
                f"{names[source.name]} and {source} have the same name", "predict the folders one after the other"
            )
        names[source.name] = source
    if folder.is_file():
        raise RunError(f"{folder} is a file", "many inputs have their answers in a folder: name one")
    if any(source.resolve().parent == folder.resolve() for source in sources):
        raise RunError(f"{folder} holds the inputs", "name another folder for the answers")
    if not folder.parent.is_dir():
        raise RunError(f"there is no folder {folder.parent} to make {folder.name} in", "make it, or name another place")
    return [Part(source, folder / source.name) for source in sources]


class ManyFiles:
    """Parts of one run and one set of questions. checkpoint: as in `use_run`."""

    def __init__(self, used: UsedRun, parts: Sequence[Part], asked: AskedFor, checkpoint: str) -> None:
        self.used, self.parts, self.asked = used, parts, asked
        file = used.run.last_file if checkpoint == "last" else used.run.checkpoint
        self._question = json.dumps([weights_digest(file), asdict(asked)], sort_keys=True)

    def done(self, part: Part) -> Predicted | None:
        """What was said of a part, if that input has these answers already."""
        if not (part.output.is_file() and part.record.is_file()):
            return None
        try:
            plain = json.loads(part.record.read_text(encoding="utf-8"))
            found = Predicted(int(plain["rows"]), tuple(map(str, plain["notes"])))
            return found if plain["mark"] == self._mark(part) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def left(self) -> list[Part]:
        """What is still to do."""
        return [part for part in self.parts if self.done(part) is None]

    def predict(self, parts: Sequence[Part], batch_rows: int, progress: Progress) -> Iterator[tuple[Part, RunError]]:
        """Write the answers to some parts, and give those that cannot be answered, with why."""
        for part in parts:
            mark = self._mark(part)
            part.record.parent.mkdir(parents=True, exist_ok=True)
            try:
                found = predict_input(
                    self.used, str(part.source), part.output, self.asked, batch_rows=batch_rows, progress=progress
                )
            except RunError as error:
                yield part, error
                continue
            plain = {"mark": mark, "rows": found.rows, "notes": list(found.notes)}
            write_text(part.record, json.dumps(plain) + "\n")

    def _mark(self, part: Part) -> str:
        """Of the input's size and time, the weights and the questions."""
        facts = part.source.stat()
        text = f"{part.source.resolve()} {facts.st_size} {facts.st_mtime_ns} {self._question}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
