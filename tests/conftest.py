"""What tests share: golden files, one thread per test process."""

import os

# Tests run side by side: torch's own threads would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew; then read the difference")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with the file that holds the expected one."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"{path.name} is missing: write it with `pytest --update-golden`, then read it")
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: if the new text is better, --update-golden"

    return compare
