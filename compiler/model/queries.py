"""What a trained model answers: posteriors of hidden variables, draws from either graph; each a plan."""

from collections.abc import Callable, Collection, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from compiler.model import grouping
from compiler.model.bound_answers import answered_by_bound
from compiler.model.compiled import Compiled
from compiler.model.evaluation import Group
from compiler.model.given import GivenTensors
from compiler.model.label_assignment import Asked, at_places, label_places
from compiler.model.trained_units import TrainedRange, outside_unit
from compiler.plan.exact_answers import plan_chosen, plan_exact_densities
from compiler.plan.questions import plan_densities, plan_draws, plan_generation, plan_means, plan_own, plan_posterior
from compiler.plan.running import Context
from compiler.symbolic.program import Pattern
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors import blanks, presence
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Graphs, Side
from graphspec.language.objective import AnswerBy


class Queries(nn.Module):
    """Questions to one model, by rows as the user has them. rates: how many training rows carry labels, if known.
    ranges: what training rows held of standardized variables, if known."""

    compiled: Compiled

    def __init__(self, graphs: Graphs, dtype: torch.dtype) -> None:
        super().__init__()
        self.graphs, self.dtype = graphs, dtype
        self.rates: Rates | None = None
        self.ranges: Mapping[str, TrainedRange] = {}

    def prepare(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rows as the modules expect them; labels that are not there at all are blank, and of plates with a count there
        are as many elements as the longest of the rows has.

        Raises ValueError naming an observed variable that is missing, or any that is misshapen.
        """
        for name in self.graphs.observed:
            if name not in rows:
                raise ValueError(f"rows lack the observed variable {name!r}; they have {sorted(rows)}")
        prepared = self._as_values(rows)
        like = prepared[self.graphs.observed[0]] if self.graphs.observed else next(iter(prepared.values()))
        sizes = presence.rooms(self.graphs, prepared)
        for name in self.graphs.supervised:
            if name not in prepared:
                variable = self.graphs.variables[name]
                blank = blanks.blank(variable, len(like), self.dtype, like.device)
                prepared[name] = presence.resized(variable, blank, sizes)
        return prepared

    def _as_values(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Variables as the modules expect them; cells of elements that are not there hold something legal."""
        graphs, known = self.graphs, {name: rows[name] for name in rows if name in self.graphs.variables}
        variables, ragged = graphs.variables, any(plate.count is not None for plate in graphs.plates.values())
        if not ragged:
            return {name: blanks.as_value(variables[name], values, self.dtype) for name, values in known.items()}
        sizes = presence.needed_rooms(graphs, known)
        room = {name: presence.resized(variables[name], values, sizes) for name, values in known.items()}
        found = {name: blanks.as_value(variables[name], values, self.dtype, sizes) for name, values in room.items()}
        masks = presence.presence(graphs, found)
        presence.check_labels(graphs, found)
        return {name: presence.legal_where_absent(graphs, masks, name, values) for name, values in found.items()}

    def label_places(self, rows: Mapping[str, Tensor], *, samples: int = 1, noise: Noise) -> dict[str, Tensor]:
        """{label: [B, n]}: of labels that are a set (`order: unknown`), which of a row's each element has: those that q
        finds likeliest, over `samples` draws of what is hidden above them."""
        return label_places(self.compiled, self.by_pattern, self.prepare(rows), samples, noise)

    def _assigned(self, rows: Mapping[str, Tensor], samples: int, noise: Noise) -> dict[str, Tensor]:
        """Prepared rows, labels that are a set at their elements."""
        prepared = self.prepare(rows)
        places = label_places(self.compiled, self.by_pattern, prepared, samples, noise)
        return prepared | {name: at_places(prepared[name], found) for name, found in places.items()}

    def unlabelled(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What rows show where their labels are hidden: the observed variables. Of a model that has none, blank labels,
        which still say how many rows there are."""
        if self.graphs.observed:
            return {name: values[name] for name in self.graphs.observed}
        name = self.graphs.supervised[0]
        return {name: blanks.blank(self.graphs.variables[name], len(values[name]), self.dtype, values[name].device)}

    def row_patterns(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Each prepared row's pattern of labels and blanks as one number [B]; see `grouping.row_patterns`."""
        return grouping.row_patterns(self.graphs, rows)

    def group(self, rows: Mapping[str, Tensor], codes: Tensor | None = None) -> list[Group]:
        """Prepared rows by pattern: where they are; see `grouping.group`."""
        return grouping.group(self.graphs, rows, codes)

    def predict(
        self,
        name: str,
        rows: Mapping[str, Tensor],
        *,
        samples: int = 1,
        noise: Noise,
        beyond_count: bool = False,
        by: AnswerBy | None = None,
    ) -> Tensor:
        """Posterior of one hidden variable given the observed variables and the labels in `rows`.

        Discrete with a finite support: probabilities [B, *shape, K]; else the mean [B, *shape]. Marginal over
        everything else that is hidden: exactly where that is enumerated, over `samples` draws otherwise. Of a plate
        with a count the elements that are there, or likeliest are; labels of elements have no part in their count's.
        beyond_count: where rows do not tell the count all elements, each as if it was there. by: what answers a label,
        as `objective.answers` says unless told: q (recognition), the bound (`bound_answers`), or the mean of both.
        """
        known = dict(rows)
        for hidden in (name, *self._labels_counted_by(name)):
            if (told := rows.get(hidden)) is not None:
                known[hidden] = blanks.blank(self.graphs.variables[hidden], len(told), self.dtype, told.device)
        prepared = self.prepare(known)
        self._refuse_other_units(prepared)

        found = self._answered(by or self.graphs.spec.objective.answers.get(name), name, prepared, samples, noise)
        counts = {} if beyond_count else self._likeliest_counts(name, prepared, samples, noise)
        masks = presence.presence(self.graphs, {**prepared, **counts})
        found = presence.blank_where_absent(self.graphs, masks, name, found)
        return presence.for_every_place(self.graphs.variables[name], found)

    def _answered(
        self, by: AnswerBy | None, name: str, prepared: Mapping[str, Tensor], samples: int, noise: Noise
    ) -> Tensor:
        def planned(pattern: Pattern) -> Asked:
            program, _ = self.compiled.program(pattern, samples)
            return ("posterior", name, samples), partial(plan_posterior, program, name, self.compiled.features)

        if by == "bound":
            return answered_by_bound(self.compiled, self.rates, name, prepared, samples, noise)
        found = self.by_pattern(prepared, planned, noise)["posterior"]
        if by == "both":
            found = (found + answered_by_bound(self.compiled, self.rates, name, prepared, samples, noise)) / 2
        return found

    def _refuse_other_units(self, rows: Mapping[str, Tensor]) -> None:
        """Raises ValueError where most rows of a variable are clearly not in the units that training had."""
        for name, values in rows.items():
            variable, known = self.graphs.variables[name], self.ranges.get(name)
            if not len(values) or (known is None and variable.domain != "unit"):
                continue
            flat = presence.for_every_place(variable, values).reshape(len(values), -1)
            if known is None and outside_unit(flat):
                raise ValueError(f"rows of {name!r} lie between 0 and 1; bytes of pictures are to be divided by 255")
            if known is not None and known.refuses(flat):
                raise ValueError(
                    f"rows of {name!r} are not in the units that the model was trained in, which are standardized: "
                    "`runtime.open_predictor(RUN).predict(table)` takes values as the data have them"
                )

    def _labels_counted_by(self, name: str) -> list[str]:
        """Labels of the elements that a variable counts."""
        counted = {plate.name for plate in self.graphs.plates.values() if plate.count == name}
        variables = self.graphs.variables
        return [label for label in self.graphs.supervised if counted.intersection(variables[label].path)]

    def _likeliest_counts(
        self, name: str, prepared: Mapping[str, Tensor], samples: int, noise: Noise
    ) -> dict[str, Tensor]:
        """Of the counts of a variable's plates that rows may lack: what rows have, else the likeliest value."""
        found, graphs, rooms = dict[str, Tensor](), self.graphs, presence.rooms(self.graphs, prepared)
        for plate in (graphs.plates[plate] for plate in graphs.variables[name].path):
            count = graphs.variables.get(plate.count or "")
            if count is None or count.role == "observed":
                continue
            likeliest = self.predict(count.name, prepared, samples=samples, noise=noise).nan_to_num().argmax(-1)
            likeliest = presence.resized(count, likeliest.to(self.dtype) + count.minimum, rooms)
            told = prepared.get(count.name, torch.full_like(likeliest, torch.nan))
            found[count.name] = torch.where(told >= 0, told, likeliest)
        return found

    def by_pattern(
        self,
        prepared: Mapping[str, Tensor],
        planned: Callable[[Pattern], Asked | None],
        noise: Noise,
        codes: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The results [B, ...] of a plan for each pattern of prepared rows; NaN where a pattern has none (or gives no
        such result). planned: what tells a pattern's plan from others, and the plan. codes: as for `group`."""
        given = self.compiled.given(prepared, self._context(prepared, noise))
        whole: dict[str, Tensor] = {}
        for pattern, positions in self.group(prepared, codes):
            asked = planned(pattern)
            if asked is None:
                continue
            runner = self.compiled.runner((pattern, asked[0]), asked[1])
            inner = noise if positions is None else noise.select(positions)
            results = runner.results(self._context(prepared, inner), given.of(runner.plan, positions))
            for name, found in results.items():
                value = found.expand(inner.batch, *found.shape[1:])
                if positions is not None:
                    blank = value.new_full((noise.batch, *value.shape[1:]), torch.nan)
                    value = blanks.placed(whole.get(name, blank), positions, value)
                whole[name] = value
        return whole

    def infer(self, rows: Mapping[str, Tensor], *, samples: int = 1, noise: Noise) -> dict[str, Tensor]:
        """Joint draws of every variable of q given the row's labels: {name: [S, B, *shape]}, classes as indices.

        Labels below a drawn variable are accounted for by resampling the S draws by their weights.
        """
        prepared = self._assigned(rows, samples, noise)
        repeated = {n: v.repeat_interleave(samples, dim=0) for n, v in prepared.items()}
        inner = noise.repeated(samples)
        labels = self._labels(repeated)
        runner = self.compiled.runner(("draws", labels), lambda: plan_draws(self.graphs, labels))
        found = runner.results(self._context(repeated, inner), self._given(repeated).of(runner.plan))
        found = self._with_exact(repeated, found, inner, draws=True)
        log_weight = found.pop("log weight").expand(inner.batch)
        chosen = _resample(log_weight.reshape(noise.batch, samples), noise)
        drawn = {n: v.expand(inner.batch, *v.shape[1:]) for n, v in found.items()}
        drawn = self._of_those_there(drawn, {**repeated, **drawn})
        return {n: _pick(v.reshape(noise.batch, samples, *v.shape[1:]), chosen) for n, v in drawn.items()}

    def posterior_means(self, rows: Mapping[str, Tensor], *, noise: Noise) -> dict[str, Tensor]:
        """q's mean (discrete: likeliest class) of every hidden variable [B, *shape], parents at theirs, labels
        clamped."""
        prepared = self._assigned(rows, 1, noise)
        labels = self._labels(prepared)
        runner = self.compiled.runner(("means", labels), lambda: plan_means(self.graphs, labels))
        found = runner.results(self._context(prepared, noise), self._given(prepared).of(runner.plan))
        found = self._with_exact(prepared, found, noise, draws=False)
        found.pop("log weight", None)
        found = {name: value.expand(noise.batch, *value.shape[1:]) for name, value in found.items()}
        return self._of_those_there(found, {**prepared, **found})

    def _of_those_there(self, found: dict[str, Tensor], rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Answers without those of elements that are not there by the counts of rows."""
        masks, variables = presence.presence(self.graphs, rows), self.graphs.variables
        answers = {n: presence.blank_where_absent(self.graphs, masks, n, value) for n, value in found.items()}
        return {n: presence.for_every_place(variables[n], value) for n, value in answers.items()}

    def _with_exact(
        self, rows: Mapping[str, Tensor], found: Mapping[str, Tensor], noise: Noise, *, draws: bool
    ) -> dict[str, Tensor]:
        """What was found, with values of what is summed out of p at these, and of latents that read it."""
        whole = dict(found)
        if not self.graphs.exact:
            return whole
        weight = whole.pop("log weight", None)
        values = {**rows, **{n: v.expand(noise.batch, *v.shape[1:]) for n, v in whole.items()}}
        plans = (partial(plan_chosen, self.graphs, draws=draws), partial(plan_own, self.graphs, means=not draws))
        for kind, plan in zip(("exact", "own"), plans, strict=True):
            runner = self.compiled.runner((kind, draws), plan)
            more = runner.results(self._context(values, noise), self._given(values).of(runner.plan))
            added = more.pop("log weight", None)
            weight = added if weight is None else weight if added is None else weight + added
            more = {name: value.expand(noise.batch, *value.shape[1:]) for name, value in more.items()}
            values, whole = {**values, **more}, {**whole, **more}
        return whole if weight is None else {**whole, "log weight": weight}

    def generate(
        self,
        given: Mapping[str, Tensor],
        rows: int,
        *,
        noise: Noise,
        means: bool = True,
        expected: Collection[str] = (),
    ) -> dict[str, Tensor]:
        """Ancestral draws from p with `given` variables held: {name: [rows, *shape]}, deterministic ones included.

        means: observed variables are their distribution's mean instead of a draw. Observed variables that p does not
        model must be given. Raises ValueError naming one that is not. expected: of what is given, variables of which
        the answer is the distribution's mean all the same; whatever reads them reads what is given.
        """
        fixed = self._as_values(given)
        names, told = tuple(fixed), tuple(name for name in fixed if name in expected)
        runner = self.compiled.runner(
            ("generation", names, means, told),
            lambda: plan_generation(self.graphs, names, means=means, expected=told),
        )
        tensors = self._given(fixed)
        tensors.computed = {n: v for n, v in fixed.items() if self.graphs.variables[n].role == "deterministic"}
        found = {**fixed, **runner.results(self._context(fixed, noise), tensors.of(runner.plan))}
        found = {name: value.expand(rows, *value.shape[1:]) for name, value in found.items()}
        return self._of_those_there(found, found)

    def log_prob(self, side: Side, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """log density of every factor of one graph at the given values {name: [B, *shape]}: {variable: [B]} nats.

        Every variable of that graph must be given (category as class index); deterministic ones are computed. Blank
        elements count nothing.
        Raises ValueError naming a variable that is missing or misshapen.
        """
        needed = [f.variable for f in self.graphs.order(side) if not f.deterministic]
        needed += self.graphs.exact if side == "recognition" else ()
        for name in needed:
            if name not in values:
                raise ValueError(f"log_prob needs a value for {name!r}; it was given {sorted(values)}")
        prepared = self.prepare(values)
        batch = len(next(iter(prepared.values())))
        runner = self.compiled.runner(("densities", side), lambda: plan_densities(self.graphs, side))
        found = runner.results(self._context(prepared, Noise(0, batch)), self._given(prepared).of(runner.plan))
        if side == "recognition" and self.graphs.exact:
            runner = self.compiled.runner("exact densities", lambda: plan_exact_densities(self.graphs))
            found |= runner.results(self._context(prepared, Noise(0, batch)), self._given(prepared).of(runner.plan))
        return {name: value.expand(batch) for name, value in found.items()}

    def _labels(self, rows: Mapping[str, Tensor]) -> tuple[str, ...]:
        return tuple(name for name in self.graphs.supervised if name in rows)

    def _given(self, rows: Mapping[str, Tensor]) -> GivenTensors:
        return GivenTensors(self.graphs, rows, self.dtype)

    def _context(self, rows: Mapping[str, Tensor], noise: Noise) -> Context:
        device = next((value.device for value in rows.values()), noise.generator.device)
        return self.compiled.context(noise, self._final_weights, device, presence.rooms(self.graphs, rows))

    @property
    def _final_weights(self) -> ObjectiveWeights:
        """The objective's weights at the end of training."""
        return ObjectiveWeights.at(self.graphs, self.rates, float("inf"))


def _resample(log_weights: Tensor, noise: Noise) -> Tensor:
    """[B, S] indices of draws, with probability proportional to their weights; in order where all are equal."""
    count = log_weights.shape[1]
    even = (log_weights == log_weights[:, :1]).all(1, keepdim=True)
    as_they_are = torch.arange(count, device=log_weights.device).expand(len(log_weights), count)
    if bool(even.all()):
        return as_they_are
    probabilities = torch.softmax(log_weights, dim=1)
    if noise.in_order:
        return torch.multinomial(probabilities, count, replacement=True, generator=noise.forked())
    drawn = noise.uniform("which draws", (count,), (), probabilities.dtype).T.contiguous()
    chosen = torch.searchsorted(probabilities.cumsum(1), drawn).clamp_max(count - 1)
    return torch.where(even, as_they_are, chosen)


def _pick(values: Tensor, chosen: Tensor) -> Tensor:
    """[S, B, *shape] of values [B, S, *shape] at indices [B, S]."""
    picked = values[torch.arange(len(values), device=values.device).unsqueeze(1), chosen]
    return picked.transpose(0, 1)
