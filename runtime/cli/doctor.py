"""`graphspec doctor`: is everything there that graphspec needs? What is not comes with the line that mends it."""

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import typer

from runtime.cli.common import EXIT_FAULT, DataDirOption, JsonOption, print_json

OLDEST_PYTHON = (3, 11)
Status = Literal["ok", "note", "error"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and (unless ok) what to do. Only an error fails the command."""

    name: str
    status: Status
    found: str
    fix: str = ""


def doctor(
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at Python, the packages, torch and its devices, torchvision, the data folder and the extras.

    Example:  graphspec doctor
              graphspec doctor --json

    Exit 1 if something that graphspec needs is missing or broken.
    """
    findings = list(examine(data_dir))
    healthy = all(finding.status != "error" for finding in findings)
    if as_json:
        print_json({"ok": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            _print(finding)
        typer.echo("\nall that graphspec needs is there" if healthy else "\nsomething is missing: see `fix` above")
    if not healthy:
        raise typer.Exit(EXIT_FAULT)


def examine(data_dir: Path | None) -> Iterator[Finding]:
    """Every finding, in the order printed."""
    yield _python()
    yield from _packages()
    yield from _torch()
    yield _torchvision()
    yield from _data(data_dir)


def _python() -> Finding:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", "error", found, "install Python 3.11 or newer and make a new virtual environment")
    return Finding("python", "ok", found)


def _packages() -> Iterator[Finding]:
    """Installed versions against the ranges that graphspec's own metadata states; extras are notes."""
    from packaging.requirements import Requirement

    try:
        wanted = requires("graphspec") or []
    except PackageNotFoundError:
        yield Finding("graphspec", "error", "not installed", "pip install -e . (in the clone's root)")
        return
    yield Finding("graphspec", "ok", version("graphspec"))
    for text in wanted:
        requirement = Requirement(text)
        extra = requirement.marker is not None and "extra" in str(requirement.marker)
        if not extra or (requirement.marker and requirement.marker.evaluate({"extra": "tensorboard"})):
            yield package_finding(requirement.name, str(requirement.specifier), optional=extra)


def package_finding(name: str, supported: str, *, optional: bool) -> Finding:
    """One package against its supported range, such as `>=2.11,<3`."""
    from packaging.specifiers import SpecifierSet

    bad: Status = "note" if optional else "error"
    fix = f"pip install '{name}{supported}'"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, bad, "not installed" + (" (only for --tensorboard)" if optional else ""), fix)
    if not SpecifierSet(supported).contains(found, prereleases=True):
        return Finding(name, bad, f"{found}, supported is {supported}", fix)
    return Finding(name, "ok", found)


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # a broken binary fails in many ways
        yield Finding("torch import", "error", _first_line(error), "pip install --force-reinstall 'torch>=2.11,<3'")
        return
    yield Finding("threads", "ok", f"{torch.get_num_threads()} of {os.cpu_count()} CPU cores")
    yield _kernels()
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        yield Finding("device", "ok", f"cuda: {names}")
    else:
        built = "this torch is built without CUDA" if torch.version.cuda is None else "CUDA is not usable here"
        yield Finding("device", "ok", f"cpu ({built})")


def _kernels() -> Finding:
    """The C++ row kernels: a step without them is right too, but slower."""
    from compiler.kernels import library

    found = library()
    if found.functions is None:
        return Finding("fused kernels", "note", found.note, "install a C++ compiler (g++, clang++) for speed")
    return Finding("fused kernels", "ok", found.note)


def _torchvision() -> Finding:
    try:
        from compiler.networks.torchvision_shim import import_torchvision, is_declared

        import_torchvision()
        import torch
        from torchvision.models import squeezenet1_1
        from torchvision.transforms import v2  # noqa: F401
        from torchvision.utils import make_grid  # noqa: F401

        with torch.no_grad():
            answer = squeezenet1_1(weights=None).eval()(torch.zeros(1, 3, 32, 32))
        assert answer.shape == (1, 1000), f"a model gave {tuple(answer.shape)}"
    except Exception as error:  # as above
        fix = "install a torchvision that belongs to this torch, from the same index"
        return Finding("torchvision import", "error", _first_line(error), fix)
    assert is_declared("nms"), "the import needs it"
    return Finding("torchvision import", "ok", "data sets, transforms, image grids and models work")


def _data(data_dir: Path | None) -> Iterator[Finding]:
    """The data folder and the known sets in it; what is absent is only a note."""
    from graphspec.headers.sources import KNOWN_SETS, data_folder

    folder = data_folder(data_dir)
    if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
        yield Finding("data folder", "error", f"{folder} cannot be read", f"chmod u+rx {folder}")
        return
    yield Finding("data folder", "ok", str(folder) if folder.exists() else f"{folder} (made when first needed)")
    try:
        from runtime.data.read.known_sets import is_present
    except Exception as error:
        yield Finding("data sets", "error", _first_line(error), "mend the packages named above")
        return
    for known in KNOWN_SETS.values():
        if is_present(known, folder):
            yield Finding(f"data: {known.name}", "ok", known.title)
        else:
            fix = f"put its files into {folder / known.folder}, or see `graphspec data`"
            yield Finding(f"data: {known.name}", "note", "not there", fix)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".strip(": ")


def _print(finding: Finding) -> None:
    typer.echo(f"{finding.status:<6} {finding.name:<20} {finding.found}")
    if finding.fix:
        typer.echo(f"{'':<6} {'':<20} fix: {finding.fix}")
