"""A slow, plain twin of the objective, one row at a time, for any spec: drawn, enumerated and relaxed variables.

Every joint value of the enumerated variables under every draw is a world of its own; all log densities are computed in
all worlds, and every expectation is a sum over all of them. No axes, no elimination, nothing left out because it
cancels. Written from docs/objective.md; of the compiler it uses the parameters that the factors give at their parents'
values (`_parameters`), the same noise, and the choice between summing and drawing. Densities, draws and divergences are
those of `twin_families.py`; when a closed form stands for a divergence is decided here again.
"""

import math
from collections.abc import Sequence
from itertools import product

import networkx as nx
import torch
from distributions import distribution_of
from torch import Tensor
from twin_divergences import DIVERGENCES, divergence
from twin_draws import Ask, draw, gumbel, relaxed
from twin_families import TwinDistribution

from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.noise import Noise


def twin_bound(
    model: Model,
    rows: dict[str, Tensor],
    noise: Noise,
    weights: ObjectiveWeights | None = None,
    *,
    closed_forms: bool = True,
) -> Tensor:
    """L of the single row in `rows` {name: [1, *shape]} (blank labels as NaN or -1): a scalar.

    closed_forms: False scores every draw, also where a closed form exists; the mean over noise is the same.
    """
    weights = weights or ObjectiveWeights.at(model.graphs, model.rates, math.inf)
    return RowTwin(model, rows, noise, weights, closed_forms=closed_forms).bound()


def twin_bounds(model: Model, rows: dict[str, Tensor], noises: Sequence[Noise]) -> Tensor:
    """L of every row of a batch, each with its own noise: [B]. Rows see each other in a split divergence only."""
    weights = ObjectiveWeights.at(model.graphs, model.rates, math.inf)
    twins = [
        RowTwin(model, {n: v[row : row + 1] for n, v in rows.items()}, noise, weights)
        for row, noise in enumerate(noises)
    ]
    bounds = []
    for twin in twins:
        others = [other for other in twins if other.labels == twin.labels and other.hidden == twin.hidden]
        stands_for = None if model.rates is None else model.rates.stands_for(twin.pattern)
        bounds.append(twin.scored_bound(others, stands_for))
    return torch.stack(bounds)


class RowTwin:
    """All worlds of one row: their weights under g, and every factor's log density in each."""

    def __init__(
        self,
        model: Model,
        rows: dict[str, Tensor],
        noise: Noise,
        weights: ObjectiveWeights,
        *,
        closed_forms: bool = True,
    ) -> None:
        self.model, self.graphs, self.noise, self.weights = model, model.graphs, noise, weights
        self.closed_forms = closed_forms
        self.section = model.graphs.spec.objective
        self.rows = {n: model.prepare(rows)[n] for n in (*model.graphs.observed, *model.graphs.supervised)}
        self.given = {n: self._given(n) for n in self.rows}
        self.q_factors = {f.variable: f for f in model.graphs.order("recognition") if not f.deterministic}
        self.labels = [n for n in self.q_factors if n in self.given and bool(self.given[n].any())]
        self.hidden = [n for n in self.q_factors if n not in self.given or not bool(self.given[n].all())]
        self.pattern = model.group(self.rows)[0][0]
        program, _ = model.program(self.pattern)
        self.estimators = {n: program.choices[n].estimator for n in self.hidden}
        self.budgets = {n: program.choices[n].budget for n in self.hidden if program.choices[n].budget is not None}
        self.may_be_labelled = {*self.labels, *program.pattern.masked}
        self._make_worlds()
        self._run()

    def _given(self, name: str) -> Tensor:
        """[*shape] bool: what this row has of one variable."""
        value = self.rows[name][0]
        variable = self.graphs.variables[name]
        here = ~torch.isnan(value) if value.is_floating_point() else torch.ones_like(value, dtype=torch.bool)
        if variable.domain in ("direction", "simplex"):
            here = here.all(0, keepdim=True).expand_as(here)
        elif self.graphs.indivisible(name):  # what a flow gives: the density of a part of it is not known
            here = here.all().expand_as(here)
        return here & (value != -1) if variable.discrete else here

    def _make_worlds(self) -> None:
        enumerated = [n for n in self.hidden if self.estimators[n] == "enumerate"]
        drawn = any(self.estimators[n] != "enumerate" for n in self.hidden)
        self.samples = self.section.samples if drawn else 1
        tables = [torch.arange(self.budgets[n] + 1) if n in self.budgets else self._joint_values(n) for n in enumerated]
        worlds = list(product(range(self.samples), *(range(len(table)) for table in tables)))
        self.count = len(worlds)
        self.sample = torch.tensor([world[0] for world in worlds])
        self.chosen = {
            n: table[torch.tensor([world[1 + i] for world in worlds])]
            for i, (n, table) in enumerate(zip(enumerated, tables, strict=True))
        }
        self.shares: dict[str, Tensor] = {}

    def _likeliest(self, name: str) -> Tensor:
        """The values a budget sums, and one draw that has the share of all others: each world's own one of them, by
        q at that world's values of the parents; all worlds share the draw's noise."""
        distribution, budget = self.distribution(self.q_factors[name]), self.budgets[name]
        noise = gumbel(distribution, self._ask(name, ()))[0]
        values, shares = [], []
        for log_q, place in zip(
            self._in_every_world(distribution.log_probs()), self.chosen[name].tolist(), strict=True
        ):
            order = log_q.argsort(descending=True)
            top, rest = order[:budget], order[budget:]
            picked = rest[(log_q + noise)[rest].argmax()]
            left = 1 - log_q[top].exp().sum()
            values.append(torch.cat([top, picked.reshape(1)])[place] + self.graphs.variables[name].minimum)
            shares.append(torch.cat([log_q[top], left.log().reshape(1)])[place])
        self.shares[name] = torch.stack(shares)
        found = torch.stack(values)
        return found if self.graphs.variables[name].domain == "category" else found.to(self.model.dtype)

    def _in_every_world(self, data: Tensor) -> Tensor:
        return data.expand(self.count, *data.shape[1:])

    def _joint_values(self, name: str) -> Tensor:
        """Every way to fill the hidden elements of a discrete variable: [values, *shape]."""
        variable = self.graphs.variables[name]
        hidden = ~self.given[name] if name in self.given else torch.ones(variable.shape, dtype=torch.bool)
        values = range(variable.minimum, variable.minimum + variable.support)
        tables = []
        for filling in product(values, repeat=int(hidden.sum())):
            table = self.rows[name][0].clone() if name in self.rows else torch.zeros(variable.shape)
            table = table.to(torch.int64 if variable.domain == "category" else self.model.dtype)
            table[hidden] = torch.tensor(filling, dtype=table.dtype)
            tables.append(table)
        return torch.stack(tables)

    def _run(self) -> None:
        """Values of everything in every world, in recognition order, then what p computes from them."""
        self.values: dict[str, Tensor] = {}
        self._read_observed()
        for factor in self.graphs.order("recognition"):
            name = factor.variable
            if factor.deterministic:
                self.values[name] = self._computed(factor)
            elif name not in self.hidden:
                self.values[name] = self.rows[name].expand(self.count, *self.rows[name].shape[1:])
            elif name in self.budgets:
                self.values[name] = self._likeliest(name)
            else:
                self.values[name] = self.chosen[name] if name in self.chosen else self._draw(name)
        for factor in self.graphs.order("generative"):
            if factor.deterministic and factor.variable not in self.values:
                self.values[factor.variable] = self._computed(factor)

    def _read_observed(self) -> None:
        """Observed variables, and what is computed from them alone."""
        for name in self.graphs.observed:
            self._observe(name)
        for factor in self.graphs.order("recognition"):
            if factor.deterministic and self.graphs.stochastic_parents(factor) <= set(self.graphs.observed):
                self.values[factor.variable] = self._computed(factor)

    def _observe(self, name: str) -> None:
        """An observed variable as networks see it: a blank is zero, beside a flag that says so."""
        variable, row, here = self.graphs.variables[name], self.rows[name], self.given[name]
        if variable.missing:
            self.values[name + PRESENCE] = here.to(self.model.dtype).expand(self.count, *here.shape)
            if variable.domain == "category":
                hot = torch.nn.functional.one_hot(row.clamp_min(0), variable.support).to(self.model.dtype)
                row = hot * here.unsqueeze(-1)
            else:
                row = torch.where(here, row, torch.zeros_like(row))
        self.values[name] = row.expand(self.count, *row.shape[1:])

    def _computed(self, factor) -> Tensor:
        data = self.model.compute(factor, self.values, self.noise)
        return data.expand(self.count, *data.shape[1:])

    def distribution(self, factor) -> TwinDistribution:
        """The factor's distribution in every world."""
        parameters, flow = self._parameters(factor)
        variable = self.graphs.variables[factor.variable]
        return TwinDistribution(factor.family.name, variable, parameters, factor.options, flow)

    def _parameters(self, factor) -> tuple[dict[str, Tensor], object]:
        """What the model says: parameters by name [worlds or 1, *shape], and a flow's invertible map."""
        module = self.model.conditional(factor)
        return dict(distribution_of(self.model, factor, self.values, self.noise).parameters), module.flow

    def _ask(self, name: str, lead: tuple[int, ...]) -> Ask:
        """Standard noise of one variable; of several samples, for each world that of its own."""

        def ask(kind: str, suffix: str, event: Sequence[int]) -> Tensor:
            drawn = getattr(self.noise, kind)(name + suffix, lead, event, self.model.dtype)
            return drawn[:, 0][self.sample] if lead else drawn

        return ask

    def _draw(self, name: str) -> Tensor:
        """One draw per sample; worlds of one sample share its noise."""
        distribution, ask = self.distribution(self.q_factors[name]), self._ask(name, (self.samples,))
        variable, kind = self.graphs.variables[name], self.estimators[name]
        if kind == "relax":
            asked = self.section.estimators.get(name)
            hard = asked is not None and asked.straight_through
            value = relaxed(distribution, ask, self.weights.number("temperature", name), hard=hard)
        else:
            value = draw(distribution, ask)
            value = value.detach() if kind == "score_function" else value
        value = value.expand(self.count, *value.shape[1:])
        if name not in self.labels:
            return value
        label, here = self.rows[name], self.given[name]
        if kind == "relax" and variable.domain != "binary":
            label = torch.nn.functional.one_hot((label - variable.minimum).clamp_min(0).long(), variable.support)
            here = here.unsqueeze(-1)
        return torch.where(here, label.to(value.dtype), value)

    def log_density(self, factor, part: str) -> Tensor:
        """log p or log q in every world, of the elements that the row has (`given`) or lacks (`hidden`): [worlds]."""
        name = factor.variable
        here = self.given.get(name, torch.zeros(self.graphs.variables[name].shape, dtype=torch.bool))
        kept = here if part == "given" else ~here
        if part == "given":
            variable, value = self.graphs.variables[name], self.rows[name]
            size = variable.shape[0] if variable.shape else 1
            fillers = {"positive": 1.0, "unit": 0.5, "simplex": 1 / size, "direction": size**-0.5}
            legal = fillers.get(variable.domain, max(0, variable.minimum))
            value, relaxed = torch.where(here, value, torch.full_like(value, legal)), False
        else:
            value, relaxed = self.values[name], self.estimators[name] == "relax"
        each = self.distribution(factor).log_prob_each(value, relaxed=relaxed)
        return self._total(each, kept)

    def _total(self, each: Tensor, kept: Tensor) -> Tensor:
        """Sum over the kept elements: [worlds]."""
        if kept.dim() and each.shape[1] == 1 and kept.shape[0] != 1:
            kept = kept[:1]
        total = torch.where(kept, each, torch.zeros_like(each)).flatten(1).sum(1) if kept.dim() else each * kept
        return total.expand(self.count)

    def closed(self, name: str) -> bool:
        """A closed form stands for E[log p - log q]: there is a formula, no label weighs the variable's draws, and p's
        parents of it do not depend on them."""
        if self.section.bound == "importance_weighted" or not self.closed_forms:
            return False
        summed = self.estimators[name] == "enumerate" and name not in self.budgets
        if summed or name not in self.graphs.generative:
            return False
        q, p = self.q_factors[name], self.graphs.generative[name]
        if (q.family.name, p.family.name) not in DIVERGENCES:
            return False
        graph = nx.DiGraph(
            [(a, f.variable) for f in self.q_factors.values() for a in self.graphs.stochastic_parents(f)]
        )
        graph.add_nodes_from(self.q_factors)
        below = nx.descendants(graph, name)
        return not below & self.may_be_labelled and not below & self.graphs.stochastic_parents(p)

    def gain(self, name: str) -> Tensor:
        """log p - log q of the hidden elements of one variable in every world, or minus its divergence: [worlds]."""
        q, p = self.q_factors[name], self.graphs.generative.get(name)
        if self.closed(name):
            each = divergence(self.distribution(q), self.distribution(p))
            return -self._total(each, ~self.given.get(name, torch.zeros(each.shape[1:], dtype=torch.bool)))
        return (self.log_density(p, "hidden") if p else 0) - self.log_density(q, "hidden")

    def scored_bound(self, others: Sequence["RowTwin"] = (), rows_of_data: int | None = None) -> Tensor:
        """The bound, with a gradient through draws that have no pathwise one: that of each log q, times what the bound
        is more than the same estimate from the other samples (docs/objective.md, The score function)."""
        found = self.bound(others, rows_of_data)
        scored = [n for n in self.hidden if self.estimators[n] == "score_function"]
        log_q = sum((self.log_density(self.q_factors[n], "hidden") for n in scored), torch.zeros(self.count))
        for sample in range(self.samples) if scored else ():
            others_say = self.bound(others, rows_of_data, without=sample).detach() if self.samples > 1 else 0.0
            own = log_q[self.sample == sample][0]
            found = found + (found.detach() - others_say) * (own - own.detach())
        return found

    def _measure(self, without: int | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """log g of each world, and log q of each label there: [worlds]. without: a sample that does not count."""
        log_g = torch.full((self.count,), -math.log(self.samples), dtype=self.model.dtype)
        if without is not None:
            log_g = torch.full_like(log_g, -math.log(self.samples - 1)).masked_fill(self.sample == without, -math.inf)
        for name in self.chosen:
            log_g = log_g + self.shares.get(name, self.log_density(self.q_factors[name], "hidden"))
        return log_g, {name: self.log_density(self.q_factors[name], "given") for name in self.labels}

    def bound(
        self, others: Sequence["RowTwin"] = (), rows_of_data: int | None = None, without: int | None = None
    ) -> Tensor:
        """L of this row. others: the rows of its batch with the same pattern, itself among them; rows_of_data: how many
        rows they stand for. Both matter to a divergence that is split (total correlation) only."""
        zero = torch.zeros(self.count, dtype=self.model.dtype)
        log_g, log_w = self._measure(without)
        scored = [f for n, f in self.graphs.generative.items() if n in self.given and not f.deterministic]
        likelihood = sum((self.log_density(factor, "given") for factor in scored), zero)
        gains = {name: self.gain(name) for name in self.hidden}
        label_terms = self._label_terms(log_g, log_w)
        if self.section.bound == "importance_weighted":
            return torch.logsumexp(log_g + likelihood + sum(gains.values(), zero), 0) + label_terms
        weights = torch.softmax(log_g + sum(log_w.values(), zero), 0)
        total = (weights * (likelihood - sum(log_w.values(), zero))).sum()
        for name, gain in gains.items():
            if ("total_correlation", name) in self.weights.numbers:
                total = total + (weights * self._split_gain(name, others or [self], rows_of_data)).sum()
                continue
            expected = (weights * gain).sum()
            floor = torch.tensor(-self.weights.number("free_bits", name), dtype=zero.dtype)
            total = total + self.weights.number("beta", name) * torch.minimum(expected, floor)
        return total + self._log_evidence(log_g, list(log_w.values())) + label_terms

    def _split_gain(self, name: str, others: Sequence["RowTwin"], rows_of_data: int | None) -> Tensor:
        """Minus mutual information, total correlation and element-wise divergence, each by its weight: [worlds]."""
        factor, value = self.q_factors[name], self.values[name]
        size, spec = len(others), self.section.beta[name]
        weights = []
        for other in others:
            if rows_of_data is None or rows_of_data <= size:
                weights.append(1 / size)
            elif spec.estimator == "weighted":
                weights.append(1 / (size * rows_of_data))
            else:
                own = other is self
                weights.append(1 / rows_of_data if own else (rows_of_data - 1) / (rows_of_data * (size - 1)))
        log_weights = torch.tensor(weights, dtype=value.dtype).log()
        wholes, elements = zip(*(other._component(name, value) for other in others), strict=True)
        joint = torch.logsumexp(torch.stack(wholes) + log_weights[:, None], 0)
        marginals = torch.logsumexp(torch.stack(elements) + log_weights[:, None, None], 0).sum(1)
        log_q, log_p = (self.log_density(f, "hidden") for f in (factor, self.graphs.generative[name]))
        return (
            self.weights.number("mutual_information", name) * (joint - log_q)
            + self.weights.number("total_correlation", name) * (marginals - joint)
            + self.weights.number("dimension_wise", name) * (log_p - marginals)
        )

    def _component(self, name: str, value: Tensor) -> tuple[Tensor, Tensor]:
        """log q(value | this row) of another's values, and of each element alone: [W], [W, elements]. A mixture over
        this row's own worlds, by their weights."""
        log_g, log_w = self._measure()
        own = torch.log_softmax(log_g + sum(log_w.values(), torch.zeros_like(log_g)), 0)
        each = self.distribution(self.q_factors[name]).log_prob_each(value.unsqueeze(1)).flatten(2)
        each = each.expand(-1, self.count, -1)
        return torch.logsumexp(each.sum(2) + own, 1), torch.logsumexp(each + own[:, None], 1)

    def _log_evidence(self, log_g: Tensor, log_w: list[Tensor]) -> Tensor:
        """log q^ of some labels: log of the mean of the weights, or the mean of their logs."""
        total = sum(log_w, torch.zeros_like(log_g))
        return (
            (log_g.exp() * total).sum() if self.section.label_bound == "jensen" else torch.logsumexp(log_g + total, 0)
        )

    def _label_terms(self, log_g: Tensor, log_w: dict[str, Tensor]) -> Tensor:
        """Sum of alpha_j times label j's part."""
        result = torch.zeros((), dtype=log_g.dtype)
        names = list(log_w)
        for position, name in enumerate(names):
            if self.section.label_bound == "jensen":
                part = self._log_evidence(log_g, [log_w[name]])
            else:
                before = [log_w[n] for n in names[:position]]
                part = self._log_evidence(log_g, [*before, log_w[name]]) - self._log_evidence(log_g, before)
            result = result + self.weights.number("alpha", name) * part
        return result
