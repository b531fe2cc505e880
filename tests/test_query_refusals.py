"""Queries as people mistype them: each is refused in words, with a caret under the place, before anything is drawn."""

from pathlib import Path

import numpy as np
import pytest
from query_specs import ask, ask_one, used_run

from runtime.errors import DataError, RunError
from runtime.predicting.used_run import UsedRun
from runtime.querying import query_sizes
from runtime.querying.answer_writing import text_answers
from runtime.querying.asking import Asking, Questions
from runtime.querying.grammar import QueryError, parse_query

SPEC = """
graphspec: 1
name: clinic
variables:
  age: {role: observed, domain: real}
  measures: {role: observed, domain: real, size: 2, missing: true}
  visits: {role: observed, domain: count, max: 5, missing: true}
  pressure: {role: observed, domain: positive}
  genes: {role: observed, domain: real, size: 70}
  drug: {role: supervised, domain: category, names: [no, yes]}
  segment: {role: supervised, domain: category, names: [retail, it's, ">50K", East End, "west (old)", "a, b"]}
  recovered: {role: supervised, domain: category, names: [no, yes]}
  z: {role: latent, domain: real, size: 2}
  w: {role: latent, domain: direction, size: 2}
  h: {role: deterministic, size: 3}
generative:
  z: {}
  w: {}
  h: {parents: [drug, z]}
  segment: {}
  drug: {parents: [age]}
  measures: {parents: [h, drug]}
  visits: {parents: [drug, segment]}
  pressure: {parents: [drug, w]}
  genes: {parents: [z]}
  recovered: {parents: [drug, z]}
recognition:
  drug: {parents: [measures, age]}
  segment: {parents: [visits]}
  recovered: {parents: [measures, drug]}
  z: {parents: [measures, drug, genes]}
  w: {parents: [pressure, drug]}
networks: {default: {kind: linear}}
data:
  source: rows.csv
  variables:
    age: age
    measures: {columns: [bill_mm, mass_g], standardize: true}
    visits: visits
    pressure: {column: pressure, standardize: true}
    genes: {columns: "gene*"}
    drug: drug
    segment: site
    recovered: recovered
training: {epochs: 1}
"""


def table(rows: int = 40) -> str:
    rng = np.random.default_rng(0)
    names = [
        "age",
        "bill_mm",
        "mass_g",
        "visits",
        "pressure",
        *(f"gene{i}" for i in range(70)),
        "drug",
        "site",
        "recovered",
    ]
    lines = [",".join(names)]
    for row in range(rows):
        numbers = [
            f"{rng.normal():.3f}",
            f"{rng.normal(40, 3):.1f}",
            f"{rng.normal(4000, 300):.0f}",
            str(rng.integers(6)),
        ]
        numbers += [f"{rng.uniform(100, 180):.0f}", *(f"{v:.2f}" for v in rng.normal(size=70))]
        site = ("retail", "it's", ">50K", "East End", "west (old)", '"a, b"')[row % 6]
        lines.append(",".join([*numbers, rng.choice(["no", "yes"]), site, rng.choice(["no", "yes"])]))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> UsedRun:
    return used_run(tmp_path_factory.mktemp("clinic"), SPEC, table())


REFUSED = [
    ("recovered | druk=yes", "no variable or column 'druk': did you mean drug?", "druk"),
    ("recovered | drug=maybe", "'maybe' is not a value of drug: no, yes", "maybe"),
    ("recovered | visits=2.5", "2.5 is not a value of visits: whole numbers 0 to 5", "2.5"),
    ("recovered | mass_g=high", "'high' is not a number", "high"),
    ("recovered | pressure=-3", "-3 is not a value of pressure: numbers above 0", "-3"),
    ("z[2] | drug=yes", "z has 2 elements: z[0] to z[1]", "z[2]"),
    ("drug | measures=5", "measures has 2 elements: give bill_mm=.., mass_g=..", "measures"),
    ("recovered | drug", "drug is taken from rows: add --rows FILE, or give drug=VALUE", "drug"),
    ("recovered | drug=yes, drug=no", "drug is given twice (given once and set once is a counterfactual)", "drug"),
    ("recovered | do(drug=yes), do(drug=no)", "drug is set twice", "drug"),
    ("drug | drug=yes", "drug is given: nothing to ask", "drug"),
    ("drug | do(drug=yes)", "drug is set by do(): nothing to ask", "drug"),
    ("drug | recovered=yes", "p conditions on age, which is not given: add age=VALUE, or age with --rows", ""),
    ("age | drug=yes", "age is conditioned on, never modelled: it has no distribution", "age"),
    ("drug | age > 50", "age is conditioned on, never modelled: it has no distribution", "age"),
    ("drug | h=1", "h is computed from drug, z: give those", "h"),
    ("drug | do(h=1)", "h is computed: do() sets variables that have a distribution", "h"),
    ("segment > retail | age=1", "segment has no order: ask segment=NAME", "segment"),
    ("pressure = 140 | age=1", "pressure is continuous: ask pressure > 140", "pressure"),
    ("drug | do(visits > 3)", "do() sets one value", "visits > 3"),
    ("drug | recovered ~ 0.7", "for soft evidence ask each value and weigh the answers", "recovered ~ 0.7"),
    ("mean(pressure) | age=1", "functions of targets are not supported", "mean"),
    ("mass_g - bill_mm | age=1", "functions of targets are not supported", "mass_g - bill_mm"),
    ("drug | ", "expected a name after |", ""),
    (" | age=1", "expected a name before |", "|"),
    ("drug | age=1 | visits=2", "one bar only", "|"),
    ("drug | site='East", "the quote is not closed", "'"),
    ("drug | age=1) ", "put names with , | ( ) in quotes", ")"),
    ("drug | age=", "expected a value after =", ""),
    ("genes | age=1", "genes has 70 elements", "genes"),
    ("drug | z", "z is latent, no row has it: give z[0]=VALUE", "z"),
    ("drug | w[0]=1, age=1", "the elements of w are drawn together: give all of w", "w[0]"),
    ("z[x] | age=1", "an index is a whole number from 0, or last", "x"),
    ("drug[0] | age=1", "drug is one value: it takes no index", "drug[0]"),
    ("do(drug=yes) | age=1", "do() stands behind |", "do"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "words", "place"), REFUSED, ids=[query for query, _, _ in REFUSED])
def test_refused(clinic: UsedRun, query: str, words: str, place: str) -> None:
    with pytest.raises(QueryError) as found:
        ask_one(clinic, query)
    assert words in found.value.message
    start, end = found.value.place
    assert place in query[start:end] if place else True
    line, carets = found.value.message.splitlines()[-2:]
    assert line.strip() == query.strip() and carets.strip("^ ") == "" and "^" in carets


def test_a_joint_table_is_not_too_large(clinic: UsedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_sizes, "MOST_ENTRIES", 100)
    with pytest.raises(QueryError, match="the joint table has 144 cells, at most 100: ask for fewer targets"):
        ask_one(clinic, "segment, drug, recovered, visits, site=retail | age=1", joint=True)


def test_rows_that_nothing_takes_from(clinic: UsedRun) -> None:
    with pytest.raises(QueryError, match="the query takes nothing from --rows: name what is given"):
        ask(clinic, "recovered | drug=yes", rows="test")


def test_blanks_where_none_may_be(clinic: UsedRun, tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("age,bill_mm\n1,40\n,41\n")
    with pytest.raises(DataError, match="row 1: age is blank, and age may not be"):
        ask(clinic, "drug | age", rows=str(path))
    with pytest.raises(DataError, match="no column 'mass_g', which the query takes from rows"):
        ask(clinic, "drug | age=1, measures", rows=str(path))
    found = ask(clinic, "drug | bill_mm, age=1", rows=str(path))
    assert [row["row"] for row in found[0]] == [0, 1]


def test_names_that_need_no_quotes() -> None:
    parsed = parse_query('y | site=East End, segment=it\'s, income=>50K, \'a, b\'="say ""it""", place=\'west (old)\'')
    assert [(t.item.name, t.sign, t.value) for t in parsed.facts] == [
        ("site", "=", "East End"), ("segment", "=", "it's"), ("income", "=", ">50K"), ("a, b", "=", 'say "it"'),
        ("place", "=", "west (old)"),
    ]  # fmt: skip


def test_names_values_and_indices(clinic: UsedRun) -> None:
    found = ask_one(clinic, "site=>50K, site=it's, mass_g, z[last], visits <= 2 | age=0.1, drug=yes")
    assert list(found["targets"]) == ["site = >50K", "site = it's", "mass_g", "z[1]", "visits <= 2"]  # type: ignore[call-overload]


def test_impossible_facts(tmp_path: Path) -> None:
    spec = """
graphspec: 1
name: sums
variables:
  x: {role: observed, domain: binary}
  s: {role: supervised, domain: count, max: 40}
  a: {role: supervised, domain: category, classes: 3}
generative: {a: {}, x: {parents: [a]}, s: {parents: [a], distribution: certain, network: {kind: sum}}}
recognition: {a: {parents: [x]}, s: {parents: [a], distribution: certain, network: {kind: sum}}}
networks: {default: {kind: linear}}
data: {source: rows.csv, variables: {x: x, s: s, a: a}}
training: {epochs: 1}
"""
    used = used_run(tmp_path, spec, "x,s,a\n" + "".join(f"{row // 2 % 2},{row % 3},{row % 3}\n" for row in range(12)))
    with pytest.raises(RunError, match=r"the model holds these facts impossible: s=30 \(log probability -inf\)"):
        ask_whole(used, "a | s=30")
    found = ask_one(used, "a | s=2", by="generative")
    assert found["targets"]["a"]["probabilities"]["2"] == 1  # type: ignore[index]


def ask_whole(used: UsedRun, query: str) -> list[str]:
    return text_answers(Questions(used, [query], None, Asking(by="generative"))).splitlines()


def test_too_few_effective_draws(clinic: UsedRun) -> None:
    found = ask_one(clinic, "z | gene0=90, age=0.1", draws=20)
    assert "effective draws of 20: give all of genes, fewer facts, or more --draws" in str(found["refused"])
    assert found["targets"] == {}
