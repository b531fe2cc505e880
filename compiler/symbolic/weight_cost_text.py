"""What networks pay for their weights (`weight_decay`), in words: always apart from the bound."""

from collections.abc import Iterator

from graphspec.graphs.graph import SIDES, Graphs
from graphspec.language import NetworkParameter
from graphspec.language.networks import Weighted


def weight_costs(graphs: Graphs) -> Iterator[tuple[str, float]]:
    """`recognition.y` (or `generative.x scale`, of one parameter's own network) and its `weight_decay`."""
    for side in SIDES:
        for factor in graphs.factors(side).values():
            own = {f" {name}": p.network for name, p in factor.parameters.items() if isinstance(p, NetworkParameter)}
            for suffix, network in {"": factor.network, **own}.items():
                if isinstance(network, Weighted) and network.weight_decay:
                    yield f"{factor.key}{suffix}", network.weight_decay


def weight_cost_lines(graphs: Graphs) -> list[str]:
    """A line a network."""
    lines = [f"½ · {rate:g} · |W|² of {name}" for name, rate in weight_costs(graphs)]
    heads = ("decay     ", *("          " for _ in lines))
    told = [head + line for head, line in zip(heads, lines, strict=False)]
    added = "          added to −L in training, once a step and not per row; W are weights without biases"
    return [*told, added] if told else []
