"""benchmarks/: the twins have graphspec's loss and gradient, the work is counted right, the command writes valid rows."""

import importlib
import json
import os
import statistics
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import case as cases
from benchmarks import rows as own_rows
from benchmarks import throughput
from benchmarks.checking import compare
from benchmarks.contender import Gate, Losses, Stop
from benchmarks.hand_conv import HandConvM2
from benchmarks.hand_table import HandTable
from benchmarks.machine import gemm_peak, onednn_peak, processor
from benchmarks.measuring import Measured, rows, unavailable
from benchmarks.pipes import Failed, Worker
from benchmarks.settings import ON_CUDA, SETTINGS, Implementation, implementations_on
from benchmarks.work import DATA, Layer, _adgm, _conv, _digits, _m2, _table, step_flop
from compiler.symbolic.cost import program_cost
from compiler.symbolic.lowering import lower
from compiler.symbolic.program import Pattern
from graphspec.loading import load

ROOT = Path(__file__).parents[1]
needs_mnist = pytest.mark.skipif(
    not os.environ.get("GRAPHSPEC_DATA") or own_rows.mnist_folder() is None, reason="MNIST is not in GRAPHSPEC_DATA"
)
TWINS = [(graph, name) for graph in SETTINGS for name in SETTINGS[graph].implementations]
EXACT = [
    (graph, name)
    for graph, name in TWINS
    if (it := SETTINGS[graph].implementations[name]) and not (it.bf16 or it.compiled or it.environment or it.stochastic)
    if graph != "digits"
]


@contextmanager
def built(graph, name, dtype=torch.float64):
    """A contender in this process, which is left as it was."""
    setting = SETTINGS[graph]
    implementation = setting.implementations[name]
    if implementation.needs:
        pytest.importorskip(implementation.needs, reason="another library: pip install graphspec[bench]")
    module, _, kind = implementation.target.partition(":")
    validation = torch.distributions.Distribution._validate_args
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what other libraries warn about is not this test's business
            yield getattr(importlib.import_module(module), kind)(setting, implementation, dtype)
    finally:  # the peers' twins turn it off, which is for a process of their own
        torch.distributions.Distribution.set_default_validate_args(validation)


def losses(graph, name, case):
    with built(graph, name) as contender:
        return contender.losses(case)


@pytest.fixture(scope="module")
def references():
    """Each graph's case in double precision and its first implementation's losses, made once."""
    made = {}

    def reference(graph):
        if graph not in made:
            if SETTINGS[graph].rows_from == "mnist" and own_rows.mnist_folder() is None:
                pytest.skip("MNIST is not in GRAPHSPEC_DATA")
            case = cases.build_case(SETTINGS[graph], torch.float64)
            made[graph] = case, losses(graph, "hand-eager", case)
        return made[graph]

    return reference


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", SETTINGS)
def test_the_settings_say_what_the_spec_says(graph) -> None:
    setting = SETTINGS[graph]
    spec = load(setting.spec, setting.overrides).spec
    training, objective = spec.training, spec.objective
    assert (training.batch_size, training.labelled_batch_size) == (setting.unlabelled, setting.labelled)
    assert training.optimizer == "adam"
    assert (training.ema, training.weight_decay, training.gradient_clip) == (None, 0, None)
    assert (objective.alpha, objective.labelled_share(1, 5), objective.samples) == (setting.alpha, 0.5, setting.samples)
    if graph == "digits":  # no other implementation reads the rows
        return
    assert training.learning_rate == setting.learning_rate
    assert not spec.data.validation and spec.data.labels in ({"y": setting.labels}, {})
    assert (setting.rows - setting.labels) % setting.unlabelled == 0, "every step of an epoch has as many rows"
    if setting.temperature is not None:
        assert objective.estimators["y"].temperature == setting.temperature


# --- the count of work ----------------------------------------------------------------------------------------------


def test_the_work_of_m2_is_the_known_number() -> None:
    found = {
        graph: step_flop(graph, SETTINGS[graph], SETTINGS[graph].implementations["graphspec"]) for graph in SETTINGS
    }
    assert found["m2"] / 1e9 == pytest.approx(7.43, abs=0.005)
    assert found["m2-relaxed"] / 1e9 == pytest.approx(2.41, abs=0.005)
    assert found["m2-relaxed"] < found["m2-sparse"] < found["m2"]


def test_a_layer_that_reads_data_needs_no_gradient_of_its_inputs() -> None:
    assert Layer(7, 5, 3).flop == 3 * 2 * 7 * 5 * 3
    assert Layer(7, 5, 3, DATA).flop == 2 * 2 * 7 * 5 * 3


@pytest.mark.parametrize("graph", ["m2", "adgm", "digits"])
def test_the_forward_pass_is_the_compilers_own_count(graph) -> None:
    setting = SETTINGS[graph]
    graphs = load(setting.spec, setting.overrides)
    row, joint = setting.examples, setting.unlabelled * 10 + setting.labelled
    layers = {"m2": _m2(row, joint, relaxed=False), "adgm": _adgm(row, joint, 5), "digits": _digits(row, joint)}[graph]
    patterns = {Pattern(()): setting.unlabelled, Pattern((setting.label,)): setting.labelled}
    costs = [n * program_cost(lower(graphs, p, setting.samples)).multiply_adds for p, n in patterns.items()]
    assert sum(layer.rows * layer.inputs * layer.outputs for layer in layers) == sum(costs)


def test_the_layers_of_the_table_are_the_twins() -> None:
    setting = SETTINGS["table"]
    twin = HandTable(setting, setting.implementations["hand-eager"])
    inner = [layer for layer in twin.modules() if isinstance(layer, torch.nn.Linear)]
    own = sorted((layer.inputs, layer.outputs) for layer in _table(1, 1))
    without_classes = {6: 3, 5: 2, 67: 64}  # inputs less the three classes, which are looked up
    theirs = [(without_classes.get(layer.in_features, layer.in_features), layer.out_features) for layer in inner]
    age_apart = [pair for pair in theirs if pair != (3, 32)] + [(1, 32), (2, 32)]
    assert own == sorted(age_apart)


def test_the_forward_pass_of_the_convolutional_trunk_is_torchs_own_count() -> None:
    setting = SETTINGS["conv"]
    twin = HandConvM2(setting, setting.implementations["hand-eager"])
    with FlopCounterMode(display=False) as counter:
        twin.trunk(torch.zeros(3, 1, 28, 28))
    assert sum(2 * layer.rows * layer.inputs * layer.outputs for layer in _conv(3, 0)[:3]) == counter.get_total_flops()


# --- equal losses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("graph", "name"), [pair for pair in EXACT if pair[1] != "hand-eager"])
def test_everybody_has_the_same_loss_and_gradient(graph, name, references) -> None:
    case, expected = references(graph)
    found = losses(graph, name, case)
    assert statistics.fmean(found.each) == pytest.approx(statistics.fmean(expected.each), rel=1e-12)
    assert found.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-10)
    if name == "graphspec":  # the same closed forms: equal at every single draw
        assert found.each == pytest.approx(expected.each, rel=1e-12)


@pytest.mark.data
@needs_mnist
def test_the_sparse_sum_is_the_full_one_in_the_mean(monkeypatch) -> None:
    monkeypatch.setattr(cases, "STOCHASTIC_DRAWS", 40)
    case = cases.build_case(SETTINGS["m2-sparse"], torch.float64)
    reference, found = (losses("m2-sparse", name, case) for name in ("hand-eager", "graphspec"))
    setting = SETTINGS["m2-sparse"]
    verdict = compare("graphspec", setting.implementations["graphspec"], found, reference, setting)
    assert verdict.agrees and verdict.difference != 0
    assert verdict.allowed < 0.1, "the test can tell a tenth of a nat of six hundred"


@pytest.mark.data
@needs_mnist
def test_the_comparison_can_fail(references, monkeypatch) -> None:
    """Half a per cent less of alpha is another loss."""
    case, expected = references("m2")
    other = replace(SETTINGS["m2"], alpha=0.995 * SETTINGS["m2"].alpha)
    monkeypatch.setitem(SETTINGS, "m2", other)
    found = losses("m2", "hand-eager", case)
    assert not compare("hand-eager", other.implementations["hand-eager"], found, expected, other).agrees


def test_a_wrong_gradient_alone_is_a_difference() -> None:
    setting, right = SETTINGS["m2"], Losses((600.0, 601.0), 10.0)

    def agrees(name: str, *found) -> bool:
        return compare(name, setting.implementations[name], Losses(*found), right, setting).agrees

    assert agrees("pyro", (601.0, 600.0), 10.0)
    assert not agrees("pyro", (600.0, 601.0), 10.01)
    assert not agrees("pyro", (600.0, 601.1), 10.0)
    assert agrees("graphspec bf16", (602.0, 603.0), 10.3)
    assert not agrees("graphspec bf16", (605.0, 606.0), 10.0)


# --- measuring ------------------------------------------------------------------------------------------------------


def test_the_gate_counts_steps_and_leaves_out_what_is_no_training(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("benchmarks.contender.time.perf_counter", lambda: now[0])
    monkeypatch.setattr("benchmarks.contender.time.process_time", lambda: now[0] / 2)
    commands = iter([{"run": {"steps": 1, "seconds": 5.0}}, {"stop": True}])
    answers = []
    gate = Gate(lambda: next(commands), answers.append)
    now[0] = 4.0
    gate.opens()
    for passed in (2.0, 2.0):
        now[0] += passed
        gate.passed()
    now[0] += 100.0
    gate.leave_out()
    now[0] += 2.0
    with pytest.raises(Stop):
        gate.passed()
    assert answers == [{"ready": 4.0}, {"steps": 3, "seconds": 6.0, "processor_seconds": 3.0}]


def test_rows_hold_median_range_ratio_and_share() -> None:
    def measured(name, seconds):
        worker = type("Named", (), {"name": name})()
        return Measured(worker, 1.0, 100.0, 0.5, 3.0, 200.0, seconds, [each / 4 for each in seconds])

    setting = SETTINGS["m2"]
    both = [measured("hand-eager", [0.1, 0.4, 0.2]), measured("pyro", [0.4] * 3)]
    first, second = rows("m2", setting, both, 100.0, 250.0)
    assert (first["examples_per_second"], first["lowest"], first["highest"]) == (2000.0, 1000.0, 4000.0)
    assert (first["ratio"], second["ratio"], second["repeats"]) == (1.0, 0.5, 3)
    assert first["share_of_roofline"] == pytest.approx(7.431 / 0.2 / 100, rel=1e-3)
    assert first["share_of_fastest"] == pytest.approx(7.431 / 0.2 / 250, rel=1e-3)
    assert first["compile_s"] == pytest.approx(3.0 - 3 * 0.2)
    assert first["processor_ms_per_step"] == pytest.approx(50.0)


def test_what_cannot_be_measured_says_why() -> None:
    assert "bfloat16" in unavailable(Implementation("m:C", bf16=True), bf16=False)
    assert "graphspec[bench]" in unavailable(Implementation("m:C", needs="no_such_package"), bf16=True)
    assert unavailable(Implementation("m:C"), bf16=False) is None


def test_the_machine_is_described() -> None:
    assert processor()["processor"]
    assert gemm_peak(torch.float32, 0.02) > 0
    assert (onednn_peak(0.02) > 0) == torch.backends.mkldnn.is_available()


@pytest.mark.slow  # processes of benchmarks, not the product
def test_a_worker_that_fails_tells_its_last_line(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(SETTINGS["m2"].implementations, "nobody", Implementation("benchmarks.nobody:Nobody"))
    with pytest.raises(Failed, match="nobody"):
        Worker("m2", "nobody", 1, tmp_path)


@pytest.mark.parametrize(
    ("graph", "name"),
    [
        *(pytest.param("m2", name, marks=needs_mnist) for name in ("hand-eager", "graphspec", "pyro", "pixyz")),
        *(("table", name) for name in ("hand-eager", "graphspec")),
        ("digits", "graphspec"),
    ],
)
def test_everybody_trains_as_the_gate_says(graph, name) -> None:
    """Two stretches through the public loop; graphspec's goes through `fit`, and its folder is gone afterwards."""
    commands = iter([{"run": {"steps": 2, "seconds": 0.0}}, {"run": {"steps": 1, "seconds": 0.0}}, {"stop": True}])
    answers = []
    gate = Gate(lambda: next(commands), answers.append)
    with built(graph, name, torch.float32) as contender, pytest.raises(Stop):
        contender.run(gate)
    assert [answer.get("steps") for answer in answers] == [None, 2, 1]
    assert all(answer["seconds"] > 0 for answer in answers[1:])


# --- the command ----------------------------------------------------------------------------------------------------


def test_without_mnist_the_command_says_what_to_do(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("GRAPHSPEC_DATA", "unset below")
    assert throughput.main(["--json", str(tmp_path / "rows.json"), "--data-dir", str(tmp_path)]) == 1
    assert "--data-dir" in capsys.readouterr().err
    for wrong, told in (
        (["--only", "nobody"], "hand-eager"),
        (["--graph", "m3"], "m2-sparse"),
        (["--graph", "m2,table", "--json", "rows.json"], "leave it out"),
        (["--device", "cuda", "--graph", "adgm"], "m2-relaxed"),
    ):
        with pytest.raises(SystemExit):
            throughput.main(wrong)
        assert told in capsys.readouterr().err


def test_without_cuda_the_command_says_where_to_run_it(capsys, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert throughput.main(["--device", "cuda"]) == 1
    assert "sees no CUDA device" in (told := capsys.readouterr().err)
    assert f"--graph {','.join(ON_CUDA)}" in told


def test_on_cuda_every_graph_is_eager_plain_compiled_and_graphed() -> None:
    for graph in ON_CUDA:
        found = implementations_on(graph, "cuda")
        assert list(found) == [
            *("hand-eager", "graphspec", "graphspec --compile", "graphspec --compile, CUDA graphs"),
        ]
        assert [each.compiled for each in found.values()] == [False, False, True, True]
        assert not any(each.bf16 for each in found.values())


def test_another_commit_needs_its_worktree(tmp_path, capsys) -> None:
    assert throughput.main(["--graph", "digits", "--worktree", str(tmp_path)]) == 1
    assert "git worktree add" in capsys.readouterr().err


@pytest.mark.slow  # processes of benchmarks, not the product
def test_another_commits_packages_are_measured_in_its_worktree(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "compiler").mkdir()
    (tmp_path / "compiler" / "__init__.py").write_text("raise SystemExit('this is the other commit')\n")
    with pytest.raises(Failed, match="this is the other commit"):
        Worker("digits", "commit bb4ddbc", 1, tmp_path, worktree=tmp_path)


def test_who_is_not_in_time_is_left_out(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(Failed, match="no time was left"):
        Worker("table", "hand-eager", 1, tmp_path, until=0.0)


@pytest.mark.slow  # processes of benchmarks, not the product
def test_the_command_writes_valid_rows(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    target = tmp_path / "new" / "rows.json"
    tiny = ["--repeats", "2", "--seconds", "0.01", "--threads", "1"]
    arguments = ["--graph", "table", "--json", str(target), "--only", "hand-eager", *tiny]
    threads = torch.get_num_threads()
    try:
        assert throughput.main(arguments) == 0
    finally:
        torch.set_num_threads(threads)
    report = json.loads(target.read_text())
    assert [row["implementation"] for row in report["rows"]] == ["hand-eager"]
    for row in report["rows"]:
        assert 0 < row["lowest"] <= row["examples_per_second"] <= row["highest"]
        assert (
            0 < row["share_of_fastest"] <= row["share_of_roofline"] < 4
            and row["peak_mib"] >= row["setup_mib"] > 50
            and row["setup_s"] > 0
        )
    assert all(loss["agrees"] for loss in report["losses"])
    assert report["machine"]["gemm_gflops"]["float32"] > 0 and report["versions"]["torch"] == torch.__version__
    assert str(tmp_path) not in target.read_text(), "no path of this machine"
    assert "agrees" in capsys.readouterr().out
