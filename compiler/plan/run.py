"""Running a plan: each line bound to its modules once, then called with tensors."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.ops import OPERATIONS
from compiler.plan.plan import Line, Plan
from compiler.plan.running import Context

watch: ContextVar[Callable[[Line], AbstractContextManager[Any]] | None] = ContextVar("watch", default=None)
"""Within what each line runs, for whoever measures it (`train --profile`)."""


class Runner:
    """A plan ready to run. Values that no later line reads are let go."""

    def __init__(self, plan: Plan, modules: Modules) -> None:
        self.plan = plan
        last: dict[str, int] = {}
        for place, line in enumerate(plan.lines):
            last |= {value.name: place for value in (*line.inputs, *line.outputs)}
        kept = {value.name for value in (*plan.results.values(), *plan.terms.values())}
        free: dict[int, list[str]] = {}
        for name, place in last.items():
            if name not in kept:
                free.setdefault(place, []).append(name)
        self._steps = [
            (
                line,
                OPERATIONS[line.op].run(_with_runners(line, modules), modules),
                [value.name for value in line.inputs],
                [value.name for value in line.outputs],
                free.get(place, []),
                line.group,
            )
            for place, line in enumerate(plan.lines)
        ]

    def run(self, context: Context, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every value that is kept, by name. given: the tensors of `plan.given`, by the names of their values."""
        values, watching = dict(given), watch.get()
        for line, call, inputs, outputs, free, group in self._steps:
            own = context if group is None else context.parts[group]
            if watching is None:
                found = call(own, *[values[name] for name in inputs])
            else:
                with watching(line):
                    found = call(own, *[values[name] for name in inputs])
            if len(outputs) == 1 and not isinstance(found, tuple):
                values[outputs[0]] = found
            else:
                for name, each in zip(outputs, found, strict=True):
                    values[name] = each
            for name in free:
                values.pop(name, None)
        return values

    def results(self, context: Context, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The plan's results by their own names."""
        values = self.run(context, given)
        return {name: values[value.name] for name, value in self.plan.results.items()}


def _with_runners(line: Line, modules: Modules) -> Line:
    """Plans within a line ready to run."""
    inner = {name: Runner(option, modules) for name, option in line.options.items() if isinstance(option, Plan)}
    return replace(line, options={**line.options, **inner}) if inner else line
