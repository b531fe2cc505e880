"""Words of the emitted file: names that cannot collide, lines that fit, comments and docstrings that break well."""

import builtins
import keyword
import textwrap
from collections.abc import Iterable, Sequence

from compiler.emission.line_breaking import INDENT, WIDTH, statement
from compiler.symbolic.code_text import added, event_sum, event_text, grouped, number, split_top, tuple_text

MODULES = ("math", "torch", "nn", "F", "Tensor", "Any", "argparse", "np", "numpy", "load_file", "annotations")
ARGUMENTS = ("model", "rows", "generator", "epoch", "rho", "layout", "self", "batch", "result", "at", "main", "Model",
             "like", "blank", "data_rows", "labelled_rows", "unlabelled_rows", "Literal",
             "Fraction", "cache", "pairwise", "Sequence", "Callable", "TypeVar", "distributions", "sys", "Iterator",
             "contextmanager", "nullcontext", "zuko", "SEED", "SAMPLES")  # fmt: skip


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


def comment(text: str, level: int = 1) -> list[str]:
    """`# text`, broken where it is too long."""
    lead = INDENT * level + "# "
    return textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=lead + "  ", break_long_words=False)


def docstring(text: str, level: int = 1) -> list[str]:
    """A docstring of paragraphs; lines inside a paragraph stay, and are broken where they are too long."""
    lead = INDENT * level
    lines: list[str] = []
    for line in safe(text).split("\n"):
        hang = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(line, WIDTH - len(lead) - 6, break_long_words=False, subsequent_indent=hang) or [""]
    if len(lines) == 1 and not lines[0].endswith('"'):
        return [f'{lead}"""{lines[0]}"""']
    return [f'{lead}"""{lines[0]}', *(f"{lead}{line}".rstrip() for line in lines[1:]), f'{lead}"""']


def safe(text: str) -> str:
    """Text from a spec that may stand inside a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


__all__ = ["INDENT", "WIDTH", "Names", "added", "camel", "comment", "docstring", "event_sum", "event_text", "grouped",
           "number", "shape_text", "split_top", "statement", "tuple_text"]  # fmt: skip
