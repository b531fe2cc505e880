"""Single-place faults in what keeps trainings and answers whole, for `experiments.robustness --broken`: by the kind of
harm that has to notice them."""

from experiments.mutants import Mutant

NONE: tuple[str, ...] = ()
ATOMIC = "runtime/runs/atomic_files.py"
STATE = "runtime/training/loop/state.py"

MUTANTS_OF_KIND: dict[str, tuple[Mutant, ...]] = {
    "kills at file operations": (
        Mutant("written-in-place", ATOMIC, 'path.with_name(f".{path.name}.part")', "path",
               "a file is written in its place, so that a kill leaves half of it", NONE),
    ),
    "kills at random moments": (
        Mutant("forgotten-optimizer", STATE, "    for index, memory in saved.items():\n        if not 0",
               "    saved = {}\n    for index, memory in saved.items():\n        if not 0", "resuming starts the optimizer anew", NONE),
        Mutant("forgotten-average", STATE, '            average=groups["average"],', '            average=groups["weights"],',
               "resuming starts the averaged weights from the last ones", NONE),
    ),
    "full disks": (
        Mutant("full-disk-untold", ATOMIC, "        if isinstance(error, OSError):", "        if isinstance(error, EOFError):",
               "a full disk is a traceback", NONE),
        Mutant("remains-of-full-disk", ATOMIC, "            temporary.unlink(missing_ok=True)\n        if", "            pass\n        if",
               "a full disk leaves half a file", NONE),
    ),
    "damaged data files": (
        Mutant("no-text", "graphspec/headers/csv_files.py", "    except UnicodeDecodeError as error:", "    except EOFError as error:",
               "a table that is no UTF-8 is a traceback", NONE),
    ),
    "damaged run folders": (
        Mutant("unchecked-shape", STATE, "    if (tuple(value.shape), value.dtype) != (shape, dtype):", "    if False:",
               "the optimizer's memory may have any shape: its kernel writes past the end", NONE),
        Mutant("unchecked-facts", "runtime/runs/checkpoints.py", "    if not isinstance(facts, dict):", "    if facts == 0:",
               "what stands beside weights may be anything", NONE),
    ),
    "random specs": (
        Mutant("masks-of-another-group", "compiler/plan/program_writer.py", "return varies_by_itself(self.graphs, factor) or None", "return None",
               "rows of several patterns share the masks of one", NONE),
    ),
}  # fmt: skip
