"""The objective as text: Unicode for the terminal, LaTeX for a paper. Printed from the tree that is evaluated."""

from collections.abc import Iterable, Sequence

from compiler.symbolic.axis_names import axis_label
from compiler.symbolic.notation import UNICODE, Notation
from compiler.symbolic.objective import (
    ClosedDivergence,
    Expectation,
    FreeBits,
    LogAggregate,
    LogDensity,
    LogEvidence,
    LogMean,
    LogOrders,
    LogSum,
    Negative,
    Objective,
    OwnMean,
    PlateSum,
    Sum,
    Term,
    There,
    Weighted,
    walk,
)
from compiler.symbolic.program import Program

MOST_NAMES = 32
"""Of a longer list of variables the first and the last are named, or every line on a chain would be as long as it."""


def term_texts(program: Program, terms: Iterable[Term], notation: Notation = UNICODE) -> list[str]:
    """Terms as formulas."""
    writer = TermWriter(program, notation)
    return [writer.write(term) for term in terms]


class TermWriter:
    """Writes terms of one program. What depends on what is looked up once for all of them."""

    def __init__(self, program: Program, notation: Notation) -> None:
        self.program = program
        self.n = notation
        self._place = {name: place for place, name in enumerate(program.hidden)}
        steps = (*program.recognition, *program.generative)
        self._functions = {s.factor.variable: s.factor.parents for s in steps if s.action in ("compute", "certain")}
        self._parents = {s.factor.variable: s.factor.parents for s in program.recognition}
        self._above: dict[str, set[str]] = {}

    def write(self, term: Term) -> str:
        n = self.n
        match term:
            case LogDensity(side, name, parents, part=part):
                return n.log + n.conditional(side, name, parents) + n.part(part)
            case ClosedDivergence(name, q_parents, p_parents, part=part):
                end = n.part(part)
                left, right = n.conditional("q", name, q_parents), n.conditional("p", name, p_parents)
                return rf"{n.kl}({left}{n.divergence}{right}){end}"
            case LogAggregate(name, form):
                return self._aggregate(name, form)
            case LogOrders(plate, labels):
                return n.log + self._orders(plate, labels)
            case LogMean(inner):
                return self._log_mean(inner)
            case Negative(inner):
                text = self._grouped(inner)
                return text[1:] if text[0] in "-−" else self._minus(text)
            case Sum(terms):
                return self._sum(terms)
            case Expectation(measure, inner):
                return self._expectation(measure.labels, inner)
            case PlateSum(plates, inner):
                return self._over_plates(plates, inner)
            case There(plates, held):
                return self._where_there(plates, held)
            case OwnMean(latents, inner):
                return self._own_mean(latents, inner)
            case LogSum(variables, labels=labels):
                return n.log + self.sum_name(variables, labels)
            case LogEvidence(labels, plates):
                text = self._evidence(labels)
                return f"{self._sum_sign(plates)} {text}" if plates else text
            case Weighted(weight, inner):
                return self._weighted(n.weight(weight), inner)
            case FreeBits(bits, inner, share=share):
                minimum = r"\min" if n.latex else "min"
                least = n.weight(bits) if share is None else f"{n.weight(bits)} {self.write(share)}"
                return f"{minimum}({self.write(inner)}, {n.minus}{least})"

    def sum_name(self, variables: Sequence[str], labels: Sequence[str] = ()) -> str:
        """`Z(y)`: an exact sum with labels held; `Z_c(y)` where a program has several."""
        of = ", ".join(map(self.n.variable, variables))
        name = "Z" if len(self.program.sums) == 1 else f"Z_{{{of}}}" if self.n.latex else f"Z_{of}"
        return f"{name}({', '.join(map(self.n.variable, labels))})" if labels else name

    def _own_mean(self, latents: Sequence[str], inner: Term) -> str:
        """`E_q(z | x, y)[..]`: over latents drawn for each value of an exact variable."""
        if isinstance(inner, Negative):
            return self._minus(self._own_mean(latents, inner.term))
        inside = self._hidden_in(inner)
        names = [name for name in latents if name in inside]
        if not names:
            return self.write(inner)
        under = " ".join(self.n.conditional("q", name, self._parents[name]) for name in names)
        return self.n.mean(under, self.write(inner))

    def _orders(self, plate: str, labels: Sequence[str]) -> str:
        """`k!`: how many ways there are to give a set of labels to the elements that are there."""
        entry, masked = self.program.graphs.plates[plate], self.program.pattern.masked
        several = self.n.variable(entry.count) if entry.count is not None else str(entry.size)
        if not all(label in masked for label in labels):
            return f"{several}!"
        return rf"\frac{{{several}!}}{{({several} - m)!}}" if self.n.latex else f"({several}!/({several} − m)!)"

    def _aggregate(self, name: str, form: str) -> str:
        variable, elements = self.n.variable(name), r"\textstyle\sum_d " if self.n.latex else "Σ_d "
        return f"{self.n.log}q({variable})" if form == "joint" else f"{elements}{self.n.log}q({variable}_d)"

    def _log_mean(self, inner: Term) -> str:
        inside = self.write(inner)
        inside = rf"\exp\left({inside}\right)" if self.n.latex else f"exp({inside})"
        return self.n.log + self.n.mean(self._measure(self.program.hidden), inside)

    def _measure(self, names: Sequence[str]) -> str:
        """`g(z1, z2)`."""
        return f"g({_listed([self.n.variable(name) for name in names], self.n)})"

    def _sum(self, terms: Sequence[Term]) -> str:
        text = self.write(terms[0])
        for term in terms[1:]:
            piece = self.write(term)
            minus = piece[0] in "-−"
            text += f" {self.n.minus if minus else '+'} {piece[1:] if minus else piece}"
        return text

    def _grouped(self, term: Term) -> str:
        text = self.write(term)
        return f"({text})" if isinstance(term, Sum) and len(term.terms) > 1 else text

    def _minus(self, text: str) -> str:
        return f"{self.n.minus}{text}"

    def _over_plates(self, plates: Sequence[str], inner: Term) -> str:
        """`Σ_questions log p(..)`, the sign in front."""
        text = self._grouped(inner)
        sign = self._sum_sign(plates)
        return self._minus(f"{sign} {text[1:]}") if text[0] in "-−" else f"{sign} {text}"

    def _where_there(self, plates: Sequence[str], term: Term | None) -> str:
        """`[digits < k] log p(..)`: a term where an element is there by the count."""
        graphs = self.program.graphs
        counted = [p for axis in plates if (p := graphs.plates[axis_label(axis)]).count in self.program.hidden]
        less = "<" if self.n.latex else " < "
        told = ", ".join(f"{self.n.variable(p.name)}{less}{self.n.variable(p.count or '')}" for p in counted)
        if term is None:
            return f"[{told}]"
        text = self._grouped(term)
        return self._minus(f"[{told}] {text[1:]}") if text[0] in "-−" else f"[{told}] {text}"

    def _sum_sign(self, plates: Sequence[str]) -> str:
        names = ", ".join(self.n.variable(axis_label(plate)) for plate in plates)
        return rf"\sum_{{{names}}}" if self.n.latex else f"Σ_{names}"

    def _weighted(self, weight: str, inner: Term) -> str:
        """A weight times a term, with the sign in front."""
        text = self._grouped(inner)
        return self._minus(f"{weight} {text[1:]}") if text[0] in "-−" else f"{weight} {text}"

    def _expectation(self, labels: Sequence[str], inner: Term) -> str:
        if isinstance(inner, Negative):
            return self._minus(self._expectation(labels, inner.term))
        names = self._averaged(labels, inner)
        if not names:
            return self.write(inner)
        weighed = f"w({', '.join(self.n.variable(name) for name in labels)})"
        weighed = (r"\," if self.n.latex else "·") + weighed if labels else ""
        return self.n.mean(self._measure(names) + weighed, self.write(inner))

    def _averaged(self, labels: Sequence[str], inner: Term) -> list[str]:
        """Hidden variables that the expectation is really over: those the term or the weights depend on."""
        return self._in_order(self._hidden_in(inner).union(*(self._hidden_above(label) for label in labels)))

    def _in_order(self, names: set[str]) -> list[str]:
        return sorted(names, key=self._place.__getitem__)

    def _evidence(self, labels: Sequence[str]) -> str:
        order = self._in_order(set().union(*(self._hidden_above(label) for label in labels)))
        masked = self.program.pattern.masked
        parts = (self.n.part("given" if label in masked else "all") for label in labels)
        densities = (self._label_density(label) for label in labels)
        product = " ".join(density + part for density, part in zip(densities, parts, strict=True))
        return self.n.log + self.n.mean(self._measure(order), product)

    def _label_density(self, label: str) -> str:
        """`q(y | x)`; of an exact label `Z(y) / Z`."""
        if label not in self.program.exact:
            return self.n.conditional("q", label, self._parents[label])
        variables, before = self.program.exact[label].over.variables, self.program.held_before(label)
        above, below = self.sum_name(variables, (*before, label)), self.sum_name(variables, before)
        return rf"\frac{{{above}}}{{{below}}}" if self.n.latex else f"{above}/{below}"

    def _hidden_in(self, term: Term) -> set[str]:
        found: set[str] = set()
        for leaf in walk(term):
            match leaf:
                case LogDensity(_, name, parents, part=part):
                    found |= self._resolve(parents if part == "given" else (name, *parents))
                case ClosedDivergence(_, q_parents, p_parents):
                    found |= self._resolve((*q_parents, *p_parents))
                case LogAggregate(name):
                    found |= self._resolve((name,))
                case There(plates):
                    found |= set(self.program.hidden_counts(map(axis_label, plates)))
                case LogSum(variables):
                    found |= self._resolve(self.program.exact[variables[0]].read)
        return found - self.program.own if any(isinstance(leaf, LogSum) for leaf in walk(term)) else found

    def _resolve(self, names: Sequence[str]) -> set[str]:
        """Hidden variables among `names`, seen through deterministic ones."""
        found, pending, seen = set(), list(names), set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self._place:
                found.add(name)
            pending.extend(self._functions.get(name, ()))
        return found

    def _hidden_above(self, label: str) -> set[str]:
        """Hidden variables that a label's recognition factor depends on, directly or through others."""
        if label not in self._above:
            found: set[str] = set()
            exact = self.program.exact.get(label)
            pending = list(self._resolve(self._parents[label] if exact is None else exact.read))
            while pending:
                name = pending.pop()
                if name not in found:
                    found.add(name)
                    pending.extend(self._resolve(self._parents[name]))
            self._above[label] = found
        return self._above[label]


def contribution_lines(program: Program, objective: Objective, notation: Notation = UNICODE) -> list[str]:
    """One signed line per contribution, ready to be stacked under `L =`."""
    lines = []
    texts = term_texts(program, (contribution.term for contribution in objective.contributions), notation)
    for position, text in enumerate(texts):
        minus = text[0] in "-−"
        lead = notation.minus if minus else "+" if position else " "
        lines.append(f"{lead} {text[1:] if minus else text}")
    return lines


def observed_text(program: Program, notation: Notation = UNICODE) -> str:
    """`L(x, y)`: what the row has."""
    names = [notation.variable(name) for name in (*program.graphs.observed, *program.clamped)]
    names += [notation.variable(name) + notation.part("given") for name in program.pattern.masked]
    letter = r"\mathcal{L}" if notation.latex else "L"
    return f"{letter}({_listed(names, notation)})"


def _listed(names: Sequence[str], notation: Notation) -> str:
    """`z1, z2`; of a long list the first three and the last."""
    if len(names) > MOST_NAMES:
        names = [*names[:3], notation.dots, names[-1]]
    return ", ".join(names)
