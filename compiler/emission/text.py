"""Words of the emitted file: names that cannot collide, lines that fit, comments and docstrings that break well."""

import builtins
import keyword
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 120
INDENT = "    "
MODULES = ("math", "torch", "nn", "F", "Tensor", "Any", "argparse", "np", "numpy", "load_file", "annotations")
ARGUMENTS = ("model", "rows", "generator", "epoch", "rho", "lead", "self", "batch", "result", "at", "main", "Model")
BRACKETS = {"(": ")", "[": "]", "{": "}"}


class Names:
    """Hands out identifiers: each once, none that Python or the emitted file itself needs."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*keyword.kwlist, *dir(builtins), *MODULES, *ARGUMENTS, *taken}

    def fresh(self, wanted: str) -> str:
        """`wanted`, with underscores behind it until it is free."""
        name = wanted
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def inner(self) -> "Names":
        """A scope inside this one: knows every name given so far, and keeps its own to itself."""
        scope = Names()
        scope.taken = set(self.taken)
        return scope


def camel(name: str) -> str:
    """`z_c` as part of a class name: `ZC`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def shape_text(shape: Sequence[int | str], lead: str = "") -> str:
    """`[B, 1, 28, 28]`."""
    return f"[{', '.join([lead] * bool(lead) + [str(size) for size in shape])}]"


def tuple_text(items: Sequence[int | str]) -> str:
    """A tuple as Python writes it: `(10,)`."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(map(str, items))})"


def number(value: float) -> str:
    """A float as Python reads it back."""
    return repr(float(value))


def comment(text: str, level: int = 1) -> list[str]:
    """`# text`, broken where it is too long."""
    lead = INDENT * level + "# "
    return textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=lead + "  ", break_long_words=False)


def docstring(text: str, level: int = 1) -> list[str]:
    """A docstring of paragraphs; lines inside a paragraph stay, and are broken where they are too long."""
    lead = INDENT * level
    lines: list[str] = []
    for line in safe(text).split("\n"):
        lines += textwrap.wrap(line, WIDTH - len(lead) - 6, break_long_words=False, subsequent_indent=_hang(line)) or [""]
    if len(lines) == 1 and not lines[0].endswith('"'):
        return [f'{lead}"""{lines[0]}"""']
    return [f'{lead}"""{lines[0]}', *(f"{lead}{line}".rstrip() for line in lines[1:]), f'{lead}"""']


def _hang(line: str) -> str:
    return " " * (len(line) - len(line.lstrip())) + "  "


def safe(text: str) -> str:
    """Text from a spec that may stand inside a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


def statement(text: str, level: int = 1, remark: str = "") -> list[str]:
    """One statement, broken at its last bracket (or its plus signs) where it is too long; a remark if it still fits."""
    lead = INDENT * level
    line = lead + text
    if len(line) <= WIDTH:
        return [f"{line}  # {remark}" if remark and len(line) + len(remark) + 4 <= WIDTH else line]
    opening = last_group(text)
    if opening is None:
        return _broken_sum(text, level)
    start, end = opening
    head, body, tail = text[: start + 1], text[start + 1 : end], text[end:]
    inner = INDENT * (level + 1)
    parts = split_top(body, ", ")
    if len(inner + body) <= WIDTH and (len(parts) > 1 or "for " in body):
        lines = [inner + body]
    else:
        lines = [piece for part in parts for piece in statement(part.rstrip(",") + ",", level + 1)]
    return [lead + head, *lines, lead + tail]


def _broken_sum(text: str, level: int) -> list[str]:
    """`a = b + c` as a parenthesis with one summand a line."""
    lead, inner = INDENT * level, INDENT * (level + 1)
    start = text.index("return ") + 7 if text.startswith("return ") else text.find(" = ") + 3
    if start < 3:
        return [lead + text]
    first, *rest = split_top(text[start:], " + ")
    return [f"{lead}{text[:start]}(", inner + first, *(f"{inner}+ {part}" for part in rest), lead + ")"]


def last_group(text: str) -> tuple[int, int] | None:
    """Where the last outermost bracket that holds something opens and closes; None if there is none."""
    found, depth, start = None, 0, 0
    for place, letter in enumerate(text):
        if letter in BRACKETS:
            start = place if depth == 0 else start
            depth += 1
        elif letter in BRACKETS.values():
            depth -= 1
            if depth == 0 and place > start + 1:
                found = (start, place)
    if found is None or split_top(text, " + ")[1:]:
        return None
    return found


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
