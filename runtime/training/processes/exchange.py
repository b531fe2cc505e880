"""Gradients of the processes of one machine added up in memory that they share.

From: each process's gradients of its rows. To: in every process, their sum. On one machine's CPUs this replaces
DistributedDataParallel, which sends every gradient through the network stack and walks the graph of every step for
parameters that took no part: a step of mnist-m2 in two processes takes 17.5 ms (results/processes.json; 15 in one
process with two threads), and took 26 with it. Several machines and GPUs keep it.

The memory holds two parts for each process, written in turns. Processes meet once a step, when all have written; each
then adds all parts up, in the same order and so to the same bits. Whoever writes a part again knows that the others
have read it: they came to the meeting of the step between.
"""

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from runtime.training.processes.collectives import Meeting, from_all, processes, told_to_all

SHARED_FOLDER = Path("/dev/shm")
"""Where a file is memory."""

MOST_PROCESSES = 8
"""Each process reads what all have written; with more of them a ring of messages is faster."""


class SharedGradients:
    """The sum of all processes' gradients, and the main process's buffers, in every process."""

    def __init__(self, model: nn.Module, memory: Tensor) -> None:
        """memory: [2, processes, `room`] of the parameters' type, shared by all processes."""
        self.parameters, self.buffers = trained(model), list(model.buffers())
        self.meeting = Meeting()
        self._turns = [_Turn(parts, self.parameters, self.buffers) for parts in memory]
        self._main = torch.distributed.get_rank() == 0
        count = len(self.parameters)
        self._sum = torch.empty_like(memory[0, 0, : _numbers(self.parameters) + count])
        self._gradients, self._took_part = _views(self._sum, self.parameters), self._sum[-count:]

    @torch.no_grad()
    def add_up(self) -> None:
        """Turn every parameter's gradient into the sum over processes: the same bits in each of them, None where no
        process has one. Every process must call it. RunError if another one is no more."""
        turn = self._turns[0]
        self._turns.reverse()
        self._write(turn)
        self.meeting.hold()
        first, second, *others = (part[: len(self._sum)] for part in turn.parts)
        torch.add(first, second, out=self._sum)
        for other in others:
            self._sum += other
        if not self._main:
            for mine, told in zip(self.buffers, turn.buffers, strict=True):
                mine.copy_(told)
        for parameter, gradient, count in zip(self.parameters, self._gradients, self._took_part.tolist(), strict=True):
            parameter.grad = gradient if count else None

    def _write(self, turn: "_Turn") -> None:
        gradients = [parameter.grad for parameter in self.parameters]
        have = [i for i, gradient in enumerate(gradients) if gradient is not None]
        torch._foreach_copy_([turn.gradients[i] for i in have], [g for g in gradients if g is not None])
        if len(have) < len(gradients):
            torch._foreach_zero_([turn.gradients[i] for i, gradient in enumerate(gradients) if gradient is None])
        turn.took_part.copy_(torch.tensor([gradient is not None for gradient in gradients]))
        if self._main:
            for mine, told in zip(self.buffers, turn.buffers, strict=True):
                told.copy_(mine)


class _Turn:
    """Where gradients, which of them there are, and buffers stand. parts: [processes, `room`]; buffers are in the main
    process's part alone."""

    def __init__(self, parts: Tensor, parameters: list[nn.Parameter], buffers: list[Tensor]) -> None:
        mine, size, count = parts[torch.distributed.get_rank()], _numbers(parameters), len(parameters)
        self.parts = parts
        self.gradients = _views(mine, parameters)
        self.took_part = mine[size : size + count]
        self.buffers = _views(parts[0, size + count :], buffers)


def shared_gradients(model: nn.Module, device: torch.device) -> SharedGradients | None:
    """The exchange of this training's processes; None where they are not the CPU processes of one machine, or where
    that machine has no shared memory left for it. Every process must ask, with the same parameters.

    The parameters and buffers of all processes become the main one's.
    """
    local = os.environ.get("LOCAL_WORLD_SIZE") == os.environ.get("WORLD_SIZE")
    if device.type != "cpu" or processes() > MOST_PROCESSES or not all(from_all(local)):
        return None
    memory = _shared_memory((2, processes(), room(model)), trained(model)[0].dtype)
    if memory is None:
        return None
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            torch.distributed.broadcast(tensor, 0)
    return SharedGradients(model, memory)


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that get gradients."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def room(model: nn.Module) -> int:
    """Numbers that one process has to tell: its gradients, which of them there are, and the buffers."""
    parameters = trained(model)
    return _numbers(parameters) + len(parameters) + _numbers(list(model.buffers()))


def _numbers(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _shared_memory(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor | None:
    """A tensor that all processes of this machine see, zero; None where any of them cannot have it."""
    count = math.prod(shape)
    path = told_to_all(_reserved(count * dtype.itemsize) if torch.distributed.get_rank() == 0 else None)
    if path is None:
        return None
    try:
        memory = torch.from_file(str(path), shared=True, size=count, dtype=dtype)
    except RuntimeError:
        memory = None
    everywhere = all(from_all(memory is not None))
    if torch.distributed.get_rank() == 0:
        path.unlink()  # the memory stays while a process has it, and none is left behind by one that is killed
    return memory.view(shape) if everywhere and memory is not None else None


def _reserved(size: int) -> Path | None:
    """A file of `size` bytes of memory; None where there is none to be had."""
    if not hasattr(os, "posix_fallocate"):
        return None
    try:
        descriptor, name = tempfile.mkstemp(prefix="graphspec-", dir=SHARED_FOLDER)
    except OSError:
        return None
    try:  # a file that is only made long would end the process when the memory runs out
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.unlink(name)
        return None
    finally:
        os.close(descriptor)
    return Path(name)


def _views(flat: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Stretches of `flat`, one after the other, in the shapes of `tensors`."""
    sizes = [tensor.numel() for tensor in tensors]
    stretches = flat[: sum(sizes)].split(sizes)
    return [stretch.view(tensor.shape) for stretch, tensor in zip(stretches, tensors, strict=True)]
