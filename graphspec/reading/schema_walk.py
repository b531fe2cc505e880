"""From pydantic's locations to the author's: which steps are fields, which are tags of unions, what is declared there.

From: a `loc` of pydantic and the located tree. To: `Place`. Not here: wording (`reading.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Tag

from graphspec.language import FactorSpec, RecognitionSection, Spec
from graphspec.language.base import Section
from graphspec.text.source import Document
from graphspec.text.tree import Mapping, Node, Path, child


@dataclass(frozen=True)
class Place:
    """A place in the document and what the schema declares there.

    declared: the type at the path, every form of it. chosen: the form that pydantic tried, after its tags.
    """

    path: Path
    declared: Any
    chosen: Any


def follow(loc: tuple[str | int, ...], document: Document) -> Place:
    """The place in the document that pydantic's `loc` speaks of; steps that only pydantic knows are dropped."""
    path: list[str | int] = []
    node: Node | None = document.root
    declared: Any = Spec
    chosen: Any = Spec
    for step in loc:
        chosen, tag = _below(chosen, step)
        if tag:
            continue
        declared = chosen
        # A value may stand for a longer form ({from: RUN} for a list of one): then the step is not in the text.
        if (isinstance(node, Mapping) and isinstance(step, str)) or child(node, step) is not None:
            path.append(step)
            node = child(node, step)
    return Place(tuple(path), declared, chosen)


def declared_at(path: Path) -> Any:
    """What the schema declares at a path as an author writes it; None where it knows nothing."""
    forms: list[Any] = [Spec]
    for step in path:
        below = [_below_as_written(arm, step) for form in forms for arm in arms(form)]
        forms = [form for form in below if form is not None]
    return forms[0] if forms else None


def _below_as_written(kind: Any, step: str | int) -> Any:
    if kind is RecognitionSection and step != "auto":
        return FactorSpec
    if get_origin(kind) is tuple and isinstance(step, str):
        kind = get_args(kind)[0]  # one mapping stands for a list of one
    return _below(kind, step)[0]


def fields_of(kind: Any) -> dict[str, Any]:
    """Field names as written in YAML -> pydantic's field description, for a section class; else nothing."""
    if isinstance(kind, type) and issubclass(kind, Section) and kind is not RecognitionSection:
        return {field.alias or name: field for name, field in kind.model_fields.items()}
    return {}


def arms(kind: Any) -> Iterator[Any]:
    """Every form a value may take: unions taken apart at any depth, marks and None removed."""
    kind = _bare(kind)
    if _is_union(kind):
        for arm in get_args(kind):
            if arm is not NoneType:
                yield from arms(arm)
    else:
        yield kind


def sections_of(kind: Any) -> list[type[Section]]:
    """The section classes among the forms; of a list, those of its entries."""
    forms = [get_args(arm)[0] if get_origin(arm) is tuple else arm for arm in arms(kind)]
    return [arm for form in forms for arm in arms(form) if isinstance(arm, type) and issubclass(arm, Section)]


def words_of(kind: Any) -> tuple[Any, ...]:
    """The words a value may be, over all forms."""
    return tuple(word for arm in arms(kind) if get_origin(arm) is Literal for word in get_args(arm))


def network_kinds(kind: Any) -> dict[str, type[Section]]:
    """`kind` word -> section class, for a union of sections told apart by `kind`."""
    sections = [section for section in sections_of(kind) if "kind" in section.model_fields]
    words = [(get_args(section.model_fields["kind"].annotation), section) for section in sections]
    return {kinds[0]: section for kinds, section in words if len(kinds) == 1}


def _below(kind: Any, step: str | int) -> tuple[Any, bool]:
    """What stands below `kind` at `step`, and whether the step was only pydantic's choice of an arm."""
    kind = _bare(kind)
    if _is_union(kind):
        return _chosen_arm(kind, step), True
    if kind is RecognitionSection and step == "factors":
        return kind.model_fields["factors"].annotation, True
    if isinstance(kind, type) and issubclass(kind, Section):
        for name, field in kind.model_fields.items():
            if step == (field.alias or name):
                return field.annotation, False
        return None, False
    origin, args = get_origin(kind), get_args(kind)
    if origin is dict:
        return args[1], False
    if origin is tuple:
        return args[0], False
    return None, False


def _chosen_arm(union: Any, step: str | int) -> Any:
    for arm in get_args(union):
        if any(isinstance(mark, Tag) and mark.tag == step for mark in getattr(arm, "__metadata__", ())):
            return arm
    return network_kinds(union).get(str(step))


def _bare(kind: Any) -> Any:
    """Without Annotated, and without `| None` where that leaves one form."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
            continue
        if _is_union(kind):
            forms = [arm for arm in get_args(kind) if arm is not NoneType]
            if len(forms) == 1:
                kind = forms[0]
                continue
        return kind


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)
