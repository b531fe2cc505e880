"""Numbers that are none: where training stops before it saves them, and what to look at."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from runtime.errors import RunError
from runtime.training.step.step_metrics import FirstBad, StepInfo

if TYPE_CHECKING:
    from runtime.data import PreparedData

MOST_ROWS, MOST_CELLS = 3, 3
LOOKED_AT = 2000
"""Training rows that say what is usual for a column."""
FAR = 8.0
"""Times the usual distance from the median beyond which a cell is shown."""


class DivergedError(RunError):
    """Training made numbers that are none. facts: for the manifest, which lets a resumed training change its rate."""

    def __init__(self, what: str, kept: int, folder: Path, rows: list[str]) -> None:
        self.facts: dict[str, Any] = {"diverged": {"epoch": kept + 1, "rows": rows}}
        seen = f"; first in {'; '.join(rows)}" if rows else ""
        super().__init__(
            f"{what}, in epoch {kept + 1}{seen}",
            "look at the data's range, and try a lower training.learning_rate or training.gradient_clip: 5 "
            "(--resume --set training.learning_rate=... goes on from the last good state); "
            + (f"epoch {kept} is kept in {folder}" if kept else f"no weights were kept in {folder}"),
        )


def refuse_broken(info: StepInfo, epoch: int, folder: Path, first: FirstBad | None, data: "PreparedData") -> None:
    """DivergedError naming terms, rows and columns at fault if the open epoch's objective is not a number.

    epoch: the last whole one. first: the rows of this process that were the first without a finite bound.
    """
    if info.broken:
        kind = "infinite" if math.isinf(info.loss) else "not a number"
        terms = f" in {', '.join(info.culprits)}" if info.culprits else ""
        raise DivergedError(f"the objective became {kind}{terms}", epoch, folder, describe_rows(first, data))


def check_weights(model: nn.Module, epoch: int, folder: Path) -> None:
    """DivergedError naming a factor whose weights are no numbers: its gradient shows in the loss a step later only."""
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            factor = name.split(".")[1].replace("--", ".")
            what = f"weights of factor {factor} became not a number (its gradient did)"
            raise DivergedError(what, epoch, folder, [])


def describe_rows(first: FirstBad | None, data: "PreparedData") -> list[str]:
    """The rows that broke first, by their 0-based numbers in the source, with the cells that stand out."""
    if first is None:
        return []
    where = f"{len(first.rows)} of {first.of} rows of the epoch's step {first.step}"
    if len(first.rows) == first.of:
        return [f"{where}, which points to the weights and not to single rows"]
    usual = _usual(data)
    described = [_describe(int(position), data, usual) for position in first.rows]
    shown = [text for text in described if text][:MOST_ROWS]
    return [f"{where}: {'; '.join(shown)}" if shown else f"{where}, like the others: the weights are at fault"]


def _usual(data: "PreparedData") -> dict[str, tuple[Tensor, Tensor]]:
    """{variable: median, and how far from it is usual, per element}, of some training rows' finite values."""
    count = len(data.training)
    batch = data.training.batch(torch.linspace(0, count - 1, min(count, LOOKED_AT)).long(), torch.float64)
    found = {}
    for name, values in batch.items():
        known = values.double().where(values.double().isfinite(), torch.nan)
        median = known.nanmedian(dim=0).values
        spread = (known - median).abs().nanmedian(dim=0).values * 1.5  # what one wild row does not move
        found[name] = (median, spread)
    return found


def _describe(position: int, data: "PreparedData", usual: dict[str, tuple[Tensor, Tensor]]) -> str:
    """A row with its cells that stand out; "" if none does."""
    cells = sorted(_cells(position, data, usual), key=lambda cell: -cell[0])[:MOST_CELLS]
    text = ", ".join(f"{name} = {value:.6g} (usually about {middle:.4g})" for _, name, value, middle in cells)
    return f"row {int(data.training.source[position])} of {data.source} (0-based) has {text}" if text else ""


def _cells(
    position: int, data: "PreparedData", usual: dict[str, tuple[Tensor, Tensor]]
) -> Iterator[tuple[float, str, float, float]]:
    """(how far out, column, value, what is usual) of the row's cells that stand out, in data units."""
    batch = data.training.batch(torch.tensor([position]), torch.float64)
    for name, values in batch.items():
        value = values[0].double()
        median, spread = usual[name]
        far = ((value - median).abs() / spread.clamp_min(1e-12)).nan_to_num(0.0, posinf=math.inf).flatten()
        units = data.units.get(name)
        told, middle = (value, median) if units is None else (units.to_data(value), units.to_data(median))
        columns = data.columns[name].names if name in data.columns else (name,)
        for element in (far > FAR).nonzero().flatten().tolist():
            column = columns[element] if len(columns) == len(far) else f"{name}[{element}]"
            yield float(far[element]), column, float(told.flatten()[element]), float(middle.flatten()[element])
