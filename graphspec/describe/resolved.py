"""A spec as text that reads back as the same spec: overrides applied, defaults filled in. And what differs in two."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from graphspec.graphs.graph import Graphs
from graphspec.graphs.inversion import as_yaml
from graphspec.language import Spec

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
_NOTHING_IF_EMPTY = frozenset(
    {"allow", "stop_gradient", "parameters", "missing", "parents", "plates", "include", "rename"}
)


def spec_as_plain(spec: Spec) -> dict[str, Any]:
    """Mappings, lists and scalars in the words of the language; defaults are there, absent options are not."""
    plain: dict[str, Any] = _rewrite(spec.model_dump(by_alias=True, exclude_none=True))
    recognition = plain["recognition"]
    plain["recognition"] = ({"auto": True} if recognition["auto"] else {}) | spec.recognition.in_order(
        recognition["factors"]
    )
    _leave_unwritten(spec, plain["objective"])
    return plain


def _leave_unwritten(spec: Spec, objective: dict[str, Any]) -> None:
    """Defaults that the rules would take for the user's words: options of another estimator, alpha without labels."""
    for name, estimator in spec.objective.estimators.items():
        objective["estimators"][name] = _rewrite(estimator.model_dump(by_alias=True, exclude_unset=True))
    if "alpha" not in spec.objective.model_fields_set and all(v.role != "supervised" for v in spec.variables.values()):
        del objective["alpha"]


def spec_as_yaml(spec: Spec) -> str:
    """`spec_as_plain` as YAML."""
    return _dump(spec_as_plain(spec))


def _dump(plain: Mapping[str, Any]) -> str:
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 110, "default_flow_style": None}
    text: str = yaml.dump(dict(plain), Dumper=_Dumper, **options)
    return text


def resolved_yaml(graphs: Graphs) -> str:
    """The spec of checked graphs as YAML, with the recognition graph that `auto` derived written out."""
    plain = spec_as_plain(graphs.spec)
    if graphs.spec.recognition.auto:
        derived = as_yaml(graphs)
        plain["recognition"] = derived["recognition"]
        plain["variables"] |= derived.get("variables", {})
    return _dump(plain)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Fields that differ, as (dotted name, old, new); None where one side has no such field."""
    for key in dict.fromkeys((*old, *new)):
        left, right = old.get(key), new.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from ((f"{key}.{rest}", a, b) for rest, a, b in differences(left, right))
        elif left != right:
            yield key, left, right


def _rewrite(value: Any) -> Any:
    """`25/rho` is one word again, tuples are lists, options that are empty by default and by nature are left out."""
    if isinstance(value, dict):
        if set(value) == {"over_rho"}:
            return f"{value['over_rho']!r}/rho"
        kept = {key: entry for key, entry in value.items() if entry not in ((), {}) or key not in _NOTHING_IF_EMPTY}
        return {key: _rewrite(entry) for key, entry in kept.items()}
    return [_rewrite(entry) for entry in value] if isinstance(value, (list, tuple)) else value


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 and 1.2 could read differently: all text that is not one plain word."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.match(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)
