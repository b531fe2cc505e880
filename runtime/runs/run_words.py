"""A run's status, errors and temperatures in words: what a report, a model card and a notebook say of them alike.

From: plain values of a manifest, and of what `evaluate` wrote. Nothing here raises: a run may be half written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FURTHER = {
    "log_loss": "log loss",
    "calibration": "calibration error",
    "balanced_error": "balanced error",
    "macro_f1": "macro F1",
    "mae": "mean absolute error",
    "r2": "R squared",
}


@dataclass(frozen=True)
class ErrorWords:
    """One label on some rows. error: wrong answers in per cent, or a root mean square in the data's units. interval: 95
    % of it. constant: of always answering the same. further: other figures. Empty where there is none."""

    error: str
    interval: str
    constant: str
    further: str


def status_words(manifest: Mapping[str, Any]) -> str:
    """`finished: 3 of 5 epochs, the weights of epoch 2 chosen by validation error`."""
    epochs, asked = manifest.get("epochs"), manifest.get("epochs_asked")
    best, by = manifest.get("best_epoch"), manifest.get("select")
    told = str(manifest.get("status", "unknown"))
    if epochs is not None:
        told += f": {epochs} epochs" if asked is None else f": {epochs} of {asked} epochs"
    return told + (f", the weights of epoch {best} chosen by {by}" if best is not None and by else "")


def error_words(variables: Mapping[str, Mapping[str, Any]]) -> dict[str, ErrorWords]:
    """Of every label of an evaluation that rows have."""
    return {name: _error(figures) for name, figures in variables.items() if figures.get("error") is not None}


def _error(figures: Mapping[str, Any]) -> ErrorWords:
    share = "log_loss" in figures
    low, high = figures.get("interval") or (None, None)
    interval = "" if low is None or high is None else f"{_amount(low, share)} to {_amount(high, share)}"
    constant = ""
    if figures.get("majority_error") is not None:
        always = f"always {figures['majority']}" if "majority" in figures else "always the commonest"
        constant = f"{_amount(figures['majority_error'], share)} ({always})"
    error = _amount(figures["error"], share) + ("" if share else " (root mean square)")
    return ErrorWords(error, interval, constant, ", ".join(_further(figures)))


def _amount(value: float, share: bool) -> str:
    return f"{100 * value:.2f} %" if share else f"{value:.4g}"


def _further(figures: Mapping[str, Any]) -> Iterator[str]:
    for key, said in FURTHER.items():
        if isinstance(figures.get(key), (int, float)):
            yield f"{said} {figures[key]:.3g}"
    own = figures.get("calibrated") or {}
    if own.get("used"):
        yield (
            f"at the temperature {own['temperature']:.3g} log loss {own['log_loss']:.3g} and calibration error "
            f"{own['calibration']:.3g}"
        )


def temperature_words(calibration: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each label for which a temperature was fitted, as manifests have them."""
    found = []
    for name, own in calibration.items():
        value, (before, after) = f"{own['temperature']:.4g}", own["log_loss"]
        on = f"fitted on {own['rows']} validation rows (their log loss: {before:.3g} before, {after:.3g} after)"
        if own["used"]:
            found.append(
                f"predict and export tell probabilities of {name} at the temperature {value}, p^(1/{value}) normalised"
                f", {on}; the likeliest class stays"
            )
        else:
            found.append(
                f"probabilities of {name} are the model's own: no clear gain from a temperature of {value}, {on}"
            )
    return found
