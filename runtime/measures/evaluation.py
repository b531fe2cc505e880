"""A model on one split: the bound, and each supervised variable's error from the observed variables alone.

From: a `Model` and `Rows`. To: a plain dictionary (what `--json` prints) and the predictions behind it.
Not here: drawing, tables, or reading runs.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.model.label_assignment import at_places
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from compiler.tensors.presence import for_every_place, presence
from graphspec.graphs.graph import Factor, Graphs, Variable
from graphspec.graphs.label_sets import sets_of_labels
from graphspec.language.objective import AnswerBy
from graphspec.reading.suggestions import listed
from runtime.data import Rows, Units
from runtime.data.stream.patterns import given_elements
from runtime.measures.answers_compared import LabelAnswers, compared_ways
from runtime.measures.column_fits import ColumnFits
from runtime.measures.disentanglement import METRICS, code_columns, compare, factor_columns
from runtime.measures.error_interval import few_rows_note
from runtime.measures.label_figures import Prediction, summarize
from runtime.measures.latent_use import LatentUse
from runtime.measures.metrics import Floats
from runtime.measures.set_figures import set_figures
from runtime.measures.unit_change import UnitChange

Batch = dict[str, Tensor]
Binarize = Callable[[Batch, torch.Generator], Batch]


@dataclass(frozen=True)
class Measurement:
    """What `evaluate` found: the report (plain values, ready for JSON) and the predictions by variable."""

    report: dict[str, Any]
    predictions: Mapping[str, Prediction] = field(default_factory=dict)


def evaluate_rows(
    model: Model,
    rows: Rows,
    *,
    samples: int = 1,
    batch_size: int = 500,
    seed: int = 0,
    units: Mapping[str, Units] | None = None,
    binarize: Binarize | None = None,
) -> dict[str, Any]:
    """`{rows, elbo, variables: {name: {error, interval, rows, elements, log_loss, calibration}}, notes}`: `measure`."""
    return measure(
        model, rows, samples=samples, batch_size=batch_size, seed=seed, units=units, binarize=binarize
    ).report


def measure(
    model: Model,
    rows: Rows,
    *,
    samples: int = 1,
    batch_size: int = 500,
    seed: int = 0,
    units: Mapping[str, Units] | None = None,
    binarize: Binarize | None = None,
    disentanglement: Sequence[str] = (),
    latents: bool = False,
    training: Rows | None = None,
    by: AnswerBy | None = None,
    compared: bool = False,
) -> Measurement:
    """Bound and errors of `model` on `rows`, every label hidden; repeatable by `seed` for a given batch size.

    elbo: mean over rows in nats, beta 1, no free bits; averaged over `samples` joint draws of the hidden variables.
    error: share of labels that are wrong where the variable has finitely many values, else the root mean square in
    data units (`units` undoes standardization); over the elements that are given, each as if it was known to be there.
    interval: 95 % of a share that is wrong. log_loss in nats, calibration: expected calibration error.
    binarize: applied to each batch, where the spec draws pixels anew. disentanglement: metrics that hold the
    inferred codes against `rows.factors` and the labels. latents: also what each latent carries. training: also the
    bound beside fits of each column of these rows by itself. by: what answers labels, instead of what the spec says;
    where the bound cannot, q does. compared: a label's figures by all ways, under `answers`, where the bound can.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            fits = None if training is None else ColumnFits(model.graphs, training)
            answers = LabelAnswers(model, by, compared)
            return _measure(
                model, rows, samples, batch_size, seed, units or {}, binarize, disentanglement, latents, fits, answers
            )
    finally:
        model.train(was_training)


def _measure(
    model: Model,
    rows: Rows,
    samples: int,
    batch_size: int,
    seed: int,
    units: Mapping[str, Units],
    binarize: Binarize | None,
    disentanglement: Sequence[str],
    latents: bool,
    fits: ColumnFits | None,
    answers: LabelAnswers,
) -> Measurement:
    graphs = model.graphs
    device, dtype = placement(model)
    generator = torch.Generator(device).manual_seed(seed)
    pixels = torch.Generator(rows.device).manual_seed(seed)
    weights = ObjectiveWeights.at(graphs, None, math.inf).plain()
    total, greys, elements = 0.0, set[str](), dict[str, float]()
    codes: dict[str, list[Tensor]] = {}
    use = LatentUse(model, seed) if latents and graphs.latent else None
    change = UnitChange(graphs, units)
    sets: dict[str, list[Tensor]] = {}
    factors = known_factors(graphs, rows) if disentanglement and len(rows) else {}
    for positions in _batches(len(rows), batch_size):
        batch = rows.batch(positions, dtype, short=bool(graphs.plates))
        batch = binarize(batch, pixels) if binarize is not None else batch
        seen = {name: value.to(device) for name, value in model.unlabelled(batch).items()}
        noise = Noise(generator, len(positions))
        evaluation = model.evaluate(seen, weights=weights, noise=noise, samples=samples)
        total += float(evaluation.bound.double().sum())
        for name, count in _elements(graphs, batch, len(positions)).items():
            elements[name] = elements.get(name, 0) + count
        if fits is not None:
            fits.take_in(seen, evaluation)
            change.take_in(seen)
        answers.take_in(seen, samples, noise)
        if sets_of_labels(graphs):
            known = {name: value.to(device) for name, value in batch.items()}
            for name, places in model.label_places(known, samples=samples, noise=noise).items():
                whole = for_every_place(graphs.variables[name], at_places(known[name], places))
                sets.setdefault(name, []).append(whole.cpu())
        if factors:
            for name, value in model.posterior_means(seen, noise=noise).items():
                if not graphs.variables[name].plates:
                    codes.setdefault(name, []).append(value.cpu())
        if use is not None:
            use.take_in(seen)
        greys |= {name for name in _discrete_on_unit(graphs) if bool(((seen[name] > 0) & (seen[name] < 1)).any())}
    predicted: dict[str, Prediction] = {}
    variables: dict[str, dict[str, Any]] = {}
    for name in (name for name in graphs.supervised if len(rows) and name in rows.values):
        labels = torch.cat(sets[name]) if name in sets else rows.values[name].cpu()
        found = {
            way: _prediction(graphs.by_row.variables[name], told, labels, units.get(name))
            for way, told in answers.of(name).items()
        }
        predicted[name] = found[answers.by(name)]
        variables[name] = summarize(predicted[name]) | (set_figures(predicted[name]) if name in sets else {})
        if len(found) > 1:
            variables[name] |= {"by": answers.by(name), "answers": compared_ways(found)}
    report: dict[str, Any] = {
        "rows": len(rows),
        "elbo": total / len(rows) if len(rows) else float("nan"),
        **_by_element(elements, total),
        "variables": variables,
        "notes": [
            *(_not_a_density(graphs.generative[name]) for name in graphs.observed if name in greys),
            *_few_rows(variables),
            *answers.notes(),
            *([_codes_of_elements(graphs)] if factors and rows.factors and not codes else []),
        ],
    }
    if use is not None and len(rows):
        report["latents"] = use.report()
    if fits is not None and len(rows):
        if fits.fits:
            report["columns"] = fits.report()
        if change.units:
            report["elbo_data_units"], told = change.told(report["elbo"])
            report["notes"].append(told)
    if codes:
        report["disentanglement"] = compare_codes(
            graphs, {name: torch.cat(parts).numpy() for name, parts in codes.items()}, factors, disentanglement, seed
        )
    return Measurement(report, predicted)


def placement(model: Model) -> tuple[torch.device, torch.dtype]:
    """Where the model's numbers live; CPU and the default type for a model without weights."""
    first = next((p for p in model.parameters() if p.is_floating_point()), None)
    return (torch.device("cpu"), torch.get_default_dtype()) if first is None else (first.device, first.dtype)


def _few_rows(variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shares = {name: figures for name, figures in variables.items() if "interval" in figures}
    notes = (few_rows_note(name, figures["rows"], figures["interval"]) for name, figures in shares.items())
    return [note for note in notes if note is not None]


def _codes_of_elements(graphs: Graphs) -> str:
    """Metrics of codes count rows, and nothing hidden has one value a row."""
    names = [name for name in (*graphs.latent, *graphs.supervised) if graphs.variables[name].plates]
    stand = "stands" if len(names) == 1 else "stand"
    return f"no code is held against `data.factors`: {listed(names)} {stand} in plates, and metrics of codes count rows"


def known_factors(graphs: Graphs, rows: Rows) -> dict[str, NDArray[Any]]:
    """What codes are held against: the spec's `data.factors` [N], and each label [N, *shape] with blanks as NaN; of the
    rows only, because metrics of codes count rows.

    A factor that has a label's name is taken in its place.
    """
    factors: dict[str, NDArray[Any]] = {}
    for name in (name for name in graphs.supervised if name in rows.values and not graphs.variables[name].plates):
        labels = rows.values[name].cpu()
        known = given_elements(labels, graphs.variables[name].discrete)
        factors[name] = torch.where(known, labels.double(), torch.nan).numpy()
    return factors | rows.factors


def compare_codes(
    graphs: Graphs,
    codes: Mapping[str, NDArray[Any]],
    factors: Mapping[str, NDArray[Any]],
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
) -> dict[str, Any]:
    """Every metric asked for, over every element of every hidden variable; see `measures.disentanglement`.

    codes: {name: [N, *shape]} inferred from the observed variables alone; factors: {name: [N, *shape]}.
    """
    discrete = [name for name in codes if graphs.variables[name].discrete]
    return compare(code_columns(codes, discrete), factor_columns(factors), metrics, seed)


def _elements(graphs: Graphs, batch: Mapping[str, Tensor], rows: int) -> dict[str, float]:
    """How many elements of each plate some rows have; NaN where a row is not told its count, hidden as that may be."""
    counts = {plate.count for plate in graphs.plates.values()}
    masks = presence(graphs, {name: values for name, values in batch.items() if name in counts})
    for name in list(masks):
        outer, count = graphs.ragged(graphs.plates[name].path[:-1]), graphs.plates[name].count
        blank = ~given_elements(batch[str(count)], discrete=True)
        there = None if outer is None else masks.get(outer.name, torch.ones_like(blank))
        if bool((blank if there is None else blank & there).any()):
            del masks[name]
    found: dict[str, float] = {}
    for name, plate in graphs.plates.items():
        ragged = graphs.ragged((name,))
        around = rows if ragged is None else int(masks[ragged.name].sum()) if ragged.name in masks else math.nan
        inner = plate.path[0 if ragged is None else len(ragged.path) :]
        found[name] = around * math.prod(graphs.plates[each].size for each in inner)
    return found


def _by_element(elements: Mapping[str, float], total: float) -> dict[str, Any]:
    """`{elbo_per_element: {plate: nats}}`: the bound of all rows over how many elements they have of each plate; not
    of a plate whose count is not told."""
    known = {name: count for name, count in elements.items() if not math.isnan(count)}
    shares = {name: total / count if count else math.nan for name, count in known.items()}
    return {"elbo_per_element": shares} if shares else {}


def _prediction(variable: Variable, predicted: Tensor, labels: Tensor, units: Units | None) -> Prediction:
    known = given_elements(labels, variable.discrete)
    row = known.nonzero()[:, 0].numpy()
    element = torch.arange(known[:1].numel()).reshape(known[:1].shape).expand_as(known)[known].numpy()
    if variable.support is not None:
        classes = (labels[known].round().long() - variable.minimum).numpy()
        probabilities = predicted[known].double().numpy()
        return Prediction(variable, classes, probabilities.argmax(axis=1), probabilities, row, element)
    truth, means = labels.double(), predicted.double()
    if units is not None:
        truth, means = units.to_data(truth), units.to_data(means)
    axis = 1 + variable.row_axes
    angles = degrees_between(means, truth, axis) if variable.domain == "direction" else None
    return Prediction(variable, truth[known].numpy(), means[known].numpy(), None, row, element, angles)


def degrees_between(predicted: Tensor, truth: Tensor, axis: int = 1) -> Floats:
    """Angles from 0 to 180 between vectors along an axis of [N, *shape] (the first), of those that are known: [d].

    Half the angle by its tangent: exact also where two vectors almost agree.
    """
    unit = (torch.nn.functional.normalize(v, dim=axis) for v in (predicted, truth))
    first, second = (vectors.movedim(axis, -1).flatten(0, -2) for vectors in unit)
    apart, together = (first - second).norm(dim=1), (first + second).norm(dim=1)
    known = ~truth.isnan().any(dim=axis).flatten()
    found: Floats = torch.rad2deg(2 * torch.atan2(apart, together))[known].numpy()
    return found


def _batches(count: int, batch_size: int) -> Iterator[Tensor]:
    yield from torch.arange(count).split(batch_size) if count else ()


def _discrete_on_unit(graphs: Graphs) -> list[str]:
    return [
        name
        for name, factor in graphs.generative.items()
        if graphs.variables[name].role == "observed"
        and graphs.variables[name].domain == "unit"
        and factor.family is not None
        and factor.family.discrete
    ]


def _not_a_density(factor: Factor) -> str:
    assert factor.family is not None, f"{factor.key} is deterministic"
    return (
        f"p({factor.variable} | ...) is a {factor.family.name} on values between 0 and 1, which is not a density: "
        "compare this elbo only "
        "with models that use the same distribution on the same data (continuous_bernoulli is a density)"
    )
