"""Random specs of the whole language through everything: is each told in words, or done?"""

import os
import shutil
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from experiments.harm.damage import judged

TESTS = Path(__file__).parents[2] / "tests"
RESUMED_EVERY = 10
"""Of so many specs one is trained in one go as well, which must come to the same weights."""


def judge_spec(folder: Path, case: int, found: dict[str, Any]) -> None:
    """A spec that `check` refuses is none: it counts as a case, not as done."""
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    import torch

    language_walk = import_module("language_walk")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    here = folder / "spec"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    os.chdir(here)

    def look() -> bool:
        path = language_walk.accepted(case, here)
        if path is not None:
            language_walk.walk(path, compare=case % RESUMED_EVERY == 0)
        return path is not None

    judged(f"spec {case}", look, found)
