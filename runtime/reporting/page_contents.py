"""What a run folder tells, as the plain values that the page shows. Nothing is measured here: no row is looked at.

From: the run's files (spec, manifest, metrics, what `evaluate` wrote, pictures), and the table of the sweep that the
run belongs to. To: `Page`.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import RunError
from runtime.figures.learning_curves import draw_curves
from runtime.runs.records import read_object
from runtime.runs.run_folder import Run, graphs_of
from runtime.runs.run_words import ErrorWords, error_words, status_words, temperature_words

if TYPE_CHECKING:
    from graphspec.graphs.graph import Graphs

MOST_CLASSES = 25
"""A confusion matrix of more classes is shown as its picture."""
TITLES = {
    "samples": "Drawn from the model",
    "reconstructions": "Rows and what the model makes of them",
    "traverse": "One latent moved at a time",
    "analogies": "Other labels, the same rest",
}
_PLOTS = ("curves", "confusion")
"""Figures that have a place of their own on the page."""


@dataclass(frozen=True)
class Embedded:
    """data: a `data:` address, so that the page needs no other file."""

    title: str
    data: str


@dataclass(frozen=True)
class Confusion:
    """counts[true][said] of a label, with the strength (0 to 1, of the row's sum) that colours each cell."""

    label: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def strength(self, true: int, said: int) -> float:
        """The share of the rows of a class."""
        return self.counts[true][said] / max(1, sum(self.counts[true]))


@dataclass(frozen=True)
class Measured:
    """One split as `evaluate` (or `train`, at its end) measured it. errors: a line for each label."""

    split: str
    rows: int
    elbo: str
    errors: tuple[Mapping[str, str], ...]
    confusions: tuple[Confusion, ...]
    latents: tuple[Mapping[str, str], ...]
    remarks: tuple[str, ...]
    same_data: bool


@dataclass(frozen=True)
class Page:
    """Everything on the page. facts: of the manifest, by name."""

    name: str
    description: str
    status: str
    graph: str
    objective: str
    spec: str
    facts: tuple[tuple[str, str], ...]
    splits: tuple[tuple[str, str], ...]
    labels: tuple[Mapping[str, Any], ...]
    measured: tuple[Measured, ...]
    curves: Embedded | None
    pictures: tuple[Embedded, ...]
    plots: tuple[Embedded, ...]
    sweep: str
    notes: tuple[str, ...]
    temperatures: tuple[str, ...]


def page_of(run: Run) -> Page:
    """Raises RunError (or SpecError) for what is no run, or cannot be read."""
    from compiler.symbolic.explanation import explain
    from compiler.symbolic.explanation_text import as_text
    from graphspec.drawing import draw

    manifest = run.manifest()
    try:
        resolved = run.resolved_file.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{run.resolved_file} cannot be read: {error.strerror}", "bring the run's files back") from None
    graphs = graphs_of(resolved, str(run.resolved_file)).with_names(manifest.get("class_names") or {})
    written = run.spec_file.read_text(encoding="utf-8", errors="replace") if run.spec_file.is_file() else resolved
    return Page(
        name=str(manifest.get("name") or run.folder.resolve().name),
        description=graphs.spec.description or "",
        status=status_words(manifest),
        graph=_inline(draw(graphs, "svg").decode()),
        objective=as_text(explain(graphs)),
        spec=written,
        facts=tuple(_facts(run, manifest)),
        splits=tuple((split, f"{count:,} rows") for split, count in (manifest.get("rows") or {}).items()),
        labels=tuple(_labels(manifest)),
        measured=tuple(_measured(run, graphs)),
        curves=_curves(run),
        pictures=tuple(_pictures(run)),
        plots=tuple(_plots(run)),
        sweep=_sweep(run),
        notes=tuple(map(str, manifest.get("notes") or ())),
        temperatures=tuple(temperature_words(manifest.get("calibration") or {})),
    )


def _inline(svg: str) -> str:
    """A drawing as an element of the page, which says how wide it may be."""
    return svg[svg.index("<svg") :]


def _facts(run: Run, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What identifies a run, in words."""
    yield "run folder", str(run.folder)
    command = manifest.get("command") or ()
    yield "command", " ".join(["graphspec", *map(str, command[1:])]) if command else ""
    for name in ("started", "seed", "data_seed", "source", "fingerprint", "device", "device_name", "precision"):
        if name in manifest:
            yield name.replace("_", " "), str(manifest[name])
    if "wall_seconds" in manifest:
        yield "seconds of training", f"{manifest['wall_seconds']:,.0f}"
    if "examples_per_second" in manifest:
        yield "examples per second", f"{manifest['examples_per_second']:,.0f}"
    for session in manifest.get("resumed") or ():
        yield "resumed", f"{session.get('at')}, at epoch {session.get('epoch')}"
    versions = manifest.get("versions") or {}
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())


def _labels(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of each label, how many rows of each split have it, and of which class."""
    for name, counts in (manifest.get("label_counts") or {}).items():
        splits = list(counts.get("rows") or {})
        classes = counts.get("classes") or {}
        lines = [(str(each), [found.get(split, 0) for split in splits]) for each, found in classes.items()]
        yield {"name": name, "splits": splits, "rows": [counts["rows"][s] for s in splits], "classes": lines}


def _measured(run: Run, graphs: "Graphs") -> Iterator[Measured]:
    for path in sorted(run.folder.glob("evaluation-*.json"), key=lambda path: (len(path.name), path.name)):
        report = read_object(path)
        variables = report.get("variables")
        if isinstance(variables, Mapping):
            yield _figures(path.stem.removeprefix("evaluation-"), report, variables, graphs)


def _figures(split: str, report: Mapping[str, Any], variables: Mapping[str, Any], graphs: "Graphs") -> Measured:
    shown = {name: figures for name, figures in variables.items() if figures.get("error") is not None}
    elbo = report.get("elbo")
    latents = (
        {"name": name, "nats": f"{each['nats']:.2f}", "use": f"{each['in_use']} of {each['elements']}"}
        for name, each in (report.get("latents") or {}).items()
    )
    return Measured(
        split=split,
        rows=int(report.get("rows") or 0),
        elbo=f"{elbo:.3f} nats a row" if isinstance(elbo, (int, float)) else "not a number",
        errors=tuple(_row(name, words, shown[name]) for name, words in error_words(shown).items()),
        confusions=tuple(_confusions(shown, graphs)),
        latents=tuple(latents),
        remarks=tuple(map(str, [*(report.get("notes") or ()), *(report.get("warnings") or ())])),
        same_data=bool(report.get("same_data", True)),
    )


def _row(name: str, words: ErrorWords, figures: Mapping[str, Any]) -> Mapping[str, str]:
    """One label, as a row of the table."""
    labels = f"{figures['training_labels']:,}" if "training_labels" in figures else ""
    return {"name": name, "rows": f"{figures.get('rows', 0):,}", "labels": labels, **asdict(words)}


def _confusions(variables: Mapping[str, Any], graphs: "Graphs") -> Iterator[Confusion]:
    for name, figures in variables.items():
        counts = figures.get("confusion")
        if not isinstance(counts, Sequence) or not 1 < len(counts) <= MOST_CLASSES or name not in graphs.variables:
            continue
        names = graphs.variables[name].value_names
        if len(names) == len(counts):
            yield Confusion(name, tuple(names), tuple(tuple(int(each) for each in row) for row in counts))


def _curves(run: Run) -> Embedded | None:
    """As training drew them, else drawn now."""
    drawn = run.folder / "figures" / "curves.png"
    if drawn.is_file():
        return Embedded("Training", _address(drawn.read_bytes()))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.png"
        return Embedded("Training", _address(path.read_bytes())) if draw_curves(run.metrics(), path) else None


def _pictures(run: Run) -> Iterator[Embedded]:
    for path in _drawn(run):
        if not path.stem.startswith(_PLOTS) and path.stem in TITLES:
            yield Embedded(TITLES[path.stem], _address(path.read_bytes()))


def _plots(run: Run) -> Iterator[Embedded]:
    """Whatever else lies among the figures, by its file's name."""
    for path in _drawn(run):
        if path.stem not in TITLES and not path.stem.startswith(_PLOTS):
            yield Embedded(path.stem.replace("-", " ").replace("_", " "), _address(path.read_bytes()))


def _drawn(run: Run) -> list[Path]:
    return sorted((run.folder / "figures").glob("*.png"))


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _sweep(run: Run) -> str:
    """The table of the sweep that this run is one of, with its baselines."""
    folder = run.folder.resolve().parent
    table = folder.parent / "table.txt"
    if folder.name == "runs" and (folder.parent / "sweep.json").is_file() and table.is_file():
        return table.read_text(encoding="utf-8", errors="replace")
    return ""
