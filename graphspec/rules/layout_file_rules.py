"""GS028 of the files: elements stand in them as `data.plates` says.

From: `Layouts` and the rows' own source. To: `Standings`.
"""

from collections.abc import Mapping
from pathlib import Path

from graphspec.graphs.graph import Variable
from graphspec.graphs.reading_across import variable_path
from graphspec.headers.columns import show_shape
from graphspec.headers.element_tables import Layouts
from graphspec.headers.sources import Source, SourceInfo
from graphspec.language import Spec
from graphspec.rules.flat_layout_rules import check_flat
from graphspec.rules.line_layout_rules import check_lines
from graphspec.rules.present_cells import stored_axes
from graphspec.rules.standings import Standings
from graphspec.text.report import Report


def check_standings(
    spec: Spec,
    layouts: Layouts,
    variables: Mapping[str, Variable],
    main: tuple[Source, SourceInfo],
    places: tuple[Path | None, Path | None],
    report: Report,
) -> Standings | None:
    """Everything that can be told without loading; None after an error. places: the spec's file, and `--data-dir`."""
    assert spec.data is not None
    standings = Standings(spec, spec.data, layouts, *main)
    before = len(report.diagnostics)
    if main[1].columns is not None and "flat" in layouts.kinds.values():
        check_flat(standings, report)
    if layouts.tables:
        check_lines(standings, variables, places, report)
    if main[1].columns is not None:
        _check_padded(standings, variables, report)
    return None if any(found.severity == "error" for found in report.diagnostics[before:]) else standings


def _check_padded(standings: Standings, variables: Mapping[str, Variable], report: Report) -> None:
    """No cell has more places than the plate has elements."""
    spec = standings.spec
    for name, entry in standings.data.variables.items():
        if name not in variables or standings.layouts.kind(name) != "padded" or not variables[name].row_axes:
            continue
        path, stored = variable_path(spec, name), stored_axes(entry, standings.rows)
        for axis, plate in enumerate(path):
            size = variables[name].shape[axis]
            if spec.plates[plate].count is None or stored is None or axis >= len(stored) or stored[axis] <= size:
                continue
            if len(stored) not in (len(variables[name].shape), len(path)):
                continue  # another shape altogether: GS082 says so
            message = f"'{name}' has room for {size} {plate}, and its cells {show_shape(stored)} hold {stored[axis]}"
            hint = f"say `max: {stored[axis]}` of {spec.plates[plate].count}, or cut what is longer"
            report.error("GS028", ("data", "variables", name), message, hint=hint)
