"""`graphspec check`: every mistake of a spec at once, with its place and a repair."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphspec.diagnostics import Diagnostic
from graphspec.reading.suggestions import counted
from runtime.cli.common import EXIT_FAULT, DataDirOption, JsonOption, SetOption, print_diagnostics, print_json

if TYPE_CHECKING:
    from graphspec.graphs.graph import Graphs

Findings = Mapping[str, tuple[Diagnostic, ...]]


def check(
    specs: Annotated[list[str], typer.Argument(metavar="SPEC...", help="Specs: paths, or - for standard input.")],
    output: Annotated[
        Literal["text", "json", "sarif"], typer.Option("--format", help="text for people, json and sarif for machines.")
    ] = "text",
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 on warnings too.")] = False,
    json: JsonOption = False,
) -> None:
    """Find every mistake of a spec before anything runs.

    Exit 0: fine, perhaps with warnings. 1: errors. `graphspec explain GS012` explains a code.

    Example:  graphspec check specs/digits.yaml --set training.epochs=10
    """
    from graphspec.loading import check_graphs

    checked = {spec: check_graphs(spec, tuple(overrides or ()), data_dir=data_dir) for spec in specs}
    findings = {spec: found for spec, (_, found) in checked.items()}
    sound = {spec: graphs for spec, (graphs, _) in checked.items() if graphs is not None}
    if json or output == "json":
        from graphspec.describe.formats import as_json

        print_json(as_json(findings, {spec: graphs.label_rows for spec, graphs in sound.items()}))
    elif output == "sarif":
        from importlib.metadata import version

        from graphspec.describe.formats import as_sarif

        print_json(as_sarif((found for spec in findings.values() for found in spec), version("graphspec")))
    else:
        _print_text(findings, sound)
        _print_memory(sound)
    faults = {"error", "warning"} if strict else {"error"}
    if any(found.severity in faults for spec in findings.values() for found in spec):
        raise typer.Exit(EXIT_FAULT)


def _print_memory(sound: "Mapping[str, Graphs]") -> None:
    """Steps that need much memory: no mistake of the spec, so no diagnostic, but better known before."""
    from runtime.cli.before_training import large_step

    for spec, graphs in sound.items():
        large = large_step(graphs)
        if large:
            typer.echo(f"{spec}: note: memory: {large}")


def _print_text(findings: Findings, sound: "Mapping[str, Graphs]") -> None:
    for spec, found in findings.items():
        print_diagnostics(found)
        labels = sound[spec].label_rows if spec in sound else None
        told = [] if labels is None else labels.lines()
        typer.echo("\n".join(["" if found else f"{spec}: ok", *(f"{spec}: {line}" for line in told)]))
    if any(findings.values()):
        typer.echo(_summary(findings))


def _summary(findings: Findings) -> str:
    """`2 errors, 1 warning in m2.yaml`, or `... in 2 of 3 specs`."""
    severities = [found.severity for spec in findings.values() for found in spec]
    counts = [(severities.count(word), word) for word in ("error", "warning", "note")]
    told = ", ".join(counted(count, word) for count, word in counts if count)
    faulty = [spec for spec, found in findings.items() if found]
    where = faulty[0] if len(findings) == 1 else f"{len(faulty)} of {len(findings)} specs"
    return f"{told} in {where}"
