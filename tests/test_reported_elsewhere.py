"""What users of other tools reported of queries, and must not meet here; of predictions, exports and scikit-learn the
same stands in test_predict.py, test_export.py and test_scikit_learn.py."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from query_specs import ask, ask_one, used_run
from question_models import clinic

from compiler.tensors.noise import Noise
from runtime.errors import DataError
from runtime.predicting.used_run import UsedRun
from runtime.querying.answer_writing import text_answers
from runtime.querying.asking import Asking, Questions
from runtime.querying.grammar import QueryError

MANY = 17
SWITCHES = f"""
graphspec: 1
name: switches
variables:
  kind: {{role: supervised, domain: category, names: [a, b]}}
  s: {{role: observed, domain: binary, size: {MANY}}}
generative: {{kind: {{}}, s: {{parents: [kind]}}}}
recognition: {{kind: {{parents: [s]}}}}
networks: {{default: {{kind: linear}}}}
data: {{source: rows.csv, variables: {{kind: kind, s: {{columns: "s*"}}}}}}
training: {{epochs: 1}}
"""


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> UsedRun:
    return clinic(tmp_path_factory.mktemp("clinic"))


@pytest.fixture(scope="module")
def switches(tmp_path_factory: pytest.TempPathFactory) -> UsedRun:
    rng = np.random.default_rng(0)
    lines = [",".join(["kind", *(f"s{number}" for number in range(MANY))])]
    lines += [",".join(["ab"[row % 2], *map(str, rng.integers(0, 2, MANY))]) for row in range(20)]
    return used_run(tmp_path_factory.mktemp("switches"), SWITCHES, "\n".join(lines) + "\n", strength=1.5)


def test_seventeen_variables_are_answered_each_by_itself(switches: UsedRun) -> None:
    """Marginals are a sum over the class; the joint table of all is refused with its size, that of a few is not."""
    found: Any = ask_one(switches, "s, kind | s0=1")["targets"]
    model = switches.double_model
    _, _, (logits,) = model.family_at(model.graphs.generative["s"], {"kind": torch.arange(2)}, Noise(0, 2))
    on = torch.sigmoid(logits.detach()).numpy()
    share = on[:, 0] / on[:, 0].sum()
    assert list(found["kind"]["probabilities"].values()) == pytest.approx(share, abs=1e-9)
    for element in range(1, MANY):
        assert found[f"s{element}"]["probabilities"]["1"] == pytest.approx(float(share @ on[:, element]), abs=1e-9)
    with pytest.raises(QueryError, match="the joint table has 131,072 cells, at most 65,536: ask for fewer targets"):
        ask_one(switches, "s", joint=True)
    few: Any = ask_one(switches, "s0, s1, s2, s3", joint=True)["joint"]
    assert len(few["table"]) == 16


def test_a_range_of_one_of_many_is_a_fact_of_the_rest(switches: UsedRun) -> None:
    """s3 > 0 is s3=1, whatever else reads it or does not."""
    ranged, given = (ask_one(switches, f"kind, s5 | {fact}", by="generative") for fact in ("s3 > 0", "s3=1"))
    for name in ("kind", "s5"):
        one, other = (list(each["targets"][name]["probabilities"].values()) for each in (ranged, given))  # type: ignore[index]
        assert one == pytest.approx(other, abs=1e-9)
    assert ranged["log_evidence"] == pytest.approx(given["log_evidence"], abs=1e-9)


def test_facts_that_are_all_but_impossible_have_an_answer_and_its_log_probability(tmp_path: Path) -> None:
    """exp(-5000) is 0 in float64: sums run in logs. Bayes' rule of two classes of one unit spread in closed form."""
    spec = """
graphspec: 1
name: far
variables:
  x: {role: observed, domain: real}
  y: {role: supervised, domain: category, classes: 2}
generative: {y: {}, x: {parents: [y], parameters: {scale: 1}}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: linear}}
data: {source: rows.csv, variables: {x: x, y: y}}
training: {epochs: 1}
"""
    used = used_run(tmp_path, spec, "x,y\n" + "".join(f"{row / 10},{row % 2}\n" for row in range(20)))
    model = used.double_model
    _, _, (loc, _) = model.family_at(model.graphs.generative["x"], {"y": torch.arange(2)}, Noise(0, 2))
    logs = -0.5 * (100 - loc.detach().numpy()) ** 2 - 0.5 * math.log(2 * math.pi) - math.log(2)
    found: Any = ask_one(used, "y | x=100", by="generative")
    assert found["log_evidence"] < -4000
    assert found["log_evidence"] == pytest.approx(np.logaddexp(*logs), abs=1e-9 * 5000)
    expected = 1 / (1 + np.exp(logs[0] - logs[1]))
    assert found["targets"]["y"]["probabilities"]["1"] == pytest.approx(expected, abs=1e-9)
    assert "log probability of what is given" in text_answers(
        Questions(used, ["y | x=100"], None, Asking(by="generative"))
    )


OUTSIDE = [
    ("recovered | do(drug=maybe)", "'maybe' is not a value of drug: no, yes"),
    ("recovered | do(drug=2)", "'2' is not a value of drug: no, yes"),
    ("recovered | do(visits=4)", "4 is not a value of visits: whole numbers 0 to 3"),
    ("recovered | do(visits=1.5)", "1.5 is not a value of visits: whole numbers 0 to 3"),
    ("recovered | do(visits=-1)", "-1 is not a value of visits: whole numbers 0 to 3"),
    ("recovered | do(visits=nan)", "not a"),
]


@pytest.mark.parametrize(("query", "words"), OUTSIDE, ids=[each[0] for each in OUTSIDE])
def test_nothing_is_set_outside_its_domain(patients: UsedRun, query: str, words: str) -> None:
    with pytest.raises(QueryError) as found:
        ask_one(patients, query)
    assert words in found.value.message


def test_a_class_of_a_row_that_training_never_saw(patients: UsedRun, tmp_path: Path) -> None:
    """A blank where it may be one, counted in a line; an error with row, column and value where not."""
    (tmp_path / "new.csv").write_text("drug,pain\nyes,mild\nperhaps,none\n")
    questions = Questions(patients, ["recovered | drug"], str(tmp_path / "new.csv"), Asking())
    said = list[str]()
    answers = [answer for part in questions.answers(said.append) for answer in part[0]]
    alone: Any = ask_one(patients, "recovered")["targets"]["recovered"]["probabilities"]  # type: ignore[index]
    told = answers[1].figures["recovered"].values["probabilities"]
    assert told == pytest.approx(list(alone.values()), abs=1e-9)
    assert any("1 cell of 2 taken as blank" in note and "perhaps" in note for note in said)
    (tmp_path / "odd.csv").write_text("pain\nmild\nawful\n")
    with pytest.raises(DataError, match="column 'pain', row 1: 'awful' is no value of pain"):
        ask(patients, "recovered | pain", rows=str(tmp_path / "odd.csv"), by="generative")
