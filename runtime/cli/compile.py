"""`graphspec compile`: the modules in the order they run, or any stage on the way, printed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from graphspec.graphs.graph import Graphs
from runtime.cli.common import (
    AllowPythonOption,
    DataDirOption,
    JsonOption,
    SetOption,
    SpecArgument,
    console,
    print_json,
    tell,
)

Stage = Literal["spec", "graph", "program", "objective", "plan"]
COLUMNS = ("factor", "parents", "distribution", "network", "shape", "parameters")
MOST_LAID_OUT = 500
"""Rows up to which columns are fitted to the terminal, which takes a millisecond each."""


def compile(
    spec: SpecArgument,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write every stage as a file into this folder.")
    ] = None,
    stage: Annotated[Stage | None, typer.Option("--stage", help="Print one stage instead of the modules.")] = None,
    emit: Annotated[
        str | None,
        typer.Option(
            "--emit", metavar="FILE.py", help="Write the model as standalone PyTorch into this file; - prints it."
        ),
    ] = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a spec compiles to: modules in topological order with shapes and parameter counts, and the programs.

    Example:  graphspec compile specs/digits.yaml
              graphspec compile specs/mnist-vae.yaml --stage spec
              graphspec compile specs/digits.yaml --emit model.py
    """
    from graphspec.loading import load
    from runtime.runs.memory_guard import refuse_too_large

    if sum(option is not None for option in (output, stage, emit)) > 1:
        raise typer.BadParameter("give one of --output, --stage and --emit")
    graphs = load(spec, overrides or (), data_dir=data_dir)
    if emit is not None:
        _emit(graphs, emit, data_dir, allow_python, as_json)
        return
    if output is not None:
        _write_stages(graphs, output)
        return
    if stage is not None:
        text = stage_text(graphs, stage)
        print_json({"stage": stage, "text": text}) if as_json else typer.echo(text)
        return
    refuse_too_large(graphs)
    modules = _modules(graphs, allow_python)
    print_json({"modules": modules, "parameters": sum(m["parameters"] for m in modules)}) if as_json else _table(
        graphs, modules
    )


def stage_text(graphs: Graphs, stage: Stage) -> str:
    """One stage between YAML and loss, as text (YAML for `spec`)."""
    if stage == "spec":
        from graphspec.describe.resolved import resolved_yaml

        return resolved_yaml(graphs)
    if stage == "graph":
        return _graph_text(graphs)
    if stage == "program":
        from compiler.symbolic.lowering import every_pattern, lower

        return "\n\n".join(str(lower(graphs, pattern)) for pattern in reversed(every_pattern(graphs)[:16]))
    if stage == "plan":
        from compiler.plan.planner import plans_of

        return "\n\n".join(str(plan) for plan in plans_of(graphs))
    from compiler.symbolic.explanation import explain
    from compiler.symbolic.explanation_text import as_text

    return as_text(explain(graphs))


def _graph_text(graphs: Graphs) -> str:
    from compiler.symbolic.program import conditional_text

    lines = []
    for side, letter in (("generative", "p"), ("recognition", "q")):
        lines.append(side)
        for factor in graphs.order(side):  # type: ignore[arg-type]
            variable = graphs.variables[factor.variable]
            family = "deterministic" if factor.family is None else factor.family.name
            text = conditional_text(letter, factor.variable, factor.parents)
            lines.append(f"  {text:<28} {family:<20} shape {list(variable.shape)}")
    return "\n".join(lines)


def _emit(graphs: Graphs, target: str, data_dir: Path | None, allow_python: bool, as_json: bool) -> None:
    """The model as one Python file that needs PyTorch only, as training begins it. Loads torch."""
    from compiler.emission import emit
    from runtime.errors import RunError
    from runtime.runs.atomic_files import write_text

    if target != "-" and Path(target).exists():
        raise RunError(f"{target} exists", "nothing is overwritten: name another file")
    text = emit(_started(graphs, data_dir), allow_python=allow_python)
    if target == "-":
        print_json({"text": text}) if as_json else typer.echo(text, nl=False)
        return
    write_text(Path(target), text, make_folder=False)
    lines = text.count("\n")
    print_json({"file": target, "lines": lines}) if as_json else typer.echo(f"wrote {target}: {lines} lines of PyTorch")


def _started(graphs: Graphs, data_dir: Path | None) -> Graphs:
    """Factors start where the training rows say, if the data are there and lie far off."""
    from runtime.data.preparation.starts import can_be_far
    from runtime.errors import RunError
    from runtime.runs.run_rows import rows_to_train

    if graphs.spec.data is None or not can_be_far(graphs):
        return graphs
    try:
        data = rows_to_train(graphs, data_dir=data_dir, spec_path=Path(graphs.source.name), tell=tell)
    except RunError as error:
        tell(f"note: the data were not looked at ({error.message}): weights trained on columns far from 0 will not fit")
        return graphs
    return graphs.with_starts(data.starts)


def _modules(graphs: Graphs, allow_python: bool) -> list[dict[str, Any]]:
    """One entry per factor in the order it runs. Loads torch."""
    from compiler import compile_spec
    from compiler.model.model import module_name
    from graphspec.graphs.run_weights import told_weights

    model = compile_spec(graphs, allow_python=allow_python)
    entries, told = [], told_weights(graphs)
    for side in ("recognition", "generative"):
        for factor in graphs.order(side):
            if factor.side != side:
                continue
            module = model.factors[module_name(factor)]
            entries.append(
                {
                    "factor": factor.key,
                    "parents": list(factor.parents),
                    "distribution": None if factor.family is None else factor.family.name,
                    "network": None if factor.network is None else factor.network.kind,
                    "shape": list(graphs.variables[factor.variable].shape),
                    "parameters": sum(p.numel() for p in module.parameters()),
                    **({"weights": told[factor.key]} if factor.key in told else {}),
                }
            )
    return entries


def _table(graphs: Graphs, modules: list[dict[str, Any]]) -> None:
    rows = [
        (
            entry["factor"],
            ", ".join(entry["parents"]),
            entry["distribution"] or "deterministic",
            entry["network"] or "",
            str(entry["shape"]),
            f"{entry['parameters']:,}",
        )
        for entry in modules
    ]
    if len(rows) > MOST_LAID_OUT:
        typer.echo("\n".join("  ".join(cell for cell in row if cell) for row in (COLUMNS, *rows)))
    else:
        _lay_out(rows)
    console.print(f"\n{sum(m['parameters'] for m in modules):,} parameters\n")
    told = [entry["weights"] for entry in modules if "weights" in entry]
    for words in dict.fromkeys(told):
        names = ", ".join(entry["factor"] for entry in modules if entry.get("weights") == words)
        console.print(f"{words}: {names}\n", markup=False, highlight=False)
    console.print(stage_text(graphs, "program"), markup=False, highlight=False)


def _lay_out(rows: Iterable[tuple[str, ...]]) -> None:
    """Columns that fit the terminal."""
    from rich.table import Table

    table = Table(*COLUMNS, box=None, pad_edge=False)
    table.columns[-1].justify = "right"
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _write_stages(graphs: Graphs, folder: Path) -> None:
    from runtime.errors import RunError
    from runtime.runs.atomic_files import write_text

    names: dict[Stage, str] = {
        "spec": "spec.yaml", "graph": "graph.txt", "program": "program.txt", "objective": "objective.txt",
        "plan": "plan.txt",
    }  # fmt: skip
    taken = [folder / name for name in names.values() if (folder / name).exists()]
    if taken:
        raise RunError(f"{taken[0]} exists", "nothing is overwritten: name another folder")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is not a folder", "name another one")
    for stage, name in names.items():
        write_text(folder / name, stage_text(graphs, stage) + "\n")
    typer.echo(f"wrote {', '.join(names.values())} to {folder}")
