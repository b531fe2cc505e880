"""What the writers of one factor's class share: its attributes, its statements, and where its weights come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from compiler.emission.text import Names
from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Graphs
from graphspec.text.report import Report
from graphspec.text.tree import Path

Outputs = dict[str, str]
"""Code of each output's unconstrained value, by the parameter's name."""


def refused(graphs: Graphs, path: Path, what: str) -> SpecError:
    """A located GS090: the model runs, its code is not written yet."""
    assert graphs.document is not None, "graphs come from `load`"
    report = Report(graphs.document)
    hint = "everything else works with this spec; only --emit has to wait"
    report.error("GS090", path, f"not emitted as code yet: {what}", hint=hint)
    return SpecError(report.diagnostics)


@dataclass
class ClassText:
    """A class on its way: statements of `__init__` and `forward`, and weights by their two names.

    arguments: what `forward` is told, by the name that networks know it by. paths: name of every module in the compiled
    model's checkpoint. decays, rate_factors: `weight_decay` and `learning_rate_factor` of attributes. noisy: `forward`
    draws something. imports: of classes of the user's own, (module, name). code: the whole class, once it is written.
    """

    name: str
    graphs: Graphs
    path: Path
    arguments: Mapping[str, str]
    paths: Mapping[nn.Module, str]
    scope: Names
    attributes: Names = field(default_factory=Names)
    init: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    renames: dict[str, str] = field(default_factory=dict)
    near: dict[str, str] = field(default_factory=dict)
    imports: set[tuple[str, str]] = field(default_factory=set)
    decays: dict[str, float] = field(default_factory=dict)
    rate_factors: dict[str, float] = field(default_factory=dict)
    noisy: bool = False
    code: str = ""

    def own(self, wanted: str, code: str, theirs: str) -> str:
        """A new attribute, `self.name`, whose weights have the name `theirs` in a checkpoint (or begin with it)."""
        name = self.attributes.fresh(wanted)
        self.init.append(f"self.{name} = {code}")
        self.renames[name] = theirs
        return f"self.{name}"

    def assign(self, wanted: str, code: str) -> str:
        """One statement of `forward`, and the name that it gives."""
        target = self.scope.fresh(wanted)
        self.forward.append(f"{target} = {code}")
        return target

    def refuse(self, what: str) -> SpecError:
        """A located GS090."""
        return refused(self.graphs, self.path, what)
