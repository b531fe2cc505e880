"""What facts and changes say of the nodes of a query in some rows, and which elements that leaves hidden."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.querying.fact_rows import FactRows
from runtime.querying.meaning import ROW
from runtime.querying.nodes import NOW
from runtime.querying.relevance import Told
from runtime.querying.row_group import AskedQuery


def what_is_given(query: AskedQuery, part: FactRows) -> dict[str, Tensor]:
    """What is known of each variable in each row, changes of a world that is one and the same included."""
    found: dict[str, Tensor] = {}
    rows, question, scene = len(part.numbers), query.inner, query.scene

    def of(name: str, variable: str) -> Tensor:
        shape = query.used.graphs.variables[variable].shape
        if name not in found:
            found[name] = torch.full((rows, prod(shape)), torch.nan, dtype=torch.float64)
        return found[name]

    for fact in question.facts:
        name = fact.variable.name
        for element in fact.which:
            if fact.sign == ROW:
                of(name, name)[:, element] = part.values[name].reshape(rows, -1)[:, element]
            elif fact.sign == "=":
                of(name, name)[:, element] = fact.number
    for change in question.changes:
        name = change.variable.name
        node = name + NOW if "now" in scene.frames else name
        for element in change.which:
            of(node, name)[:, element] = change.number
    shapes = {name: query.used.graphs.variables[name.removesuffix(NOW)].shape for name in found}
    return {name: each.reshape(rows, *shapes[name]) for name, each in found.items()}


def which_are_told(query: AskedQuery, given: Mapping[str, Any], row: int = 0) -> Told:
    """Which elements are known; given: tensors, or None for what only names tell."""
    question, scene = query.inner, query.scene
    masks: dict[str, NDArray[np.bool_]] = {}
    facts: dict[str, NDArray[np.bool_]] = {}
    every: list[tuple[str, str, tuple[int, ...], bool]] = []
    for fact in question.facts:
        if fact.sign in (ROW, "="):
            every.append((fact.variable.name, fact.variable.name, fact.which, True))
    for change in question.changes:
        node = change.variable.name + (NOW if "now" in scene.frames else "")
        every.append((node, change.variable.name, change.which, False))
    for node, name, which, weighs in every:
        shape = query.used.graphs.variables[name].shape
        for into, wanted in ((masks, True), (facts, weighs)):
            if wanted:
                into.setdefault(node, np.zeros(shape, dtype=np.bool_)).reshape(-1)[list(which)] = True
    for node, values in given.items():
        if values is not None and node in masks:
            known = ~values[row].isnan().numpy()
            masks[node] = np.asarray(masks[node] & known)
            if node in facts:
                facts[node] = np.asarray(facts[node] & known)
    ranged: dict[str, frozenset[int]] = {}
    for fact in question.facts:
        if fact.sign not in (ROW, "="):
            ranged[fact.variable.name] = ranged.get(fact.variable.name, frozenset()) | set(fact.which)
    weighing = {n: m for n, m in facts.items() if n in scene.nodes and scene.nodes[n].weighs}
    return Told({n: m for n, m in masks.items() if n in scene.nodes}, weighing, ranged)
