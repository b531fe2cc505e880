"""Copies of functions: what an emitted file uses of the compiler's own functions stands in it word for word.

From: names that occur in the emitted code. To: their sources, each with what it needs itself, in an order that reads.
"""

import ast
import importlib.util
import re
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from compiler.families import ENTRIES
from compiler.networks.blueprint import KINDS

SHARED = (
    "compiler.symbolic.schedules",
    "compiler.tensors.noise",
    "compiler.tensors.call_layout",
    "compiler.tensors.blanks",
    "compiler.tensors.views",
    "compiler.tensors.exact_chains",
    "compiler.tensors.matching",
    "compiler.families.numerics",
    "compiler.families.sphere",
    "compiler.families.flow_maps",
    "compiler.plan.aggregation",
    "compiler.families.noise_kinds",
    "compiler.plan.sparse",
    "compiler.families.entry",
    "compiler.plan.score_function",
    "compiler.factors.links",
)
"""What families and parameters stand on; then come the families themselves, each from the file of its functions."""

LAYERS = (
    "graphspec.language.shapes",
    "compiler.networks.initialization",
    "compiler.families.flows",
    "compiler.networks.interface",
    "compiler.kernels.plain",
    "compiler.networks.layers",
    "compiler.networks.linear",
    "compiler.networks.mlp",
    "compiler.networks.conv_layers",
    "compiler.factors.starting_points",
)
"""What networks are made of; then come the kinds of networks, each from its file. They stand behind the model."""

SINGLE = {
    "compiler.symbolic.schedules": {"progress", "straight", "cosine", "exponential"},
    "compiler.tensors.blanks": {"PRESENCE", "every_value", "one_hot"},
    "compiler.families.entry": {"picked"},
    "compiler.families.flows": {"LAST_GAIN", "flow_map"},
    "compiler.factors.starting_points": {"Entrance", "StartingPoint"},
    "graphspec.language.shapes": {"conv_padding", "conv_sides"},
}
"""Files of which a few names are copied, and no others."""

OWN = ("compiler", "graphspec")
OWN_WORDS = {"broadcast_pair(": "torch.broadcast_tensors(", "broadcast_shape(": "torch.broadcast_shapes("}
"""Helpers of the compiler that only give torch's functions types or speed."""
OWN_METHODS = {"shareable", "select", "repeated", "forked"}
"""What only the compiler calls."""


@dataclass(frozen=True)
class Piece:
    """One function, class or constant: its source and the other pieces it names. behind: it stands behind the model."""

    name: str
    source: str
    needs: frozenset[str]
    constant: bool
    behind: bool


def modules() -> dict[str, bool]:
    """Every file that pieces come from, in the order in which they stand in an emitted file: whether behind the
    model."""
    families = (function.__module__ for entry in ENTRIES.values() for function in entry.functions())
    kinds = (function.__module__ for function in KINDS.values())
    return dict.fromkeys((*SHARED, *families), False) | dict.fromkeys((*LAYERS, *kinds), True)


def pieces() -> dict[str, Piece]:
    """Every piece by name, in the order of the modules and of their files."""
    return _pieces(tuple(modules().items()))


@cache
def _pieces(chosen: tuple[tuple[str, bool], ...]) -> dict[str, Piece]:
    found: dict[str, Piece] = {}
    for module, behind in chosen:
        text = _text(module)
        for node in ast.parse(text).body:
            for name in _defined(node):
                if name in SINGLE.get(module, {name}):
                    source = _source(text, node)
                    known = found.setdefault(
                        name, Piece(name, source, frozenset(names_in(source)), isinstance(node, ast.Assign), behind)
                    )
                    assert known.source == source, f"two different pieces are called {name}"
    return {name: replace(piece, needs=piece.needs & found.keys() - {name}) for name, piece in found.items()}


def _text(module: str) -> str:
    found_at = importlib.util.find_spec(module)
    assert found_at is not None and found_at.origin is not None, f"{module} has no file"
    return Path(found_at.origin).read_text(encoding="utf-8")


def _defined(node: ast.stmt) -> Iterator[str]:
    """What a statement defines; annotated names, such as a file's entries of the table, are the compiler's own."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))


def names_in(code: str) -> set[str]:
    """Names that stand for something outside of the functions and classes that use them."""
    pending, found = [symtable.symtable(code, "code", "exec")], set[str]()
    while pending:
        table = pending.pop()
        pending += table.get_children()
        whole = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (whole or s.is_global())}
    return found


def _source(text: str, node: ast.stmt) -> str:
    lines = text.splitlines()
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    source = "\n".join(lines[first : node.end_lineno])
    for ours, plain in OWN_WORDS.items():
        source = source.replace(ours, plain)
    return _shortened(re.sub(r"  # (type: ignore|noqa).*", "", source))


def _shortened(source: str) -> str:
    """Without methods that only the compiler calls, and of each docstring the first paragraph."""
    lines, cuts = source.split("\n"), list[tuple[int, int]]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name in OWN_METHODS:
            cuts.append((node.lineno - 1, node.end_lineno or 0))  # and the blank line before it
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            start, end = node.body[0].lineno, node.body[0].end_lineno or 0
            blank = next((place for place in range(start, end) if not lines[place]), None)
            if blank is not None:
                lines[blank - 1] += '"""'
                cuts.append((blank + 1, end))
    for start, end in sorted(cuts, reverse=True):
        del lines[start - 1 : end]
    return "\n".join(lines)


def needed(code: str) -> list[Piece]:
    """The pieces that `code` names and those they name in turn, in file order, constants before functions, those that
    stand behind the model last."""
    known = pieces()
    wanted = names_in(code) & known.keys()
    pending = list(wanted)
    while pending:
        for name in known[pending.pop()].needs - wanted:
            wanted.add(name)
            pending.append(name)
    by_source = {piece.source: piece for name, piece in known.items() if name in wanted}
    return sorted(by_source.values(), key=lambda piece: (piece.behind, not piece.constant))


def piece_names() -> Iterable[str]:
    """Names that nothing else in an emitted file may have."""
    imported = (alias for node in _imports(tuple(modules())) for alias in node.names)
    return {*pieces(), *(alias.asname or alias.name.split(".")[0] for alias in imported)}


def import_lines() -> list[str]:
    """The imports that some emitted file needs: those of the copied files, and a few more."""
    return [ast.unparse(node) for node in _imports(tuple(modules()))]


BODY = "import sys\nimport numpy as np\nimport zuko.flows"
"""Imports that an emitted file may need beside those of the pieces."""


@cache
def _imports(chosen: tuple[str, ...]) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Every import of these files from elsewhere."""
    nodes = (node for text in (BODY, *map(_text, chosen)) for node in ast.parse(text).body)
    found = {ast.unparse(node): node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))}
    return tuple(node for text, node in found.items() if text.split()[1].split(".")[0] not in OWN)
