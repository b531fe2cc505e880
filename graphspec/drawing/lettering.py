"""How names and formulas are written, and how wide that is in a sans-serif font.

Widths are those of DejaVu Sans, the widest of the usual sans-serif fonts: what fits in it fits in Helvetica and Arial.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from graphspec.language.plates import MARK

SUBSCRIPT = 0.7
"""Size of a subscript relative to its base."""

_BY_WIDTH = {
    275: "'", 278: "ijl", 295: "IJ", 318: " ,.", 337: "/:;\\|", 352: "f", 361: "-", 390: "()[]", 392: "t", 401: "!",
    411: "r", 460: '"', 500: "*_`", 521: "s", 525: "z", 531: "?", 550: "c", 557: "L", 575: "F", 579: "k", 592: "vxy",
    603: "P", 611: "TY", 612: "o", 613: "a", 615: "e", 632: "E", 634: "hnu", 635: "Sbdgpq", 636: "$0123456789{}",
    656: "K", 684: "AV", 685: "XZ", 686: "B", 695: "R", 698: "C", 732: "U", 748: "N", 752: "H", 770: "D", 775: "G",
    780: "&", 787: "OQ", 818: "w", 838: "#+<=>^~", 863: "M", 950: "%", 974: "m", 989: "W",
}  # fmt: skip
_WIDTHS = {character: width / 1000 for width, characters in _BY_WIDTH.items() for character in characters}
_BOLD = 1.24


@dataclass(frozen=True)
class Run:
    """A stretch of text in one style."""

    text: str
    italic: bool = False
    subscript: bool = False

    def width(self, size: float) -> float:
        """Pixels at font size `size`."""
        return text_width(self.text, size * (SUBSCRIPT if self.subscript else 1.0))


Line = tuple[Run, ...]


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that `text` takes at font size `size`; characters outside ASCII count as one em."""
    return size * sum(_WIDTHS.get(character, 1.0) for character in text) * (_BOLD if bold else 1.0)


def line_width(runs: Iterable[Run], size: float) -> float:
    """Pixels that a line of runs takes at font size `size`."""
    return sum(run.width(size) for run in runs)


def name_runs(name: str) -> Line:
    """A variable's name as in a paper: `z1` and `z_1` become z with subscript 1, `z_style` z with subscript style.

    One letter is set in italics, words upright; a word of several parts (`digit_label`) stays as it is, and so does the
    view in `e@sum`.
    """
    base, mark, view = name.partition(MARK)
    if view:
        return (*name_runs(base), Run(mark + view))
    if match := re.fullmatch(r"([A-Za-z])_?(\d+|(?<=_)[A-Za-z0-9_]*[A-Za-z0-9])", name):
        return (
            Run(match[1], italic=True),
            Run(match[2], italic=match[2].isalpha() and len(match[2]) == 1, subscript=True),
        )
    if match := re.fullmatch(r"([A-Za-z_]*[A-Za-z])(\d+)", name):
        return (Run(match[1]), Run(match[2], subscript=True))
    return (Run(name, italic=len(name) == 1),)


def formula_runs(head: str, variable: str, parents: tuple[str, ...]) -> Line:
    """`p(x | y, z)` for head `p`."""
    bar = (Run(" | "),) if parents else ()
    return (Run(head, italic=True), Run("("), *name_runs(variable), *bar, *_listed(parents), Run(")"))


def function_runs(variable: str, parents: tuple[str, ...]) -> Line:
    """`h = f(x)`."""
    return (*name_runs(variable), Run(" = "), Run("f", italic=True), Run("("), *_listed(parents), Run(")"))


def _listed(names: tuple[str, ...]) -> Line:
    runs: list[Run] = []
    for position, name in enumerate(names):
        runs += [*((Run(", "),) if position else ()), *name_runs(name)]
    return tuple(runs)


def wrapped(parts: tuple[Line, ...], size: float, width: float) -> tuple[Line, ...]:
    """Parts set one after another with a space between, broken into lines no wider than `width` where possible."""
    lines: list[list[Run]] = []
    for part in parts:
        longer = [*lines[-1], Run("  "), *part] if lines else list(part)
        if lines and line_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(list(part))
    return tuple(tuple(line) for line in lines)


def latex_run(run: Run) -> str:
    """A run in LaTeX math mode."""
    if run.text == " | ":
        return r" \mid "
    if run.text == "  ":
        return r"\;\, "
    text = re.sub(r"([_#$%&{}])", r"\\\1", run.text)
    upright = len(run.text) > 1 and (run.text[0].isalpha() or run.text[0] == MARK)
    styled = rf"\mathsf{{{text}}}" if upright else text
    return f"_{{{styled}}}" if run.subscript else styled
