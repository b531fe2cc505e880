"""What is said before a spec trains because it will hurt: memory of a step, arithmetic that is emulated."""

from typing import TYPE_CHECKING

from compiler.symbolic.step_memory import LARGE_STEP, memory_lines, step_memory
from graphspec.graphs.graph import Graphs

if TYPE_CHECKING:
    import torch


def large_step(graphs: Graphs) -> str:
    """What a step needs, and what would lower it, where that is much; else empty. No torch."""
    memory = step_memory(graphs)
    return "; ".join(memory_lines(graphs, memory)) if memory.total >= LARGE_STEP else ""


def warnings_before(graphs: Graphs, device: "torch.device") -> list[str]:
    """Of a training on `device`."""
    from runtime.training.speed.choices import emulated_bf16

    slow = emulated_bf16(device) if graphs.spec.training.precision == "bf16" else ""
    memory = large_step(graphs)
    return [*([f"memory: {memory}"] if memory else []), *([f"precision bf16: {slow}"] if slow else [])]
