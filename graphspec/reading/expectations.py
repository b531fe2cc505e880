"""Phrases for messages: what a field expects, what came instead, and where a field lives."""

import re
from functools import cache
from typing import Any, Literal, get_args, get_origin

from graphspec.language import (
    Augment,
    ColumnSpec,
    Consistency,
    DataSection,
    DistributionSpec,
    EstimatorSpec,
    FactorSpec,
    LabelBudget,
    LearnedParameter,
    LocalContrast,
    NetworkParameter,
    ObjectiveSection,
    OverRho,
    RecognitionSection,
    Schedule,
    Spec,
    Split,
    TotalCorrelation,
    TrainingSection,
    VariableSpec,
)
from graphspec.language.base import Section
from graphspec.language.networks import NetworksSection
from graphspec.reading.schema_walk import arms, fields_of, network_kinds
from graphspec.reading.suggestions import listed
from graphspec.text.tree import Mapping, Node, Scalar, Sequence

_PHRASES: dict[Any, str] = {
    float: "a number",
    int: "a whole number",
    str: "a text",
    Schedule: "a schedule {from: 0, to: 1, epochs: 10}",
    OverRho: "a text such as 25/rho",
    LearnedParameter: "`learned`",
    NetworkParameter: "a mapping with `parents` and `network`",
    ColumnSpec: "a column name, a list of column names, or a mapping with `column`",
    DistributionSpec: "the name of a distribution, or a mapping with `kind`",
    EstimatorSpec: "the name of an estimator, or a mapping with `kind`",
    RecognitionSection: "`auto`, or a mapping of factors",
    FactorSpec: "a factor such as {parents: [z]}",
    VariableSpec: "a variable such as {role: latent, size: 20}",
    LabelBudget: "one of {per_class: 6}, {with: other}, {rows: FILE}",
    Split: "a split such as {fraction: 0.2, stratify: COLUMN}",
    TotalCorrelation: "a mapping with `total_correlation`",
    Consistency: "a mapping with `weight`",
    Augment: "a mapping such as {shift: 2}",
    LocalContrast: "a mapping such as {sigma: 3}",
}


def expectation(kind: Any) -> str:
    """What a field of this type expects, every form of it: `a number or a schedule {from: ...}`."""
    kinds = network_kinds(kind)
    phrases: list[str] = []
    for arm in arms(kind):
        if arm in kinds.values():
            phrases.append("a network such as {kind: mlp, hidden: [256]}")
        else:
            phrases += ["the name of a network"] if kinds and arm is str else _phrases(arm)
    return listed(dict.fromkeys(phrases), "or", most=None)


def _phrases(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [f"`{word}`" for word in get_args(kind)]
    if kind is bool:
        return ["`true`", "`false`"]
    if get_origin(kind) is tuple:
        entries = get_args(kind)
        return ["a list" if Ellipsis in entries else f"a list of {len(entries)} numbers"]
    return [_PHRASES.get(kind, "a mapping")]


def found(node: Node | None) -> str:
    """What the author wrote, in a few words."""
    if node is None:
        return "nothing"
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    if node.value is None:
        return "nothing"
    text = node.text if len(node.text) <= 40 else node.text[:37] + "..."
    return f"the text `{text}`" if isinstance(node.value, str) else text


_TRUTH = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def type_hint(node: Node | None, declared: Any) -> str:
    """What to write instead of a value of the wrong kind; empty where the message says it all."""
    forms = list(arms(declared))
    if isinstance(node, Scalar) and node.value is None:
        if FactorSpec in forms:
            return "a factor without parents or options is written `{}`"
        return "remove the key to get the default, or give it a value"
    if not isinstance(node, Scalar):
        single = isinstance(node, Sequence) and len(node.items) == 1 and not any(get_origin(f) is tuple for f in forms)
        takes_one = any(form in (int, float, str, bool) or get_origin(form) is Literal for form in forms)
        return "remove the brackets: one value is enough" if single and takes_one else ""
    if isinstance(node.value, str):
        return _text_hint(node.value, forms)
    if isinstance(node.value, float) and int in forms and node.value.is_integer():
        return f"write {int(node.value)}"
    return f"put it in quotes to make it text: '{node.text}'" if str in forms and not network_kinds(declared) else ""


def _text_hint(text: str, forms: list[Any]) -> str:
    if bool in forms and text.lower() in _TRUTH:
        return f"YAML 1.2 has only `true` and `false`: write {_TRUTH[text.lower()]}"
    if any(get_origin(form) is tuple for form in forms) and float not in forms:
        return f"write a list: [{text}]"
    if int not in forms and float not in forms:
        return ""
    if re.fullmatch(r"[-+]?\d{1,3}([_,]\d{3})+", text):
        return f"write the number without separators: {re.sub('[_,]', '', text)}"
    if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", text):
        return "remove the quotes: in quotes it is text"
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
        return f"write the share as a number: {float(match.group(1)) / 100:g}"
    return ""


_HOMES: tuple[tuple[type[Section], str], ...] = (
    (Spec, "the top level"),
    (ObjectiveSection, "`objective`"),
    (TrainingSection, "`training`"),
    (DataSection, "`data`"),
    (VariableSpec, "an entry of `variables`"),
    (FactorSpec, "an entry of `generative` or `recognition`"),
    (ColumnSpec, "an entry of `data.variables`"),
    (Augment, "`augment` of an entry of `data.variables`"),
    (LocalContrast, "`local_contrast` of an entry of `data.variables`"),
    (LabelBudget, "an entry of `data.labels`"),
)


@cache
def _homes() -> dict[str, tuple[str, ...]]:
    homes: dict[str, list[str]] = {}
    for section, words in _HOMES:
        for name in fields_of(section):
            homes.setdefault(name, []).append(words)
    for network in network_kinds(get_args(NetworksSection)[1]).values():
        for name in fields_of(network):
            if "a network" not in homes.setdefault(name, []):
                homes[name].append("a network")
    return {name: tuple(words) for name, words in homes.items()}


def homes_of(name: str) -> tuple[str, ...]:
    """The places of the language that have a field of this name, in words."""
    return _homes().get(name, ())
