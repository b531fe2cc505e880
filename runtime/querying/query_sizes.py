"""What is too large to be answered, or to be answered on a page."""

from math import prod

from runtime.answering.panels import picture_shape
from runtime.querying.grammar import QueryError
from runtime.querying.meaning import AskedTarget, Question
from runtime.querying.relevance import MOST_ENTRIES
from runtime.querying.world_figures import FEW


def shows(target: AskedTarget) -> bool:
    """A target is a whole variable whose values are pictures."""
    variable = target.variable
    return not target.sign and picture_shape(variable) is not None and len(target.which) == prod(variable.shape)


def refuse_large(question: Question) -> None:
    """QueryError for a target of more elements than a page holds."""
    for target in question.targets:
        if len(target.which) > FEW:
            name = target.variable.name
            raise QueryError(
                f"{name} has {len(target.which)} elements: add -o {'FILE.png or ' if shows(target) else ''}FILE.npz",
                question.text, target.term.item.start, target.term.item.end,
            )  # fmt: skip


def refuse_large_table(question: Question) -> None:
    """QueryError for a joint table of too many cells."""
    elements = {
        (target.variable.name, each): target.variable.support for target in question.targets for each in target.which
    }
    if all(support is not None for support in elements.values()):
        cells = prod(support or 1 for support in elements.values())
        if cells > MOST_ENTRIES:
            raise QueryError(
                f"the joint table has {cells:,} cells, at most {MOST_ENTRIES:,}: ask for fewer targets",
                question.text, question.targets[0].term.item.start, question.targets[-1].term.end,
            )  # fmt: skip
