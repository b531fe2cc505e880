"""Which factors that `recognition: auto` derived share a network of what is observed, and why, in one line."""

from collections import Counter

from graphspec.graphs.graph import Factor, Graphs
from graphspec.reading.suggestions import listed

WHY = "fewer weights, and on seven data sets no clear difference in error to a network for each"
WHY_NOT = "; with several labels networks of their own may do better, as on faces with two"
"""Measured by `experiments.auto_trunks` (results/auto-trunks.json)."""


def shared_features_lines(graphs: Graphs) -> list[str]:
    """A line per trunk, or one that says why there is none; nothing where fewer than two factors are derived."""
    derived = [factor for factor in graphs.recognition.values() if factor.derived and not factor.deterministic]
    if len(derived) < 2:
        return []
    read = Counter(parent for factor in derived for parent in factor.parents)
    trunks = [f for name, f in graphs.recognition.items() if f.deterministic and name in read]
    lines = [_shared(graphs, trunk, [f.variable for f in derived if trunk.variable in f.parents]) for trunk in trunks]
    common = any(read[name] > 1 for name in graphs.observed)
    why = "the default network has no hidden layer to share" if common else "no two read the same observed variables"
    return lines or [f"each derived factor has a network of its own: {why}"]


def _shared(graphs: Graphs, trunk: Factor, readers: list[str]) -> str:
    labels = [name for name in readers if name in graphs.supervised]
    why = "the spec gives it"
    if graphs.variables[trunk.variable].derived:
        why = WHY + (WHY_NOT if len(labels) > 1 else "")
    verb = "share" if len(readers) > 1 else "reads"
    who, what = listed(f"q({name})" for name in readers), listed(trunk.parents)
    return f"{who} {verb} one network of {what} ({trunk.variable}): {why}"
