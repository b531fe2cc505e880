"""Single-place faults in who keeps a label and which rows are held out: `runtime/data/` budgets, splits, patterns."""

from experiments.mutants import Mutant

BUDGET_TESTS = (
    "tests/test_data_splits.py",
    "tests/test_data_blanks.py",
    "tests/test_data_streams.py",
    "tests/test_data_rules.py",
    "tests/test_row_identity.py",
    "tests/test_label_notes.py",
)
PATTERN_TESTS = (
    "tests/test_data_blanks.py",
    "tests/test_data_splits.py",
    "tests/test_data_streams.py",
    "tests/test_data_indivisible.py",
)

LAYOUT_TESTS = ("tests/test_layouts.py",)

DATA_MUTANTS = (
    # --- budgets
    Mutant("held-out-labels", "runtime/data/preparation/budgets.py", "return self._mask(self.training) & self.values[name].present",
           "return self.values[name].present", "labels of held out rows count as there to keep", BUDGET_TESTS),
    Mutant("share-of-rows", "runtime/data/preparation/budgets.py", "count = int(budget * there + 0.5)", "count = int(budget * len(self.training) + 0.5)",
           "a share is of all training rows, not of those with a label", BUDGET_TESTS),
    Mutant("one-stream", "runtime/data/preparation/budgets.py", 'drawn_order(self.identities, self.data.seed, "labels", name)', 'drawn_order(self.identities, self.data.seed, "labels")',
           "variables draw the same rows", BUDGET_TESTS),
    Mutant("seedless", "runtime/data/preparation/budgets.py", 'drawn_order(self.identities, self.data.seed, "labels", name)', 'drawn_order(self.identities, 0, "labels", name)',
           "labels do not change with the seed", BUDGET_TESTS),
    Mutant("with-all", "runtime/data/preparation/budgets.py", "return rows & available", "return available", "`with` keeps every label", BUDGET_TESTS),
    Mutant("listed-held-out", "runtime/data/preparation/budgets.py", "return listed & available", "return listed", "listed rows of other splits count", BUDGET_TESTS),
    Mutant("class-minimum", "runtime/data/preparation/budgets.py", "np.bincount(labels - variable.minimum,", "np.bincount(labels,",
           "classes of a bounded count are counted from zero", BUDGET_TESTS),
    Mutant("rare-class-left-out", "runtime/data/preparation/budgets.py", "self.values[name])[drawn], each_first=True)", "self.values[name])[drawn])", "a small count may leave out a rare class", BUDGET_TESTS),
    Mutant("one-too-many", "runtime/data/preparation/budgets.py", "drawn[rank < number]", "drawn[rank <= number]", "per_class keeps one label more of each class", BUDGET_TESTS),
    Mutant("not-proportional", "runtime/data/stream/proportions.py", "turn = (rank + 0.5) / size", "turn = rank + 0.5",
           "counts take the classes evenly, not as they come", BUDGET_TESTS),
    Mutant("smallest-class-first", "runtime/data/stream/proportions.py", "-size.astype(np.float64), turn)", "size.astype(np.float64) - 1e9, turn)",
           "a count below the number of classes takes the rarest ones", BUDGET_TESTS),
    Mutant("hidden-held-out", "runtime/data/preparation/preparation.py", "torch.from_numpy(trains & ~kept)", "torch.from_numpy(~kept)",
           "rows held out lose their labels too", BUDGET_TESTS),
    Mutant("budget-unread", "runtime/data/stream/column_store.py", "if self.hidden is None:", "if True:", "labels beyond the budget are read", BUDGET_TESTS),
    # --- splits
    Mutant("validation-tests", "runtime/data/preparation/splits.py", 'validation = draw.rows(rule, "validation", remaining)',
           'validation = draw.rows(rule, "validation", every)', "validation rows may be test rows", BUDGET_TESTS),
    Mutant("share-floor", "runtime/data/preparation/splits.py", "int(share * rows + 0.5)", "int(share * rows)", "shares round down", BUDGET_TESTS),
    Mutant("last-row-held-out", "runtime/data/preparation/splits.py", "np.concatenate([order[~is_last], order[is_last]])", "order",
           "the last row of a class may leave training", BUDGET_TESTS),
    Mutant("trained-rows-judge", "runtime/data/preparation/splits.py", "open_rows = rows if fold else rows[~self.trains[rows]]", "open_rows = rows",
           "rows that trained the weights taken over are held out", BUDGET_TESTS),
    Mutant("trained-groups-judge", "runtime/data/preparation/splits.py", "~closed[np.sort(chosen)], part)", "closed[np.sort(chosen)] | True, part)",
           "groups of which a row trained the weights taken over are held out", BUDGET_TESTS),
    Mutant("value-everywhere", "runtime/data/preparation/splits.py", "rows[names[rows] == same_text(rule.value)]", "np.flatnonzero(names == same_text(rule.value))",
           "a column's rule takes rows that are held out already", BUDGET_TESTS),
    Mutant("groups-short", "runtime/data/preparation/splits.py", "np.abs(reached - fraction * len(groups)))) + 1,", "np.abs(reached - fraction * len(groups)))),",
           "one group too few is held out", BUDGET_TESTS),
    Mutant("folds-unstratified", "runtime/data/preparation/splits.py", "drawn[proportional_order(strata[drawn])][folds == rule.fold]", "drawn[folds == rule.fold]",
           "folds ignore strata", BUDGET_TESTS),
    Mutant("folds-uneven", "runtime/data/preparation/splits.py", "filled.index(min(filled))", "filled.index(max(filled))", "groups go to the fullest fold", BUDGET_TESTS),
    # --- patterns
    Mutant("in-part", "runtime/data/stream/patterns.py", "(flat | nothing).all(dim=1), WHOLE, IN_PART)", "(flat | nothing).all(dim=1), WHOLE, WITHOUT)",
           "labels given in part count as blank", PATTERN_TESTS),
    Mutant("pattern-code", "runtime/data/stream/patterns.py", "code = code * 3 + column", "code = code * 2 + column", "patterns share a number", PATTERN_TESTS),
    Mutant("last-chunk", "runtime/data/stream/patterns.py", "        each += mask.sum(dim=0)\n", "        each = mask.sum(dim=0)\n",
           "elements are counted in the last block of rows only", PATTERN_TESTS),
    Mutant("most-patterns", "runtime/data/stream/patterns.py", "patterns = sorted(patterns, key=lambda entry: -entry[1])", "patterns = sorted(patterns, key=lambda entry: entry[1])",
           "the rarest patterns are shown", PATTERN_TESTS),
    # --- elements of plates
    Mutant("lines-unsorted", "graphspec/headers/line_groups.py", "np.lexsort((first, units_order, outer))", "np.lexsort((first, outer))",
           "elements stand as in the file, whatever `order` says", LAYOUT_TESTS),
    Mutant("absent-zero", "runtime/data/stream/ragged_store.py", 'blank = float("nan") if', "blank = 0.0 if", "absent elements are zeros, and count", LAYOUT_TESTS),
    Mutant("nested-places", "runtime/data/read/element_table.py", "outer.places[unit] * size + within", "outer.places[unit] + within",
           "words of two sentences share a place", LAYOUT_TESTS),
    Mutant("elements-held-out", "runtime/data/preparation/labelled_elements.py", "rows[stored.of_rows.row_of] & ~torch.from_numpy(kept)",
           "~torch.from_numpy(kept)", "held-out rows lose labels of elements too", LAYOUT_TESTS),
    Mutant("first-blank-line", "graphspec/headers/line_groups.py", "units.of_line[~blank], lines[~blank])", "units.of_line, lines)",
           "a blank first line hides what the others of its row say", LAYOUT_TESTS),
)  # fmt: skip

DATA_EQUIVALENT: dict[str, str] = {}
"""Mutants that change no result, and why."""
