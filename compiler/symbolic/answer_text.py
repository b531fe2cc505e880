"""How labels that are not given are answered, in words (`objective.answers`)."""

from graphspec.graphs.graph import Graphs

LEAST_DRAWS = 8
"""Of what is not summed: bounds of one draw differ by their noise more than by the label."""


def answer_lines(graphs: Graphs) -> list[str]:
    """A line a label that is not answered by recognition alone."""
    objective, lines = graphs.spec.objective, []
    for name, way in objective.answers.items():
        if way == "recognition":
            continue
        draws = max(objective.samples, LEAST_DRAWS)
        bound = f"softmax over its values of L with {name} held (α 0, β 1), at least {draws} draws, the same for each"
        lines.append(f"{name} by the {bound}" if way == "bound" else f"{name} by the mean of q and the {bound}")
    return [f"{'answers' if place == 0 else '':10}{line}" for place, line in enumerate(lines)]
