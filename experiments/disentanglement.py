"""beta-VAE against beta-TCVAE on sprites: how far one code tells one factor, at equal reconstruction.

    python -m experiments.disentanglement --seeds 0,1,2 --out results/disentanglement

Trains both specs at several weights and seeds, the same networks, data and epochs for all, and measures the 5,000 test
rows: reconstruction is the mean of log p(x | z) over rows and draws from q(z | x), in nats per image; codes are q's
means. For every beta-TCVAE row the beta-VAE's figures of the same seed are read off at the same reconstruction, along
straight lines between its weights, where they reach that far. A seed sets training; the rows are always the same.
Trained models stay in --runs, and what is there already is measured again without training.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from compiler import compile_spec
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from experiments.label_budgets import machine
from graphspec.loading import load
from runtime import fit, open_run
from runtime.data import PreparedData, prepare
from runtime.measures.disentanglement import code_columns, compare, factor_columns

SPECS = {"beta-VAE": "specs/sprites-beta-vae.yaml", "beta-TCVAE": "specs/sprites-beta-tcvae.yaml"}
WEIGHTS = {"beta-VAE": (1.0, 2.0, 4.0), "beta-TCVAE": (3.0, 6.0)}
FIELDS = {"beta-VAE": "objective.beta.z", "beta-TCVAE": "objective.beta.z.total_correlation"}
DRAWS = 10
SCORES = ("mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "factor_vae", "beta_vae",
          "irs", "modularity")  # fmt: skip


def one(family: str, weight: float, seed: int, data: PreparedData, options: argparse.Namespace) -> dict[str, Any]:
    """Train (or open) one model and measure it on the test rows."""
    settings = [f"{FIELDS[family]}={weight}", f"training.seed={seed}", *options.overrides]
    graphs = load(SPECS[family], settings)
    folder = options.runs / f"{family}-{weight:g}-{seed}"
    if not (folder / "seconds.json").exists():
        began, used = time.perf_counter(), time.process_time()
        fit(compile_spec(graphs, seed=seed), data, out=folder, progress=False)
        taken = {"seconds": round(time.perf_counter() - began, 1), "cpu_seconds": round(time.process_time() - used, 1)}
        (folder / "seconds.json").write_text(json.dumps(taken))
    found = measured(open_run(folder), data)
    return {
        "family": family, "weight": weight, "seed": seed, "overrides": settings,
        **json.loads((folder / "seconds.json").read_text()), **found,
    }  # fmt: skip


def measured(model: Model, data: PreparedData) -> dict[str, Any]:
    """Reconstruction and divergence in nats per test image, and every metric of the means of q(z | x)."""
    weights = ObjectiveWeights.at(model.graphs, None, 0.0).plain()
    sums, means = {"log p(x)": 0.0, "bound": 0.0}, []
    with torch.inference_mode():
        for positions in torch.arange(len(data.test)).split(500):
            rows = data.test.batch(positions, torch.float32)
            noise = Noise(int(positions[0]), len(positions))
            found = model.evaluate(rows, weights=weights, noise=noise, samples=DRAWS)
            sums["log p(x)"] += float(found.terms["log p(x)"].double().sum())
            sums["bound"] += float(found.bound.double().sum())
            means.append(model.posterior_means(rows, noise=noise)["z"])
    codes = torch.cat(means).numpy()
    report = compare(code_columns({"z": codes}, ()), factor_columns(data.test.factors))
    reconstruction, elbo = (sums[name] / len(data.test) for name in ("log p(x)", "bound"))
    return {
        "reconstruction": reconstruction,
        "elbo": elbo,
        "codes_in_use": int((codes.var(axis=0) > 0.01).sum()),
        **{f"dci_{name}": report["dci"][name] for name in ("disentanglement", "completeness", "informativeness")},
        **{name: report[name]["mean"] for name in SCORES if name in report},
        "mig_factors": report["mig"]["factors"],
    }


def at_equal_reconstruction(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each beta-TCVAE row: its scores, and the beta-VAE's of that seed at its reconstruction, None out of reach."""
    result = []
    for row in (row for row in rows if row["family"] == "beta-TCVAE"):
        others = sorted(
            (other for other in rows if other["family"] == "beta-VAE" and other["seed"] == row["seed"]),
            key=lambda other: other["reconstruction"],
        )
        places = [other["reconstruction"] for other in others]
        reached = bool(places) and places[0] <= row["reconstruction"] <= places[-1]
        values = {name: float(np.interp(row["reconstruction"], places, [other[name] for other in others]))
                  for name in SCORES} if reached else None  # fmt: skip
        result.append({
            "weight": row["weight"], "seed": row["seed"], "reconstruction": row["reconstruction"],
            "beta-TCVAE": {name: row[name] for name in SCORES}, "beta-VAE": values,
        })  # fmt: skip
    return result


def aggregated(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean, standard deviation and number of seeds, per family and weight."""
    result = []
    for family, weight in dict.fromkeys((row["family"], row["weight"]) for row in rows):
        here = [row for row in rows if (row["family"], row["weight"]) == (family, weight)]
        figures = {name: spread([row[name] for row in here]) for name in ("reconstruction", "elbo", *SCORES)}
        result.append({"family": family, "weight": weight, **figures})
    return result


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Mean, standard deviation (of a sample) and count."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": deviation, "n": len(values)}


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """MIG (and two more) against reconstruction: a dot per run, a line through the means of each family."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = {"mig": "MIG", "dci_disentanglement": "DCI disentanglement", "sap": "SAP"}
    figure, axes = plt.subplots(1, len(shown), figsize=(13, 4.2), layout="constrained")
    for axis, (score, title) in zip(axes, shown.items(), strict=True):
        for family, colour in zip(SPECS, ("#1f77b4", "#d95f02"), strict=True):
            here = [row for row in rows if row["family"] == family]
            axis.scatter([r["reconstruction"] for r in here], [r[score] for r in here], color=colour, alpha=0.5, s=22)
            means = sorted((m for m in aggregated(here)), key=lambda m: m["weight"])
            line = [[m[name]["mean"] for m in means] for name in ("reconstruction", score)]
            axis.plot(*line, color=colour, marker="D", label=family)
            for m, x, y in zip(means, *line, strict=True):
                axis.annotate(f"{m['weight']:g}", (x, y), textcoords="offset points", xytext=(6, 6), color=colour)
        axis.set(xlabel="mean log p(x | z), nats per image", ylabel=title)
        axis.set_ylim(bottom=0)
    axes[0].legend(title="weight beside each mean", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    """Run every weight and seed; after each, write what there is so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--out", type=Path, default=Path("results/disentanglement"))
    parser.add_argument("--runs", type=Path, default=Path("runs/disentanglement"))
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    data = prepare(load(SPECS["beta-VAE"], options.overrides), data_dir=None, spec_path=Path(SPECS["beta-VAE"]))
    rows: list[dict[str, Any]] = []
    for seed in map(int, options.seeds.split(",")):
        for family, weight in [(name, weight) for name in SPECS for weight in WEIGHTS[name]]:
            row = one(family, weight, seed, data, options)
            rows.append(row)
            print(f"{family} {weight:g} seed {seed}: log p(x|z) {row['reconstruction']:.2f}  MIG {row['mig']:.3f}  "
                  f"{row['seconds']:.0f} s ({row['cpu_seconds']:.0f} of the processor)", flush=True)  # fmt: skip
            write(rows, options)
            draw(rows, options.out / "mig.png")


def write(rows: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """summary.json."""
    sets = "".join(f" --set {text}" for text in options.overrides)
    summary = {
        "spec": list(SPECS.values()),
        "command": f"python -m experiments.disentanglement --seeds {options.seeds}{sets} --out {options.out}",
        "minutes": round(sum(row["seconds"] for row in rows) / 60, 1),
        "cpu_minutes": round(sum(row["cpu_seconds"] for row in rows) / 60, 1),
        "versions": {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
        "machine": {**machine(), "threads": 1},
        "rows": aggregated(rows),
        "equal_reconstruction": at_equal_reconstruction(rows),
        "runs": rows,
    }
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
