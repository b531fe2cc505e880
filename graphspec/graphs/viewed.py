"""Variables of plates, and what a variable is when it is read across elements."""

from dataclasses import replace

from graphspec.graphs.graph import SIDES, Plate, Variable
from graphspec.graphs.network_choice import network_of
from graphspec.graphs.plate_counts import count_fits, counts_along, plate_size
from graphspec.graphs.reading_across import ParentReading, Unreadable, read, variable_path
from graphspec.language import Spec
from graphspec.language.plates import NEIGHBOURS, path_of


def plates_of(spec: Spec) -> dict[str, Plate]:
    """Every plate of a spec that is free of errors."""
    return {
        name: Plate(name, plate_size(spec, name) or 1, plate.ordered, path_of(spec.plates, name), plate.count)
        for name, plate in spec.plates.items()
    }


def in_plates(spec: Spec, variable: Variable | None) -> Variable | None:
    """The variable in the plates where it is declared."""
    if variable is None or variable.name not in spec.variables:
        return variable
    return replace(variable, plates=_sized(spec, variable_path(spec, variable.name)))


def _sized(spec: Spec, path: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((name, plate_size(spec, name) or 1) for name in path)


def viewed_variable(spec: Spec, reading: ParentReading, base: Variable | None) -> Variable | None:
    """What a factor reads of `base` under a view: a deterministic variable; None where `base` is not known."""
    view = reading.view
    assert view is not None, "a variable that is read as it stands is itself"
    plates = _sized(spec, reading.path)
    if view.kind == "place":
        size = plate_size(spec, view.base) or 1
        return Variable(view.key, "deterministic", "category", (), size, derived=True, plates=plates)
    if base is None:
        return None
    may_find_nothing = view.kind in NEIGHBOURS or (view.kind != "sum" and bool(counts_along(spec, view.taken)))
    flags = base.presence if base.presence is not None else () if may_find_nothing else None
    seen = replace(base, name=view.key, role="deterministic", missing=False, derived=True, plates=plates, flags=flags)
    if view.raw or (view.pools and base.domain != "category"):
        # what is pooled is what enters: numbers, of which sums are no counts
        return replace(seen, domain="real", support=None, minimum=0, names=())
    return seen


def counted_parents(spec: Spec, reading: ParentReading) -> tuple[str, ...]:
    """What a view depends on: the variable, and the counts that say which of its elements are there to be looked at."""
    view = reading.view
    assert view is not None, "a variable that is read as it stands depends on itself"
    if view.kind == "place":
        return ()
    # an element that is there has all before it
    looks = view.kind != "previous" and counts_along(spec, view.taken)
    return (reading.name, *(counts_along(spec, variable_path(spec, reading.name)) if looks else ()))


def plates_fit(spec: Spec) -> bool:
    """Plates are what they should be, and every parent can be read where it is written."""
    for plate in spec.plates.values():
        if plate.inside is not None and plate.inside not in spec.plates:
            return False
    if not all(plate_size(spec, name) is not None and count_fits(spec, name) for name in spec.plates):
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
