"""Picture files of every kind, made with Pillow, and specs that read folders of them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from data_specs import graphs_for
from PIL import Image

from graphspec.loading import check_file
from runtime.data import PreparedData, prepare

SPEC = """graphspec: 1
variables: {VARIABLES}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: mlp, hidden: [4]}}
data: {DATA}
training: {epochs: 1}
"""
CLASSES = "{role: supervised, domain: category, classes: 2}"


def save(file: Path, pixels: Any, mode: str | None = None, **options: Any) -> Path:
    """An array as a picture file of the kind that its ending says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels))
    (image if mode is None else image.convert(mode)).save(file, **options)
    return file


def ramp(height: int = 4, width: int = 6, top: int = 255, kind: type = np.uint8) -> np.ndarray:
    """Levels from 0 to top, row by row."""
    return np.linspace(0, top, height * width).round().reshape(height, width).astype(kind)


def coloured(height: int = 4, width: int = 6) -> np.ndarray:
    """Red grows to the right, green downwards, blue is 100."""
    pixels = np.full((height, width, 3), 100, np.uint8)
    pixels[..., 0] = np.linspace(0, 250, width)
    pixels[..., 1] = np.linspace(0, 250, height)[:, None]
    return pixels


def prepared_pictures(
    folder: Path, shape: tuple[int, ...] = (1, 4, 6), domain: str = "unit", **data: Any
) -> PreparedData:
    """The pictures of FOLDER/set without splits; `column`: options of the image column."""
    column = {"column": "image", **data.pop("column", {})}
    variables = {"x": {"role": "observed", "domain": domain, "shape": list(shape)}}
    section = {"source": "set", "variables": {"x": column}, "test": 0, "validation": 0, **data}
    return prepare(graphs_for(variables, section), spec_path=folder / "spec.yaml", data_dir=folder)


def pixels_of(folder: Path, shape: tuple[int, ...] = (1, 4, 6), **data: Any) -> torch.Tensor:
    """What a model is given, in [0, 1] and in the order of the files."""
    rows = prepared_pictures(folder, shape, **data).training
    return rows.batch(torch.arange(len(rows)), torch.float64)["x"]


def checked(folder: Path, data: str, y: str = CLASSES, x: str = "[1, 4, 6]") -> list[Any]:
    """What `check` finds in a spec that stands in the folder."""
    variables = f"{{x: {{role: observed, domain: unit, shape: {x}}}, y: {y}, z: {{role: latent, size: 2}}}}"
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.replace("{VARIABLES}", variables).replace("{DATA}", data))
    return list(check_file(spec))
