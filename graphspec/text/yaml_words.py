"""Words as YAML reads them back: bare where that is safe, else in quotes."""

import json
import re
from collections.abc import Iterable

_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_./-]|[A-Za-z_]")
_READ_OTHERWISE = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false", "null", "nan", "inf", "auto"})


def plain(word: str) -> str:
    """One text. Quoted where YAML (or a reader of the file) would take it for something else."""
    if _SAFE.fullmatch(word) and word.lower() not in _READ_OTHERWISE:
        return word
    return json.dumps(word, ensure_ascii=False)


def flow_list(words: Iterable[str]) -> str:
    """`[red, "15"]`: texts as a list."""
    return f"[{', '.join(map(plain, words))}]"


def cell_list(cells: Iterable[str]) -> str:
    """`[red, 15]`: the same of cells, of which a whole number means the same with quotes and without."""
    return f"[{', '.join(cell if cell.isdecimal() and cell.isascii() else plain(cell) for cell in cells)}]"
