"""Which folder a training works in: a new one that nobody else takes, or an earlier run that nobody else goes on with.

From: `--out`, `--resume`, the spec's name and text. To: a `Claim`, which holds the folder's lock until it is released.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from graphspec.rules.name_rules import why_no_folder
from runtime.errors import RunError
from runtime.runs.atomic_files import encoded
from runtime.runs.run_folder import Run, not_a_run
from runtime.runs.run_lock import LOCK_FILE, BusyError, FolderLock


class Claim:
    """A folder, locked. resume: there is a saved state to go on from; begun: a kill left its beginnings there.

    As a context it lets go at the end, and takes away a folder in which nothing was written.
    """

    def __init__(self, folder: Path, *, resume: bool = False) -> None:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        self.folder, self.resume = folder, resume
        self.begun = not resume and folder.is_dir() and any(e.name != LOCK_FILE for e in folder.iterdir())
        self._lock, self._made = FolderLock(folder), made

    @property
    def note(self) -> str:
        """Why two trainings are not kept apart here; "" where they are."""
        return self._lock.note

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Unlock; folders that were made for the claim and are still empty go."""
        self._lock.release()
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()


def check_new(out: Path | None, text: str) -> None:
    """RunError if a new training of the spec `text` cannot be in `out`; for telling it before data are read."""
    if out is None:
        if Path("runs").exists() and not Path("runs").is_dir():
            raise RunError("runs is not a folder, and runs are to be in it", "name the run's folder with --out")
        return
    if out.is_symlink() and not out.exists():
        raise RunError(f"{out} is a link to {out.readlink()}, which is not there", "name another --out")
    above = next((path for path in out.parents if path.exists()), Path())
    if not above.is_dir():
        raise RunError(f"{out} cannot be made: {above} is not a folder", "name another --out")
    if out.exists() and not (out.is_dir() and is_free(out, text)):
        raise RunError(f"{out} exists and is not empty", "add --resume to go on with it, or name another --out")


def claim_new(out: Path | None, name: str, text: str) -> Claim:
    """A folder for a new run: `out`, or the first free of runs/NAME, runs/NAME-2, ... No earlier run is written into;
    what a training of the same spec `text` left that was killed before its first saved state is begun again.

    RunError: `out` is taken, or another training is at work there.
    """
    if out is not None:
        check_new(out, text)
        claim = Claim(out)
        try:
            check_new(out, text)  # another training may have come and gone before the lock was there
        except RunError:
            claim.release()
            raise
        return claim
    for folder in candidates(name):
        if folder.exists() and not (folder.is_dir() and is_free(folder, text)):
            continue
        try:
            claim = Claim(folder)
        except BusyError:
            continue
        if is_free(folder, text):
            return claim
        claim.release()
    raise AssertionError("candidates never end")


def claim_old(out: Path | None, name: str, text: str) -> Claim:
    """The run in `out` (by default the newest runs/NAME*), to go on with; one that was killed before its first saved
    state is begun again. RunError: there is no run, or another training is at work in it."""
    folder = latest_folder(name) if out is None else out
    if not folder.is_dir():
        raise not_a_run(folder)
    run = Run(folder)
    killed_early = run.spec_file.exists() and is_free(folder, text)
    if not killed_early and "status" not in run.manifest():
        raise not_a_run(folder)
    if not run.state_file.exists() and (run.last_file.exists() or run.best_file.exists()):
        raise RunError(
            f"there is nothing to resume in {folder}: {run.state_file.name} is not there",
            "its weights can be used (`graphspec evaluate`); train without --resume, into another folder",
        )
    saved = run.state_file.exists()
    if not saved and run.spec_file.exists() and not _holds(run.spec_file, text):
        raise RunError(f"{folder} has no saved state, and was made from another spec", "train into another folder")
    return Claim(folder, resume=saved)


def is_free(folder: Path, text: str) -> bool:
    """Nothing is in the folder, or only what a training of the spec `text` writes before its first saved state."""
    found: set[str] = set()
    for entry in _entries(folder):
        if entry not in _REMAINS:
            return False
        found.add(entry)
    return found <= {LOCK_FILE, _part(_SPEC)} or _holds(folder / _SPEC, text)


def _entries(folder: Path) -> Iterator[str]:
    """Files and folders by their names, those of `checkpoints` too."""
    for entry in folder.iterdir():
        if entry.name == "checkpoints" and entry.is_dir() and not entry.is_symlink():
            yield from (f"checkpoints/{below.name}" for below in entry.iterdir())
        else:
            yield entry.name


def _part(name: str) -> str:
    return f".{name}.part"


_SPEC = "spec.yaml"
_TEXTS = (_SPEC, "resolved.yaml", "manifest.json")
_ROWS = "rows.safetensors"
_REMAINS = {LOCK_FILE, *_TEXTS, *map(_part, _TEXTS)}
_REMAINS |= {f"checkpoints/{name}" for name in (_part("state.safetensors"), _ROWS, _part(_ROWS))}
"""What a kill before the first saved state may leave; the spec is the first whole file."""


def _holds(file: Path, text: str) -> bool:
    with suppress(OSError):
        return file.read_bytes() == encoded(text)
    return False


def latest_folder(name: str) -> Path:
    """The newest of runs/NAME, runs/NAME-2, ...; RunError if there is none."""
    latest = None
    for path in candidates(name):
        if not path.exists():
            break
        latest = path
    if latest is None:
        raise RunError(f"there is no run to resume: {Path('runs') / name} does not exist", "name its folder with --out")
    return latest


def candidates(name: str) -> Iterator[Path]:
    """Where runs of this name are looked for: runs/NAME, runs/NAME-2, ..."""
    first = Path("runs") / name
    yield first
    number = 2
    while True:
        yield first.with_name(f"{name}-{number}")
        number += 1


def name_of_file(spec: str) -> str:
    """What runs of a spec without a name are called: its file's name, "" where that is none for a folder."""
    file = Path(spec)
    usable = file.suffix in (".yaml", ".yml") and not why_no_folder(file.stem)
    return file.stem if usable else ""
