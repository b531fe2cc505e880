"""Log densities and closed-form divergences of one pattern's program, each written when it is first asked for."""

from math import prod
from typing import Literal

from compiler.emission.emission_plan import EmissionPlan, PatternCode
from compiler.emission.family_code import called, coded_family
from compiler.emission.function import Symbol
from compiler.emission.text import event_sum, event_text, number
from compiler.emission.values import ValueWriter
from compiler.symbolic.axis_names import canonical
from compiler.symbolic.objective import Part
from compiler.symbolic.program import Axes, Step

Leaf = (
    tuple[Literal["density"], tuple[str, str, Part]]
    | tuple[Literal["divergence"], tuple[str, Part]]
    | tuple[Literal["share"], str]
)
"""Something with a value at the draws that the objective asks for."""


class DensityWriter(ValueWriter):
    """Adds densities to the values. doubly: log q forgets its parameters (the doubly reparameterised gradient)."""

    def __init__(self, plan: EmissionPlan, code: PatternCode, noisy: frozenset[str], *, doubly: bool) -> None:
        super().__init__(plan, code, noisy)
        self.doubly = doubly
        self._densities: dict[tuple[str, str, Part], Symbol] = {}
        self._divergences: dict[tuple[str, Part], Symbol] = {}
        self.asked: list[Leaf] = []

    def _remember(self, leaf: "Leaf") -> None:
        if leaf not in self.asked:
            self.asked.append(leaf)

    def ask(self, leaf: "Leaf") -> Symbol:
        """The same leaf again."""
        match leaf:
            case ("density", (side, name, part)):
                return self.log_density(side, name, part)
            case ("divergence", (name, part)):
                return self.divergence(name, part)
            case _:
                return self.log_axis(leaf[1])

    def log_density(self, side: str, name: str, part: Part) -> Symbol:
        """log p or log q of one variable, or of the given or hidden elements of a masked one; written once."""
        key = (side, name, part)
        if key == ("q", name, "all") and name in self.at_draw and not self.doubly:
            self._remember(("density", key))
            return self.at_draw[name]
        if key not in self._densities:
            self._remember(("density", key))
            self._densities[key] = self._density(side, self.steps[side, name], part)
        return self._densities[key]

    def _density(self, side: str, step: Step, part: Part) -> Symbol:
        name, variable = step.factor.variable, self.plan.graphs.variables[step.factor.variable]
        axes = step.parent_axes if part == "given" else step.density_axes
        wanted = f"log_{side}_{self.plan.identifiers[name]}" + ("" if part == "all" else f"_{part}")
        prior = self.plan.prior(step.factor)
        if prior == "uniform" and part == "all":
            assert variable.support is not None
            elements = prod(variable.shape)
            times = f"{elements} * " if elements > 1 else ""
            return Symbol((), self.assign(wanted, f"-{times}math.log({variable.support})"))
        if self._is_table(step, part):
            return Symbol(axes, self.assign(wanted, self._table(step), axes))
        value = Symbol((), self._label(name)) if part == "given" else self.value(name)
        placed = self.placed(value, axes)
        if step.factor.family is not None and step.factor.family.flow:
            code = self._of_flow(step, placed, axes, part)
        else:
            code = self._summed(name, self._each(step, placed, axes), part)
        return Symbol(axes, self.assign(wanted, code, axes))

    def _label(self, name: str) -> str:
        """What a row has of a masked variable, something legal elsewhere."""
        return self.argument(name, "label" if name in self.program.pattern.masked else "known")

    def _is_table(self, step: Step, part: Part) -> bool:
        """Every class of an enumerated scalar is scored: the log probabilities themselves, moved to the front.

        Not where the parents vary along that axis too: there each class is scored under its own parents.
        """
        name, variable = step.factor.variable, self.plan.graphs.variables[step.factor.variable]
        own = self.steps.get(("q", name))
        whole = own is not None and own.action == "enumerate" and not own.masked and name not in self.program.sparse
        family = coded_family(step.factor, variable)
        if family is None or not family.entry.by_class or variable.shape:
            return False
        return whole and part == "all" and name not in step.parent_axes

    def _table(self, step: Step) -> str:
        classes = self.family(step.factor).classes(self.parameters(step.factor, step.parent_axes))
        place = self.plan.axes(step.density_axes).index(step.factor.variable)
        if not step.factor.parents:
            return f"{classes}.unsqueeze(-1)"
        return f"{classes}.movedim(-1, {place})"

    def _of_flow(self, step: Step, value: str, axes: Axes, part: Part) -> str:
        """Log density of all elements together."""
        shape = self.plan.graphs.variables[step.factor.variable].shape
        (found,) = self.parameters(step.factor, step.parent_axes)
        context = self.placed(Symbol(step.parent_axes, found), axes)
        constant = self.doubly and step.action == "reparameterize"
        given = [self.flow(step.factor), f"{context}.detach()" if constant else context, value, event_text(shape)]
        code = f"flow_log_prob({', '.join([*given, *(['constant=True'] if constant else [])])})"
        if part == "all":
            return code
        mask = self.argument(step.factor.variable, "given") + (".flatten(1)[:, 0]" if shape else "")
        return f"torch.where({f'~{mask}' if part == 'hidden' else mask}, {code}, 0.0)"

    def _each(self, step: Step, value: str, axes: Axes) -> str:
        """Log density of each element."""
        factor, variable = step.factor, self.plan.graphs.variables[step.factor.variable]
        family, prior = self.family(factor), self.plan.prior(factor)
        if prior == "uniform":
            return f"-math.log({variable.support})"
        if prior is not None and family.entry.standard_log_prob is not None:
            return called(family.entry.standard_log_prob, [value], family.extras)
        parameters = [self.placed(Symbol(step.parent_axes, p), axes) for p in self.parameters(factor, step.parent_axes)]
        if self.doubly and step.action == "reparameterize":
            parameters = [f"{code}.detach()" for code in parameters]
        if family.entry.by_class and factor.variable not in self.plan.hot:
            shift = f" - {variable.minimum}" if variable.minimum else ""
            value = f"one_hot({value}{shift}, {variable.support}, {parameters[0]})"
        return family.log_prob(value, parameters)

    def each_pair(self, step: Step, draws: str, parameters: list[str]) -> str:
        """Log density of each element of other rows' draws, for the aggregate over the data."""
        family = self.family(step.factor, "the total correlation")
        if family.entry.family.multivariate:
            raise self.refuse(step.factor, f"the total correlation of {family.entry.name}")
        return family.log_prob(draws, parameters)

    def _summed(self, name: str, each: str, part: Part) -> str:
        """Over the event, or over the elements that a mask keeps."""
        variable = self.plan.graphs.variables[name]
        rank = len(variable.shape)
        if part == "all":
            return event_sum(each, rank)
        mask = self.argument(name, "given")
        mask = f"{mask}[:, :1]" if variable.domain in ("direction", "simplex") else mask
        mask = f"~{mask}" if part == "hidden" else mask
        if each.startswith("-math.log("):
            return f"{event_sum(f'({mask}).to({self.like()})', rank)} * {each}"
        return event_sum(f"torch.where({mask}, {each}, 0.0)", rank)

    def log_axis(self, name: str) -> Symbol:
        """log probability of each value on an enumerated variable's axis; written once."""
        if name in self.shares:
            self._remember(("share", name))
            return self.shares[name]
        if not self.steps["q", name].masked:
            return self.log_density("q", name, "all")
        hidden, variable = self.log_density("q", name, "hidden"), self.plan.graphs.variables[name]
        given = f"{self.argument(name, 'given')}.to({self.like()})"
        count = f"{given}.flatten(1).sum(1)" if variable.shape else given
        self.remarks(f"the axis of {name} repeats each value once for every way to fill its given elements")
        code = f"{hidden.code} - {count} * math.log({variable.support})"
        wanted = f"log_share_{self.plan.identifiers[name]}"
        self.shares[name] = Symbol(hidden.axes, self.assign(wanted, code, hidden.axes))
        return self.shares[name]

    def divergence(self, name: str, part: Part) -> Symbol:
        """KL(q || p) of one variable in closed form; written once."""
        if (name, part) not in self._divergences:
            self._remember(("divergence", (name, part)))
            self._divergences[name, part] = self._divergence(name, part)
        return self._divergences[name, part]

    def _divergence(self, name: str, part: Part) -> Symbol:
        q, p = self.steps["q", name], self.steps["p", name]
        axes = canonical((*q.parent_axes, *p.parent_axes))
        ours = [self.placed(Symbol(q.parent_axes, c), axes) for c in self.parameters(q.factor, q.parent_axes)]
        family, prior = self.family(q.factor), self.family(p.factor)
        each = None if self.plan.prior(p.factor) is None else family.standard_divergence(prior, ours)
        if each is None:
            each = family.divergence(prior, ours, self._prior_parameters(p, ours, axes))
        if each is None:
            raise self.refuse(q.factor, f"KL({family.entry.name} || {prior.entry.name})")
        wanted = f"kl_{self.plan.identifiers[name]}"
        return Symbol(axes, self.assign(wanted, self._summed(name, each, part), axes))

    def _prior_parameters(self, step: Step, like: list[str], axes: Axes) -> list[str]:
        """Parameters of p's factor; those of a standard prior in place."""
        if self.plan.prior(step.factor) is None:
            found = self.parameters(step.factor, step.parent_axes)
            return [self.placed(Symbol(step.parent_axes, code), axes) for code in found]
        standard = [info.standard for info in self.family(step.factor).entry.family.parameters]
        made = {0.0: f"torch.zeros_like({like[0]})", 1.0: f"torch.ones_like({like[0]})"}
        return [made.get(value, f"torch.full_like({like[0]}, {number(value)})") for value in standard]
