"""The cropped, extended Yale B faces: identity from the folder, light from the file's name.

`yaleB11/yaleB11_P00A+035E-20.pgm` is person 11 lit from azimuth +35 and elevation -20 degrees. Ambient images have no
light and are left out; files that the data set's authors marked `.bad` are skipped.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from runtime.data.read.table import Array, Table, make_table, whole
from runtime.errors import DataError

PATTERN = "yaleB[0-9][0-9]/*.pgm"
_NAME = re.compile(r"yaleB(\d\d)_P\d\dA([+-]\d{3})E([+-]\d{2})$")


def read(folder: Path, wanted: Sequence[str]) -> Table:
    """Columns image [N, 1, 192, 168] bytes, identity 0..37 in the order of the folders, light [N, 3], and its angles.

    Raises DataError for a truncated image, or a file whose name tells no light.
    """
    files = [file for file in sorted(folder.glob(PATTERN)) if not file.stem.endswith("Ambient")]
    described = [_describe(file) for file in files]
    people = sorted({person for person, _, _ in described})
    azimuth = np.array([a for _, a, _ in described], dtype=np.float64)
    elevation = np.array([e for _, _, e in described], dtype=np.float64)
    columns: dict[str, Array] = {
        "identity": np.array([people.index(person) for person, _, _ in described], dtype=np.int64),
        "light": direction(azimuth, elevation),
        "azimuth": azimuth,
        "elevation": elevation,
    }
    if "image" in wanted:
        # loads torch, which listing the known sets does without
        from runtime.data.read.picture_column import files_as_cells, read_pictures
        from runtime.data.read.picture_decoding import PictureReading

        cells = files_as_cells("yale_b", str(folder.absolute()), files)
        columns["image"] = whole(read_pictures(cells, PictureReading(), lambda _: None).column)
    bad = sum(1 for _ in folder.glob("yaleB[0-9][0-9]/*.pgm.bad"))
    notes = (f"{bad} images that the data set marks as corrupt (.bad) are skipped",) if bad else ()
    return make_table("yale_b", {name: columns[name] for name in wanted}, notes=notes)


def direction(azimuth: Array, elevation: Array) -> Array:
    """Unit vectors [N, 3] towards the light from angles in degrees: x to the light's side, y up, z to the camera."""
    across, up = np.deg2rad(azimuth), np.deg2rad(elevation)
    return np.stack([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)], axis=1)


def _describe(file: Path) -> tuple[int, int, int]:
    """Person, azimuth and elevation in degrees."""
    match = _NAME.match(file.stem)
    if match is None:
        raise DataError(
            f"image file {file} is not named like yaleB01_P00A+035E-20.pgm", "rename it, or move it elsewhere"
        )
    person, azimuth, elevation = map(int, match.groups())
    return person, azimuth, elevation
