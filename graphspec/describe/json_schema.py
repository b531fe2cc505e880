"""JSON Schema of the language, for completion and hover in editors and for other programs that write specs."""

from typing import Any

from graphspec.language import Spec
from graphspec.language.base import IDENTIFIER, RESERVED_NAMES
from graphspec.language.families import FAMILIES

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The schema of `graphspec: 1`, draft 2020-12: the shapes of all fields, each with a description.

    What it cannot say, `check` does: rules over several fields, names that must exist, shapes that must meet.
    """
    schema: dict[str, Any] = _plain(Spec.model_json_schema(by_alias=True))
    definitions = schema["$defs"]
    _short_forms(definitions)
    _families(definitions["DistributionSpec"])
    for definition in definitions.values():
        _describe(definition)
    _name_rule(schema, "variables", RESERVED_NAMES)
    _name_rule(schema, "networks", RESERVED_NAMES - {"default"})
    return {"$schema": DRAFT, "title": "graphspec 1", **schema}


def _plain(value: Any, *, names: bool = False) -> Any:
    """pydantic's schema without what disturbs an editor: titles that repeat names, null as a choice, and `oneOf` over
    forms that overlap (a whole number is a number too), which becomes `anyOf`.

    names: the keys of `value` are names that a user writes, not words of JSON Schema.
    """
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if names:
        return {key: _plain(item) for key, item in value.items()}
    kept = {
        key: _plain(item, names=key in ("properties", "$defs"))
        for key, item in value.items()
        if key != "title" and not (key == "default" and item is None)
    }
    if "oneOf" in kept and "discriminator" not in kept:
        kept["anyOf"] = kept.pop("oneOf")
    if "anyOf" in kept:
        forms = [form for form in _flattened(kept.pop("anyOf")) if form != _NULL]
        kept = {**kept, **forms[0]} if len(forms) == 1 else {**kept, "anyOf": forms}
    return kept


def _flattened(forms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [inner for form in forms for inner in (form["anyOf"] if set(form) == {"anyOf"} else [form])]


def _short_forms(definitions: dict[str, Any]) -> None:
    """Short ways of writing that the validators accept before pydantic looks at the types."""
    learned = {"const": "learned", "description": "A free parameter, one value per element."}
    definitions["FactorSpec"]["properties"]["parameters"]["additionalProperties"]["anyOf"].insert(1, learned)
    names = next(f for f in definitions["VariableSpec"]["properties"]["names"]["anyOf"] if f.get("type") == "array")
    names["items"] = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    column = next(form for form in definitions["ColumnSpec"]["anyOf"] if form.get("type") == "object")
    columns = column["properties"]["columns"]
    pattern = {"type": "string", "pattern": "[*?]"}
    columns["anyOf"] = [{"type": columns.pop("type"), "items": columns.pop("items")}, pattern]
    initialize = definitions["TrainingSection"]["properties"]["initialize"]
    several = {"type": initialize.pop("type"), "items": initialize.pop("items")}
    initialize["anyOf"] = [several["items"], several]


def _families(definition: dict[str, Any]) -> None:
    mapping = next(form for form in definition["anyOf"] if form.get("type") == "object")
    mapping["properties"]["kind"]["enum"] = sorted(FAMILIES)
    for family in FAMILIES.values():
        for option, (default, description) in family.options.items():
            mapping["properties"].setdefault(option, {"description": description, "default": default})


def _describe(definition: dict[str, Any]) -> None:
    """A field without words of its own (the `kind` of a network) is described by its mapping."""
    for mapping in (definition, *definition.get("anyOf", ())):
        for entry in mapping.get("properties", {}).values():
            entry.setdefault("description", mapping.get("description", ""))


def _name_rule(schema: dict[str, Any], section: str, reserved: frozenset[str]) -> None:
    names = {"type": "string", "pattern": IDENTIFIER, "not": {"enum": sorted(reserved)}}
    schema["properties"][section]["propertyNames"] = names
