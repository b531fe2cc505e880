"""Tensors as code: what is done with an `Expression` is written down instead of computed.

So a function that runs on tensors is its own text in an emitted file. Functions of the compiler that such a file has a
copy of are called through `applied` or `in_place`, which write the call, or what the function computes.
"""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")

LONGEST = 60
"""Characters of an expression that is written in place."""


class Expression:
    """A tensor of an emitted file, as the code that gives it.

    dims: how many dimensions it has, where that is known. scalar: a number, which lies on any axes as it is.
    """

    dtype = None
    requires_grad = False

    def __init__(self, code: str, dims: int = 1, *, scalar: bool = False) -> None:
        self.code, self.dims, self.scalar = code, dims, scalar

    def __str__(self) -> str:
        return self.code

    @property
    def shape(self) -> torch.Size:
        """Sizes are not known; 1 stands for each."""
        return torch.Size((1,) * self.dims)

    def dim(self) -> int:
        """Of a tensor that the file is given; of a result as of what it is made from."""
        return self.dims

    def unsqueeze(self, place: int) -> "Expression":
        """As an index: `x[:, None]`."""
        if self.scalar:
            return self
        return self[(*[slice(None)] * place, None)] if place >= 0 else self._method("unsqueeze", place)

    def __getitem__(self, index: object) -> "Expression":
        if self.scalar:
            return self
        parts = index if isinstance(index, tuple) else (index,)
        return self._new(f"{_operand(self.code)}[{', '.join(map(_index_text, parts))}]")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *given, **named: self._method(name, *given, **named)

    def _method(self, name: str, *given: Any, **named: Any) -> "Expression":
        return self._new(f"{_operand(self.code)}.{name}({_arguments(map(_alone, given), named)})")

    def _new(self, code: str) -> "Expression":
        return Expression(code, self.dims)

    def _joined(self, left: object, sign: str, right: object) -> "Expression":
        return self._of(f"{grouped(text_of(left))} {sign} {grouped(text_of(right))}", left, right)

    def _of(self, code: str, *parts: object) -> "Expression":
        """What is made of numbers alone is a number."""
        numbers = (isinstance(part, (int, float)) or (isinstance(part, Expression) and part.scalar) for part in parts)
        return Expression(code, self.dims, scalar=all(numbers))

    def __add__(self, other: object) -> "Expression":
        return self._of(added(self.code, text_of(other)), self, other)

    def __radd__(self, other: object) -> "Expression":
        return self._of(added(text_of(other), self.code), other, self)

    def __sub__(self, other: object) -> "Expression":
        return self._of(f"{self.code} - {grouped(text_of(other))}", self, other)

    def __mul__(self, other: object) -> "Expression":
        return self._joined(self, "*", other)

    def __rmul__(self, other: object) -> "Expression":
        return self._joined(other, "*", self)

    def __truediv__(self, other: object) -> "Expression":
        return self._joined(self, "/", other)

    def __pow__(self, other: object) -> "Expression":
        return self._of(f"({_operand(self.code)} ** {text_of(other)})", self, other)

    def __ne__(self, other: object) -> "Expression":  # type: ignore[override]
        return self._joined(self, "!=", other)

    def __and__(self, other: object) -> "Expression":
        return self._joined(self, "&", other)

    def __neg__(self) -> "Expression":
        return Expression(f"-{grouped(self.code)}", self.dims, scalar=self.scalar)

    def __invert__(self) -> "Expression":
        return self._new(f"~{grouped(self.code)}")

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Iterable[type], given: tuple[Any, ...] = (),
        named: Mapping[str, Any] | None = None,
    ) -> "Expression":  # fmt: skip
        """A function of torch's, by the name under which files import it."""
        name = torch.overrides.resolve_name(function) or f"torch.{function.__name__}"
        return _call(name.replace("torch.nn.functional.", "F."), map(_alone, given), named or {})


def applied(function: Callable[..., Result], *given: Any, **named: Any) -> Result:
    """The function of these arguments; where one of them is code, its call by name."""
    if _has_code(given):
        return _call(function.__name__, given, named)  # type: ignore[return-value]
    return function(*given, **named)


def in_place(function: Callable[..., Result], *given: Any) -> Result:
    """The same, written as what the function computes where that is short and reads each argument once:
    `loc + scale * noise` for `normal_draw`."""
    if not _has_code(given):
        return function(*given)
    expression = _expression(function)
    if expression is None:
        return applied(function, *given)
    code = dict(zip(inspect.signature(function).parameters, map(text_of, given), strict=True))
    for name in sorted(_reads(expression, code), key=lambda name: name.col_offset, reverse=True):
        before, behind = expression[: name.col_offset], expression[name.end_col_offset :]
        argument = before.endswith(("(", ", ")) and behind.startswith((")", ","))
        expression = before + (code[name.id] if argument else grouped(code[name.id])) + behind
    return Expression(expression)  # type: ignore[return-value]


def _has_code(arguments: Iterable[Any]) -> bool:
    for argument in arguments:  # noqa: SIM110 - torch.compile follows a loop
        if isinstance(argument, Expression):
            return True
    return False


def text_of(value: object) -> str:
    """A plain value, or code, as Python reads it."""
    if isinstance(value, Expression):
        return value.code
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        inside = ", ".join(map(text_of, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    return repr(value)


def added(first: str, second: str) -> str:
    """`a + b`, or `a - b` where the second is `-b`."""
    return f"{first} - {second[1:]}" if second.startswith("-") else f"{first} + {second}"


def grouped(code: str) -> str:
    """In parentheses where an operator stands outside every bracket."""
    bare, inner = code, ""
    while bare != inner:
        inner, bare = bare, re.sub(r"\([^()]*\)|\[[^][]*\]|\{[^{}]*\}", "", bare)
    return f"({code})" if re.search(r" ([-+*/&]|!=) ", bare) else code


def _call(name: str, given: Iterable[Any], named: Mapping[str, Any]) -> Expression:
    return Expression(f"{name}({_arguments(given, named)})")


def _arguments(given: Iterable[Any], named: Mapping[str, Any]) -> str:
    return ", ".join([*map(text_of, given), *(f"{name}={text_of(value)}" for name, value in named.items())])


def _alone(argument: object) -> object:
    """One dimension as a number."""
    return argument[0] if isinstance(argument, tuple) and len(argument) == 1 else argument


def _index_text(part: object) -> str:
    return ":" if part == slice(None) else "..." if part is ... else text_of(part)


def _operand(code: str) -> str:
    """In parentheses where a method or an index would bind to its end only."""
    return f"({code})" if code.startswith(("-", "~")) or grouped(code) != code else code


@cache
def _expression(function: Callable[..., Any]) -> str | None:
    """What the function returns, if that is short and reads every argument once."""
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef)
    last = definition.body[-1]
    if len(definition.body) > 2 or not isinstance(last, ast.Return) or last.value is None:
        return None  # more than a docstring and what is returned
    code, names = ast.get_source_segment(source, last.value) or "", inspect.signature(function).parameters
    once = sorted(name.id for name in _reads(code, names)) == sorted(names)
    return code if once and len(code) <= LONGEST and "\n" not in code else None


def _reads(expression: str, names: Collection[str]) -> list[ast.Name]:
    tree = ast.parse(expression, mode="eval")
    return [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in names]
