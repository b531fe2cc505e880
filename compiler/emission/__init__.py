"""A compiled spec as one readable PyTorch file that needs nothing of graphspec: another reader of what runs."""

from compiler.emission.layout import emitted
from compiler.model.model import Model
from graphspec.graphs.graph import Graphs

__all__ = ["emit", "emitted"]


def emit(graphs: Graphs, *, allow_python: bool = False) -> str:
    """The text of a standalone module: classes, one bound per pattern of labels, a loss, a training loop.

    It follows the very Program and Objective that the model runs, and draws the same noise from equal generators.
    Raises SpecError: what does not compile, and (GS090) what compiles but is not emitted yet.
    """
    import torch

    return emitted(Model(graphs, dtype=torch.float64, allow_python=allow_python))
