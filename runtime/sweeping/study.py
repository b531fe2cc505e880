"""The study that a search works on: what makes a trial good, which points there are, where Optuna keeps them.

From: a spec, ranges, a storage. To: its first corner as a `SweepPlan`, a `Figure`, an Optuna study of this very search.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphspec.graphs.graph import Graphs
from graphspec.graphs.label_figures import larger_is_better
from runtime.errors import RunError
from runtime.measures.label_figures import figure_named
from runtime.sweeping.ranges import Range
from runtime.sweeping.results import in_table_units, per_cent
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import Point, SweepPlan, build_columns
from runtime.training.loop.selection import Criterion

if TYPE_CHECKING:
    from optuna.study import Study

MARK = "graphspec"
"""The study's attribute that says what it is a study of."""


@dataclass(frozen=True)
class Figure:
    """What a search makes better: a figure of `variable`, as `training.select` calls it, or the elbo.

    others: further labels, whose errors count alike, each beside that of a constant answer.
    """

    variable: str | None
    name: str = "error"
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, graphs: Graphs) -> "Figure":
        """Of `training.select`. RunError for `last`, which is no figure."""
        select = graphs.spec.training.select
        if select == "last":
            raise RunError(
                "training.select is last, which a search cannot make better",
                "choose a figure for it: --set training.select=elbo, or NAME.error",
            )
        if not select:
            first, *others = graphs.supervised or (None,)
            return cls(first, others=tuple(name for name in others if name is not None))
        variable, _, figure = select.partition(".")
        return cls(None) if select == "elbo" else cls(variable, figure)

    @property
    def direction(self) -> str:
        """As Optuna calls it."""
        return "maximize" if self.variable is None or larger_is_better(self.name) else "minimize"

    def title(self, graphs: Graphs) -> str:
        """A column's header."""
        if self.variable is None:
            return "elbo validation"
        if self.others:
            return "errors of all labels beside a constant answer's, validation"
        if self.name != "error":
            return f"{self.variable} {self.name} validation"
        return f"{self.variable} validation{' %' if per_cent(graphs, self.variable) else ''}"

    def read(self, graphs: Graphs, validation: Mapping[str, Any] | None) -> float | None:
        """The figure of one run; errors in per cent where they are shares."""
        if self.variable is None:
            elbo = (validation or {}).get("elbo")
            return None if elbo is None else float(elbo)
        if self.others:
            every = tuple((name, "error") for name in (self.variable, *self.others))
            found = Criterion("errors", every).figure(validation)
            return None if found is None else -found[0]
        if self.name != "error":
            return figure_named(((validation or {}).get("variables") or {}).get(self.variable, {}), self.name)
        return in_table_units(graphs, self.variable, validation)


def check_ranges(
    spec: str,
    text: str,
    overrides: Sequence[str],
    ranges: Sequence[Range],
    seeds: Sequence[int],
    data_dir: Path | None = None,
) -> SweepPlan:
    """Every end and every choice of each range, the others at their first value, checked as a grid would be.

    data_dir: `--data-dir`. Gives a plan whose only point is the first corner, for its names. Raises SpecError with
    everything found.
    """
    from graphspec.diagnostics import SpecError

    first = {searched.name: f"{searched.name}={searched.corners[0]}" for searched in ranges}
    points, found, told = [], [], set()
    for searched in ranges:
        for corner in searched.corners:
            chosen = list((first | {searched.name: f"{searched.name}={corner}"}).values())
            try:
                points.append(Point({}, (build_columns(spec, text, overrides, chosen, seeds, data_dir=data_dir)[0],)))
            except SpecError as error:
                new = [d for d in error.diagnostics if (d.code, d.message.rpartition(": ")[2]) not in told]
                told |= {(d.code, d.message.rpartition(": ")[2]) for d in new}
                found += new
    if found:
        raise SpecError(found)
    return SweepPlan(spec, text, tuple(overrides), (), tuple(seeds), tuple(points[:1]), {"": ""})


def open_study(
    plan: SweepPlan, ranges: Sequence[Range], figure: Figure, storage: str | None, folder: SweepFolder
) -> "Study":
    """The study in `storage` (a database's URL or a journal file; by default study.log in the folder), made if it is
    not there. RunError where Optuna is not installed, the storage cannot be used, or the study is of something else."""
    try:
        import optuna
    except ImportError:
        raise RunError("--search needs Optuna, which is not installed", 'pip install "optuna>=4,<5"') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    where = storage or str(folder.path / "study.log")
    asked = {
        "text": hashlib.sha256(plan.text.encode()).hexdigest(),
        "overrides": list(plan.overrides),
        "over": [searched.describe() for searched in ranges],
        "seeds": list(plan.seeds),
    }
    try:
        study = optuna.create_study(
            study_name=plan.name,
            storage=_storage(where),
            load_if_exists=True,
            direction=figure.direction,
        )
        before = study.user_attrs.get(MARK)
        study.sampler = _sampler(None if storage else plan.seeds[0] + len(study.trials))
        if before is None:
            study.set_user_attr(MARK, json.dumps(asked))
    except Exception as error:  # whatever a database's driver raises
        raise RunError(
            f"cannot use {where} as storage: {error}", "a path, or a URL such as sqlite:///study.db"
        ) from None
    changed = [] if before is None else [key for key, value in asked.items() if json.loads(before)[key] != value]
    if changed:
        words = {"text": f"the text of {plan.spec}", "overrides": "--set", "over": "--over", "seeds": "--seeds"}
        raise RunError(
            f"{where} holds a study {plan.name} that was made otherwise: "
            f"{', '.join(words[key] for key in changed)} changed",
            "name another --out or --storage; only the number of trials may grow",
        )
    return study


def _storage(where: str) -> Any:
    if "://" in where:
        return where
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    Path(where).parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(where))


def _sampler(seed: int | None) -> Any:
    """Trials that still run count as bad ones, so that several at a time do not try the same. Machines that share a
    storage draw with seeds of their own."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, constant_liar=True)
