"""Folders of images: which file is which row, and what a few image headers tell."""

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from graphspec.headers.columns import Column, Kind
from graphspec.headers.csv_files import is_integer
from graphspec.headers.table import SourceError, SplitName, Table

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".pgm", ".ppm")
PROBED_IMAGES = 8


@dataclass(frozen=True)
class ImageFile:
    """One row of a folder: the file, and the name of its class folder ("" where there are none)."""

    file: Path
    label: str


def folder_images(path: Path) -> dict[SplitName, tuple[ImageFile, ...]]:
    """Rows per split, sorted by class folder, then by file name.

    FOLDER/train and FOLDER/test are splits where both exist. Within, sub-folders are classes (columns `image` and
    `label`); images beside no sub-folder have no `label` column.
    """
    if (path / "train").is_dir() and (path / "test").is_dir():
        return {"train": _images_below(path / "train"), "test": _images_below(path / "test")}
    return {"train": _images_below(path)}


def _images_below(path: Path) -> tuple[ImageFile, ...]:
    try:
        loose = _images_in(path)
        classes = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        labelled = [ImageFile(file, folder.name) for folder in classes for file in _images_in(folder)]
    except OSError as error:
        raise SourceError(f"{path.name} cannot be listed ({error})") from error
    if loose and labelled:
        raise SourceError(
            f"folder {path.name} holds images both beside and inside class folders",
            "put every image into a folder named after its class, or none",
        )
    if not loose and not labelled:
        raise SourceError(f"folder {path.name} holds no images", f"looked for {', '.join(IMAGE_SUFFIXES)}")
    return tuple(ImageFile(file, "") for file in loose) or tuple(labelled)


def _images_in(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith("."))


def folder_tables(path: Path) -> dict[SplitName, Table]:
    """Columns `image` and, with class folders, `label`; sides from the headers of a few files."""
    return {split: _folder_table(images) for split, images in folder_images(path).items()}


def _folder_table(images: tuple[ImageFile, ...]) -> Table:
    probed = images[:: max(1, len(images) // PROBED_IMAGES)]
    shapes = {image_shape(image.file, image.file.name) for image in probed}
    shape = shapes.pop() if len(shapes) == 1 else None
    columns = {"image": Column("image", "integer", shape, byte=True, picture=True)}
    labels = tuple(dict.fromkeys(image.label for image in images))
    if labels != ("",):
        kind: Kind = "integer" if all(map(is_integer, labels)) else "text"
        columns["label"] = Column("label", kind, (), classes=len(labels), values=labels, complete=True)
    return Table(columns, len(images))


def image_shape(file: Path | IO[bytes], name: str) -> tuple[int, int, int]:
    """[C, H, W] from the header: one channel for grey, three for colour. Raises SourceError with `name`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            width, height = image.size
            return (1 if image.mode in ("1", "L", "LA", "I", "I;16", "F") else 3, height, width)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise SourceError(f"{name} is not a readable image", "remove it, or write it again") from error
