"""Variables as declared, before the graphs are connected: what the rules of objective, training and data ask of them.

Rules here read the spec alone where they can, so that a mistake in a factor never hides one in another section.
"""

from collections.abc import Iterable

from graphspec.graphs.complete_variables import variable_of
from graphspec.graphs.graph import Variable
from graphspec.graphs.viewed import in_plates
from graphspec.language import Role, Spec
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.text.report import Report
from graphspec.text.tree import Path

HIDDEN: tuple[Role, ...] = ("latent", "supervised")
SUPERVISED: tuple[Role, ...] = ("supervised",)


def declared(spec: Spec, report: Report) -> dict[str, Variable]:
    """Every variable whose domain and shape are clear, plates among the axes of its shape: as rows have it. What is
    unclear about the others is reported elsewhere."""
    aside = Report(report.document)
    variables = (in_plates(spec, variable_of(name, written, aside)) for name, written in spec.variables.items())
    return {variable.name: variable.by_row for variable in variables if variable is not None}


def names_with(spec: Spec, roles: Iterable[Role]) -> list[str]:
    """Variables of these roles, in the order declared."""
    wanted = set(roles)
    return [name for name, variable in spec.variables.items() if variable.role in wanted]


def allowed(spec: Spec, name: str, code: str) -> bool:
    """`allow: [CODE]` on the variable silences the warning."""
    return name in spec.variables and code in spec.variables[name].allow


def check_name(spec: Spec, path: Path, roles: tuple[Role, ...], purpose: str, report: Report) -> bool:
    """The key at the end of `path` is a variable of one of `roles`; GS070 if it is not, with `purpose` as reason.

    A name that an included spec would have declared which could not be taken in is left alone.
    """
    name, field = str(path[-1]), ".".join(map(str, path[:-1]))
    fitting = names_with(spec, roles)
    choices = f"{' or '.join(roles)} variables: {few(fitting)}"
    if name not in spec.variables and report.incomplete:
        return False
    if name not in spec.variables:
        hint = did_you_mean(name, fitting, choices)
        report.error("GS070", path, f"{field} names '{name}', which is no variable", key=True, hint=hint)
        return False
    role = spec.variables[name].role
    if role not in roles:
        related = (report.related(("variables", name, "role"), f"'{name}' is declared here"),)
        message = f"{field} names '{name}', which is {role}: {purpose}"
        report.error("GS070", path, message, key=True, hint=choices, related=related)
        return False
    return True
