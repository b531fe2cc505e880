"""Models that this machine cannot hold are refused before anything is built: the system would end the process."""

from graphspec.graphs.graph import Graphs
from graphspec.rules.size_rules import too_large
from runtime.errors import RunError


def refuse_too_large(graphs: Graphs) -> None:
    """RunError that says how large the model is, where its weights do not fit."""
    told = too_large(graphs)
    if told is not None:
        message, _, hint = told
        raise RunError(message, hint)
