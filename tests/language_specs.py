"""Random specs of the whole language with data to train on: families, parameters, networks, estimators, labels, blanks.

What is drawn may still break a rule (shapes that cannot meet, a cycle of blanks): `check` says so, and such a draw is
none. Everything follows from one seed.
"""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml

from graphspec.graphs.family_choice import legal_families
from graphspec.graphs.graph import Variable
from graphspec.language.domains import DOMAINS
from graphspec.language.families import FAMILIES, Family, ParameterInfo

Spec = dict[str, Any]
ROWS = 26
SHAPES: list[list[int]] = [[], [], [1], [2], [3], [2, 2], [1, 3, 2]]
VECTORS: list[list[int]] = [[2], [3], [4], [2, 3]]
IMAGE = [2, 4, 4]
FLOWS = tuple(name for name, family in FAMILIES.items() if family.flow)


class Drawing:
    """One random spec: `spec` as a mapping, `columns` of data by variable."""

    def __init__(self, seed: int) -> None:
        self.random, self.rng = Random(seed), np.random.default_rng(seed)
        self.variables: dict[str, Spec] = {}
        self.spec: Spec = {"graphspec": 1, "name": f"drawn-{seed}", "variables": self.variables}
        self._declare()
        self._connect()
        self.spec["networks"] = {"default": self._layered("mlp", hidden=self.random.choice([4, [5, 3]]))}
        self.spec["objective"] = self._objective()
        self.spec["data"] = self._data()
        self.spec["training"] = self._training()
        self.columns = {name: self._column(name, v) for name, v in self.variables.items() if v["role"] in DATA}

    def text(self) -> str:
        """The spec as YAML."""
        return yaml.safe_dump(self.spec, sort_keys=False, default_flow_style=None, width=110)

    def write(self, folder: Path) -> Path:
        """Spec and data in a folder; the spec's path."""
        np.savez(folder / "rows.npz", **self.columns)
        path = folder / "drawn.yaml"
        path.write_text(self.text(), encoding="utf-8")
        return path

    def maybe(self, share: float) -> bool:
        """True so often."""
        return self.random.random() < share

    def some(self, names: Any, share: float) -> list[Any]:
        """Each with this probability."""
        return [name for name in names if self.maybe(share)]

    # variables

    def _declare(self) -> None:
        choice = self.random.choice
        for i in range(choice([0, 1, 1, 1, 2, 3])):
            self.variables[f"x{i}"] = {"role": "observed", **self._domain()}
        for i in range(choice([0, 1, 1, 2, 2, 3, 5, 6])):
            self.variables[f"y{i}"] = {"role": "supervised", **self._domain()}
        for i in range(choice([0, 1, 1, 2, 3]) if self.variables else 1):
            self.variables[f"z{i}"] = {"role": "latent", **self._domain()}
        if "x0" not in self.variables and "y0" not in self.variables:
            self.variables["x0"] = {"role": "observed", **self._domain()}
        for variable in self.variables.values():
            if variable["role"] == "observed" and self.maybe(0.3):
                variable["missing"] = True
        for letter in ("g", "h"):
            if self.maybe(0.35):
                shaped = self.maybe(0.4)
                self.variables[letter] = {"role": "deterministic", **(self._domain(discrete=False) if shaped else {})}

    def _domain(self, *, discrete: bool = True) -> Spec:
        domain = self.random.choice([name for name in DOMAINS if discrete or name not in DISCRETE])
        extra: Spec = {}
        if domain == "category":
            extra["classes"] = self.random.choice([2, 3, 3, 4, 9])
        if domain == "count" and self.maybe(0.6):
            extra = {"min": self.random.choice([0, 1, 3])} | {"max": self.random.choice([4, 6])}
        image = domain in ("unit", "real", "binary", "positive") and self.maybe(0.15)
        shapes = VECTORS if domain in ("direction", "simplex") else SHAPES
        shape = IMAGE if image else self.random.choice(shapes)
        return {"domain": domain, **extra, **({"shape": list(shape)} if shape else {})}

    # graphs

    def _connect(self) -> None:
        names = [name for name, v in self.variables.items() if v["role"] != "deterministic"]
        observed = [name for name in names if self.variables[name]["role"] == "observed"]
        hidden = [name for name in names if name not in observed]
        given = self.some(observed, 0.15) if len(observed) + len(hidden) > 1 else []
        modelled = [name for name in names if name not in given]
        p = self._dag(modelled, given, "g", below=[name for name in observed if name not in given])
        for name in given + [parent for parents in p.values() for parent in parents]:
            self.variables[name].pop("missing", None)
        self.spec["generative"] = {n: self._factor(n, parents, "p") for n, parents in p.items()}
        automatic = self.maybe(0.25) and "h" not in self.variables
        if automatic:
            self.spec["recognition"] = "auto"
            return
        q = self._dag(hidden, observed, "h", below=[])
        self.spec["recognition"] = {n: self._factor(n, parents, "q") for n, parents in q.items()}

    def _dag(self, names: list[str], given: list[str], function: str, below: list[str]) -> dict[str, list[str]]:
        """Parents of each name: those before it in a random order (`below`: last), and what is given."""
        order = self.random.sample(names, len(names))
        order = [n for n in order if n not in below] + [n for n in order if n in below]
        density = self.random.choice([0.2, 0.5, 0.9])
        found = {name: self.some([*given, *order[:i]], density) for i, name in enumerate(order)}
        if function not in self.variables:
            return found
        above = [*given, *order[: self.random.randint(0, len(order))]]
        read = self.some(above, 0.7)
        if not read:
            self.variables.pop(function)
            return found
        later = order[max((order.index(n) for n in read if n in order), default=-1) + 1 :]
        for name in self.some(later, 0.6) or later[:1]:
            found[name] = [*self.some(found[name], 0.5), function]
        return {**found, function: read}

    def _factor(self, name: str, parents: list[str], side: str) -> Spec:
        variable = self.variables[name]
        factor: Spec = {"parents": parents} if parents else {}
        if variable["role"] == "deterministic":
            return factor | self._network(parents, variable, 0.4)
        legal = legal_families(
            Variable(
                name, variable["role"], variable["domain"], tuple(variable.get("shape", ())), **support_of(variable)
            )
        )
        wanted = [family for family in legal if family not in FLOWS] + self.some(legal, 0.15)
        family = FAMILIES[self.random.choice(wanted)]
        if self.maybe(0.75) or (variable["domain"] == "count" and not parents):
            factor["distribution"] = {"kind": family.name, **self._options(family)} if family.options else family.name
        else:
            family = FAMILIES[legal[0]] if len(legal) == 1 else None
        if parents:
            factor |= self._network(parents, variable, 0.3)
            factor |= {"stop_gradient": self.some(parents, 0.5)} if self.maybe(0.1) else {}
        if family is not None and family.parameters and self.maybe(0.45 if parents else 0.7):
            given = {info.name: self._parameter(info, variable, parents) for info in self.some(family.parameters, 0.6)}
            factor |= {"parameters": given} if given else {}
            if len(given) == len(family.parameters):
                factor.pop("network", None)
        return factor

    def _options(self, family: Family) -> Spec:
        small: Spec = {"hidden": [4], "transforms": 1, "levels": self.random.choice([2, 8, 256])}
        return {name: small[name] for name in family.options}

    # parameters and networks

    def _parameter(self, info: ParameterInfo, variable: Spec, parents: list[str]) -> Any:
        kind = self.random.choice(["number", "list", "learned", "shared", "network"])
        if kind == "network" and parents:
            return {"parents": self.some(parents, 0.5) or parents, **self._network(parents, variable, 0.2)}
        if kind == "shared":
            learned: Spec = {"learned": self.random.choice(["element", "channel", "variable"])}
            low, high = self._number(info), self._number(info)
            if info.link == "softplus" and self.maybe(0.5):
                learned |= {"minimum": min(low, high)} | ({"maximum": max(low, high) + 1} if self.maybe(0.5) else {})
            return learned
        if kind == "learned" or kind == "network" or info.link in ("normalize", "ordered"):
            return self._fixed(info, variable) if info.link in ("normalize", "ordered") else "learned"
        if kind == "number" or info.extent == "vector":
            return self._number(info)
        shape = [*variable.get("shape", [])]
        if info.extent == "class":
            shape.append(support_of(variable)["support"])
        return self._nested(shape, info)

    def _fixed(self, info: ParameterInfo, variable: Spec) -> Any:
        """A direction or cutpoints."""
        if info.link == "ordered" and self.maybe(0.6):
            return [float(k) for k in range(support_of(variable)["support"] - 1)]
        if info.link == "normalize" and len(variable["shape"]) == 1 and self.maybe(0.6):
            return [0.0, 1.0, *[0.0] * (variable["shape"][0] - 2)]
        return "learned"

    def _number(self, info: ParameterInfo) -> float:
        low = 0.3 if info.minimum is not None else -1.5
        return round(self.random.uniform(max(low, info.floor), 2.5), 2)

    def _nested(self, shape: list[int], info: ParameterInfo) -> Any:
        return [self._nested(shape[1:], info) for _ in range(shape[0])] if shape else self._number(info)

    def _network(self, parents: list[str], variable: Spec, share: float) -> Spec:
        """A network of the factor's own, so often; else `default`."""
        if not self.maybe(share):
            return {}
        shapes = [self.variables[name].get("shape", []) for name in parents]
        like = [shape for shape in shapes if shape == variable.get("shape", [])]
        kinds = ["linear", "mlp", "mlp"]
        kinds += ["elementwise", "product", "sum"] if len(like) == len(parents) else []
        kinds += ["identity"] * 2 if len(like) == len(parents) == 1 else []
        images = [shape for shape in shapes if len(shape) == 3]
        kinds += ["cnn", "resnet"] * 3 if images else []
        kinds += ["deconv", "up"] * 3 if len(variable.get("shape", ())) == 3 else []
        kind = self.random.choice(kinds)
        if kind in ("mlp", "cnn", "resnet", "deconv", "up"):
            extra: Spec = {"mlp": {"hidden": [4]}, "up": {"direction": "up"}}.get(kind, {})
            if kind != "mlp":
                extra |= {"channels": self.random.choice([[2], [3, 2]]), "hidden": self.random.choice([[], [3]])}
            extra |= {"blocks": 1} if kind in ("resnet", "up") else {}
            return {"network": self._layered("resnet" if kind == "up" else kind, **extra)}
        return {"network": {"kind": kind}}

    def _layered(self, kind: str, **fields: Any) -> Spec:
        fields["activation"] = self.random.choice(["relu", "tanh", "softplus"])
        fields |= {"normalization": self.random.choice(["batch", "layer"])} if self.maybe(0.35) else {}
        for name in self.some(["dropout", "input_noise", "input_dropout"], 0.12):
            fields[name] = 0.2
        return {"kind": kind, **fields}

    # objective, data, training

    def _objective(self) -> Spec:
        choice, maybe = self.random.choice, self.maybe
        labels = [n for n, v in self.variables.items() if v["role"] == "supervised"]
        hidden = [n for n, v in self.variables.items() if v["role"] in ("supervised", "latent")]
        latent = [n for n, v in self.variables.items() if v["role"] == "latent"]
        found: Spec = {"samples": choice([1, 1, 2, 3])}
        if labels and maybe(0.5):
            weights = [2, "0.5/rho", {"from": 1, "to": 3, "epochs": 2}]
            found["alpha"] = choice([*weights, {name: choice(weights) for name in labels}])
        found |= choice([{}, {"rho": 0.4}, {"gamma": 2}]) if labels else {}
        found |= {"label_bound": "jensen"} if maybe(0.25) else {}
        weighted = maybe(0.15)
        found |= {"bound": "importance_weighted"} if weighted else {}
        if not weighted:
            betas = [0.5, {"from": 0, "to": 1, "epochs": 2}]
            split = [{"total_correlation": 2}] if maybe(0.3) else []
            beta = {n: choice(betas + split * (n in latent)) for n in self.some(hidden, 0.3)}
            found |= {"beta": beta}
            found |= {"free_bits": dict.fromkeys(self.some(latent, 0.2), 0.2)}
        kinds = ["reparameterize", "enumerate", "relax", "score_function"]
        estimators: Spec = {}
        for name in self.some(hidden, 0.3):
            kind = choice(kinds[1:] if self.variables[name]["domain"] in DISCRETE else [kinds[0], kinds[3]])
            estimators[name] = {"kind": kind}
            estimators[name] |= {"straight_through": True} if kind == "relax" and maybe(0.4) else {}
            estimators[name] |= {"budget": choice([1, 2, "auto"])} if kind == "enumerate" and maybe(0.4) else {}
        found["estimators"] = estimators
        classes = [n for n in labels if self.variables[n]["domain"] in ("category", "binary")]
        if classes and maybe(0.15):
            found["consistency"] = {choice(classes): {"weight": 1, "adversarial": choice([0, 0.5])}}
        return {name: value for name, value in found.items() if value != {}}

    def _data(self) -> Spec:
        columns: Spec = {}
        for name, variable in self.variables.items():
            if variable["role"] in DATA:
                scaled = variable["domain"] in SCALED and self.maybe(0.3)
                columns[name] = {"column": name, "standardize": True} if scaled else name
        labels = [n for n, v in self.variables.items() if v["role"] == "supervised"]
        hidden = {n: self.random.choice([3, 0.5]) for n in self.some(labels, 0.4)}
        found: Spec = {"source": "rows.npz", "variables": columns, "test": 4, "validation": 4}
        return found | ({"labels": hidden} if hidden else {})

    def _training(self) -> Spec:
        found: Spec = {"epochs": 1, "batch_size": self.random.choice([9, 9, 10, 17]), "learning_rate": 1e-3}
        extras = {"ema": 0.9, "gradient_clip": 1.0, "labelled_batch_size": 3, "weight_decay": 0.01, "select": "elbo"}
        found |= {name: extras[name] for name in self.some(extras, 0.2)}
        return found | {"compile": False, "precision": "fp32"}

    def _column(self, name: str, variable: Spec) -> Any:
        """Legal values [ROWS, *shape]; some blank where that is allowed."""
        shape = (ROWS, *variable.get("shape", ()))
        values = self._values(variable, shape)
        supervised = variable["role"] == "supervised"
        if not (supervised or variable.get("missing")):
            return values
        whole = variable["domain"] in ("direction", "simplex") or self.maybe(0.6)
        gone = self.rng.random((ROWS,) if whole else shape) < self.random.choice([0.0, 0.3, 0.3, 0.6])
        values = values.astype(np.float64)
        values[gone] = -1 if variable["domain"] == "category" else np.nan
        return values

    def _values(self, variable: Spec, shape: tuple[int, ...]) -> Any:
        rng, support = self.rng, support_of(variable)
        match variable["domain"]:
            case "category" | "binary":
                return rng.integers(0, support["support"] or 2, shape)
            case "count":
                low = support["minimum"]
                most = 9 if support["support"] is None else support["support"]
                return rng.integers(low, low + most, shape)
            case "unit":
                return rng.random(shape).round(2)
            case "positive":
                return np.exp(rng.normal(size=shape))
            case "simplex":
                return np.moveaxis(rng.dirichlet(np.ones(shape[1]), (shape[0], *shape[2:])), -1, 1)
            case "direction":
                values = rng.normal(size=shape)
                return values / np.sqrt((values**2).sum(1, keepdims=True))
            case _:
                return rng.normal(size=shape)


DATA = ("observed", "supervised")
DISCRETE = ("binary", "category", "count")
SCALED = ("real",)


def support_of(variable: Spec) -> Spec:
    """`support` and `minimum` as a `Variable` has them."""
    match variable["domain"]:
        case "category":
            return {"support": variable["classes"], "minimum": 0}
        case "binary":
            return {"support": 2, "minimum": 0}
        case "count" if "max" in variable:
            return {"support": variable["max"] - variable["min"] + 1, "minimum": variable["min"]}
        case _:
            return {"support": None, "minimum": 0}
