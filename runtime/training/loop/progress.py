"""What a person sees while a model trains: a bar on a terminal, one line per epoch anywhere else."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from runtime.training.step.step_metrics import StepInfo


class Reporter(Protocol):
    """Told what happens, in this order: start, then steps and epochs, then stop. `interval`: seconds between reads."""

    interval: float

    def start(self, epochs: int, steps_per_epoch: int, done: int) -> None:
        """Training begins (or goes on) after `done` of epochs * steps_per_epoch steps."""

    def step(self, epoch: int, done: int, info: StepInfo) -> None:
        """`done` steps in all; `info` is the open epoch so far."""

    def epoch(self, record: Mapping[str, Any]) -> None:
        """An epoch is over: its line of metrics.jsonl."""

    def note(self, text: str) -> None:
        """Something worth saying once."""

    def warning(self, text: str) -> None:
        """Something that is lost, which is said even where nothing else is."""

    def stop(self) -> None:
        """No more to come, also after an error."""


class SilentReporter:
    """Says nothing; reads back rarely, only to notice a loss that is not a number."""

    interval = 10.0

    def start(self, epochs: int, steps_per_epoch: int, done: int) -> None:
        pass

    def step(self, epoch: int, done: int, info: StepInfo) -> None:
        pass

    def epoch(self, record: Mapping[str, Any]) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def warning(self, text: str) -> None:
        pass

    def stop(self) -> None:
        pass


class QuietReporter(SilentReporter):
    """Says what is lost, and nothing else."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def warning(self, text: str) -> None:
        self._say(f"warning: {text}")

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class PlainReporter(QuietReporter):
    """One line per epoch, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.epochs = 0

    def start(self, epochs: int, steps_per_epoch: int, done: int) -> None:
        self.epochs = epochs

    def epoch(self, record: Mapping[str, Any]) -> None:
        parts = [f"epoch {record['epoch']:>{len(str(self.epochs))}}/{self.epochs}", f"loss {_number(record['loss'])}"]
        parts += describe_terms(record["terms"])
        validation = describe_validation(record["validation"])
        parts += [f"| {validation}"] if validation else []
        parts.append(f"{record['seconds']:.1f} s")
        self._say("  ".join(parts))

    def note(self, text: str) -> None:
        self._say(f"note: {text}")


class BarReporter(QuietReporter):
    """A live bar with the time left; below it the terms of the objective, below them the last validation."""

    interval = 0.5

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID | None = None
        self._live: Live | None = None
        self._epochs = 0
        self._terms: list[str] = []
        self._validation = ""

    def start(self, epochs: int, steps_per_epoch: int, done: int) -> None:
        self._epochs = epochs
        first = done // max(1, steps_per_epoch) + 1
        self._task = self._bar.add_task(self._title(min(first, epochs)), total=epochs * steps_per_epoch, completed=done)
        self._live = Live(self._picture(), console=self.console, refresh_per_second=4)
        self._live.start()

    def step(self, epoch: int, done: int, info: StepInfo) -> None:
        assert self._task is not None
        self._bar.update(self._task, completed=done, description=self._title(epoch))
        self._terms = [f"loss {_number(info.loss)}", *describe_terms(info.terms)]
        self._refresh()

    def epoch(self, record: Mapping[str, Any]) -> None:
        self._validation = describe_validation(record["validation"])
        self._terms = [f"loss {_number(record['loss'])}", *describe_terms(record["terms"])]
        self._refresh()

    def note(self, text: str) -> None:
        self._say(f"note: {text}")

    def stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _title(self, epoch: int) -> str:
        return f"epoch {epoch}/{self._epochs}"

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._picture())

    def _picture(self) -> Group:
        terms = Columns([Text(term) for term in self._terms], padding=(0, 2))
        return Group(self._bar, terms, Text(self._validation))


class UntilGone:
    """A reporter, as long as what it writes to is there: a terminal that hung up, a pipe that nobody reads any more, or
    a full disk below a log ends the telling, never the training."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter: Reporter = reporter

    @property
    def interval(self) -> float:
        """The reporter's own, asked for anew each time."""
        return self._reporter.interval

    @interval.setter
    def interval(self, seconds: float) -> None:
        self._reporter.interval = seconds

    def start(self, epochs: int, steps_per_epoch: int, done: int) -> None:
        self._tell(lambda: self._reporter.start(epochs, steps_per_epoch, done))

    def step(self, epoch: int, done: int, info: StepInfo) -> None:
        self._tell(lambda: self._reporter.step(epoch, done, info))

    def epoch(self, record: Mapping[str, Any]) -> None:
        self._tell(lambda: self._reporter.epoch(record))

    def note(self, text: str) -> None:
        self._tell(lambda: self._reporter.note(text))

    def warning(self, text: str) -> None:
        self._tell(lambda: self._reporter.warning(text))

    def stop(self) -> None:
        self._tell(self._reporter.stop)

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            what()
        except (OSError, SystemExit):  # rich ends the program where a pipe is closed
            self._reporter = SilentReporter()


def choose_reporter(progress: bool, console: Console | None = None) -> Reporter:
    """The bar on a terminal, lines elsewhere, silence without `progress`."""
    if not progress:
        return SilentReporter()
    console = console or Console(stderr=False)
    return BarReporter(console) if console.is_terminal and not console.is_dumb_terminal else PlainReporter(console)


def describe_terms(terms: Mapping[str, float]) -> list[str]:
    """Every term of the objective with its mean in nats per row."""
    return [f"{name} {_number(value)}" for name, value in terms.items()]


def describe_validation(validation: Mapping[str, Any] | None) -> str:
    """`validation elbo -95.2  y error 4.10%`; shares as percent, other errors in data units."""
    if validation is None:
        return ""
    parts = [] if validation.get("elbo") is None else [f"elbo {_number(validation['elbo'])}"]
    for name, figures in validation.get("variables", {}).items():
        if figures.get("error") is not None:
            error = figures["error"]
            parts.append(f"{name} error " + (f"{100 * error:.2f}%" if "log_loss" in figures else f"{error:.4g}"))
    return "validation " + "  ".join(parts) if parts else ""


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1e5 else f"{value:.3e}"


class Clock:
    """Seconds since it was made, on top of what was spent before; and whether a reader's interval has passed."""

    def __init__(self, spent: float) -> None:
        self._start = time.perf_counter() - spent
        self._last = time.perf_counter()

    @property
    def seconds(self) -> float:
        """All seconds, earlier sessions of a resumed training included."""
        return time.perf_counter() - self._start

    def due(self, interval: float) -> bool:
        """True at most once every `interval` seconds."""
        now = time.perf_counter()
        if now - self._last < interval:
            return False
        self._last = now
        return True
