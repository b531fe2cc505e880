"""Many files of rows: a part in, a part out under its own name, and nothing done twice."""

from pathlib import Path

import pytest
from sweep_runs import graphspec
from test_predict import bird, birds, write_csv

from runtime.runs.run_folder import Run

__all__ = ["birds"]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files of five rows each, here."""
    monkeypatch.chdir(tmp_path)
    Path("parts").mkdir()
    for number in range(3):
        write_csv(Path("parts") / f"p{number}.csv", [bird(row) for row in range(5 * number, 5 * number + 5)])
    return tmp_path


def test_each_part_is_answered_as_by_itself_and_once(birds: Run, parts: Path) -> None:
    run = str(birds.folder)
    result = graphspec("predict", run, "parts/*.csv", "-o", "answers")
    assert result.exit_code == 0, result.output
    assert "answers  (3 files; 15 rows)" in result.stdout
    assert graphspec("predict", run, "parts/p1.csv", "-o", "alone.csv").exit_code == 0
    assert Path("answers/p1.csv").read_bytes() == Path("alone.csv").read_bytes()

    before = {path: path.stat().st_mtime_ns for path in Path("answers").glob("*.csv")}
    write_csv(Path("parts/p2.csv"), [bird(row) for row in range(40, 47)])
    again = graphspec("predict", run, "parts/*.csv", "-o", "answers")
    assert "answers  (3 files, 2 of them before; 17 rows)" in again.stdout
    assert [path.name for path in before if path.stat().st_mtime_ns != before[path]] == ["p2.csv"]

    other = graphspec("predict", run, "parts/*.csv", "-o", "answers", "--interval", "0.5")
    assert "answers  (3 files; 17 rows)" in other.stdout, "another question has other answers"


def test_a_part_that_cannot_be_read_is_told_and_the_others_are_answered(birds: Run, parts: Path) -> None:
    Path("parts/p1.csv").write_text("kind,bill\nAdelie,1\n")
    result = graphspec("predict", str(birds.folder), "parts/*.csv", "-o", "answers")
    assert result.exit_code == 1
    assert "error: parts/p1.csv: " in result.stderr
    assert sorted(path.name for path in Path("answers").glob("*.csv")) == ["p0.csv", "p2.csv"]
    assert "answers  (2 files; 10 rows)" in result.stdout


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("no/*.csv", "answers", "no file is called no/*.csv"),
        ("parts/*.csv", "parts", "parts holds the inputs"),
        ("parts/*.csv", "parts/p0.csv", "parts/p0.csv is a file"),
        ("parts/*.csv", "far/away", "there is no folder far to make away in"),
        ("**/*.csv", "answers", "have the same name"),
    ],
)
def test_patterns_that_cannot_be_answered(birds: Run, parts: Path, source: str, output: str, said: str) -> None:
    Path("more").mkdir()
    write_csv(Path("more/p0.csv"), [bird(0)])
    result = graphspec("predict", str(birds.folder), source, "-o", output)
    assert result.exit_code == 1 and said in result.stderr
    assert not Path("answers").exists()


def test_one_file_needs_no_cluster(birds: Run, parts: Path) -> None:
    result = graphspec("predict", str(birds.folder), "parts/p0.csv", "-o", "a.csv", "--on", "tcp://127.0.0.1:9")
    assert result.exit_code == 1 and "is one file" in result.stderr
