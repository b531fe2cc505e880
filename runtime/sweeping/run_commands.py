"""Runs of a plan as `graphspec train` commands: started, resumed, or left alone because they are finished."""

from dataclasses import dataclass
from pathlib import Path

from runtime.sweeping.results import Failure, is_done
from runtime.sweeping.run_pool import log_of
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import PlannedRun, SweepPlan

_SPEAKING = ("error: ", "internal error: ")


@dataclass(frozen=True)
class SweepOptions:
    """What every run gets beside its overrides."""

    data_dir: Path | None = None
    device: str = "auto"
    allow_python: bool = False
    test: bool = True

    @property
    def arguments(self) -> tuple[str, ...]:
        """As arguments of `train`."""
        place = () if self.data_dir is None else ("--data-dir", str(self.data_dir))
        rest = (*(("--allow-python",) if self.allow_python else ()), *(() if self.test else ("--no-test",)))
        return (*place, "--device", self.device, *rest)


@dataclass(frozen=True)
class RunCommand:
    """A run to train: what `Pool` starts and a display shows."""

    name: str
    label: str
    folder: Path
    epochs: int
    arguments: tuple[str, ...]


def to_train(plan: SweepPlan, folder: SweepFolder, options: SweepOptions) -> list[RunCommand]:
    """The runs that are not finished, in the plan's order."""
    return [
        training_of(plan.spec, run, folder, options)
        for run in plan.runs
        if not is_done(folder.run(run.name), options.test)
    ]


def training_of(spec: str, run: PlannedRun, folder: SweepFolder, options: SweepOptions) -> RunCommand:
    """One run as a command; it goes on from its saved state where there is one, and begins again what a kill left
    before."""
    trained = folder.run(run.name)
    again = trained.manifest_file.exists() and trained.state_file.exists()
    sets = [part for override in run.overrides for part in ("--set", override)]
    command = ("train", spec, *sets, "--out", str(trained.folder), "--no-figures", *options.arguments)
    return RunCommand(run.name, run.label, trained.folder, run.epochs, (*command, *(("--resume",) if again else ())))


def failure_of(training: RunCommand, code: int) -> Failure:
    """What the log says last about a run that exited with `code`."""
    log = log_of(training.folder)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    said = next((line for line in reversed(lines) if line.startswith(_SPEAKING) or ": error[" in line), "")
    last = next((line for line in reversed(lines) if line.strip()), "")
    ended = f"ended by signal {-code}" if code < 0 else f"exit {code}"
    return Failure((said or f"{ended}: {last.strip()}").removeprefix("error: "), str(log))
