"""What a query takes and gives, as plain values: for metadata of files, and for people."""

import json
from collections.abc import Mapping
from typing import Any

from compiler.emission.query_plans import shows_classes
from runtime.exporting.exported_query import ExportedQuery
from runtime.predicting.used_run import UsedRun


def query_facts(used: UsedRun, query: ExportedQuery) -> dict[str, Any]:
    """`query`, `inputs` and `outputs` by name; of each its shape, domain, columns, classes and how blanks look."""
    text, graphs = query.text, used.model.graphs
    inputs: dict[str, Any] = {own: _described(used, name, fact=True) for name, own in text.inputs.items()}
    for name, draw in text.draws.items():
        kind = "standard normal" if draw.kind == "normal" else "uniform in (0, 1)"
        inputs[name] = {"shape": ["rows", *draw.lead, *draw.event], "dtype": "float32", "noise": kind}
    outputs: dict[str, Any] = {}
    for name, target in text.outputs.items():
        told = _described(used, target, fact=False)
        if shows_classes(graphs, target):
            variable = graphs.variables[target]
            told |= {"shape": [*told["shape"], variable.support], "classes": list(variable.value_names)}
        if target in text.temperatures:
            told["temperature"] = text.temperatures[target]
        outputs[name] = {**told, **_held(used, query, name)}
    by = "p" if text.question.generative else {t: text.question.way(t) for t in text.question.targets}
    return {"query": query.title, "by": by, "inputs": inputs, "outputs": outputs}


def _held(used: UsedRun, query: ExportedQuery, name: str) -> dict[str, Any]:
    """What the numbers of an output are; of a label without an interval, why."""
    outputs, question = query.text.outputs, query.text.question
    target = outputs[name]
    if shows_classes(used.model.graphs, target):
        return {"holds": "probabilities"}
    if name != target and question.levels is not None:
        level = question.levels[0 if name.endswith(".low") else 1]
        return {"holds": f"{100 * level:g} % quantile", "level": level}
    label = used.model.graphs.variables[target].role == "supervised" and not question.generative
    without = label and f"{target}.low" not in outputs
    note = "without an interval, which takes draws or a sum over what is hidden: `graphspec predict` tells it"
    return {"holds": "mean", **({"note": note} if without else {})}


def _described(used: UsedRun, name: str, *, fact: bool) -> dict[str, Any]:
    variable, spec = used.model.graphs.variables[name], used.columns.get(name)
    category = variable.domain == "category"
    found: dict[str, Any] = {
        "shape": ["rows", *variable.row_shape],
        "dtype": "int64" if category and fact else "float32",
        "domain": variable.domain,
    }
    if spec is not None and not spec.soft and spec.names:
        found["columns"] = list(spec.names)
    if variable.support is not None and variable.names:
        found["classes"] = list(variable.names)
    if fact and (variable.missing or variable.role == "supervised"):
        found["blank"] = -1 if category else "NaN"
    notes = []
    if fact and spec is not None and spec.resize is not None:
        notes.append(f"pictures made {' x '.join(map(str, spec.resize))} as training reads them")
    if fact and spec is not None and spec.binarize == "dynamic":
        notes.append("0 or 1; training draws it from grey values")
    if notes:
        found["note"] = "; ".join(notes)
    return found


def metadata(facts: Mapping[str, Any]) -> dict[str, str]:
    """Of an .onnx file: all as JSON, and the classes of each output by themselves."""
    classes = {f"classes.{n}": json.dumps(o["classes"]) for n, o in facts["outputs"].items() if "classes" in o}
    return {"graphspec": json.dumps(facts, ensure_ascii=False), "query": facts["query"], **classes}


def as_lines(facts: Mapping[str, Any]) -> list[str]:
    """Markdown: a line for each input and output."""
    lines = []
    for title, part in (("takes", "inputs"), ("gives", "outputs")):
        for name, told in facts[part].items():
            shape = ", ".join(map(str, told["shape"]))
            what = told.get("holds") or told.get("noise") or told["domain"]
            text = f"- {title} `{name}` [{shape}] {told['dtype']}: {what}"
            if told.get("columns") and len(told["columns"]) <= 12 and told["columns"] != [name]:
                text += f", from {', '.join(told['columns'])}"
            if "classes" in told:
                shown = told["classes"][:24]
                text += f"; classes in order: {', '.join(shown)}" + (
                    ", .." if len(shown) < len(told["classes"]) else ""
                )
            if "temperature" in told:
                text += (
                    f"; at the temperature {told['temperature']:.4g} that validation rows tell: the model's own are "
                    f"these to the power {told['temperature']:.4g}, normalised"
                )
            if "blank" in told:
                text += f"; {told['blank']} where blank"
            if "note" in told:
                text += f"; {told['note']}"
            lines.append(text)
    return lines
