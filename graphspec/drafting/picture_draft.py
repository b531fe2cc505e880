"""The text of a starter spec for a folder of pictures: a label and a style make the picture."""

from pathlib import PurePath

from graphspec.headers import Table
from graphspec.headers.cell_reader import looks_blank
from graphspec.headers.columns import Column
from graphspec.reading.suggestions import amount, counted, few
from graphspec.text.yaml_words import flow_list, plain

LARGEST_SIDE, SIDE = 64, 32
"""Pictures of more pixels a side, or of many sizes, are made small as they are read."""
MOST_STEPS, BATCH = 3000, 64


def picture_draft(name: str, source: str, table: Table) -> str:
    """A starter spec for class folders of pictures; without class folders a model of pictures alone.

    name: of the spec. source: as `data.source` says it. Raises ValueError, in words, where there is one class only.
    """
    image, label = table.columns["image"], table.columns.get("label")
    blank = [] if label is None else sorted(value for value in label.values if looks_blank(value))
    classes = [] if label is None else sorted(value for value in label.values if value not in blank)
    if label is not None and len(classes) < 2:
        raise ValueError(f"the only class is {few(classes)}: a label needs two class folders")
    counts = {} if label is None else dict(zip(label.values, label.counts, strict=True))
    shape, entry = _picture(image)
    rows = amount(table.rows or 0, ",")
    told = f"{rows} pictures" + (f", {counted(len(classes), 'class', 'classes')}" if classes else "")
    lines = [
        f"# Written by `graphspec new` from {PurePath(source).name} ({told}). Correct what is wrong, then",
        f"#   graphspec check {name}.yaml      graphspec train {name}.yaml",
        "graphspec: 1",
        f"name: {plain(name)}",
        f"description: {'A label and a style make' if classes else 'A style makes'} a picture.",
        "",
        "variables:",
        f"  x: {{role: observed, domain: unit, shape: {list(shape)}}}  # channels, height, width as they are read",
    ]
    if classes:
        shown = few([f"{each} {counts[each]}" for each in classes], 6)
        lines.append(f"  y: {{role: supervised, domain: category, names: {flow_list(classes)}}}  # {shown}")
    lines += [
        "  z: {role: latent, domain: real, size: 16}  # style: what the label does not say",
        "  h: {role: deterministic}  # what recognition sees, the last layer of its trunk",
        "",
        "generative:",
        *(["  y: {parameters: {probs: learned}}  # how common each class is"] if classes else []),
        "  z: {}",
        f"  x: {{parents: {'[y, z]' if classes else '[z]'}, network: decoder}}",
        "",
        "recognition:",
        "  h: {parents: [x], network: trunk}",
        *(["  y: {parents: [h], network: {kind: linear}}"] if classes else []),
        f"  z: {{parents: {'[h, y]' if classes else '[h]'}, network: {{kind: linear}}}}",
        "",
        "networks:",
        "  trunk: {kind: cnn, channels: [16, 32], kernel: 5, hidden: [128], normalization: batch, dropout: 0.2}",
        "  decoder: {kind: deconv, channels: [32, 16]}",
        "",
        *(["objective: {rho: 0.5, alpha: 50}", ""] if classes else []),
        "data:",
        f"  source: {plain(source)}",
        "  variables:",
        f"    x: {{{', '.join(['column: image', *entry])}}}",
    ]
    if classes:
        marks = f"  # {few(blank)}: pictures without a label" if blank else ""
        lines.append(f"    y: {{column: label, missing: {flow_list(blank)}}}{marks}" if blank else "    y: label")
    epochs = max(5, min(200, round(MOST_STEPS * BATCH / max(table.rows or 1, 1))))
    rate = f"{{from: 1e-3, to: 1e-5, shape: cosine, epochs: {epochs}}}"
    lines += [
        "  test: 0.2" + ("  # every class in its proportion" if classes else ""),
        "  validation: 0.1",
        "",
        f"training: {{epochs: {epochs}, batch_size: {BATCH}, learning_rate: {rate}, seed: 0}}",
    ]
    return "\n".join(lines) + "\n"


def _picture(image: Column) -> tuple[tuple[int, ...], list[str]]:
    """The shape that pictures are read at, and what the column says for it."""
    colour = ["colour: rgb"] if len(image.channels) > 1 else []
    channels = 3 if colour else (image.channels or (1,))[0]
    sides = image.sides if image.sides and max(image.sides) <= LARGEST_SIDE else None
    resize = [] if sides else [f"resize: [{SIDE}, {SIDE}]"]
    height, width = sides or (SIDE, SIDE)
    moved = ["augment: {shift: 2, rotate: 10}"]
    return (channels, height, width), [*colour, *resize, *moved]
