"""What readers of a manifest rely on, wherever it comes from: of what kind each fact is, down to the last number.

Not here: what a manifest says (`training.loop.manifest`), what the facts mean.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.errors import RunError
from runtime.runs.records import DAMAGED


class _Scale(BaseModel):
    model_config = ConfigDict(strict=True)

    mean: list[float]
    std: list[float]
    logarithm: bool = False


class _Facts(BaseModel):
    """Older and interrupted runs lack some of them; others may stand beside them."""

    model_config = ConfigDict(strict=True)

    status: str | None = None
    spec: str | None = None
    select: str | None = None
    profile: str | None = None
    fingerprint: str | None = None
    source: str | None = None
    epochs: int | None = None
    epochs_asked: int | None = None
    step: int | None = None
    best_epoch: int | None = None
    wall_seconds: float | None = None
    examples_per_second: float | None = None
    time_shares: dict[str, float | None] | None = None
    rows: dict[str, int] | None = None
    labelled: dict[str, list[int]] | None = None
    validation: list[int] | None = None
    test: list[int] | None = None
    units: dict[str, _Scale] | None = None
    class_names: dict[str, list[str]] | None = None
    starts: dict[str, dict[str, Any]] | None = None
    columns: dict[str, list[str]] | None = None
    seen: dict[str, dict[str, Any]] | None = None
    starts_from: list[dict[str, Any]] | None = None
    choices: dict[str, str | None] | None = None
    given: dict[str, Any] | None = None
    calibration: dict[str, dict[str, Any]] | None = None
    versions: dict[str, str] | None = None
    diverged: dict[str, Any] | None = None
    command: list[str] | None = None
    resumed: list[dict[str, Any]] | None = None


def refuse_damaged_facts(plain: Mapping[str, Any], file: Path) -> None:
    """RunError that names the first fact of a manifest in `file` that is not what its readers take it for."""
    try:
        _Facts.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        value = "missing" if first["type"] == "missing" else json.dumps(first["input"])[:60]
        raise RunError(f"{file} is damaged: {place} is {value}", DAMAGED) from None
