"""What notebooks show, and tables of all kinds from Python: pandas, polars, pyarrow, arrays, with their own blanks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_predict import BIRDS, HEADER, bird, write_csv
from tiny_runs import make_run

from compiler.tensors.noise import Noise
from graphspec import load
from runtime import open_predictor, open_run
from runtime.errors import DataError, RunError
from runtime.predicting.predictor import Predictor
from runtime.runs.run_folder import Run

ROWS = [bird(number) for number in range(9)]


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("birds")
    write_csv(folder / "birds.csv", [bird(number) for number in range(90)])
    (folder / "birds.yaml").write_text(BIRDS)
    return make_run(folder / "run", folder / "birds.yaml")


@pytest.fixture(scope="module")
def predictor(birds: Run) -> Predictor:
    return open_predictor(birds.folder)


def columns() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [row[name] or None for row in ROWS] for name in HEADER}
    for name in ("bill", "wing", "mass"):
        found[name] = [None if cell in (None, "unknown") else float(cell) for cell in found[name]]
    return found | {"eggs": [None if cell == "-1" else int(cell) for cell in found["eggs"]]}


def test_graphs_objectives_models_and_runs_show_themselves(birds: Run, predictor: Predictor) -> None:
    from compiler.symbolic.explanation import explain

    graphs = load(birds.spec_path)
    assert graphs._repr_svg_().startswith("<svg") and "species" in graphs._repr_svg_()
    assert open_run(birds.folder)._repr_svg_().startswith("<svg")
    told = explain(graphs)._repr_html_()
    assert told.startswith("<pre>") and "log p(species)" in told and "<mask" not in told
    shown = birds._repr_html_()
    assert "<svg" in shown and "finished" in shown and str(birds.folder) in shown
    assert predictor._repr_html_() == shown
    assert "is no run folder" in Run(Path("nowhere"))._repr_html_() or "no run" in Run(Path("nowhere"))._repr_html_()


def test_pandas_and_polars_come_back_as_what_they_were(predictor: Predictor) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    given = columns()
    frame = pandas.DataFrame(given, index=[f"bird {number}" for number in range(9)])
    frame["kind"] = frame["kind"].astype("category")
    frame["eggs"] = frame["eggs"].astype("Int64")
    frame["wing"] = frame["wing"].astype("Float64")
    frame["island"] = frame["island"].astype("string")
    frame["seen"] = pandas.to_datetime(["2026-01-01", None, *["2026-01-02"] * 7])
    found = predictor.predict(frame)
    assert list(found.index) == list(frame.index) and list(found.columns[:6]) == list(HEADER)
    plain = predictor.predict(given)
    for name in ("kind=Gentoo", "mass", "z[0]"):
        assert np.array_equal(found[name], plain[name]), name
    other = predictor.predict(polars.DataFrame(given))
    assert isinstance(other, polars.DataFrame) and np.array_equal(other["kind=Gentoo"].to_numpy(), found["kind=Gentoo"])
    assert list(predictor.impute(frame).index) == list(frame.index)
    assert len(predictor.impute(frame, draws=2)) == 18
    twice = pandas.concat([frame, frame["wing"]], axis=1)
    with pytest.raises(DataError, match="more than one column called 'wing'"):
        predictor.predict(twice)


def test_an_array_has_the_columns_that_the_run_reads(predictor: Predictor) -> None:
    array = np.array([["35.5", "190", "Dream", "2"], ["40", "200", "Biscoe", ""]])
    named = {name: array[:, place] for place, name in enumerate(("bill", "wing", "island", "eggs"))}
    assert np.array_equal(predictor.predict(array)["kind=Gentoo"], predictor.predict(named)["kind=Gentoo"])
    with pytest.raises(DataError, match=r"shape \[2, 3\] has no column names.*\[rows, 4\], bill, wing, island, eggs"):
        predictor.predict(array[:, :3])
    with pytest.raises(DataError, match="rows of different shapes"):
        predictor.predict({"bill": [[1, 2], [3]]})


def test_draws_with_values_of_their_own_for_each_row(predictor: Predictor) -> None:
    kinds = ["Gentoo", "Adelie", "Gentoo"]
    found = predictor.sample(3, given={"kind": kinds, "island": "Dream", "size": [38.0, 190.0]})
    assert list(found["kind"]) == kinds and np.allclose(found["wing"].astype(float), 190) and len(found["bill"]) == 3
    whole = predictor.sample(3, given={"size": [[38.0, 190.0], [39, 191], [40, 192]], "island": ["Dream"] * 3})
    assert np.allclose(np.asarray(whole["wing"], dtype=float), [190, 191, 192])
    for given, told in (
        ({"kind": ["Gentoo"] * 2, "island": "Dream"}, "kind: 2 values for 3 rows|species: 2 values for 3 rows"),
        ({"size": [1.0, 2, 3], "island": "Dream"}, "size has 2 elements, and 3 rows are drawn"),
        ({"kin": "Gentoo"}, "no variable or column is called 'kin'"),
        (7, "a int names nothing"),
    ):
        with pytest.raises(RunError, match=told):
            predictor.sample(3, given=given)


IRIS = """
graphspec: 1
name: flowers
variables:
  x: {role: observed, domain: real, size: 4}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 1}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: linear}}
data: {source: iris.npz, variables: {x: {column: x, standardize: true}, y: y}}
training: {epochs: 1}
"""


def test_raw_units_that_look_almost_standardized_are_refused_and_right_ones_are_not(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    np.savez(tmp_path / "iris.npz", x=x, y=y)
    (tmp_path / "iris.yaml").write_text(IRIS)
    run = make_run(tmp_path / "run", tmp_path / "iris.yaml")
    model, units = open_run(run.folder), open_predictor(run.folder).used.units["x"]
    raw = torch.tensor(x, dtype=torch.float32)

    def ask(rows: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model.predict("y", {"x": rows}, noise=Noise(0, len(rows)))

    with pytest.raises(ValueError, match="rows of 'x' are not in the units"):
        ask(raw)
    right = units.from_data(raw)
    for rows in (right, right[:1], right + 1.5, right * 3, torch.zeros(5, 4), torch.full((40, 4), 0.01)):
        assert len(ask(rows)) == len(rows)
    for one in raw[[0, 70, 140]]:
        assert len(ask(one[None])) == 1, "a single row of four numbers may be an unusual one"
    found = open_predictor(run.folder).predict(x)
    assert np.allclose(np.asarray(found["y=2"], dtype=float), ask(right)[:, 2], atol=1e-6)


def test_bytes_of_pictures_are_refused(tmp_path: Path) -> None:
    spec = IRIS.replace("domain: real, size: 4}", "domain: unit, shape: [1, 8, 8]}").replace(
        "data: {source: iris.npz, variables: {x: {column: x, standardize: true}, y: y}}",
        "data: {source: digits, variables: {x: image, y: label}}",
    )
    spec = spec.replace("classes: 3", "classes: 10").replace(
        "x: {parents: [y, z]}", "x: {parents: [y, z], distribution: bernoulli}"
    )
    (tmp_path / "digits.yaml").write_text(spec)
    model = open_run(make_run(tmp_path / "run", tmp_path / "digits.yaml").folder)
    pixels = torch.rand(6, 1, 8, 8)
    with torch.no_grad():
        assert len(model.predict("y", {"x": pixels}, noise=Noise(0, 6))) == 6
    with pytest.raises(ValueError, match="bytes of pictures are to be divided by 255"):
        model.predict("y", {"x": pixels * 255}, noise=Noise(0, 6))
