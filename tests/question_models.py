"""Two small models that plain questions are put to: all of it discrete, and a class with measures that hang together."""

from pathlib import Path

import numpy as np
import torch
from query_specs import used_run

from compiler.tensors.noise import Noise
from runtime.predicting.used_run import UsedRun

CLINIC = """
graphspec: 1
name: clinic
variables:
  age: {role: supervised, domain: category, names: [young, old]}
  smoker: {role: supervised, domain: category, names: [no, yes]}
  drug: {role: supervised, domain: category, names: [no, yes]}
  recovered: {role: supervised, domain: category, names: [no, yes]}
  pain: {role: observed, domain: category, names: [none, mild, strong]}
  visits: {role: observed, domain: count, max: 3}
generative:
  age: {}
  smoker: {parents: [age]}
  drug: {parents: [age, smoker]}
  recovered: {parents: [drug, age]}
  pain: {parents: [recovered, smoker]}
  visits: {parents: [recovered, drug]}
recognition:
  recovered: {parents: [pain, visits]}
  drug: {parents: [visits, recovered]}
  smoker: {parents: [pain, recovered]}
  age: {parents: [drug, smoker, recovered]}
networks: {default: {kind: mlp, hidden: [6]}}
data:
  source: rows.csv
  variables: {age: age, smoker: smoker, drug: drug, recovered: recovered, pain: pain, visits: visits}
training: {epochs: 1}
"""

BIRDS = """
graphspec: 1
name: birds
variables:
  year: {role: observed, domain: real}
  species: {role: supervised, domain: category, names: [Adelie, Gentoo, Chinstrap]}
  size: {role: latent, domain: real, size: 1}
  mass: {role: observed, domain: real}
  bill: {role: observed, domain: real, missing: true}
generative:
  size: {}
  species: {}
  mass: {parents: [species, year], parameters: {scale: learned}}
  bill: {parents: [species, size, mass], parameters: {scale: learned}}
recognition:
  species: {parents: [mass, bill, year]}
  size: {parents: [mass, bill, species]}
networks: {default: {kind: linear}}
data:
  source: rows.csv
  variables:
    year: year
    species: species
    mass: {column: mass_g, standardize: true}
    bill: {column: bill_mm, standardize: true}
training: {epochs: 1}
"""


def clinic(folder: Path) -> UsedRun:
    """Weights by chance, large enough that everything depends on its parents."""
    rng = np.random.default_rng(3)
    columns = [("young", "old"), ("no", "yes"), ("no", "yes"), ("no", "yes"), ("none", "mild", "strong"), "0123"]
    lines = ["age,smoker,drug,recovered,pain,visits"]
    lines += [",".join(str(each[(row + int(rng.integers(2))) % len(each)]) for each in columns) for row in range(48)]
    return used_run(folder, CLINIC, "\n".join(lines) + "\n", strength=2.0)


def birds(folder: Path) -> UsedRun:
    """The same of birds; mass and bill in grams and millimetres."""
    rng = np.random.default_rng(4)
    lines = ["year,species,mass_g,bill_mm"]
    for row in range(48):
        species = ("Adelie", "Gentoo", "Chinstrap")[row % 3]
        lines.append(f"{row % 4 / 4},{species},{rng.normal(4200, 600):.0f},{rng.normal(44, 5):.1f}")
    return used_run(folder, BIRDS, "\n".join(lines) + "\n", strength=1.5)


class Birds:
    """The closed forms of `birds`, in data units: mass is normal around `mass`, bill around `bill`, size is standard."""

    def __init__(self, used: UsedRun) -> None:
        self.used = used
        start, grams = self._units("mass")
        away, millimetres = self._units("bill")
        values = {"species": torch.arange(3), "year": torch.zeros(3).double()}
        self.own, (self.per_year,), self.mass_sd = self._linear("mass", values, ("year",), start, grams)
        values = {"species": torch.arange(3), "size": torch.zeros(3, 1).double(), "mass": torch.zeros(3).double()}
        at_zero, (self.per_size, slope), self.bill_sd = self._linear(
            "bill", values, ("size", "mass"), away, millimetres
        )
        self.per_gram = slope / grams
        self.at_no_mass = at_zero - self.per_gram * start

    def _units(self, name: str) -> tuple[float, float]:
        ends = self.used.units[name].to_data(torch.tensor([[0.0], [1.0]], dtype=torch.float64)).flatten().tolist()
        return ends[0], ends[1] - ends[0]

    def _linear(
        self, name: str, values: dict[str, torch.Tensor], parents: tuple[str, ...], start: float, unit: float
    ) -> tuple[np.ndarray, list[float], float]:
        """Of p's factor: the value by species with all else zero, the slopes, the standard deviation."""

        def location(**others: torch.Tensor) -> tuple[np.ndarray, float]:
            model = self.used.double_model
            _, _, (loc, scale) = model.family_at(model.graphs.generative[name], {**values, **others}, Noise(0, 3))
            return loc.detach().numpy() * unit, float(scale.detach()) * unit

        zero, scale = location()
        return zero + start, [float((location(**{p: values[p] + 1})[0] - zero)[0]) for p in parents], scale

    def mass(self, species: int, year: float = 0.5) -> float:
        """Its mean."""
        return float(self.own[species] + self.per_year * year)

    def masses(self, year: float = 0.5) -> np.ndarray:
        """Its mean, by species."""
        return self.own + self.per_year * year

    def bill(self, species: int, mass: float) -> float:
        """Its mean with a size of 0."""
        return float(self.at_no_mass[species] + self.per_gram * mass)

    @property
    def bill_spread(self) -> float:
        """Of a bill whose size nobody knows."""
        return float(np.hypot(self.bill_sd, self.per_size))
