"""The plain twin with exact variables: every path of every chain is a world of its own, and log Z is a sum over all.

Worlds are [samples, values of what q sums, joint values of all exact variables' elements, values of what q sums for each
of these]. Factors of p that touch an exact variable are added up in each world, averaged over a sum's own latents, and
summed over the third axis; what is left takes the place of a density.
"""

import math
from itertools import product

import torch
from plate_twin import Node, PlateTwin
from torch import Tensor
from twin_divergences import DIVERGENCES, divergence

from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.schedules import ObjectiveWeights

NEVER = -1e9


class ExactTwin(PlateTwin):
    """All worlds of the single row in `rows` {name: [1, *row shape]}."""

    def __init__(self, model, rows: dict[str, Tensor], noise) -> None:
        self.model, self.graphs, self.noise = model, model.graphs, noise
        self.section = model.graphs.spec.objective
        self.weights = ObjectiveWeights.at(model.graphs, model.rates, math.inf)
        self.rows = {n: model.prepare(rows)[n][0] for n in (*self.graphs.observed, *self.graphs.supervised)}
        self.q = {f.variable: f for f in self.graphs.order("recognition") if not f.deterministic}
        self.program, _ = model.program(model.group(model.prepare(rows))[0][0])
        self.choices = self.program.choices
        self.certain = {n for n, f in self.q.items() if f.family.name == "certain"}
        self.clamped = {*self.program.clamped, *self.program.pattern.masked}
        self.hidden = [node for n in self.q if n not in self.certain for node in self.nodes(n) if not self.whole(node)]
        self.labels = [
            node for n in self.q for node in self.nodes(n) if n in self.rows and bool(self.given(node).any())
        ]
        self.exact = [node for n in self.graphs.exact for node in self.nodes(n)]
        own = {name for each in self.program.sums for name in each.over.own}
        summed = [node for node in self.hidden if self.kind(node) == "enumerate"]
        outer, inner = ([n for n in summed if (n[0] in own) == is_own] for is_own in (False, True))
        self.samples = self.section.samples if self.draws() else 1
        tables = {node: self.fillings(node) for node in (*outer, *self.exact, *inner)}
        sizes = [math.prod(len(tables[n]) for n in nodes) for nodes in (outer, self.exact, inner)]
        self.shape = (self.samples, *sizes)
        worlds = list(product(range(self.samples), *(range(len(tables[n])) for n in tables)))
        self.count, self.sample = len(worlds), torch.tensor([world[0] for world in worlds])
        self.values = {
            node: table[torch.tensor([world[1 + place] for world in worlds])]
            for place, (node, table) in enumerate(tables.items())
        }
        self.outer, self.inner, self.own = outer, inner, own
        self._sources: dict[Node, set[Node]] = {}
        self._readers: dict[Node, set[Node]] = {}
        for side in ("recognition", "generative"):
            for factor in self.graphs.order(side):
                if factor.view is None:
                    for node in self.nodes(factor.variable):
                        self.at(node)

    def fillings(self, node: Node) -> Tensor:
        if node[0] not in self.graphs.exact:
            return super().fillings(node)
        variable = self.graphs.variables[node[0]]
        numbers = range(variable.minimum, variable.minimum + variable.support)
        found = torch.tensor(list(product(numbers, repeat=math.prod(variable.shape)))).reshape(-1, *variable.shape)
        return found if variable.domain == "category" else found.to(self.model.dtype)

    def kind(self, node: Node) -> str:
        return "enumerate" if node[0] in self.graphs.exact else super().kind(node)

    def weighed(self, name: str) -> bool:
        """A label below it weighs its draws; exact labels stand below all that their sums read."""
        read = set()
        for each in self.program.sums:
            if self.clamped & set(each.over.variables):
                factors = [self.graphs.generative[n] for n in each.over.factors] + [self.q[n] for n in each.over.own]
                read |= {parent for factor in factors for parent in self.graphs.stochastic_parents(factor)}
                read |= {*each.over.factors}
        return super().weighed(name) or bool(({name} | self.below(name)) & (read - self.own))

    def weight(self, name: str) -> float:
        return self.weights.number("beta", name)

    # what stands inside of one sum, [samples, outer, exact]

    def inside(self, each) -> Tensor:
        """log of the product of its factors, own latents averaged."""
        b, total = self.weight(each.over.variables[0]), torch.zeros(self.count, dtype=self.model.dtype)
        floors = []
        for name in each.over.factors:
            factor = self.graphs.generative[name]
            for node in self.nodes(name):
                if name in self.graphs.exact:
                    shape = self.graphs.variables[name].shape
                    each_element = self.distribution(factor, node).log_prob_each(self.values[node])
                    total = total + self.total(each_element, torch.ones(shape, dtype=torch.bool))
                elif name in self.own:
                    floors.append((name, self.own_gain(node)))
                else:
                    if name in self.rows:
                        total = total + self.log_density(factor, node, "given") / b
                    if name in self.q and not self.whole(node):
                        total = total + self.weight(name) * self.log_density(factor, node, "hidden") / b
        found = self.averaged(each, total)
        for name, gain in floors:
            floor = torch.tensor(-self.weights.number("free_bits", name), dtype=found.dtype)
            found = found + self.weight(name) / b * torch.minimum(self.averaged(each, gain), floor)
        return found

    def averaged(self, each, term: Tensor) -> Tensor:
        """The mean over its own latents: [samples, outer, exact]."""
        log_own = torch.zeros(self.count, dtype=self.model.dtype)
        for node in self.inner:
            log_own = log_own + self.log_density(self.q[node[0]], node, "hidden")
        mean = (term * log_own.exp()).reshape(self.shape).sum(-1)
        if SAMPLES not in each.axes:
            mean = mean.mean(0, keepdim=True).expand(self.samples, *mean.shape[1:])
        return mean

    def own_gain(self, node: Node) -> Tensor:
        name = node[0]
        q, p = self.q[name], self.graphs.generative[name]
        closed = self.kind(node) != "enumerate" and (q.family.name, p.family.name) in DIVERGENCES
        if closed and not any(self.after(n) & self.sources(p, n) for n in self.every_node(name)):
            return -self.total(divergence(self.distribution(q, node), self.distribution(p, node)), ~self.given(node))
        return self.log_density(p, node, "hidden") - self.log_density(q, node, "hidden")

    def log_z(self, each, labels: list[str]) -> Tensor:
        """[samples * outer]: the sum over every joint value that agrees with the labels."""
        total = self.inside(each)
        for node in self.exact:
            if node[0] in labels:
                here, told = self.given(node), self.told(node)
                off = ((self.values[node] != told) & here).reshape(self.count, -1).any(1)
                total = total + torch.where(off, NEVER, 0.0).reshape(self.shape)[..., 0].to(total.dtype)
        others = math.prod(len(self.fillings(node)) for node in self.exact if node[0] not in each.over.variables)
        return (torch.logsumexp(total, -1) - math.log(others)).flatten()

    # the bound

    def outside(self, term: Tensor) -> Tensor:
        """[samples * outer] of what varies over nothing else."""
        return term.reshape(self.shape)[:, :, 0, 0].flatten()

    def log_weights(self, log_z: dict, log_g: Tensor) -> dict[str, Tensor]:
        """What each label weighs draws by: an exact one by what it adds to those before it."""
        found: dict[str, Tensor] = {}
        for name in self.graphs.recognised:
            nodes = [node for node in self.nodes(name) if name in self.rows and bool(self.given(node).any())]
            if not nodes and name not in self.clamped:
                continue
            if name not in self.graphs.exact:
                parts = [self.outside(self.log_density(self.q[name], node, "given")) for node in nodes]
                found[name] = sum(parts, torch.zeros_like(log_g))
                continue
            each = next(e for e in self.program.sums if name in e.over.variables)
            before = [n for n in self.graphs.recognised if n in found and n in each.over.variables]
            found[name] = self.log_z(each, [*before, name]) - self.log_z(each, before)
        return found

    def log_measure(self, without: int | None = None) -> Tensor:
        """log g of what is drawn or summed outside of exact sums."""
        log_g = self.outside(self.log_samples(without))
        for node in self.outer:
            log_g = log_g + self.outside(self.log_mass(node))
        return log_g

    def bound(self, without: int | None = None) -> Tensor:
        log_g = self.log_measure(without)
        log_w = self.log_weights({}, log_g)
        log_all = sum(log_w.values(), torch.zeros_like(log_g))
        weights = torch.softmax(log_g + log_all, 0)
        inside = {name for each in self.program.sums for name in each.over.factors}
        likelihood = torch.zeros_like(log_g)
        for name, factor in self.graphs.generative.items():
            if not factor.deterministic and name in self.rows and name not in inside:
                for node in self.nodes(name):
                    likelihood = likelihood + self.outside(self.log_density(factor, node, "given"))
        for each in self.program.sums:
            labels = [name for name in log_w if name in each.over.variables]
            likelihood = likelihood + self.weight(each.over.variables[0]) * self.log_z(each, labels)
        total = (weights * (likelihood - log_all)).sum()
        for node in self.hidden:
            if node[0] in self.own:
                continue
            elsewhere = node[0] in inside
            gain = -self.log_density(self.q[node[0]], node, "hidden") if elsewhere else self.gain(node)
            gain = (weights * self.outside(gain)).sum()
            if node[0] in self.section.free_bits:
                share = (weights * self.outside(self.there(node))).sum()
                gain = torch.minimum(gain, -self.weights.number("free_bits", node[0]) * share)
            total = total + self.weight(node[0]) * gain
        evidence = [torch.logsumexp(log_g + sum(list(log_w.values())[:n], torch.zeros_like(log_g)), 0)
                    for n in range(len(log_w) + 1)]  # fmt: skip
        total = total + evidence[-1]
        for place, name in enumerate(log_w):
            total = total + self.weights.number("alpha", name) * (evidence[place + 1] - evidence[place])
        return total

    def posterior(self, name: str) -> dict[Node, Tensor]:
        """Of each element of an exact variable the probabilities of its classes, given the row's labels."""
        log_g = self.log_measure()
        log_w = self.log_weights({}, log_g)
        weights = torch.softmax(log_g + sum(log_w.values(), torch.zeros_like(log_g)), 0)
        each = next(e for e in self.program.sums if name in e.over.variables)
        log = self.inside(each)
        for node in self.exact:
            if node[0] in log_w:
                off = ((self.values[node] != self.told(node)) & self.given(node)).reshape(self.shape)[..., 0]
                log = log + torch.where(off, NEVER, 0.0).to(log.dtype)
        shares = torch.softmax(log, -1).reshape(len(weights), -1)
        found = {}
        for node in self.nodes(name):
            values = self.values[node].reshape(self.shape)[0, 0, :, 0].long()
            classes = torch.zeros(len(weights), self.graphs.variables[name].support, dtype=log.dtype)
            found[node] = weights @ classes.index_add_(1, values, shares)
        return found
