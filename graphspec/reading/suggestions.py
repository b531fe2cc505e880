"""Words of messages: what was probably meant (near spellings, other people's words for it), lists, large numbers."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from math import log10

from graphspec.reading.synonyms import SYNONYMS

MOST_COMPARED = 2000
_CLOSE = 0.7
_DETOUR = 0.1  # a slip in a synonym is a weaker hint than a slip in the word itself


def suggest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` probably stands for; None if there is no good one.

    In this order: the same letters in another case or with other separators, a synonym, the closest spelling.
    """
    legal = list(candidates)
    folded = _fold(word)
    for candidate in legal:
        if _fold(candidate) == folded:
            return candidate
    for synonym in (*SYNONYMS.get(word.lower().replace("-", "_"), ()), *SYNONYMS.get(folded, ())):
        if synonym in legal:
            return synonym
    near = [(_fold(candidate), candidate, 0.0) for candidate in _comparable(word, legal)]
    known_words = set(legal)
    for known, meant in SYNONYMS.items():
        target = next((synonym for synonym in meant if synonym in known_words), None)
        if target is not None and len(known) > 4:
            near.append((_fold(known), target, _DETOUR))
    best, found = _CLOSE, None
    for spelling, target, detour in near:
        if _most(folded, spelling) - detour < best:
            continue
        closeness = _closeness(folded, spelling) - detour
        if closeness > best or (closeness == best and found is None):
            best, found = closeness, target
    return found


def _comparable(word: str, legal: list[str]) -> list[str]:
    """Of thousands of candidates only those of a like length and beginning: each comparison takes its time."""
    if len(legal) <= MOST_COMPARED:
        return legal
    begin = word[:2].lower()
    return [c for c in legal if abs(len(c) - len(word)) <= 2 and c[:2].lower() == begin][:MOST_COMPARED]


def did_you_mean(word: str, candidates: Iterable[str], otherwise: str = "", *, quote: str = "`") -> str:
    """``did you mean `decoder`?``, or `otherwise` if nothing is close."""
    found = suggest(word, candidates)
    return f"did you mean {quote}{found}{quote}?" if found is not None and found != word else otherwise


def listed(words: Iterable[str], joint: str = "and", *, quote: str = "", most: int | None = 12) -> str:
    """`a, b and c`; lists longer than `most` end in how many more there are."""
    shown = [f"{quote}{word}{quote}" for word in words]
    if most is not None and len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most} more"
    return "".join(shown) if len(shown) < 2 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}"


def few(words: Iterable[str], most: int = 12) -> str:
    """`a, b, c`; of a long list the first, and how many more; `none` where there are none."""
    shown = list(words)
    return (
        f"{', '.join(shown[:most])} and {len(shown) - most} more" if len(shown) > most else ", ".join(shown) or "none"
    )


def in_lines(messages: Sequence[str], most: int) -> str:
    """One below the other, indented; of many the first, and how many more."""
    more = [f"and {len(messages) - most} more"] if len(messages) > most else []
    return "".join(f"\n  {message}" for message in (*messages[:most], *more))


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 row`, `3 rows`; plural: where it is not the noun with an s (`1 row has`, `3 rows have`)."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def amount(number: int, separator: str = "") -> str:
    """A whole number; from a billion on as a power of ten (`10^602`)."""
    return f"{number:,}".replace(",", separator) if number < 10**9 else f"10^{int(log10(number))}"


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def _most(word: str, candidate: str) -> float:
    """No less than `_closeness`, and quick: letters that both have."""
    if not word or not candidate:
        return 0.0
    shared = sum(min(word.count(letter), candidate.count(letter)) for letter in set(candidate))
    return 2 * shared / (len(word) + len(candidate))


def _closeness(word: str, candidate: str) -> float:
    """Ratio of matching letters in [0, 1]; a swap, a slip or a lost letter in a short word still counts as close."""
    if not word or not candidate:
        return 0.0
    ratio = SequenceMatcher(None, word, candidate, autojunk=False).ratio()
    if sorted(word) == sorted(candidate) and len(word) > 2:
        return max(ratio, 0.9)
    return ratio
