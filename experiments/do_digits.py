"""`x | x, do(y=3)` on MNIST: is the digit that is set the digit that is seen, and does the hand stay?

    python -m experiments.do_digits --rows 200 --out results/mnist-do

A small M2 (specs/mnist-m2.yaml with SETS) is trained, and `graphspec query RUN "x | x, do(y=D)" --rows FILE -o OUT.npz`
asked for the first test pictures and every digit D. Three readings of the answers (means of x):

    read        share that an independent classifier, trained with every label, takes for the digit asked for
    nearest     q(z | answer, y=D) beside q(z | picture, its own digit): share of answers whose own picture's z is the
                nearest of all pictures' (chance: 1 / rows); distance: mean distance to it over that to other pictures'
    slant, ink  correlation over pictures of the shear (covariance of column and row over the row's variance) and the
                sum of the pixels, picture against answer, for each digit; of no model. `redrawn` is the same with D the
                picture's own digit: how much the model's own reconstruction keeps
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray

from experiments.label_budgets import machine
from experiments.styles import graphspec
from runtime import open_predictor
from runtime.answering.panels import parse_target
from runtime.predicting.used_run import use_run
from runtime.probing.instrument import instrument_for, with_all_labels
from runtime.training.loop.manifest import versions

Floats = NDArray[np.float64]
SETS = (
    "data.labels.y.per_class=100", "training.epochs=4", "training.learning_rate=1e-3", "training.ema=0.99",
    "variables.z.size=8", "networks.default.hidden=[256, 256]", "data.validation=1000",
)  # fmt: skip
DIGITS, SHOWN, DRAWS = 10, 10, 20


def main() -> None:
    """Train where there is no run yet, ask, read, write figures and a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/mnist-do"))
    asked, started = parser.parse_args(), time.time()
    if not (asked.run / "manifest.json").exists():
        sets = [part for each in SETS for part in ("--set", each)]
        graphspec(
            "train", "specs/mnist-m2.yaml", *sets, "--out", str(asked.run), "--no-figures", "--no-test", "--quiet"
        )
    used = use_run(asked.run)
    data = with_all_labels(used.model.graphs)
    pictures = data.test.batch(torch.arange(asked.rows), torch.float32)["x"].numpy().reshape(-1, 28, 28)
    own = data.test.values["y"][: asked.rows].numpy().astype(np.int64)
    with tempfile.TemporaryDirectory() as name:
        answers = np.stack([answered(asked.run, Path(name), pictures, digit) for digit in range(DIGITS)])
    graphs = used.model.graphs
    instrument = instrument_for(parse_target("y", graphs), (graphs.variables["x"],), data, tell=print)
    report = {
        "command": f"python -m experiments.do_digits --rows {asked.rows} --out {asked.out}",
        "sets": SETS,
        "rows": asked.rows,
        "draws": DRAWS,
        "instrument_error": instrument.error,
        **as_asked(instrument, answers),
        **styles(asked.run, pictures, own, answers),
        **shapes(pictures, own, answers),
        "wall_seconds": round(time.time() - started),
        "machine": machine(),
        "versions": versions(),
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "do.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    draw(asked.out / "do.png", pictures, answers)
    print(json.dumps(report))


def answered(run: Path, folder: Path, pictures: Floats, digit: int) -> Floats:
    """[rows, 28, 28], the means of x with y set."""
    rows, out = folder / "rows.npz", folder / f"{digit}.npz"
    np.savez(rows, image=np.round(pictures * 255).astype(np.uint8))
    graphspec("query", str(run), f"x | x, do(y={digit})", "--rows", str(rows), "-o", str(out), "--draws", str(DRAWS))
    with np.load(out) as found:
        return np.asarray(found["image"]).reshape(-1, 28, 28)


def as_asked(instrument: Any, answers: Floats) -> dict[str, Any]:
    """By an independent classifier, in all and by digit."""
    right = [
        float((instrument.read({"x": torch.tensor(each[:, None])}) == digit).double().mean())
        for digit, each in enumerate(answers)
    ]
    return {"read": float(np.mean(right)), "read_by_digit": right}


def styles(run: Path, pictures: Floats, own: NDArray[np.int64], answers: Floats) -> dict[str, float]:
    """How near z stays, as q reads it."""

    def codes(images: Floats, labels: NDArray[np.int64]) -> Floats:
        table = {"image": np.round(images * 255).astype(np.uint8), "label": labels}
        found = open_predictor(run).latents(table)
        return np.asarray(found[[f"z[{place}]" for place in range(8)]], dtype=np.float64)

    before, nearest, ratio = codes(pictures, own), list[float](), list[float]()
    for digit, images in enumerate(answers):
        after = codes(images, np.full(len(images), digit))
        apart = np.linalg.norm(after[:, None] - before[None], axis=-1)
        others = (apart.sum(1) - apart.diagonal()) / (len(apart) - 1)
        nearest.append(float((apart.argmin(1) == np.arange(len(apart))).mean()))
        ratio.append(float((apart.diagonal() / others).mean()))
    return {"nearest": float(np.mean(nearest)), "distance": float(np.mean(ratio))}


def shapes(pictures: Floats, own: NDArray[np.int64], answers: Floats) -> dict[str, Any]:
    """Slant and ink of pictures against answers."""
    redrawn = answers[own, np.arange(len(own))]
    found: dict[str, Any] = {}
    for name, figure in (("slant", slant), ("ink", lambda images: images.sum((1, 2)))):
        was = figure(pictures)
        each = [float(np.corrcoef(was, figure(images))[0, 1]) for images in answers]
        found[name] = float(np.mean(each))
        found[f"{name}_by_digit"] = each
        found[f"{name}_redrawn"] = float(np.corrcoef(was, figure(redrawn))[0, 1])
    return found


def slant(images: Floats) -> Floats:
    """By how many columns a picture leans for each row."""
    weight = images / images.sum((1, 2), keepdims=True)
    row, column = np.mgrid[:28, :28]
    down = (weight * row).sum((1, 2), keepdims=True)
    right = (weight * column).sum((1, 2), keepdims=True)
    together = (weight * (row - down) * (column - right)).sum((1, 2))
    return np.asarray(together / (weight * (row - down) ** 2).sum((1, 2)))


def draw(path: Path, pictures: Floats, answers: Floats) -> None:
    """A line for each of the first pictures: it, then the same as every digit."""
    lines = [np.concatenate([pictures[row], *answers[:, row]], axis=1) for row in range(SHOWN)]
    plt.imsave(path, np.kron(np.concatenate(lines), np.ones((2, 2))), cmap="gray_r", vmin=0, vmax=1)


if __name__ == "__main__":
    main()
