"""The shape of the house: imports point one way, light paths stay light, README says what runs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RANK = {"graphspec": 0, "compiler": 1, "runtime": 2}
FILES = [path for package in RANK for path in (ROOT / package).rglob("*.py")]


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    own = RANK[path.relative_to(ROOT).parts[0]]
    for name in imported(path):
        assert RANK.get(name, -1) <= own, f"{path.relative_to(ROOT)} imports {name}"
        assert not (own == 0 and name in ("torch", "torchvision")), f"{path.relative_to(ROOT)} imports {name}"


def loaded_by(code: str) -> set[str]:
    """Top-level modules loaded by a fresh interpreter that runs `code`."""
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(m for m in sys.modules if '.' not in m))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(printed.stdout.split("\n")[-2].split())


HEAVY = {"torch", "torchvision", "sklearn", "matplotlib", "accelerate", "scipy"}


@pytest.mark.parametrize(
    "code",
    [
        "import graphspec",
        "import compiler, runtime",
        "import runtime.cli.app",
        "from graphspec import load; load('specs/mnist-m2.yaml')",
        "from graphspec import load; from compiler.symbolic.explanation import explain; explain(load('specs/digits.yaml'))",
    ],
)
def test_light_paths_load_nothing_heavy(code: str) -> None:
    assert not loaded_by(code) & HEAVY


@pytest.mark.parametrize("verb", [["check"], ["graph"], ["explain"]])
def test_light_verbs_load_no_torch(verb: list[str]) -> None:
    command = (
        f"import sys; from runtime.cli.app import app; app({[*verb, 'specs/digits.yaml']!r}, standalone_mode=False)"
    )
    assert not loaded_by(command) & {"torch", "torchvision", "sklearn", "accelerate", "scipy"}


def start_blocks() -> list[str]:
    """The bash blocks of README's Start."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Start")[1].split("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", section, re.S)


def test_start_holds_two_blocks_that_set_themselves_up() -> None:
    install, test = start_blocks()
    assert "graphspec train specs/digits.yaml" in install and "pytest" in test
    for block in (install, test):
        assert "constraints.txt" in block and "venv" in block and "$" not in block


def test_files_named_in_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r"specs/[\w-]+\.yaml", text):
        assert (ROOT / target).exists(), target


def test_every_spec_carries_the_editor_line() -> None:
    for path in (ROOT / "specs").glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema="), path.name
