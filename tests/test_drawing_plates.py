"""Drawing of plates: boxes around what stands in them and nothing else, arrows for views, and every format's text."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from drawing_pictures import CORPUS, QUESTIONS, VAE
from plate_examples import FOLDER, NAMES
from random_plates import PlateSpecDraw
from typer.testing import CliRunner

from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_text
from graphspec.drawing import draw
from graphspec.drawing.geometry import clearance, polyline
from graphspec.drawing.layout import lay_out
from graphspec.drawing.picture import Across, Node, Panel, Picture, picture_of
from graphspec.drawing.plain_text import MEASURES, to_text
from graphspec.drawing.staging import scene_of
from graphspec.graphs.graph import Plate
from graphspec.loading import load
from runtime.cli.app import app

GOLDEN = Path(__file__).parent / "golden" / "drawing"
SPECS = {"questions": QUESTIONS, "corpus": CORPUS}
SVG = "{http://www.w3.org/2000/svg}"


HERE = Path(__file__).parent.parent / "specs"
PLATES = [name for name in NAMES if name != "multi-mnist"]
"""The examples but for the one that includes a run, which stands nowhere."""
TAUGHT = ["hmm-labels", "survey", "switching", "mnist-addition"]


@cache
def graphs_of(name):
    if name in SPECS:
        return load(f"{name}.yaml", text=SPECS[name])
    file = (HERE if name in TAUGHT else FOLDER) / f"{name}.yaml"
    return load(f"{name}.yaml", text=file.read_text())


def spread(outline):
    """Left, top, right, bottom."""
    return (
        outline.x - outline.half_width,
        outline.y - outline.half_height,
        outline.x + outline.half_width,
        outline.y + outline.half_height,
    )


def holds(outer, inner, margin):
    (a, b, c, d), (e, f, g, h) = spread(outer), spread(inner)
    return e - a >= margin and f - b >= margin and c - g >= margin and d - h >= margin


def apart(first, second, margin):
    (a, b, c, d), (e, f, g, h) = spread(first), spread(second)
    return e - c >= margin or a - g >= margin or f - d >= margin or b - h >= margin


def every_box_is_right(layout, margin):
    """Nodes of a plate are inside of its box, all others outside; boxes are nested as plates are, or apart."""
    nodes, plates, boxes = layout.picture.nodes, layout.picture.plates, layout.boxes
    assert set(boxes) == {plate for node in nodes.values() for plate in node.path}
    for plate, box in boxes.items():
        for name, outline in layout.outlines.items():
            right = holds(box, outline, margin) if plate in nodes[name].path else apart(box, outline, margin)
            assert right, (plate, name)
    for (one, box), (other, second) in combinations(boxes.items(), 2):
        if one in plates[other].path:
            assert holds(box, second, margin), (one, other)
        elif other in plates[one].path:
            assert holds(second, box, margin), (one, other)
        else:
            assert apart(box, second, margin), (one, other)


@pytest.fixture(scope="module", params=[*SPECS, *PLATES, *range(12)])
def layout(request):
    name = request.param
    graphs = load("random.yaml", text=PlateSpecDraw(name).text()) if isinstance(name, int) else graphs_of(name)
    return lay_out(picture_of(graphs))


class TestAnyPlates:
    def test_no_node_on_a_border_nor_in_a_foreign_box(self, layout):
        every_box_is_right(layout, 9.0)

    def test_the_same_in_a_terminal(self, layout):
        every_box_is_right(lay_out(layout.picture, MEASURES), 9.0)

    def test_no_arrow_runs_through_a_foreign_node(self, layout):
        for panel, routes, labels in zip(layout.picture.panels, layout.routes, layout.labels, strict=True):
            assert set(routes) == set(panel.edges) and set(labels) == set(panel.across)
            arrows = [*routes.items(), *((arrow[:2], note.curve) for arrow, note in labels.items())]
            for edge, curve in arrows:
                for name in set(panel.nodes) - set(edge):
                    assert clearance(polyline(curve), layout.outlines[name]) > 0.5, (edge, name)

    def test_what_is_written_covers_no_node_and_nothing_else_that_is_written(self, layout):
        for panel, labels, pointers in zip(layout.picture.panels, layout.labels, layout.pointers, strict=True):
            notes = [*labels.values(), *pointers.values(), *layout.corners.values()]
            for note in notes:
                for name in panel.nodes:
                    assert apart(note.outline, layout.outlines[name], -2.0), (note.text, name)
            for one, other in combinations(notes, 2):
                assert apart(one.outline, other.outline, -2.0), (one.text, other.text)

    def test_labels_of_boxes_stand_inside_of_them(self, layout):
        for plate, note in layout.corners.items():
            assert holds(layout.boxes[plate], note.outline, 2.0)

    def test_nothing_leaves_the_page_nor_its_half(self, layout):
        scene = scene_of(layout)
        for panel, low, high in zip(scene.panels, (0, scene.width / 2), (scene.width / 2, scene.width), strict=True):
            drawn = [
                *(f.outline for f in panel.frames),
                *(t.ground for t in panel.tags),
                *(d.outline for d in panel.discs),
            ]
            for left, top, right, bottom in map(spread, drawn):
                assert low <= left and right <= high and top > 0 and bottom < scene.height

    def test_views_and_places_are_no_nodes(self, layout):
        assert not [name for name in layout.picture.nodes if "@" in name or name in layout.picture.plates]

    def test_the_same_picture_gives_the_same_layout(self, layout):
        assert lay_out(layout.picture) == layout

    def test_what_is_drawn_in_a_box_stays_in_it(self, layout):
        nodes = layout.picture.nodes
        for labels, pointers in zip(layout.labels, layout.pointers, strict=True):
            for plate, box in layout.boxes.items():
                inside = {name for name in nodes if plate in nodes[name].path}
                written = [note.outline for arrow, note in labels.items() if inside.issuperset(arrow[:2])]
                written += [note.outline for name, note in pointers.items() if name in inside]
                for outline in written:
                    assert holds(box, outline, 1.0) or apart(box, outline, 1.0), (plate, outline)

    def test_heads_of_arrows_are_seen(self, layout):
        for labels in layout.labels:
            for arrow, note in labels.items():
                assert note.outline.distance(note.curve[-1]) > 3, arrow

    def test_a_count_points_at_its_box_and_at_nothing_else(self, layout):
        for panel, links in zip(layout.picture.panels, layout.links, strict=True):
            assert set(links) == set(panel.counts)
            for (count, plate), line in links.items():
                assert abs(layout.outlines[count].distance(line[0])) < 0.2
                assert abs(replace(layout.boxes[plate], radius=0.0).distance(line[-1])) < 0.2
                for name in set(panel.nodes) - {count}:
                    assert clearance(list(line), layout.outlines[name]) > 0.5, (count, name)


class TestWhatAPersonWouldDraw:
    def test_views_are_arrows_from_the_variable_to_its_reader(self):
        _, recognition = picture_of(graphs_of("questions")).panels
        assert set(recognition.across) == {
            Across("e", "group", "sum", False),
            Across("e", "z", "sum, max", False),
            Across("e", "w", "previous", True),
        }
        assert ("e", "w") in recognition.edges, "the element's own value has an arrow of its own"

    def test_a_place_is_written_where_it_is_read(self):
        generative, recognition = picture_of(graphs_of("questions")).panels
        assert generative.indexed == {"answer": ("questions",)} and recognition.indexed == {"e": ("questions",)}

    def test_formulas_name_parents_as_they_are_written(self):
        generative, recognition = picture_of(graphs_of("questions")).panels
        assert generative.formula("answer").text == "p(answer | z, w, questions)"
        assert recognition.formula("z").text == "q(z | e@sum, e@max, group)"
        assert recognition.formula("e@sum") is None

    def test_one_name_for_a_view_that_is_taken_in_two_ways(self):
        text = QUESTIONS.replace("z: {parents: [e@sum, e@max, group]}", "z: {parents: [m, group]}").replace(
            "  group: {parents: [e@sum]}",
            "  m: {parents: [e@sum], network: {kind: identity}}\n  group: {parents: [e@sum]}",
        )
        text = text.replace("variables:", "variables:\n  m: {role: deterministic}")
        _, recognition = picture_of(load("raw.yaml", text=text)).panels
        assert recognition.formula("m").text == "m = f(e@sum)"
        assert Across("e", "m", "sum", False) in recognition.across

    def test_two_arrows_between_the_same_nodes_stay_apart(self):
        layout = lay_out(picture_of(graphs_of("questions")))
        note = layout.labels[1]["e", "w", "previous", True]
        assert clearance(polyline(layout.routes[1]["e", "w"]), note.outline) > 3

    def test_boxes_say_name_and_size(self):
        layout = lay_out(picture_of(graphs_of("corpus")))
        assert {note.text for note in layout.corners.values()} == {"sentences, 4", "words, 6", "pictures, 3"}

    def test_a_panel_has_the_boxes_that_it_has_nodes_of(self):
        text = QUESTIONS.replace("  questions: {size: 6}", "  questions: {size: 6}\n  spare: {size: 2}")
        text = text.replace("variables:", "variables:\n  k: {role: deterministic, size: 3, plate: spare}")
        text = text.replace(
            "  group: {parents: [e@sum]}", "  k: {parents: [e@sum]}\n  group: {parents: [e@sum, k@max]}"
        )
        generative, recognition = scene_of(lay_out(picture_of(load("spare.yaml", text=text)))).panels
        assert [frame.plate for frame in generative.frames] == ["questions"]
        assert {frame.plate for frame in recognition.frames} == {"questions", "spare"}


class TestExactCertainAndIncluded:
    def test_what_is_summed_out_has_a_double_line_and_arrows_from_what_tells_of_it(self):
        recognition = picture_of(graphs_of("annotators")).panels[1]
        assert recognition.summed == ("y",)
        assert {parent for parent, child in recognition.edges if child == "y"} == {"x", "z", "annotator", "vote"}
        assert recognition.formula("y").text == "q(y | x, z, vote, annotator)"
        generative, shown = scene_of(lay_out(picture_of(graphs_of("annotators")))).panels
        assert [disc.mark for disc in shown.discs if disc.name == "y"] == ["ring"]
        assert {disc.mark for disc in generative.discs} == {"none"}

    def test_a_chain_says_along_what_and_with_whom_it_is_summed(self):
        recognition = picture_of(graphs_of("factorial-hmm")).panels[1]
        assert recognition.formula("a").about.endswith("summed along time, together with b")
        assert ("steps", "time") in recognition.counts, "what it is given, also where no factor reads it"

    def test_own_latents_are_not_what_a_sum_depends_on(self):
        recognition = picture_of(graphs_of("letters")).panels[1]
        assert recognition.formula("y").text == "q(y | x)" and ("y", "z") in recognition.edges

    def test_a_certain_label_is_a_square_that_may_be_grey(self):
        picture = picture_of(graphs_of("mnist-addition"))
        node = picture.nodes["s"]
        assert node.certain and node.square and node.role == "supervised"
        assert "certain" in draw(graphs_of("mnist-addition"), "svg").decode()
        assert "[▒s ]" in to_text(picture, 160)

    def test_weights_of_a_run_are_seen_and_said(self, tmp_path):
        text = VAE + "training: {initialize: {from: runs/one, factors: [recognition.z], freeze: true}}\n"
        graphs = load("frozen.yaml", text=text, overrides=())
        generative, recognition = scene_of(lay_out(picture_of(graphs))).panels
        assert {disc.name: disc.mark for disc in recognition.discs} == {"x": "none", "z": "halo"}
        assert {disc.mark for disc in generative.discs} == {"none"}
        assert "frozen, weights of runs/one" in draw(graphs, "text").decode()
        for form in ("svg", "tikz", "dot", "mermaid"):
            assert draw(graphs, form) != draw(load("own.yaml", text=VAE), form)
        own, told = (as_text(explain(load("one.yaml", text=each))).splitlines() for each in (VAE, text))
        assert [line for line in told if line not in own] == [
            f"{line} (frozen, weights of runs/one)" for line in own if line.lstrip().startswith("q(z")
        ]
        (tmp_path / "frozen.yaml").write_text(text)
        printed = CliRunner().invoke(app, ["compile", str(tmp_path / "frozen.yaml")]).stdout
        assert "frozen, weights of runs/one: recognition.z" in printed


class TestChains:
    """A variable that reads its own neighbour, and a circle of two."""

    @pytest.fixture
    def chain(self):
        nodes = {name: Node(name, role, "", ("t",)) for name, role in (("x", "observed"), ("z", "latent"))}
        loops = (Across("z", "z", "previous", True), Across("x", "z", "previous", True))
        generative = Panel("generative", ("x", "z"), (("z", "x"),), (), loops)
        recognition = Panel("recognition", ("x", "z"), (("x", "z"),), ())
        return Picture("chain", "", nodes, (generative, recognition), {"t": Plate("t", 8, True, ("t",))})

    def test_a_loop_begins_and_ends_on_its_node_and_stays_in_the_box(self, chain):
        layout = lay_out(chain)
        note = layout.labels[0]["z", "z", "previous", True]
        assert all(abs(layout.outlines["z"].distance(end)) < 0.1 for end in (note.curve[0], note.curve[-1]))
        assert holds(layout.boxes["t"], note.outline, 2.0)
        assert layout.outlines["z"].y < layout.outlines["x"].y

    def test_its_name_is_written_in_a_terminal(self, chain):
        assert to_text(chain, 160).count("previous") == 2


class TestFormats:
    @pytest.mark.parametrize("name", SPECS)
    @pytest.mark.parametrize(
        ("form", "suffix"), [("text", ".txt"), ("dot", ".dot"), ("mermaid", ".mmd"), ("tikz", ".tex"), ("svg", ".svg")]
    )
    def test_golden(self, golden, name, form, suffix):
        golden(GOLDEN / f"{name}{suffix}", draw(graphs_of(name), form, width=160).decode())

    def test_svg_has_every_box_and_every_view(self):
        root = ElementTree.fromstring(draw(graphs_of("corpus"), "svg"))
        groups = list(root.iter(f"{SVG}g"))
        boxes = [group.get("data-name") for group in groups if group.get("class") == "plate"]
        assert sorted(boxes) == sorted(["sentences", "words", "pictures"] * 2)
        dashed = [path for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray")]
        assert len(dashed) == 1, "previous and next of one variable share an arrow"
        edges = {
            (group.get("data-parent"), group.get("data-child")) for group in groups if group.get("class") == "edge"
        }
        assert {("tag", "s"), ("words", "e"), ("g", "topic")} <= edges

    def test_png_pdf_and_html_are_written(self):
        graphs = graphs_of("questions")
        assert draw(graphs, "png").startswith(b"\x89PNG") and draw(graphs, "pdf").startswith(b"%PDF")
        assert "for each of 6 questions" in draw(graphs, "html").decode()

    @pytest.mark.parametrize("name", [*PLATES, *TAUGHT])
    def test_text_fits_a_terminal(self, name):
        assert max(map(len, draw(graphs_of(name), "text").decode().splitlines())) <= 80

    @pytest.mark.parametrize("form", ["dot", "mermaid"])
    def test_boxes_are_nested_where_a_program_lays_them_out(self, form):
        lines = draw(graphs_of("corpus"), form).decode().splitlines()
        begins = [line for line in lines if "subgraph" in line]
        depth = {line.split("_")[-1].split('"')[0].split("[")[0]: len(line) - len(line.lstrip()) for line in begins}
        assert depth["words"] > depth["sentences"] == depth["pictures"]
        assert sum("subgraph" in line for line in lines) == sum(line.strip() in ("}", "end") for line in lines) - (
            form == "dot"
        )


def test_a_large_picture_has_boxes_too():
    names = [f"z{place}" for place in range(44)]
    nodes = {name: Node(name, "latent", "", ("t",) if i % 3 else ()) for i, name in enumerate(names)}
    nodes |= {"x": Node("x", "observed", "", ("t",))}
    generative = Panel("generative", tuple(nodes), tuple((name, "x") for name in names), ())
    across = tuple(Across("x", name, "mean", False) for name in names[::3])
    recognition = Panel("recognition", tuple(nodes), tuple(("x", n) for n in names if nodes[n].path), (), across)
    plates = {"t": Plate("t", 3, False, ("t",))}
    every_box_is_right(lay_out(Picture("large", "", nodes, (generative, recognition), plates)), 9.0)
