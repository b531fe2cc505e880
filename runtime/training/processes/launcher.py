"""What torchrun (or `accelerate launch`) says in the environment about the processes it started. No torch here."""

import os


def started_with() -> int:
    """How many processes train together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """True for the one process that writes and prints."""
    return int(os.environ.get("RANK", "0")) == 0


def tells_errors() -> bool:
    """True for one process of every machine: what is wrong may be wrong on one machine only, such as a missing file."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0
