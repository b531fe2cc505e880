"""What `graphspec sweep` does once its options are understood: check the data, run, show, gather. Grid or search."""

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from graphspec.reading.suggestions import counted
from runtime.cli.common import EXIT_FAULT, EXIT_INTERRUPTED, console, error_console, print_json, tell
from runtime.errors import DataError, RunError
from runtime.sweeping.grid import Clockwork, Outcome, conclude, machine_facts, share_cores, train_plan
from runtime.sweeping.ranges import Range
from runtime.sweeping.results import Failure
from runtime.sweeping.run_commands import RunCommand, SweepOptions, to_train, training_of
from runtime.sweeping.run_pool import Pool, Runs
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import SweepPlan
from runtime.sweeping.sweep_progress import choose_display

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Wishes:
    """What grid and search share. out: the sweep's folder; on: the scheduler of a cluster, else this machine."""

    out: Path
    jobs: int | None
    quiet: bool
    as_json: bool
    options: SweepOptions
    splits: tuple[str, ...]
    on: str | None = None

    @property
    def shown(self) -> "Console | None":
        """Where progress goes: standard output is kept clean for `--json`."""
        return None if self.quiet else error_console if self.as_json else console

    @property
    def command(self) -> str:
        """As it was typed."""
        return shlex.join(["graphspec", *sys.argv[1:]])


def run_grid(plan: SweepPlan, wishes: Wishes) -> None:
    """Train what is left of a plan and print the table; exit 1 if a run failed, 130 after Ctrl-C."""
    folder, options = SweepFolder(wishes.out), wishes.options
    failures: dict[str, Failure] = {}
    folder.record()
    with _asked_to_stop(), folder.locked() as lock, _crew(wishes, len(plan.runs), lock) as crew:
        clock = Clockwork(folder, folder.join(plan, "grid"))
        left = to_train(plan, folder, options)
        _announce(wishes.shown, f"{plan.spec}: {counted(len(plan.runs), 'run')}", len(plan.runs) - len(left), crew)
        names = {training.name for training in left}
        _check_data(plan, options, lambda point: any(run.name in names for c in point.columns for run in c.runs))

        def gather() -> Outcome:
            return conclude(plan, folder, failures, wishes.splits, clock.minutes, wishes.command, crew.facts)

        with choose_display(wishes.shown, len(left)) as display:
            try:
                train_plan(plan, folder, options, crew.pool(display), clock, failures)
            except KeyboardInterrupt:
                gather()
                missing = len(to_train(plan, folder, options))
                _stopped(f"{missing} of {counted(len(plan.runs), 'run')} unfinished", wishes.command)
        _finish(gather(), wishes)


def run_search(plan: SweepPlan, ranges: tuple[Range, ...], count: int, storage: str | None, wishes: Wishes) -> None:
    """Bring a study to `count` trials and print the best; test rows are measured once, for the best of all."""
    from runtime.sweeping.search import Search
    from runtime.sweeping.study import Figure, open_study
    from runtime.sweeping.trials import conclude_search

    folder, figure = SweepFolder(wishes.out), Figure.of(plan.graphs)
    options = SweepOptions(wishes.options.data_dir, wishes.options.device, wishes.options.allow_python, test=False)
    folder.record()
    with _asked_to_stop(), folder.locked() as lock, _crew(wishes, count * len(plan.seeds), lock) as crew:
        clock = Clockwork(folder, folder.join(plan, "search"))
        study = open_study(plan, ranges, figure, storage, folder)
        search = Search(plan, folder, options, study, ranges, figure, count)
        _announce(wishes.shown, f"{plan.spec}: {counted(count, 'trial')}", len(search.complete()), crew)
        _check_data(plan, options, lambda point: len(search.complete()) < count)

        def train(tasks: Iterator[RunCommand], done: Callable[[RunCommand, int], None], total: int) -> None:
            with choose_display(wishes.shown, total) as display:
                crew.pool(display).run(tasks, done)

        try:
            train(search.tasks(), search.done, (count - len(search.complete())) * len(plan.seeds))
            best = search.best_here() if "test" in wishes.splits else None
            if best is not None:
                measured = wishes.options
                tasks = [training_of(plan.spec, run, folder, measured) for run in best.runs]
                train(iter(tasks), search.note, len(tasks))
        except KeyboardInterrupt:
            conclude_search(search, None, clock.minutes, wishes.command, crew.facts)
            _stopped(f"{len(search.complete())} of {counted(count, 'trial')} complete", wishes.command)
        finally:
            clock.note(now=True)
        _finish(conclude_search(search, best, clock.minutes, wishes.command, crew.facts), wishes)


def print_runs(plan: SweepPlan, as_json: bool) -> None:
    """The runs of a plan, and nothing else."""
    if as_json:
        print_json({"runs": [{"run": r.name, "seed": r.seed, "overrides": list(r.overrides)} for r in plan.runs]})
        return
    for run in plan.runs:
        typer.echo(run.label)
    typer.echo(counted(len(plan.runs), "run"))


def _finish(outcome: Outcome, wishes: Wishes) -> None:
    if wishes.as_json:
        print_json(outcome.summary)
    else:
        _print(outcome, wishes.out)
    for name, failure in outcome.failures.items():
        log = f" ({failure.log})" if failure.log else ""
        typer.echo(f"failed: {name}: {failure.message}{log}", err=True)
    if outcome.failures:
        raise typer.Exit(EXIT_FAULT)


def _print(outcome: Outcome, out: Path) -> None:
    from runtime.sweeping.sweep_tables import as_text

    typer.echo("\n" + as_text(outcome.table))
    drawn = [name for name in ("plot.png", "curves.png") if (out / name).exists()]
    typer.echo(f"written to {out}: {', '.join(('summary.json', 'table.md', 'table.txt', *drawn))}")


def _stopped(state: str, command: str) -> NoReturn:
    typer.echo(f"interrupted: {state}; what was trained is saved, and the same command goes on\n  {command}", err=True)
    raise typer.Exit(EXIT_INTERRUPTED)


def _device(asked: str) -> str:
    """`auto` made plain, since runs share a GPU badly."""
    from runtime.training.processes.devices import resolve_device

    return str(resolve_device(asked))


def _check_data(plan: SweepPlan, options: SweepOptions, wanted: "Callable[[Any], bool]") -> None:
    """Read the data of every wanted point once: a missing file or a budget that cannot be met is told before anything
    trains, and a download happens once."""
    from runtime.runs.run_rows import rows_to_train

    seen: set[str] = set()
    found: list[str] = []
    for point in plan.points:
        graphs = point.written.graphs
        mark = repr(graphs.spec.data)
        if mark in seen or not wanted(point):
            continue
        seen.add(mark)
        try:
            rows_to_train(graphs, data_dir=options.data_dir, spec_path=Path(plan.spec))
        except DataError as error:
            place = ", ".join(f"{name}={value}" for name, value in point.over.items())
            found.append(f"at {place}: {error}" if place else str(error))
    if found:
        raise RunError("\nerror: ".join(dict.fromkeys(found)))


@contextmanager
def _asked_to_stop() -> Iterator[None]:
    """A cluster's SIGTERM is as good as Ctrl-C."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _announce(shown: "Console | None", what: str, done: int, crew: "Crew") -> None:
    if shown is not None:
        finished = f", {done} finished already" if done else ""
        shown.print(f"{what}{finished}; {crew.words}", highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True)
class Crew:
    """Who carries out the runs. facts: for the summary; words: for people; pool: of a display that is told."""

    facts: dict[str, Any]
    words: str
    pool: Callable[[Any], Runs[RunCommand]]


@contextmanager
def _crew(wishes: Wishes, runs: int, lock: int | None) -> Iterator[Crew]:
    """Processes on this machine, or on those of a cluster."""
    if wishes.on is None:
        jobs, threads = share_cores(wishes.jobs, runs, _device(wishes.options.device))
        words = f"{jobs} at a time, {counted(threads, 'thread')} each"
        yield Crew(machine_facts(jobs, threads), words, lambda display: Pool(jobs, threads, display, lock))
        return
    from runtime.cluster.cluster_pool import ClusterPool
    from runtime.cluster.connecting import connected
    from runtime.cluster.on_worker import THREADS

    with connected(wishes.on, wishes.out) as cluster:
        at_once = min(cluster.threads(), wishes.jobs or cluster.threads())
        facts = {"processor": ", ".join(cluster.processors), "workers": cluster.workers(), "jobs": at_once}
        words = f"{at_once} at a time on {counted(cluster.workers(), 'worker')}, {counted(THREADS, 'thread')} each"
        yield Crew(
            {**facts, "threads": THREADS}, words, lambda display: ClusterPool(cluster, display, wishes.jobs, tell)
        )
