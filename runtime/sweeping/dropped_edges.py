"""What each edge of a spec is worth: the spec trained again without it, once for every edge.

From: a spec and which edges. To: variants of a sweep, and lines that rank them. An edge that a rule of the language
needs is named and left in.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Graphs
from graphspec.loading import load
from runtime.errors import RunError
from runtime.sweeping.swept_values import Variant

WITHOUT = "without "
SECTIONS = {"p": "generative", "q": "recognition"}
_EDGE = re.compile(r"\s*([pq])\s*:\s*(\w+)\s*->\s*(\w+)\s*")
Edge = tuple[str, str, str]
"""(p or q, parent, child)."""


def edge_variants(
    spec: str, text: str, overrides: Sequence[str], wanted: Sequence[str], data_dir: Path | None = None
) -> tuple[list[Variant], list[str]]:
    """A variant for each edge, and what to know of those that cannot be dropped. wanted: `all`, `p`, `q`, or edges such
    as `p: z -> x`. RunError for an edge that is not there, or where none is left; SpecError for the spec itself."""
    graphs = load(spec, overrides, text=text, data_dir=data_dir)
    variants, notes = list[Variant](), list[str]()
    for edge in _chosen(graphs, wanted):
        variant = _without(graphs, edge)
        try:
            load(spec, (*overrides, *variant.overrides), text=text, data_dir=data_dir)
        except SpecError as error:
            why = next(each.message for each in error.diagnostics if each.severity == "error")
            notes.append(f"{_told(edge)} stays: {why}")
        else:
            variants.append(variant)
    if not variants:
        raise RunError("no edge can be dropped", "; ".join(notes))
    return variants, notes


def _edges(graphs: Graphs) -> list[Edge]:
    """Those that the spec writes, p's first."""
    found = [("p", p, n) for n, factor in graphs.spec.generative.items() for p in factor.parents]
    written = graphs.spec.recognition.factors
    return [*found, *(("q", p, n) for n, factor in written.items() for p in factor.parents)]


def _chosen(graphs: Graphs, wanted: Sequence[str]) -> list[Edge]:
    edges, chosen = _edges(graphs), list[Edge]()
    for text in wanted:
        if text in ("all", *SECTIONS):
            chosen += [edge for edge in edges if text in ("all", edge[0])]
            continue
        match = _EDGE.fullmatch(text)
        if match is None:
            raise RunError(f"cannot read --drop-edge {text!r}", "write all, p, q, or an edge such as 'p: z -> x'")
        edge = (match[1], match[2], match[3])
        if edge not in edges:
            there = ", ".join(map(_told, edges))
            raise RunError(f"the spec has no edge {_told(edge)}", f"it has {there}")
        chosen.append(edge)
    return list(dict.fromkeys(chosen))


def _told(edge: Edge) -> str:
    return f"{edge[0]}: {edge[1]} -> {edge[2]}"


def _without(graphs: Graphs, edge: Edge) -> Variant:
    side, parent, child = edge
    factor = graphs.spec.generative[child] if side == "p" else graphs.spec.recognition.factors[child]
    left = ", ".join(name for name in factor.parents if name != parent)
    place = f"{SECTIONS[side]}.{child}"
    overrides = [f"{place}.parents=[{left}]"]
    if parent in factor.stop_gradient:
        kept = ", ".join(name for name in factor.stop_gradient if name != parent)
        overrides.append(f"{place}.stop_gradient=[{kept}]")
    return Variant(WITHOUT + _told(edge), tuple(overrides))


def edge_notes(titles: Mapping[str, str], rows: Sequence[Mapping[str, Any]], split: str) -> list[str]:
    """A line for each dropped edge, that which is worth most first: how much better the spec is with it, in pairs of
    equal seeds; ± the standard error of the mean over seeds."""
    dropped = {
        key: title.removeprefix(WITHOUT) for key, title in titles.items() if _EDGE.fullmatch(title[len(WITHOUT) :])
    }
    lines: list[tuple[float, str]] = []
    for row in rows:
        for key, edge in dropped.items():
            bound = _paired(row, row.get(key) or {}, f"{split}_elbo", 1)
            error = _paired(row, row.get(key) or {}, f"{split}_error", -1)
            if bound is None and error is None:
                continue
            worth = [
                f"{text} {name}" for text, name in ((bound, "nats a row"), (error, f"of the {split} error")) if text
            ]
            where = "".join(f"{name}={value}, " for name, value in row["over"].items())
            lines.append(
                (_mean(row, row.get(key) or {}, f"{split}_elbo"), f"{where}{edge} is worth {', '.join(worth)}")
            )
    return [line for _, line in sorted(lines, key=lambda each: -each[0])]


def _gains(written: Mapping[str, Any], dropped: Mapping[str, Any], figure: str, sign: int = 1) -> list[float]:
    """Of each seed that both have: how much better the figure is as written."""
    others = {each["seed"]: each.get(figure) for each in dropped.get("seeds", ())}
    pairs = [(each.get(figure), others.get(each["seed"])) for each in written.get("seeds", ())]
    return [sign * (ours - theirs) for ours, theirs in pairs if ours is not None and theirs is not None]


def _mean(written: Mapping[str, Any], dropped: Mapping[str, Any], figure: str) -> float:
    gains = _gains(written, dropped, figure)
    return math.fsum(gains) / len(gains) if gains else -math.inf


def _paired(written: Mapping[str, Any], dropped: Mapping[str, Any], figure: str, sign: int) -> str | None:
    gains = _gains(written, dropped, figure, sign)
    if not gains:
        return None
    mean = math.fsum(gains) / len(gains)
    if len(gains) < 2:
        return f"{mean:+.2f}"
    variance = math.fsum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1)
    return f"{mean:+.2f} ± {math.sqrt(variance / len(gains)):.2f}"
