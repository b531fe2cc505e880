"""One pattern's program as statements: values of hidden and deterministic variables, parameters of distributions.

The order of statements is the order in which the compiled model runs: recognition, then deterministic variables of p,
then each log density when the objective first asks for it. So equal seeds give equal draws.
"""

from compiler.emission.emission_plan import EmissionPlan, PatternCode
from compiler.emission.family_code import FamilyCode, coded_family
from compiler.emission.function import FunctionText, Symbol
from compiler.emission.text import event_text, tuple_text
from compiler.factors.parameter_sources import CONTEXT
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.program import Axes, Step, conditional_text
from graphspec.graphs.graph import Factor


class ValueWriter(FunctionText):
    """Writes the values of one program. noisy: keys of factors that draw dropout masks."""

    def __init__(self, plan: EmissionPlan, code: PatternCode, noisy: frozenset[str]) -> None:
        super().__init__(plan, code)
        self.noisy = noisy
        self.values: dict[str, Symbol] = {}
        self.shares: dict[str, Symbol] = {}
        self.steps = {("q", s.factor.variable): s for s in self.program.recognition}
        self.steps |= {("p", s.factor.variable): s for s in self.program.generative}
        self._parameters: dict[str, tuple[str, ...]] = {}
        self.at_draw: dict[str, Symbol] = {}
        self._supports: dict[str, list[str]] = {}

    def value(self, name: str) -> Symbol:
        """A variable's value; observed variables, labels and features are arguments."""
        self._supports.pop(name, None)
        if name not in self.values:
            self.values[name] = Symbol((), self.argument(name))
        return self.values[name]

    def run(self) -> None:
        """Values of everything that has one, in the order in which they are computed."""
        for step in (*self.program.recognition, *self.program.generative):
            name = step.factor.variable
            if step.action == "compute" and name not in self.plan.features:
                self.note(f"{name} = f({', '.join(step.factor.parents)})")
                call = self._call(step.factor, step.parent_axes)
                self.values[name] = self._bind(name, call, step.value_axes)
            elif name in self.program.sparse and step.action == "enumerate":
                self.values[name] = self._likeliest(step)
            elif step.action == "enumerate":
                self.values[name] = self._enumerated(step)
            elif step.action in ("reparameterize", "relax", "score_function"):
                self.values[name] = self._drawn(step)

    def _bind(self, name: str, code: str, axes: Axes) -> Symbol:
        """The variable's own identifier."""
        self.write(f"{self.plan.identifiers[name]} = {code}", self.remark(axes))
        return Symbol(axes, self.plan.identifiers[name])

    def _call(self, factor: Factor, axes: Axes) -> str:
        """`model.q_z(h, y)` with every parent on `axes`."""
        parts = []
        for parent in factor.parents:
            code = self.placed(self.value(parent), axes, whole=True)
            parts.append(f"{code}.detach()" if parent in factor.stop_gradient else code)
        for parent in self.plan.flagged(factor):
            given = Symbol((), self.argument(parent, "given"))
            parts.append(f"{self.placed(given, axes, whole=True)}.to({self.like()})")
        parts += [self._layout(axes)] if factor.key in self.noisy else []
        return f"model.{self.plan.attributes[factor.key]}({', '.join(parts)})"

    def _layout(self, axes: Axes) -> str:
        """Of a call that draws."""
        self.uses_batch = True
        sampled = ", sampled=True" if SAMPLES in self.plan.axes(axes) else ""
        return f"Layout({len(self.plan.axes(axes)) + 1}, Noise(generator, batch){sampled})"

    def parameters(self, factor: Factor, axes: Axes) -> tuple[str, ...]:
        """Names of a distribution's parameters at its parents' values; the call is written once."""
        if factor.key not in self._parameters:
            assert factor.family is not None
            letter = "p" if factor.side == "generative" else "q"
            identifier = self.plan.identifiers[factor.variable]
            infos = [CONTEXT] if factor.family.flow else [info.name for info in factor.family.parameters]
            if factor.family.flow and not factor.parents:
                return (f"{self.like()}.new_zeros(1, 0)",)
            wanted = [f"{letter}_{identifier}_{name}" for name in infos]
            names = tuple(self.names.fresh(name) for name in wanted)
            self.write(f"{', '.join(names)} = {self._call(factor, axes)}", self.remark(axes))
            self._parameters[factor.key] = names
        return self._parameters[factor.key]

    # hidden variables

    def _enumerated(self, step: Step) -> Symbol:
        """Every value, on an axis of its own."""
        name, axes = step.factor.variable, step.value_axes
        begin = len(self.lines)
        self.note(f"{name} takes all its values ({self.program.choices[name].reason})")
        code = self._support(name)
        symbol = self._bind(name, self._with_labels(name, code) if step.masked else code, axes)
        self._supports[name] = self.lines[begin:]
        return symbol

    def without_unused(self) -> list[str]:
        """The statements, less those of enumerated values that nothing reads: their probabilities were enough."""
        text = "\n".join(self.lines)
        for lines in self._supports.values():
            text = text.replace("".join(f"{line}\n" for line in lines), "", 1)
        return text.strip("\n").split("\n")

    def _support(self, name: str) -> str:
        variable, like = self.plan.graphs.variables[name], self.like()
        assert variable.support is not None
        kind = f"dtype={like}.dtype, device={like}.device"
        if not variable.shape:
            if name in self.plan.hot:
                return f"torch.eye({variable.support}, {kind})[:, None]"
            return f"torch.arange({variable.minimum}, {variable.minimum + variable.support}, {kind})[:, None]"
        code = f"every_value({variable.support}, {tuple_text(variable.shape)})"
        if name in self.plan.hot:
            return f"one_hot({code}.to({like}.device), {variable.support}, {like})"
        return f"{code}.to({like})" + (f" + {variable.minimum}" if variable.minimum else "")

    def _likeliest(self, step: Step) -> Symbol:
        """The likeliest values of an enumerated variable and one draw that stands for the others."""
        factor, axes = step.factor, step.value_axes
        name, variable = factor.variable, self.plan.graphs.variables[factor.variable]
        self.note(f"{name}: {self.program.choices[name].reason}")
        parameters = self.parameters(factor, step.parent_axes)
        family = self.family(factor)
        if not family.entry.by_class:
            raise self.refuse(factor, f"the likeliest values of {family.entry.name}")
        self.uses_batch = True
        noise, classes = family.noise(["batch"], parameters[0]), family.classes(parameters)
        identifier = self.plan.identifiers[name]
        index, share = (self.names.fresh(f"{identifier}_{what}") for what in ("index", "log_share"))
        self.write(f"{index}, {share} = likeliest({classes}, {self.program.choices[name].budget}, {noise})")
        place = self.plan.axes(axes).index(name)
        self.shares[name] = Symbol(axes, self.assign(f"log_share_{identifier}", f"{share}.movedim(-1, {place})", axes))
        if name in self.plan.hot:
            return self._bind(name, f"one_hot({index}, {variable.support}, {parameters[0]}).movedim(-2, {place})", axes)
        shift = f" + {variable.minimum}" if variable.minimum else ""
        return self._bind(name, f"{index}.movedim(-1, {place}).to({parameters[0]}){shift}", axes)

    def _drawn(self, step: Step) -> Symbol:
        """One draw per sample as a differentiable function of the parameters."""
        factor, axes = step.factor, step.value_axes
        name, variable = factor.variable, self.plan.graphs.variables[factor.variable]
        self.note(f"{name} ~ {conditional_text('q', name, factor.parents)} ({self.program.choices[name].reason})")
        parameters = self.parameters(factor, step.parent_axes)
        self.uses_batch = True
        lead = ["SAMPLES", "batch"] if self.plan.samples > 1 else ["batch"]
        placed = [self.placed(Symbol(step.parent_axes, p), axes) for p in parameters]
        family = coded_family(factor, variable)
        if family is None:
            drawn = f"standard_normal({tuple_text([*lead, *map(str, variable.shape)])}, {parameters[0]}, generator)"
            return self._sent(step, placed[0], self.placed(Symbol((SAMPLES,), drawn), axes))
        noise = self.placed(Symbol((SAMPLES,), family.noise(lead, parameters[0])), axes)
        if step.action == "score_function":
            return self._without_gradient(step, family, [f"{code}.detach()" for code in placed], noise)
        if step.action == "reparameterize":
            code = family.draw(placed, noise)
        else:
            asked = self.plan.graphs.spec.objective.estimators.get(name)
            hard = asked is not None and asked.straight_through
            code = family.relaxed(placed, noise, self.weight("temperature", name), hard=hard)
        if code is None:
            raise self.refuse(factor, f"draws of {family.entry.name}")
        return self._bind(name, self._with_labels(name, code) if step.masked else code, axes)

    def _without_gradient(self, step: Step, family: FamilyCode, parameters: list[str], noise: str) -> Symbol:
        """A draw that no gradient flows through: the score function takes its place."""
        name, variable = step.factor.variable, self.plan.graphs.variables[step.factor.variable]
        code = family.drawn(parameters, noise)
        if family.entry.by_class and name in self.plan.hot:
            code = f"one_hot({code}, {variable.support}, {parameters[0].removesuffix('.detach()')})"
        elif family.entry.by_class:
            index = self.assign(f"{self.plan.identifiers[name]}_index", code, step.value_axes)
            code = f"{index}.to({self.like()})" + (f" + {variable.minimum}" if variable.minimum else "")
        return self._bind(name, self._with_labels(name, code) if step.masked else code, step.value_axes)

    def family(self, factor: Factor, wanted: str = "this use") -> FamilyCode:
        """The family of a factor that is no flow, for which there is no code of what is wanted."""
        found = coded_family(factor, self.plan.graphs.variables[factor.variable])
        if found is None:
            assert factor.family is not None
            raise self.refuse(factor, f"{wanted} of {factor.family.name}")
        return found

    def flow(self, factor: Factor) -> str:
        """The map of a flow."""
        return f"model.{self.plan.attributes[factor.key]}.flow"

    def _sent(self, step: Step, context: str, noise: str) -> Symbol:
        """Noise sent through a flow; the density of the draw comes with it."""
        name, axes = step.factor.variable, step.value_axes
        identifier, event = self.plan.identifiers[name], event_text(self.plan.graphs.variables[name].shape)
        call = f"flow_draw({self.flow(step.factor)}, {context}, {noise}, {event})"
        if step.action == "score_function":
            call = f"{call}[0].detach()"
            return self._bind(name, self._with_labels(name, call) if step.masked else call, axes)
        if step.masked:
            return self._bind(name, self._with_labels(name, f"{call}[0]"), axes)
        density = self.names.fresh(f"log_q_{identifier}")
        self.write(f"{identifier}, {density} = {call}", self.remark(axes))
        self.at_draw[name] = Symbol(axes, density)
        return Symbol(axes, identifier)

    def _with_labels(self, name: str, hidden: str) -> str:
        """A masked variable's value: its label where there is one."""
        mask = self.argument(name, "given") + (".unsqueeze(-1)" if name in self.plan.hot else "")
        return f"torch.where({mask}, {self.argument(name, 'label')}, {hidden})"
