"""Test error at several label budgets, beside the same classifier network trained on the same labelled rows alone.

    python -m experiments.label_budgets specs/mnist-m2.yaml --budgets 100,1000 --seeds 0,1,2 --jobs 2 \
        --json results/mnist-m2-budgets.json

Budgets are shared out evenly over the classes. A seed sets both the data (which rows keep a label) and the training.
Both models are chosen on validation error; the test split is looked at once per model.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from compiler import compile_spec
from compiler.model.model import Model, module_name
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Graphs
from graphspec.loading import load
from runtime import fit
from runtime.data import prepare
from runtime.measures.evaluation import evaluate_rows

BASELINE_STEPS = 3000
BASELINE_CHECK = 50


def classifier_error(model: Model, rows: Any, name: str) -> float:
    """Share of rows whose likeliest class under q(name | observed) is wrong."""
    wrong, count = 0, len(rows.source)
    for positions in torch.arange(count).split(2000):
        batch = rows.batch(positions, torch.float32)
        truth = batch.pop(name).long()
        with torch.inference_mode():
            guess = model.predict(name, batch, noise=Noise(0, len(positions))).argmax(-1)
        wrong += int((guess != truth).sum())
    return wrong / count


def labels_only(graphs: Graphs, data: Any, name: str, seed: int) -> dict[str, float]:
    """The recognition network of `name` alone, cross-entropy on the labelled rows, best of validation."""
    torch.manual_seed(seed)
    model = compile_spec(graphs, seed=seed)
    needed = [f for f in graphs.recognition.values() if f.variable == name or f.deterministic]
    parameters = [p for f in needed for p in model.factors[module_name(f)].parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    generator = torch.Generator().manual_seed(seed)
    rows, best, kept = data.label_rows[name], 1.0, None
    for step in range(BASELINE_STEPS):
        model.train()
        chosen = rows[torch.randint(len(rows), (min(100, len(rows)),), generator=generator)]
        batch = data.augment(data.training.batch(chosen, torch.float32), generator)
        values = {n: batch[n] for n in (*graphs.observed, name)}
        given, noise = model.prepare(values), Noise(step, len(chosen))
        for factor in graphs.order("recognition"):
            if factor.deterministic:
                given[factor.variable] = model.compute(factor, given, noise)
        entry, extras, parameters = model.family_at(graphs.recognition[name], given, noise)
        loss = -entry.summed(values[name].long(), parameters, extras).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % BASELINE_CHECK == BASELINE_CHECK - 1:
            model.eval()
            error = classifier_error(model, data.validation, name)
            if error <= best:
                best, kept = error, {k: v.clone() for k, v in model.state_dict().items()}
    assert kept is not None
    model.load_state_dict(kept)
    model.eval()
    return {"validation_error": best, "test_error": classifier_error(model, data.test, name)}


def one(spec: str, budget: int, seed: int, overrides: tuple[str, ...]) -> dict[str, Any]:
    """Both models at one budget and seed."""
    torch.set_num_threads(1)
    settings = (f"data.seed={seed}", f"training.seed={seed}", *overrides)
    first = load(spec, settings)
    (name,) = first.supervised
    each = budget // (first.variables[name].support or 1)
    graphs = load(spec, (*settings, f"data.labels.{name}={{per_class: {each}}}"))
    started = time.perf_counter()
    data = prepare(graphs, data_dir=None, spec_path=Path(spec))
    baseline = labels_only(graphs, data, name, seed)
    baseline_seconds = time.perf_counter() - started
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = fit(compile_spec(graphs, seed=seed), data, out=Path(folder) / "run", progress=False)
        from runtime import open_run

        model = open_run(run.folder)
        validation = evaluate_rows(model, data.validation, seed=0)
        test = evaluate_rows(model, data.test, seed=0)
    return {
        "spec": spec,
        "labels": budget,
        "seed": seed,
        "overrides": list(overrides),
        "test_error": test["variables"][name]["error"],
        "validation_error": validation["variables"][name]["error"],
        "test_elbo": test["elbo"],
        "seconds": round(time.perf_counter() - started, 1),
        "labels_only": baseline,
        "labels_only_seconds": round(baseline_seconds, 1),
    }


def main() -> None:
    """Run every budget and seed, print a table, write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec")
    parser.add_argument("--budgets", default="100,1000")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    cases = [(b, s) for b in map(int, options.budgets.split(",")) for s in map(int, options.seeds.split(","))]
    rows = []
    options.json.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(one, options.spec, b, s, tuple(options.overrides)) for b, s in cases]
        for future in futures:
            row = future.result()
            rows.append(row)
            only = row["labels_only"]["test_error"]
            print(
                f"{row['labels']:>5} labels  seed {row['seed']}  test {row['test_error']:.2%}  labels alone {only:.2%}"
                f"  {row['seconds']:.0f} s",
                flush=True,
            )
            found = {"command": _command(options), "machine": machine(), "rows": rows}
            options.json.write_text(json.dumps(found, indent=2) + "\n")


def _command(options: argparse.Namespace) -> str:
    sets = "".join(f" --set {text}" for text in options.overrides)
    return (
        f"python -m experiments.label_budgets {options.spec} --budgets {options.budgets} --seeds {options.seeds}"
        f" --jobs {options.jobs}{sets} --json {options.json}"
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    processor = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
