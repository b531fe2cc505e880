"""Memory that training takes on data larger than it: anonymous memory (RssAnon) of one `graphspec train`.

    python -m experiments.large_data --gib 5 --json results/large-data.json

Writes colour images of random bytes and ten labels into a temporary folder as one .npz, trains a small semi-supervised
model on them in a process of its own (every row is read, checked and hashed; all but the rows of some steps are
labelled), measures its test rows, and reads /proc/PID/status ten times a second meanwhile. RssAnon is what cannot be
dropped: pages of mapped files (RssFile) are the system's to take back. The baselines are a bare interpreter, and one
that has imported what `train` does.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from experiments.label_budgets import machine

SIDE = 32
HELD_OUT = 2000
WRITTEN_ROWS = 4096
SPEC = """
graphspec: 1
name: large
variables:
  x: {{role: observed, domain: unit, shape: [3, {side}, {side}]}}
  y: {{role: supervised, domain: category, classes: 10}}
  z: {{role: latent, size: 8}}
generative: {{z: {{}}, y: {{parents: [z]}}, x: {{parents: [z]}}}}
recognition: {{z: {{parents: [x], network: {{kind: linear}}}}, y: {{parents: [z], network: {{kind: linear}}}}}}
networks: {{default: {{kind: mlp, hidden: [16]}}}}
data:
  source: large.npz
  variables: {{x: image, y: label}}
  labels: {{y: {labels}}}
  validation: {held_out}
  test: {held_out}
training: {{epochs: 1, batch_size: {batch}, labelled_batch_size: 100, precision: fp32}}
"""


def write_data(file: Path, gib: float, compressed: bool, seed: int = 0) -> int:
    """Images [N, 3, 32, 32] of about `gib` GiB and labels [N], never all of them in memory; N."""
    rows = int(gib * 2**30) // (3 * SIDE * SIDE)
    rng = np.random.default_rng(seed)
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind, compresslevel=1, allowZip64=True) as archive:
        with archive.open("image.npy", "w", force_zip64=True) as stream:
            _header(stream, (rows, 3, SIDE, SIDE), np.dtype(np.uint8))
            # Few grey levels, so that the compressed variant is smaller than the other; one block after the other,
            # each shifted, so that writing is quick.
            block = (rng.integers(0, 8, (WRITTEN_ROWS, 3 * SIDE * SIDE)) * 36).astype(np.uint8)
            for number, start in enumerate(range(0, rows, WRITTEN_ROWS)):
                stream.write(np.roll(block, number, axis=1)[: rows - start].data)
        with archive.open("label.npy", "w") as stream:
            _header(stream, (rows,), np.dtype(np.int8))
            stream.write(rng.integers(0, 10, rows, dtype=np.int8).data)
    return rows


def _header(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    facts = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, facts)


def watched(command: list[str], folder: Path) -> dict[str, Any]:
    """Run a command; its exit code, seconds, and the largest RssAnon and RssFile seen, in MiB."""
    began, peaks = time.perf_counter(), {"RssAnon": 0.0, "RssFile": 0.0}
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            for name, size in _memory(process.pid):
                peaks[name] = max(peaks.get(name, 0.0), size)
            time.sleep(0.1)
    seconds = time.perf_counter() - began
    return {"exit": process.returncode, "seconds": round(seconds, 1), **{n: round(v, 1) for n, v in peaks.items()}}


def _memory(process: int) -> Iterator[tuple[str, float]]:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:  # it has just ended
        return
    for line in lines:
        name, _, rest = line.partition(":")
        if name in ("RssAnon", "RssFile"):
            yield name, int(rest.split()[0]) / 1024


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Write, train, watch."""
    began = time.perf_counter()
    rows = write_data(folder / "large.npz", options.gib, options.compressed)
    written = time.perf_counter() - began
    labels = rows - 2 * HELD_OUT - options.steps * options.batch
    spec = SPEC.format(side=SIDE, labels=labels, batch=options.batch, held_out=HELD_OUT)
    (folder / "large.yaml").write_text(spec)
    bare = watched([sys.executable, "-c", "import time; time.sleep(1)"], folder)
    imports = "import runtime.training.loop.fitting, runtime.measures.evaluation, runtime.data, time; time.sleep(1)"
    loaded = watched([sys.executable, "-c", imports], folder)
    train = [sys.executable, "-c", "from runtime.cli import main; main()", "train", str(folder / "large.yaml")]
    found = watched([*train, "--out", str(folder / "run"), "--no-figures"], folder)
    print((folder / "output.txt").read_text())
    manifest = json.loads((folder / "run" / "manifest.json").read_text()) if found["exit"] == 0 else {}
    return {
        "command": " ".join(["python -m experiments.large_data", *sys.argv[1:]]),
        "gib": options.gib,
        "compressed": options.compressed,
        "rows": rows,
        "labels": labels,
        "batch": options.batch,
        "steps": options.steps,
        "data_bytes": (folder / "large.npz").stat().st_size,
        "write_seconds": round(written, 1),
        "bare_interpreter_mib": bare["RssAnon"],
        "imports_mib": loaded["RssAnon"],
        "train": found,
        "training_seconds": manifest.get("wall_seconds"),
        "above_interpreter_mib": round(found["RssAnon"] - bare["RssAnon"], 1),
        "above_imports_mib": round(found["RssAnon"] - loaded["RssAnon"], 1),
        "machine": machine(),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=5.0, help="size of the images")
    parser.add_argument("--batch", type=int, default=400)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument(
        "--compressed", action="store_true", help="savez_compressed: unpacked once into the cache folder"
    )
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        needed = options.gib * 2**30 * (2 if options.compressed else 1) * 1.05
        if shutil.disk_usage(temporary).free < needed:
            raise SystemExit(f"{needed / 2**30:.1f} GiB are needed in {temporary}: name another --folder")
        result = measure(Path(temporary), options)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
