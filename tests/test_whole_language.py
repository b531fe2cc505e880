"""Specs drawn from the whole language never end in a traceback: checked, explained, compiled, trained, emitted.

Each takes two steps in memory and is measured; some are printed in every form, emitted, or trained in a run folder and
resumed as well. All of that for a thousand: `experiments.robustness`.
"""

import warnings
from pathlib import Path

import pytest
from language_walk import accepted, stepped, told, walk, written

from graphspec.loading import load

SEEDS = range(2000, 2050)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_spec(seed: int, tmp_path: Path) -> None:
    path = accepted(seed, tmp_path)
    if path is None:
        return
    graphs = load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stepped(graphs, path)
        if seed % 5 == 0:
            told(graphs)
        if seed % 7 == 0:
            written(graphs)
        if seed % 25 == 0:
            walk(path, compare=True)
