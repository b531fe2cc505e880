"""torch.compile for the networks of a model.

Not the whole step: the objective's evaluation is a walk over a small tree, which takes minutes to trace and gains
nothing, while nearly all arithmetic is in the networks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from compiler.networks.interface import Network
from runtime.errors import RunError
from runtime.training.step.noise import BatchNoise

_VARIANTS = 64
"""Compiled variants kept of one function: networks share their code, and each has parents of its own."""


@contextmanager
def compiled_networks(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Within the block the model's networks run compiled, where `wanted`; after it as before.

    RunError where torch cannot compile them (no C++ compiler, an operation it does not know).
    """
    if not wanted:
        yield
        return
    import torch._dynamo

    networks = [module for module in model.modules() if isinstance(module, Network)]
    draws = BatchNoise.normal, BatchNoise.uniform
    # seeded generators cannot be traced: masks and noise are drawn between the compiled parts
    BatchNoise.normal, BatchNoise.uniform = (torch.compiler.disable(draw) for draw in draws)  # type: ignore[method-assign]
    for network in networks:
        network.enter = torch.compile(network.enter)  # type: ignore[method-assign]
        network.finish = torch.compile(network.finish)  # type: ignore[method-assign]
    try:
        with torch._dynamo.config.patch(recompile_limit=_VARIANTS):
            yield
    except torch._dynamo.exc.TorchDynamoException as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(f"torch.compile failed: {lines[0]}", "train with --no-compile") from error
    finally:
        for network in networks:
            del network.enter, network.finish  # the class's own are seen again
        BatchNoise.normal, BatchNoise.uniform = draws  # type: ignore[method-assign]
