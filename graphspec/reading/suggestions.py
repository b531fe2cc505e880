"""Did you mean: near spellings, other people's words for the same thing, and fields that live elsewhere."""

from collections.abc import Iterable
from difflib import SequenceMatcher

from graphspec.reading.synonyms import SYNONYMS

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
    near = [(_fold(candidate), candidate, 0.0) for candidate in legal]
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


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`did you mean NAME?`, or nothing."""
    found = suggest(word, candidates)
    return f"did you mean `{found}`?" if found is not None and found != word else ""


def listed(words: Iterable[str], joint: str = "or", *, quote: bool = True) -> str:
    """`a`, `b` or `c`."""
    shown = [f"`{word}`" if quote else word for word in words]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}" if shown else ""


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
