"""The rules, one file per topic. What a factor says wrongly about itself is told in `graphs/`, where it is completed.

Structure comes first and needs only names; warnings about what the graphs mean together need both graphs, free of
errors.
"""

from dataclasses import replace
from pathlib import Path

from graphspec.graphs.declared_names import Outline
from graphspec.graphs.graph import Graphs
from graphspec.rules.certain_rules import check_certain
from graphspec.rules.class_name_rules import check_class_names
from graphspec.rules.count_rules import check_counts, check_nested, check_ragged, check_scored
from graphspec.rules.data_rules import check_data
from graphspec.rules.exact_rules import check_exact, check_exact_sums
from graphspec.rules.faithful_rules import check_faithful
from graphspec.rules.flow_rules import check_flow_times
from graphspec.rules.graph_rules import check_allowances, check_cycles, check_names, check_roles, check_unused_variables
from graphspec.rules.gru_rules import check_grus
from graphspec.rules.label_leak_rules import check_labels_are_told
from graphspec.rules.label_set_rules import check_label_sets
from graphspec.rules.label_share_rules import check_dilution, check_stakes
from graphspec.rules.name_rules import check_own_name
from graphspec.rules.network_rules import check_named_networks, check_unused_networks
from graphspec.rules.objective_rules import check_objective
from graphspec.rules.plate_rules import check_coupled, check_loops, check_plates, check_readings, check_refused
from graphspec.rules.recognition_rules import (
    check_enumerations,
    check_estimators_are_quiet,
    check_informed_latents,
    check_parents_are_read,
)
from graphspec.rules.size_rules import check_model_fits
from graphspec.rules.training_rules import check_training
from graphspec.rules.window_rules import check_windows
from graphspec.text.report import Report

STRUCTURE = (
    check_names,
    check_allowances,
    check_plates,
    check_counts,
    check_readings,
    check_cycles,
    check_loops,
    check_grus,
    check_refused,
    check_ragged,
    check_exact,
    check_roles,
    check_unused_variables,
    check_unused_networks,
)
TOGETHER = (
    check_exact_sums,
    check_label_sets,
    check_informed_latents,
    check_estimators_are_quiet,
    check_enumerations,
    check_coupled,
    check_scored,
    check_nested,
    check_parents_are_read,
    check_labels_are_told,
    check_class_names,
    check_windows,
    check_faithful,
    check_stakes,
    check_dilution,
    check_model_fits,
    check_flow_times,
)


def check_rules(outline: Outline, graphs: Graphs | None, report: Report, data_dir: Path | None = None) -> Graphs | None:
    """Adds everything that the spec says wrongly to `report`. `graphs`: None where they could not be connected.

    data_dir: `--data-dir`. Returns the graphs with what their data tell of the labels.
    """
    spec = outline.spec
    for check in STRUCTURE:
        check(outline, report)
    check_own_name(spec, report)
    check_named_networks(spec, report)
    if not outline.whole:
        return graphs
    check_objective(spec, graphs, report)
    check_training(spec, graphs, report)
    label_rows = check_data(spec, report, data_dir)
    if graphs is None:
        return None
    graphs = replace(graphs, label_rows=label_rows)
    check_certain(graphs, report)
    if not report.failed:
        for judge in TOGETHER:
            judge(graphs, report)
    return graphs
