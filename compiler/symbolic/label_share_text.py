"""What each label weighs beside what is observed, in words and as plain data (sums: describe.label_shares)."""

from typing import Any

from graphspec.describe.label_shares import Stake, stakes
from graphspec.graphs.graph import Graphs


def stake_lines(graphs: Graphs) -> list[str]:
    """One line per label of which the spec tells it, counted by the rows that have it where there are others."""
    found = stakes(graphs)
    lines = [_stake_line(graphs, stake) for stake in found]
    if found and len(graphs.supervised) > 1 and graphs.label_rows is None:
        lines.append("of M rows with any label M_j have label j: over all of them α_j weighs as α_j · M_j / M")
    heads = ("labels    ", *("          " for _ in lines))
    return [head + line for head, line in zip(heads, lines, strict=False)]


def _stake_line(graphs: Graphs, stake: Stake) -> str:
    counted, rate = graphs.label_rows, _rate(graphs, stake.name)
    share, rows, by = stake.share, "a labelled row", ""
    if rate is None:
        rows = "a row that has it"
    elif rate < 1 and counted is not None:
        share = stake.counted(rate)
        about = "" if counted.exact else "about "
        by = f" × {percent(rate)} ({about}{counted.training[stake.name]} of {counted.labelled} labelled rows have it)"
    weighed = stake.weighed * (1 if rate is None else rate)
    return (
        f"α {stake.alpha:g} × {stake.label:.2f} nats of {stake.name}{by} = {_nats(weighed)} nats beside about "
        f"{stake.data:.0f} of {', '.join(stake.observed)} at the start: {percent(share)} of {rows}"
    )


def _nats(number: float) -> str:
    return f"{number:.0f}" if number >= 1 else f"{number:.2g}"


def _rate(graphs: Graphs, name: str) -> float | None:
    """Share of the labelled rows that have the label, None where nobody has counted."""
    if len(graphs.supervised) == 1:
        return 1.0
    return None if graphs.label_rows is None else graphs.label_rows.rate(name)


def percent(share: float) -> str:
    """`0.67 %`, `29 %`."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def stakes_json(graphs: Graphs) -> list[dict[str, Any]]:
    """Nats before alpha, the share of a labelled row that has the label at the start of training, in [0, 1], and the
    share of the labelled rows that do (null where it is not known)."""
    return [
        {
            "variable": stake.name,
            "alpha": stake.alpha,
            "label_nats": stake.label,
            "observed": list(stake.observed),
            "data_nats": stake.data,
            "share": stake.share,
            "rate": _rate(graphs, stake.name),
        }
        for stake in stakes(graphs)
    ]
