"""What `auto` decides for precision and compilation, and that it says why."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import tiny_model, train_tiny

from graphspec.language import TrainingSection
from graphspec.loading import load
from runtime.cli.before_training import large_step, warnings_before
from runtime.training.speed import choices
from runtime.training.speed.choices import (
    Decision,
    choose_compile,
    choose_one_thread,
    choose_precision,
    describe_choices,
    native_bf16,
    rows_per_step,
    step_gflop,
    threads,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")
F32 = torch.float32
AUTO = TrainingSection(epochs=1)


@pytest.fixture(autouse=True)
def without_fused_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "fused_kernels", lambda device, dtype: False)


def test_precision_asked_for_is_taken_and_auto_needs_a_processor_that_multiplies_bf16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choices, "native_bf16", lambda device: "")
    assert choose_precision("bf16", CPU, torch.float32, 0.0, None).on
    assert not choose_precision("fp32", CPU, torch.float32, 1e9, None).on
    emulated = choose_precision("auto", CPU, torch.float32, 1e9, None)
    assert emulated == Decision(False, "no bfloat16 products in this processor")
    monkeypatch.setattr(choices, "native_bf16", lambda device: "AMX")
    large = choose_precision("auto", CPU, torch.float32, 10.0, None)
    assert large.on
    assert large.reason.startswith("AMX")
    assert "3 %" in large.reason, "the tolerance is stated"
    small = choose_precision("auto", CPU, torch.float32, 0.01, None)
    assert not small.on
    assert "too small" in small.reason
    assert not choose_precision("auto", CPU, torch.float64, 10.0, None).on


def test_bf16_that_is_emulated_is_said_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "native_bf16", lambda device: "")
    asked_before: list[tuple[str, dict[str, str] | None]] = [("bf16", None), ("auto", {"precision": "bf16"})]
    for asked, before in asked_before:
        forced = choose_precision(asked, CPU, torch.float32, 10.0, before)
        assert forced.on and "emulates each: 25 times slower" in forced.reason
    assert "emulates" not in choose_precision("fp32", CPU, torch.float32, 10.0, None).reason
    graphs = load("specs/digits.yaml")
    assert warnings_before(graphs, CPU) == []
    (warning,) = warnings_before(load("specs/digits.yaml", ["training.precision=bf16"]), CPU)
    assert "no bfloat16 products" in warning and "--precision auto" in warning
    monkeypatch.setattr(choices, "native_bf16", lambda device: "AMX")
    assert choose_precision("bf16", CPU, torch.float32, 10.0, None) == Decision(True, "as asked")
    assert warnings_before(load("specs/digits.yaml", ["training.precision=bf16"]), CPU) == []


def test_a_large_step_is_said_before_it_runs() -> None:
    assert large_step(load("specs/svhn.yaml")) == ""
    large = load("specs/svhn.yaml", ["training.batch_size=20000"])
    assert warnings_before(large, CPU) == [f"memory: {large_step(large)}"]
    assert "GiB at the peak of a step" in large_step(large) and "batch_size: 5000" in large_step(large)


def test_a_resumed_training_keeps_its_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "native_bf16", lambda device: "AMX")
    assert not choose_precision("auto", CPU, torch.float32, 10.0, {"precision": "fp32"}).on
    assert choose_precision("auto", CPU, torch.float32, 0.0, {"precision": "bf16"}).on
    assert choose_compile(AUTO, CPU, F32, 1, 0.0, {"compiled": True}).on
    assert not choose_compile(AUTO, CPU, F32, 10**9, 10.0, {"compiled": False}).on


@pytest.mark.parametrize(
    ("amx", "avx", "expected"), [(True, True, "AMX"), (False, True, "AVX-512"), (False, False, "")]
)
def test_native_products_are_what_the_processor_says(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    assert native_bf16(CPU).startswith(expected)
    assert bool(native_bf16(CPU)) is bool(expected)


def test_compiling_must_save_more_than_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "has_compiler", lambda: True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    seconds = choices.PAYS_BACK * choices.COMPILE_SECONDS / choices.COMPILE_GAIN
    steps = seconds * choices.GFLOP_PER_SECOND * 2 / 10.0
    assert not choose_compile(AUTO, CPU, F32, int(0.99 * steps), 10.0, None).on
    long = choose_compile(AUTO, CPU, F32, int(1.01 * steps), 10.0, None)
    assert long.on
    assert "costs 30 s" in long.reason
    assert not choose_compile(AUTO, GPU, F32, 10**9, 10.0, None).on
    monkeypatch.setattr(choices, "has_compiler", lambda: False)
    assert choose_compile(AUTO, CPU, F32, 10**9, 10.0, None) == Decision(False, "there is no C++ compiler")
    assert choose_compile(AUTO.model_copy(update={"compile": True}), CPU, F32, 1, 0.0, None) == Decision(
        True, "as asked"
    )


def test_fused_kernels_leave_compiling_nothing_to_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "fused_kernels", lambda device, dtype: True)
    monkeypatch.setattr(choices, "native_bf16", lambda device: "AMX")
    assert not choose_compile(AUTO, CPU, F32, 10**9, 10.0, None).on
    assert "0.6 of their speed" in choose_compile(AUTO, CPU, F32, 10**9, 10.0, None).reason
    assert choose_precision("auto", CPU, F32, 10.0, None).on, "the kernels read and write bfloat16"


def test_the_work_of_a_step_is_the_cost_model_s(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    assert rows_per_step(AUTO.model_copy(update={"batch_size": 20}), 65, 12) == (20, 12)
    assert rows_per_step(AUTO.model_copy(update={"batch_size": 20, "labelled_batch_size": 4}), 65, 12) == (20, 4)
    one, both = step_gflop(model, 20, 0), step_gflop(model, 20, 12)
    assert 0 < one < both < 2 * one
    # enumerated y: without a label three decodes of a row, with one a single one
    assert step_gflop(model, 0, 1) < step_gflop(model, 1, 0)
    spec = Path(__file__).parent.parent / "specs" / "attributes.yaml"
    from compiler import compile_spec

    assert step_gflop(compile_spec(load(spec)), 10, 10) > 0, "one masked program"


def test_a_run_says_what_was_chosen(tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "training.epochs=1")
    chosen = run.manifest()["choices"]
    assert set(chosen) == {"precision", "compile"}
    assert all(chosen.values())
    assert run.manifest()["compiled"] is False
    lines = describe_choices(Decision(True, "AMX"), replace(Decision(True, ""), on=False), Decision(False, ""))
    assert lines == ["bfloat16 products (AMX)", "networks not compiled ()"]


def test_small_steps_run_in_one_thread_unless_the_user_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert choose_one_thread(CPU, 0.01).on
    assert "0.01 GFLOP is too small" in choose_one_thread(CPU, 0.01).reason
    assert not choose_one_thread(CPU, 5.0).on
    assert not choose_one_thread(GPU, 0.01).on
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert not choose_one_thread(CPU, 0.01).on


def test_threads_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    with pytest.raises(KeyError), threads(True):
        raise KeyError
    with threads(False):
        pass
    assert given == [1, 4]
