"""Faults in what plates, walks, exact sums, hidden counts, sets of labels and includes are lowered to."""

from experiments.mutants import Mutant

PLATES, RAGGED = "tests/test_plates.py", "tests/test_ragged_plates.py"
TWIN = "::test_value_and_gradient_are_those_of_the_model_written_out"
COMBINED = "tests/test_combinations.py"
DEPTH = COMBINED + "::test_labels_of_any_depth_weigh_what_is_summed_around_them"
WITHIN = PLATES + "::test_labels_weigh_what_is_summed_within_their_element_and_the_draws_of_the_row"
APART = PLATES + "::test_a_label_weighs_the_draws_of_its_own_element_where_elements_are_independent"
PATHS = "tests/test_exact.py::test_value_and_gradient_are_those_of_a_sum_over_every_path"
COUNTS = "tests/test_hidden_counts.py::test_value_and_gradient_are_those_of_all_counts"
SETS = "tests/test_label_sets.py::test_value_and_gradient_are_those_of_the_best_assignment"
ANSWERS = "tests/test_exact_answers.py"
WALKS = "tests/test_walks.py"
INCLUDE = "tests/test_include.py"
GAPS = "tests/test_written_out.py"

PLATE_MUTANTS = (
    # --- labels of elements
    Mutant("plates-share-of-element", "compiler/plan/planner.py", "*self._factors_of_plates(inside, path, opened), self.negative(element)]",
           "*self._factors_of_plates(inside, path, opened), element]", "an element's own share of what its label weighs has the wrong sign",
           (WITHIN, DEPTH)),
    Mutant("plates-element-apart", "compiler/plan/planner.py", "self.of_all_elements(self._summed_within(each, path), missing) if missing else each",
           "self.of_all_elements(self._summed_within(each, path), path)", "a label weighs the draws of every element, where they are independent", (APART, WITHIN)),
    Mutant("plates-summed-within", "compiler/plan/planner.py", "if self._standing(axis) == path]", "if self._standing(axis)]",
           "what stands in a plate around an element is summed out within it", (DEPTH, WITHIN)),
    Mutant("plates-leave-one-out", "compiler/plan/planner.py", "        return self._leaf(self.whole.value(name))\n", "        return super().value(name)\n",
           "the baseline draws anew what it leaves out", (PATHS.partition("::")[0] + "::test_a_baseline_leaves_out_one_draw_beside_labels_that_are_held",)),
    Mutant("elements-all", "compiler/plan/element_sums.py", 'self.over_elements(value, others, f"sum_{value.name}")',
           'self.over_elements(value, plates, f"sum_{value.name}")', "elements that are summed together are added up first", (PLATES + TWIN, COMBINED + TWIN)),
    Mutant("joint-pooled", "compiler/symbolic/joint_axes.py", "names = [name for name in self.own(left) if self.plates[name] in taken]",
           "names = list(self.own(left))", "a pool of one plate splits the values of another's elements", (PLATES + TWIN, COMBINED + TWIN)),
    # --- views
    Mutant("mean-of-all", "compiler/tensors/views.py", "torch.where(there, value, 0.0).sum(tuple(places)) / there.sum(tuple(places)).clamp_min(1)",
           "torch.where(there, value, 0.0).sum(tuple(places)) / torch.ones_like(there).sum(tuple(places))", "a mean divides by absent elements too", (RAGGED,)),
    Mutant("largest-of-none", "compiler/tensors/views.py", "return torch.where(there.any(dim=tuple(places)), largest, 0.0)", "return largest",
           "the largest of no element is minus infinity", (RAGGED,)),
    Mutant("end-swapped", "compiler/tensors/views.py", "order = len(there) + 1 - order if at == 0 else order", "order = len(there) + 1 - order if at == -1 else order",
           "first and last are swapped in ragged plates", (RAGGED,)),
    Mutant("nested-presence", "compiler/tensors/presence.py", "            mask = mask & over(found[outer.name], len(plate.path) - len(outer.path))\n",
           "            mask = mask | over(found[outer.name], len(plate.path) - len(outer.path))\n", "absent outer elements have inner ones", (RAGGED, COMBINED)),
    # --- walks
    Mutant("walk-back", "compiler/plan/ops/along_walks.py", "reversed(range(steps)) if back else range(steps)", "range(steps) if back else range(steps)",
           "a walk back runs forwards", (WALKS,)),
    Mutant("walk-noise", "compiler/plan/ops/along_walks.py", "            noise.element = element\n", "            noise.element = 0\n",
           "all elements of a walk have the first one's noise", ("tests/test_walks.py::test_each_element_of_a_walk_draws_its_own_noise",)),
    # --- exact sums
    Mutant("exact-before", "compiler/plan/planner.py", "(-1, self.log_sum(term, before))]", "(-1, self.log_sum(term, ()))]",
           "a second exact label repeats what the first said", (PATHS,)),
    Mutant("exact-held", "compiler/symbolic/derivation.py", "term = self._log_sum(first, tuple(name for name in labelled if name in summed.over.variables))",
           "term = self._log_sum(first, ())", "log Z forgets the labels", (PATHS,)),
    Mutant("exact-beta-inside", "compiler/plan/sum_writer.py", "name not in self.over.variables:", "name in self.over.variables:",
           "beta divides the chain's own terms", (PATHS,)),
    Mutant("exact-own-twice", "compiler/plan/sum_writer.py", "if SAMPLES in varying and SAMPLES not in summed.axes else ()", "if SAMPLES in varying else ()",
           "own latents are averaged over samples inside a sum that varies over them", (PATHS,)),
    Mutant("chain-absent", "compiler/tensors/exact_chains.py", "            message = torch.where(present[step], message, until_here)\n", "            pass\n",
           "absent elements enter a chain", (PATHS,)),
    Mutant("chain-of-none", "compiler/tensors/exact_chains.py", "-math.log(math.prod(message.shape[now] for now, _ in states))", "0.0",
           "a chain of no element counts its states", (PATHS, RAGGED)),
    # --- hidden counts
    Mutant("count-terms", "compiler/symbolic/derivation.py", "        return There(self._plates(name), term)\n", "        return term\n",
           "terms of elements beyond a hidden count are kept", (COUNTS,)),
    Mutant("count-closed", "compiler/symbolic/derivation.py", "            return Negative(There(self._plates(name), term.term))\n", "            return term\n",
           "closed divergences of elements beyond a hidden count are kept", (COUNTS, COMBINED + TWIN)),
    Mutant("count-free-bits", "compiler/symbolic/derivation.py", "Expectation(self.measure, There(self._plates(name))) if absent else None", "None",
           "free bits of an element that may not be there are whole", (COUNTS, COMBINED + TWIN)),
    # --- sets of labels
    Mutant("set-turned", "compiler/tensors/matching.py", "return value.roll(-by, dim)", "return value.roll(by, dim)", "labels are scored at the wrong elements", (SETS,)),
    Mutant("set-absent", "compiler/tensors/matching.py", "alike = there[:, None] == there\n", "alike = torch.ones_like(there[:, None] == there)\n",
           "absent elements take labels", (SETS, "tests/test_label_sets.py")),
    Mutant("set-orders", "compiler/tensors/matching.py", "(count + 1).lgamma() - (count - given + 1).lgamma()", "(given + 1).lgamma()",
           "blank labels count no arrangements", (SETS, "tests/test_label_sets.py")),
    # --- includes
    Mutant("include-without", "graphspec/including/expansion.py", 'if f"{side}.{entry.key}" not in left]', 'if f"{side}.{entry.key}" not in left or side == "recognition"]',
           "factors of recognition are never left behind", (INCLUDE + "::test_factors_left_behind_are_written_anew_on_either_side",)),
    Mutant("include-frozen", "graphspec/including/expansion.py", '"freeze": opened.wanted.freeze,', '"freeze": False,', "frozen parts are trained",
           (INCLUDE + "::test_frozen_parts_are_the_runs_to_the_bit_after_training",)),
    Mutant("include-nested-names", "graphspec/including/expansion.py", 'if inner not in said["rename"].values() and inner != name:', "if inner != name:",
           "weights of a nested include are looked for under a name of their own", (INCLUDE,)),
    # --- what recognition knows of other elements
    Mutant("written-out-views", "graphspec/graphs/written_out.py", "there[along] += 1 if view.kind == \"next\" else -1", "there[along] += -1 if view.kind == \"next\" else 1",
           "GS105 reads the wrong neighbour", (GAPS,)),
    Mutant("gaps-own-latents", "graphspec/rules/faithful_rules.py", "            known.update(exact)\n", "            pass\n",
           "GS105 overlooks exact values that an own latent does not read", (GAPS,)),
)  # fmt: skip

PLATE_EQUIVALENT = {
    "joint-pooled": "values of another plate's elements may stand in either form: only the tables are larger",
}
