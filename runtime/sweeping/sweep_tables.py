"""The table of a sweep: the same cells for the terminal, for a text file and for Markdown.

From: rows of `results`. To: header and cells, as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphspec.language.data import FEW_LABELS
from graphspec.reading.suggestions import counted
from runtime.sweeping.dropped_edges import edge_notes
from runtime.sweeping.folds import fold_notes
from runtime.sweeping.results import per_cent
from runtime.sweeping.sweep_plan import AS_WRITTEN, SweepPlan


@dataclass(frozen=True)
class SweepTable:
    """`header` and `lines` of the same length; `notes` belong below."""

    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def build_table(plan: SweepPlan, rows: Sequence[Mapping[str, Any]], splits: Sequence[str]) -> SweepTable:
    """One line per grid point and model: swept values, errors and elbo as mean ± standard deviation, minutes, n.

    Points are sorted by the swept values where they are numbers; the spec as written stands before its variants.
    """
    names = [field.name for field in plan.fields]
    several = len(plan.titles) > 1
    cells = _cells(plan, splits)
    header = (*short_names(names), *(("model",) if several else ()), *(title for title, _ in cells))
    lines = []
    for row in sorted(rows, key=lambda row: [_rank(row["over"][name]) for name in names]):
        values = [show_value(row["over"][name]) for name in names]
        for key, title in plan.titles.items():
            figures = row if key == AS_WRITTEN else row[key]
            model = [title or "as written"] if several else []
            lines.append((*values, *model, *(_cell(figures, path) for _, path in cells)))
    notes = (
        *edge_notes(plan.titles, rows, splits[0]),
        *_notes(plan, rows),
        *(fold_notes(plan, rows) or _few_rows(plan, rows, splits)),
    )
    return SweepTable(header, tuple(lines), notes)


def _cells(plan: SweepPlan, splits: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """(title, path in a model's figures) of every column behind the swept values."""
    graphs, found = plan.graphs, []
    for index, name in enumerate(graphs.supervised):
        unit = " %" if per_cent(graphs, name) else ""
        inside = ("variables", name) if index else ()
        found += [(f"{name} {split}{unit}", (*inside, f"{split}_error")) for split in splits]
    found.append((f"elbo {splits[0]}", (f"{splits[0]}_elbo",)))
    return [*found, ("minutes", ("minutes", "mean")), ("n", ("minutes", "n"))]


def _cell(figures: Mapping[str, Any], path: Sequence[str]) -> str:
    value: Any = figures
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        return show_statistics(value)
    return "-" if value is None else f"{value:.3g}"


def show_statistics(stats: Mapping[str, Any]) -> str:
    """`2.31 ± 0.12`; one value alone has no deviation."""
    mean, spread = stats["mean"], stats["std"]
    if mean is None:
        return "-"
    digits = 2 if abs(mean) < 1000 else 1
    if 0 < abs(mean) < 0.1:
        return f"{mean:.3g}" if spread is None else f"{mean:.3g} ± {spread:.2g}"
    return f"{mean:.{digits}f}" if spread is None else f"{mean:.{digits}f} ± {spread:.{digits}f}"


def _rank(value: Any) -> tuple[int, float, str]:
    """Numbers before words, numbers by size."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return (0, float(value), "") if number else (1, 0.0, show_value(value))


def show_value(value: Any) -> str:
    """A swept value in a cell."""
    if value is None:
        return "default"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {show_value(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(show_value(entry) for entry in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def short_names(names: Sequence[str]) -> list[str]:
    """Field names without their section where that leaves them different (`data.labels.y` is `labels.y`)."""
    short = [name.partition(".")[2] or name for name in names]
    return [s if short.count(s) == 1 else name for s, name in zip(short, names, strict=True)]


def _notes(plan: SweepPlan, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    counts = [(row if key == AS_WRITTEN else row[key])["minutes"]["n"] for row in rows for key in plan.titles]
    notes = []
    if len(plan.seeds) > 1:
        notes.append(f"mean ± standard deviation over seeds {', '.join(map(str, plan.seeds))}")
    if min(counts) < len(plan.seeds):
        notes.append(f"not every run is there: n says how many of {len(plan.seeds)}")
    return notes


def _few_rows(plan: SweepPlan, rows: Sequence[Mapping[str, Any]], splits: Sequence[str]) -> list[str]:
    """One note for each error that hangs on few labelled rows, with the widest interval of the table."""
    models = [row if key == AS_WRITTEN else row[key] for row in rows for key in plan.titles]
    notes = []
    for index, name in enumerate(plan.graphs.supervised):
        for split in splits:
            figures = [model.get("variables", {}).get(name, {}) if index else model for model in models]
            few = [found for found in figures if found.get(f"{split}_rows", FEW_LABELS) < FEW_LABELS]
            if few:
                low, high = max((found[f"{split}_interval"] for found in few), key=lambda ends: ends[1] - ends[0])
                count = min(found[f"{split}_rows"] for found in few)
                notes.append(
                    f"{name} {split}: {counted(count, 'labelled row')} only; a mean here is as good as "
                    f"anything from {low:.0f} to {high:.0f} % (the widest 95 % interval)"
                )
    return notes


def as_markdown(table: SweepTable) -> str:
    """The table as Markdown, with the notes below it."""
    lines = ["| " + " | ".join(line) + " |" for line in (table.header, ("---:",) * len(table.header), *table.lines)]
    return "\n".join([*lines, *(f"\n{note}" for note in table.notes)]) + "\n"


def as_text(table: SweepTable) -> str:
    """The table in columns."""
    widths = [max(len(line[i]) for line in (table.header, *table.lines)) for i in range(len(table.header))]
    lines = [
        "  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in (table.header, *table.lines)
    ]
    return "\n".join([*lines, *(["", *table.notes] if table.notes else [])]) + "\n"
