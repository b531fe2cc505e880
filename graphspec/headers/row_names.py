"""What a row is called, where its source calls it anything: a picture's file name, a row's key in a shard."""

from hashlib import blake2b


def number_of_name(name: str) -> int:
    """A whole number in [0, 2**64) that stands for a name, the same on every machine."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
