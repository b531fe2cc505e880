"""Notes on training values far from where their factor of p starts, and none where they are near."""

from pathlib import Path

import numpy as np
import pytest

from graphspec.loading import load
from runtime.data import prepare

SPEC = """
graphspec: 1
variables:
  x: {role: observed, DOMAIN}
  z: {role: latent, domain: real, size: 2}
generative: {z: {}, x: {parents: [z], FACTOR}}
recognition: {z: {parents: [x]}}
data: {source: rows.npz, variables: {x: COLUMN}, test: 10}
"""
RNG = np.random.default_rng(0)
PRICES = 3e5 + 1e5 * RNG.normal(size=60)
ONE_FAR = np.stack([RNG.normal(size=60), 1e4 * RNG.normal(size=60)], axis=1)
COUNTS = RNG.poisson(3e5, 60)


def notes(
    folder: Path, values: np.ndarray, domain: str, column: str = "x", factor: str = "", word: str = "starts"
) -> list[str]:
    np.savez(folder / "rows.npz", x=values)
    text = SPEC.replace("DOMAIN", domain).replace("COLUMN", column).replace("FACTOR", factor)
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return [note for note in prepare(load(path), spec_path=path).notes if word in note]


@pytest.mark.parametrize(
    ("values", "domain", "expected"),
    [
        (PRICES, "domain: real", "p starts there"),
        (1e-4 * RNG.normal(size=60), "domain: real", "p starts there"),
        (ONE_FAR, "domain: real, size: 2", "x, element 1: "),
        (COUNTS, "domain: count", "average 3e+05: p starts there"),
        (np.stack([RNG.poisson(3, 60), COUNTS], axis=1), "domain: count, size: 2", "x, element 1: "),
        (1e6 * np.exp(RNG.normal(size=60)), "domain: positive", "p starts there"),
        (np.where(RNG.random(60) < 0.2, np.nan, PRICES), "domain: real, missing: true", "p starts there"),
    ],
)
def test_far_values_are_told(tmp_path: Path, values: np.ndarray, domain: str, expected: str) -> None:
    (found,) = notes(tmp_path, values, domain)
    assert expected in found


def test_cells_at_the_edge_of_a_beta_are_counted(tmp_path: Path) -> None:
    values = np.clip(RNG.random((60, 2)), 0.01, 0.99)
    assert edge_notes(tmp_path, values, "unit, size: 2", "beta") == []
    values[:, 0] = np.arange(60) % 2
    (found,) = edge_notes(tmp_path, values, "unit, size: 2", "beta")
    assert "45 of 90 training cells are exactly 0 or 1" in found and "6e-08 inside" in found
    assert edge_notes(tmp_path, values, "unit, size: 2", "continuous_bernoulli") == []
    (found,) = edge_notes(tmp_path, np.stack([values[:, 0], 1 - values[:, 0]], axis=1), "simplex, size: 2", "dirichlet")
    assert "90 of 90 training cells" in found


def edge_notes(folder: Path, values: np.ndarray, domain: str, family: str) -> list[str]:
    return notes(folder, values, f"domain: {domain}", factor=f"distribution: {family}", word="cells are exactly")


@pytest.mark.parametrize(
    ("values", "domain", "column", "factor"),
    [
        (RNG.normal(size=60), "domain: real", "x", ""),
        (PRICES, "domain: real", "{column: x, standardize: true}", ""),
        (PRICES, "domain: real", "x", "parameters: {loc: {learned: element, initial: 3e5}}"),
        (RNG.poisson(20, 60), "domain: count", "x", ""),
        (COUNTS % 7, "domain: count, min: 0, max: 6", "x", ""),
        (np.exp(RNG.normal(size=60)), "domain: positive", "x", ""),
        (np.where(np.arange(60)[:, None] == 0, [[1.0, 0.0]], [[0.0, 0.0]]), "domain: real, size: 2", "x", ""),
    ],
)
def test_values_near_the_start_are_not(
    tmp_path: Path, values: np.ndarray, domain: str, column: str, factor: str
) -> None:
    assert notes(tmp_path, values, domain, column, factor) == []


@pytest.mark.parametrize(("wild", "cells"), [(1e9, 3), (-9999999, 12)])
def test_a_cell_that_squeezes_all_others_is_told(tmp_path: Path, wild: float, cells: int) -> None:
    values = RNG.normal(size=(60, 2))
    standardized = "{column: x, standardize: true}"
    assert notes(tmp_path, values, "domain: real, size: 2", standardized, word="far from") == []
    values[7 : 7 + cells, 1] = wild
    (found,) = notes(tmp_path, values, "domain: real, size: 2", standardized, word="far from")
    assert found.startswith("x, element 1: half of the training values lie within") and "`missing`" in found


@pytest.mark.parametrize(
    "column",
    [np.exp(2 * RNG.normal(size=60)), (np.arange(60) % 30 == 0).astype(float), RNG.standard_t(2, size=60), np.ones(60)],
)
def test_long_tails_and_rare_flags_squeeze_nothing(tmp_path: Path, column: np.ndarray) -> None:
    values = np.stack([column, RNG.normal(size=60)], axis=1)
    assert notes(tmp_path, values, "domain: real, size: 2", "{column: x, standardize: true}", word="far from") == []
