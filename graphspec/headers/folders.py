"""Folders of pictures: which file is which row, and what a few headers tell."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graphspec.headers.columns import Column, Kind
from graphspec.headers.folder_listing import Listing, list_folder, pictures_below, some
from graphspec.headers.folder_remarks import beside_splits, table_way_out, unread
from graphspec.headers.numbers import is_integer
from graphspec.headers.pictures import PictureHeader, opened, read_header, unreadable
from graphspec.headers.table import Remark, SourceError, SplitName, Table

DECODED_BYTES = 2**26
"""Files of no more bytes together are decoded, some seconds long, to find what else is damaged beside one that is."""
PROBED_FILES = 256
"""Headers of one split that are read when a spec is checked, evenly spread; the runtime reads them all."""
SPLIT_WORDS = ("train", "training", "test", "testing", "val", "valid", "validation", "dev")
"""Folders called so are parts of a data set, and not classes, if all are."""


@dataclass(frozen=True)
class ImageFile:
    """One row of a folder: the file, and the name of its class folder ("" where there are none)."""

    file: Path
    label: str


@dataclass(frozen=True)
class PictureFolder:
    """Rows per split, sorted by class folder, then by file name; `remarks`: what is there and is not read."""

    splits: dict[SplitName, tuple[ImageFile, ...]]
    remarks: tuple[Remark, ...] = ()


def picture_folder(path: Path) -> PictureFolder:
    """FOLDER/train and FOLDER/test are splits where both exist. Within, sub-folders are classes (columns `image` and
    `label`); pictures beside no sub-folder have no `label` column.

    Raises SourceError where classes or labels would be lost: folders called like splits, pictures deeper than class
    folders, a table beside one folder of pictures.
    """
    top = list_folder(path)
    named = {folder.name.lower(): folder for folder in top.folders}
    if "train" not in named or "test" not in named:
        rows, remarks = _rows_below(top)
        return PictureFolder({"train": rows}, remarks)
    train, test = (_rows_below(list_folder(named[split])) for split in ("train", "test"))
    beside = beside_splits(top, (named["train"], named["test"]))
    return PictureFolder({"train": train[0], "test": test[0]}, (*beside, *train[1], *test[1]))


def _rows_below(top: Listing) -> tuple[tuple[ImageFile, ...], tuple[Remark, ...]]:
    classes = [list_folder(folder) for folder in top.folders]
    _refuse_lost_rows(top, classes)
    labelled = tuple(ImageFile(file, one.path.name) for one in classes for file in one.pictures)
    return tuple(ImageFile(file, "") for file in top.pictures) or labelled, tuple(unread(top, classes))


def _refuse_lost_rows(top: Listing, classes: Sequence[Listing]) -> None:
    """SourceError where what would be read is surely not what is meant."""
    name, labelled = top.path.name, [one.path.name for one in classes if one.pictures]
    if top.pictures and labelled:
        raise SourceError(
            f"folder {name} holds images both beside class folders ({some(p.name for p in top.pictures)}) and inside "
            f"them ({some(labelled)})",
            "put every image into a folder named after its class, or none",
        )
    if top.pictures:
        return
    full = [folder.name for folder in top.folders if pictures_below(folder)]
    if full and all(folder.lower() in SPLIT_WORDS for folder in full):
        raise SourceError(
            f"folder {name} holds parts of a data set and no classes: {some(full)}",
            "a source with a test split of its own has the folders train and test; else name one part, "
            f"{name}/{full[0]}",
        )
    if len(labelled) == 1 and top.tables:
        table = top.tables[0]
        raise SourceError(
            f"folder {name} holds one folder of images, {labelled[0]}, and the table {table}: no class folders",
            table_way_out(table, labelled[0]),
        )
    deep = [folder for folder in full if folder not in labelled]
    if deep:
        raise SourceError(
            f"images of folder {name} lie deeper than in class folders: {some(deep)} hold none of their own, only "
            "below",
            f"put them into {deep[0]} itself, or name as source the folder that holds the class folders",
        )
    if not labelled:
        endings = sorted({file.suffix.lower() or file.name for one in (top, *classes) for file in one.others})
        raise SourceError(
            f"folder {name} holds no images" + (f", only {some(endings)}" if endings else ""),
            "looked for .png, .jpg, .tif, .bmp, .gif, .webp and what else Pillow reads",
        )


def folder_tables(path: Path, *, skip: bool = False) -> dict[SplitName, Table]:
    """Columns `image` and, with class folders, `label`; sides and channels from the headers of some files.

    Those are of all splits. skip: files that cannot be read are left out; otherwise SourceError names all of those that
    were looked at.
    """
    found = picture_folder(path)
    files = [image.file for images in found.splits.values() for image in images]
    image = probed_column("image", f"folder {path.name}", [(f"image file {file}", file) for file in files], skip)
    return {
        split: Table(_columns(image, images), len(images), found.remarks if split == "train" else ())
        for split, images in found.splits.items()
    }


def _columns(image: Column, images: tuple[ImageFile, ...]) -> dict[str, Column]:
    labels = Counter(image.label for image in images)
    if set(labels) == {""}:
        return {"image": image}
    kind: Kind = "integer" if all(map(is_integer, labels)) else "text"
    values, counts = tuple(labels), tuple(labels.values())
    label = Column("label", kind, (), classes=len(labels), values=values, counts=counts, complete=True)
    return {"image": image, "label": label}


def probed_column(name: str, what: str, cells: Sequence[tuple[str, Path]], skip: bool) -> Column:
    """A column of picture files, from the headers of some. what: `folder cats`, cells: (place, file), for messages.

    skip: files that cannot be read are left out; otherwise SourceError names all of those that were looked at.
    """
    headers: dict[str, PictureHeader] = {}
    broken: list[SourceError] = []
    for place, file in cells[:: max(1, -(-len(cells) // PROBED_FILES))]:
        try:
            headers[place] = read_header(file, place)
        except SourceError as error:
            broken.append(error)
    if broken and not (skip and headers):
        raise unreadable(what, list(_broken(cells)), len(cells))
    return replace(picture_column(name, list(headers.values())), unlike=_unlike(headers))


def _unlike(headers: Mapping[str, PictureHeader]) -> tuple[str, ...]:
    """The pictures of another size or colour than most, each with its own."""
    shapes = Counter(header.shape for header in headers.values())
    if len(shapes) < 2:
        return ()
    usual = shapes.most_common(1)[0][0]
    return tuple(f"{place} is {_in_words(header)}" for place, header in headers.items() if header.shape != usual)


def _in_words(header: PictureHeader) -> str:
    return f"{header.height} x {header.width}, {'grey' if header.channels == 1 else 'coloured'}"


def _broken(cells: Sequence[tuple[str, Path]]) -> Iterator[SourceError]:
    """Why pictures cannot be read, of all of them: once one is at fault, the others that are should be told with it.

    Pixels are decoded as well, unless that would take long; the runtime decodes them in any case.
    """
    decode = sum(file.stat().st_size for _, file in cells if file.exists()) <= DECODED_BYTES
    for place, file in cells:
        try:
            with opened(file, place) as (picture, _):
                if decode:
                    picture.load()
        except SourceError as error:
            yield error


def picture_column(name: str, headers: Sequence[PictureHeader]) -> Column:
    """A column of picture files, of which these headers are known."""
    shapes = {header.shape for header in headers}
    channels = tuple(sorted({header.channels for header in headers}))
    sides = {header.shape[1:] for header in headers}
    return Column(
        name, "integer", next(iter(shapes)) if len(shapes) == 1 else None, byte=True, picture=True, channels=channels,
        sides=next(iter(sides)) if len(sides) == 1 else None,
    )  # fmt: skip
