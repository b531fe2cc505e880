"""A query's module from the emitted text, and as the two files that other programs run: .pt2 and .onnx."""

import importlib.util
import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from runtime.errors import RunError

INSTALL = "pip install -e '.[export]'"
ROWS = 5
"""Rows of the example that a graph is traced with; no number of the graph."""


def require_onnx() -> None:
    """RunError where what writes ONNX is not installed."""
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise RunError(f"a query is exported with {' and '.join(missing)}, not installed here", INSTALL)


def query_module(file: Path, *, traced: bool = False) -> nn.Module:
    """`load_query` of an emitted file, with the weights beside it. traced: to be followed with a number of rows that
    is not known, so that nothing is ordered or put together by how large it is."""
    name = f"graphspec_exported_{abs(hash(str(file.resolve())))}"
    found = importlib.util.spec_from_file_location(name, file)
    assert found is not None and found.loader is not None, f"{file} is Python"
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        found.loader.exec_module(module)
        if traced:
            vars(module).update(SMALL=0, add_up=_in_order)
        query: nn.Module = module.load_query(str(file.parent))
    finally:
        sys.modules.pop(name, None)
    return query


def _in_order(parts: Sequence[Tensor]) -> Tensor:
    """The sum of tensors that broadcast."""
    return reduce(add, parts)


def pruned(query: nn.Module, code: str) -> nn.Module:
    """The query without the factors that its code does not call."""
    model: Any = query.model
    for name in [name for name, _ in model.named_children()]:
        if f"model.{name}" not in code:
            delattr(model, name)
    return query


def export_program(query: nn.Module, example: Mapping[str, Tensor]) -> "torch.export.ExportedProgram":
    """The traced graph, of any number of rows."""
    rows = torch.export.Dim("rows", min=1)
    shapes = {name: {0: rows} for name in example}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(query, (), kwargs=dict(example), dynamic_shapes=shapes, strict=False)


def write_program(program: "torch.export.ExportedProgram", path: Path) -> None:
    """The .pt2 file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)


def write_onnx(
    program: "torch.export.ExportedProgram", example: Mapping[str, Tensor], outputs: Mapping[str, Any],
    facts: Mapping[str, str], path: Path,
) -> None:  # fmt: skip
    """The .onnx file: inputs and outputs by name, `facts` as its metadata. Nothing of this machine is in it."""
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program, (), kwargs=dict(example), input_names=[*example], output_names=[*outputs], dynamo=True,
            optimize=True, verbose=False,
        )  # fmt: skip
    assert made is not None
    model = made.model_proto
    for function in (model.graph, *model.functions):
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
        for value in (*function.value_info, *getattr(function, "initializer", ())):
            del value.metadata_props[:]
    del model.graph.metadata_props[:]
    onnx.helper.set_model_props(model, dict(facts))
    model.producer_version, model.doc_string = "", json.loads(facts["graphspec"])["query"]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
