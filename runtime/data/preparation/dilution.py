"""Labels whose weight other labels dilute. From: rows per label, the spec's alpha. To: notes for a person."""

from collections.abc import Mapping

from graphspec.describe.label_shares import stakes
from graphspec.graphs.graph import Graphs
from graphspec.language import OverRho

DILUTED = 0.1
"""Below this share of the labelled rows, alpha of a label is not what it would be alone."""


def dilution_notes(graphs: Graphs, label_rows: Mapping[str, int], labelled: int) -> list[str]:
    """A label that M_j of M labelled rows have weighs alpha M_j / M: a note where that is below `DILUTED` alpha, with
    the alpha that gives it the weight which it has where no other label is there."""
    objective, notes = graphs.spec.objective, []
    for stake in stakes(graphs):
        rows = label_rows.get(stake.name, 0)
        by_rate = isinstance(objective.number_of("alpha", stake.name), OverRho)
        if by_rate or not rows or stake.alpha == 0 or rows >= DILUTED * labelled:
            continue
        kept = stake.alpha * labelled / rows
        notes.append(
            f"{rows} of {labelled} labelled rows have {stake.name} ({100 * rows / labelled:.2g} %): alpha "
            f"{stake.alpha:g} weighs it as {stake.alpha * rows / labelled:.2g} would alone; "
            f"`objective: {{alpha: {{{stake.name}: {kept:.3g}}}}}` keeps its weight"
        )
    return notes
