"""What strangers found, by the name that each fault was given: the tests that hold the right answer, and the specs of
faults that need nothing but a spec, walked through everything with siblings of theirs."""

import ast
from pathlib import Path

import numpy as np
import pytest
from data_specs import write_npz
from language_walk import told, train, written

from graphspec.loading import load

HERE = Path(__file__).parent
TESTS_OF_FAULT = {
    "01-text-nan-crash": "test_cell_reader.py::test_what_check_accepts_the_reader_reads",
    "02-minus-one-is-no": "test_cell_reader.py::test_two_codings",
    "05-sixteen-bit-images": "test_pictures.py::test_twelve_bits_in_sixteen_keep_all_their_levels",
    "06-best-by-nothing": "test_training.py::test_what_was_measured_on_few_rows_or_none_does_not_choose",
    "08-big-counts": "test_starts.py::test_far_columns_are_learnt",
    "09-count-density-float32": "test_distributions.py::test_counts_keep_their_digits_in_single_precision",
    "13-semicolon-file": "test_tables.py::test_the_separator_is_judged_outside_quotes",
    "14-rare-label-diluted": "test_label_notes.py::test_a_label_that_others_dilute_is_told_with_the_alpha_that_keeps_its_weight",
    "16-unnamed-index-column": "test_tables.py::test_columns_that_nobody_reads",
    "break-01-parallel-trainings-one-folder": "test_run_folders.py::test_trainings_that_start_together_take_names_of_their_own",
    "break-02-batchnorm-group-of-one-row": "test_networks.py::test_a_group_of_one_row_can_be_differentiated_after_the_next_group",
    "break-03-vmf-concentration": "test_faults.py::test_specs_of_strangers_train_and_are_emitted",
    "break-04-killed-at-start-stuck": "test_run_folders.py::test_a_run_killed_before_its_first_state_begins_again",
    "break-05-disk-full": "test_run_folders.py::test_a_full_disk_says_what_was_kept_and_resumes",
    "break-06-state-file-corrupts-heap": "test_run_folders.py::test_every_tensor_of_a_state_is_checked",
    "break-10-wide-csv": "test_tables.py::test_a_wide_table_is_read_in_a_moment",
    "break-12-name-is-a-path": "test_run_folders.py::test_a_name_that_is_no_folders_is_refused",
    "break-15-emit-constant-parameters": "test_unread_parents.py::test_the_emitted_file_agrees_whatever_stands_still",
    "break-17-best-lost-unnoticed": "test_run_folders.py::test_a_missing_best_checkpoint_is_told",
    "break-18-damaged-run-folder": "test_run_folders.py::test_a_damaged_folder_is_told_in_words",
    "break-19-no-way-on-after-divergence": "test_run_folders.py::test_the_advice_after_a_divergence_can_be_followed",
    "break-20-unpacked-partial-left": "test_data_large.py::test_what_a_killed_unpacking_left_is_removed",
    "break-22-os-errors": "test_run_folders.py::test_numbers_and_places_out_of_reach_are_told",
    "break-24-score-function-five-labels": "test_faults.py::test_specs_of_strangers_train_and_are_emitted",
    "break-25-five-labels-evaluation": "test_faults.py::test_specs_of_strangers_train_and_are_emitted",
    "images-01-csv-of-images": "test_named_pictures.py::test_wrong_answers_are_told_by_file_name",
    "images-02-finetune-leak": "test_row_identity.py::test_no_row_that_trained_a_run_judges_what_starts_from_it",
    "images-03-label-units": "test_cli_queries.py::test_what_is_typed_and_read_is_in_data_units",
    "images-06-unlabelled-folder": "test_picture_folders.py::test_an_unlabelled_folder_is_never_silently_a_class_or_blank",
    "images-07-skipped-images": "test_picture_folders.py::test_what_is_not_read_is_counted_and_named",
}  # fmt: skip


@pytest.mark.parametrize("fault", TESTS_OF_FAULT)
def test_every_fault_has_its_test(fault: str) -> None:
    file, name = TESTS_OF_FAULT[fault].split("::")
    functions = {
        node.name for node in ast.walk(ast.parse((HERE / file).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert name in functions


DIRECTIONS = """
graphspec: 1
variables:
  x: {{role: observed, domain: real, size: 4}}
  y: {{role: supervised, domain: category, classes: 3}}
  z: {{role: latent, domain: direction, size: {size}}}
generative: {{y: {{}}, z: {{}}, x: {{parents: [y, z]}}}}
recognition: {{y: {{parents: [x]}}, z: {{parents: [x, y], parameters: {{concentration: {concentration}}}}}}}
networks: {{default: {{kind: mlp, hidden: [5]}}}}
data: {{source: ./rows.npz, variables: {{x: x, y: y}}, labels: {{y: 8}}}}
training: {{epochs: 2, batch_size: 16}}
"""
SCORED = """
graphspec: 1
variables:
  y0: {role: supervised}
  y1: {role: supervised, domain: category, classes: 4}
  y2: {role: supervised, domain: unit}
  y3: {role: supervised, domain: category, classes: 130}
  y4: {role: supervised, shape: [2]}
generative: {y2: {}, y0: {}, y1: {}, y3: {parents: [y2], parameters: {logits: 0.5}}, y4: {}}
recognition: {y1: {}, y0: {}, y4: {}, y3: {}, y2: {distribution: discretized_logistic}}
objective: {samples: 2}
data: {source: ./rows.npz, variables: {y0: r, y1: y, y2: u, y3: many, y4: two}}
training: {epochs: 2, batch_size: 16}
"""
FIVE = """
graphspec: 1
variables:
  x: {{role: observed, domain: real, size: 4}}
  k: {{role: supervised, {k}}}
  y: {{role: supervised, domain: category, classes: 3}}
  l: {{role: supervised, domain: binary}}
  m: {{role: supervised, domain: binary}}
  b: {{role: supervised, domain: binary, size: 2}}
generative: {{k: {{}}, y: {{}}, l: {{}}, m: {{}}, b: {{}}, x: {{parents: [k, y, l, m, b]}}}}
recognition: {{k: {{parents: [x]}}, y: {{parents: [x, k]}}, l: {{parents: [x, k]}}, m: {{parents: [x, k]}}, b: {{parents: [x, k]}}}}
networks: {{default: {{kind: mlp, hidden: [5]{norm}}}}}
data: {{source: ./rows.npz, variables: {{x: x, k: {column}, y: y, l: f, m: g, b: flags}}}}
training: {{epochs: 2, batch_size: 16}}
"""
SPECS = {
    "a given concentration": DIRECTIONS.format(size=3, concentration=10),
    "a learned concentration": DIRECTIONS.format(size=3, concentration="learned"),
    "a concentration of its own parents": DIRECTIONS.format(size=2, concentration="{parents: [x]}"),
    "one of five labels is scored": SCORED,
    "a vector of classes among five labels": FIVE.format(k="domain: category, classes: 3, size: 2", column="pairs", norm=""),
    "a vector of counts among five labels": FIVE.format(k="domain: count, max: 4, size: 2", column="pairs", norm=""),
    "batch norm in one masked program": FIVE.format(k="domain: binary, size: 2", column="flags2", norm=", normalization: batch"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_specs_of_strangers_train_and_are_emitted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    rows = 40
    classes = draw.integers(0, 3, rows).astype(float)
    classes[::3] = np.nan
    write_npz(
        tmp_path / "rows.npz",
        x=draw.normal(size=(rows, 4)), y=classes, r=draw.normal(size=rows), u=draw.uniform(0.1, 0.9, rows),
        many=draw.integers(0, 130, rows), two=draw.normal(size=(rows, 2)), pairs=draw.integers(0, 3, (rows, 2)),
        f=np.arange(rows) % 2, g=np.arange(rows) // 2 % 2, flags=draw.integers(0, 2, (rows, 2)),
        flags2=draw.integers(0, 2, (rows, 2)),
    )  # fmt: skip
    path = tmp_path / "spec.yaml"
    path.write_text(SPECS[name])
    graphs = load(path)
    told(graphs)
    train(graphs, path, compare=False)
    written(graphs)
