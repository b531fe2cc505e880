"""Variables of plates, and what a variable is when it is read across elements."""

from dataclasses import replace

from graphspec.graphs.graph import SIDES, Plate, Variable
from graphspec.graphs.network_choice import network_of
from graphspec.graphs.reading_across import ParentReading, Unreadable, read, variable_path
from graphspec.language import Spec
from graphspec.language.plates import NEIGHBOURS, path_of


def plates_of(spec: Spec) -> dict[str, Plate]:
    """Every plate of a spec that is free of errors."""
    return {
        name: Plate(name, plate.size or 1, plate.ordered, path_of(spec.plates, name))
        for name, plate in spec.plates.items()
    }


def in_plates(spec: Spec, variable: Variable | None) -> Variable | None:
    """The variable in the plates where it is declared."""
    if variable is None or variable.name not in spec.variables:
        return variable
    return replace(variable, plates=_sized(spec, variable_path(spec, variable.name)))


def _sized(spec: Spec, path: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((name, spec.plates[name].size or 1) for name in path)


def viewed_variable(spec: Spec, reading: ParentReading, base: Variable | None) -> Variable | None:
    """What a factor reads of `base` under a view: a deterministic variable; None where `base` is not known."""
    view = reading.view
    assert view is not None, "a variable that is read as it stands is itself"
    plates = _sized(spec, reading.path)
    if view.kind == "place":
        size = spec.plates[view.base].size or 1
        return Variable(view.key, "deterministic", "category", (), size, derived=True, plates=plates)
    if base is None:
        return None
    flags = base.presence if base.presence is not None else () if view.kind in NEIGHBOURS else None
    seen = replace(base, name=view.key, role="deterministic", missing=False, derived=True, plates=plates, flags=flags)
    if view.pools and base.domain != "category":  # what is pooled is what enters: numbers, of which sums are no counts
        return replace(seen, domain="real", support=None, minimum=0, names=())
    return seen


def plates_fit(spec: Spec) -> bool:
    """Plates are what they should be, and every parent can be read where it is written."""
    for plate in spec.plates.values():
        if (
            plate.size is None
            or plate.count is not None
            or (plate.inside is not None and plate.inside not in spec.plates)
        ):
            return False
    if any(v.plate is not None and v.plate not in spec.plates for v in spec.variables.values()):
        return False
    try:
        for side in SIDES:
            factors = spec.generative if side == "generative" else spec.recognition.factors
            for name, factor in factors.items():
                for parent in factor.parents if name in spec.variables else ():
                    read(spec, side, name, parent, network_of(factor, spec))
    except Unreadable:
        return False
    return True
