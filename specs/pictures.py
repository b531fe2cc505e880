"""Writes the made-up pictures, clouds of points and documents that some specs learn from: `python specs/pictures.py`.

scenes.npz (air.yaml), votes.npz (annotators.yaml), clouds.npz (neural-statistician.yaml) and documents.npz
(documents.yaml). As in tables.py nothing was measured, and the files can be made again to the letter.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tables import Draws

Bytes = NDArray[np.uint8]
Inside = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]
"""Whether points of the square [-1, 1] x [-1, 1] are inked."""
SHAPES: dict[str, Inside] = {
    "cross": lambda u, v: np.minimum(abs(u), abs(v)) < 0.28,
    "ring": lambda u, v: abs(u * u + v * v - 0.6) < 0.36,
    "wedge": lambda u, v: abs(u) < (v + 1) / 2,
    "bars": lambda u, v: abs(abs(u) - 0.6) < 0.3,
    "corner": lambda u, v: (u < -0.45) | (v > 0.45),
}
CANVAS, SIDE, MOST = 24, 12, 3
"""Pixels of a scene and of a picture that is voted on; things of a scene."""
ANNOTATORS = 12
CLOUDS = ("line", "circle", "pair", "bow")
SUBJECTS, WORDS = 4, 80


def painted(inside: Inside, canvas: int, side: float, x: float, y: float, turn: float = 0.0) -> Bytes:
    """[canvas, canvas] grey: a shape of `side` pixels around (x, y), turned, each pixel an average of 3 x 3 points."""
    grid = (np.arange(3 * canvas) + 0.5) / 3
    across, down = 2 * (grid[None] - x) / side, 2 * (grid[:, None] - y) / side
    cosine, sine = math.cos(turn), math.sin(turn)
    u, v = cosine * across + sine * down, cosine * down - sine * across
    hits = (np.maximum(abs(u), abs(v)) <= 1) & inside(u, v)
    return (hits.reshape(canvas, 3, canvas, 3).sum(axis=(1, 3)) * 255 // 9).astype(np.uint8)


def scenes(rows: int = 1600) -> dict[str, NDArray[np.integer]]:
    """One picture a row: none to three crosses, rings and wedges, apart from each other, and how many there are."""
    draws, pictures, counts = Draws(11), [], []
    kinds = [SHAPES[name] for name in ("cross", "ring", "wedge")]
    for _ in range(rows):
        count = draws.choice((1, 2, 2, 2))
        canvas, places = np.zeros((CANVAS, CANVAS), np.uint8), []
        while len(places) < count:
            side = 6 + int(4 * draws.uniform())
            x, y = (side / 2 + int((CANVAS - side + 1) * draws.uniform()) for _ in "xy")
            if any(max(abs(x - a), abs(y - b)) < (side + other) / 2 for a, b, other in places):
                continue
            places.append((x, y, side))
            canvas += painted(kinds[draws.choice((1, 1, 1))], CANVAS, side, x, y)
        pictures.append(canvas)
        counts.append(count)
    return {"image": np.array(pictures)[:, None], "count": np.array(counts, np.int8)}


def votes(rows: int = 1000) -> dict[str, NDArray[np.integer]]:
    """One picture of a shape a row, what it shows, and what up to four of twelve people said that it shows.

    A third of the people are careful, a third often take a ring for a wedge and bars for a corner, the others guess.
    """
    draws, pictures, truths, lengths, who, said = Draws(12), [], [], [], [], []
    for _ in range(rows):
        truth = draws.choice((1,) * len(SHAPES))
        side, x, y = 7 + 3 * draws.uniform(), *(SIDE / 2 + draws.normal(0, 0.7) for _ in "xy")
        picture = painted(list(SHAPES.values())[truth], SIDE, side, x, y, draws.normal(0, 0.25))
        noise = np.array([draws.normal(0, 45) for _ in range(SIDE * SIDE)]).reshape(SIDE, SIDE)
        pictures.append(np.clip(picture + noise, 0, 255).astype(np.uint8) // 32 * 36)
        people = sorted({int(ANNOTATORS * draws.uniform()) for _ in range(int(5 * draws.uniform()))})
        truths.append(truth)
        lengths.append(len(people))
        who.extend(people)
        said.extend(_said(draws, person, truth) for person in people)
    return {
        "image": np.array(pictures)[:, None], "truth": np.array(truths, np.int8), "votes": np.array(lengths, np.int8),
        "who": np.array(who, np.int8), "said": np.array(said, np.int8),
    }  # fmt: skip


def _said(draws: Draws, person: int, truth: int) -> int:
    """What a person says: by a third each careful, mistaken in a way of their own, or guessing."""
    mistaken = {1: 2, 3: 4}.get(truth, truth)
    leaning = [0.15] * len(SHAPES) if person % 3 < 2 else [1.0] * len(SHAPES)
    leaning[truth] += 4 if person % 3 == 0 else 1
    leaning[mistaken] += 3 if person % 3 == 1 else 0
    return draws.choice(leaning)


def clouds(rows: int = 600) -> dict[str, NDArray[np.generic]]:
    """One cloud of 6 to 16 points a row, of one of four forms, each at its own place, size and turn."""
    draws, points, sizes, kinds = Draws(13), [], [], []
    for _ in range(rows):
        kind, size = draws.choice((1, 1, 1, 1)), 6 + int(11 * draws.uniform())
        east, north = draws.normal(0, 0.4), draws.normal(0, 0.4)
        length, turn = 0.7 + 0.6 * draws.uniform(), draws.normal(0, 0.4)
        for _ in range(size):
            t = draws.uniform()
            u, v = {
                "line": (2 * t - 1, 0.0),
                "circle": (math.cos(6.283 * t), math.sin(6.283 * t)),
                "pair": (draws.normal(math.copysign(0.8, t - 0.5), 0.15), draws.normal(0, 0.15)),
                "bow": (2 * t - 1, (2 * t - 1) ** 2 * 1.4 - 0.5),
            }[CLOUDS[kind]]
            u, v = draws.normal(u, 0.06), draws.normal(v, 0.06)
            across, up = u * math.cos(turn) - v * math.sin(turn), u * math.sin(turn) + v * math.cos(turn)
            points.append((round(east + length * across, 2), round(north + length * up, 2)))
        sizes.append(size)
        kinds.append(kind)
    return {
        "points": np.array(points, np.float16), "size": np.array(sizes, np.int8), "kind": np.array(kinds, np.int8),
    }  # fmt: skip


def documents(rows: int = 800) -> dict[str, NDArray[np.integer]]:
    """How often each of eighty words stands in a document, how long it is, and its subject: which of the eight topics
    that all documents mix are common in it."""
    draws, counts, subjects = Draws(14), [], []
    topics = np.exp([[1.6 * draws.normal() for _ in range(WORDS)] for _ in range(2 * SUBJECTS)])
    topics /= topics.sum(axis=1, keepdims=True)
    for _ in range(rows):
        subject = draws.choice((4, 3, 2, 1))
        mixed = [draws.normal(2.5 if topic // 2 == subject else 0.0, 1.2) for topic in range(2 * SUBJECTS)]
        shares = np.exp(mixed) / np.exp(mixed).sum()
        length = 30 + draws.poisson(math.exp(draws.normal(3.6, 0.5)))
        count = [0] * WORDS
        for _ in range(length):
            count[draws.choice([float(p) for p in topics[draws.choice([float(s) for s in shares])]])] += 1
        counts.append(count)
        subjects.append(subject)
    table = np.array(counts, np.int16)
    return {"counts": table, "length": table.sum(axis=1).astype(np.int16), "subject": np.array(subjects, np.int8)}


def write(folder: Path) -> None:
    """All files into `folder`."""
    for name, columns in {"scenes": scenes(), "votes": votes(), "clouds": clouds(), "documents": documents()}.items():
        np.savez_compressed(folder / f"{name}.npz", **columns)


if __name__ == "__main__":
    write(Path(__file__).parent)
