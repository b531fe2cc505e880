"""One of two processes that add up gradients of a small module: `exchange_runs.py FOLDER`, started by start_two."""

import sys
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

from runtime.errors import RunError
from runtime.training.processes import exchange
from runtime.training.processes.devices import join_processes, leave_processes

STEPS = 5


class Parts(nn.Module):
    """Parameters of which one takes part everywhere, one in one process, one nowhere; one is frozen; two buffers."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.everywhere = nn.Parameter(torch.full((2, 3), float(rank), dtype=torch.float64))
        self.somewhere = nn.Parameter(torch.zeros(4, dtype=torch.float64))
        self.nowhere = nn.Parameter(torch.zeros(5, dtype=torch.float64))
        self.frozen = nn.Parameter(torch.zeros(6, dtype=torch.float64), requires_grad=False)
        self.register_buffer("mean", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(0))


def main(folder: Path) -> None:
    """Writes what every step's sum was; then the main process leaves in the middle of a step."""
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    join_processes(cpu)
    rank = torch.distributed.get_rank()
    module = Parts(rank)
    with patch.object(exchange, "SHARED_FOLDER", folder / "no such folder"):
        assert exchange.shared_gradients(module, cpu) is None, "no memory to share: none of them has it"
    with patch.object(exchange, "SHARED_FOLDER", folder / "memory"):
        gradients = exchange.shared_gradients(module, cpu)
    assert gradients is not None
    found = [{"everywhere": module.everywhere.detach().clone()}]
    for step in range(STEPS):
        module.everywhere.grad = torch.full((2, 3), 10.0 * step + rank, dtype=torch.float64)
        module.somewhere.grad = torch.full((4,), 7.0, dtype=torch.float64) if step % 2 == rank else None
        module.nowhere.grad = None
        module.mean.fill_(100.0 * rank + step)
        module.count.fill_(step + 50 * rank)
        gradients.add_up()
        state = {name: tensor.clone() for name, tensor in module.named_buffers()}
        found.append(state | {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None})
        module.everywhere.grad.zero_()  # as clipping does, in one process's own memory
    torch.save(found, folder / f"found-{rank}.pt")
    if rank == 0:
        return
    try:
        gradients.add_up()
    except RunError as error:
        (folder / "left-alone.txt").write_text(str(error))
    leave_processes()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
