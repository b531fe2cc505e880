"""A label whose weight is next to nothing: beside the nats of what the row holds (GS116), among rows that have others
(GS123)."""

from graphspec.describe.label_shares import Stake, dilution, stakes, two_digits
from graphspec.graphs.graph import Graphs
from graphspec.rules.graph_rules import silenced
from graphspec.text.report import Report

SMALL_SHARE = 0.02
"""Share of a labelled row's nats below which `check` warns."""
LARGE_ROW = 3000.0
"""Nats of a row from which on the share is judged: 4000 black-and-white pixels, 14 x 14 pixels of colour in bytes."""


def check_stakes(graphs: Graphs, report: Report) -> None:
    """GS116 for labels below `SMALL_SHARE` beside rows of at least `LARGE_ROW` nats."""
    for stake in stakes(graphs):
        if stake.data < LARGE_ROW or stake.share >= SMALL_SHARE or stake.alpha == 0:
            continue
        if silenced(graphs.spec, "GS116", stake.name):
            continue
        report.warning("GS116", ("objective", "alpha", stake.name), _message(stake), hint=_hint(stake))


def check_dilution(graphs: Graphs, report: Report) -> None:
    """GS123 for labels that few of the labelled rows have, where the data can be looked at."""
    counted = graphs.label_rows
    if counted is None:
        return
    for stake in stakes(graphs):
        found = dilution(graphs, stake, counted.training[stake.name], counted.labelled)
        if found is None or silenced(graphs.spec, "GS123", stake.name):
            continue
        message = found[0] if counted.exact else f"about {found[0]}"
        report.warning("GS123", ("objective", "alpha", stake.name), message, hint=found[1])


def _message(stake: Stake) -> str:
    row = stake.weighed + stake.data
    return (
        f"alpha {stake.alpha:g} gives the label {stake.name} about {stake.weighed:.0f} of {row:.0f} nats of a labelled "
        f"row ({100 * stake.share:.1f} %): weights that both share will follow {', '.join(stake.observed)}"
    )


def _hint(stake: Stake) -> str:
    tenth = two_digits(stake.data / 9 / stake.label)
    return f"alpha {tenth} would give it a tenth; `explain` shows the share"
