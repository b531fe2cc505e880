"""Copies of functions: what an emitted file uses of the families and of the pieces stands in it word for word.

From: names that occur in the emitted code. To: their sources, each with what it needs itself, in an order that reads.
"""

import ast
import importlib.util
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compiler.families import ENTRIES

SHARED = (
    "compiler.emission.pieces.copied_schedules",
    "compiler.families.series",
    "compiler.families.edges",
    "compiler.families.gamma_noise",
    "compiler.families.quantiles",
    "compiler.families.sphere",
    "compiler.families.flow_maps",
    "compiler.model.aggregation",
    "compiler.families.noise_kinds",
    "compiler.emission.pieces.copied_values",
)
"""What families stand on; then come the families themselves, each from the file that its functions are in."""

BEHIND = (
    "compiler.emission.pieces.copied_flows",
    "compiler.emission.pieces.copied_scores",
    "compiler.emission.pieces.copied_layers",
)
"""What follows the families in an emitted file."""

OWN_WORDS = {"broadcast_pair(": "torch.broadcast_tensors("}
"""Helpers of the compiler that only give torch's functions types."""


@dataclass(frozen=True)
class Piece:
    """One function, class or constant: its source and the other pieces it names."""

    name: str
    source: str
    needs: frozenset[str]
    constant: bool


def pieces() -> dict[str, Piece]:
    """Every piece by name, in the order of the modules and of their files."""
    functions = (function for entry in ENTRIES.values() for function in entry.functions())
    return _pieces((*SHARED, *dict.fromkeys(function.__module__ for function in functions), *BEHIND))


@cache
def _pieces(modules: tuple[str, ...]) -> dict[str, Piece]:
    found: dict[str, tuple[str, ast.stmt]] = {}
    for module in modules:
        found_at = importlib.util.find_spec(module)
        assert found_at is not None and found_at.origin is not None, f"{module} is part of this package"
        text = Path(found_at.origin).read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            for name in _defined(node):
                source = _source(text, node)
                assert name not in found or found[name][0] == source, f"two different pieces are called {name}"
                found.setdefault(name, (source, node))
    return {
        name: Piece(name, source, frozenset(_used(node) & found.keys() - {name}), isinstance(node, ast.Assign))
        for name, (source, node) in found.items()
    }


def _defined(node: ast.stmt) -> Iterator[str]:
    """What a statement defines; annotated names, such as a file's entries of the table, are the compiler's own."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))


def _used(node: ast.stmt) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _source(text: str, node: ast.stmt) -> str:
    lines = text.splitlines()
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    source = "\n".join(lines[first : node.end_lineno])
    for ours, plain in OWN_WORDS.items():
        source = source.replace(ours, plain)
    return re.sub(r"  # (type: ignore|noqa).*", "", source)


def needed(code: str) -> list[Piece]:
    """The pieces that `code` names and those they name in turn, in file order, constants before functions."""
    known = pieces()
    wanted = set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", code)) & known.keys()
    pending = list(wanted)
    while pending:
        for name in known[pending.pop()].needs - wanted:
            wanted.add(name)
            pending.append(name)
    by_source = {piece.source: piece for name, piece in known.items() if name in wanted}
    return sorted(by_source.values(), key=lambda piece: not piece.constant)


def piece_names() -> Iterable[str]:
    """Names that nothing else in an emitted file may have."""
    return pieces().keys()
