"""The runs that a training starts from, looked at before anything is read or written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphspec.describe.resolved import differences, spec_as_plain
from graphspec.diagnostics import Diagnostic, SpecError, inclusions
from graphspec.graphs.graph import Graphs
from graphspec.reading.spec_files import beside
from graphspec.text.tree import Mapping, Node
from runtime.errors import RunError
from runtime.runs.checkpoints import read_weights, weights_digest
from runtime.runs.records import understood
from runtime.runs.run_folder import Run, find_run, graphs_of

_SAME = ("variables", "generative", "recognition", "networks")
"""Sections of the spec that a run's weights and its resolved.yaml agree in."""


def included_runs(graphs: Graphs, folder: Path) -> dict[str, Run]:
    """The runs that `training.initialize` and `include` name, by name. Raises RunError, and for a run that is included
    SpecError with its place: it is not there, has no weights, or its files are damaged or of different runs."""
    found: dict[str, Run] = {}
    for index, entry in enumerate(graphs.spec.training.initialize):
        if entry.run in found:
            continue
        place = _include_of(graphs, index)
        if place is None:
            found[entry.run] = find_run(beside(entry.run, folder))
            continue
        try:
            found[entry.run] = _whole(find_run(beside(entry.run, folder)))
        except RunError as error:
            raise SpecError([_located(error, place)]) from None
    return found


def record_of_runs(graphs: Graphs, folder: Path) -> list[dict[str, Any]]:
    """What a manifest says of the weights that a training starts from: `run`, `sha256` of their file's contents, which
    `factors`, and whether they stay as they are."""
    return [
        {
            "run": entry.run,
            "sha256": weights_digest(find_run(beside(entry.run, folder)).checkpoint),
            "factors": list(entry.factors),
            "frozen": entry.freeze,
        }
        for entry in graphs.spec.training.initialize
    ]


def changed_since(run: Run, folder: Path) -> Iterator[str]:
    """A note for each run whose weights `run` began with, and whose folder holds others now. folder: of the spec."""
    with understood(run.manifest_file):
        digests = {str(entry["run"]): entry["sha256"] for entry in run.manifest().get("starts_from") or ()}
    for name, then in digests.items():
        try:
            now = weights_digest(find_run(beside(name, folder)).checkpoint)
        except RunError:  # gone, or damaged: what was taken from it is in the run's own checkpoints
            continue
        if now != then:
            yield (
                f"{name} has other weights now than those that {run.folder} began with, and goes on from: to "
                "begin with the new ones, train into another folder"
            )


def _whole(run: Run) -> Run:
    """The run, if its weights can be read and belong to the spec that its folder holds."""
    checkpoint = read_weights(run.checkpoint)
    try:
        text = run.resolved_file.read_text(encoding="utf-8")
        here, there = (spec_as_plain(graphs_of(each, str(run.resolved_file)).spec) for each in (text, checkpoint.spec))
    except (OSError, UnicodeDecodeError, SpecError) as error:
        raise RunError(f"{run.resolved_file} cannot be read: {error}", "the run folder is damaged") from None
    for name, _, _ in differences({part: here[part] for part in _SAME}, {part: there[part] for part in _SAME}):
        raise RunError(
            f"{run.checkpoint} holds weights of another spec than {run.resolved_file}: they differ in {name}",
            "bring back the folder as `graphspec train` wrote it",
        )
    return run


def _include_of(graphs: Graphs, index: int) -> Node | None:
    """Where the run was included; None for a start that the spec's author wrote in `training.initialize`."""
    node = None if graphs.document is None else graphs.document.node(("training", "initialize", index))
    if not isinstance(node, Mapping) or "from" not in node.index:
        return None
    return node if node.span == node.index["from"].value.span else None


def _located(error: RunError, place: Node) -> Diagnostic:
    return Diagnostic(
        "GS091", error.message, place.span, place.source, hint=error.hint, related=inclusions(place.source)
    )
