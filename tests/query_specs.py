"""Small runs that queries are put to, and brute force over all values of discrete graphs beside them."""

from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_runs import make_run
from torch import Tensor

from compiler import compile_spec
from compiler.model.model import Model
from graphspec.describe.resolved import spec_as_yaml
from graphspec.loading import load
from runtime.data import prepare
from runtime.predicting.used_run import UsedRun, use_run
from runtime.querying.asking import Asking, Questions
from runtime.querying.plain_answers import plain_row
from runtime.runs.checkpoints import save_weights
from runtime.runs.run_folder import Run

Row = dict[str, object]


def used_run(folder: Path, spec: str, data: str, *, strength: float = 1.0) -> UsedRun:
    """A run with untrained weights, larger by `strength`, so that things depend on each other. data: of `rows.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text(data)
    (folder / "spec.yaml").write_text(spec)
    run = make_run(folder / "run", folder / "spec.yaml")
    if strength != 1:
        strengthen(run, folder / "spec.yaml", strength)
    return use_run(run.folder)


def strengthen(run: Run, spec: Path, strength: float) -> None:
    """Weights of a run, larger; those that are zero by chance."""
    graphs = load(str(spec))
    model = compile_spec(graphs)
    prepare(model.graphs, spec_path=spec)
    generator = torch.Generator().manual_seed(1)
    weights = {
        name: value * strength + strength * 0.5 * torch.randn(value.shape, generator=generator)
        for name, value in model.state_dict().items()
    }
    for file in (run.last_file, run.best_file):
        save_weights(file, weights, spec_as_yaml(graphs.spec), {"epoch": 1})


def ask(used: UsedRun, *queries: str, rows: object = None, **asked: object) -> list[list[Row]]:
    """Of each query the answers to all rows, as JSON has them."""
    questions = Questions(used, queries, rows, Asking(**asked))  # type: ignore[arg-type]
    found: list[list[Row]] = [[] for _ in queries]
    for part in questions.answers():
        for into, answers in zip(found, part, strict=True):
            into += map(plain_row, answers)
    return found


def ask_one(used: UsedRun, query: str, **asked: object) -> Row:
    """The answer to one query without rows."""
    return ask(used, query, **asked)[0][0]


class BruteForce:
    """Every value of every variable of one discrete p, each element of one value; conditioned ones are held."""

    def __init__(self, model: Model, held: dict[str, float] | None = None) -> None:
        double = compile_spec(model.graphs, dtype=torch.float64)
        double.load_state_dict(model.state_dict())
        self.graphs, self.model, held = model.graphs, double, held or {}
        self.names = [f.variable for f in self.graphs.order("generative") if not f.deterministic]
        self.sizes = [self.graphs.variables[name].support or 1 for name in self.names]
        cells = torch.tensor(list(product(*map(range, self.sizes))))
        self.values = {
            name: cells[:, place] + self.graphs.variables[name].minimum for place, name in enumerate(self.names)
        }
        given: dict[str, Tensor] = {
            name: value if self.graphs.variables[name].domain == "category" else value.double()
            for name, value in self.values.items()
        }
        given |= {name: torch.full((len(cells),), value, dtype=torch.float64) for name, value in held.items()}
        with torch.no_grad():
            found = double.log_prob("generative", given)
        self.log = {name: found[name].double().numpy().reshape(self.sizes) for name in self.names}

    def axis(self, name: str) -> int:
        return self.names.index(name)

    def masked(self, facts: dict[str, int], table: NDArray[np.float64]) -> NDArray[np.float64]:
        kept = table.copy()
        for name, value in facts.items():
            shape = [1] * len(self.sizes)
            shape[self.axis(name)] = -1
            own = np.arange(self.sizes[self.axis(name)]) == value
            kept = kept * own.reshape(shape)
        return kept

    def posterior(self, target: str, facts: dict[str, int], do: dict[str, int] | None = None) -> NDArray[np.float64]:
        """p(target | facts), V's factors left out where it is set."""
        do = do or {}
        joint = np.exp(sum(log for name, log in self.log.items() if name not in do))
        kept = self.masked({**facts, **do}, joint)
        others = tuple(place for place in range(len(self.names)) if place != self.axis(target))
        found: NDArray[np.float64] = kept.sum(others)
        shares: NDArray[np.float64] = found / found.sum()
        return shares

    def evidence(self, facts: dict[str, int]) -> float:
        return float(np.log(self.masked(facts, np.exp(sum(self.log.values()))).sum()))

    def counterfactual(self, target: str, facts: dict[str, int], do: dict[str, int]) -> NDArray[np.float64]:
        """By the definition: each world before, weighed by the facts, followed through the change in p's order."""
        joint = self.masked(facts, np.exp(sum(self.log.values())))
        joint /= joint.sum()
        found = np.zeros(self.sizes[self.axis(target)])
        for cell in zip(*np.nonzero(joint > 0), strict=True):
            now = [(tuple(cell), float(joint[cell]))]
            for name in self.names:
                now = [each for world in now for each in self._followed(name, cell, world, do)]
            for world, weight in now:
                found[world[self.axis(target)]] += weight
        return found

    def _followed(
        self, name: str, before: tuple[int, ...], world: tuple[tuple[int, ...], float], do: dict[str, int]
    ) -> list[tuple[tuple[int, ...], float]]:
        values, weight = world
        place = self.axis(name)

        def with_value(value: int) -> tuple[int, ...]:
            return (*values[:place], value, *values[place + 1 :])

        if name in do:
            return [(with_value(do[name]), weight)]
        parents = self.graphs.stochastic_parents(self.graphs.generative[name])
        if all(values[self.axis(p)] == before[self.axis(p)] for p in parents if p in self.names):
            return [(with_value(before[place]), weight)]
        return [
            (with_value(value), weight * float(np.exp(self.log[name][with_value(value)])))
            for value in range(self.sizes[place])
        ]


def random_discrete(seed: int) -> tuple[str, dict[str, int]]:
    """A random p over five discrete variables: the spec, and how many classes each has."""
    rng = np.random.default_rng(seed)
    names = ["a", "b", "c", "d", "e"]
    roles = ["latent", "supervised", "supervised", "observed", "observed"]
    sizes = rng.integers(2, 4, 5)
    order = list(rng.permutation(5))
    lines, generative = [], []
    for place in range(5):
        lines.append(f"  {names[place]}: {{role: {roles[place]}, domain: category, classes: {sizes[place]}}}")
    for position, place in enumerate(order):
        above = [names[other] for other in order[:position] if rng.random() < 0.6]
        parents = f"parents: [{', '.join(above)}]" if above else ""
        generative.append(f"  {names[place]}: {{{parents}}}")
    text = "graphspec: 1\nname: random\nvariables:\n" + "\n".join(lines) + "\ngenerative:\n" + "\n".join(generative)
    text += "\nrecognition:\n  b: {parents: [d, e]}\n  c: {parents: [d, e, b]}\n  a: {parents: [d, e, b, c]}\n"
    text += "networks: {default: {kind: mlp, hidden: [6]}}\n"
    text += "data: {source: rows.csv, variables: {b: b, c: c, d: d, e: e}}\ntraining: {epochs: 1}\n"
    return text, dict(zip(names, sizes.tolist(), strict=True))


def discrete_rows(sizes: dict[str, int], count: int = 30) -> str:
    """A table in which every class occurs."""
    rng = np.random.default_rng(7)
    columns = [rng.permutation(np.arange(count) % size) for size in sizes.values()]
    lines = [",".join(sizes), *(",".join(map(str, row)) for row in zip(*columns, strict=True))]
    return "\n".join(lines) + "\n"
