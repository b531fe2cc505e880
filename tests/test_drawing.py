"""Drawing: geometry that holds for any two DAGs, the pictures a person would draw, and every format's text."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from drawing_pictures import LADDER, M2, VAE, random_picture
from typer.testing import CliRunner

from graphspec.drawing import FORMATS, SUFFIXES, draw
from graphspec.drawing.coordinates import isotonic
from graphspec.drawing.geometry import (
    RoundedBox,
    clearance,
    contour,
    crossings,
    gap,
    leaving,
    polyline,
    shortened,
    split,
)
from graphspec.drawing.layout import LABEL_SIZE, lay_out
from graphspec.drawing.lettering import Run, latex_run, line_width, name_runs, text_width
from graphspec.drawing.mermaid import label
from graphspec.drawing.picture import Node, Panel, Picture, picture_of
from graphspec.drawing.staging import ARROW_LENGTH, MARGIN, scene_of
from graphspec.loading import load
from runtime.cli.app import app

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden" / "drawing"
SPECS = {"vae": VAE, "m2": M2, "ladder": LADDER}
SEEDS = range(40)
TOLERANCE = 0.1
runner = CliRunner()


def graphs_of(name):
    return load(f"{name}.yaml", text=SPECS[name])


def layout_of(name):
    return lay_out(picture_of(graphs_of(name)))


def crossings_of(layout, panel):
    paths = [polyline(curve) for curve in layout.routes[panel].values()]
    return sum(crossings(a, b) for a, b in combinations(paths, 2))


def picture(generative, recognition, **roles):
    nodes = {name: Node(name, role, "") for name, role in roles.items()}
    panels = []
    for side, edges in (("generative", generative), ("recognition", recognition)):
        pairs = tuple((edge[0], edge[1]) for edge in edges.split())
        panels.append(Panel(side, tuple(n for n in roles if any(n in pair for pair in pairs)), pairs, ()))
    return Picture("", "", nodes, tuple(panels))


@pytest.fixture(scope="module", params=SEEDS)
def layout(request):
    return lay_out(random_picture(request.param))


class TestAnyTwoGraphs:
    def test_nodes_stand_apart(self, layout):
        for a, b in combinations(layout.outlines.values(), 2):
            apart = abs(a.x - b.x) - a.half_width - b.half_width
            assert apart >= 20 or abs(a.y - b.y) >= a.half_height + b.half_height + 20

    def test_names_fit_in_their_nodes(self, layout):
        for name, outline in layout.outlines.items():
            half = line_width(name_runs(name), LABEL_SIZE) / 2
            corners = [
                (outline.x + side * half, outline.y + edge * LABEL_SIZE * 0.4) for side in (-1, 1) for edge in (-1, 1)
            ]
            assert all(outline.distance(corner) < 0 for corner in corners)

    def test_edges_begin_and_end_on_the_outlines_of_their_nodes(self, layout):
        for routes in layout.routes:
            for (parent, child), curve in routes.items():
                assert abs(layout.outlines[parent].distance(curve[0])) < TOLERANCE
                assert abs(layout.outlines[child].distance(curve[-1])) < TOLERANCE

    def test_no_edge_runs_through_a_foreign_node(self, layout):
        for panel, routes in zip(layout.picture.panels, layout.routes, strict=True):
            assert set(routes) == set(panel.edges)
            for edge, curve in routes.items():
                for name in set(panel.nodes) - set(edge):
                    assert clearance(polyline(curve), layout.outlines[name]) > 0.5, (edge, name)

    def test_edges_of_p_point_down(self, layout):
        for parent, child in layout.picture.panels[0].edges:
            assert layout.outlines[parent].y < layout.outlines[child].y

    def test_a_node_has_the_same_place_in_both_panels(self, layout):
        scene = scene_of(layout)
        left, right = ({disc.name: disc.outline for disc in panel.discs} for panel in scene.panels)
        shifts = {round(right[name].x - left[name].x, 6) for name in left.keys() & right.keys()}
        assert len(shifts) <= 1
        assert all(left[name].y == right[name].y for name in left.keys() & right.keys())

    def test_nothing_leaves_the_page_nor_its_half(self, layout):
        scene = scene_of(layout)
        for panel, low, high in zip(scene.panels, (0, scene.width / 2), (scene.width / 2, scene.width), strict=True):
            points = [p for arrow in panel.arrows for p in (*polyline(arrow.curve), *arrow.head)]
            for disc in panel.discs:
                points += contour(disc.outline)
            for writing in panel.writings:
                half = line_width(writing.runs, writing.size) / 2
                points += [(writing.at[0] - half, writing.at[1]), (writing.at[0] + half, writing.at[1])]
            assert all(low + MARGIN / 2 <= x <= high - MARGIN / 2 and 0 < y < scene.height for x, y in points)

    def test_heads_are_whole_and_point_into_the_node(self, layout):
        for panel in scene_of(layout).panels:
            outlines = {disc.name: disc.outline for disc in panel.discs}
            for arrow in panel.arrows:
                tip, left, right = arrow.head
                base = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
                beyond = (tip[0] + (tip[0] - base[0]) / 4, tip[1] + (tip[1] - base[1]) / 4)
                assert abs(gap(tip, base) - ARROW_LENGTH) < 0.5
                assert outlines[arrow.edge[1]].distance(beyond) < 0 < outlines[arrow.edge[1]].distance(base)

    def test_the_same_picture_gives_the_same_layout(self, layout):
        assert lay_out(layout.picture) == layout


class TestWhatAPersonWouldDraw:
    def test_a_vae_is_one_column(self):
        outlines = layout_of("vae").outlines
        assert outlines["z"].x == outlines["x"].x and outlines["z"].y < outlines["x"].y

    def test_a_trunk_stands_between_data_and_labels_and_roots_share_the_top(self):
        layout = layout_of("m2")
        assert layout.rows == {"x": 2, "digit_label": 0, "z_style": 0, "end": 1}
        assert all(len(curve) == 2 for routes in layout.routes for curve in routes.values())

    def test_the_declared_order_decides_where_nothing_else_does(self):
        first = lay_out(picture("yx zx", "xy xz yz", x="observed", y="supervised", z="latent")).outlines
        second = lay_out(picture("yx zx", "xy xz yz", x="observed", z="latent", y="supervised")).outlines
        assert first["y"].x < first["z"].x and second["z"].x < second["y"].x

    def test_a_label_below_a_latent_is_one_column(self):
        layout = lay_out(picture("yz zx", "xz zy", x="observed", y="supervised", z="latent"))
        assert layout.rows == {"y": 0, "z": 1, "x": 2} and len({o.x for o in layout.outlines.values()}) == 1

    def test_auxiliary_models_have_no_crossing(self):
        sdgm = picture("ya za ax yx zx", "xa ay xy az xz yz", x="observed", y="supervised", a="latent", z="latent")
        adgm = picture("yx zx xa ya za", "xa ay xy az xz yz", x="observed", y="supervised", a="latent", z="latent")
        for layout in map(lay_out, (sdgm, adgm)):
            assert (crossings_of(layout, 0), crossings_of(layout, 1)) == (0, 0)

    def test_a_ladder_has_no_crossing_and_its_feature_path_runs_up_beside(self):
        layout = layout_of("ladder")
        assert (crossings_of(layout, 0), crossings_of(layout, 1)) == (0, 0)
        assert [layout.rows[name] for name in ("z3", "t2", "z2", "t1", "z1", "x")] == [0, 1, 2, 3, 4, 5]
        assert layout.rows["x"] > layout.rows["d1"] > layout.rows["d2"] > layout.rows["d3"]

    def test_borrowed_functions_are_drawn_where_they_are_read(self):
        _, recognition = picture_of(graphs_of("ladder")).panels
        assert {("t2", "z2"), ("z3", "t2"), ("t2", "t1"), ("z2", "t1")} <= set(recognition.edges)
        assert [f.variable for f in recognition.formulas if f.borrowed] == ["t2", "t1"]

    def test_roles_have_the_fills_of_plate_notation(self):
        generative, recognition = scene_of(layout_of("m2")).panels
        fills = {disc.name: disc.fill for disc in (*generative.discs, *recognition.discs)}
        assert fills == {"x": "full", "digit_label": "half", "z_style": "none", "end": "none"}
        square = next(disc.outline for disc in recognition.discs if disc.name == "end")
        assert square.radius < square.half_height / 2
        assert "end" not in [disc.name for disc in generative.discs]

    @pytest.mark.parametrize(
        "name", ["digits", "mnist-m2", "mnist-m2-conv", "mnist-vae", "mnist-label-below", "two-labels"]
    )
    def test_specs_that_can_be_drawn_without_a_crossing_are(self, name):
        layout = lay_out(picture_of(load(ROOT / "specs" / f"{name}.yaml")))
        assert (crossings_of(layout, 0), crossings_of(layout, 1)) == (0, 0)

    @pytest.mark.parametrize("spec", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem)
    def test_no_edge_of_a_spec_that_ships_touches_a_foreign_node(self, spec):
        layout = lay_out(picture_of(load(spec)))
        for panel, routes in zip(layout.picture.panels, layout.routes, strict=True):
            for edge, curve in routes.items():
                foreign = set(panel.nodes) - set(edge)
                assert all(clearance(polyline(curve), layout.outlines[name]) > 1 for name in foreign)


class TestGeometry:
    def test_distance_to_a_pill_a_circle_and_a_square(self):
        assert RoundedBox(0, 0, 30, 10, 10).distance((40, 0)) == pytest.approx(10)
        assert RoundedBox(0, 0, 10, 10, 10).distance((10, 10)) == pytest.approx(200**0.5 - 10)
        assert RoundedBox(0, 0, 10, 10, 0).distance((4, 0)) == pytest.approx(-6)

    def test_the_contour_lies_on_the_outline(self):
        for outline in (RoundedBox(3, 4, 30, 19, 19), RoundedBox(3, 4, 20, 17, 3), RoundedBox(0, 0, 9, 9, 9)):
            assert max(abs(outline.distance(point)) for point in polyline(contour(outline))) < 0.01

    def test_a_split_curve_is_the_same_curve(self):
        curve = ((0.0, 0.0), (0.0, 30.0), (60.0, 30.0), (60.0, 0.0))
        left, right = split(curve, 0.5)
        assert left[-1] == right[0] == (30.0, 22.5) and left[0] == curve[0] and right[-1] == curve[-1]

    def test_leaving_and_shortening_cut_where_they_say(self):
        outline = RoundedBox(0, 0, 10, 10, 10)
        assert leaving(((0.0, 0.0), (50.0, 0.0)), outline)[0] == pytest.approx((10, 0), abs=1e-4)
        assert gap(shortened(((0.0, 0.0), (30.0, 40.0)), 9)[-1], (30.0, 40.0)) == pytest.approx(9, abs=1e-4)

    def test_crossings_are_counted_and_shared_ends_are_none(self):
        across = [(0.0, 0.0), (10.0, 10.0)]
        assert crossings(across, [(0.0, 10.0), (10.0, 0.0)]) == 1
        assert crossings(across, [(0.0, 0.0), (10.0, 0.0)]) == 0
        assert crossings(across, [(0.0, 10.0), (4.0, 6.0)]) == 0

    def test_isotonic_regression_pools_what_is_out_of_order(self):
        assert isotonic([1.0, 3.0, 2.0, 4.0], [1.0, 1.0, 1.0, 1.0]) == [1.0, 2.5, 2.5, 4.0]
        assert isotonic([4.0, 1.0], [1.0, 2.0]) == [2.0, 2.0]


class TestLettering:
    @pytest.mark.parametrize(
        ("name", "runs"),
        [
            ("z", (Run("z", italic=True),)),
            ("z1", (Run("z", italic=True), Run("1", subscript=True))),
            ("z_12", (Run("z", italic=True), Run("12", subscript=True))),
            ("z_style", (Run("z", italic=True), Run("style", subscript=True))),
            ("x_t", (Run("x", italic=True), Run("t", italic=True, subscript=True))),
            ("layer2", (Run("layer"), Run("2", subscript=True))),
            ("digit_label", (Run("digit_label"),)),
            ("_", (Run("_", italic=True),)),
            ("z_", (Run("z_"),)),
        ],
    )
    def test_names(self, name, runs):
        assert name_runs(name) == runs
        assert "".join(run.text for run in runs).replace("_", "") == name.replace("_", "")

    def test_latex_escapes(self):
        assert latex_run(Run("digit_label")) == r"\mathsf{digit\_label}"
        assert latex_run(Run("style", subscript=True)) == r"_{\mathsf{style}}"

    def test_width_grows_with_the_font(self):
        assert text_width("ab", 20) == pytest.approx(2 * text_width("ab", 10)) == pytest.approx(24.96)


class TestFormats:
    @pytest.mark.parametrize("name", SPECS)
    @pytest.mark.parametrize(
        ("form", "suffix"), [("text", ".txt"), ("dot", ".dot"), ("mermaid", ".mmd"), ("tikz", ".tex"), ("svg", ".svg")]
    )
    def test_golden(self, golden, name, form, suffix):
        golden(GOLDEN / f"{name}{suffix}", draw(graphs_of(name), form).decode())

    @pytest.mark.parametrize("name", SPECS)
    def test_svg_is_well_formed_and_has_every_node_and_edge(self, name):
        root = ElementTree.fromstring(draw(graphs_of(name), "svg"))
        drawn = picture_of(graphs_of(name))
        groups = list(root.iter("{http://www.w3.org/2000/svg}g"))
        for panel in drawn.panels:
            group = next(g for g in groups if g.get("data-side") == panel.side)
            assert [g.get("data-name") for g in group if g.get("class") == "node"] == list(panel.nodes)
            edges = {(g.get("data-parent"), g.get("data-child")) for g in group if g.get("class") == "edge"}
            assert edges == set(panel.edges)

    def test_html_stands_alone_and_escapes_what_the_user_wrote(self):
        page = draw(graphs_of("m2"), "html").decode()
        assert "A &lt;label&gt;, a style &amp; a shared trunk." in page and "<label>" not in page
        assert "q(digit_label | end)  categorical, linear" in page
        assert "http" not in page.replace("http://www.w3.org/2000/svg", "") and "src=" not in page

    def test_text_stands_side_by_side_only_where_there_is_room(self):
        wide, narrow = (draw(graphs_of("m2"), "text", width=width).decode() for width in (120, 50))
        assert wide.splitlines()[0].split() == ["generative", "graph", "p", "recognition", "graph", "q"]
        assert narrow.splitlines()[0] == "generative graph p"
        assert all(len(line) <= 120 for line in wide.splitlines())

    def test_mermaid_labels_hold_no_markup(self):
        assert label('a "b" <c> #1') == "a #quot;b#quot; #lt;c#gt; #35;1"

    def test_png_and_pdf_are_pictures_and_always_the_same(self):
        graphs = graphs_of("m2")
        png, pdf = draw(graphs, "png"), draw(graphs, "pdf")
        assert png.startswith(b"\x89PNG") and pdf.startswith(b"%PDF")
        assert draw(graphs, "png") == png and draw(graphs, "pdf") == pdf

    def test_png_shows_grey_half_grey_and_white(self):
        from io import BytesIO

        from PIL import Image

        graphs = graphs_of("m2")
        image = Image.open(BytesIO(draw(graphs, "png"))).convert("L")
        scene = scene_of(layout_of("m2"))
        scale = image.width / scene.width
        outlines = {disc.name: disc.outline for disc in scene.panels[0].discs}

        def shade(name, across):
            place = outlines[name]
            return image.getpixel((round((place.x + across * place.half_width) * scale), round((place.y - 12) * scale)))

        assert [shade("x", side) for side in (-0.4, 0.4)] == [0xB9, 0xB9]
        assert [shade("digit_label", side) for side in (-0.4, 0.4)] == [0xB9, 0xFF]
        assert [shade("z_style", side) for side in (-0.4, 0.4)] == [0xFF, 0xFF]

    def test_every_suffix_has_a_format(self):
        assert set(SUFFIXES.values()) == set(FORMATS)

    def test_drawing_without_pictures_loads_neither_torch_nor_matplotlib_nor_numpy(self):
        code = (
            "import sys; from graphspec.drawing import draw; from graphspec.loading import load\n"
            f"graphs = load('vae.yaml', text={VAE!r})\n"
            "for form in ('text', 'svg', 'html', 'tikz', 'dot', 'mermaid'): draw(graphs, form)\n"
            "print([m for m in ('torch', 'matplotlib', 'numpy', 'sklearn') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
        assert done.stdout.strip() == "[]"


class TestCommand:
    @pytest.fixture
    def spec(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("m2.yaml").write_text(M2)
        return "m2.yaml"

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_the_suffix_chooses_the_format(self, spec, suffix):
        result = runner.invoke(app, ["graph", spec, "-o", f"picture{suffix}"])
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"wrote picture{suffix}" in result.stderr
        assert Path(f"picture{suffix}").read_bytes() == draw(load(spec), SUFFIXES[suffix])

    def test_without_a_file_the_terminal_shows_it(self, spec):
        result = runner.invoke(app, ["graph", spec])
        assert result.exit_code == 0 and "q(digit_label | end)" in result.stdout and "(▒x▒)" in result.stdout

    def test_the_format_may_be_named(self, spec):
        result = runner.invoke(app, ["graph", spec, "--format", "dot"])
        assert result.stdout.startswith('digraph "m2" {')
        assert runner.invoke(app, ["graph", spec, "-o", "x.data", "--format", "svg"]).exit_code == 0
        assert Path("x.data").read_text().startswith("<svg")

    def test_standard_input_and_overrides(self):
        result = runner.invoke(app, ["graph", "-", "--set", "name=other", "--format", "dot"], input=M2)
        assert result.stdout.startswith('digraph "other" {')

    @pytest.mark.parametrize("name", ["m2.sgv", "m2"])
    def test_an_unknown_suffix_is_a_usage_error_that_lists_the_known(self, spec, name):
        result = runner.invoke(app, ["graph", spec, "-o", name])
        assert result.exit_code == 2 and not Path(name).exists()
        assert ".svg" in result.stderr and ".mmd" in result.stderr

    def test_a_place_that_cannot_be_written_is_told(self, spec):
        result = runner.invoke(app, ["graph", spec, "-o", "nowhere/m2.svg"])
        assert result.exit_code == 1 and "cannot write nowhere/m2.svg" in result.stderr

    def test_a_faulty_spec_writes_nothing(self, spec):
        Path(spec).write_text(M2.replace("parents: [x]", "parents: [w]"))
        result = runner.invoke(app, ["graph", spec, "-o", "m2.svg"])
        assert result.exit_code == 1 and "GS030" in result.stderr and not Path("m2.svg").exists()


def test_large_pictures_are_laid_out_plainly():
    names = [f"z{place}" for place in range(1, 300)]
    text = (
        "graphspec: 1\nvariables:\n  x: {role: observed, size: 2}\n"
        + "".join(f"  {name}: {{role: latent, size: 2}}\n" for name in names)
        + "generative:\n  z1: {}\n"
        + "".join(f"  {below}: {{parents: [{above}]}}\n" for above, below in pairwise([*names, "x"]))
        + "recognition: auto\n"
    )
    graphs = load("chain.yaml", text=text)
    layout = lay_out(picture_of(graphs))
    assert all(layout.outlines[a].y < layout.outlines[b].y for a, b in pairwise([*names, "x"]))
    assert [len(routes) for routes in layout.routes] == [299, 299]
    drawn = draw(graphs, "text").decode()
    assert drawn.startswith("300 variables are too many") and "p(z7 | z6)" in drawn
