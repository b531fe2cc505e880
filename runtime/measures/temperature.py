"""How sure answers may be: one temperature for each label, by rows that neither trained the model nor measure it.

Probabilities p become p^(1/T), normalised: above 1 less sure, below more; the likeliest class stays. Source: Guo et al.
2017, section 4.2. From: a model and validation rows. To: plain values, as manifests have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.model.model import Model
from graphspec.graphs.label_sets import sets_of_labels
from runtime.data import PreparedData
from runtime.measures.evaluation import measure
from runtime.measures.label_figures import Prediction
from runtime.measures.metrics import Floats, Integers, calibration_error, log_loss

FEWEST_ROWS = 100
"""Validation rows with a label below which no temperature is fitted."""
CLEAR = 3.84
"""Twice the gain in log likelihood from which on a temperature is used: 95 % of those by chance gain less."""
SHARPEST, DULLEST = 0.1, 20.0
SIMULATIONS = 300
SMALL, SURE = 0.02, 6.63
"""A calibration error that is told is larger, and another temperature gains more (by chance 1 % do)."""


@dataclass(frozen=True)
class Temperature:
    """value: of one label, fitted to so many rows; used: they tell it clearly. log_loss: of these rows, before and
    after."""

    value: float
    rows: int
    used: bool
    log_loss: tuple[float, float]

    def applied(self, probabilities: Floats) -> Floats:
        """Probabilities [..., K] as this label's answers have them."""
        return tempered(probabilities, self.value) if self.used else probabilities

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"temperature": self.value, "rows": self.rows, "used": self.used, "log_loss": list(self.log_loss)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Temperature":
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        value, (before, after) = float(plain["temperature"]), map(float, plain["log_loss"])
        if not SHARPEST <= value <= DULLEST:
            raise ValueError(f"a temperature of {value}")
        return cls(value, int(plain["rows"]), bool(plain["used"]), (before, after))


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """p^(1/T), normalised over the last axis; NaN stays NaN."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)) / temperature
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    found: Floats = (weights / weights.sum(axis=-1, keepdims=True)).astype(probabilities.dtype)
    return found


def fit_temperature(probabilities: Floats, labels: Integers, rows: int) -> Temperature:
    """The temperature at which labels [n] of some rows are likeliest under probabilities [n, K], in [0.1, 20].

    The log likelihood is concave in 1/T: its slope is halved down to a point.
    """
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    of_label = logs[np.arange(len(labels)), labels]
    low, high = 1 / DULLEST, 1 / SHARPEST
    for _ in range(60):
        middle = (low * high) ** 0.5
        expected = (tempered(probabilities, 1 / middle) * logs).sum(axis=1)
        low, high = (middle, high) if float((of_label - expected).mean()) > 0 else (low, middle)
    value = min(max(1 / (low * high) ** 0.5, SHARPEST), DULLEST)
    before, after = log_loss(probabilities, labels), log_loss(tempered(probabilities, value), labels)
    return Temperature(value, rows, 2 * rows * (before - after) > CLEAR, (before, after))


def temperatures_of(model: Model, data: PreparedData) -> dict[str, Temperature]:
    """Of each label with classes that enough validation rows have. The model's own state is left as it was."""
    graphs = model.graphs
    wanted = [
        name
        for name in graphs.supervised
        if graphs.variables[name].support is not None and name not in sets_of_labels(graphs)
    ]
    counted = {counts.name: counts.measured["validation"] for counts in data.label_counts}
    if not any(counted.get(name, 0) >= FEWEST_ROWS for name in wanted):
        return {}
    found = measure(model, data.validation, units=data.units, binarize=data.binarize).predictions
    return {
        name: fit_temperature(found[name].probabilities, found[name].labels, found[name].rows)  # type: ignore[arg-type]
        for name in wanted
        if name in found and found[name].rows >= FEWEST_ROWS
    }


def read_temperatures(manifest: Mapping[str, Any]) -> dict[str, Temperature]:
    """Of a run's manifest. Raises as `from_json` does."""
    return {name: Temperature.from_json(plain) for name, plain in (manifest.get("calibration") or {}).items()}


def calibration_figures(
    probabilities: Floats, labels: Integers, rows: int, fitted: Temperature | None
) -> dict[str, Any]:
    """`{confidence, calibration_chance, best_temperature, temperature_gain, calibrated}` of a label on some rows.

    confidence: the mean probability of what is said. calibration_chance: below it lie 95 % of the calibration errors
    that these probabilities have if every label is drawn from them (Broecker and Smith 2007). temperature_gain: twice
    the log likelihood that the best temperature of these very rows gains. calibrated: the same, log loss and
    calibration error at the run's temperature.
    """
    found: dict[str, Any] = _figures(probabilities, labels, rows)
    if fitted is not None:
        told = tempered(probabilities, fitted.value)
        figures = {"log_loss": log_loss(told, labels), "calibration": calibration_error(told, labels)}
        found["calibrated"] = {"temperature": fitted.value, "fitted_on": fitted.rows, "used": fitted.used, **figures}
        found["calibrated"] |= _figures(told, labels, rows)
    return found


def add_calibration(
    report: Mapping[str, Any], predictions: Mapping[str, Prediction], manifest: Mapping[str, Any]
) -> None:
    """Write the figures of every label with classes into a report of `measure`, at the run's temperatures too."""
    fitted = read_temperatures(manifest)
    for name, found in predictions.items():
        if found.probabilities is not None and found.rows:
            told = calibration_figures(found.probabilities, found.labels, found.rows, fitted.get(name))
            report["variables"][name] |= told


def badly_calibrated(report: Mapping[str, Any]) -> list[str]:
    """What to know of labels whose probabilities say more or less than how often they are right, beyond chance."""
    found = []
    for name, figures in report["variables"].items():
        own = figures.get("calibrated", {})
        shown = own if own.get("used") else figures
        if "calibration_chance" not in figures or not _off(shown):
            continue
        right = 1 - figures["error"]
        sure = "too sure" if shown["best_temperature"] > 1 else "not sure enough"
        where = f" at the temperature {own['temperature']:.2f}" if own.get("used") else ""
        advice = (
            f"`train` fits a temperature where {FEWEST_ROWS} validation rows have the label, data: {{validation: 0.1}}"
            if not own
            else "The validation rows do not tell it: are they rows like these?"
        )
        found.append(
            f"probabilities of {name}{where} are off, {sure}: {100 * shown['confidence']:.1f} % on average, "
            f"{100 * right:.1f} % right; calibration error {shown['calibration']:.3f}, by chance up to "
            f"{shown['calibration_chance']:.3f}. {advice}"
        )
    return found


def _off(figures: Mapping[str, Any]) -> bool:
    """The calibration error is larger than chance allows, and another temperature would clearly be likelier."""
    beyond = figures["calibration"] > max(figures["calibration_chance"], SMALL)
    return beyond and bool(figures["temperature_gain"] > SURE)


def _figures(probabilities: Floats, labels: Integers, rows: int) -> dict[str, float]:
    best = fit_temperature(probabilities, labels, rows)
    return {
        "confidence": float(probabilities.max(axis=1).mean()),
        "calibration_chance": _calibration_by_chance(probabilities),
        "best_temperature": best.value,
        "temperature_gain": 2 * rows * (best.log_loss[0] - best.log_loss[1]),
    }


def _calibration_by_chance(probabilities: Floats) -> float:
    rng = np.random.default_rng(0)
    some = probabilities[rng.permutation(len(probabilities))[:5000]]
    ends = some.cumsum(axis=1)
    errors = [
        calibration_error(some, np.minimum((rng.random((len(some), 1)) > ends).sum(axis=1), some.shape[1] - 1))
        for _ in range(SIMULATIONS if len(some) <= 2000 else 100)
    ]
    return float(np.quantile(errors, 0.95))
