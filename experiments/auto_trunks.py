"""`recognition: auto` with its shared trunk beside networks of their own: test error of each label, and the bound.

    python -m experiments.auto_trunks --seeds 0,1,2,3,4 --json results/auto-trunks.json

Variants: `shared` gives all factors one trunk; `own` lets every factor read the same variables through a network of
its own; `labels` gives the labels one trunk and the latents another (cases with several labels). A seed sets both the
data (splits, which rows keep a label) and the training; all cases of a seed come before the next, so that a study cut
short has as many of each. Rows that the file has already are not trained again. To train all of it on one core in an
evening, faces are made 24 x 21, their decoder fully connected, and MNIST is 10,000 of its rows, networks of 256.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from compiler import compile_spec
from experiments.label_budgets import machine
from graphspec.graphs.graph import Graphs
from graphspec.headers.sources import data_folder
from graphspec.loading import load
from runtime import fit, open_run
from runtime.data import prepare
from runtime.data.read.idx import read_idx
from runtime.measures.evaluation import evaluate_rows

TABLE = """\
graphspec: 1
variables:
  x: {{role: observed, domain: real, size: {columns}}}
  y: {{role: supervised, {label}}}
  z: {{role: latent, domain: real, size: 4}}
generative: {{y: {{}}, z: {{}}, x: {{parents: [y, z], parameters: {{scale: learned}}}}}}
recognition: auto
networks: {{default: {{kind: mlp, hidden: [64, 64], activation: silu}}}}
data:
  source: {source}
  variables: {{x: {{column: x, standardize: true}}, y: {target}}}
  labels: {{y: {budget}}}
  test: 0.3
  validation: 0.15
training: {{epochs: 60, batch_size: 64, learning_rate: 1e-3}}
"""
FACES = """\
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 24, 21]}
  who: {role: supervised, domain: category, classes: 38}
  shape: {role: latent, domain: real, size: 20}
generative:
  who: {}
  shape: {}
  x: {parents: [who, shape], distribution: normal, parameters: {scale: {learned: variable, minimum: 0.02}}}
recognition: auto
objective: {estimators: {who: {kind: enumerate, budget: 2}}}
data:
  source: yale_b
  variables: {x: {column: image, resize: [24, 21]}, who: identity}
  labels: {who: {per_class: 10}}
  test: {fraction: 0.25, stratify: identity}
  validation: {fraction: 0.1, stratify: identity}
training: {epochs: 45, batch_size: 100, learning_rate: 1e-3}
"""
Written = tuple[str, tuple[str, ...]]
"""A spec's path, and overrides."""


def _of_repository(name: str, *overrides: str) -> Callable[[Path], Written]:
    return lambda folder: (f"specs/{name}.yaml", ("variables.h=null", "recognition=auto", *overrides))


def _of_text(text: str) -> Callable[[Path], Written]:
    def write(folder: Path) -> Written:
        path = folder / "spec.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path), ()

    return write


def _of_mnist(folder: Path) -> Written:
    """`specs/mnist-m2.yaml` on the first 10,000 training rows and 5,000 test rows of MNIST, networks half as wide."""
    raw, arrays = data_folder() / "MNIST" / "raw", {}
    for split, name, rows in (("train", "train", 10_000), ("test", "t10k", 5_000)):
        arrays[f"{split}_image"] = read_idx([raw / f"{name}-images-idx3-ubyte"])[:rows, None]
        arrays[f"{split}_label"] = read_idx([raw / f"{name}-labels-idx1-ubyte"])[:rows].astype(np.int64)
    np.savez(folder / "rows.npz", **arrays)
    return _of_repository(
        "mnist-m2",
        f"data.source={folder / 'rows.npz'}",
        "data.validation=1000",
        "networks.default.hidden=[256, 256]",
        "training.epochs=8",
        "training.learning_rate={from: 1e-3, to: 0, begin: 4, epochs: 4}",
    )(folder)


def _of_scikit_learn(name: str, budget: str) -> Callable[[Path], Written]:
    """A table that comes with scikit-learn."""

    def write(folder: Path) -> Written:
        from sklearn import datasets

        table = getattr(datasets, f"load_{name}")()
        classes = len(getattr(table, "target_names", ()))
        np.savez(folder / "table.npz", x=table.data.astype(np.float32), y=table.target)
        label = f"domain: category, classes: {classes}" if classes else "domain: real"
        target = "y" if classes else "{column: y, standardize: true}"
        text = TABLE.format(columns=table.data.shape[1], label=label, source="table.npz", target=target, budget=budget)
        return _of_text(text)(folder)

    return write


CASES = {
    "digits": _of_repository("digits", "training.epochs=40", "training.learning_rate.epochs=40"),
    "mnist-100": _of_mnist,
    "yale-b": _of_text(FACES),
    "breast-cancer": _of_scikit_learn("breast_cancer", "{per_class: 15}"),
    "wine": _of_scikit_learn("wine", "{per_class: 5}"),
    "diabetes": _of_scikit_learn("diabetes", "60"),
    "patients": _of_repository("table", "training.epochs=60"),
    "animals": _of_repository("attributes", "training.epochs=60"),
    "yale-b-two-labels": _of_repository(
        "two-labels",
        "variables.x.shape=[1, 24, 21]",
        "data.variables.x.resize=[24, 21]",
        "networks={decoder: {kind: mlp, hidden: [256, 256], activation: relu}}",
        "training.epochs=25",
    ),
}


def variant(graphs: Graphs, kind: str) -> list[str]:
    """Overrides that write out what `auto` derived, its trunk replaced as `kind` says."""
    if kind == "shared":
        return []
    trunks = {name: graphs.recognition[name] for name, variable in graphs.variables.items() if variable.derived}
    trunk_of = {"labels": graphs.supervised, "latents": graphs.latent} if kind == "labels" else {}
    recognition: dict[str, Any] = {}
    overrides = []
    for name, members in trunk_of.items():
        (trunk,) = trunks.values()
        recognition[f"of_{name}"] = {"parents": list(trunk.parents)}
        overrides.append(f"variables.of_{name}={{role: deterministic}}")
        for member in members:
            factor = graphs.recognition[member]
            recognition[member] = {"parents": [f"of_{name}" if p in trunks else p for p in factor.parents]}
            if all(p in trunks for p in factor.parents):
                recognition[member]["network"] = {"kind": "linear"}
    for member in (*graphs.supervised, *graphs.latent):
        read = [
            each for p in graphs.recognition[member].parents for each in (trunks[p].parents if p in trunks else [p])
        ]
        recognition.setdefault(member, {"parents": list(dict.fromkeys(read))})
    return [*overrides, f"recognition={json.dumps(recognition)}"]


def one(case: str, kind: str, seed: int, overrides: tuple[str, ...]) -> dict[str, Any]:
    """One training."""
    with tempfile.TemporaryDirectory() as folder:
        spec, own = CASES[case](Path(folder))
        settings = [*own, f"data.seed={seed}", f"training.seed={seed}", *overrides]
        graphs = load(spec, settings)
        graphs = load(spec, [*settings, *variant(graphs, kind)])
        started = time.perf_counter()
        data = prepare(graphs, spec_path=Path(spec))
        run = fit(compile_spec(graphs, seed=seed), data, out=Path(folder) / "run", progress=False)
        seconds = time.perf_counter() - started
        found = evaluate_rows(open_run(run.folder), data.test, units=data.units, binarize=data.binarize)
    errors = {name: figures["error"] for name, figures in found["variables"].items()}
    constant = {n: f.get("majority_error", f.get("mean_error")) for n, f in found["variables"].items()}
    return {
        "case": case,
        "variant": kind,
        "seed": seed,
        "overrides": list(overrides),
        "settings": [each for each in own if "/" not in each],
        "epochs": graphs.spec.training.epochs,
        "rows": {"training": len(data.training), "validation": len(data.validation), "test": len(data.test)},
        "labelled": {name: len(rows) for name, rows in data.label_rows.items()},
        "errors": errors,
        "constant_answer": constant,
        "elbo": found["elbo"],
        "seconds": round(seconds, 1),
    }


def kinds_of(case: str) -> list[str]:
    """The variants that differ for a case."""
    with tempfile.TemporaryDirectory() as folder:
        spec, own = CASES[case](Path(folder))
        several = len(load(spec, own).supervised) > 1
    return ["shared", "own", *(["labels"] if several else [])]


def table_of(rows: list[dict[str, Any]]) -> list[str]:
    """Mean and standard deviation over seeds, a line per case, variant and label."""
    lines = [f"{'case':<18} {'variant':<8} {'label':<10} {'error':>18} {'elbo':>12} {'seconds':>8}  n"]
    for case, kind in dict.fromkeys((row["case"], row["variant"]) for row in rows):
        of = [row for row in rows if (row["case"], row["variant"]) == (case, kind)]
        for name in of[0]["errors"]:
            error = _spread([row["errors"][name] for row in of])
            elbo, seconds = (mean(row[key] for row in of) for key in ("elbo", "seconds"))
            lines.append(f"{case:<18} {kind:<8} {name:<10} {error:>18} {elbo:>12.2f} {seconds:>8.0f}  {len(of)}")
    return lines


def _spread(values: list[float]) -> str:
    return f"{mean(values):.4f} ± {stdev(values):.4f}" if len(values) > 1 else f"{values[0]:.4f}"


def main() -> None:
    """Train what is missing, print a table, keep one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help=", ".join(CASES))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    rows = json.loads(options.json.read_text(encoding="utf-8"))["rows"] if options.json.exists() else []
    done = {_key(row) for row in rows}
    for seed in map(int, options.seeds.split(",")):
        for case in options.cases.split(","):
            for kind in kinds_of(case):
                key = {"case": case, "variant": kind, "seed": seed, "overrides": options.overrides}
                if _key(key) not in done:
                    rows.append(one(case, kind, seed, tuple(options.overrides)))
                    _keep(options, rows)
    print("\n".join(table_of(rows)))


def _key(row: Mapping[str, Any]) -> str:
    return json.dumps([row[name] for name in ("case", "variant", "seed", "overrides")])


def _keep(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    cases = ",".join(dict.fromkeys(row["case"] for row in rows))
    seeds = ",".join(map(str, sorted({row["seed"] for row in rows})))
    command = f"python -m experiments.auto_trunks --cases {cases} --seeds {seeds} --json {options.json}"
    options.json.parent.mkdir(parents=True, exist_ok=True)
    found = {"command": command, "machine": machine(), "rows": rows}
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
