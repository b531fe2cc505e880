"""The shape of the house: imports point one way, light paths stay light, names mean one thing, README says what runs."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
RANK = {"graphspec": 0, "compiler": 1, "runtime": 2}
FILES = [path for package in RANK for path in sorted((ROOT / package).rglob("*.py"))]

ROOMS = {
    "graphspec": (
        "diagnostics",
        "text",
        "codes",
        "language",
        "reading",
        "graphs",
        "headers",
        "describe",
        "rules",
        "including",
        "drawing",
        "drafting",
        "loading",
    ),
    "compiler": (
        "symbolic", "tensors", "kernels", "networks", "families", "factors", "plan", "model", "emission",
    ),
    "runtime": (
        "errors", "data", "measures", "runs", "training", "answering", "predicting", "criticism", "estimators",
        "comparing", "querying", "exporting", "probing", "figures", "suggesting", "sweeping", "cluster", "reporting",
        "cli",
    ),
    "runtime.data": ("randomness", "read", "stream", "preparation"),
    "runtime.training": ("processes", "speed", "step", "loop"),
}  # fmt: skip
"""Rooms in order: each imports only what stands before it. docs/architecture.md says what each is for."""

LOOSE = {"diagnostics", "loading", "errors", "randomness"}
"""Files that need no room of their own."""

TORCH_FREE = ("graphspec", "compiler.symbolic")

CIRCLES: set[frozenset[str]] = set()
"""Files that import each other, if only for their types: to become fewer, never more."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """Dotted names of what a file imports anywhere in it, also inside functions and under TYPE_CHECKING."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None and node.level == 0, f"{path} imports relatively"
            below = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            names |= below or {node.module}
    return frozenset(names)


def room_of(module: str, house: str) -> str | None:
    """The room of `house` in which a module stands; None outside of it, and for the door of the house itself."""
    return module.removeprefix(house + ".").split(".")[0] if module.startswith(house + ".") else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    own, module = RANK[path.relative_to(ROOT).parts[0]], module_of(path)
    for name in imported(path):
        top = name.split(".")[0]
        assert RANK.get(top, -1) <= own, f"{module} imports {name}"
        light = module.startswith(TORCH_FREE)
        assert not (light and top in ("torch", "torchvision")), f"{module} imports {name}"


@pytest.mark.parametrize("house", ROOMS)
def test_every_file_stands_in_a_known_room(house: str) -> None:
    for path in sorted((ROOT / house.replace(".", "/")).iterdir()):
        if path.suffix == ".py" and path.stem != "__init__":
            assert path.stem in LOOSE, f"{path.relative_to(ROOT)} stands outside of every room"
        if path.is_dir() and list(path.rglob("*.py")):
            assert path.name in ROOMS[house], f"{path.relative_to(ROOT)} is not in the table of rooms"
            assert (path / "__init__.py").exists(), f"{path.relative_to(ROOT)} has no __init__.py"


@pytest.mark.parametrize("house", ROOMS)
def test_rooms_import_only_earlier_rooms(house: str) -> None:
    order = ROOMS[house]
    for module, path in MODULES.items():
        own = room_of(module, house)
        for name in imported(path):
            other = room_of(name, house)
            if own is None or other is None:
                continue
            assert order.index(other) <= order.index(own), f"{module} imports {name}, which stands in a later room"


def test_no_new_circles_of_files() -> None:
    graph: nx.DiGraph = nx.DiGraph()
    for module, path in MODULES.items():
        graph.add_edges_from((module, name) for name in imported(path) if name in MODULES and name != module)
    found = {frozenset(component) for component in nx.strongly_connected_components(graph) if len(component) > 1}
    new = [sorted(circle) for circle in found if not any(circle <= known for known in CIRCLES)]
    assert not new, f"files that import each other: {new}"
    assert all(any(circle <= known for circle in found) for known in CIRCLES), "a circle is gone: take it off CIRCLES"


@pytest.mark.parametrize("package", RANK)
def test_file_names_are_unique_within_a_package(package: str) -> None:
    names = Counter(p.name for p in (ROOT / package).rglob("*.py") if not p.stem.startswith("__"))
    assert not [name for name, count in names.items() if count > 1]


def public_classes(package: str) -> Iterator[str]:
    for path in FILES:
        if path.relative_to(ROOT).parts[0] == package:
            yield from (
                node.name
                for node in tree_of(path).body
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
            )


@pytest.mark.parametrize("package", RANK)
def test_public_class_names_are_unique_within_a_package(package: str) -> None:
    assert not [name for name, count in Counter(public_classes(package)).items() if count > 1]


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
        "import compiler.symbolic, pkgutil; [__import__(m.name) for m in pkgutil.iter_modules(compiler.symbolic.__path__, 'compiler.symbolic.')]",
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
