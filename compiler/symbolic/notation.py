"""How the objective's pieces are written: Unicode for the terminal, LaTeX for a paper."""

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.symbolic.objective import Part, Weight
from graphspec.language.plates import shown


@dataclass(frozen=True)
class Notation:
    """How one output language writes the pieces."""

    log: str
    given: str
    divergence: str
    kl: str
    minus: str
    dots: str
    names: dict[str, str]
    latex: bool

    def variable(self, name: str) -> str:
        """A variable's name."""
        name = shown(name)
        return _latex_name(name) if self.latex else name

    def conditional(self, letter: str, name: str, parents: Sequence[str]) -> str:
        """p(x | y, z)."""
        inside = self.variable(name)
        if parents:
            inside += self.given + ", ".join(self.variable(parent) for parent in parents)
        return f"{letter}({inside})"

    def mean(self, under: str, inside: str) -> str:
        """E_g[...]."""
        return rf"\mathbb{{E}}_{{{under}}}\!\left[{inside}\right]" if self.latex else f"E_{under}[{inside}]"

    def part(self, part: Part) -> str:
        """Which elements of a masked variable count."""
        if part == "all":
            return ""
        return rf"\,[\mathrm{{{part}}}]" if self.latex else f"[{part}]"

    def weight(self, weight: Weight) -> str:
        """alpha_y."""
        symbol = self.names[weight.kind]
        return f"{symbol}_{{{self.variable(weight.variable)}}}" if self.latex else f"{symbol}[{weight.variable}]"


UNICODE_NAMES = {
    "alpha": "α",
    "beta": "β",
    "free_bits": "λ",
    "mutual_information": "β_MI",
    "total_correlation": "β_TC",
    "dimension_wise": "β_DW",
}
LATEX_NAMES = {
    "alpha": r"\alpha",
    "beta": r"\beta",
    "free_bits": r"\lambda",
    "mutual_information": r"\beta^{\mathrm{MI}}",
    "total_correlation": r"\beta^{\mathrm{TC}}",
    "dimension_wise": r"\beta^{\mathrm{DW}}",
}

UNICODE = Notation("log ", " | ", " ‖ ", "KL", "−", "…", UNICODE_NAMES, latex=False)
LATEX = Notation(r"\log ", r" \mid ", r" \,\|\, ", r"\mathrm{KL}", "-", r"\ldots", LATEX_NAMES, latex=True)


def _latex_name(name: str) -> str:
    """One letter and digits become a subscript; longer names are upright, underscores escaped."""
    if len(name) == 1:
        return name
    if name[0].isalpha() and name[1:].isdigit():
        return f"{name[0]}_{{{name[1:]}}}"
    return r"\mathrm{" + name.replace("_", r"\_") + "}"
