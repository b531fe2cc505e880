"""The network of a factor or parameter: known by name, with something to read, and with shapes that meet.

Part of completing a factor, which needs what is found here. Codes GS042, GS060-GS067.
"""

from collections.abc import Mapping

from graphspec.graphs.graph import Variable
from graphspec.language import DEFAULT_NETWORK, WEIGHTLESS, FactorSpec, NetworkSpec, Spec
from graphspec.language.families import Family, ParameterInfo
from graphspec.language.networks import Affine, Cnn, Linear, Resnet, SumOf, Weightless
from graphspec.language.shapes import Shape, ShapeProblem, fits, show
from graphspec.reading.suggestions import did_you_mean, few, listed
from graphspec.text.report import Report
from graphspec.text.tree import Path

DEFAULT = "default"


def find_network(
    reference: str | NetworkSpec | None, spec: Spec, report: Report, path: Path
) -> tuple[NetworkSpec | None, str]:
    """The architecture and the name the spec calls it by ("" if written in place, `default` if left out); None after
    an error. `path`: of the factor or parameter that has the `network` field."""
    if reference is None:
        return _entry(DEFAULT, spec, report), DEFAULT
    if not isinstance(reference, str):
        check_network(reference, report, (*path, "network"))
        return reference, ""
    found = _entry(reference, spec, report)
    if found is None and not _lost(reference, report):
        known = f"`networks` has {listed(spec.networks)}" if spec.networks else "the spec has no section `networks`"
        hint = did_you_mean(reference, spec.networks, known, quote="'")
        report.error("GS060", (*path, "network"), f"there is no network '{reference}'", hint=hint)
    return found, reference


def network_of(factor: FactorSpec, spec: Spec) -> NetworkSpec | None:
    """The architecture that a factor names, if there is one."""
    if factor.network is None:
        return spec.networks.get(DEFAULT, DEFAULT_NETWORK)
    return spec.networks.get(factor.network) if isinstance(factor.network, str) else factor.network


def _entry(name: str, spec: Spec, report: Report) -> NetworkSpec | None:
    if _lost(name, report):
        return None
    return spec.networks.get(name, DEFAULT_NETWORK if name == DEFAULT else None)


def _lost(name: str, report: Report) -> bool:
    """The entry was written, and could not be read in full."""
    return any(path[0] == "networks" and (len(path) == 1 or path[1] == name) for path in report.dropped)


def check_network(network: NetworkSpec, report: Report, path: Path) -> None:
    """What an architecture says wrongly about itself."""
    if isinstance(network, Resnet) and network.kernel % 2 == 0:
        message = f"a residual block adds its input to its output, so its kernel is odd, not {network.kernel}"
        report.error("GS067", (*path, "kernel"), message, hint=f"use {network.kernel - 1 or 1} or {network.kernel + 1}")


def check_roles_of_parents(network: NetworkSpec, parents: tuple[str, ...], report: Report, path: Path) -> bool:
    """The inputs that a network names (`image`, `pose`, `minus`) are parents of the factor (GS042)."""
    named: list[tuple[Path, str]] = []
    if isinstance(network, Affine):
        named = [((field,), getattr(network, field)) for field in ("image", "pose")]
    elif isinstance(network, SumOf):
        named = [(("minus", place), name) for place, name in enumerate(network.minus)]
    good = True
    for field, name in named:
        if name not in parents:
            place = (*path, "network", *field)
            hint = did_you_mean(name, parents, "add it to `parents`", quote="'")
            report.error("GS042", place, f"{name} is not a parent of this factor", hint=hint)
            good = False
    return good


def check_direct(
    network: Weightless, parents: Mapping[str, Variable], target: Shape | None, what: str, report: Report, path: Path,
    *, counted: bool = False,
) -> Shape | None:  # fmt: skip
    """Shape that a network without weights gives for `what` (`x`, `the mean of x`), None after an error. counted: a
    class is its index."""
    if not check_roles_of_parents(network, tuple(parents), report, path):
        return None
    for name, parent in parents.items():
        if parent.domain == "category" and not counted:
            message = f"{network.kind} computes with numbers, and {name} is a category"
            hint = "a category enters through weights: give it to a deterministic variable first"
            report.error("GS066", (*path, "network"), message, hint=hint)
            return None
    try:
        shape = network.direct_shape({name: parent.shape for name, parent in parents.items()}, target)
        if target is not None and not fits(shape, target):
            raise ShapeProblem(f"{network.kind} gives {show(shape)}, and {what} is {show(target)}")
    except ShapeProblem as problem:
        report.error(problem.code, (*path, "network"), problem.message, hint=problem.hint)
        return None
    return shape


def check_gives(
    network: NetworkSpec, parents: Mapping[str, Variable], target: Shape, what: str, report: Report, path: Path,
    *, counted: bool = False,
) -> None:  # fmt: skip
    """The network can read these parents and give `what`, of shape `target`. counted: a class is its index."""
    if isinstance(network, WEIGHTLESS):
        check_direct(network, parents, target, what, report, path, counted=counted)
        return
    if isinstance(network, Linear) and not _check_by(network, parents, report, path):
        return
    shapes = shapes_read(network, parents)
    try:
        network.check_inputs(shapes)
        network.check_output(shapes, target)
    except ShapeProblem as problem:
        report.error(problem.code, (*path, "network"), problem.message, hint=problem.hint)


def _check_by(network: Linear, parents: Mapping[str, Variable], report: Report, path: Path) -> bool:
    """`by` names a parent that is a single category (GS029)."""
    if network.by is None:
        return True
    place = (*path, "network", "by")
    found, told = parents.get(network.by), f"`by: {network.by}` gives every class of it maps of its own"
    if found is None:
        categories = [name for name, parent in parents.items() if parent.domain == "category"]
        hint = did_you_mean(network.by, categories, f"categories among the parents: {few(categories)}", quote="'")
        report.error("GS029", place, f"{network.by} is not a parent of this factor", hint=hint)
        return False
    if found.domain != "category" or found.shape:
        has = "a category" if found.domain == "category" else f"a {found.domain or 'feature'}"
        message = f"{told}, and {network.by} is {has}{f' of shape {show(found.shape)}' if found.shape else ''}"
        report.error("GS029", place, message, hint="name a parent that is one category, or a plate")
        return False
    return True


def check_feature(network: NetworkSpec, parents: Mapping[str, Variable], report: Report, path: Path) -> Shape | None:
    """Shape of a deterministic variable that declares none; None after an error."""
    if isinstance(network, Weightless):
        return check_direct(network, parents, None, "", report, path)
    try:
        return network.feature_shape(shapes_read(network, parents))
    except ShapeProblem as problem:
        report.error(problem.code, (*path, "network"), problem.message, hint=problem.hint)
        return None


def shapes_read(network: NetworkSpec, parents: Mapping[str, Variable]) -> dict[str, Shape]:
    """Shapes of the parents as a network reads them; to convolutions a category is no image, but rows of a table."""
    convolves = isinstance(network, (Cnn, Resnet))
    return {name: v.shape for name, v in parents.items() if not (convolves and v.info.encoding == "table")}


def check_gives_something(
    network: NetworkSpec | None, heads: tuple[ParameterInfo, ...], family: Family, factor: FactorSpec,
    report: Report, path: Path,
) -> bool:  # fmt: skip
    """A written network has something to compute (GS064); a weightless one gives the one parameter left (GS066)."""
    place = (*path, "network")
    if factor.network is not None and not factor.parents:
        hint = "remove `network`, or name the parents; `parameters: {loc: learned}` frees a root's parameters"
        report.error("GS064", place, "a root has no parents, so a network has nothing to compute from", hint=hint)
        return False
    if factor.network is not None and not heads and family.parameters:
        given = listed(factor.parameters)
        message = f"`parameters` gives {given}, and nothing is left for the network to give"
        report.error("GS064", place, message, hint="remove `network`, or a parameter")
        return False
    if not isinstance(network, WEIGHTLESS) or not factor.parents or not (heads or family.flow):
        return True
    return _direct_is_all(network, heads, family, report, place)


def _direct_is_all(
    network: NetworkSpec, heads: tuple[ParameterInfo, ...], family: Family, report: Report, place: Path
) -> bool:
    direct = family.parameter(family.direct)
    if direct is None:
        message = f"{network.kind} gives a parameter itself, and {family.name} has none to be given so"
        report.error("GS066", place, message, hint="use a network with weights, for example linear")
        return False
    if direct not in heads:
        report.error(
            "GS066", place, f"{network.kind} gives the {family.direct} of {family.name}, and `parameters` gives it too",
            hint=f"remove `{family.direct}` from `parameters`",
        )  # fmt: skip
        return False
    rest = [info.name for info in heads if info is not direct]
    if rest:
        report.error(
            "GS066", place,
            f"{network.kind} gives the {family.direct} of {family.name} and nothing else: {listed(rest)} has no value",
            hint=f"for example `parameters: {{{rest[0]}: learned}}`",
        )  # fmt: skip
        return False
    return True
