"""The same classifier without its generative model: overrides that turn a spec into its own baseline.

labels-only      the recognition factors that the supervised variables need, trained on labelled rows alone (rho 1)
generative-off   the same factors, the same recipe, unlabelled rows included: what acts on them besides the generative
                 model (consistency, batch statistics) still does, at the weight that rho gives them

From: checked `Graphs`. To: override texts, so that anybody can write the same by hand. Layers keep their initial
weights, since those follow from the seed and the factor's name. Not here: running anything.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal

import networkx as nx

from graphspec.graphs.graph import Graphs
from graphspec.graphs.inversion import as_yaml
from graphspec.including.renaming import takes_in_others
from runtime.errors import RunError

Baseline = Literal["labels-only", "generative-off"]
BASELINES: tuple[Baseline, ...] = ("labels-only", "generative-off")


def baseline_overrides(graphs: Graphs, kind: Baseline) -> tuple[str, ...]:
    """The overrides that make `kind` of a spec. RunError where its labels cannot be read without its latents."""
    if graphs.document is not None and takes_in_others(graphs.document):
        hint = "start from the flat spec: graphspec compile SPEC --stage spec > flat.yaml"
        raise RunError(f"--baseline {kind}: overrides cannot take apart what a spec includes", hint)
    kept = _needed(graphs, kind)
    return (
        *_recognition(graphs, kept),
        *_generative(graphs, kept),
        *_variables(graphs, kept),
        _objective(graphs, kind),
        *_training(graphs, kept),
    )


def _needed(graphs: Graphs, kind: Baseline) -> frozenset[str]:
    """The supervised variables and all they depend on in q."""
    if not graphs.supervised:
        raise RunError(f"--baseline {kind}: the spec has no supervised variable", "leave the baseline out")
    graph = graphs.graph("recognition")
    kept = set(graphs.supervised)
    for name in graphs.supervised:
        above = nx.ancestors(graph, name)
        latent = next((other for other in graphs.latent if other in above), None)
        if latent is not None:
            raise RunError(
                f"--baseline {kind}: q({name} | ...) reads the latent {latent}, so there is no classifier without it",
                f"say what the baseline should be: --variant 'NAME: recognition.{name}.parents=[...]; ...'",
            )
        kept |= above
    return frozenset(kept)


def _recognition(graphs: Graphs, kept: frozenset[str]) -> Iterator[str]:
    if graphs.spec.recognition.auto:  # it would be derived anew from what is left of p
        written = as_yaml(graphs)
        for name, entry in written.get("variables", {}).items():
            yield _set(f"variables.{name}", entry)
        yield _set("recognition", {name: f for name, f in written["recognition"].items() if name in kept})
        return
    for name in graphs.recognition:
        if name not in kept:
            yield f"recognition.{name}=null"


def _generative(graphs: Graphs, kept: frozenset[str]) -> Iterator[str]:
    """Labels become roots: what p says about them has no gradient for q where beta is 0. So do observed variables that
    may be blank, which p has to mention. The rest of p goes."""
    for name, factor in graphs.generative.items():
        variable = graphs.variables[name]
        if name in graphs.supervised or (name in kept and variable.missing):
            if factor.parents:
                endless = variable.domain == "count" and variable.support is None  # has no standard prior
                kind = {"distribution": factor.family.name} if endless and factor.family else {}
                yield _set(f"generative.{name}", kind)
        elif name not in kept or variable.role != "deterministic":
            yield f"generative.{name}=null"


def _variables(graphs: Graphs, kept: frozenset[str]) -> Iterator[str]:
    declared = graphs.spec.variables
    columns = graphs.spec.data.variables if graphs.spec.data else {}
    for name in graphs.variables:
        if name not in kept:
            if name in declared:
                yield f"variables.{name}=null"
            if name in columns:
                yield f"data.variables.{name}=null"


def _objective(graphs: Graphs, kind: Baseline) -> str:
    written: dict[str, Any] = dict((_written(graphs).get("objective")) or {})
    names = ("alpha",) if kind == "labels-only" else ("alpha", "rho", "gamma", "consistency")
    kept = {name: written[name] for name in names if name in written}
    rho = {"rho": 1} if kind == "labels-only" else {}
    return _set("objective", kept | rho | {"beta": dict.fromkeys(graphs.supervised, 0)})


def _training(graphs: Graphs, kept: frozenset[str]) -> Iterator[str]:
    training = graphs.spec.training
    if training.select == "elbo":
        yield "training.select=null"
    if training.initialize:
        above = (name for name in graphs.generative if graphs.variables[name].role == "deterministic")
        factors = {f"recognition.{name}" for name in kept} | {f"generative.{name}" for name in above if name in kept}
        stages = [
            {
                "from": stage.run,
                "factors": left,
                **({"rename": stage.rename} if stage.rename else {}),
                "freeze": stage.freeze,
            }
            for stage in training.initialize
            if (left := [factor for factor in stage.factors if factor in factors])
        ]
        yield _set("training.initialize", stages) if stages else "training.initialize=null"


def _written(graphs: Graphs) -> dict[str, Any]:
    assert graphs.document is not None, "loaded graphs know their document"
    return graphs.document.value


def _set(name: str, value: Any) -> str:
    return f"{name}={json.dumps(value, ensure_ascii=False)}"
