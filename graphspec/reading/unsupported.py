"""What people ask for and the language does not have: why there is none, and what does its work. Code GS096."""

from collections.abc import Callable
from dataclasses import dataclass

from graphspec.text.tree import Node, Path, Scalar, Sequence


@dataclass(frozen=True)
class Unsupported:
    """what: in words. go_on: the value with which checking goes on; None: it is left out."""

    what: str
    because: str
    instead: str
    go_on: str | None = None
    code: str = "GS096"

    @property
    def message(self) -> str:
        """What is not there and why."""
        return f"not supported: {self.what}, because {self.because}"

    @property
    def hint(self) -> str:
        """What to write."""
        return f"instead: {self.instead}"


_LOOKS = "what it looks at is state that the graph does not show"
NETWORKS = {
    "lstm": ("it carries a second state that the graph does not show", "`kind: gru`"),
    "rnn": ("one kind of recurrent network is enough", "`kind: gru`"),
    "attention": (_LOOKS, "a pool of a state, such as `h@max`"),
    "transformer": (_LOOKS, "`kind: gru`, one a direction"),
}
"""Kinds of networks: why there are none, and what does their work."""

_UNDIRECTED = ("it is no conditional of p or q", "conditionals, and alpha of what is `exact` to weigh a chain's labels")
_EXPERTS = ("it is no conditional of p or q", "one network that reads all of them; blanks enter it with their flags")
_TOTAL = (
    "its elements depend on each other",
    "poisson of a rate times the total: `rate: {parents: [share, total], network: {kind: product}}`",
)
DISTRIBUTIONS = {
    **dict.fromkeys(("potential", "energy", "boltzmann", "ising", "crf", "markov_random_field"), _UNDIRECTED),
    **dict.fromkeys(("product_of_experts", "poe", "mixture_of_experts"), _EXPERTS),
    **dict.fromkeys(("multinomial", "dirichlet_multinomial"), _TOTAL),
}
"""Distributions: why there are none, and what does their work."""


def unsupported_network(kind: str) -> Unsupported | None:
    """A kind of network that there is not on purpose."""
    if kind not in NETWORKS:
        return None
    go_on = "gru" if kind in ("lstm", "rnn") else None
    return Unsupported(f"a network of kind {kind}", *NETWORKS[kind], go_on=go_on)


def unsupported_distribution(kind: str) -> Unsupported | None:
    """A distribution that there is not on purpose."""
    return Unsupported(f"distribution {kind}", *DISTRIBUTIONS[kind]) if kind in DISTRIBUTIONS else None


def unsupported_value(path: Path, node: Node | None) -> Unsupported | None:
    """A value of a field that there is not on purpose."""
    return next((found for judge in _JUDGES if (found := judge(path, node)) is not None), None)


def _crossing(path: Path, node: Node | None) -> Unsupported | None:
    """`plate: [views, landmarks]`, `inside: [views, landmarks]`."""
    place = (path[0], path[-1]) if len(path) == 3 else None
    if place not in (("variables", "plate"), ("plates", "inside")) or not isinstance(node, Sequence):
        return None
    names = [each.text for each in node.items if isinstance(each, Scalar)]
    if len(names) < 2:
        return None
    because = "sums over crossing plates are no tree, and no drawing nests them"
    instead = (
        "one of them inside the other (`inside:`), or an axis of the shape; or the row is one side and a category "
        "names the other"
    )
    return Unsupported(f"{path[1]} in plates that cross, {' and '.join(names)}", because, instead, go_on=names[0])


def _likeliest_path(path: Path, node: Node | None) -> Unsupported | None:
    """`answers: {c: viterbi}`, `estimators: {c: viterbi}`."""
    text = node.text if isinstance(node, Scalar) else ""
    if path[0] != "objective" or len(path) != 3 or text not in ("viterbi", "map"):
        return None
    because = "each element is answered by its own marginal"
    return Unsupported(f"the likeliest path of {path[2]}", because, "leave it out: `predict` gives the marginals")


def _function(path: Path, node: Node | None) -> Unsupported | None:
    """`roles: {x: deterministic}` of an include."""
    if path[0] != "include" or path[2:3] != ("roles",) or getattr(node, "text", "") != "deterministic":
        return None
    because = "what has a density there is no function here"
    instead = (
        f"`latent` or `supervised`; with `objective: {{estimators: {{NAME: mean}}}}` its mean stands for {path[-1]}"
    )
    return Unsupported(f"{path[-1]} as a function of this spec", because, instead, code="GS093")


_JUDGES: tuple[Callable[[Path, Node | None], Unsupported | None], ...] = (_crossing, _likeliest_path, _function)
