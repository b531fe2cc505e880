"""A search with Optuna: each trial is a point that the study proposes, trained with every seed; several processes and
several machines work on one study through its storage.

From: a spec, ranges, a study. To: trained trials and their figures. The figure is what `training.select` names, on
validation rows, averaged over the seeds. Test rows are left alone until the end, when the best trial is measured once.
"""

import contextlib
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime.sweeping.ranges import Range
from runtime.sweeping.results import Failure, figures_of, is_done
from runtime.sweeping.run_commands import RunCommand, SweepOptions, failure_of, training_of
from runtime.sweeping.study import Figure
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import Column, SweepPlan, build_columns

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial


@dataclass
class Search:
    """Trials as tasks for a `Pool`. One is told to the study when the last of its seeds has ended."""

    plan: SweepPlan
    folder: SweepFolder
    options: SweepOptions
    study: "Study"
    ranges: Sequence[Range]
    figure: Figure
    count: int
    failures: dict[str, Failure] = field(default_factory=dict)
    _columns: dict[int, Column] = field(default_factory=dict)
    _open: dict[str, int] = field(default_factory=dict)
    _left: dict[int, int] = field(default_factory=dict)

    def tasks(self) -> Iterator[RunCommand]:
        """Runs of trials that a stopped search left open in this folder, then new trials until there are `count`."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if trial.user_attrs.get("folder") == self._mine:
                yield from self._runs_of(trial.number, [str(text) for text in trial.user_attrs["chosen"]])
        while len(self.study.trials) < self.count:
            asked = self.study.ask()
            chosen = [f"{searched.name}={searched.draw(asked)}" for searched in self.ranges]
            self._sign(asked, chosen)
            yield from self._runs_of(asked.number, chosen)

    @property
    def _mine(self) -> str:
        return f"{platform.node()}:{self.folder.path.resolve()}"

    def _sign(self, asked: "Trial", chosen: Sequence[str]) -> None:
        asked.set_user_attr("chosen", list(chosen))
        asked.set_user_attr("folder", self._mine)

    def _runs_of(self, number: int, chosen: Sequence[str]) -> Iterator[RunCommand]:
        column = self._column(number, chosen)
        if column is None:
            return
        left = [run for run in column.runs if not is_done(self.folder.run(run.name), test=False)]
        self._left[number] = len(left)
        for run in left:
            self._open[run.name] = number
        if not left:
            self._tell(number)
        for run in left:
            yield training_of(self.plan.spec, run, self.folder, self.options)

    def _column(self, number: int, chosen: Sequence[str]) -> Column | None:
        """The trial's runs, named by its number; None (and a failed trial) where the values together are no spec."""
        from graphspec.diagnostics import SpecError

        if number not in self._columns:
            try:
                column = build_columns(
                    self.plan.spec,
                    self.plan.text,
                    self.plan.overrides,
                    chosen,
                    self.plan.seeds,
                    f"trial {number}",
                    data_dir=self.options.data_dir,
                )[0]
            except SpecError as error:
                self._fail(number, f"trial {number}", str(error.diagnostics[0].message))
                return None
            self._columns[number] = column
        return self._columns[number]

    def done(self, training: RunCommand, code: int) -> None:
        """One run has ended."""
        number = self._open[training.name]
        self._left[number] -= 1
        if code != 0:
            self.failures[training.name] = failure_of(training, code)
        if self._left[number] == 0:
            self._tell(number)

    def note(self, training: RunCommand, code: int) -> None:
        """A run of the best trial has been measured on its test rows."""
        if code != 0:
            self.failures[training.name] = failure_of(training, code)

    def _tell(self, number: int) -> None:
        """The mean over seeds, with what the table shows, also on other machines."""
        from optuna.trial import Trial

        column = self._columns[number]
        graphs, seeds, values = column.graphs, [], []
        for run in column.runs:
            trained = self.folder.run(run.name)
            if not is_done(trained, test=False):
                failure = self.failures.get(run.name, Failure("did not finish", ""))
                self._fail(number, run.name, failure.message)
                return
            figures = figures_of(trained, test=False)
            value = self.figure.read(graphs, figures["validation"])
            values += [] if value is None else [value]
            entry = {"seed": run.seed, "value": value, "seconds": figures["seconds"], "run": f"runs/{run.name}"}
            seeds.append(entry)
        if not values:
            self._fail(number, f"trial {number}", "there are no validation rows to judge it by")
            return
        Trial(self.study, self.study.trials[number]._trial_id).set_user_attr("seeds", seeds)
        self.study.tell(number, sum(values) / len(values))

    def _fail(self, number: int, name: str, message: str) -> None:
        from optuna.trial import TrialState

        self.failures.setdefault(name, Failure(message, ""))
        with contextlib.suppress(ValueError):  # another process has told it
            self.study.tell(number, state=TrialState.FAIL)

    def complete(self) -> "list[FrozenTrial]":
        """The trials with a figure, of all machines, the best first."""
        from optuna.trial import TrialState

        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        sign = 1 if self.figure.direction == "minimize" else -1
        return sorted(trials, key=lambda trial: (sign * (trial.value or 0.0), trial.number))

    def running(self) -> int:
        """Trials that are not over yet, here or on other machines."""
        from optuna.trial import TrialState

        trials = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return sum("folder" in trial.user_attrs for trial in trials)

    def best_here(self) -> Column | None:
        """The best trial's runs, if all trials are over and it was trained in this folder."""
        trials = self.complete()
        if not trials or self.running() or trials[0].user_attrs.get("folder") != self._mine:
            return None
        return self._column(trials[0].number, trials[0].user_attrs["chosen"])
