"""Rows that a model answers wrongly, by what people call them: the surest mistakes first.

From: predictions of a split. To: lines of a table. Not here: files and printing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from runtime.measures.label_figures import Prediction

HEADER = ("name", "label", "true", "said", "probability", "probability_of_true")
MOST_WRONG = 100_000
"""Mistakes that are listed; of more, the surest."""


@dataclass(frozen=True)
class WrongAnswer:
    """name: of the row. label: `y` or `y[2]`. probability: of what is said, of_true: of what is true."""

    name: str
    label: str
    true: str
    said: str
    probability: float
    of_true: float

    @property
    def cells(self) -> tuple[str, ...]:
        """As `HEADER` has them."""
        return (self.name, self.label, self.true, self.said, f"{self.probability:.4f}", f"{self.of_true:.4f}")


def wrong_answers(predictions: Mapping[str, Prediction], called: Callable[[int], str]) -> list[WrongAnswer]:
    """Of every label with classes. called: the name of a row of the split."""
    found = [each for name, prediction in predictions.items() for each in _wrong(name, prediction, called)]
    return sorted(found, key=lambda each: -each.probability)[:MOST_WRONG]


def _wrong(name: str, prediction: Prediction, called: Callable[[int], str]) -> Iterator[WrongAnswer]:
    if prediction.probabilities is None:
        return
    names, shape = prediction.variable.value_names, prediction.variable.shape
    for place in np.flatnonzero(prediction.values != prediction.labels).tolist():
        true, said = int(prediction.labels[place]), int(prediction.values[place])
        element = np.unravel_index(int(prediction.element[place]), shape) if shape else ()
        label = f"{name}[{','.join(map(str, map(int, element)))}]" if shape not in ((), (1,)) else name
        shares = prediction.probabilities[place]
        row = called(int(prediction.row[place]))
        yield WrongAnswer(row, label, names[true], names[said], float(shares[said]), float(shares[true]))
