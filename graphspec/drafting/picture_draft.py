"""The text of a starter spec for a folder of pictures: a label and a style make the picture.

The recipe is that of few labels: pictures without one teach by what is sure of them (`consistency`), every label trains
where there are few, and the last weights are taken. results/newcomers.md has it beside plain classifiers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from graphspec.headers import Table
from graphspec.headers.cell_reader import looks_blank
from graphspec.headers.columns import Column
from graphspec.reading.suggestions import amount, counted, few
from graphspec.text.yaml_words import flow_list, plain

LARGEST_SIDE, SIDE = 64, 32
"""Pictures of more pixels a side, or of many sizes, are made small as they are read."""
MOST_STEPS, BATCH = 3000, 64
FEW_LABELS = 200
"""Below so many pictures with a label all of them are kept for training, and the error is estimated by folds."""
SURE_AFTER = 0.3
"""Share of the epochs that labels have before pictures without one are asked."""


@dataclass(frozen=True)
class Label:
    """What is to be learned of a picture.

    fields: of its variable; entry: what feeds it; rows: pictures that have it; blanks: that have not; note: what was
    assumed.
    """

    name: str
    fields: str
    entry: str
    rows: int
    blanks: int
    note: str = ""
    classes: bool = True


def picture_draft(name: str, source: str, table: Table) -> str:
    """A starter spec for class folders of pictures; without class folders a model of pictures alone.

    name: of the spec. source: as `data.source` says it. Raises ValueError, in words, where there is one class only.
    """
    image, label = table.columns["image"], table.columns.get("label")
    blank = [] if label is None else sorted(value for value in label.values if looks_blank(value))
    classes = [] if label is None else sorted(value for value in label.values if value not in blank)
    if label is not None and len(classes) < 2:
        raise ValueError(f"the only class is {few(classes)}: a label needs two class folders")
    told, labels = f"{amount(table.rows or 0, ',')} pictures", list[Label]()
    if label is not None:
        counts = dict(zip(label.values, label.counts, strict=True))
        marks = f"  # {few(blank)}: pictures without a label" if blank else ""
        entry = f"{{column: label, missing: {flow_list(blank)}}}{marks}" if blank else "label"
        fields = f"role: supervised, domain: category, names: {flow_list(classes)}"
        rows, blanks = (sum(counts[each] for each in some) for some in (classes, blank))
        labels = [Label("y", fields, entry, rows, blanks, few([f"{each} {counts[each]}" for each in classes], 6))]
        told += f", {counted(len(classes), 'class', 'classes')}"
    return picture_spec(name, source, f"({told})", image, "column: image", labels, table.rows or 1)


def picture_spec(
    name: str, source: str, told: str, image: Column, cells: str, labels: Sequence[Label], rows: int,
    left_out: Sequence[str] = (),
) -> str:  # fmt: skip
    """Labels and a style make a picture. told: of the source, in brackets; cells: what names the pictures; left_out:
    columns that nothing reads, and why."""
    shape, entry = _picture(image, moved=all(each.classes for each in labels))
    names = [label.name for label in labels]
    below = [name for label in labels for name in _recognized(label, names)]
    epochs = max(5, min(200, round(MOST_STEPS * BATCH / max(rows, 1))))
    lines = [
        f"# Written by `graphspec new` from {PurePath(source).name} {told}. Correct what is wrong, then",
        f"#   graphspec check {name}.yaml      graphspec train {name}.yaml",
        *(f"# left out: {each}" for each in left_out),
        "graphspec: 1",
        f"name: {plain(name)}",
        f"description: {_description(len(labels))}",
        "",
        "variables:",
        f"  x: {{role: observed, domain: unit, shape: {list(shape)}}}  # channels, height, width as they are read",
        *(f"  {each.name}: {{{each.fields}}}{f'  # {each.note}' if each.note else ''}" for each in labels),
        "  z: {role: latent, domain: real, size: 16}  # style: what the label does not say",
        "  h: {role: deterministic}  # what recognition sees, the last layer of its trunk",
        "",
        "generative:",
        *(f"  {each.name}: {_PRIOR if each.classes else '{}'}" for each in labels),
        "  z: {}",
        f"  x: {{parents: {flow_list([*names, 'z'])}, network: decoder}}",
        "",
        "recognition:",
        "  h: {parents: [x], network: trunk}",
        *below,
        f"  z: {{parents: {flow_list(['h', *names])}, network: {{kind: linear}}}}",
        "",
        "networks:",
        "  trunk: {kind: cnn, channels: [16, 32], kernel: 5, hidden: [128], normalization: batch, dropout: 0.2}",
        f"  decoder: {'{kind: mlp, hidden: [256]}' if labels else '{kind: deconv, channels: [32, 16]}'}",
        "",
        *_objective(labels, epochs),
        "data:",
        f"  source: {plain(source)}",
        "  variables:",
        f"    x: {{{', '.join([cells, *entry])}}}",
        *(f"    {each.name}: {each.entry}" for each in labels),
    ]
    rate = f"{{from: 1e-3, to: 1e-5, shape: cosine, epochs: {epochs}}}"
    select = ", select: last" if labels else ""
    lines += [
        *_splits(name, labels),
        "",
        f"training: {{epochs: {epochs}, batch_size: {BATCH}, learning_rate: {rate}{select}, seed: 0}}",
    ]
    return "\n".join(lines) + "\n"


def _objective(labels: Sequence[Label], epochs: int) -> list[str]:
    """How much a label counts, and what pictures without it teach."""
    if not labels:
        return []
    classes = [label.name for label in labels if label.classes]
    asked = [label.name for label in labels if label.classes and label.blanks]
    lines = ["objective:", "  rho: 0.5", "  alpha: 50"]
    if classes:
        each = ", ".join(f"{name}: {{kind: enumerate, budget: 1}}" for name in classes)
        lines.append(f"  estimators: {{{each}}}  # the likeliest class, and one draw that stands for the others")
    if asked:
        sure = f"{{weight: 25, after: {round(SURE_AFTER * epochs)}, confidence: 0.9}}"
        each = ", ".join(f"{name}: {sure}" for name in asked)
        lines.append(f"  consistency: {{{each}}}  # a picture without a label keeps its class when moved")
    return [*lines, ""]


def _splits(name: str, labels: Sequence[Label]) -> list[str]:
    if not labels:
        return ["  test: 0.2", "  validation: 0.1"]
    if labels[0].rows < FEW_LABELS:
        told = counted(labels[0].rows, "picture has", "pictures have")
        return [
            f"  test: 0  # {told} a label: all are used. What the error is:",
            f"  validation: 0  # graphspec sweep {name}.yaml --folds 5",
        ]
    told = "  # every class in its proportion" if any(each.classes for each in labels) else ""
    return [f"  test: 0.2{told}", "  validation: 0  # nothing is chosen by it: the last weights"]


_PRIOR = "{parameters: {probs: learned}}  # how common each class is"


def _description(labels: int) -> str:
    who = "A label and a style make" if labels == 1 else "Labels and a style make" if labels else "A style makes"
    return f"{who} a picture."


def _recognized(label: Label, names: Sequence[str]) -> Iterator[str]:
    """A label is read off the trunk and the labels before it."""
    before = names[: names.index(label.name)]
    yield f"  {label.name}: {{parents: {flow_list(['h', *before])}, network: {{kind: linear}}}}"


def _picture(image: Column, *, moved: bool) -> tuple[tuple[int, ...], list[str]]:
    """The shape that pictures are read at, and what the column says for it. moved: a picture may be shifted and turned,
    which no number that is measured in it allows."""
    colour = ["colour: rgb"] if len(image.channels) > 1 else []
    channels = 3 if colour else (image.channels or (1,))[0]
    sides = image.sides if image.sides and max(image.sides) <= LARGEST_SIDE else None
    resize = [] if sides else [f"resize: [{SIDE}, {SIDE}]"]
    height, width = sides or (SIDE, SIDE)
    changes = [f"augment: {{shift: {min(height, width) / 16:.2g}, rotate: 10}}"] if moved else []
    return (channels, height, width), [*colour, *resize, *changes]
