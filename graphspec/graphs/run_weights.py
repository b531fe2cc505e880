"""Factors whose weights are those of a run: included ones, and those of `training.initialize`."""

from dataclasses import dataclass

from graphspec.graphs.graph import SIDES, Graphs, Side


@dataclass(frozen=True)
class Provenance:
    """The run that a factor's weights are taken from, and whether they stay as they are."""

    run: str
    frozen: bool

    @property
    def words(self) -> str:
        """`frozen, weights of runs/m2`."""
        return f"frozen, weights of {self.run}" if self.frozen else f"starts from weights of {self.run}"


def run_weights(graphs: Graphs, side: Side) -> dict[str, Provenance]:
    """Variables whose factor in a graph has weights of a run: included ones, and those of `training.initialize`."""
    return {
        start.here(name): Provenance(start.run, start.freeze)
        for start in graphs.spec.training.initialize
        for there, _, name in (key.partition(".") for key in start.factors)
        if there == side
    }


def told_weights(graphs: Graphs) -> dict[str, str]:
    """In words, by the factor's key: `{recognition.z: frozen, weights of runs/m2}`."""
    return {f"{side}.{name}": found.words for side in SIDES for name, found in run_weights(graphs, side).items()}
