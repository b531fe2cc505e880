"""May this training go on where that run stopped? Same spec, same rows, more to do."""

import json
from typing import Any

from graphspec.describe.resolved import differences, spec_as_plain
from runtime.errors import RunError
from runtime.runs.run_folder import graphs_of
from runtime.training.loop.run_plan import RunPlan
from runtime.training.loop.state import TrainState, read_state

_MAY_CHANGE = frozenset({"name", "description", "training.epochs", "training.patience"})
"""Fields that a resumed training may have otherwise: no step taken so far depends on them."""

_DATA_FACTS = {
    "fingerprint": "the source's contents",
    "labelled": "the labelled rows",
    "validation": "the validation rows",
    "test": "the test rows",
}


def state_to_resume(plan: RunPlan) -> TrainState:
    """The saved state, if it belongs to this spec and these data; RunError says what is different."""
    state = read_state(plan.run.state_file)
    origin = str(plan.run.resolved_file)
    old, new = (spec_as_plain(graphs_of(text, origin).spec) for text in (state.spec, plan.spec))
    changed = [found for found in differences(old, new) if found[0] not in _MAY_CHANGE]
    if changed:
        what = "; ".join(f"{name} was {_shown(before)}, is {_shown(now)}" for name, before, now in changed[:5])
        raise RunError(
            f"the spec is not the one that {plan.run.folder} was trained with: {what}",
            "resume with the old values (only epochs and patience may change), or train into another folder",
        )
    _check_rows(plan)
    done = state.position.epoch + (1 if state.position.batch else 0)
    if plan.training.epochs < done:
        raise RunError(
            f"{plan.run.folder} has finished epoch {state.position.epoch} already, more than the "
            f"{plan.training.epochs} asked for",
            "raise training.epochs, or train into another folder",
        )
    return state


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
