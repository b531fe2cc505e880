"""A run's card and the three lines of how to use it: what is known, and a place for what only the author knows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from compiler.symbolic.explanation import Explanation
from compiler.symbolic.explanation_text import as_text
from graphspec.graphs.graph import Graphs
from runtime.errors import RunError
from runtime.exporting.exported_query import ExportedQuery
from runtime.exporting.query_facts import as_lines
from runtime.predicting.used_run import UsedRun
from runtime.runs.records import read_object
from runtime.runs.run_words import error_words, status_words, temperature_words

MARK = "Written by `graphspec export`."
MOST_SCALES = 24
"""Elements of a variable whose scales the card lists."""
AUTHOR = "*To be written by the author: what it is meant for, what it must not be used for, who was in the data.*"


def model_card(used: UsedRun, objective: Explanation) -> str:
    """Markdown: data, labels, objective, figures, as the run folder has them."""
    graphs, manifest = used.model.graphs, used.run.manifest()
    name = graphs.spec.name or used.run.folder.name
    parts = [f"# {name}", "", MARK, ""]
    if graphs.spec.description:
        parts += [graphs.spec.description.strip(), ""]
    parts += ["## Intended use", "", AUTHOR, "", "## Model", "", "```", *_factors(graphs), "```", ""]
    parts += [f"{sum(p.numel() for p in used.model.parameters()):,} parameters.", ""]
    parts += ["## Data", "", *_data(manifest), *_scales(used), "", "## Training", "", *_training(manifest), ""]
    parts += ["## Figures", "", *_figures(used), *_temperatures(used), ""]
    parts += ["## Objective", "", "```", as_text(objective).rstrip(), "```", ""]
    return "\n".join(parts)


def _factors(graphs: Graphs) -> list[str]:
    lines = []
    for side, letter in (("generative", "p"), ("recognition", "q")):
        for factor in graphs.order("generative" if side == "generative" else "recognition"):
            parents = f" | {', '.join(factor.parents)}" if factor.parents else ""
            family = "f" if factor.deterministic else letter
            what = "" if factor.family is None else f"  {factor.family.name}"
            lines.append(f"{family}({factor.variable}{parents}){what}")
    return lines


def _data(manifest: Mapping[str, Any]) -> list[str]:
    source, rows = manifest.get("source"), manifest.get("rows") or {}
    lines = [f"- source: {str(source).replace(chr(92), '/').rsplit('/', 1)[-1]}" if source else "- source: unknown"]
    lines += [f"- fingerprint: {manifest.get('fingerprint', 'unknown')}"]
    lines += [f"- rows: {', '.join(f'{count} {split}' for split, count in rows.items())}"]
    for label, kept in (manifest.get("labelled") or {}).items():
        lines.append(f"- labels of {label}: {len(kept)} training rows")
    return lines


def _scales(used: UsedRun) -> list[str]:
    """How values of the data become the model's."""
    lines = []
    for name, units in used.units.items():
        mean, std = (
            [float(f"{number:.6g}") for number in part.flatten().tolist()[:MOST_SCALES]]
            for part in (units.mean, units.std)
        )
        value = "log(value)" if units.logarithm else "value"
        formula = f"({value} - mean) / scale"
        formula = f"exp({formula})" if units.logarithm else formula
        more = ", .." if units.mean.numel() > MOST_SCALES else ""
        lines.append(f"- {name} enters as {formula}: mean {mean}{more}, scale {std}{more}")
    return lines


def _training(manifest: Mapping[str, Any]) -> list[str]:
    versions = manifest.get("versions") or {}
    seconds = manifest.get("wall_seconds") or 0.0
    return [
        f"- {status_words(manifest)}; {seconds:.0f} s, seed {manifest.get('seed', '?')}",
        f"- graphspec {versions.get('graphspec', '?')}, torch {versions.get('torch', '?')}",
    ]


def _figures(used: UsedRun) -> list[str]:
    """Of the test rows, if they were measured."""
    try:
        report = read_object(used.run.folder / "evaluation-test.json")
    except (FileNotFoundError, RunError):
        return ["Not measured: `graphspec evaluate` measures the test rows."]
    lines = [f"On {report.get('rows', '?')} test rows:", ""]
    for name, words in error_words(report.get("variables") or {}).items():
        within = f", 95 % interval {words.interval}" if words.interval else ""
        constant = f"; a constant answer: {words.constant}" if words.constant else ""
        further = f"; {words.further}" if words.further else ""
        lines.append(f"- error of {name}: {words.error}{within}{constant}{further}")
    if isinstance(report.get("elbo"), float):
        lines.append(f"- bound: {report['elbo']:.3f} nats a row")
    lines += [f"- warning: {text}" for text in report.get("warnings") or ()]
    return lines


def _temperatures(used: UsedRun) -> list[str]:
    """Of these weights; none where they are not those that temperatures were fitted to."""
    fitted = {name: fitted.to_json() for name, fitted in used.temperatures.items()}
    return [f"- {told}" for told in temperature_words(fitted)]


def read_me(name: str, query: ExportedQuery | None, facts: Mapping[str, Any], pips: Sequence[str]) -> str:
    """README.md: what lies here, and three lines that run."""
    lines = [f"# {name}", "", f"{MARK} Nothing here needs graphspec.", ""]
    lines += ["- `weights.safetensors`, `spec.yaml`: the trained weights, and the spec with all defaults",
              "- `model.py`: the model, its bound and its training loop in PyTorch",
              "- `model_card.md`: data, objective, figures; intended use is for the author to write"]  # fmt: skip
    if query is None:
        lines += ["", "```python", "from model import Model, bound, load_weights",
                  "model = Model()", 'load_weights(model.eval(), "weights.safetensors")', "```"]  # fmt: skip
        lines += [
            "",
            "`bound` takes values as the model has them: `model_card.md` says how those of the data are scaled.",
        ]
        return "\n".join([*lines, "", f"`model.py` needs {', '.join(pips)}.", ""])
    stem, outputs = query.name, ", ".join(facts["outputs"])
    given = {name: f'numpy.load("rows.npz")["{name}"]' for name in facts["inputs"]}
    called = ", ".join(f'"{name}": {code}' for name, code in given.items())
    torch_call = ", ".join(f"{name}={name}" for name in given)
    lines += [f"- `{stem}.onnx`, `{stem}.pt2`: `{query.title}`, for any number of rows", "", f"`{query.title}` "
              f"gives {outputs}:", "", "```python", "import numpy, onnxruntime",
              f'session = onnxruntime.InferenceSession("{stem}.onnx")',
              f"print(dict(zip({json.dumps(list(facts['outputs']))}, session.run(None, {{{called}}}))))", "```", "",
              "or, with PyTorch:", "", "```python", "import torch",
              f'query = torch.export.load("{stem}.pt2").module()      # or: from model import load_query; query = '
              "load_query()", f"print(query({torch_call}))", "```", ""]  # fmt: skip
    lines += as_lines(facts)
    return "\n".join([*lines, "", f"`model.py` needs {', '.join(pips)}; the .onnx file onnxruntime only.", ""])
