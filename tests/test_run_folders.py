"""Whose a run folder is, what a kill leaves of it, what is said of a damaged one, and what no output may overwrite."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sweep_runs import inline  # noqa: F401
from tiny_runs import tiny_model, train_tiny, write_tiny
from typer.testing import CliRunner, Result

from runtime.cli.app import app
from runtime.errors import RunError, UnwritableError
from runtime.runs import run_lock
from runtime.runs.checkpoints import DIGEST, read_tensors, read_weights
from runtime.runs.claiming import claim_new, claim_old
from runtime.runs.run_folder import Run, open_run
from runtime.training.loop import epoch_files
from runtime.training.loop.fitting import fit
from runtime.training.loop.loop import Training


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch; tests copy it."""
    return train_tiny(tmp_path_factory.mktemp("finished"), "training.epochs=1").folder


AGAIN = ("train", "tiny.yaml", "--out", "run", "--resume", "--no-figures")


def graphspec(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def resumed(*overrides: str, out: str = "run") -> Run:
    return fit(tiny_model(Path(), *overrides), out=out, resume=True, progress=False, device="cpu")


# --- whose a folder is ----------------------------------------------------------------------------------------------


def test_a_folder_at_work_is_refused_and_named(finished: Path) -> None:
    text = Path("tiny.yaml").read_text()
    shutil.copytree(finished, "run")
    busy = rf"another training is at work in run \(process {os.getpid()} on "
    with claim_old(Path("run"), "tiny", text), pytest.raises(RunError, match=busy):
        resumed("training.epochs=2")
    with claim_new(Path("new"), "tiny", text), pytest.raises(RunError, match="another training is at work in new"):
        train_tiny(Path(), out="new")
    assert not Path("new").exists(), "nothing was written, nothing is left"
    assert resumed("training.epochs=2").finished
    assert not (Path("run") / run_lock.LOCK_FILE).exists()


def test_trainings_that_start_together_take_names_of_their_own() -> None:
    text = Path("tiny.yaml").read_text()
    with claim_new(None, "tiny", text) as other:
        run = fit(tiny_model(Path(), "training.epochs=1"), progress=False, device="cpu")
        assert (str(other.folder), str(run.folder)) == ("runs/tiny", "runs/tiny-2")


def test_a_lock_does_not_outlive_its_process() -> None:
    code = (
        "import os, sys; from pathlib import Path; from runtime.runs.run_lock import FolderLock;"
        "lock = FolderLock(Path('run')); print('held', flush=True); os.kill(os.getpid(), 9)"
    )
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert dead.stdout == "held\n" and dead.returncode == -signal.SIGKILL
    assert Path("run/.lock").exists()
    assert train_tiny(Path(), "training.epochs=1").finished


def test_a_file_system_without_locks_gets_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claim_new(Path("run"), "tiny", "text") as claim:
        assert "No locks available" in claim.note


# --- what a kill leaves ---------------------------------------------------------------------------------------------


def beginnings(names: str) -> None:
    """The first files of a run that was killed before its first state."""
    train_tiny(Path(), "training.epochs=1", out="whole")
    Path("run/checkpoints").mkdir(parents=True)
    for name in names.split():
        source = Path("whole", name)
        Path("run", name).write_bytes(source.read_bytes() if source.exists() else b"half of ")


@pytest.mark.parametrize(
    "left",
    [
        ".spec.yaml.part",
        "spec.yaml resolved.yaml .manifest.json.part",
        "spec.yaml resolved.yaml manifest.json checkpoints/.state.safetensors.part .lock",
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_a_run_killed_before_its_first_state_begins_again(left: str, resume: bool) -> None:
    beginnings(left)
    if resume and "manifest" not in left and not left.startswith("spec"):
        with pytest.raises(RunError, match="not a run folder"):
            resumed("training.epochs=1")
        return
    run = resumed("training.epochs=1") if resume else train_tiny(Path(), "training.epochs=1")
    one, other = (read_weights(Run(Path(name)).best_file).weights for name in ("run", "whole"))
    assert run.finished and all(torch.equal(one[name], other[name]) for name in one | other)


@pytest.mark.parametrize("foreign", ["letter.txt", "spec.yaml", "checkpoints/mine.safetensors"])
def test_what_is_not_a_killed_trainings_is_never_touched(foreign: str) -> None:
    path = Path("run", foreign)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(RunError, match="exists and is not empty"):
        train_tiny(Path())
    with pytest.raises(RunError, match="not a run folder"):
        resumed()
    assert path.read_text() == "mine" and [p for p in Path("run").rglob("*") if p.is_file()] == [path]


def test_checkpoints_that_went_missing_are_begun_again_only_by_the_same_spec(finished: Path) -> None:
    shutil.copytree(finished, "run")
    shutil.rmtree("run/checkpoints")
    Path("run/metrics.jsonl").unlink()
    assert "begin" in graphspec(*AGAIN, "--set", "training.epochs=1").output
    shutil.rmtree("run/checkpoints")
    Path("run/spec.yaml").write_text("another")
    with pytest.raises(RunError, match="made from another spec"):
        resumed()


@pytest.mark.parametrize("kind", ["SIGHUP", "SIGTERM", "SIGINT"])
def test_a_hang_up_saves_like_ctrl_c(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Training._step

    def hang_up(self: Training, batch: object) -> None:
        step(self, batch)  # type: ignore[arg-type]
        if self.position.step == 2:
            signal.raise_signal(signal.Signals[kind])

    monkeypatch.setattr(Training, "_step", hang_up)
    earlier = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests that run under nohup ignore it
    try:
        run = train_tiny(Path())
    finally:
        signal.signal(signal.SIGHUP, earlier)
    assert run.manifest()["status"] == "interrupted" and run.manifest()["step"] == 2


def test_a_hang_up_that_nohup_ignores_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Training._step
    monkeypatch.setattr(Training, "_step", lambda self, batch: (step(self, batch), signal.raise_signal(signal.SIGHUP)))
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert train_tiny(Path(), "training.epochs=1").finished
    finally:
        signal.signal(signal.SIGHUP, earlier)


def test_a_reader_that_goes_away_ends_no_training() -> None:
    code = "import sys; sys.argv[0] = 'graphspec'; from runtime.cli import main; main()"
    command = [sys.executable, "-c", code, "train", "tiny.yaml", "--no-figures", "--out", "run", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read().decode()
    assert "Traceback" not in told and Run(Path("run")).finished, told


# --- damaged and foreign folders ------------------------------------------------------------------------------------

DAMAGE: dict[str, Callable[[Path], object]] = {
    "metrics.jsonl": lambda file: file.write_bytes(b"\xff\xfe\n"),
    "manifest null": lambda file: (file.parent / "manifest.json").write_text("null"),
    "manifest latin": lambda file: (file.parent / "manifest.json").write_bytes(b'{"name": "\xe9"}'),
    "manifest kinds": lambda file: (file.parent / "manifest.json").write_text('{"status": 3, "labelled": []}'),
    "manifest deep": lambda file: (file.parent / "manifest.json").write_text("[" * 100_000),
    "evaluation folder": lambda file: (file.parent / "evaluation-test.json").mkdir(),
    "state folder": lambda file: _made_folder(file.parent / "checkpoints/state.safetensors"),
    "best folder": lambda file: _made_folder(file.parent / "checkpoints/best.safetensors"),
    "state cut": lambda file: _cut(file.parent / "checkpoints/state.safetensors"),
    "best cut": lambda file: _cut(file.parent / "checkpoints/best.safetensors"),
    "best flipped": lambda file: _flip(file.parent / "checkpoints/best.safetensors"),
    "state flipped": lambda file: _flip(file.parent / "checkpoints/state.safetensors"),
    "resolved folder": lambda file: _made_folder(file.parent / "resolved.yaml"),
    "checkpoints file": lambda file: (
        shutil.rmtree(file.parent / "checkpoints"),
        (file.parent / "checkpoints").touch(),
    ),
}


def _made_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-9] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_told_in_words(damage: str, finished: Path) -> None:
    shutil.copytree(finished, "run")
    DAMAGE[damage](Path("run/metrics.jsonl"))
    again = ("train", "tiny.yaml", "--set", "training.epochs=2", "--out", "run", "--resume", "--no-figures")
    for arguments in (("evaluate", "run", "--metrics", "none"), ("sample", "run", "-o", "s.csv"), again):
        result = graphspec(*arguments)
        assert result.exit_code in (0, 1), (arguments, result.output)
        assert "Traceback" not in result.output
        if result.exit_code:
            assert "error: " in result.stderr and "run" in result.stderr


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"labelled": {"y": None}}, "labelled.y is null"),
        ({"labelled": {"y": [[1]]}}, "labelled.y.0 is [1]"),
        ({"test": ["x"]}, 'test.0 is "x"'),
        ({"units": {"x": []}}, "units.x is []"),
        ({"units": {"x": {"mean": [None], "std": [1.0]}}}, "units.x.mean.0 is null"),
        ({"units": {"x": {"mean": [0.0]}}}, "units.x.std is missing"),
        ({"units": {"x": {"mean": [0.0] * 7, "std": [1.0] * 7}}}, "units.x has 7 means and 7 scales"),
        ({"units": {"nobody": {"mean": [0.0], "std": [1.0]}}}, "nobody"),
        ({"class_names": {"y": [1]}}, "class_names.y.0 is 1"),
    ],
)
def test_damage_deep_in_a_manifest_is_told_with_its_place(facts: dict[str, Any], place: str, finished: Path) -> None:
    shutil.copytree(finished, "run")
    manifest = json.loads(Path("run/manifest.json").read_text())
    Path("run/manifest.json").write_text(json.dumps(manifest | facts))
    result = graphspec("sample", "run", "-o", "s.csv")
    assert result.exit_code == 1 and f"manifest.json is damaged: {place}" in result.stderr.replace("'", ""), (
        result.output
    )


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_lost_history_is_told(quiet: tuple[str, ...], finished: Path) -> None:
    shutil.copytree(finished, "run")
    Path("run/metrics.jsonl").write_bytes(b"\xff\xfe\n")
    again = ("train", "tiny.yaml", "--set", "training.epochs=2", "--out", "run", "--resume", "--no-figures")
    result = graphspec(*again, *quiet)
    assert "warning: run/metrics.jsonl is damaged: it had 0 of 1 epochs" in result.output


def rewritten(file: Path, change: Callable[[str, torch.Tensor], torch.Tensor], keep_digest: bool = False) -> None:
    """The file with its tensors changed, as one of before there were digests."""
    with safe_open(file, "pt") as opened:
        texts = opened.metadata()
    if not keep_digest:
        texts.pop(DIGEST)
    save_file({name: change(name, tensor).contiguous() for name, tensor in load_file(file).items()}, file, texts)


CHANGES: dict[str, Callable[[str, torch.Tensor], torch.Tensor]] = {
    "optimizer cut": lambda name, tensor: tensor.flatten()[:1].clone() if "exp_avg" in name else tensor,
    "optimizer steps": lambda name, tensor: tensor.repeat(3) if name.endswith("/step") else tensor,
    "optimizer double": lambda name, tensor: tensor.double() if "exp_avg" in name else tensor,
    "weights cut": lambda name, tensor: tensor.flatten()[:1].clone() if name.startswith("weights/") else tensor,
    "weights whole": lambda name, tensor: tensor.long() if name.startswith("weights/") else tensor,
    "average cut": lambda name, tensor: tensor.flatten()[:1].clone() if name.startswith("average/") else tensor,
    "log cut": lambda name, tensor: tensor.flatten()[:0].clone() if name == "meter/sums" else tensor,
    "log double": lambda name, tensor: tensor.double() if name == "meter/counts" else tensor,
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_tensor_of_a_state_is_checked(change: str) -> None:
    ema = "training.ema=0.9"
    train_tiny(Path(), "training.epochs=1", ema)
    file = Path("run/checkpoints/state.safetensors")
    rewritten(file, CHANGES[change])
    with pytest.raises(RunError, match=r"state\.safetensors|has shape|is int64"):
        resumed("training.epochs=2", ema)
    result = graphspec("train", "tiny.yaml", "--set", ema, "--set", "training.epochs=2", "--out", "run", "--resume")
    assert result.exit_code == 1 and "Traceback" not in result.output


def test_files_of_before_there_were_digests_are_read(finished: Path) -> None:
    shutil.copytree(finished, "run")
    for file in Path("run/checkpoints").iterdir():
        rewritten(file, lambda _, tensor: tensor)
        assert DIGEST not in read_tensors(file)[1]
    assert resumed("training.epochs=2").finished


def test_another_number_in_a_file_is_found(finished: Path) -> None:
    shutil.copytree(finished, "run")
    file = Path("run/checkpoints/best.safetensors")
    rewritten(file, lambda _, tensor: tensor + 1, keep_digest=True)
    with pytest.raises(RunError, match="SHA-256"):
        open_run(Path("run"))


def test_a_missing_best_checkpoint_is_told(finished: Path) -> None:
    shutil.copytree(finished, "run")
    Path("run/checkpoints/best.safetensors").unlink()
    result = graphspec("evaluate", "run", "--metrics", "none")
    assert result.exit_code == 1 and "best.safetensors is missing: epoch 1 was selected" in result.stderr
    assert graphspec("evaluate", "run", "--checkpoint", "last", "--metrics", "none").exit_code == 0
    with pytest.raises(RunError, match=r"best\.safetensors is missing"):
        resumed("training.epochs=1")
    result = graphspec("train", "tiny.yaml", "--set", "training.epochs=2", "--out", "run", "--resume", "--no-figures")
    assert result.exit_code == 0 and "selected among the epochs from here on" in result.output
    assert Run(Path("run")).manifest()["best_epoch"] == 2


# --- names, places, the user's own files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "m2/first", "a\\b", "..", ".hidden", " x", "x" * 300, "a\\0b"])
def test_a_name_that_is_no_folders_is_refused(name: str) -> None:
    text = name if name != "a\\0b" else "a\0b"
    result = graphspec("check", "tiny.yaml", "--set", f"name={json.dumps(text)}")
    assert result.exit_code == 1 and "GS016" in result.stdout, result.output
    assert graphspec("train", "tiny.yaml", "--set", f"name={json.dumps(text)}").exit_code == 1
    assert graphspec("sweep", "tiny.yaml", "--set", f"name={json.dumps(text)}").exit_code == 1
    assert not Path("runs").exists() and not Path("sweeps").exists()


@pytest.mark.parametrize("name", ["m2", "Modell für Ziffern 2.1", "x" * 100, "猫", "-x"])
def test_other_names_are_fine(name: str) -> None:
    assert graphspec("check", "tiny.yaml", "--set", f"name={json.dumps(name)}").exit_code == 0


@pytest.mark.parametrize("out", ["rows.npz/x", "rows.npz", "/proc/x", "dangling"])
def test_places_that_no_run_can_have_are_told_before_data_are_read(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dangling").symlink_to("nowhere")
    if not out.startswith("/proc"):
        monkeypatch.setattr("runtime.data.prepare", None)
    result = graphspec("train", "tiny.yaml", "--out", out)
    assert result.exit_code == 1 and f"error: {out.split('/x')[0]}" in result.stderr.replace("cannot write ", "")
    assert "Traceback" not in result.output


def test_output_over_the_users_own_files_is_refused(finished: Path) -> None:
    manifest = finished / "manifest.json"
    data = Path(json.loads(manifest.read_text())["spec"]).with_name("rows.npz")
    before = data.read_bytes()
    shutil.copytree(finished, "run")
    Path("rows.csv").write_text("a,b\n1,2\n")
    Path("here").mkdir()
    shutil.copy("tiny.yaml", "here/spec.yaml")
    shutil.copy("rows.npz", "here/rows.npz")
    result = graphspec("train", "here/spec.yaml", "--out", "here")
    assert result.exit_code == 1 and "holds the spec itself" in result.stderr
    for verb in ("graph", "schema"):
        arguments = ["graph", "here/spec.yaml"] if verb == "graph" else ["schema"]
        result = graphspec(*arguments, "-o", "here/spec.yaml", *(("--format", "text") if verb == "graph" else ()))
        assert result.exit_code == 1 and "spec.yaml" in result.stderr, result.output
    assert Path("here/spec.yaml").read_text() == Path("tiny.yaml").read_text()
    assert data.read_bytes() == before


def test_a_table_that_graphspec_did_not_write_is_never_overwritten(finished: Path) -> None:
    rows = "a,b\n1,2\n"
    Path("mine.csv").write_text(rows)
    result = graphspec("sample", str(finished), "--count", "2", "-o", "mine.csv")
    assert result.exit_code == 1 and "graphspec did not write it" in result.stderr, result.output
    assert Path("mine.csv").read_text() == rows
    for _ in range(2):
        assert graphspec("sample", str(finished), "--count", "2", "-o", "drawn.csv").exit_code == 0


@pytest.mark.usefixtures("inline")
def test_a_sweep_leaves_folders_alone_that_it_did_not_make() -> None:
    arguments = ("sweep", "tiny.yaml", "--device", "cpu", "--set", "training.epochs=1", "--out", "here")
    plan = json.loads(graphspec(*arguments, "--list", "--json").stdout)
    name = plan["runs"][0]["run"]
    result = graphspec("sweep", "tiny.yaml", "--out", ".")
    assert result.exit_code == 1 and "is no sweep's folder" in result.stderr
    assert graphspec(*arguments, "-q").exit_code == 0
    shutil.rmtree(Path("here/runs", name))
    Path("here/runs", name).mkdir()
    Path("here/runs", name, "letter.txt").write_text("mine")
    result = graphspec(*arguments, "-q")
    assert result.exit_code == 1 and "exists and is not empty" in result.stderr
    assert Path("here/runs", name, "letter.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["evaluate", "run", "--seed", "9" * 20], 2, "--seed"),
        (["train", "tiny.yaml", "--set", f"training.seed={2**32}"], 1, "GS014"),
        (["sweep", "tiny.yaml", "--seeds", "99999999999"], 1, "above 4294967295"),
        (["sweep", "tiny.yaml", "--seeds", "1000000"], 1, "1000 are the most"),
        (["sweep", "tiny.yaml", "--seeds", "1000", "--over", f"objective.alpha={','.join(map(str, range(1, 21)))}"],
         1, "20000 runs"),
        (["compile", "tiny.yaml", "-o", "rows.npz"], 1, "rows.npz is not a folder"),
        (["compile", "tiny.yaml", "-o", "/proc/x"], 1, "cannot write /proc/x"),
    ],
)  # fmt: skip
def test_numbers_and_places_out_of_reach_are_told(arguments: list[str], code: int, expected: str) -> None:
    result = graphspec(*arguments)
    assert result.exit_code == code and expected in result.output, result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"WORLD_SIZE": "2"}, "there is no RANK"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "there is no MASTER_ADDR"),
        ({"WORLD_SIZE": "many"}, "'many' in the environment is no number"),
        ({"RANK": "x"}, "'x' in the environment is no number"),
    ],
)
def test_half_a_launchers_environment_is_told(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = graphspec("train", "tiny.yaml")
    assert result.exit_code == 1 and expected in result.stderr, result.output


def test_a_home_that_is_not_there_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSPEC_DATA", "~nouser/x")
    assert graphspec("check", "tiny.yaml").exit_code == 0
    assert graphspec("data").exit_code == 0


# --- full disks -----------------------------------------------------------------------------------------------------


def test_a_full_disk_says_what_was_kept_and_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from runtime.runs import atomic_files

    commit, calls = atomic_files.commit, 0

    def full(temporary: Path, path: Path) -> None:
        nonlocal calls
        calls += path.name == "state.safetensors"
        if calls > 2:  # the first state, and that of the first epoch
            raise OSError(errno.ENOSPC, "No space left on device")
        commit(temporary, path)

    whole = train_tiny(Path(), out="whole")
    with monkeypatch.context() as patched:
        patched.setattr(atomic_files, "commit", full)
        patched.setattr(epoch_files, "PAUSE", 0.0)
        with pytest.raises(UnwritableError, match=r"no space left in run/checkpoints to write state\.") as caught:
            train_tiny(Path(), out="run")
    assert "epoch 1 is kept in" in caught.value.hint
    assert not list(Path("run").rglob(".*.part"))
    one, other = (read_weights(run.best_file).weights for run in (resumed(), whole))
    assert all(torch.equal(one[name], other[name]) for name in one | other)


def test_no_empty_figures_are_left_on_a_full_disk(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    def full(self: Figure, path: Path, **_: object) -> None:
        Path(path).touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    result = graphspec("train", "tiny.yaml", "--set", "training.epochs=1", "--out", "new")
    assert result.exit_code == 1 and "test error of y" in result.stdout
    assert "no space left in new/figures to write curves.png" in result.stderr
    assert all(path.stat().st_size for path in Path("new/figures").iterdir())


# --- after a divergence ---------------------------------------------------------------------------------------------

EXPLODE = "training.learning_rate={from: 1e-2, to: 1e30, begin: 1, epochs: 0.1}"


def test_the_advice_after_a_divergence_can_be_followed() -> None:
    with pytest.raises(RunError, match=r"the weights are at fault|points to the weights") as caught:
        train_tiny(Path(), EXPLODE)
    assert "--resume --set training.learning_rate=" in caught.value.hint
    assert Run(Path("run")).manifest()["diverged"]["epoch"] == 2
    with pytest.raises(RunError, match="batch_size was 20, is 30"):
        resumed("training.batch_size=30")
    run = resumed("training.learning_rate=1e-3", "training.gradient_clip=5")
    session = run.manifest()["resumed"][0]
    assert session["epoch"] == 1 and session["changed"]["training.learning_rate"]["to"] == 1e-3
    assert "diverged" not in run.manifest() and run.finished
    with pytest.raises(RunError, match="learning_rate was"):
        resumed("training.learning_rate=1e-2", "training.gradient_clip=5", "training.epochs=5")
    assert resumed("training.learning_rate=1e-3", "training.gradient_clip=5", "training.epochs=4").finished


TABLE = """\
graphspec: 1
variables:
  a: {role: observed, domain: real, size: 2}
  b: {role: observed, domain: real}
  z: {role: latent, domain: real, size: 2}
generative: {z: {}, a: {parents: [z]}, b: {parents: [z]}}
recognition: {z: {parents: [a, b]}}
networks: {default: {kind: mlp, hidden: [4]}}
data: {source: table.csv, variables: {a: [left, right], b: b}, test: 0, validation: 0}
training: {epochs: 2, batch_size: 10}
"""


def test_rows_and_columns_of_the_first_nan_are_named() -> None:
    lines = [f"{0.1 * (i % 7)},{0.2 * (i % 5)},{0.3 * (i % 3)}" for i in range(40)]
    lines[17] = "0.1,1e30,0.2"
    Path("table.csv").write_text("\n".join(["left,right,b", *lines]) + "\n")
    Path("table.yaml").write_text(TABLE)
    result = graphspec("train", "table.yaml", "--out", "run", "--no-figures")
    assert result.exit_code == 1 and "row 17 of table.csv (0-based) has right = 1e+30" in result.stderr, result.output
    assert Run(Path("run")).manifest()["diverged"]["rows"]
