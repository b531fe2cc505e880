"""How many elements plates have: their sizes, and the variables that count what is there.

From: a `Spec`, right or wrong. Names only, as in `reading_across`.
"""

from collections.abc import Iterable

from graphspec.language import Spec, VariableSpec


def plate_size(spec: Spec, name: str) -> int | None:
    """The most elements that a plate has: its `size`, else the largest value of its count; None where neither says."""
    plate = spec.plates[name]
    if plate.size is not None or plate.count is None:
        return plate.size
    count = spec.variables.get(plate.count)
    return None if count is None else count.maximum


def counts_along(spec: Spec, plates: Iterable[str]) -> tuple[str, ...]:
    """The counts of some plates, each once."""
    return tuple(dict.fromkeys(count for name in plates if (count := spec.plates[name].count) is not None))


def counts_elements(variable: VariableSpec | None) -> bool:
    """A variable that can be a plate's count: one number of a finite domain, which rows never lack if they have it."""
    return (
        variable is not None
        and variable.domain == "count"
        and variable.maximum is not None
        and variable.role != "deterministic"
        and not (variable.event_shape() or variable.missing)
    )


def count_fits(spec: Spec, name: str) -> bool:
    """A plate's count is there, counts, stands where the plate does, and agrees with its size; or there is none."""
    plate = spec.plates[name]
    if plate.count is None:
        return True
    count = spec.variables.get(plate.count)
    if count is None or not counts_elements(count) or count.plate != plate.inside:
        return False
    return plate.size is None or plate.size == count.maximum
