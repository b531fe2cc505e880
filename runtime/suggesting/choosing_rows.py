"""From scores of many rows to a short list: the highest, spread over the classes that they seem to have."""

import math
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from runtime.suggesting.label_scores import Floats, LabelScores

SHARE = 2
"""No class fills more than so many times its even share of a list, while others have rows."""


@dataclass
class Candidates:
    """The best of all rows seen so far. keep: how many; pictures: of each kept row, if there are any."""

    keep: int
    rows: int = 0
    names: list[str] = field(default_factory=list)
    probabilities: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    entropy: Floats = field(default_factory=lambda: np.zeros(0))
    information: Floats = field(default_factory=lambda: np.zeros(0))
    pictures: list[Tensor] = field(default_factory=list)

    def take_in(self, names: list[str], scores: LabelScores, pictures: Tensor | None) -> None:
        """Rows more; those that cannot be chosen any more are let go."""
        self.rows += len(names)
        if not names:
            return
        held = self.probabilities if self.names else np.zeros((0, scores.probabilities.shape[1]))
        self.names += names
        self.probabilities = np.concatenate([held, scores.probabilities])
        self.entropy = np.concatenate([self.entropy, scores.entropy])
        self.information = np.concatenate([self.information, scores.information])
        self.pictures += [] if pictures is None else [*pictures]
        order = np.sort(np.argsort(-(self.entropy + self.information), kind="stable")[: self.keep])
        self.names = [self.names[place] for place in order]
        self.probabilities, self.entropy = self.probabilities[order], self.entropy[order]
        self.information = self.information[order]
        self.pictures = [self.pictures[place] for place in order] if self.pictures else []

    def chosen(self, count: int) -> list[int]:
        """Places of `count` of them, the highest score first."""
        return spread_choice(self.entropy + self.information, self.probabilities, count)


def spread_choice(score: Floats, probabilities: Floats, count: int) -> list[int]:
    """Places [count] by score [N], of each likeliest class no more than twice its share; filled up by score."""
    said = probabilities.argmax(1) if len(probabilities) else np.zeros(0, dtype=int)
    most = max(1, math.ceil(SHARE * count / max(1, len(set(said.tolist())))))
    order = np.argsort(-score, kind="stable").tolist()
    taken, left, of_class = list[int](), list[int](), dict[int, int]()
    for place in order:
        number = of_class.get(int(said[place]), 0)
        if len(taken) < count and number < most:
            taken.append(place)
            of_class[int(said[place])] = number + 1
        else:
            left.append(place)
    taken += left[: max(0, count - len(taken))]
    return sorted(taken, key=lambda place: (-score[place], place))
