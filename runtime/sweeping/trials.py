"""What a search found: rows of the study's trials, best first, and the best one's test figures.

From: a `Search` after its runs. To: summary.json, table.txt, table.md.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runtime.runs.atomic_files import write_text
from runtime.sweeping.grid import Outcome
from runtime.sweeping.results import column_figures, statistics
from runtime.sweeping.search import Search
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import Column
from runtime.sweeping.sweep_tables import SweepTable, as_markdown, as_text, short_names, show_statistics, show_value
from runtime.sweeping.swept_values import read_value

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SHOWN = 10


def conclude_search(
    search: Search, best: Column | None, minutes: float, command: str, machine: Mapping[str, Any]
) -> Outcome:
    """Write the files. best: the best trial's runs, measured on the test rows; None where they were not."""
    from runtime.training.loop.manifest import versions

    trials = search.complete()
    rows = [_row(search, trial) for trial in trials]
    if best is not None and rows:
        found = column_figures(best, search.folder, search.failures, ("test", "validation"))
        measured = {seed["seed"]: seed for seed in found.pop("seeds")}
        rows[0]["seeds"] = [seed | measured.get(seed["seed"], {}) for seed in rows[0]["seeds"]]
        rows[0] |= found
    summary = {
        "spec": search.plan.spec,
        "command": command,
        "minutes": round(minutes, 2),
        "versions": {**versions(), "optuna": _optuna_version()},
        "machine": dict(machine),
        "search": {
            "figure": search.figure.title(search.plan.graphs),
            "direction": search.figure.direction,
            "over": [searched.describe() for searched in search.ranges],
            "trials": len(search.study.trials),
            "complete": len(trials),
        },
        "rows": rows,
    }
    table = _table(search, rows)
    _write(search.folder, summary, table)
    return Outcome(summary, table, search.failures)


def _optuna_version() -> str:
    from importlib.metadata import version

    return version("optuna")


def _row(search: Search, trial: "FrozenTrial") -> dict[str, Any]:
    chosen = [text.partition("=") for text in trial.user_attrs["chosen"]]
    seeds = trial.user_attrs["seeds"]
    return {
        "trial": trial.number,
        "over": {name: read_value(value, name) for name, _, value in chosen},
        "value": statistics(seed["value"] for seed in seeds),
        "minutes": statistics(None if s["seconds"] is None else s["seconds"] / 60 for s in seeds),
        "seeds": seeds,
        "machine": trial.user_attrs["folder"].partition(":")[0],
    }


def _table(search: Search, rows: Sequence[Mapping[str, Any]]) -> SweepTable:
    names = [searched.name for searched in search.ranges]
    header = ("trial", *short_names(names), search.figure.title(search.plan.graphs), "minutes", "n")
    lines = tuple(
        (
            str(row["trial"]),
            *(_short(row["over"][name]) for name in names),
            show_statistics(row["value"]),
            "-" if row["minutes"]["mean"] is None else f"{row['minutes']['mean']:.3g}",
            str(row["value"]["n"]),
        )
        for row in rows[:SHOWN]
    )
    return SweepTable(header, lines, tuple(_notes(search, rows)))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else show_value(value)


def _notes(search: Search, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = [f"the {SHOWN} best of {len(rows)} trials"] if len(rows) > SHOWN else []
    if len(search.plan.seeds) > 1:
        notes.append(f"mean ± standard deviation over seeds {', '.join(map(str, search.plan.seeds))}")
    if rows and "test_error" in rows[0]:
        notes.append(f"test error of trial {rows[0]['trial']}, measured once: {show_statistics(rows[0]['test_error'])}")
    if search.running():
        notes.append(f"{search.running()} trials are still open on other machines, so the test rows wait")
    return notes


def _write(folder: SweepFolder, summary: Mapping[str, Any], table: SweepTable) -> None:
    write_text(folder.path / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    write_text(folder.path / "table.txt", as_text(table))
    write_text(folder.path / "table.md", as_markdown(table))
