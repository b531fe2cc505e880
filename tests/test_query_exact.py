"""Queries on discrete graphs against brute force over every value: posteriors, changes, counterfactuals, joint tables.

p is a random DAG; everything is compared to 1e-9.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from query_specs import BruteForce, ask, ask_one, discrete_rows, random_discrete, used_run

from runtime.predicting.used_run import UsedRun

SEEDS = range(3)


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[UsedRun, BruteForce]:
    spec, sizes = random_discrete(request.param)
    folder = tmp_path_factory.mktemp(f"discrete{request.param}")
    used = used_run(folder, spec, discrete_rows({name: sizes[name] for name in "bcde"}), strength=2.0)
    return used, BruteForce(used.model)


def probabilities(answer: dict[str, Any], name: str) -> np.ndarray:
    figure = answer["targets"][name]
    assert figure["exact"]
    return np.array(list(figure["probabilities"].values()))


def by_p(used: UsedRun, query: str) -> dict[str, Any]:
    return ask_one(used, query, by="generative")


def test_posteriors(world: tuple[UsedRun, BruteForce]) -> None:
    used, brute = world
    for facts in ({"d": 1}, {"d": 0, "e": 1}, {"b": 1, "e": 0}, {"a": 1}):
        given = ", ".join(f"{name}={value}" for name, value in facts.items())
        for target in set("abcde") - set(facts):
            found = by_p(used, f"{target} | {given}")
            np.testing.assert_allclose(probabilities(found, target), brute.posterior(target, facts), atol=1e-9)
            assert found["log_evidence"] == pytest.approx(brute.evidence(facts), abs=1e-9)


def test_changes(world: tuple[UsedRun, BruteForce]) -> None:
    """Facts that are not below what is set: p without its factor."""
    used, brute = world
    graph = used.model.graphs.graph("generative")
    for changed in "bd":
        for fact in sorted(set("abcde") - {changed}):
            if fact in reachable(graph, changed):
                continue
            for target in sorted(set("abcde") - {changed, fact})[:2]:
                found = by_p(used, f"{target} | {fact}=1, do({changed}=1)")
                expected = brute.counterfactual(target, {fact: 1}, {changed: 1})
                np.testing.assert_allclose(probabilities(found, target), expected, atol=1e-9)


def reachable(graph: Any, name: str) -> set[str]:
    import networkx as nx

    return set(nx.descendants(graph, name))


def test_interventions_without_facts(world: tuple[UsedRun, BruteForce]) -> None:
    used, brute = world
    for changed in "abcde":
        for target in sorted(set("abcde") - {changed}):
            found = by_p(used, f"{target} | do({changed}=1)")
            expected = brute.posterior(target, {}, {changed: 1})
            np.testing.assert_allclose(probabilities(found, target), expected, atol=1e-9)


def test_counterfactuals(world: tuple[UsedRun, BruteForce]) -> None:
    used, brute = world
    for changed in "bde":
        for facts in ({"d": 1, changed: 0}, {"e": 0, "c": 1}):
            given = ", ".join(f"{name}={value}" for name, value in facts.items())
            for target in sorted(set("abcde") - {changed}):
                found = by_p(used, f"{target} | {given}, do({changed}=1)")
                expected = brute.counterfactual(target, facts, {changed: 1})
                np.testing.assert_allclose(probabilities(found, target), expected, atol=1e-9)


def test_to_set_what_was_gives_the_facts_back(world: tuple[UsedRun, BruteForce]) -> None:
    used, _ = world
    found = by_p(used, "c, d, e | b=1, c=0, d=1, e=0, do(b=1)")
    for name, value in {"c": 0, "d": 1, "e": 0}.items():
        assert probabilities(found, name)[value] == 1


def test_joint_tables(world: tuple[UsedRun, BruteForce]) -> None:
    used, brute = world
    found = ask_one(used, "a, c, e | d=1", by="generative", joint=True)
    table = brute.masked({"d": 1}, np.exp(sum(brute.log.values())))
    axes = [brute.axis(name) for name in "ace"]
    joint = np.moveaxis(table, axes, [0, 1, 2]).reshape(*[brute.sizes[a] for a in axes], -1).sum(-1)
    joint /= joint.sum()
    lines = found["joint"]["table"]  # type: ignore[index]
    assert len(lines) == joint.size
    shares = [line["probability"] for line in lines]
    assert shares == sorted(shares, reverse=True)
    for line in lines:
        assert line["probability"] == pytest.approx(joint[tuple(map(int, line["values"]))], abs=1e-9)


def test_ranges_of_a_count_are_sums(tmp_path: Path) -> None:
    spec = """
graphspec: 1
name: visits
variables:
  visits: {role: observed, domain: count, max: 5}
  ill: {role: supervised, domain: category, names: [no, yes]}
generative: {ill: {}, visits: {parents: [ill]}}
recognition: {ill: {parents: [visits]}}
networks: {default: {kind: linear}}
data: {source: rows.csv, variables: {visits: visits, ill: ill}}
training: {epochs: 1}
"""
    rows = "visits,ill\n" + "".join(f"{row % 6},{'yes' if row % 2 else 'no'}\n" for row in range(30))
    used = used_run(tmp_path, spec, rows, strength=3)
    brute = BruteForce(used.model)
    table = np.exp(sum(brute.log.values()))
    table = np.moveaxis(table, brute.axis("visits"), 1)
    found = ask_one(used, "ill, visits >= 3 | visits > 1")
    inside = table[:, 2:].sum(1)
    np.testing.assert_allclose(probabilities(found, "ill"), inside / inside.sum(), atol=1e-9)
    event = found["targets"]["visits >= 3"]  # type: ignore[index]
    assert event["exact"] and event["probability"] == pytest.approx(table[:, 3:].sum() / inside.sum(), abs=1e-9)


def test_answers_are_coherent(world: tuple[UsedRun, BruteForce]) -> None:
    """Averaged over a fact's values, answers give the answer without it."""
    used, _ = world
    prior = probabilities(by_p(used, "b"), "b")
    shares = probabilities(by_p(used, "d"), "d")
    each = [probabilities(by_p(used, f"b | d={value}"), "b") for value in range(len(shares))]
    np.testing.assert_allclose(np.average(each, axis=0, weights=shares), prior, atol=1e-9)


def test_differences(world: tuple[UsedRun, BruteForce]) -> None:
    used, brute = world
    first, second = ask(used, "e | b=1", "e | do(b=1)", by="generative")
    expected = brute.posterior("e", {}, {"b": 1}) - brute.posterior("e", {"b": 1})
    found = list(second[0]["targets"]["e"]["difference"].values())  # type: ignore[index]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert "difference" not in first[0]["targets"]["e"]  # type: ignore[index]
