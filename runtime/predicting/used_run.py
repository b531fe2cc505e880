"""A run opened to be used on other data: its model, and how its training read each variable.

Everything here comes from the run folder: names, columns, units, sizes of pictures. The data that it was trained on
need not be there any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch

from compiler.model.model import Model
from graphspec.graphs.graph import Graphs, Variable
from graphspec.headers import Dialect
from graphspec.headers.element_tables import Layouts, layouts_of
from graphspec.headers.sources import dialect_of
from graphspec.language import ColumnSpec, DataSection
from graphspec.language.data import is_pattern
from graphspec.reading.suggestions import few
from runtime.data import Units
from runtime.data.preparation.picture_wishes import picture_readings
from runtime.data.read.column_patterns import with_patterns
from runtime.data.read.reading import Readings
from runtime.data.stream.seen_values import Seen
from runtime.errors import DataError, RunError
from runtime.measures.temperature import Temperature, read_temperatures
from runtime.runs.named_model import open_with_names
from runtime.runs.recorded_units import recorded_units
from runtime.runs.records import understood
from runtime.runs.run_folder import Run


@dataclass(frozen=True)
class UsedRun:
    """columns: how each observed and supervised variable is read, patterns written out. units: of standardized ones.
    seen: what training rows hold, as far as the run tells. lined: variables whose answers are about one
    element of a plate. temperatures: how sure labels may be, by validation rows."""

    run: Run
    model: Model
    data: DataSection
    columns: Mapping[str, ColumnSpec]
    units: Mapping[str, Units]
    seen: Mapping[str, Seen]
    data_dir: Path | None
    lined: frozenset[str] = frozenset()
    temperatures: Mapping[str, Temperature] = field(default_factory=dict)

    @property
    def graphs(self) -> Graphs:
        """The model's graphs for whoever reads data."""
        return self.model.graphs.by_row

    @cached_property
    def double_model(self) -> Model:
        """The model in float64 on the CPU, for sums that are exact."""
        found = Model(self.model.graphs, dtype=torch.float64, allow_python=self.model.allow_python)
        found.load_state_dict({name: value.cpu() for name, value in self.model.state_dict().items()})
        return found.eval()

    @cached_property
    def dialect(self) -> Dialect:
        """How the training's tables of text are written."""
        return dialect_of(self.data)

    @cached_property
    def readings(self) -> Readings:
        """By column, how picture files are read."""
        return picture_readings(self.graphs, self.data)

    @cached_property
    def layouts(self) -> Layouts:
        """How the elements of plates stand in the run's files."""
        return layouts_of(self.model.graphs.spec)

    def variable(self, name: str) -> Variable:
        """A variable as an answer is about it: all that a row has of it, or what one element has."""
        variable = self.graphs.variables[name]
        return variable.of_one if name in self.lined else variable

    def may_be_blank(self, name: str) -> bool:
        """Rows may lack values of a variable."""
        variable = self.graphs.variables[name]
        return variable.missing or variable.role == "supervised"

    def called(self, name: str) -> str:
        """What a variable is called in tables: its data column where it has one, else as in the spec."""
        spec = self.columns.get(name)
        return name if spec is None or spec.column is None or spec.soft else spec.column

    def elements(self, name: str) -> tuple[str, ...]:
        """What each element of a variable is called: its own column, else `v`, `v[0]`, `v[0,1]`."""
        variable, spec = self.variable(name), self.columns.get(name)
        if not variable.shape:
            return (spec.names[0] if spec is not None and len(spec.names) == 1 else name,)
        count = torch.Size(variable.shape).numel()
        if spec is not None and spec.columns is not None and not spec.soft and len(spec.names) == count:
            return spec.names
        places = torch.cartesian_prod(*map(torch.arange, variable.shape)).reshape(count, -1).tolist()
        return tuple(f"{self.called(name)}[{','.join(map(str, place))}]" for place in places)


def use_run(
    folder: Path | str,
    *,
    checkpoint: Literal["best", "last"] = "best",
    device: torch.device | str = "cpu",
    data_dir: Path | None = None,
    allow_python: bool = False,
) -> UsedRun:
    """The run in `folder`. RunError, DataError or SpecError says why it cannot be used."""
    run, model = open_with_names(Path(folder), checkpoint, allow_python=allow_python)
    return use_model(run, model.to(device), data_dir, selected=checkpoint == "best")


def use_model(run: Run, model: Model, data_dir: Path | None = None, *, selected: bool = True) -> UsedRun:
    """A run whose model is at hand, with its weights and names; selected: they are those of which the manifest says how
    sure they may be. RunError says why it cannot be used."""
    graphs, data = model.graphs, model.graphs.spec.data
    if data is None:
        raise RunError(f"{run.folder} was trained without a `data` section", "nothing tells how its variables are read")
    manifest = run.manifest()
    with understood(run.manifest_file):
        seen = {name: Seen.from_json(plain) for name, plain in (manifest.get("seen") or {}).items()}
        temperatures = read_temperatures(manifest) if selected else {}
    columns = _columns(run, graphs, data, manifest.get("columns") or {}, data_dir)
    units = recorded_units(run, graphs.variables)
    return UsedRun(run, model, data, columns, units, seen, data_dir, temperatures=temperatures)


def _columns(
    run: Run, graphs: Graphs, data: DataSection, recorded: Mapping[str, list[str]], data_dir: Path | None
) -> dict[str, ColumnSpec]:
    """How each variable is read. Patterns stand for the columns that training found, whatever an input has."""
    found = {name: data.variables[name] for name in (*graphs.observed, *graphs.supervised) if name in data.variables}
    patterned = {name for name, spec in found.items() if any(map(is_pattern, spec.columns or ()))}
    for name in patterned & recorded.keys():
        found[name] = found[name].model_copy(update={"columns": tuple(recorded[name])})
    unknown = patterned - recorded.keys()
    if not unknown:
        return found
    try:
        written = with_patterns(found, data, layouts_of(graphs.spec), dialect_of(data), run.spec_path, data_dir)
    except DataError:
        written = found
    if any(any(map(is_pattern, written[name].columns or ())) for name in unknown):
        raise RunError(
            f"{run.folder} does not say which columns {few(sorted(unknown))} stands for, and its data are not there",
            "bring the data back, or train again with this version, which keeps the names",
        )
    return written
