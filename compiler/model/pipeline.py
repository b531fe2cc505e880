"""The driver: a spec becomes a model. Reads like the diagram in docs/architecture.md."""

from pathlib import Path

import torch

from compiler.model.model import Model
from graphspec.describe.not_yet import refuse_not_yet
from graphspec.graphs.graph import Graphs
from graphspec.loading import load


def compile_spec(
    spec: str | Path | Graphs, seed: int = 0, dtype: torch.dtype = torch.float32, *, allow_python: bool = False
) -> Model:
    """Compile a spec, from its path or already loaded, into a `Model` (an nn.Module).

    seed: of the initial weights, which do not depend on the order of factors. dtype: of weights and values.
    allow_python: let `kind: python` networks import the user's own classes.
    Raises SpecError with every diagnostic found, "not yet" included.
    """
    graphs = spec if isinstance(spec, Graphs) else load(spec)
    refuse_not_yet(graphs)
    return Model(graphs, seed=seed, dtype=dtype, allow_python=allow_python)
