"""What the verbs that ask a trained run share: options, opening the run and its data, writing the answer."""

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from runtime.cli.common import console, error_console, tell

if TYPE_CHECKING:
    from compiler.model.model import Model
    from runtime.answering.panels import Panel
    from runtime.data import PreparedData, Rows, Units
    from runtime.runs.run_folder import Run

Split = Literal["test", "validation", "training"]
Weights = Literal["best", "last"]

OutputOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="A .png, or a .csv for the numbers; left out, RUN/figures/VERB.png (.csv where nothing is a picture).",
    ),
]
CountOption = Annotated[int, typer.Option("--count", min=1, metavar="N", help="Rows of the picture.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Which rows are taken, and every draw.")]
ShowOption = Annotated[
    str | None,
    typer.Option("--show", metavar="VARIABLE", help="The observed variable to show; left out, the first picture."),
]
SplitOption = Annotated[Split, typer.Option("--split", help="Rows to use: test, validation or training.")]
CheckpointOption = Annotated[
    Weights, typer.Option("--checkpoint", help="Weights of the best epoch on validation rows, or of the last epoch.")
]

TABLE_LINES, TABLE_FIELDS = 12, 10


@dataclass(frozen=True)
class Opened:
    """A run, its model, and its data, which are read when first asked for."""

    run: "Run"
    model: "Model"
    data_dir: Path | None

    @cached_property
    def data(self) -> "PreparedData":
        """The data of the run, split as in training and in its units; a note on standard error where they have changed
        since."""
        from runtime.data import prepare

        data = prepare(
            self.model.graphs, data_dir=self.data_dir, spec_path=self.run.spec_path, tell=tell, units=self.units
        )
        if self._differs(data):
            error_console.print(
                "note: the data have changed since this run was trained: its splits may not be the same"
            )
        return data

    @property
    def data_changed(self) -> bool:
        """The data are not those that the run was trained on."""
        return self._differs(self.data)

    def _differs(self, data: "PreparedData") -> bool:
        trained_on = self.run.manifest().get("fingerprint")
        return trained_on is not None and trained_on != data.manifest().get("fingerprint")

    def rows(self, split: Split) -> "Rows":
        """The rows of a split."""
        splits = {"test": self.data.test, "validation": self.data.validation, "training": self.data.training}
        return splits[split]

    @cached_property
    def units(self) -> "dict[str, Units]":
        """Scales of standardized variables as the manifest has them, so that no data are needed: per element, or for
        images per channel."""
        import torch

        from runtime.data import Units

        found = {}
        for name, numbers in (self.run.manifest().get("units") or {}).items():
            shape = self.model.graphs.variables[name].shape
            per_element = len(numbers["mean"]) == prod(shape)
            target = shape if per_element else (len(numbers["mean"]), *(1 for _ in shape[1:]))
            mean, std = (torch.tensor(numbers[key], dtype=torch.float64).reshape(target) for key in ("mean", "std"))
            found[name] = Units(mean, std)
        return found


def open_for_questions(folder: Path, checkpoint: Weights, data_dir: Path | None, allow_python: bool = False) -> Opened:
    """The trained model of a run folder; RunError (or SpecError) says why it cannot be opened."""
    from runtime.runs.run_folder import find_run, open_run

    run = find_run(folder)
    file = run.checkpoint if checkpoint == "best" else run.last_file
    return Opened(run, open_run(file, allow_python=allow_python), data_dir)


def answer(opened: Opened, panel: "Panel", output: Path | None, verb: str) -> None:
    """Write a panel where the user wants it and say where; panels that are no picture are also printed."""
    from runtime.figures.panel_files import default_path, is_picture, write_panel

    graphs = opened.model.graphs
    path = output or default_path(panel, graphs, opened.run.figures, verb)
    write_panel(panel, graphs, path, opened.units)
    if not is_picture(panel, graphs):
        _print_table(opened, panel)
    console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)


def _print_table(opened: Opened, panel: "Panel") -> None:
    from rich.table import Table

    from runtime.figures.panel_tables import panel_table

    header, lines = panel_table(panel, opened.model.graphs, opened.units)
    table = Table(title=panel.title, title_justify="left")
    for name in header[: TABLE_FIELDS + 3]:
        table.add_column(name, justify="right", no_wrap=True)
    for line in islice(lines, TABLE_LINES):
        table.add_row(*line[: TABLE_FIELDS + 3])
    console.print(table)
    console.print("The file holds every row and column.", highlight=False)
