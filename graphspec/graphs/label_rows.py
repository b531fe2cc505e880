"""How many rows have each label, as far as data and spec tell before anything is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphspec.reading.suggestions import few


@dataclass(frozen=True)
class LabelRows:
    """total: rows of the source, its own test split left out; given: of these, the rows that have each label.

    classes: of labels that are one class a row, rows by class, where the cells are known.
    training: rows that will train with each label, after splits and `data.labels`; labelled: rows that train with any.
    exact: these two are counted, and hold for all rows of the source; else they are what is expected.
    """

    total: int
    given: Mapping[str, int]
    training: Mapping[str, int]
    labelled: int
    exact: bool
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """A line per label: `y in 120 of 712 rows (no: 40, yes: 80); about 100 train with it`."""
        return [self._line(name) for name in self.given]

    def _line(self, name: str) -> str:
        classes = self.classes.get(name, {})
        split = f" ({few(f'{label}: {count}' for label, count in classes.items())})" if classes else ""
        about = "" if self.exact else f"; about {self.training[name]} train with it"
        return f"{name} in {self.given[name]} of {self.total} rows{split}{about}"

    def rate(self, name: str) -> float:
        """Share of the labelled rows that have the label, in [0, 1]."""
        return min(1.0, self.training[name] / self.labelled) if self.labelled else 1.0
