"""Which graph answers a query, what it needs, and what it does not: names checked against the model.

q answers what is hidden in rows, as `predict` does; p what follows from the parents alone (a picture from its label and
style). What would have to be drawn from p is refused by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.emission.query_class import QueryText, Scale, query_text
from compiler.emission.query_plans import Question
from graphspec.graphs.graph import Graphs
from graphspec.reading.suggestions import did_you_mean, few
from runtime.errors import RunError
from runtime.exporting.query_words import names_in_query
from runtime.predicting.row_answers import AskedFor
from runtime.predicting.used_run import UsedRun

LONGEST_NAME = 40
"""Of the facts in a file's name."""


@dataclass(frozen=True)
class ExportedQuery:
    """text: what is written. unneeded: facts of which the answer is independent, given the others."""

    text: QueryText
    unneeded: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its files: `y_given_x`."""
        targets, facts = "_".join(self.text.question.targets), "_".join(self.text.inputs)
        return f"{targets}_given_{facts if len(facts) <= LONGEST_NAME else f'{len(self.text.inputs)}_variables'}"

    @property
    def title(self) -> str:
        """`y | x`, without what is not needed."""
        return f"{', '.join(self.text.question.targets)} | {', '.join(self.text.inputs)}"


def exported_query(used: UsedRun, words: str, samples: int, interval: float = 0.9) -> ExportedQuery:
    """The query as it can be written. interval: the share between the ends of a number's interval. RunError says what
    it would need, or why it cannot be."""
    targets, facts = (tuple(_variable(used, name) for name in names) for names in names_in_query(words))
    graphs = used.model.graphs
    _refuse_roles(graphs, targets, facts)
    generative = not _by_recognition(graphs, targets, facts)
    if generative:
        _refuse_what_p_draws(graphs, targets, facts)
    elif latents := [name for name in facts if name in graphs.latent]:
        told = f"'{', '.join(targets)} | {', '.join(graphs.observed)}'"
        raise RunError(f"{latents[0]} is a fact, and q infers it", f"leave it out: {told}")
    answers = graphs.spec.objective.answers
    by, levels = {t: answers[t] for t in targets if t in answers}, AskedFor(interval=interval).levels
    question = Question(targets, facts, generative, samples, by, levels)
    scales = {name: Scale(u.mean, u.std, u.logarithm) for name, u in used.units.items()}
    temperatures = {name: fitted.value for name, fitted in used.temperatures.items() if fitted.used}
    title = f"`{', '.join(targets)} | {', '.join(facts)}`, in the units of the data."
    try:
        text = query_text(used.model, question, title, scales, temperatures)
    except ValueError as error:
        raise RunError(f"{words!r} cannot be exported: {error}", "`graphspec predict` answers it") from None
    _refuse_untold(graphs, words, text)
    if not text.inputs:
        raise RunError(f"the answer to {words!r} depends on nothing that rows tell", "name facts that it depends on")
    return ExportedQuery(text, tuple(name for name in facts if name not in text.inputs))


def _variable(used: UsedRun, name: str) -> str:
    """By its own name, else by that of its column."""
    variables = used.model.graphs.variables
    if name in variables:
        return name
    called = {used.called(variable): variable for variable in used.columns if not used.graphs.variables[variable].shape}
    if name not in called:
        known = [n for n, v in variables.items() if v.role != "deterministic"]
        raise RunError(
            f"no variable is called {name!r}", f"{did_you_mean(name, known)} there are: {few(known)}".strip()
        )
    return called[name]


def _refuse_roles(graphs: Graphs, targets: Sequence[str], facts: Sequence[str]) -> None:
    for name in (*targets, *facts):
        variable = graphs.variables[name]
        if variable.role == "deterministic":
            raise RunError(f"{name} is computed from others", "name variables that have a distribution")
        if any(graphs.plates[plate].count is not None for plate in variable.path):
            raise RunError(f"{name} has as many elements as a row says", "rows of one length can be exported")
    both = [name for name in targets if name in facts]
    if both:
        raise RunError(f"{both[0]} is asked and told", "name it on one side of the bar")


def _by_recognition(graphs: Graphs, targets: Sequence[str], facts: Sequence[str]) -> bool:
    hidden = {*graphs.supervised, *graphs.latent} & ({*graphs.recognition} | {*graphs.exact})
    return all(name in hidden for name in targets) and any(name in graphs.observed for name in facts)


def _refuse_what_p_draws(graphs: Graphs, targets: Sequence[str], facts: Sequence[str]) -> None:
    """p answers from parents: every way up from a target ends at a fact, and no fact lies below a target."""
    for target in targets:
        if target not in graphs.generative:
            raise RunError(f"p does not model {target}, which is given with every row", "ask for another variable")
        pending, drawn, seen = [*graphs.generative[target].parents], list[str](), set[str]()
        while pending:
            name = pending.pop()
            if name in seen or name in facts:
                continue
            seen.add(name)
            if graphs.variables[name].role == "deterministic":
                pending += _parents(graphs, name)
            else:
                drawn.append(name)
        if drawn:
            told = ", ".join([*facts, *sorted(drawn)])
            raise RunError(
                f"{target} depends on {', '.join(sorted(drawn))}, which would have to be drawn",
                f"tell it with every row: '{', '.join(targets)} | {told}'",
            )
    below = _descendants(graphs, targets)
    if turned := [name for name in facts if name in below]:
        raise RunError(
            f"{turned[0]} lies below {', '.join(targets)} in p, and q does not answer this",
            f"q infers what is hidden from {', '.join(graphs.observed)}",
        )


def _parents(graphs: Graphs, name: str) -> Sequence[str]:
    for factors in (graphs.generative, graphs.recognition):
        if name in factors:
            return factors[name].parents
    return ()


def _descendants(graphs: Graphs, names: Sequence[str]) -> set[str]:
    found, grown = {*names}, True
    while grown:
        more = {n for n, f in graphs.generative.items() if n not in found and found.intersection(f.parents)}
        found, grown = found | more, bool(more)
    return found - {*names}


def _refuse_untold(graphs: Graphs, words: str, text: QueryText) -> None:
    untold = [n for n in text.blank if graphs.variables[n].role == "observed" and not graphs.variables[n].missing]
    untold += [n for n in text.blank if graphs.variables[n].role == "latent"]
    if untold:
        question = text.question
        told = ", ".join([*question.facts, *untold])
        raise RunError(
            f"{words!r} cannot be answered: {'p' if question.generative else 'recognition'} reads {', '.join(untold)}, "
            "of which no row is blank",
            f"tell all of it: '{', '.join(question.targets)} | {told}'",
        )
