"""How compile time and the overhead of a training step grow with the number of variables.

python -m benchmarks.scale --json results/scale.json --sizes 10,100,1000,2000

Processor seconds of each stage from YAML text to one training step (8 rows, linear networks: what is timed is the work
per variable, not the matrix products), the shortest of the repeats. The growth is the slope of log seconds over log
variables from 100 variables on, by least squares: 1 is linear.
"""

import argparse
import json
import math
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from benchmarks.large_specs import SHAPES

STAGES = {
    "parse": "YAML text to located tree",
    "read": "located tree to Spec",
    "graphs": "Spec to Graphs: names, families, shapes",
    "rules": "every rule about the two graphs",
    "lower": "Graphs to Program and Objective",
    "explain": "the objective, lowered and written out",
    "build": "the modules",
    "step": "one training step: bound, gradients, Adam",
}
SMALLEST_FITTED = 100
ROWS = 8
T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    options = _options(arguments)
    rows = [row for shape in options.shapes for row in measure(shape, options.sizes, options.repeats)]
    report = {
        "rows": rows,
        "growth": {shape: growth([row for row in rows if row["graph"] == shape]) for shape in options.shapes},
        "stages": STAGES,
        "rows_per_step": ROWS,
        "machine": _machine(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "pydantic", "networkx", "pyyaml")},
        "command": f"python -m benchmarks.scale --sizes {','.join(map(str, options.sizes))}"
        f" --graphs {','.join(options.shapes)} --repeats {options.repeats}",
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    _show(report)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the rows are written")
    parser.add_argument("--sizes", default="10,100,1000,2000", help="numbers of variables, with commas")
    parser.add_argument("--graphs", default=",".join(SHAPES), help=f"of {', '.join(SHAPES)}, with commas")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    options.shapes = options.graphs.split(",")
    unknown = [name for name in options.shapes if name not in SHAPES]
    if unknown:
        parser.error(f"--graphs: there is no {', '.join(unknown)}; there are {', '.join(SHAPES)}")
    try:
        options.sizes = [int(size) for size in options.sizes.split(",")]
    except ValueError:
        parser.error("--sizes: whole numbers with commas, for example 10,100,1000")
    if min(options.sizes) < 3:
        parser.error("--sizes: a graph has at least 3 variables here")
    return options


def measure(shape: str, sizes: Sequence[int], repeats: int = 3) -> Iterator[dict[str, Any]]:
    """One row per size: {graph, variables, seconds: {stage: processor seconds}}."""
    for size in sizes:
        text = SHAPES[shape](size)
        found = [stages(text) for _ in range(repeats)]
        yield {
            "graph": shape,
            "variables": size,
            "seconds": {stage: round(min(times[stage] for times in found), 5) for stage in STAGES},
        }


def stages(text: str, clock: Callable[[], float] = time.process_time) -> dict[str, float]:
    """What each stage takes for one spec, by a clock: processor seconds."""
    from compiler.symbolic.derivation import derive
    from compiler.symbolic.explanation import explain
    from compiler.symbolic.explanation_text import as_text
    from compiler.symbolic.lowering import lower
    from compiler.symbolic.program import Pattern
    from graphspec.graphs.connect import connect
    from graphspec.graphs.declared_names import outline_of
    from graphspec.reading.validation import read_spec
    from graphspec.rules import check_rules
    from graphspec.text.report import Report
    from graphspec.text.source import read_document

    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], T]) -> T:
        began = clock()
        result = work()
        seconds[stage] = clock() - began
        return result

    document = timed("parse", lambda: read_document(text, "large.yaml"))
    report = Report(document)
    spec = timed("read", lambda: read_spec(document, report))
    assert spec is not None, report.diagnostics
    outline = outline_of(spec, report)
    graphs = timed("graphs", lambda: connect(outline, report))
    assert graphs is not None, report.diagnostics
    timed("rules", lambda: check_rules(outline, graphs, report))
    assert not report.diagnostics, report.diagnostics[:3]
    timed("lower", lambda: derive(lower(graphs, Pattern(()))))
    timed("explain", lambda: as_text(explain(graphs)))
    _train(graphs, timed)
    return seconds


def _train(graphs: Any, timed: Callable[[str, Callable[[], Any]], Any]) -> None:
    import torch

    from compiler import compile_spec
    from compiler.symbolic.schedules import ObjectiveWeights
    from compiler.tensors.noise import Noise

    model = timed("build", lambda: compile_spec(graphs))
    optimizer = torch.optim.Adam(model.parameters())
    weights = ObjectiveWeights.at(graphs, None, 0.0)
    rows = {name: torch.randn(ROWS, *graphs.variables[name].shape) for name in graphs.observed}

    def step() -> None:
        optimizer.zero_grad()
        (-model.evaluate(rows, weights=weights, noise=Noise(0, ROWS)).bound.mean()).backward()
        optimizer.step()

    step()  # the first one also lowers and fills the optimiser's state
    timed("step", step)


def growth(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """{stage: exponent} of seconds over variables; None with fewer than two sizes to fit."""
    fitted = [row for row in rows if row["variables"] >= SMALLEST_FITTED]
    return {stage: _slope([(row["variables"], row["seconds"][stage]) for row in fitted]) for stage in STAGES}


def _slope(points: Sequence[tuple[int, float]]) -> float | None:
    logs = [(math.log(size), math.log(seconds)) for size, seconds in points if seconds > 0]
    if len({size for size, _ in logs}) < 2:
        return None
    centre = [sum(column) / len(logs) for column in zip(*logs, strict=True)]
    over = sum((x - centre[0]) * (y - centre[1]) for x, y in logs)
    slope: float = over / sum((x - centre[0]) ** 2 for x, _ in logs)
    return round(slope, 2)


def _machine() -> dict[str, Any]:
    import torch

    from benchmarks.machine import processor

    return {"processor": processor()["processor"], "threads": torch.get_num_threads()}


def _show(report: dict[str, Any]) -> None:
    console = Console()
    for shape, exponents in report["growth"].items():
        rows = [row for row in report["rows"] if row["graph"] == shape]
        table = Table("stage", title=f"{shape}: processor seconds by number of variables")
        for row in rows:
            table.add_column(str(row["variables"]), justify="right")
        table.add_column("growth", justify="right")
        for stage, exponent in exponents.items():
            times = (f"{row['seconds'][stage]:.3f}" for row in rows)
            table.add_row(stage, *times, "" if exponent is None else f"{exponent:.2f}")
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())
