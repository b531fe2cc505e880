"""Which runs a sweep has: every grid point, as written and as each variant, with every seed. All are checked here.

From: a spec and what was asked. To: `SweepPlan`. Runs whose resolved specs are the same are one run: a baseline that
does not depend on a swept field is trained once for all its values.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graphspec.describe.resolved import resolved_yaml
from graphspec.diagnostics import Diagnostic, SourceText, SpecError
from graphspec.graphs.graph import Graphs
from graphspec.loading import load
from graphspec.reading.overrides import OVERRIDE_NAME
from runtime.errors import RunError
from runtime.runs.claiming import name_of_file
from runtime.sweeping.baselines import BASELINES, Baseline, baseline_overrides
from runtime.sweeping.swept_values import Field, Variant, combinations, read_value

AS_WRITTEN = ""
MOST_RUNS = 10_000
"""The variant that changes nothing; its figures stand at the top of a row."""
_LONGEST = 80


@dataclass(frozen=True)
class PlannedRun:
    """One training: `name` is its folder's, the same for the same resolved spec; `epochs` for the progress display."""

    name: str
    label: str
    overrides: tuple[str, ...]
    seed: int
    epochs: int


@dataclass(frozen=True)
class Column:
    """One model of one grid point, with a run per seed; `key` is AS_WRITTEN or the variant's."""

    key: str
    graphs: Graphs = field(repr=False)
    runs: tuple[PlannedRun, ...] = ()

    @property
    def models_data(self) -> bool:
        """It is no baseline: its elbo is a bound on the density of a row."""
        return self.key not in {_key(kind) for kind in BASELINES}


@dataclass(frozen=True)
class Point:
    """One choice of values: {field: value}, and its columns."""

    over: dict[str, Any]
    columns: tuple[Column, ...]

    @property
    def written(self) -> Column:
        """The spec as it is written, at these values."""
        return self.columns[0]


@dataclass(frozen=True)
class SweepPlan:
    """All of a sweep. `titles`: {column key: what the user called it}; `text`: the spec as written."""

    spec: str
    text: str
    overrides: tuple[str, ...]
    fields: tuple[Field, ...]
    seeds: tuple[int, ...]
    points: tuple[Point, ...]
    titles: dict[str, str]

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """Every run once: first seeds of all points first, so that a table of all points is there early."""
        columns = [column for point in self.points for column in point.columns]
        ordered = [column.runs[place] for place in range(len(self.seeds)) for column in columns]
        found: dict[str, PlannedRun] = {}
        for run in ordered:
            found.setdefault(run.name, run)
        return tuple(found.values())

    @property
    def graphs(self) -> Graphs:
        """Of the first point as written: which variables there are."""
        return self.points[0].written.graphs

    @property
    def name(self) -> str:
        """What the default folder is called."""
        return self.graphs.spec.name or name_of_file(self.spec.lstrip("-")) or "sweep"


def build_plan(
    spec: str,
    text: str,
    overrides: Sequence[str],
    fields: Sequence[Field],
    seeds: Sequence[int],
    variants: Sequence[Variant] = (),
    baselines: Sequence[Baseline] = (),
    data_dir: Path | None = None,
) -> SweepPlan:
    """Every run of a sweep, checked. Raises SpecError with what is wrong at any point, each message naming the point.

    text: the spec's, read once. overrides: of every run. RunError where a baseline does not exist.
    """
    found: list[Diagnostic] = []
    points = []
    count = math.prod(len(field.texts) for field in fields) * len(seeds)
    if count > MOST_RUNS:
        raise RunError(f"--over and --seeds ask for {count} runs; {MOST_RUNS} are the most", "sweep over fewer values")
    for texts in combinations(fields):
        chosen = [f"{field.name}={text}" for field, text in zip(fields, texts, strict=True)]
        place = ", ".join(chosen)
        try:
            found_columns = build_columns(
                spec, text, overrides, chosen, seeds, variants=variants, baselines=baselines, data_dir=data_dir
            )
        except SpecError as error:
            found += _at(place, [_from_over(diagnostic, chosen) for diagnostic in error.diagnostics])
            continue
        over = {field.name: read_value(text, field.name) for field, text in zip(fields, texts, strict=True)}
        points.append(Point(over, tuple(found_columns)))
    if found:
        raise SpecError(_once(found))
    titles = {AS_WRITTEN: "", **{_key(kind): kind.replace("-", " ") for kind in baselines}}
    titles |= {variant.key: variant.name for variant in variants}
    return SweepPlan(spec, text, tuple(overrides), tuple(fields), tuple(seeds), tuple(points), titles)


def build_columns(
    spec: str,
    text: str,
    overrides: Sequence[str],
    chosen: Sequence[str],
    seeds: Sequence[int],
    name: str = "",
    variants: Sequence[Variant] = (),
    baselines: Sequence[Baseline] = (),
    data_dir: Path | None = None,
) -> list[Column]:
    """The models of one point, with a run per seed; SpecError for what is wrong there.

    overrides: of every run; chosen: this point's. name: what the runs are called, instead of after their values.
    """
    overrides = (*overrides, *chosen)
    columns = []
    graphs = load(spec, (*overrides, *_seeded(seeds[0])), text=text, data_dir=data_dir)
    if graphs.spec.data is None:
        raise RunError(f"{spec} has no `data` section, so there is nothing to train on", "add `data: {source: ...}`")
    changes: list[tuple[str, str, tuple[str, ...]]] = [(AS_WRITTEN, AS_WRITTEN, ())]
    changes += [(_key(kind), kind, baseline_overrides(graphs, kind)) for kind in BASELINES if kind in baselines]
    changes += [(variant.key, variant.name, variant.overrides) for variant in variants]
    for key, title, extra in changes:
        runs = []
        for seed in seeds:
            every = (*overrides, *extra, *_seeded(seed))
            try:
                graphs = load(spec, every, text=text, data_dir=data_dir)
            except SpecError as error:
                raise SpecError(_at(title, error.diagnostics)) from None
            digest = hashlib.sha256(resolved_yaml(graphs).encode()).hexdigest()[:8]
            label = ", ".join([*filter(None, (name, title)), *map(_short, chosen), f"seed {seed}"])
            # a variant may not depend on the values: its name must then be the same for all of them
            named = f"{title or name}-seed-{seed}" if title or name else label
            runs.append(PlannedRun(f"{_slug(named)}-{digest}", label, every, seed, graphs.spec.training.epochs))
        columns.append(Column(key, graphs, tuple(runs)))
    return columns


def _seeded(seed: int) -> tuple[str, ...]:
    return f"data.seed={seed}", f"training.seed={seed}"


def _key(kind: str) -> str:
    return kind.replace("-", "_")


def _slug(label: str) -> str:
    """A label as part of a file's name: nothing that a shell would read."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", label).strip("-.")[:_LONGEST]


def _short(chosen: str) -> str:
    """`labels.y=100` for `data.labels.y=100`; a drawn number with few digits."""
    name, _, value = chosen.partition("=")
    number = re.fullmatch(r"-?\d+\.\d{5,}(e-?\d+)?", value)
    return (
        f"{name.partition('.')[2] or name}={float(value):.4g}"
        if number
        else f"{name.partition('.')[2] or name}={value}"
    )


def _at(place: str, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The same errors, with the point they were found at."""
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
    return [replace(d, message=f"at {place}: {d.message}") for d in errors] if place else errors


def _from_over(diagnostic: Diagnostic, chosen: Sequence[str]) -> Diagnostic:
    """A value of --over stands in an override's text; the user wrote it elsewhere."""
    source = diagnostic.source
    over = source is not None and source.name == OVERRIDE_NAME and source.text in chosen
    return replace(diagnostic, source=SourceText("--over", source.text)) if source and over else diagnostic


def _once(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """A mistake that all points share is told once, at the first of them."""
    seen, kept = set(), []
    for found in diagnostics:
        message = found.message.rpartition(": ")[2]
        mark = (found.code, found.span, found.source and (found.source.name, found.source.text), message)
        if mark not in seen:
            seen.add(mark)
            kept.append(found)
    return kept
