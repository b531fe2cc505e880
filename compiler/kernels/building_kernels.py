"""Building the kernels on first use and keeping them: one shared library per source, flags and processor.

Plain C functions, called through ctypes: the source includes no header of torch, so that a build takes seconds.
GRAPHSPEC_KERNELS=off turns them off; GRAPHSPEC_KERNELS=/some/folder keeps the built library there.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("rows.cpp")
COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    *("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-fopenmp"),
    # enough for vector registers; nothing is reassociated (exp(x) - 1 would lose its digits), infinities and NaN keep
    # their meaning, and -ffast-math's start-up code, which flushes subnormals in the whole process, is not linked
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
)
BUILD_SECONDS = 120
SWITCH = "GRAPHSPEC_KERNELS"


@dataclass(frozen=True)
class Library:
    """The loaded functions, or why there are none."""

    functions: ctypes.CDLL | None
    note: str


@cache
def library() -> Library:
    """The kernels of this process: loaded, built first where they never were, or absent with the reason."""
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "no"):
        return Library(None, f"turned off by {SWITCH}")
    try:
        path = _built()
        functions = ctypes.CDLL(str(path))
    except _NotBuiltError as error:
        return Library(None, str(error))
    except OSError as error:
        return Library(None, f"cannot be loaded: {error}")
    return Library(functions, f"built for this processor, kept in {path.parent}")


def kernel(name: str) -> Any:
    """One of the functions, where there is a library."""
    functions = library().functions
    assert functions is not None, "asked for a kernel that is not there"
    return getattr(functions, name)


def status() -> str:
    """One line for `doctor` and manifests."""
    found = library()
    return f"fused kernels: {found.note}" if found.functions else f"no fused kernels: {found.note}"


class _NotBuiltError(Exception):
    """Why there is no library."""


def _built() -> Path:
    compiler = next((found for name in COMPILERS if (found := shutil.which(os.environ.get("CXX", name)))), None)
    folder = _folder()
    target = folder / f"rows-{_key(compiler or '')}.so"
    if target.exists():
        return target
    if compiler is None:
        raise _NotBuiltError("no C++ compiler (c++, g++ or clang++) on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        made = Path(work) / "rows.so"
        _compile(compiler, made)
        os.replace(made, target)  # another process may have been faster: both files are the same
    return target


def _compile(compiler: str, made: Path) -> None:
    command = [compiler, *FLAGS, "-o", str(made), str(SOURCE)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _NotBuiltError(f"{compiler} did not run: {error}") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise _NotBuiltError(f"{compiler} failed: {lines[0]}")


def _folder() -> Path:
    chosen = os.environ.get(SWITCH, "")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "graphspec" / "kernels"


def _key(compiler: str) -> str:
    """Of everything that the library depends on; the processor, since a cache may live on a shared disk."""
    digest = hashlib.sha256(SOURCE.read_bytes())
    for part in (compiler, *FLAGS, platform.system(), platform.machine(), _processor()):
        digest.update(part.encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """What the processor can do, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags", "Features"))))
