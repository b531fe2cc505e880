"""What an exact sum is, as a formula: `Z = Σ_c Π_time p(c | c@previous) p(x | c)`."""

from collections.abc import Iterator, Mapping

from compiler.symbolic.notation import UNICODE, Notation
from compiler.symbolic.objective import LogDensity, LogSum, Objective, Term, walk
from compiler.symbolic.printing import TermWriter
from compiler.symbolic.program import Program

Path = tuple[str, ...]


def sum_lines(program: Program, objective: Objective, notation: Notation = UNICODE) -> list[str]:
    """The definition of every exact sum of an objective, one line each."""
    found: dict[tuple[str, ...], LogSum] = {}
    for contribution in objective.contributions:
        for term in walk(contribution.term):
            if isinstance(term, LogSum):
                found.setdefault(term.variables, term)
    return [SumText(program, each, notation).line() for each in found.values()]


class SumText:
    """One sum, written from the outermost plate inwards."""

    def __init__(self, program: Program, over: LogSum, notation: Notation) -> None:
        self.program, self.n, self.variables = program, notation, program.graphs.variables
        self.writer, self.over = TermWriter(program, notation), over
        self.summed = program.exact[over.variables[0]].over
        self.factors: Mapping[str, Term] = dict(over.factors)

    def line(self) -> str:
        """`Z = ..`, of each element where there are several."""
        of = f" of each of {', '.join(self.summed.plates)}" if self.summed.plates else ""
        of = rf"\text{{{of}}}".replace("_", r"\_") if of and self.n.latex else of
        return f"{self.writer.sum_name(self.over.variables)}{of} = {self._level(self.summed.plates)}"

    def _level(self, path: Path) -> str:
        """Sums over what stands here, its factors, and the products over the plates inside."""
        here = [name for name in self.over.variables if self.variables[name].path == path]
        parts = [*([] if path and path[-1] in self.summed.chains else self._sums(here)), *self._products(path)]
        deeper = {
            self.variables[n].path[: len(path) + 1] for n in self.factors if len(self.variables[n].path) > len(path)
        }
        for inner in sorted(each for each in deeper if each[: len(path)] == path):
            chained = inner[-1] in self.summed.chains
            along = [name for name in self.over.variables if self.variables[name].path == inner] if chained else []
            sign = r"\prod_{" + self.n.variable(inner[-1]) + "}" if self.n.latex else f"Π_{inner[-1]}"
            parts += [*self._sums(along), sign, self._level(inner)]
        return " ".join(parts)

    def _sums(self, names: list[str]) -> list[str]:
        listed = ", ".join(map(self.n.variable, names))
        return [rf"\sum_{{{listed}}}" if self.n.latex else f"Σ_{listed}"] if names else []

    def _products(self, path: Path) -> Iterator[str]:
        for name in sorted(self.factors, key=lambda name: name not in self.over.variables):
            if self.variables[name].path == path:
                yield self._factor(name, self.factors[name])

    def _factor(self, name: str, term: Term) -> str:
        divided = self.over.beta is not None and name not in self.over.variables
        root = f"1/{self.n.weight(self.over.beta)}" if divided and self.over.beta is not None else ""
        if isinstance(term, LogDensity):
            text = self.n.conditional("p", name, term.parents) + self.n.part(term.part)
            return text + ((f"^{{{root}}}" if self.n.latex else f"^({root})") if root else "")
        inside = self.writer.write(term)
        inside = f"({inside}){root.removeprefix('1')}" if root else inside
        return rf"\exp\left({inside}\right)" if self.n.latex else f"exp({inside})"
