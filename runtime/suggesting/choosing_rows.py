"""From scores of many rows to a short list: rows that stand for many others of which the model is unsure, none like
another.

The surest way to waste labels is to ask for the highest scores alone: they are odd rows, and much alike. Rows are
grouped by what the model makes of them, each weighed by its score, and the row in the middle of each group is asked for
(weighted k-means: Zhdanov 2019, "Diverse mini-batch active learning"; that first labels should be of typical rows:
Hacohen et al. 2022). Of many rows a sample is kept, by priorities score / u (Duffield, Lund and Thorup 2007), so that
weights add up to what all rows have.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from runtime.suggesting.label_scores import Floats, LabelScores

TRIES = 3
"""Starts of the grouping, of which the best stays."""
LEAST = 1e-9
"""A score below it weighs as much."""


@dataclass
class Candidates:
    """A sample of all rows seen so far. keep: how many; pictures: of each kept row, if there are any. left: the highest
    priority of a row that was let go."""

    keep: int
    seed: int = 0
    rows: int = 0
    left: float = 0.0
    names: list[str] = field(default_factory=list)
    scores: LabelScores | None = None
    priority: Floats = field(default_factory=lambda: np.zeros(0))
    pictures: list[Tensor] = field(default_factory=list)

    def take_in(self, names: list[str], scores: LabelScores, pictures: Tensor | None) -> None:
        """Rows more; of too many those of the lowest priorities are let go."""
        if not names:
            return
        drawn = 1 - np.random.default_rng([self.seed, self.rows]).random(len(names))
        self.rows += len(names)
        self.names += names
        self.scores = scores if self.scores is None else self.scores.with_more(scores)
        self.priority = np.concatenate([self.priority, np.maximum(scores.score, LEAST) / drawn])
        self.pictures += [] if pictures is None else [*pictures]
        order = np.argsort(-self.priority, kind="stable")
        self.left = max([self.left, *self.priority[order[self.keep :]].tolist()])
        kept = np.sort(order[: self.keep])
        self.names = [self.names[place] for place in kept]
        self.scores, self.priority = self.scores.of(kept), self.priority[kept]
        self.pictures = [self.pictures[place] for place in kept] if self.pictures else []

    def chosen(self, count: int) -> list[int]:
        """Places of `count` of them, the highest score first."""
        if self.scores is None:
            return []
        score = self.scores.score
        places = middles(self.scores.features, np.maximum(score, max(self.left, LEAST)), count, self.seed)
        return sorted(places, key=lambda place: (-score[place], place))


def middles(features: Floats, weights: Floats, count: int, seed: int) -> list[int]:
    """Of `count` groups of rows [N, D], weighed [N], the rows next to their middles."""
    count = min(count, len(features))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than groups
        groups = KMeans(count, n_init=TRIES, random_state=seed).fit(features, sample_weight=weights)
    far = groups.transform(features)
    taken = list[int]()
    for group in range(count):
        taken.append(next(int(place) for place in np.argsort(far[:, group], kind="stable") if place not in taken))
    return taken
