"""Words as YAML reads them back: bare where that is safe, else in quotes."""

import json
import re
from collections.abc import Iterable

_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_./-]|[A-Za-z_]")
_WORDS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false", "null", "nan", "inf", "auto"})


def plain(word: str) -> str:
    """One scalar. Quoted where YAML (or a reader of the file) would take it for something else than text."""
    if _SAFE.fullmatch(word) and word.lower() not in _WORDS and " #" not in word:
        return word
    return json.dumps(word, ensure_ascii=False)


def flow_list(words: Iterable[str]) -> str:
    """`[a, b]`."""
    return f"[{', '.join(plain(word) for word in words)}]"
