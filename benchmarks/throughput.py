"""Training speed of graphspec beside a hand-written eager PyTorch twin, Pyro and Pixyz: the same graph, step and data.

python -m benchmarks.throughput --graph m2
python -m benchmarks.throughput --graph digits --threads 1 --worktree ../bb4ddbc   (git worktree add ../bb4ddbc bb4ddbc)
python -m benchmarks.throughput --device cuda

Every implementation runs in a process of its own that stays alive, so that repeats are interleaved. Before any timing
the loss and the gradient's norm at equal weights, rows and noise must agree, else nothing is measured (exit 1).
`digits` is timed against another commit of graphspec, from a worktree of it; there an epoch's loss and way through the
weights must agree. Needs MNIST in GRAPHSPEC_DATA (or --data-dir), except `table` and `digits`. Pyro and Pixyz come with
`pip install 'graphspec[bench]'`. With --device cuda five graphs are measured within --minutes: what takes longer to
compile is left out, and the file says so.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.settings import ON_CUDA, SETTINGS, Implementation, Setting, implementations_on

if TYPE_CHECKING:
    from benchmarks.measuring import Measured

PACKAGES = ("torch", "numpy", "pyro-ppl", "pixyz")
MINUTES = 9.0
"""In which the prepared command for a graphics processor has to be done."""
FOLDER = Path("results/throughput")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    options = _options(arguments)
    if options.data_dir is not None:
        os.environ["GRAPHSPEC_DATA"] = str(options.data_dir.resolve())
    lacking = _lacking(options)
    if lacking:
        print(lacking, file=sys.stderr)
        return 1
    until = time.monotonic() + 60 * options.minutes if options.minutes else None
    statuses = []
    for place, graph in enumerate(options.graphs):
        left = None if until is None else (until - time.monotonic()) / (len(options.graphs) - place)
        statuses.append(_one(options, graph, None if left is None else time.monotonic() + left))
    return max(statuses)


def _lacking(options: argparse.Namespace) -> str | None:
    """What is not there and must be, and what to do."""
    from benchmarks.rows import mnist_folder

    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            return (
                f"--device cuda: torch {torch.__version__} sees no CUDA device on this machine; nothing was measured. "
                "Run the same command where `python -c 'import torch; print(torch.cuda.is_available())'` prints True; "
                f"--device cpu --graph {','.join(ON_CUDA)} measures the same graphs here."
            )
    if any(SETTINGS[graph].rows_from == "mnist" for graph in options.graphs) and mnist_folder() is None:
        return "MNIST/raw is not in the data folder: name it with --data-dir or GRAPHSPEC_DATA"
    if any(SETTINGS[graph].implementations[name].elsewhere for graph in options.graphs for name in options.only[graph]):
        place = options.worktree
        if place is None or not (place / "compiler").is_dir():
            return (
                f"--worktree: expected a worktree of commit bb4ddbc, got {place}; "
                "make one with `git worktree add ../bb4ddbc bb4ddbc`"
            )
    return None


def _one(options: argparse.Namespace, graph: str, until: float | None) -> int:
    """Measure a graph and write its file; the exit status."""
    from benchmarks.pipes import Failed

    try:
        report = measure(Plan(graph, options.only[graph], options, until))
    except Failed as failure:
        print(f"a worker failed: {failure}", file=sys.stderr)
        return 1
    target = options.json or FOLDER / f"{'' if options.device == 'cpu' else f'{options.device}-'}{graph}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")
    if not all(loss["agrees"] for loss in report["losses"]):
        print("the losses differ: nothing was measured", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", default=None, help=f"one, or several with commas: {', '.join(SETTINGS)}; default m2")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, default=None, help=f"where one graph's rows are written; default {FOLDER}")
    parser.add_argument("--only", default=None, help="implementations, with commas: hand-eager,graphspec; default all")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.2, help="of each repeat, and of each look at the GEMM peak")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=None, help=f"for everything; default {MINUTES} on CUDA")
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--worktree", type=Path, default=None, help="of the commit that `digits` is held against")
    parser.add_argument("--skip-check", action="store_true", help="time without comparing losses (for profiling)")
    options = parser.parse_args(arguments)
    cuda = options.device == "cuda"
    options.graphs = (options.graph or (",".join(ON_CUDA) if cuda else "m2")).split(",")
    options.minutes = options.minutes or (MINUTES if cuda else None)
    unknown = [graph for graph in options.graphs if graph not in (ON_CUDA if cuda else SETTINGS)]
    if unknown:
        parser.error(f"--graph: no {', '.join(unknown)}; there are {', '.join(ON_CUDA if cuda else SETTINGS)}")
    if options.json is not None and len(options.graphs) > 1:
        parser.error(f"--json names one file, and {len(options.graphs)} graphs are measured; leave it out")
    options.only = {graph: _chosen(parser, graph, options) for graph in options.graphs}
    return options


def _chosen(parser: argparse.ArgumentParser, graph: str, options: argparse.Namespace) -> list[str]:
    known = list(implementations_on(graph, options.device))
    names = known if options.only is None else [name.strip() for name in options.only.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"--only: {graph} has no {', '.join(unknown)}; it has {', '.join(known)}")
    return names if known[0] in names else [known[0], *names]


@dataclass(frozen=True)
class Plan:
    """A graph, the implementations to measure and how. until: `time.monotonic` when to be done; None: no matter."""

    graph: str
    names: Sequence[str]
    options: argparse.Namespace
    until: float | None = None

    @property
    def setting(self) -> Setting:
        """What is measured."""
        return SETTINGS[self.graph]

    @property
    def implementations(self) -> Mapping[str, Implementation]:
        """By name."""
        return implementations_on(self.graph, self.options.device)

    def start(self, name: str, scratch: Path, share: float = 1.0) -> Any:
        """A worker that is ended when a share of the time left has passed. Raises Failed."""
        from benchmarks.pipes import Worker

        now, options = time.monotonic(), self.options
        until = None if self.until is None else now + share * (self.until - now)
        where = {"device": options.device, "worktree": options.worktree, "until": until}
        return Worker(self.graph, name, options.threads, scratch, **where)


def measure(plan: Plan) -> dict[str, Any]:
    """The whole run: what goes into the JSON file, shown on the way."""
    import torch

    from benchmarks.machine import cuda_processor, gemm_peak, native_bf16, onednn_peak, processor
    from benchmarks.measuring import rows, unavailable

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    options, load, cuda = plan.options, os.getloadavg(), plan.options.device == "cuda"
    torch.set_num_threads(options.threads)
    bf16 = native_bf16()
    reasons = {name: unavailable(plan.implementations[name], bf16) for name in plan.names}
    skipped = {name: reason for name, reason in reasons.items() if reason is not None}
    peaks, fastest = [gemm_peak(torch.float32, options.seconds, options.device)], [0.0]
    if not cuda:
        fastest.append(onednn_peak(options.seconds))
    with tempfile.TemporaryDirectory() as scratch:
        names = [name for name in plan.names if name not in skipped]
        verdicts = [] if options.skip_check else check(console, plan, names, skipped, Path(scratch))
        names = [name for name in names if name not in skipped]
        agree = all(verdict["agrees"] for verdict in verdicts)
        measured = run(plan, names, skipped, Path(scratch)) if agree else []
    peaks.append(gemm_peak(torch.float32, options.seconds, options.device))
    found = rows(plan.graph, plan.setting, measured, max(peaks), max(*peaks, *fastest)) if measured else []
    gemm = {
        "float32": round(max(peaks), 1),
        "float32 by oneDNN": None if cuda else round(max(fastest), 1),
        "bfloat16": round(gemm_peak(torch.bfloat16), 1) if bf16 and not cuda else None,
    }
    machine = processor() | (cuda_processor() if cuda else {}) | {"threads": options.threads, "gemm_gflops": gemm}
    show_rows(console, found, machine, skipped)
    return {
        "rows": found,
        "losses": verdicts,
        "skipped": skipped,
        "graph": plan.graph,
        "step": {"unlabelled": plan.setting.unlabelled, "labelled": plan.setting.labelled},
        "machine": machine | {"load before and after": [*load[:1], *os.getloadavg()[:1]]},
        "versions": versions(),
        "command": command(plan),
    }


def check(
    console: Console, plan: Plan, names: Sequence[str], skipped: dict[str, str], scratch: Path
) -> list[dict[str, Any]]:
    """Everybody's loss beside the first one's, from processes of their own, so that the timed ones have compiled and
    allocated nothing. Whoever fails or has no time is skipped, except the first: Failed."""
    import torch

    from benchmarks.case import build_case
    from benchmarks.checking import ask_losses, compare
    from benchmarks.pipes import Failed

    case = scratch / "case.pt"
    torch.save(build_case(plan.setting), case)
    verdicts = []
    reference = None
    for name in names:
        try:
            found = ask_losses(plan.start(name, scratch, share=0.5), case)
        except Failed as failure:
            if reference is None or plan.until is None:
                raise
            skipped[name] = str(failure)
            continue
        reference = reference or found
        verdict = compare(name, plan.implementations[name], found, reference, plan.setting)
        console.print(str(verdict), highlight=False, soft_wrap=True)
        verdicts.append(verdict.plain())
    return verdicts


def run(plan: Plan, names: Sequence[str], skipped: dict[str, str], scratch: Path) -> list["Measured"]:
    """Start a worker each, then interleave. Raises Failed, where there is time for all."""
    from benchmarks.measuring import repeat, start
    from benchmarks.pipes import Failed, Worker

    workers: list[Worker] = []
    measured: list[Measured] = []
    try:
        for name in names:
            try:
                workers.append(plan.start(name, scratch, share=0.8))
                measured.append(start(workers[-1]))
                workers[-1].in_time()
            except Failed as failure:
                if not measured or plan.until is None:
                    raise
                skipped[name] = str(failure)
        repeat(measured, plan.options.repeats, plan.options.seconds)
        return measured
    finally:
        for worker in workers:
            worker.close()


def show_rows(
    console: Console, found: Sequence[dict[str, Any]], machine: dict[str, Any], skipped: dict[str, str]
) -> None:
    """The table, and what is not in it."""
    sets = " ".join(machine["instruction_sets"])
    gemm = machine["gemm_gflops"]
    table = Table(
        "implementation", "examples/s", "min-max", "ms/step", "processor ms", "ratio", "of f32 mm", "of best f32",
        "peak MiB", "set-up s", "first step s", "compile s",
        title=f"{machine.get('gpu', machine['processor'])} ({sets}), {machine['threads']} threads; GEMM GFLOP/s {gemm}",
    )  # fmt: skip
    for row in found:
        table.add_row(
            row["implementation"],
            f"{row['examples_per_second']:.0f}",
            f"{row['lowest']:.0f}-{row['highest']:.0f}",
            f"{row['ms_per_step']:.1f}",
            f"{row['processor_ms_per_step']:.1f}",
            f"{row['ratio']:.2f}",
            f"{100 * row['share_of_roofline']:.0f} %",
            f"{100 * row['share_of_fastest']:.0f} %",
            f"{row['peak_mib']:.0f}",
            f"{row['setup_s']:.1f}",
            f"{row['first_step_s']:.2f}",
            "" if row["compile_s"] is None else f"{row['compile_s']:.1f}",
        )
    if found:
        console.print(table)
    for name, reason in skipped.items():
        console.print(f"not measured: {name}: {reason}", highlight=False, soft_wrap=True)


def versions() -> dict[str, str]:
    """Of Python and of the packages that matter, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def command(plan: Plan) -> str:
    """How to run this again; folders are left out."""
    options = plan.options
    text = f"python -m benchmarks.throughput --graph {plan.graph} --device {options.device} --repeats {options.repeats}"
    text += f" --seconds {options.seconds} --threads {options.threads} --only '{','.join(plan.names)}'"
    text += f" --minutes {options.minutes}" if options.minutes else ""
    text += " --worktree WORKTREE" if options.worktree else ""
    return text + (" --skip-check" if options.skip_check else "")


if __name__ == "__main__":
    sys.exit(main())
