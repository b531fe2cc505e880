"""How torch's threads wait for each other on a machine that has other work. No torch here: it reads this once.

OpenMP's threads (libgomp's, in torch's wheels for Linux) wait by spinning for milliseconds, which is fastest while
every thread has a core of its own. With other work on the cores they spin away the time that the thread they wait for
needs. Steps of specs/mnist-m2.yaml in two threads had 2.3 times the speed where threads soon sleep, beside two busy
processes, and 0.85 of it on an idle machine (results/busy.json); beside two trainings a step took 560 to 920 ms with
threads that spin, 61 to 65 ms with those that sleep (by hand, same machine).
"""

import os
from collections.abc import MutableMapping
from pathlib import Path

SPINS = "1000"
"""Turns of the waiting loop before a thread sleeps: a few microseconds."""

BUSY_SHARE = 0.25
"""Other work on this share of the cores is enough that threads sleep."""


def wait_as_the_machine_allows(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have threads sleep soon where other processes compute now, unless the user has said how they wait."""
    if environment.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} or environment.get("OMP_NUM_THREADS") == "1":
        return
    if others_running() >= BUSY_SHARE * (os.cpu_count() or 1):
        environment["GOMP_SPINCOUNT"] = SPINS


def others_running(told: Path = Path("/proc/loadavg")) -> float:
    """How many threads compute beside this one; 0 where the system does not say. Of the last minute's mean and this
    moment's count the smaller: neither what ended a while ago nor what runs for an instant counts."""
    try:
        fields = told.read_text(encoding="ascii").split()
        return min(float(fields[0]), float(fields[3].split("/")[0]) - 1)
    except (OSError, ValueError, IndexError):
        return 0.0
