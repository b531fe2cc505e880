"""Labels of a plate's elements that are a set (`order: unknown`): lines of a plan.

Once everything is there that q of these labels reads, each label is scored at each element. All that reads a label or
its mask from then on reads that of the element by the best assignment.
"""

from abc import abstractmethod
from collections.abc import Sequence

import networkx as nx

from compiler.plan.element_sums import ElementSums
from compiler.plan.plan import Value
from compiler.symbolic.objective import Measure
from compiler.symbolic.program import Program, Step
from graphspec.graphs.graph import plate_axis


class SetWriter(ElementSums):
    """A program's labels, at the elements that they go to."""

    def __init__(self, program: Program, features: Sequence[str]) -> None:
        super().__init__(program, features)
        self._set_of = {label: plate for plate, labels in program.sets.items() for label in labels}
        self._assignments: dict[str, Value] = {}

    @abstractmethod
    def average(self, measure: Measure, value: Value, wanted: str) -> Value:
        """E[value] under a measure."""

    def in_order(self) -> Sequence[Step]:
        """First what q of the labels depends on, which is no label of these elements."""
        steps, graph = super().in_order(), self.graphs.graph("recognition")
        first = {above for label in self._set_of for above in nx.ancestors(graph, label)}
        return sorted(steps, key=lambda step: step.factor.variable not in first)

    def as_given(self, name: str, kind: str, rank: int | None = None) -> Value:
        """What rows tell of a variable, in the order of their labels."""
        return super()._told(name, kind, rank)

    def _told(self, name: str, kind: str, rank: int | None = None) -> Value:
        found = self.as_given(name, kind, rank)
        if self.body is not None or name not in self._set_of:
            return found  # the body of a walk is told by what stands around it
        plate = self._set_of[name]
        inputs = (found, self.assignment(plate))
        return self.write("assigned", f"{found.name}_assigned", inputs, rank=found.rank, axis=plate_axis(plate))

    def assignment(self, plate: str) -> Value:
        """Which label each element has: those with the largest sum of E[log q] of their labels, elements that are there
        among each other."""
        if plate in self._assignments:
            return self._assignments[plate]
        self.note(f"labels of {plate} are a set: each goes to one element, so that q finds them likeliest")
        turns = range(self.graphs.plates[plate].size)
        scores = [self._score(plate, self.program.sets[plate], turn) for turn in turns]
        there = self.there([plate])
        inputs = scores if there is None else [*scores, there]
        wanted, ragged = f"assignment_of_{plate}", there is not None
        self._assignments[plate] = self.write("best_assignment", wanted, inputs, ragged=ragged)
        return self._assignments[plate]

    def _score(self, plate: str, labels: Sequence[str], turn: int) -> Value:
        """E[log q] of the labels so many places behind each element."""
        found = [(1, self._density_behind(plate, label, turn)) for label in labels]
        wanted = f"score_{plate}_{turn}"
        return self.average(Measure(), self.added(found, f"each_{wanted}"), wanted)

    def _density_behind(self, plate: str, label: str, turn: int) -> Value:
        part = "given" if label in self.program.pattern.masked else "all"
        raw = [self.as_given(label, kind) for kind in (("known", "given") if part == "given" else ("value",))]
        tensors = [
            self.write("turned", f"{v.name}_{turn}_behind", (v,), rank=v.rank, axis=plate_axis(plate), by=turn)
            for v in raw
        ] if turn else raw  # fmt: skip
        factor = self.steps["q", label].factor
        return self.write(
            "log_prob", f"log_q_{label}_{turn}_behind", self.aligned([*tensors, *self.parameters(factor)]),
            factor=factor.key, part=part, relaxed=False, detached=False,
        )  # fmt: skip

    def log_orders(self, plate: str) -> Value:
        """log of how many ways there are to give the labels of a row to its elements."""
        labels, masked = self.program.sets[plate], self.program.pattern.masked
        masks = [self.as_given(label, "given") for label in labels if label in masked]
        masks = masks if len(masks) == len(labels) else []
        there, size = self.there([plate]), self.graphs.plates[plate].size
        inputs = masks if there is None else [*masks, there]
        return self.write(
            "log_orders", f"log_orders_of_{plate}", inputs, (), rows=bool(inputs), size=size, ragged=there is not None
        )
