"""One implementation in a process of its own, told over pipes what to do: one JSON object a line, one answer each.

python -m benchmarks.worker --graph m2 --implementation hand-eager --threads 2

From the command either {"check": FILE}, answered by {"losses": [...], "gradient_norm": g, "constant": c}, or {"train":
true}, answered by {"ready": seconds}, then {"run": {"steps": n, "seconds": s}} as often as wanted (steps are taken
until there are as many and as much time has passed), answered by {"steps": n, "seconds": s,
"processor_seconds": p}; the end of the pipe ends
it. First of all it answers {"built": seconds} unasked. "peak_mib" is in all answers.
"""

import time

_STARTED = time.perf_counter()

import argparse  # noqa: E402
import contextlib  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, TextIO  # noqa: E402

from benchmarks.settings import SETTINGS, implementations_on  # noqa: E402


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph", required=True)
    parser.add_argument("--implementation", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--float64", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--worktree", default=None, help="where the packages that are measured come from")
    options = parser.parse_args()
    answers = _own_standard_output()
    if options.worktree:
        sys.path.insert(0, options.worktree)  # `benchmarks` is loaded and stays this one

    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    setting = SETTINGS[options.graph]
    implementation = implementations_on(options.graph, options.device)[options.implementation]
    module, _, name = implementation.target.partition(":")
    dtype = torch.float64 if options.float64 else torch.float32
    elsewhere = {} if options.device == "cpu" else {"device": options.device}
    contender = getattr(importlib.import_module(module), name)(setting, implementation, dtype, **elsewhere)

    def answer(values: Mapping[str, Any]) -> None:
        print(json.dumps({**values, "peak_mib": _peak_mib()}), file=answers, flush=True)

    def ask() -> Mapping[str, Any]:
        line = sys.stdin.readline()
        command: Mapping[str, Any] = json.loads(line) if line else {"stop": True}
        return command

    answer({"built": time.perf_counter() - _STARTED})
    _serve(contender, ask, answer, wait=torch.cuda.synchronize if options.device == "cuda" else lambda: None)


def _serve(contender: Any, ask: Any, answer: Any, wait: Any) -> None:
    import torch

    from benchmarks.contender import Case, Gate, Stop

    command = ask()
    if "check" in command:
        case: Case = torch.load(command["check"], weights_only=False)
        found = contender.losses(case)
        answer({"losses": found.each, "gradient_norm": found.gradient_norm, "constant": found.constant})
    elif "train" in command:
        with contextlib.suppress(Stop):
            contender.run(Gate(ask, answer, wait))


def _own_standard_output() -> TextIO:
    """The pipe to the command; whatever a library prints goes to standard error."""
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return pipe


def _peak_mib() -> float:
    """The most memory this process has had resident so far (VmHWM), in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
