"""The data sets that have a name: where their files stand, how they are read, and how they are fetched."""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from graphspec.headers.sources import KnownSet
from runtime.data.read import faces
from runtime.data.read.idx import read_idx
from runtime.data.read.table import Array, Table, make_table
from runtime.errors import DataError

_MNIST_PAIRS = tuple(
    (f"raw/{split}-images-idx3-ubyte", f"raw/{split}-labels-idx1-ubyte") for split in ("train", "t10k")
)
"""Images and labels, for training and for testing."""
_MNIST_FILES = tuple(file for pair in _MNIST_PAIRS for file in pair)
_SVHN_SPLITS: dict[str, tuple[str, ...]] = {"svhn": ("train", "test"), "svhn_extra": ("train", "extra", "test")}
"""torchvision's splits of each set, in the order that rows are numbered; the last one is for testing."""
_SVHN_FILES = {name: tuple(f"{split}_32x32.mat" for split in splits) for name, splits in _SVHN_SPLITS.items()}
_DIGIT_SETS = dict.fromkeys(("mnist", "mnist_pairs", "multi_mnist"), _MNIST_FILES)
FILES = {"digits": (), "sprites": (), **_DIGIT_SETS, **_SVHN_FILES}
_TIMEOUT = 30.0


def is_present(known: KnownSet, folder: Path) -> bool:
    """Whether the set can be read from data folder `folder` without fetching anything."""
    if known.name == "yale_b":
        return any((folder / known.folder).glob(faces.PATTERN))
    return all((folder / known.folder / file).is_file() for file in FILES[known.name])


def read(known: KnownSet, wanted: Sequence[str], folder: Path, regime: str | None = None) -> Table:
    """Load columns of a known set from data folder `folder`; fetch it where it can be fetched. regime: of multi_mnist.

    Raises DataError, which says where the set was looked for, where it is neither there nor to be had.
    """
    readers: dict[str, Callable[[Path], tuple[dict[str, Array], int | None]]] = {
        "digits": lambda _: (_digits(), None), "mnist": _mnist, "mnist_pairs": _mnist_pairs,
        **{name: partial(_svhn, name) for name in _SVHN_FILES},
    }  # fmt: skip
    if known.name == "sprites":
        from runtime.data.read import sprites  # needs torch's seeds, which a list of data sets does not

        return sprites.read(wanted)
    if known.name == "yale_b":
        if not is_present(known, folder):
            raise _absent(known, folder, "")
        return faces.read(folder / known.folder, wanted)
    if not is_present(known, folder):
        _fetch(known, folder)
    if known.name == "multi_mnist":
        from runtime.data.read import multi_mnist

        found, trained = _mnist(folder)
        images, labels = found["image"][:, 0], found["label"]
        return multi_mnist.read(wanted, regime or "separate", images, labels, len(images) - trained)
    assert known.name in readers, "every known set has a reader"
    read_columns, training_rows = readers[known.name](folder)
    return make_table(known.name, {name: read_columns[name] for name in wanted}, training_rows)


def _digits() -> dict[str, Array]:
    """scikit-learn's digits: [1797, 1, 8, 8] in [0, 1] (stored as 0..16) and labels.

    Read from its file: to import scikit-learn takes longer than to train on them for an epoch.
    """
    package = find_spec("sklearn")
    places = package.submodule_search_locations if package is not None else None
    file = Path(*(places or ["."])[:1]) / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        rows = np.loadtxt(file, delimiter=",")
        images, labels = rows[:, :-1].reshape(-1, 8, 8), rows[:, -1]
    else:
        from sklearn.datasets import load_digits

        bunch: Any = load_digits()
        images, labels = bunch.images, bunch.target
    return {"image": (images[:, None] / 16.0).astype(np.float32), "label": labels.astype(np.int64)}


def _mnist(folder: Path) -> tuple[dict[str, Array], int]:
    """The files below FOLDER/MNIST: [70000, 1, 28, 28] bytes and labels."""
    images, labels = zip(*_MNIST_PAIRS, strict=True)
    try:
        pixels = read_idx([folder / "MNIST" / file for file in images])
        answers = [read_idx([folder / "MNIST" / file]) for file in labels]
    except (OSError, ValueError) as error:
        raise DataError(
            f"mnist in {folder / 'MNIST' / 'raw'} cannot be read ({error})",
            "a file is damaged or incomplete: delete the folder, so that it is fetched again, or copy it anew",
        ) from error
    return {"image": pixels[:, None], "label": np.concatenate(answers).astype(np.int64)}, len(answers[0])


def _mnist_pairs(folder: Path) -> tuple[dict[str, Array], int]:
    """MNIST's digits two by two, in an order that is the same everywhere; those for training and for testing apart."""
    digits, training = _mnist(folder)
    random, labels = np.random.default_rng(0), digits["label"]
    order = np.concatenate([random.permutation(training), training + random.permutation(len(labels) - training)])
    pairs = order.reshape(-1, 2)
    return {
        "image": digits["image"][pairs], "digit": labels[pairs], "sum": labels[pairs].sum(1)
    }, training // 2  # fmt: skip


def _svhn(name: str, folder: Path) -> tuple[dict[str, Array], int]:
    """The cropped digits' .mat files: [N, 3, 32, 32] bytes and labels (10 stands for the digit 0)."""
    from scipy.io import loadmat

    images, labels = [], []
    for file in _SVHN_FILES[name]:
        path = folder / "SVHN" / file
        try:
            part = loadmat(str(path))
            images.append(np.ascontiguousarray(part["X"].transpose(3, 2, 0, 1)))
            labels.append(part["y"].reshape(-1).astype(np.int64) % 10)
        except Exception as error:  # loadmat raises many kinds for a damaged file
            raise DataError(f"{path} cannot be read ({error})", "delete it, so that it is fetched again") from error
    return {"image": np.concatenate(images), "label": np.concatenate(labels)}, sum(map(len, labels[:-1]))


def _fetch(known: KnownSet, folder: Path) -> None:
    """Fetch with torchvision into a temporary folder, then move complete files to their place."""
    from compiler.networks.torchvision_shim import import_torchvision

    datasets: Any = import_torchvision().datasets
    target = folder / known.folder
    try:
        with tempfile.TemporaryDirectory() as temporary, _network_timeout():
            incoming = Path(temporary)
            if known.folder == "MNIST":
                datasets.MNIST(temporary, download=True)
                incoming = incoming / "MNIST"
            else:
                for split in _SVHN_SPLITS[known.name]:
                    datasets.SVHN(temporary, split=split, download=True)
            _install(incoming, target, FILES[known.name])
    except Exception as error:  # no network, a proxy's refusal, a full or read-only disk
        raise _absent(known, folder, f" and could not be fetched ({_first_line(error)})") from error


def _install(incoming: Path, target: Path, files: Sequence[str]) -> None:
    for file in files:
        place = target / file
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_name(place.name + ".partial")
        try:
            shutil.copyfile(incoming / file, unfinished)
            unfinished.replace(place)
        finally:
            unfinished.unlink(missing_ok=True)


def _absent(known: KnownSet, folder: Path, why: str) -> DataError:
    files = FILES.get(known.name) or (faces.PATTERN,)
    return DataError(
        f"data set {known.name} is not in {folder / known.folder}{why}",
        f"put {', '.join(files)} there, or name the folder that holds {known.folder}/ with --data-dir or "
        "GRAPHSPEC_DATA (`source: digits` and `source: sprites` need no files)",
    )


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


@contextmanager
def _network_timeout() -> Iterator[None]:
    """A server that never answers is an error after half a minute, not a program that hangs."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
