"""Several processes that train one model: what one decides for all, what all agree on, what is put together.

One process per device, started by torchrun. The first of them, the main one, alone writes and prints.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, TypeVar, cast

import torch

from runtime.errors import RunError

T = TypeVar("T")


def processes() -> int:
    """How many processes train together, once they have met."""
    met = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if met else 1


@contextmanager
def main_process_first() -> Iterator[None]:
    """The first process of each machine goes through the block before the others do: what it downloads or caches is
    there for them."""
    if processes() == 1:
        yield
        return
    from accelerate import PartialState

    with PartialState().local_main_process_first():
        yield


def told_to_all(value: T | None) -> T | None:
    """What the main process has, in every process."""
    if processes() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    parcel: list[T | None] = [value]
    broadcast_object_list(parcel)
    return parcel[0]


def decided_by_main(decide: Callable[[], T]) -> T:
    """What `decide` returns in the main process, in every process; its RunError is raised in every process."""
    if processes() == 1:
        return decide()
    outcome: tuple[T | None, RunError | None] | None = None
    if torch.distributed.get_rank() == 0:
        try:
            outcome = (decide(), None)
        except RunError as error:
            outcome = (None, error)
    outcome = told_to_all(outcome)
    assert outcome is not None, "the main process always decides"
    value, failure = outcome
    if failure is not None:
        raise failure
    return cast(T, value)


@contextmanager
def others_may_end() -> Iterator[None]:
    """Within the block, a connection that breaks because another process ended is a RunError, not a mystery."""
    try:
        yield
    except RuntimeError as error:
        if processes() > 1 and (isinstance(error, torch.distributed.DistBackendError) or "gloo" in str(error)):
            raise _another_ended() from None
        raise


def _another_ended() -> RunError:
    return RunError(
        "another process of this training ended, or cannot be reached any more",
        "look for its message; what was saved last can be resumed, by any number of processes",
    )


def from_all(value: T) -> list[T]:
    """Every process's value, in every process, in the order of the processes."""
    if processes() == 1:
        return [value]
    from accelerate.utils import gather_object

    return list(gather_object([value]))


class Wish(IntEnum):
    """What a process wants after a step; of several wishes the largest is granted."""

    NOTHING = 0
    SAVE = 1
    STOP = 2


class Meeting:
    """Where processes on CPUs wait for each other within a step. wish: what this one brings to the next meeting;
    agreed: the largest that any of them brought since `StopVote` looked."""

    def __init__(self) -> None:
        self.wish = self.agreed = Wish.NOTHING
        self._main = torch.distributed.get_rank() == 0
        self._peers = _those_who_call() if self._main else [_call_main()]

    def hold(self) -> None:
        """Return when every process has called it; each then sees what the others wrote before. RunError if one of
        them is no more."""
        try:
            if not self._main:
                self._peers[0].send_bytes(bytes([self.wish]))
            largest = max(self.wish, *(peer.recv_bytes()[0] for peer in self._peers))
            if self._main:
                for peer in self._peers:
                    peer.send_bytes(bytes([largest]))
        except (EOFError, OSError):
            raise _another_ended() from None
        self.agreed, self.wish = max(self.agreed, Wish(largest)), Wish.NOTHING


def _those_who_call() -> list[Connection]:
    key = secrets.token_bytes(32)
    # a name without a file (Linux): nothing to clean up, and no folder whose path is too long for a socket
    name = f"\0graphspec-{secrets.token_hex(8)}"
    with Listener(name, family="AF_UNIX", backlog=processes(), authkey=key) as listener:
        told_to_all((listener.address, key))
        return [listener.accept() for _ in range(processes() - 1)]


def _call_main() -> Connection:
    told = told_to_all(None)
    assert told is not None, "the main process says where it listens"
    address, key = told
    return Client(address, family="AF_UNIX", authkey=key)


class StopVote:
    """All processes stop (or save) after the same step, though a signal or a clock tells one of them first.

    With several processes a request takes effect one step later. Processes that share memory pass it on when they next
    synchronise; the others start a small all-reduce between the hosts after each step and read the result of the
    previous one, so that no step waits for it and no device is read. One process obeys at once.
    """

    def __init__(self, meeting: Meeting | None) -> None:
        self._meeting, self._group = meeting, None
        self._pending: tuple[Any, torch.Tensor] | None = None
        if processes() > 1 and meeting is None:
            self._group = torch.distributed.new_group(backend="gloo")

    def on(self, wish: Wish) -> Wish:
        """What is agreed after this step; every process must call it after each of its steps."""
        if self._meeting is not None:
            agreed, self._meeting.agreed, self._meeting.wish = self._meeting.agreed, Wish.NOTHING, wish
            return agreed
        if self._group is None:
            return wish
        agreed = self._answer()
        flag = torch.tensor(int(wish))
        work = torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX, group=self._group, async_op=True)
        self._pending = (work, flag)
        return agreed

    def finish(self, wish: Wish) -> Wish:
        """The same after an epoch, with nothing left under way: what was wished at its end counts too."""
        agreed = self.on(wish)
        if self._meeting is None:
            return max(agreed, self._answer())
        self._meeting.hold()
        return max(agreed, self.on(Wish.NOTHING))

    def _answer(self) -> Wish:
        if self._pending is None:
            return Wish.NOTHING
        work, flag = self._pending
        self._pending = None
        work.wait()
        return Wish(int(flag))
