"""What was done to trainings, specs and files, and what went wrong."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """done: kills, full disks, specs or files so far; cases: numbers used up, which is more where some are none.

    goes, finished: of trainings. refused: told in words; read: taken as it is.
    """

    done: int = 0
    cases: int = 0
    goes: int = 0
    finished: int = 0
    read: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: dict[str, Any]) -> None:
        """Take in what a worker found."""
        for name in ("done", "cases", "read", "refused"):
            setattr(self, name, getattr(self, name) + other[name])
        self.wrong += other["wrong"]
