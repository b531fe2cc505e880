"""`y | x` as two lists of names."""

from runtime.errors import RunError

FORM = "write names: what is asked, a bar, what each row tells, such as 'y | x'"


def names_in_query(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(targets, facts). RunError for anything but names."""
    parts = text.split("|")
    if len(parts) != 2:
        raise RunError(f"cannot read the query {text!r}", FORM)
    targets, facts = (tuple(name.strip() for name in part.split(",") if name.strip()) for part in parts)
    for name in (*targets, *facts):
        if any(mark in name for mark in "=<>()[]"):
            raise RunError(f"{name!r}: values, elements and do() cannot be exported", FORM)
    if not targets or not facts:
        raise RunError(f"the query {text!r} lacks {'what is asked' if not targets else 'what rows tell'}", FORM)
    return tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(facts))
