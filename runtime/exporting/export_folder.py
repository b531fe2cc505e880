"""The whole folder: written aside, checked against the model, then put in its place."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compiler.emission.layout import emitted
from compiler.model.model import Model
from compiler.symbolic.explanation import explain
from graphspec.describe.resolved import spec_as_yaml
from runtime.errors import RunError
from runtime.exporting.exported_query import ExportedQuery, exported_query
from runtime.exporting.model_answers import model_answers
from runtime.exporting.model_card import MARK, model_card, read_me
from runtime.exporting.query_facts import metadata, query_facts
from runtime.exporting.query_values import made_up
from runtime.exporting.torch_files import (
    ROWS,
    export_program,
    pruned,
    query_module,
    require_onnx,
    write_onnx,
    write_program,
)
from runtime.predicting.used_run import UsedRun
from runtime.runs.checkpoints import save_weights
from runtime.runs.protected import refuse_users_own

TOLERANCE = 1e-5
"""Of every number of every file, beside the model's own: absolute, and of what is larger than 1 its share."""
CHECKED_ROWS = (1, 7)


@dataclass(frozen=True)
class Exported:
    """files: in the folder. differences: by file, the largest from the model's own answers. notes: what to know."""

    files: tuple[str, ...]
    differences: Mapping[str, float]
    notes: tuple[str, ...]


def export_run(
    used: UsedRun, folder: Path, words: str | None = None, samples: int = 100, interval: float = 0.9
) -> Exported:
    """Write the folder. interval: the share between the ends of a number. RunError for what cannot be asked or written,
    SpecError (GS090) for what has no code."""
    _refuse_folder(folder)
    refuse_users_own(folder, used.model.graphs, used.run.spec_path, used.data_dir)
    query, facts = None, dict[str, Any]()
    if words is not None:
        require_onnx()
        query = exported_query(used, words, samples, interval)
        facts = query_facts(used, query)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
        differences, notes = _written(used, Path(aside), query, facts)
        folder.mkdir(exist_ok=True)
        files = sorted(path.name for path in Path(aside).iterdir() if path.is_file())
        for name in files:
            shutil.move(Path(aside) / name, folder / name)
    return Exported(tuple(files), differences, notes)


def _refuse_folder(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunError(f"{folder} is a file", "name a folder")
    card = folder / "model_card.md"
    ours = card.is_file() and MARK in card.read_text(encoding="utf-8", errors="replace")
    if any(folder.iterdir()) and not ours:
        raise RunError(f"{folder} is not empty, and `export` did not write it", "name another folder")
    for old in (*folder.glob("*.onnx"), *folder.glob("*.pt2")):
        old.unlink()


def _written(
    used: UsedRun, folder: Path, query: ExportedQuery | None, facts: Mapping[str, Any]
) -> tuple[dict[str, float], tuple[str, ...]]:
    graphs = used.model.graphs
    code = write_code(used, folder, query)
    (folder / "spec.yaml").write_text(spec_as_yaml(graphs.spec), encoding="utf-8")
    (folder / "model_card.md").write_text(model_card(used, explain(graphs)), encoding="utf-8")
    pips = ["torch", "numpy", "safetensors", *(["zuko"] if "zuko" in code else [])]
    name = graphs.spec.name or used.run.folder.name
    (folder / "README.md").write_text(read_me(name, query, facts, pips), encoding="utf-8")
    if query is None:
        return {}, ()
    return _query_files(used, folder, query, facts, code)


def write_code(used: UsedRun, folder: Path, query: ExportedQuery | None) -> str:
    """`model.py` and the weights that it loads; the code."""
    double = Model(used.model.graphs, dtype=torch.float64, allow_python=True)
    double.load_state_dict(used.model.state_dict())
    try:
        code = emitted(double) if query is None else emitted(double, query.text.code)
    except ValueError as error:
        raise RunError(f"this query cannot be exported: {error}", "`graphspec predict` answers it") from None
    (folder / "model.py").write_text(code, encoding="utf-8")
    save_weights(folder / "weights.safetensors", used.model.state_dict(), "", {})
    return code


def _query_files(
    used: UsedRun, folder: Path, query: ExportedQuery, facts: Mapping[str, Any], code: str
) -> tuple[dict[str, float], tuple[str, ...]]:
    variables = used.model.graphs.variables
    module = query_module(folder / "model.py")
    answers: dict[str, Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]] = {"model.py": _of_module(module)}
    found = _differences(used, query, answers)
    example = made_up(variables, query.text, ROWS)
    program = export_program(pruned(query_module(folder / "model.py", traced=True), code), example)
    write_program(program, folder / f"{query.name}.pt2")
    write_onnx(program, example, facts["outputs"], metadata(facts), folder / f"{query.name}.onnx")
    loaded = torch.export.load(folder / f"{query.name}.pt2").module()
    further = {f"{query.name}.pt2": _of_module(loaded)}
    notes = [f"{name} is not needed: the answer does not depend on it, given the rest" for name in query.unneeded]
    if find_spec("onnxruntime") is None:
        notes.append("onnxruntime is not installed: the .onnx file was written and not run")
    else:
        further[f"{query.name}.onnx"] = onnx_answers(folder / f"{query.name}.onnx")
    return found | _differences(used, query, further), tuple(notes)


def _of_module(module: nn.Module) -> Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]:
    def answers(values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        with torch.no_grad():
            found: Mapping[str, Tensor] = module(**values)
        return found

    return answers


def onnx_answers(path: Path) -> Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]:
    """The file's answers, as onnxruntime gives them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    taken = {each.name for each in session.get_inputs()}

    def answers(values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = session.run(None, {name: value.numpy() for name, value in values.items() if name in taken})
        return {name: torch.from_numpy(value) for name, value in zip(names, found, strict=True)}

    return answers


def _differences(
    used: UsedRun, query: ExportedQuery,
    answers: Mapping[str, Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]],
) -> dict[str, float]:  # fmt: skip
    """By file, the largest difference from the model. RunError where it is more than `TOLERANCE`."""
    found: dict[str, float] = {}
    for rows in CHECKED_ROWS:
        values = made_up(used.model.graphs.variables, query.text, rows, seed=rows)
        judge = model_answers(used, query.text, values)
        for file, answer in answers.items():
            told = answer(values)
            worst = max(largest_difference(told[target], judge[target]) for target in judge)
            found[file] = max(worst, found.get(file, 0.0))
            if not worst <= TOLERANCE:
                raise RunError(
                    f"{file} does not answer {query.title!r} as the model does: they differ by {worst:.2g} on {rows} "
                    "rows", "nothing was written; please report this with the spec"
                )  # fmt: skip
    return found


def largest_difference(first: Tensor, second: Tensor) -> float:
    """Absolute, or of what is larger than 1 its share; infinite where shapes or blanks differ."""
    if first.shape != second.shape or bool((first.isnan() != second.isnan()).any()):
        return float("inf")
    off = (first.double() - second.double()).abs() / second.double().abs().clamp_min(1)
    return float(off.nan_to_num().max())
