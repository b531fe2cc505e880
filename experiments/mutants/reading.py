"""Single-place faults in what reads a spec: inversion, d-separation, shapes, stakes and rules of `graphspec/`."""

from experiments.mutants import Mutant

BAD, GRAPH = "tests/test_bad_specs.py", "tests/test_graph_rules.py"
GRAPH_TESTS = ("tests/test_inversion.py", GRAPH, BAD, "tests/test_connect.py")
SHAPE_TESTS = ("tests/test_shapes.py", BAD, "tests/test_connect.py", "tests/test_networks.py")
STAKE_TESTS = ("tests/test_stakes.py", BAD)
RULE_TESTS = (BAD, GRAPH, "tests/test_objective_rules.py", "tests/test_connect.py")
LABEL_TESTS = ("tests/test_data_rules.py", BAD, "tests/test_objective_rules.py")

READING_MUTANTS = (
    # --- who depends on whom
    Mutant("collider-shut", "graphspec/graphs/separation.py", "if (name in seen) == from_parent:", "if not from_parent:",
           "a seen collider stays shut", GRAPH_TESTS),
    Mutant("seen-passes", "graphspec/graphs/separation.py", "    if name not in seen:\n        yield from ((child",
           "    if True:\n        yield from ((child", "what is seen passes the ball on to its children", GRAPH_TESTS),
    Mutant("collapse-sources", "graphspec/graphs/separation.py", "set().union(*(sources.get(p, {p})", "set().union(*({p}",
           "deterministic parents stand where what they read should", GRAPH_TESTS),
    Mutant("sufficient-join", "graphspec/graphs/separation.py", "near[other] |= (neighbours if other in hidden else hidden) - {other}",
           "near[other] |= hidden - {other}", "elimination joins no hidden variable to what is seen", GRAPH_TESTS),
    Mutant("path-detour", "graphspec/graphs/separation.py", "                del nodes[nodes.index(visit[0]) + 1 :]\n",
           "                nodes.append(visit[0])\n", "a path is told with the way to what is seen below a collider", GRAPH_TESTS),
    # --- inversion
    Mutant("labels-anywhere", "graphspec/graphs/inversion.py", "return name in labels, graph.fill", "return False, graph.fill",
           "labels do not come first in recognition", GRAPH_TESTS),
    Mutant("fill-first", "graphspec/graphs/inversion.py", "graph.fill(place[name]), graph.degree(place[name]), -place[name]",
           "0, graph.degree(place[name]), -place[name]", "the order minds degrees, not the edges that are added", GRAPH_TESTS),
    Mutant("earlier-unseen", "graphspec/graphs/inversion.py", "        seen.add(name)\n        place[name] = len(place)", "        place[name] = len(place)",
           "no hidden variable reads an earlier one", GRAPH_TESTS),
    Mutant("order-reversed", "graphspec/graphs/inversion.py", "return reverse[::-1]", "return reverse", "recognition runs backwards", GRAPH_TESTS),
    Mutant("written-ignored", "graphspec/graphs/inversion.py", "for name in hidden if not children[name]]", "for name in hidden]",
           "written factors do not decide the order", GRAPH_TESTS),
    Mutant("trunk-of-one", "graphspec/graphs/inversion.py", "sum(x in wanted[name] for name in readers) > 1", "sum(x in wanted[name] for name in readers) > 0",
           "a trunk for what one variable alone reads", GRAPH_TESTS),
    Mutant("linear-head", "graphspec/graphs/inversion.py", "if through and names == through else None", "if through else None",
           "a linear head also where other parents are read directly", GRAPH_TESTS),
    Mutant("first-trunk", "graphspec/graphs/inversion.py", "for name, above in found.items() if not any(child in found for child in graph.successors(name))}",
           "for name, above in found.items()}", "every link of a chain of features counts as a trunk", GRAPH_TESTS),
    Mutant("moral-observed", "graphspec/graphs/moral_graph.py", "reach = neighbours if self.free >> other & 1 else neighbours & self.free",
           "reach = neighbours & self.free", "elimination joins no hidden variable to what is seen", GRAPH_TESTS),
    Mutant("fill-outside", "graphspec/graphs/moral_graph.py", "return inside // 2 + outside", "return inside // 2",
           "edges to what is seen cost nothing", GRAPH_TESTS),
    Mutant("fill-stale", "graphspec/graphs/moral_graph.py", "                changed |= self.near[other] & self.free\n", "                pass\n",
           "costs of those who see both ends of a new edge stand", GRAPH_TESTS),
    # --- shapes
    Mutant("conv-floor", "graphspec/language/shapes.py", "    return -(-side // stride)\n", "    return side // stride\n",
           "convolutions round down", SHAPE_TESTS),
    Mutant("conv-pad-before", "graphspec/language/shapes.py", "return total // 2, total - total // 2", "return total - total // 2, total // 2",
           "the odd zero goes before", SHAPE_TESTS),
    Mutant("seed-floor", "graphspec/language/shapes.py", "(-(-side // stride ** len(channels)) for", "(side // stride ** len(channels) for",
           "seeds round down", SHAPE_TESTS),
    Mutant("broadcast-one", "graphspec/language/shapes.py", "if result[-place] not in (1, size) and size != 1:", "if result[-place] != size and size != 1:",
           "an axis of 1 meets no other where it comes first", SHAPE_TESTS),
    Mutant("fits-one", "graphspec/language/shapes.py", "all(a in (1, b) for", "all(a == b for", "an axis of 1 is not spread", SHAPE_TESTS),
    Mutant("dot-axis", "graphspec/language/shapes.py", "return (1, *broadcast({", "return (first[0], *broadcast({",
           "an inner product keeps its axis", SHAPE_TESTS),
    Mutant("cutpoints", "graphspec/graphs/parameter_shape.py", 'variable.support - (info.extent == "between_classes"))', "variable.support)",
           "as many cutpoints as classes", SHAPE_TESTS),
    Mutant("context-grown", "graphspec/language/networks/images.py", "return target, False",
           "return (width,), False", "a network that grows an image gives a flow a vector", (*SHAPE_TESTS, "tests/test_flows.py")),
    Mutant("affine-channels", "graphspec/language/networks/affine.py", "if not is_image(target) or (image is not None and image[0] != target[0]):",
           "if not is_image(target):", "affine reads and writes may change channels", SHAPE_TESTS),
    # --- stakes
    Mutant("stake-alpha", "graphspec/describe/label_shares.py", "weighed = rate * self.weighed",
           "weighed = rate * self.label", "the share of a label ignores alpha", STAKE_TESTS),
    Mutant("stake-schedule", "graphspec/describe/label_shares.py", "return max(alpha.start, alpha.to)", "return min(alpha.start, alpha.to)",
           "a schedule counts by its smaller end", STAKE_TESTS),
    Mutant("stake-rho", "graphspec/describe/label_shares.py", "return alpha.over_rho / (0.5 if", "return alpha.over_rho * (0.5 if", "25/rho is 25 rho", STAKE_TESTS),
    Mutant("stake-classes", "graphspec/describe/label_shares.py", "return log(variable.support)", "return float(variable.support)", "K classes cost K nats", STAKE_TESTS),
    Mutant("stake-least", "graphspec/describe/label_shares.py", "return max(LEAST, family.cost(", "return max(-99.0, family.cost(",
           "an element of a density may cost less than nothing", STAKE_TESTS),
    Mutant("stake-laplace", "graphspec/language/families.py", "return 0.8 * (spread / scale) + log(2 * scale)", "return spread / scale + log(2 * scale)",
           "a Laplace's mean distance is its root mean square", STAKE_TESTS),
    Mutant("stake-off", "graphspec/rules/label_share_rules.py", " or stake.alpha == 0:", ":", "GS116 also for labels that are switched off", STAKE_TESTS),
    # --- rules
    Mutant("loop-told", "graphspec/rules/graph_rules.py", 'return side == "recognition" and all(', 'return side == "recognition" and any(',
           "a loop through a borrowed function is not told", RULE_TESTS),
    Mutant("allow-in-q", "graphspec/rules/graph_rules.py", "spec.generative.get(name), spec.recognition.factors.get(name)]", "spec.generative.get(name)]",
           "`allow` on a recognition factor silences nothing", RULE_TESTS),
    Mutant("auxiliary", "graphspec/rules/recognition_rules.py", "if name in informed or name in auxiliary or silenced", "if name in informed or silenced",
           "GS101 for auxiliary variables", RULE_TESTS),
    Mutant("enumerate-vector", "graphspec/rules/recognition_rules.py", "variable.support ** prod(variable.shape)", "variable.support * prod(variable.shape)",
           "a vector's joint values are counted wrong", RULE_TESTS),
    Mutant("enumerate-budget", "graphspec/rules/recognition_rules.py", "asked.budget is None and variable is not None", "variable is not None",
           "GS103 also where a budget bounds the sum", RULE_TESTS),
    Mutant("faithful-earlier", "graphspec/rules/faithful_rules.py", "        known.add(name)\n", "", "GS105 overlooks hidden parents", RULE_TESTS),
    Mutant("estimator-density", "graphspec/rules/estimator_rules.py", "not family.reparameterized:", "family.reparameterized:",
           "reparameterize is refused where it exists", RULE_TESTS),
    Mutant("importance-beta", "graphspec/rules/objective_rules.py", "        if beta != 1:\n", "        if isinstance(beta, TotalCorrelation):\n",
           "a beta beside the importance weighted bound passes", RULE_TESTS),
    Mutant("classes-all", "graphspec/rules/label_rules.py", "and count < classes and", "and count <= classes and", "GS114 for one label a class", LABEL_TESTS),
    Mutant("labels-all", "graphspec/rules/label_rules.py", "and count > sizes.training:", "and count >= sizes.training:",
           "every training row cannot keep its label", LABEL_TESTS),
    Mutant("labels-overlap", "graphspec/rules/label_rules.py", "labelled = min(sum(count or 0 for count in known), sizes.training)",
           "labelled = sum(count or 0 for count in known)", "more labelled rows than rows", LABEL_TESTS),
    Mutant("validation-of-all", "graphspec/rules/split_rules.py", "data.validation, total - test)", "data.validation, total)",
           "a share of validation is of all rows", LABEL_TESTS),
)  # fmt: skip

READING_EQUIVALENT: dict[str, str] = {}
"""Mutants that change no result, and why."""
