"""Files of tensors: safetensors with text and a digest beside the numbers, replaced in one step, checked when read."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from runtime.errors import RunError
from runtime.runs.atomic_files import replacing

FORMAT = 1
"""Version of what is in the files. A reader refuses a newer one."""

DIGEST = "graphspec.sha256"
DAMAGED = "the file is damaged or is no checkpoint: bring an undamaged copy, or train into another folder"


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
    try:
        facts = json.loads(texts.get("facts", "{}"))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}", DAMAGED) from None
    if not isinstance(facts, dict):
        raise RunError(f"{path} is damaged: its facts are no mapping", DAMAGED)
    return Checkpoint(tensors, texts.get("spec", ""), facts)


def weights_digest(path: Path) -> str:
    """SHA-256 of what a file of tensors holds, as it was written; of an older file that has none, found anew. RunError
    where it cannot be read."""
    tensors, texts = read_tensors(path)
    return digest(tensors, texts)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Replace `path` in one step, with a digest of all that is in it.

    Raises UnwritableError where there is no room, or no permission.
    """
    whole = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    texts = {**texts, "graphspec.format": str(FORMAT)}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # as the user's umask has it; safetensors leaves a file to its owner alone
        try:
            save_file(whole, temporary, metadata={**texts, DIGEST: digest(whole, texts)})
        except SafetensorError as error:
            raise _as_system_error(error) from None
        temporary.chmod(mode)


def _as_system_error(error: SafetensorError) -> OSError:
    """What the system refused, as Python says it: safetensors has it in its text alone."""
    found = re.search(r"os error (\d+)", str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else OSError(None, str(error))


def digest(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> str:
    """SHA-256 of names, types, shapes and numbers of contiguous CPU tensors, and of the texts beside them.

    It stands in the file that it is about: a file of its own would be wrong for the instant between two renames.
    """
    found = hashlib.sha256(json.dumps([sorted(texts.items()), len(tensors)]).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        found.update(tensor.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors (on the CPU) and texts of a file written by `write_tensors`; RunError says why it cannot be used.

    Files of before there were digests are taken as they are.
    """
    if path.exists() and not path.is_file():
        raise RunError(f"{path} is no file", "name a run folder that `graphspec train` wrote")
    try:
        with safe_open(path, framework="pt") as opened:
            texts: dict[str, str] = opened.metadata() or {}
            tensors: dict[str, Tensor] = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"there is no checkpoint {path}", "name a run folder that `graphspec train` wrote") from None
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path} cannot be read as a checkpoint: {error}", DAMAGED) from None
    _check_format(path, texts)
    if DIGEST in texts and texts.pop(DIGEST) != digest(tensors, texts):
        raise RunError(f"{path} is damaged: its contents do not have the SHA-256 that it was written with", DAMAGED)
    return tensors, texts


def _check_format(path: Path, texts: Mapping[str, str]) -> None:
    written = texts.get("graphspec.format", "")
    if not written.isdigit():
        raise RunError(f"{path} was not written by graphspec train", "name a run folder that `graphspec train` wrote")
    if int(written) > FORMAT:
        raise RunError(
            f"{path} has checkpoint format {written}; this graphspec reads up to {FORMAT}", "update graphspec"
        )


def load_weights(
    module: torch.nn.Module,
    weights: Mapping[str, Tensor],
    origin: str,
    hint: str = "the spec must be the one that the weights were trained with",
) -> None:
    """Copy weights into `module`. RunError names what is missing, unknown, or of another shape or type (tells both)."""
    own = module.state_dict()
    for name, tensor in own.items():
        if name not in weights:
            raise RunError(f"{origin} has no weights for {name}, which has shape {list(tensor.shape)} here", hint)
        if tensor.shape != weights[name].shape:
            theirs, ours = list(weights[name].shape), list(tensor.shape)
            raise RunError(f"{name} has shape {theirs} in {origin}, but {ours} here", hint)
        if tensor.dtype != weights[name].dtype:
            raise RunError(f"{name} is {_type(weights[name])} in {origin}, but {_type(tensor)} here", hint)
    unknown = next((name for name in weights if name not in own), None)
    if unknown is not None:
        raise RunError(f"{origin} has weights for {unknown}, which this model does not have", hint)
    module.load_state_dict(dict(weights))


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
