"""May this training go on where that run stopped? Same spec, same rows, more to do."""

import json
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any

from graphspec.describe.resolved import differences, spec_as_plain
from runtime.errors import RunError
from runtime.runs.run_folder import graphs_of
from runtime.training.loop.run_plan import RunPlan
from runtime.training.loop.selection import Best
from runtime.training.loop.state import TrainState, read_state

_MAY_CHANGE = frozenset({"name", "description", "training.epochs", "training.patience"})
"""Fields that a resumed training may have otherwise: no step taken so far depends on them."""

_AFTER_DIVERGENCE = frozenset({"training.learning_rate", "training.gradient_clip"})
"""What the advice after a divergence names: steps from the last good state on are taken otherwise."""

_DATA_FACTS = {
    "fingerprint": "the source's contents",
    "labelled": "the labelled rows",
    "validation": "the validation rows",
    "test": "the test rows",
}


@dataclass(frozen=True)
class Resumption:
    """Where a training goes on. changed: fields of the spec as (name, before, now); lost: what was, meanwhile."""

    state: TrainState
    changed: tuple[tuple[str, Any, Any], ...]
    lost: tuple[str, ...]


def state_to_resume(plan: RunPlan) -> Resumption:
    """The saved state, if it belongs to this spec and these data; RunError says what is different.

    After a divergence, what the advice names may be otherwise.
    """
    run, manifest = plan.run, plan.run.manifest()
    state = read_state(run.state_file)
    diverged = manifest.get("status") == "failed" and "diverged" in manifest
    changed = _changes(state.spec, plan, _MAY_CHANGE | (_AFTER_DIVERGENCE if diverged else set()))
    _check_rows(plan)
    position = state.position
    done = position.epoch + (1 if position.batch else 0)
    if plan.training.epochs < done:
        raise RunError(
            f"{run.folder} has finished epoch {position.epoch} already, more than the {plan.training.epochs} asked for",
            "raise training.epochs, or train into another folder",
        )
    if position.best.epoch is None or run.best_file.exists():
        return Resumption(state, changed, ())
    lost = f"{run.best_file} is missing: epoch {position.best.epoch} was selected"
    if plan.over(position):
        raise RunError(
            lost, f"bring it back, or measure the last epoch: graphspec evaluate {run.folder} --checkpoint last"
        )
    note = f"{lost}; weights are selected among the epochs from here on"
    return Resumption(replace(state, position=replace(position, best=Best())), changed, (note,))


def _changes(before: str, plan: RunPlan, allowed: Set[str]) -> tuple[tuple[str, Any, Any], ...]:
    """Allowed fields that are not as in the spec `before`, names and epochs aside; RunError for any other."""
    origin = str(plan.run.resolved_file)
    old, new = (spec_as_plain(graphs_of(text, origin).spec) for text in (before, plan.spec))
    found = list(differences(old, new))
    refused = [entry for entry in found if not _among(entry[0], allowed)]
    if refused:
        what = "; ".join(f"{name} was {_shown(before)}, is {_shown(now)}" for name, before, now in refused[:5])
        raise RunError(
            f"the spec is not the one that {plan.run.folder} was trained with: {what}",
            "resume with the old values (only epochs and patience may change; after a divergence, the learning rate "
            "and the gradient clip too), or train into another folder",
        )
    return tuple(entry for entry in found if not _among(entry[0], _MAY_CHANGE))


def _among(name: str, fields: Set[str]) -> bool:
    return any(name == field or name.startswith(f"{field}.") for field in fields)


def _check_rows(plan: RunPlan) -> None:
    """RunError if a resumed training would see other rows, or rows in other splits, than before."""
    before, now = plan.run.manifest(), json.loads(json.dumps(plan.data.manifest()))
    changed = [words for key, words in _DATA_FACTS.items() if before.get(key) != now.get(key)]
    if changed:
        raise RunError(
            f"the data are not the ones that {plan.run.folder} was trained with: {', '.join(changed)} changed",
            "bring the old data back, or train into another folder",
        )


def _shown(value: Any) -> str:
    text = json.dumps(value) if value is not None else "absent"
    return text if len(text) <= 60 else text[:57] + "..."
