"""What q says of every hidden variable of a row, in one run of its networks."""

from collections.abc import Collection, Mapping
from functools import partial

import torch
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.model.label_assignment import Asked
from compiler.model.model import Model
from compiler.plan.summaries import Levels, plan_summaries
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from compiler.tensors.presence import for_every_place
from graphspec.graphs.answerable import why_bound_cannot_tell
from graphspec.language.objective import AnswerBy


def summarize_rows(
    model: Model,
    rows: Mapping[str, Tensor],
    names: Collection[str],
    *,
    samples: int,
    noise: Noise,
    levels: Levels | None = None,
    deviations: Collection[str] = (),
    by: AnswerBy | None = None,
) -> dict[str, Tensor]:
    """Answers about hidden variables from the observed ones and the labels in `rows` {name: [B, *shape]}.

    `posterior NAME` is what `Model.predict` gives, by q or by the bound as the spec says: probabilities [B, *shape, K],
    or the mean [B, *shape]. Of numbers `low NAME` and `high NAME` [B, *shape]: below them lies as much as `levels` say;
    of the names in `deviations` the standard deviation instead, `deviation NAME`. NaN where a row has the whole label.
    samples: draws of what is neither enumerated nor read off a distribution. by: what answers labels that the bound can
    tell, instead of what the spec says.
    """
    prepared = model.prepare(rows)
    modules = model.compiled.modules
    wanted = {name for name in names if name not in model.graphs.exact}

    def planned(pattern: Pattern) -> Asked | None:
        hidden = tuple(name for name in names if name not in pattern.labels)
        if not hidden:
            return None
        program, _ = model.compiled.program(pattern, samples)
        entries: dict[str, FamilyEntry | None] = {
            name: modules.family(f"recognition.{name}")[0] if name in wanted else None for name in hidden
        }
        key = ("summaries", hidden, samples, levels, tuple(deviations))
        return key, partial(plan_summaries, program, entries, model.compiled.features, levels, tuple(deviations))

    found = {
        told: for_every_place(model.graphs.variables[told.split(" ", 1)[1]], value)
        for told, value in model.by_pattern(prepared, planned, noise).items()
    }
    for name in names:
        answered = found.get(f"posterior {name}")
        way = by or model.graphs.spec.objective.answers.get(name, "recognition")
        if answered is None or way == "recognition" or name not in model.graphs.supervised:
            continue
        if not why_bound_cannot_tell(model.graphs, name):
            told = model.predict(name, rows, samples=samples, noise=noise, by=way)
            found[f"posterior {name}"] = torch.where(answered.isnan(), answered, told)
    return found
