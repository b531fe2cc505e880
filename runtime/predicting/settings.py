"""What a person asks of predictions, in words, as `AskedFor`."""

import re
from collections.abc import Sequence

from graphspec.graphs.answerable import why_bound_cannot_tell
from graphspec.language.objective import AnswerBy
from graphspec.reading.suggestions import did_you_mean, few
from runtime.errors import RunError
from runtime.predicting.imputing import imputed
from runtime.predicting.row_answers import AskedFor, Latents
from runtime.predicting.used_run import UsedRun

WAYS: tuple[AnswerBy, ...] = ("recognition", "bound", "both")
LATENTS: tuple[Latents, ...] = ("mean", "draws", "none")


def asked_for(
    used: UsedRun,
    latents: str = "mean",
    interval: float = 0.9,
    keep: bool = False,
    thresholds: Sequence[str] = (),
    samples: int = 100,
    seed: int = 0,
    impute: bool = False,
    draws: int = 0,
    raw: bool = False,
    by: str | None = None,
) -> AskedFor:
    """RunError for what cannot be asked. thresholds: `v=NAME:0.3` each; by: as `objective.answers` has it."""
    latents = "mean" if latents == "means" else latents
    chosen = next((each for each in LATENTS if each == latents), None)
    if chosen is None:
        raise RunError(f"--latents {latents}: {did_you_mean(latents, LATENTS)}".rstrip(": "), "mean, draws or none")
    found: dict[str, dict[int, float]] = {}
    for text in thresholds:
        name, index, share = _threshold(used, text)
        found.setdefault(name, {})[index] = share
    if draws and keep:
        raise RunError("--draws fills what is blank, and --keep leaves it", "take one of them")
    if impute and not draws and not imputed(used):
        raise RunError(
            "--impute: this model has no observed variable that may be blank and that p models",
            "say `missing: true` of the variables with blanks, and train again",
        )
    way = next((each for each in WAYS if each == by), None)
    if by is not None and way is None:
        raise RunError(f"--by {by}: {did_you_mean(by, WAYS)}".rstrip(": "), "recognition, bound or both")
    if way not in (None, "recognition"):
        why = {name: why_bound_cannot_tell(used.model.graphs, name) for name in used.graphs.supervised}
        if all(why.values()):
            told = "; ".join(f"{name}: {text}" for name, text in why.items()) or "the model has no labels"
            raise RunError(f"--by {by}: no label can be answered by the bound ({told})", "leave --by out")
    return AskedFor(chosen, interval, keep, found, samples, seed, impute, draws, raw, way)


def _threshold(used: UsedRun, text: str) -> tuple[str, int, float]:
    match = re.fullmatch(r"\s*(.+?)\s*=\s*(.+)\s*:\s*([0-9.eE+-]+)\s*", text)
    if match is None:
        raise RunError(f"cannot read --threshold {text!r}", "write VARIABLE=CLASS:SHARE, such as diagnosis=severe:0.3")
    called, label, number = match.groups()
    graphs = used.graphs
    names = {each: name for name in graphs.supervised for each in (used.called(name), name)}
    if called not in names:
        raise RunError(
            f"--threshold {text}: no supervised variable or column is called {called!r}",
            f"{did_you_mean(called, names)} there are: {few(dict.fromkeys(names))}".strip(),
        )
    variable = graphs.variables[names[called]]
    if variable.support is None:
        raise RunError(f"--threshold {text}: {called} has no classes", "a threshold is of a class")
    classes = variable.value_names
    if label.strip() not in classes:
        raise RunError(
            f"--threshold {text}: {label!r} is no class of {called}",
            f"{did_you_mean(label, classes)} classes: {few(classes)}".strip(),
        )
    try:
        share = float(number)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise RunError(f"--threshold {text}: {number} is no probability", "write a number between 0 and 1")
    return variable.name, classes.index(label.strip()), share
