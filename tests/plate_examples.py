"""Small made-up data for each spec of `tests/specs/plate_examples`, in the layout that the spec names.

`example(name, folder)` writes the data beside a copy of the spec and gives the spec's path. Nothing in them was
measured; every file has `ROWS` rows and few elements a row, one row of them with none where the count allows it. Sets
that need files (`yale_b`, `multi_mnist`) stand in .npz files that `OVERRIDES` names, and large budgets are made small.
"""

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "specs" / "plate_examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ROWS = 24
OVERRIDES: dict[str, tuple[str, ...]] = {
    "faces-views": ("data.source=faces.npz",),
    "detection": ("data.labels.k=12",),
    "mnist-addition": ("data.labels.s=24",),
    "video-person": ("data.labels.who.per_class=1",),
    **dict.fromkeys(("air", "multi-mnist", "multi-mnist-flat"), ("data.source=scenes.npz",)),
}
"""What to set so that the made-up rows are read, and are enough."""


def example(name: str, folder: Path) -> Path:
    """The spec `name` in `folder`, with its data."""
    MAKERS[name](folder, np.random.default_rng(0))
    return Path(shutil.copy(FOLDER / f"{name}.yaml", folder / f"{name}.yaml"))


def lengths_of(rng: Any, low: int, high: int) -> np.ndarray:
    """[ROWS] how many elements each row has: at least one row with the fewest, and one with the most."""
    lengths = rng.integers(low, high + 1, ROWS)
    lengths[:2] = low, high
    return lengths


def write_table(file: Path, columns: dict[str, Sequence[Any]]) -> None:
    """A .csv of columns; None is an empty cell."""
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def padded(lengths: np.ndarray, size: int, elements: np.ndarray, filler: float) -> np.ndarray:
    """Elements [total, ...] put to their rows [ROWS, size, ...], `filler` elsewhere."""
    cells = np.full((len(lengths), size, *elements.shape[1:]), filler, elements.dtype)
    cells[np.arange(size) < lengths[:, None]] = elements
    return cells


def _air(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 1, 3)
    total = int(lengths.sum())
    crops = rng.integers(0, 256, (total, 1, 28, 28)).astype(np.uint8)
    digits = rng.integers(0, 10, total)
    image = rng.integers(0, 256, (ROWS, 1, 50, 50)).astype(np.uint8)
    np.savez(
        folder / "scenes.npz",
        image=image, count=lengths, crops=padded(lengths, 3, crops, 0), digits=padded(lengths, 3, digits, -1),
    )  # fmt: skip


def _annotators(folder: Path, rng: Any) -> None:
    rows = 150  # the spec keeps 100 labels
    votes = rng.integers(0, 6, rows)
    total = int(votes.sum())
    np.savez(
        folder / "pictures.npz",
        image=rng.integers(0, 256, (rows, 1, 28, 28)).astype(np.uint8),
        votes_per_picture=votes, who=rng.integers(0, 40, total), vote=rng.integers(0, 10, total),
        truth=np.arange(rows) % 10,
    )  # fmt: skip


def _chorales(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 1, 9)
    notes = (rng.random((int(lengths.sum()), 88)) < 0.1).astype(np.int8)
    np.savez(folder / "jsb.npz", notes=padded(lengths, 12, notes, 7), length=lengths)


def _parts(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 0, 5)
    total = int(lengths.sum())
    box = rng.normal(size=(total, 3)).astype(np.float32)
    np.savez(
        folder / "parts.npz",
        image=rng.integers(0, 256, (ROWS, 3, 64, 64)).astype(np.uint8), count=lengths,
        box=padded(lengths, 5, box, np.nan), **{"class": padded(lengths, 5, rng.integers(0, 7, total), -1)},
    )  # fmt: skip


def _faces(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 1, 4)
    total = int(lengths.sum())
    light = rng.normal(size=(total, 3))
    np.savez(
        folder / "faces.npz",
        image=rng.integers(0, 256, (total, 1, 96, 84)).astype(np.uint8),
        light=light / np.linalg.norm(light, axis=1, keepdims=True), identity=np.repeat(np.arange(ROWS), lengths),
    )  # fmt: skip


def _grid(folder: Path, rng: Any) -> None:
    load = rng.normal(3, 2, (ROWS, 168, 5)).astype(np.float32)
    load[:, -24:] = np.nan
    np.savez(folder / "grid.npz", load=load, weather=rng.normal(size=(ROWS, 168, 2)).astype(np.float32))


def _walks(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 10, 20)
    people = np.repeat(np.arange(ROWS), lengths)
    order = rng.permutation(len(people))  # lines of one person need not stand together, nor in order
    seconds = np.concatenate([np.arange(length) for length in lengths])
    names = ["rest", "walk", "run", "climb", "fall"]
    activity = np.array([names[c] for c in rng.integers(0, 5, len(people))])
    numbers = rng.normal(size=(2, len(people))).round(3)
    write_table(
        folder / "walks.csv",
        {
            "person": [f"p{n}" for n in people[order]], "second": (seconds[order] / 2).tolist(),
            "ax": numbers[0].tolist(), "ay": numbers[1].tolist(), "activity": activity.tolist(),
        },
    )  # fmt: skip


def _admissions(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 1, 12)
    total = int(lengths.sum())
    columns: dict[str, Any] = {"hospital": np.repeat(np.arange(ROWS), lengths).tolist()}
    for column in range(1, 11):
        cells = rng.normal(size=total).round(3).tolist()
        columns[f"b{column}"] = [None if rng.random() < 0.2 else cell for cell in cells]
    columns["died"] = (rng.random(total) < 0.4).astype(int).tolist()
    write_table(folder / "admissions.csv", columns)


def _answers(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 1, 15)
    total = int(lengths.sum())
    write_table(
        folder / "answers.csv",
        {
            "student": np.repeat(np.arange(ROWS), lengths).tolist(), "item": rng.integers(0, 1000, total).tolist(),
            "correct": (rng.random(total) < 0.6).astype(int).tolist(),
        },
    )  # fmt: skip


def _poses(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 1, 8)
    points = rng.normal(size=(int(lengths.sum()), 10, 2)).astype(np.float32)
    np.savez(folder / "poses.npz", points=padded(lengths, 8, points, 0), views=lengths)


def _letters(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 3, 14)
    total = int(lengths.sum())
    pixels = (rng.random((total, 128)) < 0.3).astype(np.int8)
    np.savez(folder / "letters.npz", pixels=pixels, letter=np.arange(total) % 26, n=lengths)


def _iris(folder: Path, rng: Any) -> None:
    columns: dict[str, Any] = {name: rng.normal(size=60).round(2).tolist() for name in ("sl", "sw", "pl", "pw")}
    write_table(folder / "iris.csv", {**columns, "species": [n % 6 for n in range(60)]})


def _pairs(folder: Path, rng: Any) -> None:
    rows = 40
    pictures = rng.integers(0, 256, (rows, 2, 1, 28, 28), dtype=np.uint8)
    np.savez(folder / "pairs.npz", pictures=pictures, sum=np.arange(rows) % 19)


def _trio(folder: Path, rng: Any) -> None:
    rows = 300
    image = rng.random((rows, 1, 28, 28)).astype(np.float32)
    sound = rng.normal(size=(rows, 128)).astype(np.float32)
    tags = (rng.random((rows, 300)) < 0.1).astype(np.float32)
    image[::3], sound[1::3], tags[2::3] = np.nan, np.nan, np.nan
    np.savez(folder / "trio.npz", image=image, sound=sound, tags=tags, label=np.arange(rows) % 10)


def _clouds(folder: Path, rng: Any) -> None:
    rows = 160
    size = rng.integers(1, 51, rows)
    points = rng.normal(size=(int(size.sum()), 3)).astype(np.float32)
    np.savez(folder / "clouds.npz", points=points, size=size, kind=np.arange(rows) % 10)


def _patients(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 0, 9)
    ids = [f"P{n:03}" for n in range(ROWS)]
    write_table(
        folder / "patients.csv",
        {
            "patient": ids, "sex": [n % 2 for n in range(ROWS)], "age": rng.normal(60, 12, ROWS).round(1).tolist(),
            "outcome": [("alive", "dead", None)[n % 3] for n in range(ROWS)],
        },
    )  # fmt: skip
    order = rng.permutation(int(lengths.sum()))
    patient = np.repeat(ids, lengths)[order].tolist()
    days = np.concatenate([np.cumsum(rng.integers(1, 9, length)) for length in lengths])[order]
    labs = ("na", "k", "cl", "hco3", "bun", "crea", "glu", "ca", "mg", "alb", "hgb", "wbc")
    columns: dict[str, Any] = {"patient": patient, "day": days.tolist()}
    columns["days_since_last"] = rng.integers(1, 30, len(patient)).tolist()
    for lab in labs:
        cells = rng.normal(size=len(patient)).round(3).tolist()
        columns[lab] = [None if rng.random() < 0.3 else cell for cell in cells]
    write_table(folder / "visits.csv", columns)


def _news(folder: Path, rng: Any) -> None:
    counts = rng.poisson(0.05, (40, 2000)).astype(np.int32)
    np.savez(folder / "news.npz", counts=counts, length=counts.sum(axis=1).astype(np.float64) + 1)


def _prices(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 5, 20)
    total = int(lengths.sum())
    start = np.datetime64("2024-01-01")
    dates = [str(start + int(day)) for length in lengths for day in range(length)]
    columns: dict[str, Any] = {"stock": np.repeat([f"S{n}" for n in range(ROWS)], lengths).tolist(), "date": dates}
    columns |= {name: rng.normal(10, 1, total).round(3).tolist() for name in ("open", "high", "low")}
    regime = [("calm", "rise", "fall", None)[n] for n in rng.integers(0, 4, total)]
    write_table(folder / "prices.csv", {**columns, "regime": regime})


def _cells(folder: Path, rng: Any) -> None:
    rows = 800
    counts = rng.poisson(0.1, (rows, 2000)).astype(np.int16)
    np.savez(
        folder / "cells.npz",
        counts=counts, batch=np.arange(rows) % 12, total=counts.sum(axis=1) + 1.0, cell_type=np.arange(rows) % 9,
    )  # fmt: skip


def _timit(folder: Path, rng: Any) -> None:
    frames = lengths_of(rng, 2, 30)
    total = int(frames.sum())
    mel = rng.normal(2, 3, (total, 40)).astype(np.float32)
    np.savez(folder / "timit.npz", mel=mel, phone=np.arange(total) % 48, frames_per_utterance=frames)


def _survey(folder: Path, rng: Any) -> None:
    rows = 400
    columns: dict[str, Any] = {f"q{n:02}": rng.choice([0, 1, 2, 3, 4, 9], rows).tolist() for n in range(1, 21)}
    write_table(folder / "survey.csv", {**columns, "group": [("a", "b", "c")[n % 3] for n in range(rows)]})


def _clips(folder: Path, rng: Any) -> None:
    rows = 160
    frames = rng.integers(0, 256, (rows, 32, 3, 32, 32), dtype=np.uint8)
    np.savez(folder / "clips.npz", frames=frames, person=np.arange(rows) % 40)


def _motion(folder: Path, rng: Any) -> None:
    lengths = lengths_of(rng, 1, 11)
    total = int(lengths.sum())
    sensors, activity = rng.normal(size=(total, 6)).astype(np.float32), np.arange(total) % 12
    np.savez(
        folder / "motion.npz",
        sensors=padded(lengths, 11, sensors, np.nan), activity=padded(lengths, 11, activity, 99), length=lengths,
    )  # fmt: skip


MAKERS: dict[str, Callable[[Path, Any], None]] = {
    "air": _air, "annotators": _annotators, "deep-markov": _chorales, "detection": _parts, "faces-views": _faces,
    "factorial-hmm": _chorales, "forecast": _grid, "hmm-labelled": _walks, "hospitals": _admissions,
    "item-response": _answers, "landmarks": _poses, "letters": _letters, "mixture": _iris, "mnist-addition": _pairs,
    "modalities": _trio, "multi-mnist": _air, "multi-mnist-flat": _air, "neural-statistician": _clouds,
    "patients": _patients, "prodlda": _news, "regimes": _prices, "scvi-batches": _cells, "speech-phones": _timit,
    "survey": _survey, "video-person": _clips, "vrnn-labelled": _motion,
}  # fmt: skip
