"""Flows that make a training step slow."""

from graphspec.graphs.flow_times import slow_flows
from graphspec.graphs.graph import Graphs
from graphspec.rules.declared import allowed
from graphspec.text.report import Report

SLOW_STEP = 5.0
"""Seconds of a step from which on it is told: an epoch of some hundred steps takes ten minutes and more."""


def check_flow_times(graphs: Graphs, report: Report) -> None:
    """GS119 where a step runs a flow over many elements the way for which it has no formula."""
    for slow in slow_flows(graphs):
        side, name = slow.factor.side, slow.factor.variable
        if slow.seconds >= SLOW_STEP and not allowed(graphs.spec, name, "GS119"):
            report.warning("GS119", (side, name, "distribution"), slow.text, hint=slow.savings)
