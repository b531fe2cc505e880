"""Checkpoint files: whole or absent, of a known format, and refused with both shapes where they do not fit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_runs import tiny_model, train_tiny
from torch import nn

from runtime.errors import RunError
from runtime.runs import atomic_files, checkpoints
from runtime.runs.atomic_files import write_copy, write_text
from runtime.runs.checkpoints import load_weights, read_weights, save_weights, write_tensors
from runtime.runs.run_folder import Run
from runtime.training.loop.fitting import fit


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    weights = {"a.b": torch.randn(3, 2, dtype=torch.float64), "counter": torch.tensor(7), "view": torch.randn(4, 4).T}
    save_weights(tmp_path / "w.safetensors", weights, "graphspec: 1\n", {"epoch": 3})
    back = read_weights(tmp_path / "w.safetensors")
    assert back.spec == "graphspec: 1\n"
    assert back.facts == {"epoch": 3}
    assert set(back.weights) == set(weights)
    for name, tensor in weights.items():
        assert back.weights[name].dtype == tensor.dtype
        assert torch.equal(back.weights[name], tensor)


def test_tensors_that_share_memory_are_saved_apart(tmp_path: Path) -> None:
    base = torch.arange(4.0)
    write_tensors(tmp_path / "w.safetensors", {"a": base, "b": base}, {})
    assert set(checkpoints.read_tensors(tmp_path / "w.safetensors")[0]) == {"a", "b"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "there is no checkpoint"), (b"", "cannot be read"), (b"\x10\0\0\0\0\0\0\0{broken", "cannot be read")],
)
def test_missing_and_damaged_files_are_run_errors(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=expected) as caught:
        read_weights(path)
    assert caught.value.hint


def test_files_of_others_and_of_newer_formats_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(RunError, match="not written by graphspec"):
        read_weights(tmp_path / "other.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "new.safetensors", metadata={"graphspec.format": "99"})
    with pytest.raises(RunError, match="format 99") as caught:
        read_weights(tmp_path / "new.safetensors")
    assert caught.value.hint == "update graphspec"


def test_a_write_that_dies_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.zeros(2)}, "", {"epoch": 1})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic_files.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        save_weights(path, {"a": torch.ones(2)}, "", {"epoch": 2})
    monkeypatch.undo()
    assert read_weights(path).facts == {"epoch": 1}
    save_weights(path, {"a": torch.ones(2)}, "", {"epoch": 2})
    assert read_weights(path).facts == {"epoch": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_copy_does_not_change_with_its_source(tmp_path: Path) -> None:
    last, best = tmp_path / "last.safetensors", tmp_path / "best.safetensors"
    save_weights(last, {"a": torch.zeros(2)}, "", {"epoch": 1})
    write_copy(last, best)
    save_weights(last, {"a": torch.ones(2)}, "", {"epoch": 2})
    assert read_weights(best).facts == {"epoch": 1}
    write_copy(last, best)
    assert read_weights(best).facts == {"epoch": 2}


def test_files_have_the_permissions_that_the_user_wants(tmp_path: Path) -> None:
    write_text(tmp_path / "plain.txt", "text")
    write_tensors(tmp_path / "w.safetensors", {"a": torch.zeros(1)}, {})
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (
            {"weight": torch.zeros(3, 3), "bias": torch.zeros(2)},
            r"weight has shape \[3, 3\] in there, but \[2, 3\] here",
        ),
        ({"weight": torch.zeros(2, 3)}, "there has no weights for bias"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "extra": torch.zeros(1)}, "weights for extra"),
    ],
)
def test_weights_that_do_not_fit_are_named(weights: dict[str, torch.Tensor], expected: str) -> None:
    module = nn.Linear(3, 2)
    before = module.weight.detach().clone()
    with pytest.raises(RunError, match=expected):
        load_weights(module, weights, "there")
    assert torch.equal(module.weight, before)


class Killed(BaseException):
    """Stands for the kill that no code of ours can catch."""


def _same_weights(left: Run, right: Run) -> bool:
    files = [(left.best_file, right.best_file), (left.last_file, right.last_file)]
    pairs = [(read_weights(a).weights, read_weights(b).weights) for a, b in files]
    return all(torch.equal(a[name], b[name]) for a, b in pairs for name in a | b)


def test_killed_at_any_write_a_run_can_be_resumed_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Die at the n-th file written, before and after it takes its name, for every n; then resume."""
    whole = train_tiny(tmp_path, "training.epochs=2", "training.ema=0.9", out="whole")
    commit, deaths = atomic_files.commit, 0
    for fatal in range(1, 100):
        calls = 0

        def commit_or_die(temporary: Path, path: Path, fatal: int = fatal) -> None:
            nonlocal calls
            calls += 1
            if calls == fatal and fatal % 2:
                raise Killed
            commit(temporary, path)
            if calls == fatal:
                raise Killed

        monkeypatch.setattr(atomic_files, "commit", commit_or_die)
        out = tmp_path / f"killed-{fatal}"
        try:
            train_tiny(tmp_path, "training.epochs=2", "training.ema=0.9", out=out.name)
            break
        except Killed:
            deaths += 1
        finally:
            monkeypatch.undo()
        begun = Run(out).state_file.exists()  # weights come from the state, else from the seed as in the first place
        model = tiny_model(tmp_path, "training.epochs=2", "training.ema=0.9", seed=99 if begun else 0)
        resume = Run(out).spec_file.exists()
        run = fit(model, out=out, resume=resume, progress=False, device="cpu")
        assert _same_weights(run, whole), fatal
        assert [record["epoch"] for record in run.metrics()] == [1, 2]
    assert deaths >= 9
