"""Pieces of Python code as text: sums, brackets, tuples."""

from collections.abc import Sequence

BRACKETS = {"(": ")", "[": "]", "{": "}"}


def split_top(text: str, separator: str) -> list[str]:
    """Parts of `text` between separators that stand outside every bracket."""
    parts, depth, begin, place = [], 0, 0, 0
    while place < len(text):
        depth += (text[place] in BRACKETS) - (text[place] in BRACKETS.values())
        if depth == 0 and text.startswith(separator, place):
            parts.append(text[begin:place])
            begin = place = place + len(separator)
            continue
        place += 1
    return [*parts, text[begin:]]


def tuple_text(items: Sequence[int | str]) -> str:
    """A tuple as Python writes it: `(10,)`."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(map(str, items))})"


def event_text(shape: Sequence[int]) -> str:
    """A shape as a tuple, also of no sizes."""
    return tuple_text(shape) if shape else "()"


def number(value: float) -> str:
    """A float as Python reads it back."""
    return repr(float(value))


def added(terms: Sequence[str]) -> str:
    """`a - b + c` from signed terms (`-b`)."""
    text = terms[0]
    for term in terms[1:]:
        text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    return text


def grouped(code: str) -> str:
    """In parentheses where an operator stands outside every bracket."""
    return f"({code})" if any(split_top(code, sign)[1:] for sign in (" + ", " - ", " * ", " / ")) else code


def event_sum(code: str, rank: int) -> str:
    """Summed over the last `rank` dimensions."""
    if rank == 0:
        return code
    dims = "-1" if rank == 1 else f"({', '.join(str(-place) for place in range(rank, 0, -1))})"
    return f"{grouped(code)}.sum({dims})"
