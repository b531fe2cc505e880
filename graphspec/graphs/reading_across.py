"""How a factor reads its parents: as they stand, or across the elements of a plate.

From: a parent as written (`h`, `h@previous`, a plate's name), where the reader stands and where the parent does. To: a
`ParentReading`, or `Unreadable` with the reason. Names only: shapes and families are not known yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from graphspec.graphs.graph import Side, View
from graphspec.language import WEIGHTLESS, FactorSpec, NetworkParameter, NetworkSpec, Spec
from graphspec.language.families import CERTAIN
from graphspec.language.networks import SumOf
from graphspec.language.plates import ENDS, MARK, NEIGHBOURS, POOLS, VIEWS, path_of
from graphspec.reading.suggestions import did_you_mean, few

Path = tuple[str, ...]


class Unreadable(Exception):
    """A parent that cannot be read where it is written."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


@dataclass(frozen=True)
class ParentReading:
    """One parent of a factor. name: the variable or plate; path: plates that the value read stands in, outermost first.

    view: None where the value is read as it is. taken: plates that a pool or an end takes away.
    """

    name: str
    path: Path
    view: View | None = None
    taken: Path = ()

    @property
    def key(self) -> str:
        """What the value is called: as written, where that says all."""
        return self.name if self.view is None else self.view.key


def variable_path(spec: Spec, name: str) -> Path:
    """The plates that a variable stands in, outermost first."""
    plate = spec.variables[name].plate
    return () if plate is None else path_of(spec.plates, plate)


def readings(spec: Spec, side: Side, name: str, network: NetworkSpec | None) -> dict[str, ParentReading]:
    """Every parent of a factor that can be read, by how it is written."""
    factor = spec.generative[name] if side == "generative" else spec.recognition.factors[name]
    found = {}
    for parent in dict.fromkeys(factor.parents):
        try:
            reading = read(spec, side, name, parent, network)
        except Unreadable:
            continue
        if reading is not None:
            found[parent] = reading
    return found


def read(spec: Spec, side: Side, reader: str, parent: str, network: NetworkSpec | None) -> ParentReading | None:
    """How `reader` reads `parent`; None where there is no such name. Raises Unreadable."""
    here = variable_path(spec, reader)
    name, mark, view = parent.partition(MARK)
    if name not in spec.variables:
        return _place(spec, reader, here, parent) if parent in spec.plates else None
    path = variable_path(spec, name)
    if mark and view.partition(".")[0] in NEIGHBOURS and view not in VIEWS:
        message = f"not supported: {parent}, because a walk hands on one element's values to the next"
        near = view.partition(".")[0]
        lag = f"`lag: {{parents: [{name}{MARK}{near}], network: {{kind: identity}}}}`"
        hint = f"instead: carry it, {lag}, and read `lag{MARK}{near}`"
        raise Unreadable("GS096", message, hint)
    if mark and view == "attention":
        message = f"not supported: {parent}, because what it looks at is state that the graph does not show"
        raise Unreadable("GS096", message, f"instead: a pool of a state, such as `{name}{MARK}max`")
    if mark and view not in VIEWS:
        near = did_you_mean(view, VIEWS, f"views are {few([MARK + v for v in VIEWS])}", quote="'")
        raise Unreadable("GS022", f"there is no view '{MARK}{view}'", near)
    if mark and not path:
        message = f"{name} has one value a row: there is nothing to take the {view} of"
        raise Unreadable("GS022", message, f"write `{name}`, or put {name} into a plate")
    if not mark and here[: len(path)] != path:
        if isinstance(network, SumOf) and _inside(path, here):
            view = "sum"
        else:
            raise _needs_view(reader, here, name, path)
    if not view:
        return ParentReading(name, path)
    return _viewed(spec, side, reader, here, name, path, view, network)


def _viewed(
    spec: Spec, side: Side, reader: str, here: Path, name: str, path: Path, view: str, network: NetworkSpec | None
) -> ParentReading:
    kind = next(known for known in VIEWS if known == view)
    if kind in NEIGHBOURS:
        if here[: len(path)] != path:
            message = f"{name}{MARK}{view} is the neighbour of an element, and {_place_of(reader, here)}"
            raise Unreadable("GS022", message, f"inside plate {path[-1]} it can be read; here {_pools(name)}")
        taken, left = path[-1:], path
    else:
        shared = _common(path, here)
        left = shared if len(shared) < len(path) else path[:-1]
        taken = path[len(left) :]
    _check_order(spec, side, name, kind, taken)
    usual = path if kind in NEIGHBOURS else path[:-1]
    logarithmic = spec.variables[name].domain in ("count", "positive")
    raw = kind in POOLS and logarithmic and isinstance(network, WEIGHTLESS)
    raw |= spec.variables[name].domain == "category" and _counts(spec, side, reader)
    suffix = "" if left == usual else "/" + "/".join(left or ("row",))
    return ParentReading(name, left, View(name, kind, taken, raw, suffix), taken)


def _counts(spec: Spec, side: Side, reader: str) -> bool:
    """The reader computes with numbers, so that a class is its index."""
    factor = spec.generative[reader] if side == "generative" else spec.recognition.factors[reader]
    return factor.distribution is not None and factor.distribution.kind == CERTAIN


def _place(spec: Spec, reader: str, here: Path, plate: str) -> ParentReading:
    path = path_of(spec.plates, plate)
    if here[: len(path)] != path:
        message = f"{plate} is the place in a plate, and {_place_of(reader, here)}"
        raise Unreadable(
            "GS022", message, f"a plate's name is read in that plate and inside it: give {reader} `plate: {plate}`"
        )
    return ParentReading(plate, (plate,), View(plate, "place", (plate,)))


def _check_order(spec: Spec, side: Side, name: str, kind: str, taken: Iterable[str]) -> None:
    """GS023: p stays exchangeable where a plate has no order."""
    if side == "recognition" or kind not in (*NEIGHBOURS, *ENDS):
        return
    loose = [plate for plate in taken if not spec.plates[plate].ordered]
    if loose:
        message = f"{name}{MARK}{kind} asks for an order of {loose[0]}, and its elements have none in p"
        hint = f"`{loose[0]}: {{ordered: true, ..}}` makes the order part of the model; recognition may look anyway"
        raise Unreadable("GS023", message, hint)


def _needs_view(reader: str, here: Path, name: str, path: Path) -> Unreadable:
    if _inside(path, here):
        message = f"{name} has a value for each element of {path[-1]}, and {_place_of(reader, here)}"
    else:
        message = f"{name} stands in plate {path[-1]}, beside {reader}, not around it: {_place_of(reader, here)}"
    return Unreadable("GS022", message, f"say which: {_pools(name)}")


def _pools(name: str) -> str:
    return "`" + "`, `".join(f"{name}{MARK}{view}" for view in (*POOLS, *ENDS)) + "` read all elements at once"


def _place_of(reader: str, here: Path) -> str:
    return f"{reader} stands in plate {here[-1]}" if here else f"{reader} has one value a row"


def _inside(path: Path, here: Path) -> bool:
    """The parent stands inside of where the reader does."""
    return len(path) > len(here) and path[: len(here)] == here


def _common(path: Path, here: Path) -> Path:
    shared = 0
    while shared < min(len(path), len(here)) and path[shared] == here[shared]:
        shared += 1
    return path[:shared]


def with_keys(factor: FactorSpec, keys: dict[str, str]) -> FactorSpec:
    """The factor with every parent called by its key, wherever it is named."""
    if all(parent == key for parent, key in keys.items()):
        return factor

    def named(parents: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(keys.get(parent, parent) for parent in parents))

    parameters = {
        name: value.model_copy(update={"parents": named(value.parents)})
        if isinstance(value, NetworkParameter)
        else value
        for name, value in factor.parameters.items()
    }
    network = factor.network
    if network is not None and not isinstance(network, str):
        roles = {field: getattr(network, field, None) for field in ("by", "image", "pose")}
        network = network.model_copy(update={field: keys[told] for field, told in roles.items() if told in keys})
        if isinstance(network, SumOf):
            network = network.model_copy(update={"minus": named(network.minus)})
    changed = {"parents": named(factor.parents), "stop_gradient": named(factor.stop_gradient)}
    return factor.model_copy(update={**changed, "parameters": parameters, "network": network})
