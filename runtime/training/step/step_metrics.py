"""What a training step has to tell, kept on the device until somebody reads it: loss, terms, what went wrong first.

Reading back a number makes the host wait for the device, so steps only add; the bar reads about twice a second. On the
CPU, where a step of a small model costs what its calls cost, several steps are added up by the same calls.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from runtime.training.step.step_numbers import StepNumbers, in_order

STEPS_AT_ONCE = 16
"""Steps that wait, on the CPU, until they are added up together."""
NO_WEIGHTS: Mapping[str, Tensor] = MappingProxyType({})
MeterState = tuple[Mapping[str, Tensor], Mapping[str, Any]]
"""Tensors and plain values that hold all of a meter."""


@dataclass(frozen=True)
class StepInfo:
    """Means since the epoch began: loss and terms in nats per row, effective samples per label; bad terms if any."""

    loss: float
    terms: dict[str, float] = field(default_factory=dict)
    effective_samples: dict[str, float] = field(default_factory=dict)
    broken: bool = False
    culprits: tuple[str, ...] = ()


@dataclass(frozen=True)
class FirstBad:
    """The first step of an epoch (counted from 1) with rows whose bound was not finite: rows [n], positions in the
    training rows; of: how many rows this process had in that step."""

    step: int
    rows: Tensor
    of: int


class Meter:
    """Sums over the steps of one epoch.

    A term is NaN by design for rows whose pattern lacks it; such rows count neither in its mean nor as a mistake. A
    term is at fault where a row's bound is not finite and the term is infinite there, or NaN although the same
    stream of rows (unlabelled, labelled) had it before.
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._samples: tuple[str, ...] = ()
        self._tensors: dict[str, Tensor] = {}
        self._count = 0
        self._waiting: list[StepNumbers] = []
        self._lately: list[tuple[int, tuple[Tensor, Tensor]]] = []
        """(step, (positions, which of them had no finite bound)) of bad steps; of all where looking would wait."""

    @torch.no_grad()
    def add(
        self,
        loss: Tensor,
        bound: Tensor,
        terms: Mapping[str, Tensor],
        effective: Mapping[str, Tensor],
        weights: Tensor,
        unlabelled: int,
        own_weights: Mapping[str, Tensor] = NO_WEIGHTS,
        positions: Tensor | None = None,
    ) -> None:
        """One step. bound, weights and each term: [B], unlabelled rows first; `unlabelled` is how many those are.

        own_weights: {term: [B]} of terms that weigh rows in their own way. positions: [B] in the training rows, for
        `first_bad`.
        """
        self._make_room(tuple(terms), tuple(effective), bound)
        self._count += 1
        named = [own_weights.get(name, weights) for name in self._names] if own_weights else []
        step = StepNumbers(
            self._count,
            loss.detach(),
            bound.detach(),
            in_order(self._names, terms, bound),
            torch.stack(named) if named else weights,
            weights,
            in_order(self._samples, effective, bound) if self._samples else None,
            unlabelled,
            positions,
        )
        if self._waiting and not step.fits(self._waiting[0]):
            self._add_up()
        self._waiting.append(step)
        if len(self._waiting) == STEPS_AT_ONCE or bound.device.type != "cpu":
            self._add_up()

    @torch.no_grad()
    def _add_up(self) -> None:
        """The steps that wait, whose sums come to the same bits however many wait."""
        steps, self._waiting = self._waiting, []
        if not steps:
            return
        store, unlabelled = self._tensors, steps[0].unlabelled
        values = torch.stack([step.values for step in steps])
        counted = torch.stack([step.counted for step in steps])
        counted = counted.unsqueeze(1) if counted.dim() == 2 else counted
        added = {
            "loss": torch.stack([step.loss for step in steps]),
            "sums": (values * counted).nansum(dim=2),
            "counts": (~values.isnan() * counted).sum(dim=2),
        }
        if steps[0].effective is not None:
            effective = torch.stack([step.effective for step in steps if step.effective is not None])
            known = ~effective.isnan() & (torch.stack([step.weights for step in steps]) > 0).unsqueeze(1)
            added["effective"] = effective.where(known, 0.0).sum(dim=2)
            added["effective_rows"] = known.sum(dim=2)
        for name, each in added.items():
            for one in each.unbind():
                store[name] += one
        store["steps"] += len(steps)
        self._look(steps, values, unlabelled)

    def _look(self, steps: Sequence[StepNumbers], values: Tensor, unlabelled: int) -> None:
        """Whether rows of these steps [S, T, B] had no finite bound, and which terms made the first of them so."""
        finite, store = values.isfinite(), self._tensors
        seen = torch.stack([finite[..., :unlabelled].any(dim=2), finite[..., unlabelled:].any(dim=2)], dim=2)
        bad = ~torch.stack([step.bound for step in steps]).isfinite()
        on_cpu = bad.device.type == "cpu"
        if on_cpu and not bad.any():  # elsewhere nobody waits to find out
            store["seen"] |= seen.any(dim=0)
            return
        for step, terms, bad_rows, now in zip(steps, values, bad, seen, strict=True):
            before, store["seen"] = store["seen"], store["seen"] | now
            if on_cpu and not bad_rows.any():
                continue
            self._find_culprits(terms, bad_rows, before, unlabelled)
            if step.positions is not None:
                self._lately.append((step.number, (step.positions, bad_rows)))

    def _find_culprits(self, values: Tensor, bad_rows: Tensor, before: Tensor, unlabelled: int) -> None:
        """Remember the terms [T, B] at fault in the first step that had bad rows [B]; later ones only follow. before:
        [T, 2] whether a stream had the term."""
        store = self._tensors
        streams = (torch.arange(len(bad_rows), device=bad_rows.device) >= unlabelled).long()
        known = before[:, streams]
        culprits = ((values.isinf() | (values.isnan() & known)) & bad_rows).any(dim=1)
        store["culprits"] |= culprits & ~store["broken"]
        store["broken"] |= bad_rows.any()

    def _make_room(self, terms: Sequence[str], effective: Sequence[str], like: Tensor) -> None:
        """Space for terms that are new: a pattern of labels may turn up late."""
        new = [name for name in terms if name not in self._names]
        new_samples = [name for name in effective if name not in self._samples]
        if self._tensors and not new and not new_samples:
            return
        self._add_up()
        self._names += tuple(new)
        self._samples += tuple(new_samples)
        flag = torch.zeros((), dtype=torch.bool, device=like.device)
        number, terms_now, samples_now = like.new_zeros(()), len(self._names), len(self._samples)
        wanted = {
            "loss": number,
            "steps": number.clone(),
            "broken": flag,
            "sums": number.repeat(terms_now),
            "counts": number.repeat(terms_now),
            "culprits": flag.repeat(terms_now),
            "seen": flag.repeat(terms_now, 2),
            "effective": number.repeat(samples_now),
            "effective_rows": number.repeat(samples_now),
        }
        for name, old in self._tensors.items():
            if old.dim() == 0:
                wanted[name] = old
            else:
                wanted[name][: old.shape[0]] = old
        self._tensors = wanted

    def read(self) -> StepInfo:
        """Everything so far as plain numbers; waits for the device."""
        self._add_up()
        if not self._tensors:
            return StepInfo(math.nan)
        store = {name: tensor.cpu() for name, tensor in self._tensors.items()}
        steps = max(1.0, float(store["steps"]))
        culprits = [name for name, bad in zip(self._names, store["culprits"].tolist(), strict=True) if bad]
        loss = float(store["loss"]) / steps
        broken = bool(store["broken"]) or not math.isfinite(loss)
        if not broken:
            self._lately.clear()
        return StepInfo(
            loss,
            _means(self._names, store["sums"], store["counts"]),
            _means(self._samples, store["effective"], store["effective_rows"]),
            broken,
            tuple(culprits),
        )

    def first_bad(self) -> FirstBad | None:
        """This process's first rows without a finite bound since it last read good numbers; waits for the device."""
        self._add_up()
        for step, (positions, bad_rows) in self._lately:
            rows = dict.fromkeys(positions[bad_rows.cpu()].tolist())  # a row with a soft label stands there repeatedly
            if rows:
                return FirstBad(step, torch.tensor([*rows]), len(positions.unique()))
        return None

    def restart(self) -> None:
        """A new epoch: sums from zero; which stream has which term stays known."""
        self._add_up()
        self._count = 0
        for name, tensor in self._tensors.items():
            if name != "seen":
                tensor.zero_()

    def state(self) -> MeterState:
        """Tensors (on the CPU) and plain values from which `restore` makes the same meter."""
        self._add_up()
        tensors = {name: tensor.to("cpu", copy=True) for name, tensor in self._tensors.items()}
        return tensors, {"names": list(self._names), "samples": list(self._samples)}

    def take_in(self, other: MeterState) -> None:
        """Add what the meter of another process saw of the same steps: other rows of each batch."""
        tensors, plain = other
        if not tensors:
            return
        self._make_room(plain["names"], plain["samples"], tensors["loss"])
        self._add_up()
        for name, theirs in tensors.items():
            own = self._tensors[name]
            if name == "steps":
                own.copy_(torch.maximum(own, theirs))
            elif own.dim() == 0:
                own.copy_(_joined(own, theirs))
            else:
                places = self._places(name, plain)
                own[places] = _joined(own[places], theirs)

    def _places(self, name: str, plain: Mapping[str, Any]) -> list[int]:
        """Where the entries of another meter's tensor belong in this one's."""
        if name.startswith("effective"):
            return [self._samples.index(label) for label in plain["samples"]]
        return [self._names.index(term) for term in plain["names"]]

    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any], device: torch.device) -> None:
        """Take over what `state` returned. ValueError for tensors that are not such a log."""
        terms, samples = len(plain["names"]), len(plain["samples"])
        fresh = Meter()
        loss = tensors.get("loss", torch.zeros(()))
        fresh._make_room(plain["names"], plain["samples"], loss if loss.is_floating_point() else loss.float())
        for name, tensor in tensors.items():
            own = fresh._tensors.get(name)
            if own is None or own.shape != tensor.shape or own.dtype != tensor.dtype:
                raise ValueError(f"its log of {terms} terms and {samples} labels has {name} {list(tensor.shape)}")
        if tensors and tensors.keys() != fresh._tensors.keys():
            raise ValueError(f"its log lacks {', '.join(fresh._tensors.keys() - tensors.keys())}")
        self._names, self._samples = tuple(plain["names"]), tuple(plain["samples"])
        self._tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
        self._count, self._waiting = (int(tensors["steps"]) if tensors else 0), []


def _joined(own: Tensor, theirs: Tensor) -> Tensor:
    return own | theirs if own.dtype == torch.bool else own + theirs


def _means(names: tuple[str, ...], sums: Tensor, counts: Tensor) -> dict[str, float]:
    return {
        name: total / count
        for name, total, count in zip(names, sums.tolist(), counts.tolist(), strict=True)
        if count > 0
    }
