"""What every kind of file is described by: columns and rows of one split, and the error for what cannot be read."""

from dataclasses import dataclass
from typing import Literal

from graphspec.headers.columns import Column

SplitName = Literal["train", "test"]


class SourceError(Exception):
    """The source is there and cannot be read. `message` says why, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Remark:
    """Something that is there and is not read. serious: rows or labels are lost by it, if it was meant to be read."""

    message: str
    hint: str = ""
    serious: bool = True


@dataclass(frozen=True)
class Table:
    """Columns and row count of one split; `rows` None where counting would mean loading."""

    columns: dict[str, Column]
    rows: int | None
    remarks: tuple[Remark, ...] = ()
