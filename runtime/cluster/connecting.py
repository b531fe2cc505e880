"""A scheduler's address -> a cluster whose workers can do this work: same code, same folders. Errors say what is wrong.

`dask.distributed` is an extra: it is imported here and in `on_worker` alone.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import RunError

if TYPE_CHECKING:
    from distributed import Client

CONNECTING = 15.0
"""Seconds to find the scheduler, and then a worker."""
_START = "start one: dask worker {address} --nworkers auto --nthreads 1"


@dataclass(frozen=True)
class Cluster:
    """A connected client. processors: what the workers compute with."""

    client: "Client"
    address: str
    processors: tuple[str, ...]

    def threads(self) -> int:
        """Tasks that all workers together can carry out at a time, now."""
        return sum(self.client.nthreads().values())

    def workers(self) -> int:
        """How many there are, now."""
        return len(self.client.nthreads())


@contextmanager
def connected(address: str, folder: Path) -> Iterator[Cluster]:
    """The cluster at `address`, every worker of which sees `folder` and runs this code. Raises RunError otherwise."""
    try:
        from distributed import Client
    except ImportError:
        raise RunError(
            "dask.distributed, which talks to a cluster, is not installed",
            "in graphspec's checkout: pip install -e '.[cluster]'",
        ) from None
    try:
        client = Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            f"no scheduler answers at {address} ({_first_line(error)})",
            "start one: dask scheduler, which prints its address (tcp://MACHINE:8786)",
        ) from None
    with client:
        _wait_for_a_worker(client, address)
        yield Cluster(client, address, _same_everywhere(client, folder))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _wait_for_a_worker(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECTING)
    except TimeoutError:
        raise RunError(f"the scheduler at {address} has no workers", _START.format(address=address)) from None


def _same_everywhere(client: "Client", folder: Path) -> tuple[str, ...]:
    """The workers' processors. RunError for a worker without graphspec, with other code, or with other disks."""
    from runtime.cluster.on_worker import seen

    where, marker = Path.cwd(), folder.resolve() / f".seen-{time.time_ns()}"
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    try:
        found: dict[str, Any] = client.run(seen, marker, where, on_error="return")
    finally:
        marker.unlink()
    mine = seen(marker, where)["versions"]
    for worker, facts in sorted(found.items()):
        if isinstance(facts, BaseException):
            raise RunError(
                f"the worker {worker} cannot run graphspec: {_first_line(facts)}",
                "install it there as here (pip install -e '.[cluster]' in its checkout), with the same versions",
            )
        place = f"the worker {worker} on {facts['host']}"
        for what, version in mine.items():
            if facts["versions"][what] != version:
                raise RunError(f"{place} has {what} {facts['versions'][what]}, this is {version}", "install the same")
        if not facts["where"] or not facts["sees"]:
            unseen = where if not facts["where"] else folder
            raise RunError(
                f"{place} does not see {unseen}", "work in a folder that all machines share, by the same path"
            )
    return tuple(sorted({facts["processor"] for facts in found.values()}))
