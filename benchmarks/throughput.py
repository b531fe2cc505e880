"""Training speed of graphspec beside a hand-written eager PyTorch twin, Pyro and Pixyz: the same graph, step and data.

python -m benchmarks.throughput --graph m2 --json results/throughput-m2.json

Every implementation runs in a process of its own that stays alive, so that repeats are interleaved. Before any timing
the loss and the gradient's norm at equal weights, rows and noise must agree, else nothing is measured (exit 1).
Needs MNIST in GRAPHSPEC_DATA (or --data-dir). Pyro and Pixyz come with `pip install 'graphspec[bench]'`.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.settings import SETTINGS, Setting

if TYPE_CHECKING:
    from benchmarks.measuring import Measured

PACKAGES = ("torch", "numpy", "pyro-ppl", "pixyz")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    options = _options(arguments)
    setting = SETTINGS[options.graph]
    if options.data_dir is not None:
        os.environ["GRAPHSPEC_DATA"] = str(options.data_dir.resolve())
    from benchmarks import images

    if images.folder() is None:
        print("MNIST/raw is not in the data folder: name it with --data-dir or GRAPHSPEC_DATA", file=sys.stderr)
        return 1
    from benchmarks.pipes import Failed

    try:
        report = measure(options, setting)
    except Failed as failure:
        print(f"a worker failed: {failure}", file=sys.stderr)
        return 1
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    if not all(loss["agrees"] for loss in report["losses"]):
        print("the losses differ: nothing was measured", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", choices=SETTINGS, default="m2")
    parser.add_argument("--json", type=Path, required=True, help="where the rows are written")
    parser.add_argument("--only", default=None, help="implementations, with commas: hand-eager,graphspec; default all")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.2, help="of each repeat, and of each look at the GEMM peak")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--skip-check", action="store_true", help="time without comparing losses (for profiling)")
    options = parser.parse_args(arguments)
    known = list(SETTINGS[options.graph].implementations)
    options.only = known if options.only is None else [name.strip() for name in options.only.split(",")]
    unknown = [name for name in options.only if name not in known]
    if unknown:
        parser.error(f"--only: {options.graph} has no {', '.join(unknown)}; it has {', '.join(known)}")
    if known[0] not in options.only:
        options.only.insert(0, known[0])
    return options


def measure(options: argparse.Namespace, setting: Setting) -> dict[str, Any]:
    """The whole run: what goes into the JSON file, shown on the way."""
    import torch

    from benchmarks.machine import gemm_peak, native_bf16, onednn_peak, processor
    from benchmarks.measuring import rows, unavailable

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    torch.set_num_threads(options.threads)
    bf16 = native_bf16()
    reasons = {name: unavailable(setting.implementations[name], bf16) for name in options.only}
    skipped = {name: reason for name, reason in reasons.items() if reason is not None}
    names = [name for name in options.only if name not in skipped]
    peaks, fastest = [gemm_peak(torch.float32, options.seconds)], [onednn_peak(options.seconds)]
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = [] if options.skip_check else check(console, options, setting, names, Path(scratch))
        agree = all(verdict["agrees"] for verdict in verdicts)
        measured = run(options, names, Path(scratch)) if agree else []
    peaks.append(gemm_peak(torch.float32, options.seconds))
    fastest.append(onednn_peak(options.seconds))
    found = rows(options.graph, setting, measured, max(peaks), max(*peaks, *fastest)) if measured else []
    gemm = {
        "float32": round(max(peaks), 1),
        "float32 by oneDNN": round(max(fastest), 1),
        "bfloat16": round(gemm_peak(torch.bfloat16), 1) if bf16 else None,
    }
    machine = processor() | {"threads": options.threads, "gemm_gflops": gemm}
    show_rows(console, found, machine, skipped)
    return {
        "rows": found,
        "losses": verdicts,
        "skipped": skipped,
        "graph": options.graph,
        "step": {"unlabelled": setting.unlabelled, "labelled": setting.labelled},
        "machine": machine,
        "versions": versions(),
        "command": command(options),
    }


def check(
    console: Console, options: argparse.Namespace, setting: Setting, names: Sequence[str], scratch: Path
) -> list[dict[str, Any]]:
    """Everybody's loss beside the first one's."""
    import torch

    from benchmarks.case import build_case
    from benchmarks.checking import ask_losses, compare

    case = scratch / "case.pt"
    torch.save(build_case(setting), case)
    verdicts = []
    reference = None
    for name in names:
        found = ask_losses(options.graph, name, options.threads, scratch, case)
        reference = reference or found
        verdict = compare(name, found, reference, setting)
        console.print(str(verdict), highlight=False, soft_wrap=True)
        verdicts.append(verdict.plain())
    return verdicts


def run(options: argparse.Namespace, names: Sequence[str], scratch: Path) -> list["Measured"]:
    """Start a worker each, then interleave."""
    from benchmarks.measuring import repeat, start
    from benchmarks.pipes import Worker

    workers: list[Worker] = []
    try:
        measured = []
        for name in names:
            workers.append(Worker(options.graph, name, options.threads, scratch))
            measured.append(start(workers[-1]))
        repeat(measured, options.repeats, options.seconds)
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
        "implementation", "examples/s", "min-max", "ms/step", "ratio", "of f32 mm", "of best f32", "peak MiB",
        "set-up s", "first step s", "compile s",
        title=f"{machine['processor']} ({sets}), {machine['threads']} threads; GEMM GFLOP/s {gemm}",
    )  # fmt: skip
    for row in found:
        table.add_row(
            row["implementation"],
            f"{row['examples_per_second']:.0f}",
            f"{row['lowest']:.0f}-{row['highest']:.0f}",
            f"{row['ms_per_step']:.1f}",
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


def command(options: argparse.Namespace) -> str:
    """How to run this again; folders are left out."""
    text = f"python -m benchmarks.throughput --graph {options.graph} --repeats {options.repeats}"
    text += f" --seconds {options.seconds} --threads {options.threads} --only '{','.join(options.only)}'"
    return text + (" --skip-check" if options.skip_check else "")


if __name__ == "__main__":
    sys.exit(main())
