"""Labels that a flow gives in either graph: the density of part of one is not known, so a part is no label.

From: a variable's values as read. To: the same with every row blank that lacks an element, as the compiler counts it
(docs/objective.md), so that budgets and streams count as labelled what the model takes for labelled. (A direction or
simplex that lacks an element has no length, and is blank as soon as it is read.)
"""

import numpy as np

from graphspec.graphs.graph import Graphs
from runtime.data.preparation.values import Values
from runtime.data.stream.column_store import Held
from runtime.data.stream.patterns import given_elements


def without_parts(graphs: Graphs, name: str, values: Values) -> tuple[Values, tuple[str, ...]]:
    """The values of label `name`, rows that lack an element blanked, and a note if that took a label away."""
    if graphs.variables[name].domain != "real" or not graphs.indivisible(name):
        return values, ()
    there = given_elements(values.tensor)
    whole = there.reshape(len(there), -1).all(dim=1)
    lost = int(np.count_nonzero(values.present)) - int(whole.sum())
    blank = ~whole.reshape(-1, *(1,) * (there.dim() - 1))
    kept = Values(Held(values.tensor.masked_fill(blank, float("nan"))), np.asarray(whole.numpy()))
    return kept, (_note(name, lost),) if lost else ()


def _note(name: str, lost: int) -> str:
    rows = "1 row has" if lost == 1 else f"{lost} rows have"
    return f"{rows} only part of {name}, which a flow gives as a whole: counted as without a label"
