"""The text of a query as a tree with places: `TARGET, .. | FACT, .., do(ITEM = VALUE, ..)`.

    TARGET = ITEM | ITEM OP VALUE
    FACT   = ITEM | ITEM OP VALUE | do(ITEM = VALUE, ..)
    ITEM   = NAME | NAME[i] | NAME[last] | NAME[i, j] | NAME[i][j]

Names and values stand bare (inner spaces count) or in quotes, the quote itself doubled. Not here: what names mean.
"""

from dataclasses import dataclass
from typing import NoReturn

from runtime.errors import RunError

SIGNS = ("<=", ">=", "=", "<", ">")
ENDS_OF_NAMES = ",|()[]=<>"
ENDS_OF_VALUES = ",|)"
FUNCTIONS = (
    "functions of targets are not supported: --joint gives draws to compute them from, `predict --latents` the latents "
    "of rows"
)


class QueryError(RunError):
    """A query cannot be asked: what is wrong, and a caret under the place."""

    def __init__(self, message: str, text: str, start: int, end: int, hint: str = "") -> None:
        carets = " " * start + "^" * max(1, end - start)
        self.place = (start, end)
        super().__init__(f"{message}\n    {text}\n    {carets}", hint)


@dataclass(frozen=True)
class Item:
    """A name, and which of its elements. index: numbers from 0, or `last`. start, end: of it in the text."""

    name: str
    index: tuple[int | str, ...]
    start: int
    end: int
    quoted: bool = False

    @property
    def written(self) -> str:
        """`z[0,1]`, as predictions name elements."""
        return f"{self.name}[{','.join(map(str, self.index))}]" if self.index else self.name


@dataclass(frozen=True)
class Term:
    """An item, alone or with what it is compared to. The places are those of the value (or of the item)."""

    item: Item
    sign: str = ""
    value: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class ParsedQuery:
    """What is asked, what is known, and what is then set."""

    text: str
    targets: tuple[Term, ...]
    facts: tuple[Term, ...]
    changes: tuple[Term, ...]


def parse_query(text: str) -> ParsedQuery:
    """The tree of a query. QueryError for what is none."""
    return _Reader(text).query()


class _Reader:
    """Goes through a text from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def query(self) -> ParsedQuery:
        targets = self._terms("before |" if "|" in self.text else "to ask for")
        facts: list[Term] = []
        changes: list[Term] = []
        if self._next() == "|":
            self.at += 1
            while True:
                self._fact(facts, changes)
                if self._next() != ",":
                    break
                self.at += 1
        if self._next() == "|":
            self._refuse("one bar only: targets stand before it, facts behind it", self.at, self.at + 1)
        if self._next():
            self._unexpected()
        return ParsedQuery(self.text, tuple(targets), tuple(facts), tuple(changes))

    def _terms(self, where: str) -> list[Term]:
        found = [self._term(where)]
        while self._next() == ",":
            self.at += 1
            found.append(self._term("after ,"))
        return found

    def _fact(self, facts: list[Term], changes: list[Term]) -> None:
        behind = "after |" if self.text[: self.at].rstrip().endswith("|") else "after ,"
        item = self._item(behind)
        if item.name != "do" or item.quoted or self._next() != "(":
            facts.append(self._compared(item))
            return
        self.at += 1
        while True:
            begin = self.at
            term = self._compared(self._item("in do()"))
            if term.sign != "=":
                self._refuse("do() sets one value: do(NAME=VALUE)", begin, self.at)
            changes.append(term)
            if self._next() != ",":
                break
            self.at += 1
        if self._next() != ")":
            self._refuse("expected ) behind what do() sets", self.at, self.at + 1)
        self.at += 1

    def _term(self, where: str) -> Term:
        item = self._item(where)
        if item.name == "do" and not item.quoted and self._next() == "(":
            self._refuse("do() stands behind |, with the facts", item.start, item.end)
        return self._compared(item)

    def _item(self, where: str) -> Item:
        start = self._skip()
        quoted = self._next() in ("'", '"')
        name = self._quoted() if quoted else self._bare(ENDS_OF_NAMES)
        if not name:
            self._refuse(f"expected a name {where}", self.at, self.at + 1)
        end, index = self.at, list[int | str]()
        while self._next() == "[":
            index += self._index()
            end = self.at
        if self._next() == "(" and name != "do":
            self._refuse(FUNCTIONS, start, self.at)
        return Item(name, tuple(index), start, max(start + len(self.text[start:end].rstrip()), start + 1), quoted)

    def _index(self) -> list[int | str]:
        self.at += 1
        found: list[int | str] = []
        while True:
            start = self._skip()
            text = self._bare(",]|[")
            if text != "last" and not text.isdigit():
                self._refuse("an index is a whole number from 0, or last", start, max(self.at, start + 1))
            found.append(text if text == "last" else int(text))
            if self._next() != ",":
                break
            self.at += 1
        if self._next() != "]":
            self._refuse("expected ] behind an index", self.at, self.at + 1)
        self.at += 1
        return found

    def _compared(self, item: Item) -> Term:
        self._skip()
        sign = next((each for each in SIGNS if self.text.startswith(each, self.at)), "")
        if not sign:
            return Term(item, start=item.start, end=item.end)
        self.at += len(sign)
        start = self._skip()
        value = self._quoted() if self._next() in ("'", '"') else self._bare(ENDS_OF_VALUES)
        if not value:
            self._refuse(f"expected a value after {sign}", self.at, self.at + 1)
        return Term(item, sign, value, start, start + len(self.text[start : self.at].rstrip()))

    def _bare(self, ends: str) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ends:
            self.at += 1
        return self.text[start : self.at].strip()

    def _quoted(self) -> str:
        sign, start, found = self.text[self.at], self.at, ""
        self.at += 1
        while self.at < len(self.text):
            here = self.text[self.at]
            if here == sign and not self.text.startswith(sign * 2, self.at):
                self.at += 1
                return found
            found += here
            self.at += 2 if here == sign else 1
        self._refuse("the quote is not closed", start, start + 1)

    def _skip(self) -> int:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at

    def _next(self) -> str:
        self._skip()
        return self.text[self.at : self.at + 1]

    def _unexpected(self) -> NoReturn:
        here = self._next()
        if here in "+-*/":
            self._refuse(FUNCTIONS, self.at, self.at + 1)
        what = "put names with , | ( ) in quotes" if here in ",|()" else "expected , or | here"
        self._refuse(what, self.at, self.at + 1)

    def _refuse(self, message: str, start: int, end: int) -> NoReturn:
        raise QueryError(message, self.text, start, end)
