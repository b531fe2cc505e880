"""What building one factor's networks needs: how its parents enter, and where mistakes of a user's own module stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from compiler.networks import Network, ParentInput, Setup, UserModuleError, found_beside, look_beside
from compiler.networks.blueprint import Construction, blueprint
from compiler.networks.initialization import Initializer
from compiler.symbolic.networks_read import state_of
from compiler.tensors.blanks import PRESENCE
from graphspec.diagnostics import Diagnostic, SpecError
from graphspec.graphs.graph import Factor, Graphs, Variable
from graphspec.language import NetworkSpec
from graphspec.language.networks import PythonNetwork, Weighted


def parent_input(variable: Variable, own_units: bool = False, state: bool = False) -> ParentInput:
    """How a variable enters the networks of its children. own_units: as it is. state: what a `gru` carries along."""
    started = variable.start is not None and variable.start.logarithm and not own_units
    encoding = "entered" if started else variable.info.encoding
    return ParentInput(variable.name, encoding, variable.shape, variable.support, variable.minimum, state)


def presence_inputs(parents: Sequence[Variable]) -> dict[str, ParentInput]:
    """A flag per element beside every parent that may be blank, so that a blank zero is not taken for a value; one flag
    beside a neighbour that may not be there."""
    flags = ((v.name, v.presence) for v in parents)
    return {n + PRESENCE: ParentInput(n + PRESENCE, "identity", shape) for n, shape in flags if shape is not None}


@dataclass(frozen=True)
class Scene:
    """What building the sources of one factor needs."""

    factor: Factor
    graphs: Graphs
    seed: int = 0
    dtype: torch.dtype = torch.float32
    allow_python: bool = False
    built: dict[Network, Construction] = field(default_factory=dict)
    """The networks that were built here, and how."""

    def network(
        self,
        spec: NetworkSpec,
        parents: Sequence[str],
        outputs: Mapping[str, tuple[int, ...]],
        *,
        below: str = "",
        head_gain: float = 1.0,
    ) -> Network:
        """The network over `parents`; below: the parameter that it alone gives. Raises SpecError for user modules."""
        state, variables = state_of(self.graphs, self.factor), self.graphs.variables
        inputs = {name: parent_input(variables[name], spec.own_units, name == state) for name in parents}
        if not spec.own_units:
            inputs |= presence_inputs([variables[name] for name in parents if name != state])
        key = f"{self.factor.key}/{below}" if below else self.factor.key
        if isinstance(spec, PythonNetwork) and not self.allow_python:
            message = f"{self.factor.key} runs code of your own, {spec.target}"
            raise self._refused(UserModuleError(message, "start again with --allow-python if you trust it"), below)
        if isinstance(spec, PythonNetwork):
            look_beside(self.graphs.home)
            spec = spec.model_copy(update={"args": found_beside(self.graphs.home, spec.args)})
        try:
            setup = Setup(inputs, outputs, Initializer(self.seed, key, self.dtype), head_gain)
            plan = blueprint(spec, setup)
            network = plan.build(setup)
        except UserModuleError as error:
            raise self._refused(error, below) from error
        decay, rate = (spec.weight_decay, spec.learning_rate_factor) if isinstance(spec, Weighted) else (0.0, 1.0)
        self.built[network] = Construction(plan, setup, spec.own_units, decay, rate)
        return network

    def _refused(self, error: UserModuleError, below: str) -> SpecError:
        name = self.factor.network_name
        inline = (self.factor.side, self.factor.variable, *(("parameters", below) if below else ()), "network")
        path = ("networks", name) if name and not below else inline
        document = self.graphs.document
        span, source = document.locate((*path, "target")) if document else (None, self.graphs.source)
        return SpecError([Diagnostic("GS069", error.message, span, source, hint=error.hint)])
