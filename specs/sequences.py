"""Writes the made-up sequences and tables of other specs of this folder: `python specs/sequences.py`.

tunes.npz (deep-markov.yaml), gestures.npz (vrnn.yaml), clinic.csv and visits.csv (visits.yaml), answers.csv
(item-response.yaml). Nothing in them was measured; see tables.py, whose draws these are.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tables import Draws

KEYS = 24
SCALE = (0, 2, 4, 5, 7, 9, 11)
"""Semitones of a major scale."""
CHORDS = ((0, 2, 4), (3, 5, 0), (4, 6, 1), (5, 0, 2))
"""Steps of the scale: tonic, subdominant, dominant, and the minor one beside them."""
FOLLOWS = ((0, 3, 3, 2), (2, 0, 3, 1), (4, 1, 0, 2), (1, 3, 2, 0))
"""How often each chord goes over to each other."""
GESTURES = ("left circle", "right circle", "zigzag", "straight")
LABS = {
    "sodium": (140.0, -1.5, 2.0),
    "urea": (6.0, 2.2, 1.2),
    "albumin": (40.0, -3.0, 2.5),
    "haemoglobin": (13.5, -0.8, 0.9),
}
"""A usual value, what a step of the illness adds, and the width of the rest."""
ITEMS = 40


def tunes(count: int = 240) -> dict[str, np.ndarray]:
    """Notes of all beats of all tunes [beats, KEYS], flat, and how many beats each tune has [count]: chords of one
    scale, which is hidden, held for a few beats, notes in either octave, some left out, now and then a passing one."""
    draws, beats, lengths = Draws(7), [], []
    for _ in range(count):
        scale, chord, length = draws.choice((1, 1, 1)) * 4, 0, 6 + int(7 * draws.uniform())
        for _ in range(length):
            notes = np.zeros(KEYS, dtype=np.int8)
            for step in CHORDS[chord]:
                if draws.uniform() < 0.9:
                    notes[(scale + SCALE[step]) % 12 + 12 * (draws.uniform() < 0.3)] = 1
            if draws.uniform() < 0.3:
                notes[12 + (scale + SCALE[int(7 * draws.uniform())]) % 12] = 1
            beats.append(notes)
            chord = draws.choice(FOLLOWS[chord]) if draws.uniform() < 0.4 else chord
        lengths.append(length)
    return {"notes": np.array(beats), "beats": np.array(lengths, np.int16)}


def gestures(count: int = 600, room: int = 16) -> dict[str, np.ndarray]:
    """One recording a row, padded to `room` steps: how a hand moves [count, room, 2], NaN behind the end, what gesture
    it makes [count, room], -1 behind the end, and how many steps there are [count]. A gesture is in how the direction
    turns: one step by itself says nothing of it."""
    draws = Draws(8)
    moves = np.full((count, room, 2), np.nan, dtype=np.float16)
    kinds = np.full((count, room), -1, dtype=np.int8)
    steps = np.array([8 + int((room - 7) * draws.uniform()) for _ in range(count)], dtype=np.int16)
    for row, length in enumerate(steps):
        kind, angle, side = draws.choice((1, 1, 1, 1)), math.tau * draws.uniform(), 1
        for step in range(length):
            if step and draws.uniform() < 0.1:
                kind = draws.choice((1, 1, 1, 1))
            side = -side
            angle += (0.6, -0.6, 0.8 * side, 0.0)[kind] + draws.normal(0, 0.12)
            speed = math.exp(draws.normal(0, 0.1))
            moves[row, step] = [round(speed * part, 2) for part in (math.cos(angle), math.sin(angle))]
            kinds[row, step] = kind
    return {"moves": moves, "gesture": kinds, "steps": steps}


def clinic(patients: int = 600) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """A line a patient, and a line a visit, in no order: an illness that grows or shrinks with the days between visits,
    seen through four laboratory values, some of which were not measured. Some outcomes are not known, and a few
    patients never came."""
    draws, persons, visits = Draws(9), [], []
    for number in range(patients):
        name, age, male = f"P{number:03d}", draws.normal(60, 12), draws.uniform() < 0.5
        illness, speed, own = draws.normal(0.03 * (age - 60), 0.8), draws.normal(0.1, 0.5), draws.normal(0, 0.6)
        day, came = 0, 0 if draws.uniform() < 0.02 else 1 + int(10 * draws.uniform())
        for visit in range(came):
            gap = 1 + draws.poisson(math.exp(draws.normal(2.2, 0.6))) if visit else 0
            day += gap
            illness += speed * gap / 10 + draws.normal(0, 0.25) * math.sqrt(gap / 10)
            row = {"patient": name, "day": str(day), "since": str(gap)}
            for lab, (usual, effect, width) in LABS.items():
                value = usual + effect * illness + width * (0.6 * own + 0.8 * draws.normal())
                row[lab] = "" if draws.uniform() < 0.3 else f"{value:.1f}"
            visits.append(row)
        died = draws.chance(2.5 * illness - 1.5)
        persons.append({
            "patient": name, "sex": "m" if male else "f", "age": f"{age:.0f}",
            "outcome": "" if draws.uniform() < 0.3 else "died" if died else "alive",
        })  # fmt: skip
    order = sorted((draws.uniform(), place) for place in range(len(visits)))
    return persons, [visits[place] for _, place in order]


def answers(students: int = 400) -> list[dict[str, str]]:
    """A line an answer: a student, one of the ITEMS tasks, and whether it was solved; blank where it was left out."""
    draws, table = Draws(10), []
    slopes = [math.exp(draws.normal(0.2, 0.4)) for _ in range(ITEMS)]
    levels = [draws.normal(0, 1.2) for _ in range(ITEMS)]
    for student in range(students):
        ability = draws.normal()
        for _, item in sorted((draws.uniform(), item) for item in range(ITEMS))[: 6 + int(15 * draws.uniform())]:
            right = draws.chance(slopes[item] * (ability - levels[item]))
            cell = "" if draws.uniform() < 0.1 else "right" if right else "wrong"
            table.append({"student": f"s{student:03d}", "item": f"task{item + 1:02d}", "answer": cell})
    return table


def write(folder: Path) -> None:
    """All files into `folder`."""
    persons, visits = clinic()
    _write_table(folder / "clinic.csv", persons)
    _write_table(folder / "visits.csv", visits)
    _write_table(folder / "answers.csv", answers())
    np.savez_compressed(folder / "tunes.npz", **tunes())
    np.savez_compressed(folder / "gestures.npz", **gestures())


def _write_table(file: Path, table: Sequence[dict[str, str]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, table[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    write(Path(__file__).parent)
