"""What the verbs that ask a trained run share: options, opening the run and its data, writing the answer."""

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphspec.language.base import LARGEST_SEED
from graphspec.language.objective import AnswerBy
from runtime.cli.common import console, error_console, tell
from runtime.errors import RunError

if TYPE_CHECKING:
    from compiler.model.model import Model
    from runtime.answering.panels import Panel
    from runtime.data import PreparedData, Rows, Units
    from runtime.data.preparation.earlier_rows import EarlierRows
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
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, metavar="N", help="Which rows are taken, and every draw.")
]
ShowOption = Annotated[
    str | None,
    typer.Option("--show", metavar="VARIABLE", help="The observed variable to show; left out, the first picture."),
]
SplitOption = Annotated[Split, typer.Option("--split", help="Rows to use: test, validation or training.")]
ByOption = Annotated[
    AnswerBy | None,
    typer.Option("--by", help="What answers a label: q, p's own posterior by the bound, or the mean of both."),
]
CheckpointOption = Annotated[
    Weights, typer.Option("--checkpoint", help="Weights of the best epoch on validation rows, or of the last epoch.")
]

TABLE_LINES, FIELD_WIDTH = 12, 24
NO_ROWS_HINT = (
    "`graphspec sweep SPEC --folds 5` tests every row that has a label once; or `data: {test: 0.2}`, and train again; "
    "or `--split training`, of rows that it knows"
)


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

        graphs, place = self.model.graphs, self.run.spec_path
        data = prepare(
            graphs, data_dir=self.data_dir, spec_path=place, tell=tell, units=self.units, earlier=self.earlier
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

    @property
    def columns(self) -> dict[str, list[str]]:
        """Columns of the source that each variable was read from in training."""
        found: dict[str, list[str]] = self.run.manifest().get("columns", {})
        return found

    @cached_property
    def earlier(self) -> "EarlierRows":
        """The rows that the run took."""
        from runtime.runs.run_rows import rows_of_run

        return rows_of_run(self.run)

    def rows(self, split: Split) -> "Rows":
        """The rows of a split. Raises RunError where it has none."""
        splits = {"test": self.data.test, "validation": self.data.validation, "training": self.data.training}
        if not len(splits[split]):
            raise RunError(f"{self.run.folder} has no {split} rows: its spec holds none out", NO_ROWS_HINT)
        return splits[split]

    @cached_property
    def units(self) -> "dict[str, Units]":
        """Scales of standardized variables as the manifest has them, so that no data are needed: per element, or for
        images per channel."""
        from runtime.runs.recorded_units import recorded_units

        return recorded_units(self.run, self.model.graphs.variables)


def open_for_questions(folder: Path, checkpoint: Weights, data_dir: Path | None, allow_python: bool = False) -> Opened:
    """The trained model of a run folder; RunError (or SpecError) says why it cannot be opened."""
    from runtime.runs.named_model import open_with_names

    run, model = open_with_names(folder, checkpoint, allow_python=allow_python)
    return Opened(run, model, data_dir)


def answer(opened: Opened, panel: "Panel", output: Path | None, verb: str) -> None:
    """Write a panel where the user wants it and say where; tables of numbers are also printed."""
    from runtime.figures.panel_files import default_path, is_read, write_panel
    from runtime.runs.protected import refuse_foreign, refuse_users_own

    graphs = opened.model.graphs.by_row
    if output is not None:
        refuse_users_own(output, graphs, opened.run.spec_path, opened.data_dir)
        refuse_foreign(output)
    path = output or default_path(panel, graphs, opened.run.figures, verb)
    write_panel(panel, graphs, path, opened.units, opened.columns)
    if is_read(panel, graphs, path):
        _print_table(opened, panel)
    console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)


def _print_table(opened: Opened, panel: "Panel") -> None:
    """The first lines, and as many fields as the terminal holds side by side."""
    from rich.table import Table
    from rich.text import Text

    from runtime.figures.panel_tables import panel_table

    header, lines = panel_table(panel, opened.model.graphs.by_row, opened.units, opened.columns)
    shown = [header, *islice(lines, TABLE_LINES)]
    widths = fitting_widths(shown, console.width)
    table = Table(title=Text(panel.title), title_justify="left")
    for name, width in zip(header, widths, strict=False):
        table.add_column(Text(name), justify="right", no_wrap=True, width=width)
    for line in shown[1:]:
        table.add_row(*(Text(field) for field in line[: len(widths)]))
    console.print(table)
    left_out = f"; {len(header) - len(widths)} columns are not shown" if len(widths) < len(header) else ""
    console.print(f"The file holds every row and column{left_out}.", highlight=False)


def fitting_widths(lines: list[list[str]], available: int) -> list[int]:
    """Widths of the first columns that fit beside each other in `available` characters, one at least."""
    from rich.cells import cell_len

    frame, padding = 1, 3  # the left edge; a space on both sides of each column and the line behind it
    widths: list[int] = []
    for column in zip(*lines, strict=True):
        width = min(FIELD_WIDTH, max(cell_len(field) for field in column))
        if widths and frame + sum(widths) + width + padding * (len(widths) + 1) > available:
            break
        widths.append(width)
    return widths
