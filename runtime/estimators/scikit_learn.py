"""Estimators with scikit-learn's manners: `GraphspecClassifier`, `GraphspecRegressor`, `GraphspecTransformer`.

They take a spec (or the recipe of `graphspec new --from` for X and y), train it on X and what y tells, and answer from
the run: in pipelines, cross-validation and grid searches, also over fields of the spec.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from compiler import compile_spec
from graphspec.loading import load
from runtime.estimators.fitted_run import FittedRun, OwnFolder, write_rows
from runtime.estimators.given_columns import GivenColumns, columns_of_array, columns_of_frame, has_columns_of_texts
from runtime.estimators.given_labels import GivenLabels, classes_of, numbers_of
from runtime.estimators.spec_for_rows import ReadAs, Spec, SpecForRows, own_spec, starter
from runtime.predicting.row_answers import Answer, AskedFor
from runtime.training.loop.fitting import fit as train

Array = NDArray[Any]


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What all three have in common.

    spec: the path of a spec, its text, or a dictionary; None: the recipe of `graphspec new --from` for X and y.
    overrides: fields of the spec, {"training.epochs": 20}; `set_params` takes them by themselves, so that grids do:
    {"training.epochs": [20, 60]}. label: which supervised variable y is, where there are several. random_state: the
    training's seed; None leaves the spec's. out: a folder for the run (of each fit anew: it must not be there); None:
    one that goes with the estimator. device: auto, cpu, cuda. verbose: tell of the training.

    After `fit`: run_ (the run's folder), n_features_in_, feature_names_in_. A pickle holds the run's files, or, with
    `out`, where they are.
    """

    def __init__(
        self,
        spec: Spec = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        label: str | None = None,
        random_state: int | None = None,
        out: str | Path | None = None,
        device: str = "cpu",
        allow_python: bool = False,
        verbose: bool = False,
    ) -> None:
        self.spec = spec
        self.overrides = overrides
        self.label = label
        self.random_state = random_state
        self.out = out
        self.device = device
        self.allow_python = allow_python
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """As every estimator; a name with a dot is a field of the spec, and goes into `overrides`."""
        fields = {name: value for name, value in params.items() if "." in name}
        super().set_params(**{name: value for name, value in params.items() if name not in fields})
        if fields:
            self.overrides = {**(self.overrides or {}), **fields}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _columns(self, X: Any, *, first: bool) -> GivenColumns:
        """X, checked as scikit-learn checks it. first: it is what the estimator is fitted to."""
        if has_columns_of_texts(X):
            validate_data(self, X, reset=first, skip_check_array=True)
            if first and len(X) < 2:
                raise ValueError(f"Found array with {len(X)} sample(s), and two at least are needed")
            return columns_of_frame(X)
        array = validate_data(
            self, X, reset=first, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2 if first else 1
        )
        return columns_of_array(array, getattr(self, "feature_names_in_", None))

    def _fit(self, given: GivenColumns, labels: GivenLabels | Array | None) -> SpecForRows:
        own = OwnFolder()
        source = own.path / "rows.npz"
        if self.spec is None:
            made, self._read_as = starter(given, labels, source), ReadAs()
        else:
            made, self._read_as = own_spec(self.spec, given, labels, self.label, source)
        write_rows(source, made.arrays)
        graphs = load(made.name, [*made.overrides, *self._settings()], text=made.text)
        for warning in graphs.warnings if self.spec is not None else ():
            warnings.warn(f"{warning.code}: {warning.message}", UserWarning, stacklevel=4)
        model = compile_spec(graphs, seed=graphs.spec.training.seed, allow_python=self.allow_python)
        folder = own.path / "run" if self.out is None else Path(self.out)
        train(model, out=folder, device=self.device, progress=self.verbose)
        source.unlink()
        self._label = made.label or ""
        kept = own if self.out is None else None
        self._fitted = FittedRun(folder, kept, self.device, self.allow_python, model)
        self.run_ = str(folder)
        return made

    def _settings(self) -> list[str]:
        asked = dict(self.overrides or {})
        if self.random_state is not None:
            asked.setdefault("training.seed", int(self.random_state))
        return [f"{name}={_as_yaml(value)}" for name, value in asked.items()]

    def _answers(self, X: Any, asked: AskedFor) -> Mapping[str, Answer]:
        check_is_fitted(self)
        given = self._columns(X, first=False)
        return self._fitted.answers(self._read_as.arrays(given), asked)


def _as_yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value.item() if isinstance(value, np.generic) else value, default_flow_style=True)
    return text.removesuffix("...\n").strip().replace("\n", " ")


class GraphspecClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A label of classes, answered by a graph, learned from rows with and without it.

    classes: all there are, where y may lack some (a fold, say): `predict_proba` has a column for each, in the order of
    `classes_`, which is sorted. Classes that the spec names are there anyway. In y, NaN, None and, unless y holds only
    -1 and 1 (two classes then, with a warning), -1 mean that a row has no label.
    Other parameters: `_Estimator`. Raises SpecError, DataError or ValueError, with what was expected and what came.
    """

    def __init__(
        self,
        spec: Spec = None,
        *,
        overrides: Mapping[str, Any] | None = None,
        label: str | None = None,
        classes: Sequence[Any] | None = None,
        random_state: int | None = None,
        out: str | Path | None = None,
        device: str = "cpu",
        allow_python: bool = False,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            spec, overrides=overrides, label=label, random_state=random_state, out=out, device=device,
            allow_python=allow_python, verbose=verbose,
        )  # fmt: skip
        self.classes = classes

    def fit(self, X: Any, y: Any) -> Self:
        """Train. X [N, columns]: numbers, or a data frame with columns of any kind; NaN for blanks. y: [N]."""
        given = self._columns(X, first=True)
        labels = classes_of(_targets(self, given, y), self.classes)
        made = self._fit(given, labels)
        assert made.classes is not None and made.places is not None, "labels of classes have places"
        self.classes_, self._places = made.classes, made.places
        return self

    def predict_proba(self, X: Any) -> Array:
        """[N, classes], columns in the order of `classes_`."""
        answer = self._answers(X, AskedFor("none"))[self._label]
        assert answer.probabilities is not None, "classes have probabilities"
        chosen = answer.probabilities[:, 0, self._places].astype(np.float64)
        found: Array = chosen / chosen.sum(1, keepdims=True)
        return found

    def predict(self, X: Any) -> Array:
        """[N] the likeliest class of each row."""
        likeliest = self.predict_proba(X).argmax(1)
        found: Array = self.classes_[likeliest]
        return found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of right answers among rows whose label y tells."""
        y = np.asarray(y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            known = classes_of(y, None).given
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        return float(accuracy_score(y[known], self.predict(X)[known], sample_weight=weights))


class GraphspecRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A number, answered by a graph (its mean), learned from rows with and without it: in y, NaN and None mean that a
    row has none. Parameters: `_Estimator`."""

    def fit(self, X: Any, y: Any) -> Self:
        """Train. X [N, columns]: numbers, or a data frame with columns of any kind; NaN for blanks. y: [N]."""
        given = self._columns(X, first=True)
        self._fit(given, numbers_of(_targets(self, given, y)))
        return self

    def predict(self, X: Any) -> Array:
        """[N] the mean of each row's number."""
        answer = self._answers(X, AskedFor("none"))[self._label]
        found: Array = answer.best[:, 0].astype(np.float64)
        return found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 over rows whose number y tells."""
        numbers = numbers_of(np.asarray(y))
        known = ~np.isnan(numbers)
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        return float(r2_score(numbers[known], self.predict(X)[known], sample_weight=weights))


class GraphspecTransformer(TransformerMixin, _Estimator):  # type: ignore[misc]
    """The means of a graph's latents, learned from X, and from y where it is given: classes where they are texts or
    whole numbers, as for `GraphspecClassifier`, else numbers. Parameters: `_Estimator`."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train. X [N, columns]; y: None, or [N] with NaN or None where a row has no label."""
        given = self._columns(X, first=True)
        labels: GivenLabels | Array | None = None
        if y is not None and self.spec is not None:
            targets = np.asarray(y, dtype=object) if isinstance(y, list) else np.asarray(y)
            check_consistent_length(targets, X)
            labels = classes_of(targets, None) if _are_classes(targets) else numbers_of(targets)
        self._fit(given, labels)
        return self

    def transform(self, X: Any) -> Array:
        """[N, elements of latents], in the order of the spec; of a discrete latent its likeliest value."""
        answers = self._answers(X, AskedFor("mean"))
        names = self._fitted.used.graphs.latent
        found: Array = np.concatenate([answers[name].best for name in names], axis=1).astype(np.float64)
        return found

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Names of the columns of `transform`, `z[0]` and so on."""
        check_is_fitted(self)
        used = self._fitted.used
        return np.array([each for name in used.graphs.latent for each in used.elements(name)], dtype=object)


def _targets(estimator: _Estimator, given: GivenColumns, y: Any) -> Array:
    """y [N], as long as X. Raises ValueError, in scikit-learn's words."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")
    plain = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else y
    found: Array = column_or_1d(plain, warn=True)
    if found.dtype == object:
        found = np.array(found.tolist(), dtype=object)
    if len(found) != given.rows:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {[given.rows, len(found)]}")
    if isinstance(estimator, ClassifierMixin) and found.dtype.kind in "fc":
        if np.isinf(found).any():
            raise ValueError("Input y contains infinity or a value too large: write NaN where a row has no label")
        check_classification_targets(found[~np.isnan(found)])
    return found


def _are_classes(y: Array) -> bool:
    cells = [cell for cell in y.tolist() if isinstance(cell, int | float) and cell == cell]
    return len(cells) < sum(cell is not None and cell == cell for cell in y.tolist()) or all(
        float(cell).is_integer() for cell in cells
    )
