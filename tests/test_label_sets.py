"""`order: unknown`: labels of elements as a set, against all permutations of the model written out."""

import math
from itertools import permutations

import pytest
import torch
from plate_twin import PlateTwin, assert_written_out
from row_noise import RowNoise
from set_specs import SPECS
from test_plates import DOUBLE, model_of, rows_for
from torch import Tensor

from compiler.emission import emit
from graphspec.graphs.label_sets import sets_of_labels
from graphspec.loading import load
from runtime.data.stream.rows import Rows
from runtime.measures.evaluation import measure


class SetTwin:
    """A row under every assignment of its labels to the elements that are there: the likeliest under q is the one."""

    def __init__(self, model, rows: dict[str, Tensor], noise) -> None:
        self.model, self.rows, self.noise = model, rows, noise
        ((self.plate, self.labels),) = sets_of_labels(model.graphs).items()
        plate = model.graphs.plates[self.plate]
        told = rows.get(plate.count)
        self.size = plate.size if told is None or bool((told == -1).any() | told.isnan().any()) else int(told.item())

    def order(self) -> tuple[int, ...]:
        """The assignment: the label of each element."""
        scored = [(self.score(self.permuted(order)), order) for order in permutations(range(self.size))]
        return max(scored, key=lambda pair: pair[0])[1]

    def permuted(self, order: tuple[int, ...]) -> dict[str, Tensor]:
        rest = range(self.size, self.model.graphs.plates[self.plate].size)
        return {n: v[:, [*order, *rest]] if n in self.labels else v for n, v in self.rows.items()}

    def score(self, rows: dict[str, Tensor]) -> float:
        """E[sum of log q] of the labels, under q of what is hidden."""
        twin = PlateTwin(self.model, rows, self.noise)
        log_g = torch.full((twin.count,), -math.log(twin.samples), dtype=DOUBLE)
        for node in twin.summed:
            log_g = log_g + twin.log_mass(node)
        nodes = [node for node in twin.labels if node[0] in self.labels]
        return round(sum((log_g.exp() * twin.log_density(twin.q[n[0]], n, "given")).sum().item() for n in nodes), 10)

    def bound(self) -> Tensor:
        twin = PlateTwin(self.model, self.permuted(self.order()), self.noise)
        labelled = len({node[1] for node in twin.labels if node[0] in self.labels})
        return twin.bound() - math.log(math.factorial(self.size) / math.factorial(self.size - labelled))

    def scored_bound(self) -> Tensor:
        """Nothing here is drawn without a gradient."""
        return self.bound()


def rows_of(model, seed: int = 0) -> dict[str, Tensor]:
    """Rows without labels, with all, with any; counts from none to all, and unknown where there are no labels."""
    rows = rows_for(model, 5, seed)
    if "k" in rows:
        rows["k"] = torch.tensor([3, 3, 2, 1, 0], dtype=DOUBLE)
        if model.graphs.variables["k"].role == "supervised":
            rows["k"][0] = -1
    return rows


CASES = [
    (n, p) for n in SPECS for p in ("fixed", "ragged", "counted") if (n, p) != ("a class above the label", "counted")
]


@pytest.mark.parametrize(("name", "plate"), CASES)
def test_value_and_gradient_are_those_of_the_best_assignment(name: str, plate: str) -> None:
    text = SPECS[name](plate)
    model = model_of(text)
    assert_written_out(model, rows_of(model), text, twin=SetTwin)


@pytest.mark.parametrize(("name", "plate"), [CASES[1], CASES[5], CASES[8], CASES[10]])
def test_the_emitted_file_assigns_them_too(name: str, plate: str) -> None:
    """`emit` runs the file beside the model and raises where value or gradient differ."""
    written = emit(load("-", text=SPECS[name](plate)))
    assert "best_assignment(" in written and "log_orders(" in written


def test_their_order_in_a_row_changes_nothing() -> None:
    model = model_of(SPECS["a walk above two labels"]("ragged"))
    rows = rows_of(model)
    mixed = {n: v[:, [1, 0, 2]] if n in ("crop", "y") else v for n, v in rows.items()}
    keep = rows["k"] > 1  # of a single element the label is the first one's
    found, other = (model.bound(each, noise=RowNoise(3, range(5)))[keep] for each in (rows, mixed))
    torch.testing.assert_close(found, other, atol=1e-12, rtol=0)


def test_draws_and_means_given_labels_have_them_where_they_belong() -> None:
    model = model_of(SPECS["a draw above the label"]("ragged"))
    rows = rows_of(model)
    noise = RowNoise(3, range(5))
    places = model.label_places(rows, noise=noise)["y"]
    orders = [SetTwin(model, {n: v[r : r + 1] for n, v in rows.items()}, RowNoise(3, [r])).order() for r in range(5)]
    for row, order in enumerate(orders):
        told, meant = (
            rows["y"][row][torch.as_tensor(each, dtype=torch.long)].tolist()
            for each in (places[row][: len(order)], order)
        )
        assert told == meant
    there = torch.arange(3) < rows["k"][:, None]
    expected = torch.where(there & (rows["y"].gather(1, places) >= 0), rows["y"].gather(1, places), -1)
    for found in (model.posterior_means(rows, noise=noise)["y"], model.infer(rows, noise=noise)["y"][0]):
        given = expected >= 0
        assert torch.equal(found[given].long(), expected[given])


def test_errors_are_counted_after_the_assignment() -> None:
    """q that knows every element, labels told in any order: no error, and every set right."""
    text = SPECS["exact labels of elements, latents below"]("ragged")
    model = model_of(text)
    rows = rows_of(model)
    answers = model.predict("y", {n: v for n, v in rows.items() if n != "y"}, noise=RowNoise(3, range(5))).argmax(-1)
    there = torch.arange(3) < rows["k"][:, None]
    rows["y"] = torch.where(there, answers, -1)
    for row, count in enumerate(rows["k"].int().tolist()):
        rows["y"][row, :count] = rows["y"][row, :count].flip(0)
    report = measure(model, Rows(rows, torch.arange(5)), batch_size=2).report
    assert report["variables"]["y"]["error"] == 0 and report["variables"]["y"]["sets_right"] == 1
    rows["y"][0, 0] = (rows["y"][0, 0] + 1) % 3
    report = measure(model, Rows(rows, torch.arange(5)), batch_size=2).report
    assert report["variables"]["y"]["error"] > 0 and report["variables"]["y"]["sets_right"] == 0.75
