"""What each label weighs beside what is observed, in words and as plain data (sums: describe.label_shares)."""

from typing import Any

from graphspec.describe.label_shares import stakes
from graphspec.graphs.graph import Graphs


def stake_lines(graphs: Graphs) -> list[str]:
    """One line per label of which the spec tells it."""
    found = stakes(graphs)
    heads = ("labels    ", *("          " for _ in found))
    return [
        f"{head}α {stake.alpha:g} × {stake.label:.2f} nats of {stake.name} = {stake.weighed:.0f} nats beside about "
        f"{stake.data:.0f} of {', '.join(stake.observed)} at the start: {percent(stake.share)} of a labelled row"
        for head, stake in zip(heads, found, strict=False)
    ]


def percent(share: float) -> str:
    """`0.67 %`, `29 %`."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def stakes_json(graphs: Graphs) -> list[dict[str, Any]]:
    """Nats before alpha, and the share of a labelled row at the start of training, in [0, 1]."""
    return [
        {
            "variable": stake.name,
            "alpha": stake.alpha,
            "label_nats": stake.label,
            "observed": list(stake.observed),
            "data_nats": stake.data,
            "share": stake.share,
        }
        for stake in stakes(graphs)
    ]
