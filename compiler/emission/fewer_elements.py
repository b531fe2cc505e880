"""The same graphs with fewer elements a row, for the self-check of long plates.

Steps of a plate are written once and run as often as it has elements: where six agree, so do eight hundred, which would
take a hundred times as long.
"""

from dataclasses import replace

from graphspec.graphs.graph import Graphs, Plate, Variable

FEW, MANY = 6, 20
"""Elements that are left of a plate that has more than so many."""


def fewer_elements(graphs: Graphs) -> Graphs:
    """Graphs whose long plates end sooner: those with an observed count whose places nothing reads. The same where no
    plate is long."""
    short = {plate.name: replace(plate, size=FEW) for plate in graphs.plates.values() if _shortens(graphs, plate)}
    if not short:
        return graphs
    counts = {plate.count for plate in short.values()}
    variables = {name: _shortened(each, short, name in counts) for name, each in graphs.variables.items()}
    return replace(graphs, variables=variables, plates={**graphs.plates, **short})


def _shortens(graphs: Graphs, plate: Plate) -> bool:
    if plate.count is None or plate.size <= MANY or graphs.variables[plate.count].minimum >= FEW:
        return False
    places = {each.view.base for each in graphs.views.values() if each.view is not None and each.view.kind == "place"}
    read = any(
        plate.count in each.parents for side in (graphs.generative, graphs.recognition) for each in side.values()
    )
    given = plate.count in graphs.generative or read  # its values have weights of their own
    return plate.count in graphs.observed and plate.name not in places and not given


def _shortened(variable: Variable, short: dict[str, Plate], counts: bool) -> Variable:
    plates = tuple((name, short[name].size if name in short else size) for name, size in variable.plates)
    support = FEW - variable.minimum + 1 if counts and variable.support is not None else variable.support
    return replace(variable, plates=plates, support=support)
