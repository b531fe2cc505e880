"""Whatever stands where no element is, rows are what their elements say: specs that ship, with walks, fused grus and exact
chains among them, questions and answers included.

What users of other tools met: padding in densities and in the last steps' marginals, NaN that a mask lets through to a
gradient, lengths that only scale a loss, states of steps that are not there, rows longer than any in training, rows of
length zero.
"""

from pathlib import Path

import pytest
import torch
from plate_twin import gradients
from row_noise import RowNoise
from test_plates import DOUBLE
from test_ragged_plates import ragged_rows, with_cells_of_absent_elements
from torch import Tensor

from compiler import Model, compile_spec
from graphspec.loading import load

SPECS = Path(__file__).parents[1] / "specs"
RAGGED = ("deep-markov", "hmm", "hmm-labels", "item-response", "visits", "vrnn")
LENGTHS = (3, 0, 5, 1)
LONGEST = max(LENGTHS)
Rows = dict[str, Tensor]


def shipped(name: str) -> Model:
    """The spec's model as it begins, in double precision."""
    return compile_spec(load(SPECS / f"{name}.yaml"), dtype=DOUBLE)


def rows_of(model: Model, room: int | None = None) -> Rows:
    """Random rows of LENGTHS, of a model with one plate; `room` places each, or as many as the plate has."""
    (plate,) = model.graphs.plates.values()
    assert plate.count is not None
    rows = ragged_rows(model, len(LENGTHS))
    rows[plate.count] = torch.tensor(LENGTHS, dtype=DOUBLE)
    return {name: cells[:, :room] if model.graphs.variables[name].plates else cells for name, cells in rows.items()}


def there(model: Model, rows: Rows) -> Tensor:
    """[rows, size] which elements there are."""
    (plate,) = model.graphs.plates.values()
    return torch.arange(plate.size) < rows[str(plate.count)][:, None]


def answers(model: Model, rows: Rows) -> dict[str, Tensor]:
    """Everything that is answered of rows, by name: densities, labels, hidden values, rows made like them."""
    noise = RowNoise(5, range(len(LENGTHS)))
    unlabelled = {name: cells for name, cells in rows.items() if name not in model.graphs.supervised}
    drawn = {name: draws[0] for name, draws in model.infer(rows, noise=noise).items()}
    found = {f"p of {k}": v for k, v in model.log_prob("generative", rows | drawn).items()}
    found |= {f"label {name}": model.predict(name, unlabelled, noise=noise) for name in model.graphs.supervised}
    found |= {f"mean of {k}": v for k, v in model.posterior_means(unlabelled, noise=noise).items()}
    given = {name: rows[name] for name in model.graphs.observed if name not in model.graphs.generative}
    return found | {f"made {k}": v for k, v in model.generate(given, len(LENGTHS), noise=noise).items()}


@pytest.mark.parametrize("name", RAGGED)
def test_padding_of_any_content_changes_no_value_gradient_or_answer(name: str) -> None:
    model = shipped(name)
    rows, noise = rows_of(model), RowNoise(3, range(len(LENGTHS)))
    expected, kept = model.bound(rows, noise=noise), answers(model, rows)
    slopes = gradients(expected.sum(), model)
    assert expected.isfinite().all() and slopes.isfinite().all()
    for cell in (torch.nan, 1e30):
        others = with_cells_of_absent_elements(model, rows, cell)
        found = model.bound(others, noise=noise)
        assert torch.equal(found, expected)
        torch.testing.assert_close(gradients(found.sum(), model), slopes, atol=0, rtol=0)
        for what, answer in answers(model, others).items():
            torch.testing.assert_close(answer, kept[what], atol=0, rtol=0, equal_nan=True, msg=what)


@pytest.mark.parametrize("name", RAGGED)
def test_a_row_is_what_it_is_alone_in_no_more_room_than_it_needs(name: str) -> None:
    model = shipped(name)
    rows = rows_of(model)
    whole = model.bound(rows, noise=RowNoise(3, range(len(LENGTHS))))
    for row, length in enumerate(LENGTHS):
        alone = {n: cells[row : row + 1] for n, cells in rows_of(model, max(length, 1)).items()}
        torch.testing.assert_close(
            model.bound(alone, noise=RowNoise(3, [row])), whole[row : row + 1], atol=1e-10, rtol=0
        )


@pytest.mark.parametrize("name", RAGGED)
def test_nothing_is_answered_where_no_element_is_and_something_wherever_one_is(name: str) -> None:
    """A row of length zero among them. No term of an element enters its bound."""
    model = shipped(name)
    rows = rows_of(model)
    here, seen = there(model, rows), set()
    for what, answer in answers(model, rows).items():
        variable = model.graphs.variables[what.split()[-1]]
        if what.startswith("p of"):
            assert answer.isfinite().all() and (not variable.plates or answer[LENGTHS.index(0)] == 0), what
        elif variable.plates:
            cells = answer.reshape(*here.shape, -1)
            blank = cells.isnan() if answer.is_floating_point() else cells == -1
            assert torch.equal(~blank, here[..., None].expand_as(blank)), what
            seen.add(variable.name)
        else:
            assert answer.isfinite().all(), what
    assert seen
