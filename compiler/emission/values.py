"""One pattern's program as statements: arguments, values of hidden variables, parameters, log densities.

The order of statements is the order in which the compiled model runs: recognition, then deterministic variables of p,
then each log density when the objective first asks for it. So equal seeds give equal draws.
"""

from dataclasses import dataclass, replace
from math import log, prod

from compiler.emission import families
from compiler.emission.plan import PatternCode, Plan
from compiler.emission.text import Names, event_sum, statement, tuple_text
from compiler.emission.weights import WeightKind, WeightName, weight_code
from compiler.emission.writing import refused
from compiler.expression import Part
from compiler.naming import SAMPLES, canonical
from compiler.program import Axes, Step
from graphspec.diagnostics import SpecError
from graphspec.graph import Factor


@dataclass(frozen=True)
class Symbol:
    """Code of a tensor [*axes, B, *event] (leading dimensions may be absent where nothing varies), and its axes."""

    axes: Axes
    code: str

    @property
    def atomic(self) -> bool:
        """A name."""
        return self.code.isidentifier()


class ProgramWriter:
    """Writes what one program computes. `lines`: statements of the function's body so far."""

    def __init__(self, plan: Plan, code: PatternCode, noisy: frozenset[str]) -> None:
        self.plan, self.pattern, self.program = plan, code.pattern, code.program
        self.noisy = noisy
        self.names: Names = plan.names.inner()
        self.lines: list[str] = []
        self.arguments: dict[str, str] = {}
        self.uses_batch = False
        self.weights: list[WeightName] = []
        self.extras: set[str] = set()
        self.values: dict[str, Symbol] = {}
        self._steps = {("q", s.factor.variable): s for s in self.program.recognition}
        self._steps |= {("p", s.factor.variable): s for s in self.program.generative}
        self._parameters: dict[str, tuple[str, ...]] = {}
        self._densities: dict[tuple[str, str, Part], Symbol] = {}

    def refuse(self, factor: Factor, what: str) -> SpecError:
        """A located GS090."""
        return refused(self.plan.graphs, (factor.side, factor.variable), what)

    def write(self, text: str, remark: str = "") -> None:
        """One statement."""
        self.lines += statement(text, 1, remark)

    def assign(self, wanted: str, code: str, axes: Axes | None = None) -> str:
        """A new local variable; the remark tells its leading axes."""
        name = self.names.fresh(wanted)
        self.write(f"{name} = {code}", "" if not axes else self.axes_remark(axes))
        return name

    def axes_remark(self, axes: Axes) -> str:
        """`[y, B]`."""
        shown = ["S" if axis == SAMPLES else axis for axis in self.plan.axes(axes)]
        return f"[{', '.join([*shown, 'B'])}]" if shown else ""

    # arguments

    def argument(self, name: str, suffix: str = "") -> str:
        """A tensor that the function is given; its Python name."""
        identifier = self.plan.identifiers[name] + suffix
        self.arguments[name + suffix] = identifier
        return identifier

    def like(self) -> str:
        """A floating tensor of the function's own dtype and device."""
        return self.argument(self.plan.graphs.observed[0])

    def value(self, name: str) -> Symbol:
        """A variable's value; observed variables and features are arguments."""
        if name not in self.values:
            self.values[name] = Symbol((), self.argument(name))
        return self.values[name]

    def placed(self, symbol: Symbol, onto: Axes) -> str:
        """Code that broadcasts over `onto`: axes in front come by themselves, others need a None."""
        own, target = self.plan.axes(symbol.axes), self.plan.axes(onto)
        missing = [axis not in own for axis in target]
        while missing and missing[0]:
            missing.pop(0)
        while missing and not missing[-1]:
            missing.pop()
        if not any(missing) or not own:
            return symbol.code
        index = ", ".join("None" if gone else ":" for gone in missing)
        return f"{symbol.code if symbol.atomic else f'({symbol.code})'}[{index}]"

    # running the program

    def run(self) -> None:
        """Values of everything that has one, in the order in which they are computed."""
        for step in (*self.program.recognition, *self.program.generative):
            name = step.factor.variable
            if step.action == "compute" and name not in self.plan.features:
                code = f"model.{self.plan.attributes[step.factor.key]}({self._call_arguments(step.factor, step.parent_axes)})"
                self._note(f"{name} = f({', '.join(step.factor.parents)})")
                self.values[name] = Symbol(step.value_axes, self._bind(name, code, step.value_axes))
            elif step.action == "enumerate":
                self.values[name] = self._enumerated(step)
            elif step.action in ("reparameterize", "relax"):
                self.values[name] = self._drawn(step)
            elif step.action not in ("compute", "clamp", "score"):
                raise self.refuse(step.factor, f"the estimator {step.action}")

    def _bind(self, name: str, code: str, axes: Axes) -> str:
        """The variable's own identifier."""
        self.write(f"{self.plan.identifiers[name]} = {code}", self.axes_remark(axes))
        return self.plan.identifiers[name]

    def _note(self, text: str) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")
        self.lines.append(f"    # {text}")

    def _call_arguments(self, factor: Factor, axes: Axes) -> str:
        parts = []
        for parent in factor.parents:
            symbol = self.value(parent)
            code = self.placed(symbol, axes)
            parts.append(f"{code}.detach()" if parent in factor.stop_gradient else code)
        if factor.key in self.noisy:
            parts += [self._lead_of_mask(axes), "generator"]
        return ", ".join(parts)

    def _lead_of_mask(self, axes: Axes) -> str:
        self.uses_batch = True
        if SAMPLES not in self.plan.axes(axes):
            return "(batch,)"
        return tuple_text(["SAMPLES", *["1"] * (len(axes) - 1), "batch"])

    def _enumerated(self, step: Step) -> Symbol:
        name, axes = step.factor.variable, step.value_axes
        variable, like = self.plan.graphs.variables[name], self.like()
        assert variable.support is not None
        kind = f"dtype={like}.dtype, device={like}.device"
        self._note(f"every value of {name}: {self.program.choices[name].reason}")
        if variable.shape:
            code = f"every_value({variable.support}, {tuple_text(variable.shape)})"
            if name in self.plan.hot:
                code = f"one_hot({code}.to({like}.device), {variable.support}, {like})"
            else:
                code = f"{code}.to({like})" + (f" + {variable.minimum}" if variable.minimum else "")
        elif name in self.plan.hot:
            code = f"torch.eye({variable.support}, {kind})[:, None]"
        else:
            last = variable.minimum + variable.support
            code = f"torch.arange({variable.minimum}, {last}, {kind})[:, None]"
        if step.masked:
            return Symbol(axes, self._bind(name, self._with_labels(name, code), axes))
        return Symbol(axes, self._bind(name, code, axes))

    def _with_labels(self, name: str, hidden: str) -> str:
        """A masked variable's value: its label where there is one."""
        label, mask = self._label(name)
        mask += ".unsqueeze(-1)" if name in self.plan.hot else ""
        return f"torch.where({mask}, {label}, {hidden})"

    def _label(self, name: str) -> tuple[str, str]:
        """What a row has of a masked variable, something legal elsewhere; and where it has it."""
        return self.argument(name, "_known"), self.argument(name, "_given")

    def _drawn(self, step: Step) -> Symbol:
        factor, axes = step.factor, step.value_axes
        name, variable = factor.variable, self.plan.graphs.variables[factor.variable]
        assert factor.family is not None
        family, rank = factor.family.name, len(variable.shape)
        self._note(f"{self._title(step)}: {self.program.choices[name].reason}")
        parameters = self.parameters(factor, step.parent_axes)
        self.uses_batch = True
        lead = ["SAMPLES", "batch"] if self.plan.samples > 1 else ["batch"]
        if family not in families.FAMILIES:
            raise self.refuse(factor, f"draws of {family}")
        noise = families.noise_call(family, lead, variable.shape, variable.support, parameters[0])
        noise = self.placed(Symbol((SAMPLES,), noise), axes)
        placed = [self.placed(Symbol(step.parent_axes, p), axes) for p in parameters]
        if step.action == "reparameterize":
            code = families.draw(family, placed, noise, rank)
        else:
            asked = self.plan.graphs.spec.objective.estimators.get(name)
            temperature = self.weight("temperature", name)
            hard = asked is not None and asked.straight_through
            code = families.relaxed(family, placed, noise, temperature, hard=hard)
        if code is None:
            raise self.refuse(factor, f"draws of {family}")
        return Symbol(axes, self._bind(name, self._with_labels(name, code) if step.masked else code, axes))

    def _title(self, step: Step) -> str:
        given = f" | {', '.join(step.factor.parents)}" if step.factor.parents else ""
        return f"{step.factor.variable} ~ q({step.factor.variable}{given})"

    def weight(self, kind: WeightKind, name: str) -> str:
        """Code of a number of the objective."""
        if (kind, name) not in self.weights:
            self.weights.append((kind, name))
        code, needs = weight_code(self.plan, kind, name)
        self.extras |= needs
        return code

    # densities

    def parameters(self, factor: Factor, axes: Axes) -> tuple[str, ...]:
        """Names of a distribution's parameters at its parents' values; the call is written once."""
        if factor.key not in self._parameters:
            assert factor.family is not None
            letter = "p" if factor.side == "generative" else "q"
            identifier = self.plan.identifiers[factor.variable]
            wanted = [f"{letter}_{identifier}_{info.name}" for info in factor.family.parameters]
            names = tuple(self.names.fresh(name) for name in wanted)
            call = f"model.{self.plan.attributes[factor.key]}({self._call_arguments(factor, axes)})"
            self.write(f"{', '.join(names)} = {call}", self.axes_remark(axes))
            self._parameters[factor.key] = names
        return self._parameters[factor.key]

    def log_density(self, side: str, name: str, part: Part) -> Symbol:
        """log p or log q of one variable, or of the given or hidden elements of a masked one; written once."""
        key = (side, name, part)
        if key not in self._densities:
            self._densities[key] = self._density(side, self._steps[side, name], part)
        return self._densities[key]

    def _density(self, side: str, step: Step, part: Part) -> Symbol:
        name, variable = step.factor.variable, self.plan.graphs.variables[step.factor.variable]
        axes = step.parent_axes if part == "given" else step.density_axes
        wanted = f"log_{side}_{self.plan.identifiers[name]}" + ("" if part == "all" else f"_{part}")
        prior = self.plan.prior(step.factor)
        if prior == "uniform" and part == "all":
            assert variable.support is not None
            return Symbol((), _uniform_text(variable.support, prod(variable.shape)))
        if self._is_table(step, part):
            return Symbol(axes, self.assign(wanted, self._table(step), axes))
        value = Symbol((), self._label(name)[0]) if part == "given" else replace(self.value(name))
        each = self._each(step, self.placed(value, axes), axes, prior)
        return Symbol(axes, self.assign(wanted, self._summed(name, each, part), axes))

    def _is_table(self, step: Step, part: Part) -> bool:
        """Every class of an enumerated scalar is scored: the log probabilities themselves, moved to the front."""
        name = step.factor.variable
        action = self._steps["q", name].action if ("q", name) in self._steps else ""
        family = step.factor.family
        assert family is not None
        known = family.name in families.FAMILIES and families.FAMILIES[family.name].classes is not None
        scalar = not self.plan.graphs.variables[name].shape
        return action == "enumerate" and known and scalar and part == "all" and not self._steps["q", name].masked

    def _table(self, step: Step) -> str:
        family = step.factor.family
        assert family is not None
        classes = families.FAMILIES[family.name].classes
        assert classes is not None
        parameters = self.parameters(step.factor, step.parent_axes)
        place = self.plan.axes(step.density_axes).index(step.factor.variable)
        if not step.factor.parents:
            return f"{classes(parameters)}.unsqueeze(-1)"
        return f"{classes(parameters)}.movedim(-1, {place})"

    def _each(self, step: Step, value: str, axes: Axes, prior: str | None) -> str:
        """Log density of each element."""
        factor, name = step.factor, step.factor.variable
        variable = self.plan.graphs.variables[name]
        assert factor.family is not None
        family = factor.family.name
        if prior == "standard normal":
            return f"standard_normal_log_prob({value})"
        if prior == "uniform":
            assert variable.support is not None
            return _uniform_text(variable.support, 1)
        parameters = [self.placed(Symbol(step.parent_axes, p), axes) for p in self.parameters(factor, step.parent_axes)]
        if family not in families.FAMILIES:
            raise self.refuse(factor, f"the density of {family}")
        if families.FAMILIES[family].classes is not None and name not in self.plan.hot:
            shift = f" - {variable.minimum}" if variable.minimum else ""
            value = f"one_hot({value}{shift}, {variable.support}, {parameters[0]})"
        levels = None
        if family == "discretized_logistic":
            levels = int(factor.options.get("levels", factor.family.options["levels"][0]))
        code = families.log_prob(family, value, parameters, len(variable.shape), levels)
        assert code is not None
        return code

    def _summed(self, name: str, each: str, part: Part) -> str:
        """Over the event, or over the elements that a mask keeps."""
        rank = len(self.plan.graphs.variables[name].shape)
        if part == "all":
            return event_sum(each, rank)
        mask = self._mask(name)
        if each.startswith("-math.log("):
            kept = event_sum(f"({'~' if part == 'hidden' else ''}{mask}).to({self.like()})", rank)
            return f"{kept} * {each}"
        return event_sum(f"torch.where({'~' if part == 'hidden' else ''}{mask}, {each}, 0.0)", rank)

    def _mask(self, name: str) -> str:
        """Where a row has elements; one for each simplex of a multivariate family."""
        variable = self.plan.graphs.variables[name]
        mask = self.argument(name, "_given")
        return f"{mask}[:, :1]" if variable.domain in ("direction", "simplex") else mask

    def log_axis(self, name: str) -> Symbol:
        """log probability of each value on an enumerated variable's axis."""
        step = self._steps["q", name]
        if not step.masked:
            return self.log_density("q", name, "all")
        hidden = self.log_density("q", name, "hidden")
        variable = self.plan.graphs.variables[name]
        assert variable.support is not None
        given = f"{self.argument(name, '_given')}.to({self.like()})"
        count = f"{given}.flatten(1).sum(1)" if variable.shape else given
        self._note(f"the axis of {name} repeats each value once for every way to fill its given elements")
        wanted = f"log_share_{self.plan.identifiers[name]}"
        return Symbol(hidden.axes, self.assign(wanted, f"{hidden.code} - {count} * math.log({variable.support})", hidden.axes))

    def divergence(self, name: str, part: Part) -> Symbol:
        """KL(q || p) of one variable in closed form."""
        q, p = self._steps["q", name], self._steps["p", name]
        assert q.factor.family is not None and p.factor.family is not None
        axes = canonical((*q.parent_axes, *p.parent_axes))
        rank = len(self.plan.graphs.variables[name].shape)
        ours = [self.placed(Symbol(q.parent_axes, c), axes) for c in self.parameters(q.factor, q.parent_axes)]
        prior = self.plan.prior(p.factor)
        if prior == "standard normal" and q.factor.family.name == "normal":
            each: str | None = f"standard_normal_kl({', '.join(ours)})"
        else:
            if prior is None:
                found = self.parameters(p.factor, p.parent_axes)
                theirs = [self.placed(Symbol(p.parent_axes, code), axes) for code in found]
            else:
                zeros, ones = f"torch.zeros_like({ours[0]})", f"torch.ones_like({ours[0]})"
                theirs = [zeros, ones] if prior == "standard normal" else [zeros]
            each = families.closed_kl(q.factor.family.name, p.factor.family.name, ours, theirs, rank)
        if each is None:
            raise self.refuse(q.factor, f"KL({q.factor.family.name} || {p.factor.family.name})")
        wanted = f"kl_{self.plan.identifiers[name]}"
        return Symbol(axes, self.assign(wanted, self._summed(name, each, part), axes))


def _uniform_text(support: int, elements: int) -> str:
    times = f"{elements} * " if elements > 1 else ""
    assert log(support) > 0
    return f"-{times}math.log({support})"
