"""A plain twin of the objective with plates: the model written out, one node for each element of each variable.

Every joint value of all elements' summed variables under every draw is a world; each factor is asked about each element
by itself, and expectations are sums over all worlds. Which means K^n worlds where the compiler sums K values an
element. As in `row_twin.py`, of the compiler it uses the parameters that factors give at their parents' values, the
noise, and the choice between summing and drawing. Labels weigh the joint draws of a row.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from distributions import distribution_of
from row_noise import RowNoise
from torch import Tensor
from twin_divergences import DIVERGENCES, divergence
from twin_draws import draw, relaxed
from twin_families import TwinDistribution

from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.blanks import PRESENCE

Node = tuple[str, tuple[int, ...]]
"""A variable, and the places of one of its elements in the plates it stands in, outermost first."""


class PlateTwin:
    """All worlds of the single row in `rows` {name: [1, *row shape]}."""

    def __init__(self, model, rows: dict[str, Tensor], noise) -> None:
        self.model, self.graphs, self.noise = model, model.graphs, noise
        self.section = model.graphs.spec.objective
        self.weights = ObjectiveWeights.at(model.graphs, model.rates, math.inf)
        self.rows = {n: model.prepare(rows)[n][0] for n in (*self.graphs.observed, *self.graphs.supervised)}
        self.q = {f.variable: f for f in self.graphs.order("recognition") if not f.deterministic}
        program, _ = model.program(model.group(model.prepare(rows))[0][0])
        self.choices, self.clamped = program.choices, {*program.clamped, *program.pattern.masked}
        self.certain = {n for n, f in self.q.items() if f.family.name == "certain"}
        self.hidden = [node for n in self.q if n not in self.certain for node in self.nodes(n) if not self.whole(node)]
        self.labels = [
            node for n in self.q for node in self.nodes(n) if n in self.rows and bool(self.given(node).any())
        ]
        self.samples = self.section.samples if self.draws() else 1
        summed = [node for node in self.hidden if self.kind(node) == "enumerate"]
        tables = [self.fillings(node) for node in summed]
        worlds = list(product(range(self.samples), *(range(len(table)) for table in tables)))
        self.count, self.sample = len(worlds), torch.tensor([world[0] for world in worlds])
        self._sources: dict[Node, set[Node]] = {}
        self._readers: dict[Node, set[Node]] = {}
        self.values: dict[Node, Tensor] = {
            node: table[torch.tensor([world[1 + place] for world in worlds])]
            for place, (node, table) in enumerate(zip(summed, tables, strict=True))
        }
        self.summed = summed
        for side in ("recognition", "generative"):
            for factor in self.graphs.order(side):
                if factor.view is None:
                    for node in self.nodes(factor.variable):
                        self.at(node)

    # elements

    def nodes(self, name: str) -> Iterator[Node]:
        """Elements that are there by some value of a count."""
        sizes = [range(size) for _, size in self.graphs.variables[name].plates]
        for places in product(*sizes):
            known = [c for c in self.counts(name, places) if self.whole(c[0])]
            if all(place < self.told(count).item() for count, place in known):
                yield name, places

    def counts(self, name: str, places: tuple[int, ...]) -> list[tuple[Node, int]]:
        """Of each plate with a count, what counts its elements around this one, and this one's place."""
        found = []
        for depth, (plate, _) in enumerate(self.graphs.variables[name].plates):
            count = self.graphs.plates[plate].count
            if count is not None:
                found.append(((count, places[:depth]), places[depth]))
        return found

    def there(self, node: Node) -> Tensor:
        """In which worlds an element is there: [worlds] bool."""
        found = torch.ones(self.count, dtype=torch.bool)
        for count, place in self.counts(*node):
            found = found & (place < (self.told(count) if self.whole(count) else self.values[count]))
        return found

    def every_node(self, name: str) -> Iterator[Node]:
        """Of all elements that a row may have."""
        sizes = [range(size) for _, size in self.graphs.variables[name].plates]
        return ((name, places) for places in product(*sizes))

    def kind(self, node: Node) -> str:
        return self.choices[node[0]].estimator

    def draws(self) -> bool:
        return any(self.kind(node) not in ("enumerate", "mean") for node in self.hidden)

    def told(self, node: Node) -> Tensor:
        """What the row says of one element, blanks as they are: [*shape]."""
        return self.rows[node[0]][node[1]]

    def given(self, node: Node) -> Tensor:
        """[*shape] bool."""
        if node[0] not in self.rows:
            return torch.zeros(self.graphs.variables[node[0]].shape, dtype=torch.bool)
        value, variable = self.told(node), self.graphs.variables[node[0]]
        here = ~torch.isnan(value) if value.is_floating_point() else torch.ones_like(value, dtype=torch.bool)
        return here & (value != -1) if variable.discrete else here

    def whole(self, node: Node) -> bool:
        return node[0] in self.rows and bool(self.given(node).all())

    def fillings(self, node: Node) -> Tensor:
        """Every way to fill what one element lacks: [ways, *shape]."""
        variable, here = self.graphs.variables[node[0]], self.given(node)
        dtype = torch.int64 if variable.domain == "category" else self.model.dtype
        tables = []
        for filling in product(range(variable.minimum, variable.minimum + variable.support), repeat=int((~here).sum())):
            table = (
                self.told(node).clone().to(dtype) if node[0] in self.rows else torch.zeros(variable.shape, dtype=dtype)
            )
            table[~here] = torch.tensor(filling, dtype=dtype)
            tables.append(table)
        return torch.stack(tables)

    # values

    def at(self, node: Node) -> Tensor:
        """A node's value, computed when it is first asked for: elements that read their neighbours come in turn."""
        if node not in self.values:
            name, factor = node[0], None
            if self.graphs.variables[name].role == "deterministic":
                factor = self.graphs.function(name)
            elif name in self.q:
                factor = self.q[name]
            told = name in self.graphs.observed
            self.values[node] = self.everywhere(self.told(node).unsqueeze(0)) if told else self.value(factor, node)
        return self.values[node]

    def value(self, factor, node: Node) -> Tensor:
        if factor.deterministic:
            return self.everywhere(self.model.compute(factor, self.read(factor, node), self.noise))
        if node[0] in self.graphs.observed or self.whole(node):
            return self.everywhere(self.told(node).unsqueeze(0))
        return self.computed(node) if node[0] in self.certain else self.drawn(node)

    def everywhere(self, value: Tensor) -> Tensor:
        return value.expand(self.count, *value.shape[1:])

    def read(self, factor, node: Node) -> dict[str, Tensor]:
        """What a factor's networks are given at one element: parents and flags, [worlds, ...] each."""
        here = dict(zip([name for name, _ in self.graphs.variables[node[0]].plates], node[1], strict=True))
        found: dict[str, Tensor] = {}
        for parent in factor.parents:
            view = self.graphs.views[parent].view if parent in self.graphs.views else None
            if view is None:
                places = tuple(here[plate] for plate, _ in self.graphs.variables[parent].plates)
                found[parent] = self.entering((parent, places))
                if self.graphs.variables[parent].missing:
                    found[parent + PRESENCE] = self.flag((parent, places))
            elif view.kind == "place":
                found[parent] = torch.full((self.count,), here[view.base])
            else:
                found |= self.seen(parent, view, here)
        return found

    def computed(self, node: Node) -> Tensor:
        """The value of a certain variable in every world, where the row lacks it: [worlds, *shape]."""
        variable, value, here = self.graphs.variables[node[0]], self.result(self.q[node[0]], node), self.given(node)
        value = value.long() if variable.domain == "category" else value
        return torch.where(here, self.told(node).to(value.dtype), value) if bool(here.any()) else value

    def result(self, factor, node: Node) -> Tensor:
        """What the network of a certain factor computes: sums and products of classes, counts, zeros and ones."""
        network, total = factor.network, None
        for parent, value in sorted(self.read(factor, node).items()):
            if parent.endswith(PRESENCE):
                continue
            value = -value if parent in getattr(network, "minus", ()) else value
            value = value.to(self.model.dtype)
            total = value if total is None else total * value if network.kind == "product" else total + value
        for name, limit in (("minimum", torch.maximum), ("maximum", torch.minimum)):
            if getattr(network, name, None) is not None:
                total = limit(total, torch.tensor(getattr(network, name), dtype=total.dtype))
        return self.everywhere(total)

    def entering(self, node: Node) -> Tensor:
        """A value as networks read it: an observed blank as zeros."""
        variable = self.graphs.variables[node[0]]
        if not variable.missing:
            return self.at(node)
        value, here = self.told(node), self.given(node)
        if variable.domain == "category":
            value = F.one_hot(value.clamp_min(0), variable.support).to(self.model.dtype) * here.unsqueeze(-1)
        else:
            value = torch.where(here, value, torch.zeros_like(value))
        return self.everywhere(value.unsqueeze(0))

    def flag(self, node: Node) -> Tensor:
        return self.everywhere(self.given(node).to(self.model.dtype).unsqueeze(0))

    def seen(self, name: str, view, here: dict[str, int]) -> dict[str, Tensor]:
        """A view of one variable from where a reader stands, and its flag."""
        base, seen = self.graphs.variables[view.base], self.graphs.variables[name]
        plates = [plate for plate, _ in base.plates]
        if view.kind in ("previous", "next"):
            place = here[plates[-1]] + (-1 if view.kind == "previous" else 1)
            outer = tuple(here[plate] for plate in plates[:-1])
            node = (view.base, (*outer, place))
            if node not in set(self.nodes(view.base)):
                zeros = torch.zeros(self.count, *seen.shape, *([seen.support] if seen.domain == "category" else []))
                return {name: zeros.to(self.model.dtype), name + PRESENCE: torch.zeros(self.count, *seen.flags)}
            value, inside = self.numbers(node, raw=True, classes=view.raw), self.there(node).to(self.model.dtype)
            flag = self.flag(node) if base.missing else torch.ones(self.count, *seen.flags, dtype=self.model.dtype)
            return {name: self.times(inside, value), name + PRESENCE: self.times(inside, flag)}
        fixed = [here[plate] if plate not in view.taken else None for plate in plates]
        nodes = [n for n in self.nodes(view.base) if all(f is None or f == p for f, p in zip(fixed, n[1], strict=True))]
        nothing = torch.zeros((1, *base.shape, *([base.support] if base.domain == "category" and not view.raw else [])))
        there = [self.there(node) for node in nodes]
        raw = view.kind in ("first", "last") or view.raw
        values = [self.numbers(node, raw=raw, classes=view.raw) for node in nodes]
        found = {name: self.pooled(view.kind, there, values, nothing)}
        if base.missing:
            flags = [self.flag(node) for node in nodes]
            found[name + PRESENCE] = self.pooled(view.kind, there, flags, torch.zeros((1, *base.shape)))
        elif seen.flags is not None:
            some = torch.stack([*there, torch.zeros(self.count, dtype=torch.bool)]).any(0)
            found[name + PRESENCE] = some.to(self.model.dtype)
        return found

    def times(self, weights: Tensor, value: Tensor) -> Tensor:
        return weights.reshape(-1, *(1,) * (value.dim() - 1)) * value

    def numbers(self, node: Node, *, raw: bool, classes: bool = False) -> Tensor:
        """An element as it is pooled: a category as class weights (or its class's number), counts as log1p."""
        variable, value = self.graphs.variables[node[0]], self.entering(node)
        relaxed = value.dim() > 1 + len(variable.shape)
        if variable.domain == "category" and classes:
            return value.to(self.model.dtype)
        if variable.domain == "category":
            return value if relaxed else F.one_hot(value, variable.support).to(self.model.dtype)
        assert not relaxed, "counts are not relaxed here"
        return value.log1p() if variable.domain in ("count", "positive") and not raw else value

    def pooled(self, kind: str, there: list[Tensor], values: list[Tensor], nothing: Tensor) -> Tensor:
        """World by world, of the elements that are there in it."""
        worlds = []
        for world in range(self.count):
            here = [
                value.expand(self.count, *value.shape[1:])[world]
                for value, is_there in zip(values, there, strict=True)
                if is_there[world]
            ]
            worlds.append(self.pool(kind, here) if here else nothing[0].to(self.model.dtype))
        return torch.stack(worlds)

    def pool(self, kind: str, values: list[Tensor]) -> Tensor:
        match kind:
            case "first":
                return values[0]
            case "last":
                return values[-1]
            case "sum":
                return sum(values[1:], values[0])
            case "mean":
                return sum(values[1:], values[0]) / len(values)
            case _:
                return torch.stack(values).amax(0)

    def drawn(self, node: Node) -> Tensor:
        name, places = node
        distribution, variable = self.distribution(self.q[name], node), self.graphs.variables[name]
        axes = sorted(plate for plate, _ in variable.plates)
        sizes, by_name = dict(variable.plates), dict(zip([p for p, _ in variable.plates], places, strict=True))

        def ask(kind: str, suffix: str, event: Sequence[int]) -> Tensor:
            lead = (*((self.section.samples,) if self.section.samples > 1 else ()), *(sizes[axis] for axis in axes))
            made = getattr(self.noise, kind)(name + suffix, lead, event, self.model.dtype)
            made = made if self.section.samples > 1 else made.unsqueeze(0)
            for axis in axes:
                made = made.select(1, by_name[axis])
            return made[:, 0][self.sample]

        if self.kind(node) == "relax":
            asked = self.section.estimators.get(name)
            hard = asked is not None and asked.straight_through
            value = relaxed(distribution, ask, self.weights.number("temperature", name), hard=hard)
        elif self.kind(node) == "mean":
            value = torch.sigmoid(distribution["logits"])
        else:
            value = draw(distribution, ask)
            value = value.detach() if self.kind(node) == "score_function" else value
        value, here = self.everywhere(value), self.given(node)
        if not bool(here.any()):
            return value
        label = self.told(node)
        if self.kind(node) == "relax" and variable.domain != "binary":
            label, here = F.one_hot(label.clamp_min(0).long(), variable.support), here.unsqueeze(-1)
        return torch.where(here, label.to(value.dtype), value)

    # densities, each [worlds]

    def distribution(self, factor, node: Node) -> TwinDistribution:
        found = distribution_of(self.model, factor, self.read(factor, node), self.noise)
        return TwinDistribution(
            factor.family.name, self.graphs.variables[node[0]], dict(found.parameters), factor.options
        )

    def log_density(self, factor, node: Node, part: str) -> Tensor:
        here, there = self.given(node), self.there(node)
        kept, soft = here if part == "given" else ~here, False
        if part == "given":
            legal = torch.full_like(self.told(node), self.graphs.variables[node[0]].minimum)
            value = torch.where(here, self.told(node), legal).unsqueeze(0)
            if node[0] in self.certain:
                wrong = (self.result(factor, node) - value).abs() > 0.5
                return self.total(torch.where(wrong, -1e9, 0.0).to(self.model.dtype), kept)
        else:
            value, soft = self.at(node), self.kind(node) in ("relax", "mean")
        each = self.distribution(factor, node).log_prob_each(value, relaxed=soft)
        return torch.where(there, self.total(each, kept), 0.0)

    def total(self, each: Tensor, kept: Tensor) -> Tensor:
        found = torch.where(kept, each, torch.zeros_like(each))
        return self.everywhere(found.flatten(1).sum(1) if kept.dim() else found)

    def gain(self, node: Node) -> Tensor:
        """log p - log q of what one element lacks, or minus its divergence where a closed form stands for it."""
        name = node[0]
        q, p = self.q[name], self.graphs.generative[name]
        closed = (
            self.kind(node) not in ("enumerate", "mean")
            and (q.family.name, p.family.name) in DIVERGENCES
            and not self.weighed(name)
        )
        if closed and not any(self.after(n) & self.sources(p, n) for n in self.every_node(name)):
            each = divergence(self.distribution(q, node), self.distribution(p, node))
            return torch.where(self.there(node), -self.total(each, ~self.given(node)), 0.0)
        return self.log_density(p, node, "hidden") - self.log_density(q, node, "hidden")

    def log_mass(self, node: Node) -> Tensor:
        """log q of a summed element in each world, there or not: its values sum to one in any case."""
        each = self.distribution(self.q[node[0]], node).log_prob_each(self.values[node])
        return self.total(each, ~self.given(node))

    def sources(self, factor, node: Node) -> set[Node]:
        """Nodes that a factor reads at one element, seen through functions, whether they are there or not."""
        here = dict(zip([name for name, _ in self.graphs.variables[node[0]].plates], node[1], strict=True))
        found: set[Node] = set()
        for parent in factor.parents:
            view = self.graphs.views[parent].view if parent in self.graphs.views else None
            base = parent if view is None else view.base
            if view is not None and view.kind == "place":
                continue
            plates = [plate for plate, _ in self.graphs.variables[base].plates]
            if view is not None and view.kind in ("previous", "next"):
                place = here[plates[-1]] + (-1 if view.kind == "previous" else 1)
                inside = 0 <= place < self.graphs.variables[base].plates[-1][1]
                nodes = [(base, (*(here[plate] for plate in plates[:-1]), place))] if inside else []
            else:
                taken = () if view is None else view.taken
                fixed = [None if plate in taken else here[plate] for plate in plates]
                nodes = [
                    n for n in self.every_node(base) if all(f in (None, p) for f, p in zip(fixed, n[1], strict=True))
                ]
            for each in nodes:
                deterministic = self.graphs.variables[base].role == "deterministic"
                found |= self.sources_of_function(each) if deterministic else {each}
        return found

    def sources_of_function(self, node: Node) -> set[Node]:
        if node not in self._sources:
            self._sources[node] = self.sources(self.graphs.function(node[0]), node)
        return self._sources[node]

    def after(self, node: Node) -> set[Node]:
        """Everything that q draws depending on a node's draw."""
        if not self._readers:
            for name, factor in self.q.items():
                for reader in self.every_node(name):
                    for source in self.sources(factor, reader):
                        self._readers.setdefault(source, set()).add(reader)
        found, pending = set[Node](), [node]
        while pending:
            for reader in self._readers.get(pending.pop(), ()):
                if reader not in found:
                    found.add(reader)
                    pending.append(reader)
        return found

    def below(self, name: str) -> set[str]:
        found, pending = set[str](), [name]
        while pending:
            current = pending.pop()
            for other, factor in self.q.items():
                if current in self.graphs.stochastic_parents(factor) and other not in found:
                    found.add(other)
                    pending.append(other)
        return found

    def weighed(self, name: str) -> bool:
        """A label below it weighs its draws."""
        return bool(self.below(name) & self.clamped)

    def log_samples(self, without: int | None) -> Tensor:
        """log of what each world's draw counts, before sums: [worlds]. without: a sample that does not count."""
        if without is None:
            return torch.full((self.count,), -math.log(self.samples), dtype=self.model.dtype)
        log = torch.full((self.count,), -math.log(self.samples - 1), dtype=self.model.dtype)
        return log.masked_fill(self.sample == without, -math.inf)

    def scored_bound(self) -> Tensor:
        """The bound, with a gradient through draws that have no pathwise one: that of each log q, times what the bound
        is more than the same estimate from the other samples (docs/objective.md, The score function)."""
        found, scored = self.bound(), [node for node in self.hidden if self.kind(node) == "score_function"]
        log_q = torch.zeros(self.count, dtype=self.model.dtype)
        for node in scored:
            log_q = log_q + self.log_density(self.q[node[0]], node, "hidden")
        for sample in range(self.samples) if scored else ():
            others_say = self.bound(sample).detach() if self.samples > 1 else 0.0
            own = log_q[self.sample == sample][0]
            found = found + (found.detach() - others_say) * (own - own.detach())
        return found

    def bound(self, without: int | None = None) -> Tensor:
        zero = torch.zeros(self.count, dtype=self.model.dtype)
        log_g = self.log_samples(without)
        for node in self.summed:
            log_g = log_g + self.log_mass(node)
        log_w: dict[str, Tensor] = {}
        for node in self.labels:
            log_w[node[0]] = log_w.get(node[0], zero) + self.log_density(self.q[node[0]], node, "given")
        weights = torch.softmax(log_g + sum(log_w.values(), zero), 0)
        likelihood = zero
        for name, factor in self.graphs.generative.items():
            for node in () if factor.deterministic or name not in self.rows else self.nodes(name):
                likelihood = likelihood + self.log_density(factor, node, "given")
        total = (weights * (likelihood - sum(log_w.values(), zero))).sum()
        for node in self.hidden:
            gain = (weights * self.gain(node)).sum()
            if node[0] in self.section.free_bits:
                share = (weights * self.there(node)).sum()
                gain = torch.minimum(gain, -self.weights.number("free_bits", node[0]) * share)
            total = total + self.weights.number("beta", node[0]) * gain
        evidence = [
            torch.logsumexp(log_g + sum(list(log_w.values())[:place], zero), 0) for place in range(len(log_w) + 1)
        ]
        total = total + evidence[-1]
        for place, name in enumerate(log_w):
            total = total + self.weights.number("alpha", name) * (evidence[place + 1] - evidence[place])
        return total


def gradients(value: Tensor, model: Model) -> Tensor:
    """All of them in one vector."""
    parameters = list(model.parameters())
    found = torch.autograd.grad(value, parameters, allow_unused=True)
    pairs = zip(parameters, found, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs])


def assert_written_out(
    model: Model, rows: Mapping[str, Tensor], text: str, twin: Callable[..., Any] = PlateTwin
) -> None:
    """Value and gradient of every row are those of a twin of the row alone, under the same noise."""
    count = len(next(iter(rows.values())))
    found = model.bound(rows, noise=RowNoise(3, range(count)))
    expected = torch.stack([
        twin(model, {n: v[row : row + 1] for n, v in rows.items()}, RowNoise(3, [row])).scored_bound()
        for row in range(count)
    ])  # fmt: skip
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-11, msg=lambda said: f"{said}\n{text}")
    scale = torch.arange(1, count + 1, dtype=torch.float64)
    mine, theirs = gradients(found @ scale, model), gradients(expected @ scale, model)
    torch.testing.assert_close(mine, theirs, atol=1e-8, rtol=1e-9, msg=lambda said: f"{said}\n{text}")
