"""Words of the emitted file: names that cannot collide, blocks, comments and docstrings that break well."""

import builtins
import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Sequence

from torch import Tensor

from compiler.tensors.expression import text_of
from graphspec.diagnostics import InternalError

WIDTH = 120
INDENT = "    "
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
        """`wanted` as a name of Python's, with underscores behind it until it is free."""
        name = re.sub(r"\W", "_", wanted)
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


def tensor_text(value: Tensor) -> str:
    """Code of a tensor of floats: its numbers, or the one that it is full of."""
    flat = value.flatten()
    if value.dim() and bool((flat == flat[0]).all()):
        return f"torch.full({text_of(tuple(value.shape))}, {flat[0].item()})"
    return f"torch.tensor({value.tolist()!r})"


def block(head: str, *body: str) -> str:
    """`head` with the statements below it."""
    return "\n".join([head, *(textwrap.indent(part.strip("\n"), INDENT) for part in body)])


def remarked(code: str, remark: str, level: int = 0) -> str:
    """A statement with a remark behind it, if both fit on one line at an indentation level."""
    whole = f"{code}  # {remark}"
    return whole if remark and len(INDENT * level + whole) <= WIDTH else code


def comment(text: str, level: int = 1) -> str:
    """`# text`, broken where it is too long at an indentation level."""
    width = WIDTH - len(INDENT * level)
    return textwrap.fill(text, width, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)


def docstring(text: str, level: int = 1) -> str:
    """A docstring of paragraphs; lines inside a paragraph stay, and are broken where they are too long."""
    lines: list[str] = []
    for line in text.replace("\\", "\\\\").replace('"""', "'''").split("\n"):
        hang = " " * (len(line) - len(line.lstrip()))
        width = WIDTH - len(INDENT * level) - 6
        lines += textwrap.wrap(line, width, break_long_words=False, subsequent_indent=hang) or [""]
    alone = len(lines) == 1 and not lines[0].endswith('"')
    return '"""' + "\n".join(lines if alone else [*lines, ""]) + '"""'


def tidied(text: str) -> str:
    """A whole file as ruff has it: formatted, imports sorted, without those that nothing reads."""
    for asked in (["check", "--quiet", "--select", "I,F401", "--fix"], ["format"]):
        command = [sys.executable, "-m", "ruff", *asked, "--isolated", "--line-length", str(WIDTH)]
        command += ["--stdin-filename", "emitted.py", "-"]
        done = subprocess.run(command, input=text, capture_output=True, check=False, encoding="utf-8")
        if done.returncode:
            raise InternalError(f"the emitted code is no Python that ruff reads: {done.stderr}")
        text = done.stdout
    return text
