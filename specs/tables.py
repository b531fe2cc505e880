"""Writes the made-up rows that some specs of this folder learn from: `python specs/tables.py`.

patients.csv (table.yaml, continuous-label.yaml, mixture.yaml), animals.csv (attributes.yaml), survey.csv (survey.yaml),
activities.csv (hmm.yaml, hmm-labels.yaml), orbits.csv (switching.yaml) and cells.npz (scanvi.yaml). Nothing in them was
measured: every column follows from a few hidden numbers per row, so that there is something to find. Only
`Random.random` is used, whose stream Python promises to keep, so the files can be made again to the letter.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import NormalDist

import numpy as np

STANDARD = NormalDist()
DIAGNOSES = ("healthy", "mild", "severe")
SITES = ("arm", "leg", "back")
ATTRIBUTES = (
    "furry", "striped", "spotted", "horned", "hooved", "clawed", "winged", "tailed", "toothed", "beaked",
    "swims", "flies", "climbs", "digs", "hunts", "grazes", "herds", "nocturnal", "migrates", "tame",
)  # fmt: skip
MEASURES = ("mass", "length", "height", "speed", "depth", "age", "litter", "sleep", "range", "pulse", "heat", "voice")
MOODS = ("calm", "wary", "keen")
QUESTIONS = 12
KINDS = ("alpha", "beta", "delta", "duct")
GENES = 60
ACTIVITIES = {"rest": (0.2, 0.3, 0.3), "walk": (1.6, 1.2, 0.5), "run": (2.4, 3.2, 0.7), "climb": (0.9, 2.3, 0.6)}
"""Centres of sway and bounce, and their width."""
STEPS = 16


class Draws:
    """Draws of every sort from uniforms alone."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def uniform(self) -> float:
        return self.random.random() or 0.5

    def normal(self, mean: float = 0.0, scale: float = 1.0) -> float:
        return mean + scale * STANDARD.inv_cdf(self.uniform())

    def chance(self, logit: float) -> bool:
        return self.uniform() < 1 / (1 + math.exp(-logit))

    def choice(self, weights: Sequence[float]) -> int:
        left = self.uniform() * sum(weights)
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return index
        return len(weights) - 1

    def poisson(self, rate: float) -> int:
        left, count, term = self.uniform(), 0, math.exp(-rate)
        while left > term and count < 10_000:
            left -= term
            count += 1
            term *= rate / count
        return count


def patients(rows: int = 900) -> list[dict[str, str]]:
    """One patient a row: columns of every sort, each blank now and then; a diagnosis and days of recovery for some."""
    draws = Draws(1)

    def cell(text: str, blank: float) -> str:
        return "" if draws.uniform() < blank else text

    table = []
    for _ in range(rows):
        frailty = draws.normal()
        diagnosis = draws.choice((0.5, 0.3, 0.2 * math.exp(0.5 * frailty)))
        age = min(95.0, max(18.0, draws.normal(50 + 10 * frailty, 12)))
        pressure = draws.normal(118 + 9 * diagnosis + 5 * frailty, 8)
        iron = draws.normal(95 - 14 * diagnosis, 9)
        glucose = math.exp(draws.normal(4.5 + 0.18 * diagnosis + 0.08 * frailty, 0.12))
        visits = draws.poisson(math.exp(0.3 + 0.5 * diagnosis + 0.3 * frailty))
        smoker = draws.chance(-1 + 0.8 * frailty)
        site = draws.choice((1.0, math.exp(0.7 * diagnosis - 0.5), math.exp(0.6 * frailty - 0.3)))
        recovery = 6 + 7 * diagnosis + 3 * frailty + 4 * smoker + draws.normal(0, 1.5)
        table.append({
            "age": f"{age:.0f}",
            "pressure": cell(f"{pressure:.0f}", 0.1),
            "iron": cell(f"{iron:.0f}", 0.3),
            "glucose": cell(f"{glucose:.1f}", 0.2),
            "visits": cell(str(visits), 0.1),
            "smoker": cell("yes" if smoker else "no", 0.25),
            "site": cell(SITES[site], 0.15),
            "diagnosis": cell(DIAGNOSES[diagnosis], 0.3),
            "recovery": cell(f"{max(recovery, 0):.1f}", 0.4),
        })  # fmt: skip
    return table


def animals(rows: int = 800) -> list[dict[str, str]]:
    """One animal a row: twelve measures, and twenty attributes that somebody answered or left open."""
    draws = Draws(2)
    loads = [[draws.normal(0, 1.4) for _ in range(3)] for _ in ATTRIBUTES]
    shares = [[draws.normal(0, 0.6) for _ in range(3 + len(ATTRIBUTES))] for _ in MEASURES]
    table = []
    for _ in range(rows):
        traits = [draws.normal() for _ in range(3)]
        has = [draws.chance(sum(w * t for w, t in zip(load, traits, strict=True)) - 0.3) for load in loads]
        causes = [*traits, *map(float, has)]
        row = {}
        for name, share in zip(MEASURES, shares, strict=True):
            row[name] = f"{sum(w * c for w, c in zip(share, causes, strict=True)) + draws.normal(0, 0.5):.2f}"
        for name, true in zip(ATTRIBUTES, has, strict=True):
            row[name] = "" if draws.uniform() < 0.4 else "yes" if true else "no"
        table.append(row)
    return table


def survey(rows: int = 900) -> list[dict[str, str]]:
    """One person a row: twelve answers from 1 to 5, some left out, and what some said of themselves afterwards."""
    draws = Draws(4)
    loads = [(draws.normal(0, 1), draws.normal(0, 1)) for _ in range(QUESTIONS)]
    steps = [sorted(draws.normal(0, 1.5) for _ in range(4)) for _ in range(QUESTIONS)]
    centres = ((-1.2, -0.6), (0.2, 1.3), (1.2, -0.7))
    table = []
    for _ in range(rows):
        mood = draws.choice((5, 3, 2))
        traits = [draws.normal(centre, 0.8) for centre in centres[mood]]
        row = {}
        for number, (load, cuts) in enumerate(zip(loads, steps, strict=True), start=1):
            leaning = sum(w * t for w, t in zip(load, traits, strict=True))
            answer = 1 + sum(draws.chance(2 * (leaning - cut)) for cut in cuts)
            row[f"q{number:02d}"] = "" if draws.uniform() < 0.15 else str(answer)
        row["mood"] = MOODS[mood] if draws.uniform() < 0.5 else ""
        table.append(row)
    return table


def cells(rows: int = 700) -> dict[str, np.ndarray]:
    """One cell a row: counts of sixty genes from one of three batches, the total count, and the cell's kind."""
    draws = Draws(3)
    base = [draws.normal(0, 1) for _ in range(GENES)]
    of_kind = [[draws.normal(0, 0.9) for _ in range(GENES)] for _ in KINDS]
    of_batch = [[draws.normal(0, 0.3) for _ in range(GENES)] for _ in range(3)]
    of_state = [draws.normal(0, 0.6) for _ in range(GENES)]
    counts, batches, kinds = [], [], []
    for _ in range(rows):
        kind, batch, state = draws.choice((4, 3, 2, 1)), draws.choice((1, 1, 1)), draws.normal()
        depth = math.exp(draws.normal(5.6, 0.4))
        effects = zip(base, of_kind[kind], of_batch[batch], of_state, strict=True)
        share = np.exp([b + k + e + state * s for b, k, e, s in effects])
        noisy = depth * share / share.sum() * np.exp([draws.normal(-0.08, 0.4) for _ in range(GENES)])
        counts.append([draws.poisson(float(rate)) for rate in noisy])
        batches.append(batch)
        kinds.append(kind)
    table = np.array(counts, dtype=np.int16)
    total = table.sum(axis=1).astype(np.float32)
    return {"counts": table, "total": total, "batch": np.array(batches, np.int8), "kind": np.array(kinds, np.int8)}


def activities(persons: int = 120) -> list[dict[str, str]]:
    """One second a line: what a watch measures of a person, and what the person does, which mostly stays as it is."""
    draws, table, names = Draws(5), [], list(ACTIVITIES)
    for person in range(persons):
        now = draws.choice((4, 2, 1, 1))
        for second in range(8 + int(12 * draws.uniform())):
            if second and draws.uniform() < 0.12:
                now = (now + draws.choice((0, 3, 1, 1))) % 4
            sway, bounce, width = ACTIVITIES[names[now]]
            measured = {"sway": draws.normal(sway, width), "bounce": draws.normal(bounce, width)}
            row = {"person": f"p{person:03d}", "second": str(second)} | {k: f"{v:.2f}" for k, v in measured.items()}
            table.append(row | {"activity": names[now]})
    return table


def orbits(count: int = 80) -> list[dict[str, str]]:
    """One step a line: a place that turns left, turns right or falls to the middle, seen through noise."""
    draws, table = Draws(6), []
    for orbit in range(count):
        regime, east, north = draws.choice((1, 1, 1)), draws.normal(0, 1.5), draws.normal(0, 1.5)
        for step in range(STEPS):
            regime = draws.choice((1, 1, 1)) if draws.uniform() < 0.1 else regime
            angle, length = ((0.5, 1.02), (-0.5, 1.02), (0.0, 0.8))[regime]
            turned = (
                east * math.cos(angle) - north * math.sin(angle),
                east * math.sin(angle) + north * math.cos(angle),
            )
            east, north = (length * value + draws.normal(0, 0.1) for value in turned)
            seen = {"east": draws.normal(east, 0.15), "north": draws.normal(north, 0.15)}
            table.append({"orbit": str(orbit), "step": str(step)} | {k: f"{v:.2f}" for k, v in seen.items()})
    return table


def write(folder: Path) -> None:
    """All files into `folder`."""
    tables = {"patients": patients(), "animals": animals(), "survey": survey(), "activities": activities()}
    for name, table in ((f"{name}.csv", table) for name, table in {**tables, "orbits": orbits()}.items()):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, table[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    np.savez_compressed(folder / "cells.npz", **cells())


if __name__ == "__main__":
    write(Path(__file__).parent)
