"""Statements that fit: long ones are broken as ruff breaks them, at brackets, commas and signs."""

import re

from compiler.symbolic.code_text import BRACKETS, split_top

WIDTH = 120
INDENT = "    "


def statement(text: str, level: int = 1, remark: str = "") -> list[str]:
    """One statement at an indentation level, on as many lines as it needs; a remark if it still fits on one."""
    lead = INDENT * level
    line = lead + text
    if len(line) <= WIDTH:
        return [f"{line}  # {remark}" if remark and len(line) + len(remark) + 4 <= WIDTH else line]
    if text.startswith("def "):
        return _at_group(text, level, _groups(text)[0])
    start = _right_side(text)
    if len(signs(text[start:])) > 1:
        return [f"{lead}{text[:start]}(", *_summed(text[start:], level + 1), f"{lead})"]
    return _expression(text, level)


def _right_side(text: str) -> int:
    """Where the value of an assignment or a return begins."""
    if text.startswith("return "):
        return len("return ")
    found = re.match(r"[\w., \[\]]+ = ", text)
    return found.end() if found else 0


def _summed(text: str, level: int) -> list[str]:
    """A sum on one line, or a summand a line with its sign in front."""
    lead = INDENT * level
    if len(lead + text) <= WIDTH:
        return [lead + text]
    lines = []
    for sign, part in signs(text):
        lines += _expression(f"{sign} {part}".strip(), level)
    return lines


def _expression(text: str, level: int) -> list[str]:
    """An expression (with what stands before and behind it) broken at its last bracket that leaves a short head."""
    lead = INDENT * level
    if len(lead + text) <= WIDTH:
        return [lead + text]
    groups = [group for group in _groups(text) if group[1] > group[0] + 1]
    fitting = [group for group in groups if len(lead) + group[0] + 1 <= WIDTH]
    if not fitting:
        return [lead + text]
    return _at_group(text, level, fitting[-1])


def _at_group(text: str, level: int, group: tuple[int, int]) -> list[str]:
    lead, inner = INDENT * level, INDENT * (level + 1)
    start, end = group
    head, body, tail = text[: start + 1], text[start + 1 : end], text[end:]
    only_groups = not re.search(r"[\w)\]]$", text[:start]) and text[start] == "(" and len(split_top(body, ", ")) == 1
    display = text[start] in "[{" and not re.search(r"[\w)\]]$", text[:start]) and len(split_top(body, ", ")) > 1
    if len(inner + body) <= WIDTH and not display:
        lines = [inner + body]
    elif only_groups:
        lines = _summed(body, level + 1)
    else:
        lines = [line for part in split_top(body, ", ") for line in _item(part.rstrip(","), level + 1)]
    return [lead + head, *lines, lead + tail]


def _item(text: str, level: int) -> list[str]:
    """One element of a list of arguments, with its comma."""
    if len(INDENT * level + text) < WIDTH:
        return [f"{INDENT * level}{text},"]
    if len(signs(text)) > 1:
        lines = _summed(text, level)
        return [*lines[:-1], f"{lines[-1]},"]
    return _expression(f"{text},", level)


def _groups(text: str) -> list[tuple[int, int]]:
    """Where outermost brackets open and close."""
    found, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if letter in BRACKETS:
            start = place if depth == 0 else start
            depth += 1
        elif letter in BRACKETS.values():
            depth -= 1
            if depth == 0:
                found.append((start, place))
    return found


def signs(text: str) -> list[tuple[str, str]]:
    """Summands outside every bracket, each with the sign before it."""
    found = []
    for index, part in enumerate(split_top(text, " + ")):
        for inner, piece in enumerate(split_top(part, " - ")):
            found.append(("" if index == inner == 0 else "-" if inner else "+", piece))
    return found
