"""Rules of the `training` section: what picks the best weights, and what an earlier run may hand over."""

from graphspec.graphs.graph import SIDES, Graphs, Side
from graphspec.graphs.label_figures import figures_of
from graphspec.language import Spec
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.declared import HIDDEN, names_with
from graphspec.text.report import Report


def check_training(spec: Spec, graphs: Graphs | None, report: Report) -> None:
    """GS077 select, GS078 initialize, GS079 patience or a figure without validation rows."""
    _check_select(spec, graphs, report)
    _check_patience(spec, report)
    _check_initialize(spec, graphs, report)


def _check_select(spec: Spec, graphs: Graphs | None, report: Report) -> None:
    select = spec.training.select
    supervised = names_with(spec, ("supervised",))
    of = {name: ("error",) if graphs is None else figures_of(graphs.variables[name]) for name in supervised}
    choices = [*(f"{name}.{figure}" for name, figures in of.items() for figure in figures), "elbo", "last"]
    if not select or select in choices or (graphs is None and select.partition(".")[0] in supervised):
        return
    if graphs is not None and _of_a_class_the_data_name(graphs, select):
        return
    meant = f"did you mean `{select}.error`?" if select in supervised else did_you_mean(select, choices)
    name = select.partition(".")[0]
    shown = [choice for choice in choices if choice.startswith(f"{name}.") and choice.count(".") == 1]
    shown = [*(shown or (f"{name}.error" for name in supervised)), "elbo", "last"]
    hint = f"{meant} choose from {few(shown, 9)}".strip()
    report.error("GS077", ("training", "select"), f"select: '{select}' names no figure", hint=hint)


def _of_a_class_the_data_name(graphs: Graphs, select: str) -> bool:
    """`kind.recall.fox` where class folders say what the classes are called: known when the data are read."""
    name, _, figure = select.partition(".")
    variable = graphs.variables.get(name)
    of_class = figure.startswith(("recall.", "precision."))
    return variable is not None and variable.domain == "category" and not variable.names and of_class


def _check_patience(spec: Spec, report: Report) -> None:
    """Stopping early and choosing an epoch need validation rows, and a figure that they give."""
    training = spec.training
    hint = "give `data.validation` some rows, or leave this out"
    if spec.data is not None and spec.data.validation == 0:
        related = (report.related(("data", "validation"), "no rows are held out"),)
        if training.patience is not None:
            message = "patience waits for a better validation figure, and there are no validation rows"
            report.error("GS079", ("training", "patience"), message, key=True, hint=hint, related=related)
        if training.select not in ("", "last"):
            message = f"select: '{training.select}' is measured on validation rows, and there are none"
            report.error("GS079", ("training", "select"), message, hint=hint, related=related)
    elif training.patience is not None and training.select == "last":
        message = "patience waits for a better figure, and `select: last` watches none"
        hint = "select `elbo` or the error of a supervised variable, or leave patience out"
        report.error("GS079", ("training", "patience"), message, key=True, hint=hint)


def _check_initialize(spec: Spec, graphs: Graphs | None, report: Report) -> None:
    """Every entry of `factors` is `generative.NAME` or `recognition.NAME` of a factor that exists, named once."""
    known = _factor_keys(spec, graphs)
    single = not isinstance(report.document.value.get("training", {}).get("initialize"), list)
    taken: set[str] = set()
    for i, entry in enumerate(spec.training.initialize):
        place: tuple[str | int, ...] = ("training", "initialize", *(() if single else (i,)), "factors")
        for j, key in enumerate(entry.factors):
            if key not in known:
                hint = did_you_mean(key, known, f"its factors are {few(known)}")
                if any(key == name.partition(".")[2] for name in known):
                    hint = f"say which side: generative.{key} or recognition.{key}"
                report.error("GS078", (*place, j), f"'{key}' is no factor of this spec", hint=hint)
            elif key in taken:
                hint = "take it from one run"
                report.error("GS078", (*place, j), f"factor '{key}' is initialized twice", hint=hint)
            taken.add(key)


def _factor_keys(spec: Spec, graphs: Graphs | None) -> list[str]:
    if graphs is not None:
        return [factor.key for side in SIDES for factor in graphs.factors(side).values()]
    names: dict[Side, list[str]] = {
        "generative": list(spec.generative),
        "recognition": list(spec.recognition.factors),
    }
    if spec.recognition.auto:
        names["recognition"] = list(dict.fromkeys((*names["recognition"], *names_with(spec, HIDDEN))))
    return [f"{side}.{name}" for side in SIDES for name in names[side]]
