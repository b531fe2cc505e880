"""Numbers and schedules of objective and training: signs, exponential ends, changes that outlast the training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from graphspec.language import NumberOrSchedule, OverRho, Schedule, Spec, TotalCorrelation
from graphspec.rules.declared import allowed
from graphspec.text.report import Report

Sign = Literal["weight", "positive", "rate"]
SIGNS: dict[Sign, str] = {
    "weight": "a weight is 0 or more",
    "positive": "it must stay above 0",
    "rate": "it is above 0, or falls to 0",
}


@dataclass(frozen=True)
class Number:
    """One number of the spec that may vary in time: where it stands, what it is called, which sign it may have."""

    path: tuple[str, ...]
    title: str
    value: NumberOrSchedule
    sign: Sign

    @property
    def schedule(self) -> Schedule | None:
        """The change in time, None for a plain number."""
        return self.value if isinstance(self.value, Schedule) else None

    def ends(self) -> tuple[float, ...]:
        """The extremes: both ends of a schedule (every shape is monotone in between), or the number itself."""
        return (self.value.start, self.value.to) if isinstance(self.value, Schedule) else (self.value,)


def numbers(spec: Spec) -> Iterator[Number]:
    """Every number that may vary in time, in the order of the language."""
    objective = spec.objective
    yield from _alphas(spec)
    for name, beta in objective.beta.items():
        path = ("objective", "beta", name)
        if isinstance(beta, TotalCorrelation):
            for part in ("total_correlation", "mutual_information", "dimension_wise"):
                yield Number((*path, part), part, getattr(beta, part), "weight")
        else:
            yield Number(path, "beta", beta, "weight")
    for name, bits in objective.free_bits.items():
        yield Number(("objective", "free_bits", name), "free_bits", bits, "weight")
    for name, estimator in objective.estimators.items():
        place = ("objective", "estimators", name, "temperature")
        yield Number(place, "temperature", estimator.temperature, "positive")
    for name, consistency in objective.consistency.items():
        yield Number(("objective", "consistency", name, "weight"), "weight", consistency.weight, "weight")
    yield Number(("training", "learning_rate"), "learning_rate", spec.training.learning_rate, "rate")


def _alphas(spec: Spec) -> Iterator[Number]:
    alpha = spec.objective.alpha
    path = ("objective", "alpha")
    written = {(*path, name): one for name, one in alpha.items()} if isinstance(alpha, dict) else {path: alpha}
    for place, one in written.items():
        yield Number(place, "alpha", one.over_rho if isinstance(one, OverRho) else one, "weight")


def check_numbers(spec: Spec, report: Report) -> None:
    """GS074 signs, GS075 exponential schedules through zero, GS110 changes that the training never finishes."""
    for number in numbers(spec):
        if not _has_legal_sign(number):
            report.error("GS074", number.path, _sign_message(number), hint=SIGNS[number.sign])
        elif number.schedule is not None:
            _check_schedule(number, number.schedule, spec, report)


def _has_legal_sign(number: Number) -> bool:
    ends = number.ends()
    legal = {"weight": min(ends) >= 0, "positive": min(ends) > 0, "rate": min(ends) >= 0 and max(ends) > 0}
    return legal[number.sign]


def _sign_message(number: Number) -> str:
    shown = " to ".join(f"{end:g}" for end in number.ends())
    return f"{number.title} cannot be {shown}"


def _check_schedule(number: Number, schedule: Schedule, spec: Spec, report: Report) -> None:
    if schedule.shape == "exponential" and min(number.ends()) <= 0:
        which = "from" if schedule.start <= 0 else "to"
        message = f"an exponential change never reaches 0, and `{which}` is {min(number.ends()):g}"
        hint = "use `shape: linear` or `cosine`, or a small number above 0"
        report.error("GS075", (*number.path, which), message, hint=hint)
    end, epochs = schedule.begin + schedule.epochs, spec.training.epochs
    if end > epochs and not any(allowed(spec, name, "GS110") for name in number.path[2:3]):
        message = f"this change ends after epoch {end:g}, and training has {epochs} epochs"
        hint = "it will stop part of the way: shorten `begin` + `epochs`, or train longer"
        report.warning("GS110", number.path, message, hint=hint)
