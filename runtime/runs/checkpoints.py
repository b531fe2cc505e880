"""Files of tensors that are either whole or absent: safetensors with text beside the numbers, replaced atomically."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from runtime.errors import RunError

FORMAT = 1
"""Version of what is in the files. A reader refuses a newer one."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights by their name in the model, the resolved spec they belong to, and facts such as epoch and figure."""

    weights: Mapping[str, Tensor]
    spec: str
    facts: Mapping[str, Any]


def save_weights(path: Path, weights: Mapping[str, Tensor], spec: str, facts: Mapping[str, Any]) -> None:
    """Write model weights with the spec's text, so that the file alone rebuilds the model."""
    write_tensors(path, weights, {"spec": spec, "facts": json.dumps(dict(facts))})


def read_weights(path: Path) -> Checkpoint:
    """What `save_weights` wrote, on the CPU. RunError if the file is missing, damaged or of a newer format."""
    tensors, texts = read_tensors(path)
    return Checkpoint(tensors, texts.get("spec", ""), json.loads(texts.get("facts", "{}")))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Replace `path` in one step: a reader, or a kill at any moment, meets the old file or the new one, never half."""
    whole = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    temporary = _temporary(path)
    temporary.touch()
    mode = temporary.stat().st_mode  # as the user's umask has it; safetensors would leave the file to its owner alone
    save_file(whole, temporary, metadata={**texts, "graphspec.format": str(FORMAT)})
    temporary.chmod(mode)
    _commit(temporary, path)


def write_copy(source: Path, path: Path) -> None:
    """Make `path` a file like `source`, in one step; a hard link where the file system has them, since both files are
    only ever replaced."""
    temporary = _temporary(path)
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    _commit(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step, as `write_tensors` does."""
    temporary = _temporary(path)
    temporary.write_text(text, encoding="utf-8")
    _commit(temporary, path)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors (on the CPU) and texts of a file written by `write_tensors`; RunError says why it cannot be used."""
    try:
        with safe_open(path, framework="pt") as opened:
            texts: dict[str, str] = opened.metadata() or {}
            tensors: dict[str, Tensor] = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"there is no checkpoint {path}", "name a run folder that `graphspec train` wrote") from None
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"{path} cannot be read as a checkpoint: {error}", "the file is damaged or not a safetensors file"
        ) from None
    _check_format(path, texts)
    return tensors, texts


def _check_format(path: Path, texts: Mapping[str, str]) -> None:
    written = texts.get("graphspec.format", "")
    if not written.isdigit():
        raise RunError(f"{path} was not written by graphspec train", "name a run folder that `graphspec train` wrote")
    if int(written) > FORMAT:
        raise RunError(
            f"{path} has checkpoint format {written}; this graphspec reads up to {FORMAT}", "update graphspec"
        )


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.part")


def _commit(temporary: Path, path: Path) -> None:
    """Onto the disk first, then under its name; the folder last, so that the new name survives a power cut too."""
    _sync(temporary)
    os.replace(temporary, path)
    if os.name == "posix":
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load_weights(
    module: torch.nn.Module,
    weights: Mapping[str, Tensor],
    origin: str,
    hint: str = "the spec must be the one that the weights were trained with",
) -> None:
    """Copy weights into `module`. RunError names what is missing, unknown or of another shape (both shapes)."""
    own = module.state_dict()
    for name, tensor in own.items():
        if name not in weights:
            raise RunError(f"{origin} has no weights for {name}, which has shape {list(tensor.shape)} here", hint)
        if tensor.shape != weights[name].shape:
            theirs, ours = list(weights[name].shape), list(tensor.shape)
            raise RunError(f"{name} has shape {theirs} in {origin}, but {ours} here", hint)
    unknown = next((name for name in weights if name not in own), None)
    if unknown is not None:
        raise RunError(f"{origin} has weights for {unknown}, which this model does not have", hint)
    module.load_state_dict(dict(weights))
