"""Single-place faults in who keeps a label and which rows are held out: `runtime/data/` budgets, splits, patterns."""

from experiments.mutants import Mutant

BUDGET_TESTS = (
    "tests/test_data_splits.py",
    "tests/test_data_blanks.py",
    "tests/test_data_streams.py",
    "tests/test_data_rules.py",
)
PATTERN_TESTS = (
    "tests/test_data_blanks.py",
    "tests/test_data_splits.py",
    "tests/test_data_streams.py",
    "tests/test_data_indivisible.py",
)

DATA_MUTANTS = (
    # --- budgets
    Mutant("held-out-labels", "runtime/data/preparation/budgets.py", "available[self.training] = self.values[name].present[self.training]",
           "available[:] = self.values[name].present", "labels of held out rows count as there to keep", BUDGET_TESTS),
    Mutant("share-of-rows", "runtime/data/preparation/budgets.py", "count = int(budget * available.sum() + 0.5)", "count = int(budget * len(self.training) + 0.5)",
           "a share is of all training rows, not of those with a label", BUDGET_TESTS),
    Mutant("one-stream", "runtime/data/preparation/budgets.py", 'shuffled(len(available), self.data.seed, "labels", name)', 'shuffled(len(available), self.data.seed, "labels")',
           "variables draw the same rows", BUDGET_TESTS),
    Mutant("seedless", "runtime/data/preparation/budgets.py", 'shuffled(len(available), self.data.seed, "labels", name)', 'shuffled(len(available), 0, "labels", name)',
           "labels do not change with the seed", BUDGET_TESTS),
    Mutant("with-all", "runtime/data/preparation/budgets.py", "return rows & available", "return available", "`with` keeps every label", BUDGET_TESTS),
    Mutant("listed-held-out", "runtime/data/preparation/budgets.py", "return listed & available", "return listed", "listed rows of other splits count", BUDGET_TESTS),
    Mutant("class-minimum", "runtime/data/preparation/budgets.py", "np.bincount(labels - variable.minimum,", "np.bincount(labels,",
           "classes of a bounded count are counted from zero", BUDGET_TESTS),
    Mutant("odd-first", "runtime/data/preparation/budgets.py", 'order = [list(sizes)[i] for i in shuffled(len(sizes), self.data.seed, "odd labels", name)]',
           "order = list(sizes)", "odd labels always go to the first classes", BUDGET_TESTS),
    Mutant("odd-short", "runtime/data/preparation/budgets.py", "larger = [value for value in order if sizes[value] > each]",
           "larger = [value for value in order if sizes[value] >= each]", "an odd label goes to a class that has no row for it", BUDGET_TESTS),
    Mutant("not-proportional", "runtime/data/preparation/budgets.py", "return None if sizes is None else apportion(count, sizes)", "return None",
           "a share is drawn without a look at classes", BUDGET_TESTS),
    # --- splits
    Mutant("validation-tests", "runtime/data/preparation/splits.py", 'validation = _draw(rule, "validation", remaining, table, data.seed)',
           'validation = _draw(rule, "validation", every, table, data.seed)', "validation rows may be test rows", BUDGET_TESTS),
    Mutant("share-floor", "runtime/data/preparation/splits.py", "int(share * rows + 0.5)", "int(share * rows)", "shares round down", BUDGET_TESTS),
    Mutant("remainders", "runtime/data/preparation/splits.py", "(result[key] - exact[key], key)", "(exact[key] - result[key], key)",
           "the smallest remainders are rounded up", BUDGET_TESTS),
    Mutant("stratum-ties", "runtime/data/preparation/splits.py", "chosen[np.flatnonzero(strata == value)[:number]] = True",
           "chosen[np.flatnonzero(strata == value)[-number:]] = True", "the last rows of a stratum, not the first", BUDGET_TESTS),
    Mutant("value-everywhere", "runtime/data/preparation/splits.py", "rows[names[rows] == same_text(rule.value)]", "np.flatnonzero(names == same_text(rule.value))",
           "a column's rule takes rows that are held out already", BUDGET_TESTS),
    Mutant("groups-short", "runtime/data/preparation/splits.py", "np.abs(reached - fraction * len(groups)))) + 1,", "np.abs(reached - fraction * len(groups)))),",
           "one group too few is held out", BUDGET_TESTS),
    Mutant("folds-unstratified", "runtime/data/preparation/splits.py", 'order = np.argsort(strata, kind="stable") if strata is not None else np.arange(rows)',
           "order = np.arange(rows)", "folds ignore strata", BUDGET_TESTS),
    Mutant("folds-uneven", "runtime/data/preparation/splits.py", "filled.index(min(filled))", "filled.index(max(filled))", "groups go to the fullest fold", BUDGET_TESTS),
    # --- patterns
    Mutant("in-part", "runtime/data/stream/patterns.py", "torch.where(flat.any(dim=1), IN_PART, WITHOUT)", "torch.where(flat.any(dim=1), WITHOUT, WITHOUT)",
           "labels given in part count as blank", PATTERN_TESTS),
    Mutant("pattern-code", "runtime/data/stream/patterns.py", "code = code * 3 + column", "code = code * 2 + column", "patterns share a number", PATTERN_TESTS),
    Mutant("last-chunk", "runtime/data/stream/patterns.py", "        each += mask.sum(dim=0)\n", "        each = mask.sum(dim=0)\n",
           "elements are counted in the last block of rows only", PATTERN_TESTS),
    Mutant("most-patterns", "runtime/data/stream/patterns.py", "patterns = sorted(patterns, key=lambda entry: -entry[1])", "patterns = sorted(patterns, key=lambda entry: entry[1])",
           "the rarest patterns are shown", PATTERN_TESTS),
)  # fmt: skip

DATA_EQUIVALENT: dict[str, str] = {}
"""Mutants that change no result, and why."""
