"""Specs over small data made for a test: only the parts of a spec that `prepare` reads."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from graphspec.graphs.connect import connect
from graphspec.graphs.declared_names import outline_of
from graphspec.graphs.graph import Graphs
from graphspec.language import Spec
from graphspec.text.report import Report
from graphspec.text.source import read_document
from runtime.data import PreparedData, prepare

PIXELS = {"role": "observed", "domain": "unit", "shape": [1, 4, 4]}
REALS = {"role": "observed", "domain": "real", "size": 2}
DIGIT = {"role": "supervised", "domain": "category", "classes": 3}


def graphs_for(variables: dict[str, Any], data: dict[str, Any], name: str = "spec.yaml") -> Graphs:
    """A flat model of the given variables and a latent z. Not checked: many of these specs are wrong on purpose."""
    spec = {
        "graphspec": 1,
        "variables": {**variables, "z": {"role": "latent", "size": 2}},
        "generative": {"z": {}, **{variable: {"parents": ["z"]} for variable in variables}},
        "recognition": {"z": {}, **{v: {} for v, fields in variables.items() if fields["role"] == "supervised"}},
        "data": data,
    }
    document = read_document(json.dumps(spec), name)
    report = Report(document)
    graphs = connect(outline_of(Spec.model_validate(document.value), report), report)
    assert graphs is not None
    return graphs


def prepared(folder: Path, variables: dict[str, Any], data: dict[str, Any]) -> PreparedData:
    """The data of such a spec, standing in `folder`."""
    return prepare(graphs_for(variables, data), spec_path=folder / "spec.yaml", data_dir=folder)


def write_npz(file: Path, **arrays: Any) -> None:
    """Columns as one .npz file."""
    np.savez(file, **{name: np.asarray(array) for name, array in arrays.items()})
