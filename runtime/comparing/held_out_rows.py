"""The test rows that several runs have in common, and whether they are the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from compiler.model.model import Model
from runtime.data import PreparedData, Rows
from runtime.errors import RunError
from runtime.runs.run_folder import Run


@dataclass(frozen=True)
class Compared:
    """One of the runs, with its data. rows: those of the test rows that all runs held out, in one order for all."""

    run: Run
    model: Model
    data: PreparedData
    rows: Rows

    @property
    def name(self) -> str:
        """The folder, as the user called it."""
        return str(self.run.folder)


def common_rows(opened: Sequence[tuple[Run, Model, PreparedData]]) -> list[Compared]:
    """The runs with the rows that all of them tested. RunError where the data differ, or no row is common."""
    first = opened[0]
    for run, _, data in opened[1:]:
        _refuse_other_data(first, (run, data))
    shared = set.intersection(*({*data.test.source.tolist()} for _, _, data in opened))
    for run, _, data in opened:
        if not len(data.test):
            raise RunError(f"{run.folder} has no test rows", "compare runs that held some out (data.test)")
    if not shared:
        raise RunError(
            f"no test row of {first[0].folder} is one of {opened[1][0].folder}",
            "train them with the same data.seed and data.test, so that both hold out the same rows",
        )
    return [Compared(run, model, data, chosen(data.test, shared)) for run, model, data in opened]


def chosen(rows: Rows, numbers: set[int]) -> Rows:
    """Those of some rows that have these numbers in the source, in the order of the source."""
    order = torch.argsort(rows.source)
    kept = torch.tensor([n in numbers for n in rows.source[order].tolist()], dtype=torch.bool)
    positions = order[kept]
    selection = rows.selection
    values = replace(selection, rows=selection.rows[positions.to(selection.rows.device)])
    factors = {name: column[positions.numpy()] for name, column in rows.factors.items()}
    return Rows(values, rows.source[positions], factors)


def _refuse_other_data(first: tuple[Run, Model, PreparedData], other: tuple[Run, PreparedData]) -> None:
    data, theirs = first[2], other[1]
    if data.fingerprint == theirs.fingerprint:
        return
    ours, others = data.rows_of_source, theirs.rows_of_source
    same = ours is not None and others is not None and Path(ours.place) == Path(others.place)
    if same and ours is not None and others is not None and len(ours.identities) == len(others.identities):
        same = bool((ours.identities == others.identities).all())
    else:
        same = False
    if not same:
        raise RunError(
            f"{first[0].folder} and {other[0].folder} are of other data: {data.source} and {theirs.source}",
            "compare runs of one source with the same rows",
        )
