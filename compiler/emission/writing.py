"""What the writers of one factor's class share: its attributes, its statements, and where its weights come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from compiler.emission.text import Names
from compiler.networks.interface import ParentInput
from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Graphs
from graphspec.text.report import Report
from graphspec.text.tree import Path


def refused(graphs: Graphs, path: Path, what: str) -> SpecError:
    """A located GS090: the model runs, its code is not written yet."""
    assert graphs.document is not None, "graphs come from `load`"
    report = Report(graphs.document)
    hint = "everything else works with this spec; only --emit has to wait"
    report.error("GS090", path, f"not emitted as code yet: {what}", hint=hint)
    return SpecError(report.diagnostics)


@dataclass(frozen=True)
class Entry:
    """One parent as a class's forward receives it: an argument with leading dimensions, then the event.

    hot: class weights [..., *shape, K] (one-hot where the value is known).
    """

    parent: ParentInput
    argument: str
    hot: bool

    @property
    def event(self) -> tuple[int, ...]:
        """Trailing sizes of the argument."""
        return (*self.parent.shape, self.parent.classes) if self.hot else self.parent.shape

    def numbers(self) -> str:
        """The value as numbers [..., *shape]; not for a category."""
        if self.hot:
            return f"expected_log1p({self.argument}, {self.parent.minimum})"
        return f"signed_log1p({self.argument})" if self.parent.encoding == "log1p" else self.argument

    def flat(self) -> str:
        """Everything as one vector per row, [..., width]."""
        table = self.parent.encoding == "table"
        code, rank = (self.argument, len(self.event)) if table else (self.numbers(), len(self.parent.shape))
        if rank == 0:
            return f"{code}.unsqueeze(-1)"
        return code if rank == 1 else f"{code}.flatten(-{rank})"


@dataclass
class ClassText:
    """A class on its way: statements of `__init__` and `forward`, classes it needs, and weights by their two names.

    single: values have one leading dimension, the rows. whole: it runs once, on all rows of a batch.
    paths: name of every module in the compiled model's checkpoint.
    """

    name: str
    graphs: Graphs
    path: Path
    entries: Mapping[str, Entry]
    paths: Mapping[nn.Module, str]
    scope: Names
    single: bool
    whole: bool
    attributes: Names = field(default_factory=Names)
    init: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    helpers: list[list[str]] = field(default_factory=list)
    renames: dict[str, str] = field(default_factory=dict)
    noisy: bool = False

    def own(self, wanted: str, code: str) -> str:
        """A new attribute; `self.name`."""
        name = self.attributes.fresh(wanted)
        self.init.append(f"self.{name} = {code}")
        return f"self.{name}"

    def layer(self, wanted: str, code: str, module: nn.Module) -> str:
        """A new attribute whose weights are all those of `module`."""
        attribute = self.own(wanted, code)
        self.renames[attribute.removeprefix("self.")] = self.paths[module]
        return attribute

    def weight(self, attribute: str, part: str, theirs: str) -> None:
        """One tensor of an attribute by its name in the checkpoint."""
        self.renames[".".join([attribute.removeprefix("self."), part]).rstrip(".")] = theirs

    def assign(self, target: str, code: str) -> str:
        """One statement of `forward`."""
        self.forward.append(f"{target} = {code}")
        return target

    def map_layer(self, layer: str, maps: str) -> str:
        """A layer of images on maps that may have several leading dimensions."""
        return f"{layer}({maps})" if self.single else f"on_rows({layer}, {maps})"

    def refuse(self, what: str) -> SpecError:
        """A located GS090."""
        return refused(self.graphs, self.path, what)


def in_order(entries: Mapping[str, Entry], names: Sequence[str]) -> list[Entry]:
    """Entries in the order the spec lists the parents."""
    return [entry for name, entry in entries.items() if name in names]
