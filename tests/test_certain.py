"""Functions of discrete variables, and elements of a plate that are summed together."""

import pytest
import torch
from certain_specs import CertainSpecDraw, agreeing_rows
from plate_twin import PlateTwin
from row_noise import RowNoise
from test_plates import DOUBLE, gradients, model_of

ROWS = 4


def compare(text: str, seed: int = 0) -> None:
    """Value and gradient are those of the model written out, all joint values one by one."""
    model = model_of(text, seed)
    rows = agreeing_rows(model, ROWS, seed)
    found = model.bound(rows, noise=RowNoise(3, range(ROWS)))
    expected = torch.stack([
        PlateTwin(model, {n: v[row : row + 1] for n, v in rows.items()}, RowNoise(3, [row])).bound()
        for row in range(ROWS)
    ])  # fmt: skip
    scale = torch.arange(1, ROWS + 1, dtype=DOUBLE)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-11, msg=lambda said: f"{said}\n{text}")
    mine, theirs = gradients(found @ scale, model), gradients(expected @ scale, model)
    torch.testing.assert_close(mine, theirs, atol=1e-8, rtol=1e-9, msg=lambda said: f"{said}\n{text}")


@pytest.mark.parametrize("seed", range(60))
def test_value_and_gradient_are_those_of_the_model_written_out(seed: int) -> None:
    compare(CertainSpecDraw(seed).text(), seed)
