"""Forty plain questions, each with the query that it is and its right answer, or the words with which it is refused.

The answers come from sums over every value (`BruteForce`) and from closed forms (`Birds`), not from the queries' code.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from query_specs import BruteForce, ask, ask_one
from question_models import Birds, birds, clinic
from scipy.stats import norm

from compiler.tensors.noise import Noise
from runtime.predicting.used_run import UsedRun
from runtime.querying.grammar import QueryError

Figures = dict[str, dict[str, Any]]
ADELIE, GENTOO, CHINSTRAP = range(3)
NO, YES = range(2)
DRAWS = 4000


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> tuple[UsedRun, BruteForce]:
    used = clinic(tmp_path_factory.mktemp("clinic"))
    return used, BruteForce(used.model)


@pytest.fixture(scope="module")
def flock(tmp_path_factory: pytest.TempPathFactory) -> tuple[UsedRun, Birds]:
    used = birds(tmp_path_factory.mktemp("birds"))
    return used, Birds(used)


class Asked(NamedTuple):
    """A question in plain words, its query (or two, and what the second has more), and the figures of its targets."""

    words: str
    query: str | tuple[str, str]
    answer: Callable[[Any], Figures]
    by: str | None = None


def agrees(found: dict[str, Any], expected: Figures) -> None:
    """Exact figures to 1e-9, drawn ones within five standard errors (of sd: within a twentieth)."""
    assert list(found) == list(expected)
    for name, figures in expected.items():
        told = found[name]
        for key, value in figures.items():
            own = told[key]
            spread = told["difference_se" if key == "difference" else "se"]
            if isinstance(own, dict):
                own, spread = list(own.values()), list(spread.values())
            if key == "sd":
                assert own == pytest.approx(value, rel=1e-6 if told["exact"] else 0.05, abs=1e-6), (name, key)
            else:
                bound = 5 * np.asarray(spread) + 1e-9 * (1 + np.abs(value))
                assert (np.abs(np.asarray(own) - value) <= bound).all(), (name, key, own, value)


def shares(name: str, facts: dict[str, int], do: dict[str, int] | None = None) -> Callable[[BruteForce], Figures]:
    """The probabilities of a variable's classes."""
    return lambda brute: {name: {"probabilities": brute.posterior(name, facts, do)}}


def counterfactual(name: str, facts: dict[str, int], do: dict[str, int]) -> Callable[[BruteForce], Figures]:
    return lambda brute: {name: {"probabilities": brute.counterfactual(name, facts, do)}}


def apart(name: str, first: Callable[[BruteForce], Figures], second: Callable[[BruteForce], Figures]) -> Any:
    """The second's probabilities and how they differ from the first's."""

    def answer(brute: BruteForce) -> Figures:
        one, two = (each(brute)[name]["probabilities"] for each in (first, second))
        return {name: {"probabilities": two, "difference": two - one}}

    return answer


def event(brute: BruteForce, facts: dict[str, int], above: int) -> float:
    """P(visits > above)."""
    return float(brute.posterior("visits", facts)[above + 1 :].sum())


def given_a_range(brute: BruteForce) -> np.ndarray:
    """P(smoker | visits >= 1), by Bayes' rule."""
    each = [1 - brute.posterior("visits", {"smoker": value})[0] for value in (NO, YES)]
    both = np.array(each) * brute.posterior("smoker", {})
    return np.asarray(both / both.sum())


def read(brute: BruteForce) -> Figures:
    """q(recovered | pain=strong, visits=2), as recognition says it."""
    import torch

    rows = {"pain": torch.tensor([2]), "visits": torch.tensor([2.0], dtype=torch.float64)}
    with torch.no_grad():
        told = brute.model.predict("recovered", rows, noise=Noise(0, 1))
    return {"recovered": {"probabilities": told[0].numpy()}}


TOOK, LEFT = {"drug": YES}, {"drug": NO}
CLINIC = [
    Asked("how many recover", "recovered", shares("recovered", {})),
    Asked("how many smokers recover", "recovered | smoker=yes", shares("recovered", {"smoker": YES})),
    Asked(
        "and of old people who took the drug",
        "recovered | age=old, drug=yes",
        shares("recovered", {"age": 1, "drug": YES}),
    ),
    Asked("one recovered: did they take it", "drug | recovered=yes", shares("drug", {"recovered": YES})),
    Asked(
        "one has strong pain after recovering: a smoker",
        "smoker | pain=strong, recovered=yes",
        shares("smoker", {"pain": 2, "recovered": YES}),
        by="generative",
    ),
    Asked(
        "do those who take it fare better",
        ("recovered | drug=no", "recovered | drug=yes"),
        apart("recovered", shares("recovered", LEFT), shares("recovered", TOOK)),
    ),
    Asked("would all who took it", "recovered | do(drug=yes)", shares("recovered", {}, TOOK)),
    Asked(
        "is that the drug or who takes it",
        ("recovered | drug=yes", "recovered | do(drug=yes)"),
        apart("recovered", shares("recovered", TOOK), shares("recovered", {}, TOOK)),
    ),
    Asked(
        "if smokers had to take it",
        "recovered | smoker=yes, do(drug=yes)",
        shares("recovered", {"smoker": YES}, TOOK),
    ),
    Asked(
        "she took it and is still ill: had she not",
        "recovered | drug=yes, recovered=no, do(drug=no)",
        counterfactual("recovered", {"drug": YES, "recovered": NO}, LEFT),
    ),
    Asked(
        "how often would she come, who came twice, had she not",
        "visits | drug=yes, visits=2, do(drug=no)",
        counterfactual("visits", {"drug": YES, "visits": 2}, LEFT),
    ),
    Asked(
        "she took it and is well: had she taken it",
        "recovered | drug=yes, recovered=yes, do(drug=yes)",
        lambda _: {"recovered": {"probabilities": [0, 1]}},
    ),
    Asked(
        "does it help to take the pain away",
        ("recovered", "recovered | do(pain=none)"),
        apart("recovered", shares("recovered", {}), shares("recovered", {})),
    ),
    Asked(
        "both at once: all old, all on the drug", "pain | do(age=old, drug=yes)", shares("pain", {}, {"age": 1, **TOOK})
    ),
    Asked(
        "how often do the well come",
        "visits | recovered=yes",
        shares("visits", {"recovered": YES}),
    ),
    Asked(
        "how many come more than once",
        "visits > 1 | recovered=yes",
        lambda brute: {"visits > 1": {"probability": event(brute, {"recovered": YES}, 1)}},
    ),
    Asked(
        "one came at least once: a smoker",
        "smoker | visits >= 1",
        lambda brute: {"smoker": {"probabilities": given_a_range(brute)}},
    ),
    Asked(
        "how likely is strong pain, and four more things in one go",
        "pain=strong, age, smoker | visits=3",
        lambda brute: {
            "pain = strong": {"probability": brute.posterior("pain", {"visits": 3})[2]},
            "age": {"probabilities": brute.posterior("age", {"visits": 3})},
            "smoker": {"probabilities": brute.posterior("smoker", {"visits": 3})},
        },
    ),
    Asked("what does my model say of a new patient", "recovered | pain=strong, visits=2", read),
    Asked(
        "and what do its own assumptions say",
        "recovered | pain=strong, visits=2",
        shares("recovered", {"pain": 2, "visits": 2}),
        by="generative",
    ),
]


@pytest.mark.parametrize("asked", CLINIC, ids=[each.words for each in CLINIC])
def test_of_patients(patients: tuple[UsedRun, BruteForce], asked: Asked) -> None:
    used, brute = patients
    queries = (asked.query,) if isinstance(asked.query, str) else asked.query
    found: Any = ask(used, *queries, by=asked.by)[-1][0]
    agrees(found["targets"], asked.answer(brute))
    assert all(figure["exact"] for figure in found["targets"].values())


def bayes(likelihood: np.ndarray) -> Figures:
    return {"species": {"probabilities": likelihood / likelihood.sum()}}


def between(flock: Birds, low: float, high: float) -> np.ndarray:
    return np.asarray(norm.cdf(high, flock.masses(), flock.mass_sd) - norm.cdf(low, flock.masses(), flock.mass_sd))


def mass_from_bill(flock: Birds) -> Figures:
    """A normal times a normal."""
    slope, noise = flock.per_gram, flock.bill_spread**2
    precision = flock.mass_sd**-2 + slope**2 / noise
    told = slope * (45 - flock.bill(ADELIE, 0)) / noise
    return {"mass": {"mean": (flock.mass(ADELIE) / flock.mass_sd**2 + told) / precision, "sd": precision**-0.5}}


def size_from_all(flock: Birds) -> Figures:
    precision = 1 + (flock.per_size / flock.bill_sd) ** 2
    mean = flock.per_size * (44 - flock.bill(ADELIE, 4000)) / flock.bill_sd**2 / precision
    return {"size[0]": {"mean": mean, "sd": precision**-0.5}}


def spread_over(means: np.ndarray, sd: float) -> dict[str, float]:
    """Of an even mixture."""
    return {"mean": float(means.mean()), "sd": float(np.hypot(sd, means.std()))}


BIRDS = [
    Asked(
        "what does a Gentoo weigh",
        "mass | species=Gentoo, year=0.5",
        lambda flock: {"mass": {"mean": flock.mass(GENTOO), "sd": flock.mass_sd}},
    ),
    Asked(
        "how many Gentoos weigh over 5 kg",
        "mass_g > 5000 | species=Gentoo, year=0.5",
        lambda flock: {"mass_g > 5000": {"probability": norm.sf(5000, flock.mass(GENTOO), flock.mass_sd)}},
    ),
    Asked(
        "what does a bird weigh", "mass | year=0.5", lambda flock: {"mass": spread_over(flock.masses(), flock.mass_sd)}
    ),
    Asked(
        "how much more does a Gentoo weigh",
        ("mass | species=Adelie, year=0.5", "mass | species=Gentoo, year=0.5"),
        lambda flock: {"mass": {"difference": flock.mass(GENTOO) - flock.mass(ADELIE)}},
    ),
    Asked(
        "which kind weighs 4,300 grams",
        "species | mass=4300, year=0.5",
        lambda flock: bayes(norm.pdf(4300, flock.masses(), flock.mass_sd)),
        by="generative",
    ),
    Asked(
        "of which kind are those over 5 kg",
        "species | mass > 5000, year=0.5",
        lambda flock: bayes(norm.sf(5000, flock.masses(), flock.mass_sd)),
    ),
    Asked(
        "and those of 4 to 4.8 kg",
        "species | mass > 4000, mass < 4800, year=0.5",
        lambda flock: bayes(between(flock, 4000, 4800)),
    ),
    Asked(
        "how long a bill has an Adelie of 4 kg",
        "bill | mass=4000, species=Adelie, year=0.5",
        lambda flock: {"bill": {"mean": flock.bill(ADELIE, 4000), "sd": flock.bill_spread}},
        by="generative",
    ),
    Asked(
        "what does an Adelie with a bill of 45 mm weigh",
        "mass | bill=45, species=Adelie, year=0.5",
        mass_from_bill,
    ),
    Asked(
        "what hidden size speaks from its measures",
        "size | mass=4000, bill=44, species=Adelie, year=0.5",
        size_from_all,
        by="generative",
    ),
    Asked(
        "this Adelie of 4 kg, were it a Gentoo",
        "mass | species=Adelie, mass=4000, year=0.5, do(species=Gentoo)",
        lambda flock: {"mass": {"mean": 4000 + flock.mass(GENTOO) - flock.mass(ADELIE), "sd": 0}},
    ),
    Asked(
        "its bill, were it fed half a kilogram more",
        "bill | species=Adelie, mass=4000, bill=44, year=0.5, do(mass=4500)",
        lambda flock: {"bill": {"mean": 44 + 500 * flock.per_gram, "sd": 0}},
    ),
    Asked(
        "the bills of birds that are all fed to 4.5 kg",
        "bill | year=0.5, do(mass=4500)",
        lambda flock: {"bill": spread_over(np.array([flock.bill(each, 4500) for each in range(3)]), flock.bill_spread)},
    ),
    Asked(
        "what this bird would have weighed a quarter earlier",
        "mass | species=Adelie, mass=4000, year=0.5, do(year=0.25)",
        lambda flock: {"mass": {"mean": 4000 - 0.25 * flock.per_year, "sd": 0}},
    ),
]


@pytest.mark.parametrize("asked", BIRDS, ids=[each.words for each in BIRDS])
def test_of_birds(flock: tuple[UsedRun, Birds], asked: Asked) -> None:
    used, closed = flock
    queries = (asked.query,) if isinstance(asked.query, str) else asked.query
    found: Any = ask(used, *queries, by=asked.by, draws=DRAWS)[-1][0]
    agrees(found["targets"], asked.answer(closed))


REFUSED = [
    ("what is the average of mass and bill", "mean(mass, bill) | year=0.5", "functions of targets are not supported"),
    ("how much heavier in grams than long in mm", "mass - bill | year=0.5", "functions of targets are not supported"),
    ("I am 70 % sure that it is a Gentoo", "mass | species ~ 0.7, year=0.5", "for soft evidence ask each value"),
    ("what if it weighed over 5 kg", "bill | year=0.5, do(mass > 5000)", "do() sets one value"),
    ("in which year was it seen", "year | species=Gentoo", "year is conditioned on, never modelled"),
    ("what does a Gentoo weigh, any year", "mass | species=Gentoo", "p conditions on year, which is not given"),
    ("how many weigh exactly 4 kg", "mass = 4000 | year=0.5", "mass is continuous: ask mass > 4000"),
    ("which kinds come after Gentoo", "species > Gentoo | year=0.5", "species has no order: ask species=NAME"),
    ("what does an emperor penguin weigh", "mass | species=Emperor, year=0.5", "'Emperor' is not a value of species"),
    ("were it an emperor penguin", "mass | year=0.5, do(species=Emperor)", "'Emperor' is not a value of species"),
    ("what does a Gentoo weigh, misspelt", "mass | spceies=Gentoo, year=0.5", "did you mean species?"),
    ("the mass of a bird of 4 kg", "mass | mass=4000, year=0.5", "mass is given: nothing to ask"),
    ("the kind of a bird made a Gentoo", "species | year=0.5, do(species=Gentoo)", "species is set by do()"),
    ("my birds, without saying which", "species | mass, bill, year", "add --rows FILE, or give mass=VALUE"),
]


@pytest.mark.parametrize(("query", "words"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_refused(flock: tuple[UsedRun, Birds], query: str, words: str) -> None:
    with pytest.raises(QueryError) as found:
        ask_one(flock[0], query)
    assert words in found.value.message


def test_there_are_forty_different_ones() -> None:
    every = [each.words for each in (*CLINIC, *BIRDS)] + [each[0] for each in REFUSED]
    assert len({*every}) == len(every) >= 40


def test_what_goes_together_and_what_is_likeliest(patients: tuple[UsedRun, BruteForce]) -> None:
    """The table of two by brute force, the likeliest pair first."""
    used, brute = patients
    found: Any = ask_one(used, "visits, pain | age=old", joint=True)["joint"]
    joint = np.exp(sum(brute.log.values()))
    table = brute.masked({"age": 1}, joint)
    others = tuple(place for place, name in enumerate(brute.names) if name not in ("visits", "pain"))
    expected = table.sum(others) / table.sum()
    if brute.axis("visits") > brute.axis("pain"):
        expected = expected.T
    for line in found["table"]:
        visits, pain = int(line["values"][0]), ["none", "mild", "strong"].index(line["values"][1])
        assert line["probability"] == pytest.approx(expected[visits, pain], abs=1e-9)
    assert found["table"][0]["probability"] == pytest.approx(expected.max(), abs=1e-9)


def test_do_heavy_birds_have_long_bills(flock: tuple[UsedRun, Birds]) -> None:
    """Joint draws of two measures, their covariance in closed form."""
    used, closed = flock
    found: Any = ask_one(used, "mass, bill | species=Gentoo, year=0.5", joint=True, draws=DRAWS)["joint"]
    drawn = np.cov(np.array(found["draws"]).T)
    expected = closed.per_gram * closed.mass_sd**2
    error = closed.mass_sd * np.hypot(closed.bill_spread, closed.per_gram * closed.mass_sd) / DRAWS**0.5
    assert drawn[0, 1] == pytest.approx(expected, abs=5 * error)
    assert abs(expected) > 10 * error, "they hang together"


def test_my_file_line_by_line(patients: tuple[UsedRun, BruteForce], tmp_path: Path) -> None:
    """Columns in another order and more of them, a label that is blank; and the average of all."""
    used, brute = patients
    lines = ["note,recovered,drug,age", "x,yes,no,old", "y,,yes,young", "z,,,old"]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    (found,) = ask(used, "recovered | drug, age", rows=str(tmp_path / "mine.csv"))
    facts: list[dict[str, int]] = [{"drug": NO, "age": 1}, {"drug": YES, "age": 0}, {"age": 1}]
    for row, (answer, each) in enumerate(zip(found, facts, strict=True)):
        assert answer["row"] == row
        agrees(answer["targets"], {"recovered": {"probabilities": brute.posterior("recovered", each)}})  # type: ignore[arg-type]


def test_the_blanks_of_my_file(patients: tuple[UsedRun, BruteForce], tmp_path: Path) -> None:
    """A target that is a fact: what a row has it keeps, what it lacks is answered."""
    used, brute = patients
    (tmp_path / "mine.csv").write_text("drug,smoker\nyes,no\n,yes\n")
    (found,) = ask(used, "drug | drug, smoker", rows=str(tmp_path / "mine.csv"))
    expected = [[0, 1], brute.posterior("drug", {"smoker": YES})]
    for answer, each in zip(found, expected, strict=True):
        agrees(answer["targets"], {"drug": {"probabilities": each}})  # type: ignore[arg-type]
