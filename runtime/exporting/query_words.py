"""`y | x` as two lists of names: the part of the language of queries that a file can answer row by row."""

from typing import NoReturn

from runtime.errors import RunError
from runtime.querying.grammar import ParsedQuery, QueryError, Term, parse_query

FORM = (
    "name whole variables: what is asked, a bar, what each row tells, such as 'y | x'; `graphspec query` asks the rest"
)


def names_in_query(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(targets, facts). QueryError for what is no query, or more than names."""
    parsed = parse_query(text)
    if parsed.changes:
        _refuse(parsed, parsed.changes[0], "do() cannot be exported")
    for term in (*parsed.targets, *parsed.facts):
        if term.sign:
            _refuse(parsed, term, "an event or a value cannot be exported")
        if term.item.index:
            _refuse(parsed, term, "an element cannot be exported")
    if not parsed.facts:
        raise RunError(f"the query {text!r} lacks what rows tell", FORM)
    targets, facts = ([term.item.name for term in terms] for terms in (parsed.targets, parsed.facts))
    return tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(facts))


def _refuse(parsed: ParsedQuery, term: Term, what: str) -> NoReturn:
    raise QueryError(what, parsed.text, term.item.start, max(term.end, term.item.end), FORM)
