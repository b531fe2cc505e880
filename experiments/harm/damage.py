"""Run folders and data files, damaged at random in many ways: is every one refused in words, or read?"""

import json
import os
import random
import shutil
import tarfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from experiments.harm.tally import Tally

Judge = Callable[[Path, int, dict[str, Any]], None]
"""Looks at one case in a folder, and notes what it found."""

BATCH = 100
"""Cases a forked worker looks at: what ends it by a signal costs the rest of its batch alone."""

VERBS_EVERY, TRAINED_EVERY = 50, 4
"""Of so many damaged run folders one goes through the verbs, and one trains on; all are opened, read and resumed."""

ODD: tuple[Any, ...] = (None, True, -1, 3.5, 10**30, "", "x", "\ud800", [], {}, [[1]], {"a": 1}, float("nan"))


def damage_file(file: Path, draw: random.Random) -> str:
    """One random damage to a file; says which."""
    kind = draw.choice(sorted(_BYTES))
    if kind in ("folder", "gone", "dangling"):
        file.unlink()
        if kind == "folder":
            file.mkdir()
        elif kind == "dangling":
            file.symlink_to("nowhere")
        return f"{file.name} {kind}"
    file.write_bytes(_BYTES[kind](file.read_bytes(), draw))
    return f"{file.name} {kind}"


def _flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 4, 40))):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _hole(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[end:]


def _other_encoding(content: bytes, draw: random.Random) -> bytes:
    return content.decode("latin-1").encode(draw.choice(("utf-16", "utf-8", "utf-32")), "replace")


_BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "flipped": _flipped,
    "cut": _cut,
    "hole": _hole,
    "noise": lambda content, draw: draw.randbytes(draw.choice((1, 8, 100, 5000))),
    "empty": lambda content, draw: b"",
    "longer": lambda content, draw: content + draw.randbytes(50),
    "twice": lambda content, draw: content + content,
    "other encoding": _other_encoding,
    "zeros": lambda content, draw: bytes(len(content)),
    "folder": lambda content, draw: content,
    "gone": lambda content, draw: content,
    "dangling": lambda content, draw: content,
}


# --- run folders ------------------------------------------------------------------------------------------------------


def damage_run(run: Path, draw: random.Random) -> str:
    """One or two random damages to a run folder: bytes of a file, values of JSON, tensors of a checkpoint without its
    digest, as a stranger would write it."""
    files = sorted(path for path in run.rglob("*") if path.is_file())
    file = draw.choice(files)
    finer = {".safetensors": _damage_tensors, ".json": _damage_json, ".jsonl": _damage_json}.get(file.suffix)
    if finer is not None and draw.random() < 0.7:
        with suppress(Exception):  # the second damage to a file, which the first left unreadable
            return finer(file, draw)
    return damage_file(file, draw)


def _damage_json(file: Path, draw: random.Random) -> str:
    lines = [file.read_text()] if file.suffix == ".json" else file.read_text().splitlines()
    place = draw.randrange(len(lines))
    value = json.loads(lines[place])
    holder, key = draw.choice(list(_places({"": value}))[1:] or [({"": value}, "")])
    old, holder[key] = holder[key], draw.choice(ODD)
    lines[place] = json.dumps(value, indent=1 if file.suffix == ".json" else None)
    file.write_text("\n".join(lines) + "\n")
    return f"{file.name}: {key!r} was {str(old)[:30]!r}, is {str(holder[key])[:30]!r}"


def _places(value: Any) -> Any:
    """(container, key) of every value."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, below in items[:40]:
        yield value, key
        yield from _places(below)


def _damage_tensors(file: Path, draw: random.Random) -> str:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(file, "pt") as opened:
        texts = dict(opened.metadata())
    tensors = load_file(file)
    texts.pop("graphspec.sha256", None)
    name = draw.choice(sorted(tensors))
    changes: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "cut": lambda t: t.flatten()[:1].clone(),
        "empty": lambda t: t.flatten()[:0].clone(),
        "longer": lambda t: torch.cat([t.flatten(), t.flatten()]),
        "turned": lambda t: t.reshape(t.shape[::-1]).clone(),
        "one more axis": lambda t: t[None].clone(),
        "double": lambda t: t.double(),
        "whole": lambda t: t.nan_to_num().long(),
        "flag": lambda t: t.bool(),
        "nan": lambda t: t * float("nan"),
        "huge": lambda t: t * 1e38,
    }
    kind = draw.choice([*changes, "gone", "renamed", "text", "text gone", "every one cut"])
    if kind == "every one cut":
        tensors = {key: changes["cut"](tensor) for key, tensor in tensors.items()}
    elif kind in ("gone", "renamed"):
        gone = tensors.pop(name)
        tensors |= (
            {draw.choice(("x", "weights/x", "optimizer/99999/step", "optimizer/-1/exp_avg")): gone}
            if kind == "renamed"
            else {}
        )
    elif kind.startswith("text"):
        name = draw.choice(sorted(texts))
        texts[name] = _other_text(texts[name], draw)
        if kind == "text gone":
            del texts[name]
    else:
        tensors[name] = changes[kind](tensors[name])
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, file, texts)
    return f"{file.name}: {name} {kind}"


def _other_text(text: str, draw: random.Random) -> str:
    try:
        value = json.loads(text)
        holder, key = draw.choice(list(_places({"": value})))
        holder[key] = draw.choice(ODD)
        return json.dumps(holder.get("", value) if isinstance(holder, dict) else value)
    except ValueError:
        return _flipped(text.encode(), draw).decode("utf-8", "replace")


def judge_run(folder: Path, case: int, found: dict[str, Any]) -> None:
    """Damage a copy of `folder`/whole, open and resume it."""
    draw = random.Random(case)
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(folder / "whole", run)
    what = damage_run(run, draw)
    if draw.random() < 0.2:
        what += f" and {damage_run(run, draw)}" if any(path.is_file() for path in run.rglob("*")) else ""
    epochs = 4 if case % TRAINED_EVERY == 0 else 3
    illegal = epochs == 4 and _other_tensors(folder / "whole", run)

    def look() -> None:
        _open_and_resume(folder, run, epochs)
        assert not illegal, "a state with tensors of another shape or type was taken as it is"

    judged(f"case {case}: {what}", look, found)
    if case % VERBS_EVERY == 0:
        _through_the_verbs(f"case {case}: {what}", folder, found)


def _other_tensors(whole: Path, run: Path) -> bool:
    """The state of `run` reads, and a tensor that both have is of another shape or type there."""
    kinds = []
    for folder in (whole, run):
        try:
            content = (folder / "checkpoints" / "state.safetensors").read_bytes()
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            kinds.append({n: (t["dtype"], tuple(t["shape"])) for n, t in header.items() if n != "__metadata__"})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return False
    return any(kind != kinds[1].get(name, kind) for name, kind in kinds[0].items())


def _open_and_resume(folder: Path, run: Path, epochs: int) -> None:
    """Everything that reads a run folder, one refusal after the other not keeping the next from being asked."""
    from compiler import compile_spec
    from graphspec.diagnostics import SpecError
    from graphspec.loading import load
    from runtime.errors import RunError
    from runtime.runs.run_folder import find_run, open_run
    from runtime.training.loop.fitting import fit

    refusal: Exception | None = None

    def resume() -> None:
        model = compile_spec(load(folder / "plain.yaml", (f"training.epochs={epochs}",)))
        fit(model, out=run, resume=True, progress=False, device="cpu")

    for look in (lambda: open_run(run), lambda: find_run(run).metrics(), resume):
        try:
            look()
        except (RunError, SpecError) as error:
            refusal = error
    if refusal is not None:
        raise refusal


def _through_the_verbs(what: str, folder: Path, found: dict[str, Any]) -> None:
    from typer.testing import CliRunner

    from runtime.cli.app import app

    shutil.rmtree(folder / "run")
    shutil.copytree(folder / "whole", folder / "run")
    damage_run(folder / "run", random.Random(what))
    again = ("train", "plain.yaml", "--set", "training.epochs=4", "--out", "run", "--resume", "-q", "--no-figures")
    for arguments in (("evaluate", "run", "--metrics", "none"), ("sample", "run", "-o", "s.csv"), again):
        result = CliRunner().invoke(app, list(arguments))
        if result.exit_code not in (0, 1) or "Traceback" in result.output:
            found["wrong"].append(f"{what}: {arguments[0]}: exit {result.exit_code}: {result.output[-600:]}")


# --- data -------------------------------------------------------------------------------------------------------------

TABLE = "data: {source: ./plain.csv, variables: {a: a, b: b, y: y}, labels: {y: 0.5}}"
ARRAYS = "data: {source: ./rows.npz, variables: {a: a, b: b, y: y}}"
PICTURES = """\
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 6, 5]}
  y: {role: supervised, domain: category, classes: 2}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: mlp, hidden: [4]}}
"""
FOLDER = "data: {source: ./pictures, variables: {x: {column: image, resize: [6, 5]}, y: label}}"
SHARDS = "data: {source: ./shard.tar, variables: {x: {column: png, resize: [6, 5]}, y: cls}}"


def write_data(folder: Path, spec: str) -> None:
    """A table, arrays, a folder of pictures and a shard, each with a spec that reads it."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{i % 3}" for i, (a, b) in enumerate(draw.normal(size=(40, 2)))]
    (folder / "plain.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    np.savez(folder / "rows.npz", a=draw.normal(size=40), b=draw.normal(size=40), y=np.arange(40) % 3)
    models = {
        "table": (spec, TABLE),
        "arrays": (spec, ARRAYS),
        "folder": (PICTURES, FOLDER),
        "shards": (PICTURES, SHARDS),
    }
    for name, (model, data) in models.items():
        written = "\n".join(line for line in model.splitlines() if not line.startswith(("data:", "training:")))
        (folder / f"{name}.yaml").write_text(f"{written}\n{data}\ntraining: {{epochs: 1}}\n")
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for number in range(24):
            picture = Image.fromarray(draw.integers(0, 255, (6, 5), dtype=np.uint8))
            place = folder / "pictures" / ("dog" if number % 2 else "cat") / f"{number:02}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            picture.save(place)
            for ending, content in (("png", place.read_bytes()), ("cls", str(number % 2).encode())):
                member = tarfile.TarInfo(f"{number:02}.{ending}")
                member.size = len(content)
                archive.addfile(member, BytesIO(content))


def judge_data(folder: Path, case: int, found: dict[str, Any]) -> None:
    """Damage a file of a copy of `folder`/data; check its spec, and read the rows."""
    from graphspec.loading import check_file, load
    from runtime.data import prepare

    draw = random.Random(case)
    here = folder / "data-here"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(folder / "data", here)
    name, pattern = draw.choice(
        (("table", "*.csv"), ("arrays", "*.npz"), ("folder", "pictures/*/*"), ("shards", "*.tar"))
    )
    what = damage_file(draw.choice(sorted(here.glob(pattern))), draw)

    def read() -> None:
        spec = here / f"{name}.yaml"
        check_file(spec)
        prepare(load(spec), spec_path=spec)

    judged(f"case {case}: {what}", read, found)


def judged(what: str, look: Callable[[], object], found: dict[str, Any]) -> None:
    """Note whether it is read or refused in words; False from `look`: it is no case at all."""
    from graphspec.diagnostics import SpecError
    from runtime.errors import RunError

    try:
        found["read" if (counts := look() is not False) else "refused"] += 1
        found["done"] += counts
        return
    except (RunError, SpecError):
        found["refused"] += 1
    except Exception:
        found["wrong"].append(f"{what}: {traceback.format_exc()[-900:]}")
    found["done"] += 1


def in_batches(judge: Judge, folder: Path, first: int, count: int, tally: Tally) -> None:
    """`count` cases from number `first` on, each batch in a forked process; what ends one by a signal is told."""
    case = first
    while case < first + count:
        last = min(case + BATCH, first + count)
        note = folder / ".case"
        child = os.fork()
        if child == 0:
            _work(judge, folder, range(case, last), note)
        _, status = os.waitpid(child, 0)
        found = json.loads(note.read_text())
        tally.add(found)
        code = os.waitstatus_to_exitcode(status)
        if code:
            tally.add(_nothing() | {"done": 1, "wrong": [f"case {case + found['cases'] - 1}: ended with {code}"]})
        case += found["cases"]


def _nothing() -> dict[str, Any]:
    return {"done": 0, "cases": 0, "read": 0, "refused": 0, "wrong": []}


def _work(judge: Judge, folder: Path, cases: range, note: Path) -> None:
    os.chdir(folder)
    found = _nothing()
    code = 1
    try:
        for case in cases:
            found["cases"] += 1
            note.write_text(json.dumps(found))
            judge(folder, case, found)
        note.write_text(json.dumps(found))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
