"""What torchrun (or `accelerate launch`) says in the environment about the processes it started. No torch here."""

import os

from runtime.errors import RunError


def started_with() -> int:
    """How many processes train together; 1 without a launcher. RunError where the environment says half of it."""
    count = _number("WORLD_SIZE", 1)
    if count > 1:
        missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
        if missing:
            raise RunError(
                f"WORLD_SIZE={count} says that a launcher started so many processes, but there is no {missing[0]}",
                _LAUNCH,
            )
    return count


def is_main() -> bool:
    """True for the one process that writes and prints."""
    return _number("RANK", 0) == 0


def tells_errors() -> bool:
    """True for one process of every machine: what is wrong may be wrong on one machine only, such as a missing file."""
    return _number("LOCAL_RANK", 0) == 0


_LAUNCH = "start it through torchrun (docs/scaling.md), or unset WORLD_SIZE, RANK and LOCAL_RANK for one process"


def _number(name: str, otherwise: int) -> int:
    text = os.environ.get(name, "").strip()
    if text and not text.isdecimal():
        raise RunError(f"{name}={text!r} in the environment is no number", _LAUNCH)
    return int(text) if text else otherwise
