"""Windows of pictures: a pose by which another window is read than is written. Code GS126."""

from collections.abc import Iterator

from graphspec.graphs.graph import SIDES, Factor, Graphs
from graphspec.language.networks import Affine, AffineRead, AffineWrite
from graphspec.language.plates import base_of
from graphspec.rules.graph_rules import silenced
from graphspec.text.report import Report


def check_windows(graphs: Graphs, report: Report) -> None:
    """GS126: `affine_read` and `affine_write` of one pose have the same `side` and `reach`; one that paints on several
    canvases is read as it paints on one of them."""
    for factor, network in _windows(graphs, AffineRead):
        pose, told = base_of(network.pose), _told(network)
        painted = {_told(own): by for by, own in _windows(graphs, AffineWrite) if base_of(own.pose) == pose}
        if not painted or told in painted or silenced(graphs.spec, "GS126", factor.variable):
            continue
        meant, writer = next(iter(painted.items()))
        at = (factor.side, factor.variable, "network")
        message = f"by one pose {pose}, {factor.variable} reads at {told}, and {writer.variable} paints at {meant}"
        hint = "write both alike, or `allow: [GS126]` on the factor if it looks at another window on purpose"
        report.warning("GS126", at, message, hint=hint)


def _windows(graphs: Graphs, kind: type[Affine]) -> Iterator[tuple[Factor, Affine]]:
    for side in SIDES:
        for factor in graphs.factors(side).values():
            if factor.side == side and isinstance(factor.network, kind):
                yield factor, factor.network


def _told(network: Affine) -> str:
    """`side [14, 28], reach 8.5`, or the standard."""
    side = "" if network.side is None else f"side [{network.side[0]:g}, {network.side[1]:g}]"
    reach = "" if network.reach is None else f"reach {network.reach:g}"
    return ", ".join(filter(None, [side, reach])) or "no `side` and `reach`"
