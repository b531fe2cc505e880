"""scikit-learn's own checks of our estimators, and what its users do with them."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from graphspec.diagnostics import SpecError
from runtime import GraphspecClassifier, GraphspecRegressor, GraphspecTransformer

SHORT = {"training.epochs": 1}
LONGER = {"check_classifiers_train": 8, "check_regressors_train": 20}
"""Checks that look at what was learned, and the epochs that this takes."""
_SINGLE = (
    "weights are float32: the sums of one row differ in the seventh digit with the rows beside it; the check has 1e-7"
)
UNLIKE = {
    "GraphspecClassifier": dict.fromkeys(
        ("check_methods_subset_invariance", "check_methods_sample_order_invariance"), _SINGLE
    ),
    "GraphspecRegressor": {"check_methods_subset_invariance": _SINGLE},
}
"""Checks that an estimator need not pass, and why."""


def own_checks() -> Iterator[Any]:
    """All checks of the classifier; of the others, which share its code, those that are of their kind only. (The rest
    of them: `-m slow`.)"""
    for kind in (GraphspecClassifier, GraphspecRegressor, GraphspecTransformer):
        for estimator, check in estimator_checks_generator(kind(overrides=SHORT)):
            name = check.func.__name__
            marks = [pytest.mark.xfail(reason=why)] if (why := UNLIKE.get(kind.__name__, {}).get(name)) else []
            if kind is not GraphspecClassifier and not any(
                word in name for word in ("regressor", "transform", "pickle")
            ):
                marks.append(pytest.mark.slow)
            yield pytest.param(estimator, check, marks=marks, id=f"{kind.__name__}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(own_checks()))
def test_scikit_learns_own_checks(estimator: BaseEstimator, check: Any) -> None:
    epochs = LONGER.get(check.func.__name__)
    check(estimator if epochs is None else estimator.set_params(**{"training.epochs": epochs}))


X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names
FLOWERS = """
graphspec: 1
name: flowers
variables:
  x: {role: observed, domain: real, size: 4}
  y: {role: supervised, domain: category, names: [virginica, setosa, versicolor]}
  z: {role: latent, domain: real, size: 1}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: linear}}
objective: {alpha: 10}
training: {epochs: 15, batch_size: 25, learning_rate: 0.02, select: last}
"""
CLASSES = ["setosa", "versicolor", "virginica"]


def few_labels(y: Any, blank: Any, keep: int = 30) -> np.ndarray:
    kept = np.random.default_rng(0).permutation(len(y))[:keep]
    found = np.full(len(y), blank, dtype=object)
    found[kept] = np.asarray(y, dtype=object)[kept]
    return found


def test_labels_may_be_texts_floats_and_blank_in_several_ways() -> None:
    short = GraphspecClassifier(FLOWERS, random_state=1)
    texts = NAMES[Y]
    told = [
        short.fit(X, few_labels(texts, blank)).predict_proba(X) for blank in (None, np.nan, "")
    ]  # fmt: skip
    assert list(short.classes_) == CLASSES and np.array_equal(told[0], told[1]) and np.array_equal(told[0], told[2])
    assert short.score(X, texts) > 0.85 and short.score(X, few_labels(texts, None)) > 0.8
    assert set(short.predict(X)) <= set(CLASSES) and np.allclose(told[0].sum(1), 1)
    plain = FLOWERS.replace("names: [virginica, setosa, versicolor]", "classes: 3")
    numbers = GraphspecClassifier(plain, random_state=1).fit(X, few_labels(Y, -1).astype(int))
    assert numbers.classes_.tolist() == [0, 1, 2] and numbers.score(X, Y) > 0.8
    floats = GraphspecClassifier(plain, random_state=1).fit(X, few_labels(Y, np.nan).astype(float))
    assert floats.classes_.dtype == float and np.array_equal(floats.predict_proba(X), numbers.predict_proba(X))


def test_minus_one_is_a_class_beside_plus_one_alone_and_that_is_told() -> None:
    y = np.where(Y == 0, -1, 1)
    with pytest.warns(UserWarning, match="taken as two classes"):
        two = GraphspecClassifier(overrides=SHORT).fit(X, y)
    assert two.classes_.tolist() == [-1, 1]
    zero = GraphspecClassifier(overrides=SHORT).fit(X, np.where(Y == 0, -1, Y))
    assert zero.classes_.tolist() == [1, 2]
    for y in (np.full(150, -1), np.full(150, np.nan), np.full(150, None)):
        with pytest.raises(ValueError, match="y has no label in any row"):
            GraphspecClassifier(overrides=SHORT).fit(X, y)


def test_a_class_without_a_label_keeps_its_column() -> None:
    texts = NAMES[Y]
    without = np.where(texts == "setosa", None, texts)
    with pytest.warns(UserWarning, match="no row has class setosa"):
        named = GraphspecClassifier(FLOWERS, overrides=SHORT).fit(X, without)
    assert list(named.classes_) == CLASSES and named.predict_proba(X).shape == (150, 3)
    recipe = GraphspecClassifier(overrides=SHORT, classes=CLASSES).fit(X[Y != 1], texts[Y != 1])
    assert list(recipe.classes_) == CLASSES and recipe.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match="y has the class 'setosa', which is not among classes="):
        GraphspecClassifier(overrides=SHORT, classes=CLASSES[1:]).fit(X, texts)
    in_order = GraphspecClassifier(overrides=SHORT, classes=[0, 1, 2]).fit(X, Y)
    folds = cross_val_predict(in_order, X, Y, cv=KFold(3), method="predict_proba")  # each fold lacks a class
    assert folds.shape == (150, 3)
    plain = FLOWERS.replace("names: [virginica, setosa, versicolor]", "classes: 3")
    with pytest.raises(ValueError, match="classes= tells those that no row has"):
        GraphspecClassifier(plain, overrides=SHORT).fit(X, without)


def test_in_pipelines_cross_validation_and_grids_over_fields_of_the_spec() -> None:
    pipeline = make_pipeline(StandardScaler(), GraphspecClassifier(FLOWERS))
    assert cross_val_score(pipeline, X, NAMES[Y], cv=StratifiedKFold(2, shuffle=True, random_state=0)).min() > 0.8
    grid = GridSearchCV(GraphspecClassifier(FLOWERS), {"training.epochs": [1, 15]}, cv=2).fit(X, NAMES[Y])
    assert grid.best_params_ == {"training.epochs": 15}
    assert clone(grid.best_estimator_).overrides == {"training.epochs": 15}
    with pytest.raises(SpecError, match="epoch"):
        GraphspecClassifier(FLOWERS).set_params(**{"training.epoch": 1}).fit(X, NAMES[Y])
    with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
        GraphspecClassifier(FLOWERS).set_params(epochs=1)


def test_a_pickle_holds_the_run_or_where_it_is(tmp_path: Path) -> None:
    own = GraphspecRegressor(overrides=SHORT).fit(X[:, :3], X[:, 3])
    expected, folder = own.predict(X[:, :3]), Path(own.run_)
    copy = pickle.dumps(own)
    assert folder.is_dir()
    del own
    assert not folder.exists(), "a temporary run goes with its estimator"
    assert np.array_equal(pickle.loads(copy).predict(X[:, :3]), expected)
    kept = GraphspecRegressor(overrides=SHORT, out=tmp_path / "run").fit(X[:, :3], X[:, 3])
    assert len(pickle.dumps(kept)) < 5000 and (tmp_path / "run" / "manifest.json").is_file()
    assert np.array_equal(pickle.loads(pickle.dumps(kept)).predict(X[:, :3]), kept.predict(X[:, :3]))


def test_data_frames_bring_their_names_and_classes(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"]).astype({"a": "float32"})
    frame["kind"] = pandas.Categorical(np.where(X[:, 0] > 5.8, "tall", "small"))
    frame["wet"] = X[:, 1] > 3
    frame.loc[3, "b"] = np.nan
    frame.loc[4, "kind"] = None
    recipe = GraphspecClassifier(overrides={"training.epochs": 15}).fit(frame, NAMES[Y])
    assert recipe.score(frame, NAMES[Y]) > 0.8 and recipe.feature_names_in_.tolist() == [*"abcd", "kind", "wet"]
    strange = frame.assign(kind="giant")
    blank = frame.assign(kind=pandas.Series([None] * 150, dtype=object))
    assert np.array_equal(recipe.predict_proba(strange), recipe.predict_proba(blank))
    with pytest.raises(ValueError, match="feature names"):
        recipe.predict(frame[[*"bacd", "kind", "wet"]])
    (tmp_path / "own.yaml").write_text(
        FLOWERS
        + "data: {source: no.csv, test: 0.3, variables: {x: {columns: [d, a, b, c], standardize: true}, y: species}}\n"
    )
    numbers = pandas.DataFrame(X, columns=[*"abcd"])
    by_name = GraphspecClassifier(tmp_path / "own.yaml").fit(numbers, NAMES[Y])
    turned = GraphspecClassifier(tmp_path / "own.yaml").fit(X[:, [3, 0, 1, 2]], NAMES[Y])
    assert np.allclose(by_name.predict_proba(numbers), turned.predict_proba(X[:, [3, 0, 1, 2]]))


def test_specs_as_dictionaries_and_what_does_not_fit_is_told() -> None:
    tree = yaml.safe_load(FLOWERS)
    as_text, as_tree = (GraphspecClassifier(spec, overrides=SHORT).fit(X, NAMES[Y]) for spec in (FLOWERS, tree))
    assert np.array_equal(as_text.predict_proba(X), as_tree.predict_proba(X))
    for spec, y, told in (
        (FLOWERS, NAMES[Y], "X has 3 columns, and the spec's observed variables have 4 elements: x 4"),
        ("nowhere.yaml", NAMES[Y], "spec='nowhere.yaml' is no file"),
        (FLOWERS.replace("role: supervised", "role: latent"), Y, "has no supervised variable"),
    ):
        with pytest.raises(ValueError, match=told):
            GraphspecClassifier(spec, overrides=SHORT).fit(X[:, :3], y)
    with pytest.raises(ValueError, match="and y the classes a, b, c, d, e"):
        GraphspecClassifier(FLOWERS, overrides=SHORT).fit(X, np.array([*"abcde"])[np.arange(150) % 5])
    with pytest.raises(ValueError, match="has the domain category, and this estimator answers numbers"):
        GraphspecRegressor(FLOWERS, overrides=SHORT).fit(X, X[:, 0])
    with pytest.raises(SpecError, match="parnts"):
        GraphspecClassifier(FLOWERS.replace("parents: [y, z]", "parnts: [y, z]")).fit(X, NAMES[Y])


def test_a_transformer_gives_the_means_of_latents() -> None:
    found = GraphspecTransformer(FLOWERS, overrides=SHORT).fit(X, few_labels(NAMES[Y], None))
    assert found.transform(X).shape == (150, 1) and found.get_feature_names_out().tolist() == ["z[0]"]
    alone = GraphspecTransformer(overrides=SHORT).set_output(transform="default").fit_transform(X)
    assert alone.shape == (150, 3) and np.isfinite(alone).all()


def test_numbers_without_a_label_teach_nothing_wrong() -> None:
    y = np.where(np.arange(150) % 3 == 0, X[:, 3], np.nan)
    found = GraphspecRegressor(overrides={"training.epochs": 40}).fit(X[:, :3], y)
    assert found.score(X[:, :3], X[:, 3]) > 0.8 and found.score(X[:, :3], y) > 0.8
    with pytest.raises(ValueError, match="y has no label in any row"):
        GraphspecRegressor(overrides=SHORT).fit(X, np.full(150, np.nan))
