"""Values of unquoted YAML scalars: the core schema of YAML 1.2.2, section 10.3.2."""

import re

from graphspec.text.tree import Plain

MAX_INTEGER = (1 << 63) - 1

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")


def resolve_scalar(text: str) -> Plain:
    """The value of an unquoted scalar. Raises OverflowError for whole numbers beyond 64 bits."""
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if match := _INFINITE.fullmatch(text):
        return float(match.group(1) + "inf")
    return float("nan") if text in (".nan", ".NaN", ".NAN") else text


def _integer(text: str) -> int:
    if len(text) > 80:
        raise OverflowError
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    value = int(text[2:] if base != 10 else text, base)
    if abs(value) > MAX_INTEGER:
        raise OverflowError
    return value
