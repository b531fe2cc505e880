"""What a sweep is asked for: fields, seeds, variants, ranges, baselines, and the plan they make."""

import json
from pathlib import Path

import pytest
from tiny_runs import SPEC, write_tiny

from compiler import compile_spec
from graphspec.diagnostics import SpecError
from graphspec.loading import load
from runtime.errors import RunError
from runtime.sweeping.baselines import BASELINES, Baseline, baseline_overrides
from runtime.sweeping.plot import _seeds
from runtime.sweeping.ranges import Range, read_ranges
from runtime.sweeping.sweep_plan import AS_WRITTEN, SweepPlan, build_plan
from runtime.sweeping.swept_values import read_fields, read_seeds, read_variants, split_outside

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1,2", ["1", "2"]),
        ("[1, 2],[3]", ["[1, 2]", "[3]"]),
        ("{a: 1, b: [2, 3]}, {a: 2}", ["{a: 1, b: [2, 3]}", "{a: 2}"]),
        ("'a,b',\"c,d\"", ["'a,b'", '"c,d"']),
        ("it's,so", ["it's", "so"]),
        ("log(1,2)", ["log(1,2)"]),
        ("a,,b", ["a", "", "b"]),
    ],
)
def test_values_are_cut_at_commas_outside_of_brackets_and_quotes(text: str, parts: list[str]) -> None:
    assert split_outside(text, ",") == parts


def test_values_are_read_as_yaml() -> None:
    (field,) = read_fields(["training.learning_rate=1e-3,{from: 1e-3, to: 0, epochs: 2},null,true"])
    assert field.values == (1e-3, {"from": 1e-3, "to": 0, "epochs": 2}, None, True)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["objective.rho"], "names no values"),
        (["objective.rho="], "names no values"),
        (["objective.rho=0.1,,0.2"], "empty value"),
        (["objective.rho=0.1,0.10"], "twice"),
        (["objective.rho=0.1", "objective.rho=0.2"], "names objective.rho twice"),
        (["data.seed=1,2"], "seeds are set for every run"),
        (["a.b=[1"], "is not YAML"),
        (["a.b=log(1,2)"], "add --search"),
    ],
)
def test_fields_that_make_no_grid_are_told(texts: list[str], message: str) -> None:
    with pytest.raises(RunError, match=message):
        for field in read_fields(texts):
            assert field.values


def test_seeds_are_a_count_or_a_list() -> None:
    assert read_seeds("3") == (0, 1, 2)
    assert read_seeds("3,7, 9") == (3, 7, 9)
    assert read_seeds("7,") == (7,)


@pytest.mark.parametrize("text", ["0", "", "a", "1,1", "-1", "1,,2", ",", "1.5"])
def test_seeds_that_are_none_are_told(text: str) -> None:
    with pytest.raises(RunError, match="--seeds"):
        read_seeds(text)


def test_variants_have_a_name_and_changes() -> None:
    (variant,) = read_variants(["No beta!: objective.beta = {z: 0} ; training.epochs=2"])
    assert (variant.name, variant.key) == ("No beta!", "no_beta_")
    assert variant.overrides == ("objective.beta={z: 0}", "training.epochs=2")


@pytest.mark.parametrize(
    "text", ["objective.rho=1", "name:", "name: rho", "seeds: objective.rho=1", "labels only: a.b=1", "x: data.seed=1"]
)
def test_variants_that_are_none_are_told(text: str) -> None:
    with pytest.raises(RunError, match="--variant"):
        read_variants([text])


def test_ranges_are_read() -> None:
    texts = ["a.b=log(1e-4,1e-2)", "a.c=uniform(0, 1)", "a.d=int(2,8)", "a.e=choice([1, 2],[3])", "a.f=x,y"]
    assert read_ranges(texts) == (
        Range("a.b", "log", (1e-4, 1e-2)),
        Range("a.c", "uniform", (0.0, 1.0)),
        Range("a.d", "int", (2.0, 8.0)),
        Range("a.e", "choice", texts=("[1, 2]", "[3]")),
        Range("a.f", "choice", texts=("x", "y")),
    )
    assert [r.corners for r in read_ranges(texts)][1:4] == [("0.0", "1.0"), ("2", "8"), ("[1, 2]", "[3]")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.b=log(0,1)", "above 0"),
        ("a.b=log(1,1)", "is empty"),
        ("a.b=uniform(2,1)", "is empty"),
        ("a.b=int(1.5,2)", "two whole numbers"),
        ("a.b=uniform(1)", "two numbers"),
        ("a.b=uniform(a,b)", "two numbers"),
        ("a.b=loguniform(1,2)", "is no range"),
        ("a.b=choice(1,1)", "twice"),
        ("a.b=1,1", "twice"),
    ],
)
def test_ranges_without_room_are_told(text: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        read_ranges([text])


def test_a_search_varies_something() -> None:
    with pytest.raises(RunError, match="nothing to vary"):
        read_ranges([])


# --- the plan -----------------------------------------------------------------------------------------------------


def plan_of(
    *over: str, seeds: str = "1", baselines: tuple[Baseline, ...] = (), variants: tuple[str, ...] = ()
) -> SweepPlan:
    return build_plan(
        "tiny.yaml", SPEC, (), read_fields(over), read_seeds(seeds), read_variants(variants), baselines
    )  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_is_every_combination_with_every_seed(tiny: Path) -> None:
    plan = plan_of("data.labels.y=6,12", "objective.rho=0.1,0.5", seeds="2")
    assert [point.over for point in plan.points] == [
        {"data.labels.y": labels, "objective.rho": rho} for labels in (6, 12) for rho in (0.1, 0.5)
    ]
    assert len({run.name for run in plan.runs}) == 8
    for run in plan.runs:
        spec = load("tiny.yaml", run.overrides).spec
        assert spec.data is not None
        assert (spec.data.seed, spec.training.seed) == (run.seed, run.seed)
    assert [run.seed for run in plan.runs] == [0] * 4 + [1] * 4


def test_names_of_runs_follow_from_what_they_train_and_not_from_the_grid(tiny: Path) -> None:
    small, large = plan_of("data.labels.y=12"), plan_of("data.labels.y=6,12,24", seeds="3")
    assert {run.name for run in small.runs} < {run.name for run in large.runs}


def test_a_baseline_that_a_field_does_not_touch_is_one_run_for_all_its_values(tiny: Path) -> None:
    plan = plan_of("objective.rho=0.1,0.5", baselines=("labels-only", "generative-off"))
    names = [[column.runs[0].name for column in point.columns] for point in plan.points]
    assert names[0][1] == names[1][1] != names[0][0]
    assert names[0][2] != names[1][2]
    assert len(plan.runs) == 5
    more = plan_of("objective.rho=0.05,0.1", baselines=("labels-only",))
    assert more.points[0].columns[1].runs[0].name == names[0][1]


def test_mistakes_at_all_points_come_at_once_and_name_the_point(tiny: Path) -> None:
    with pytest.raises(SpecError) as caught:
        plan_of("data.labels.y=6,-1", "objective.rho=0.5,7")
    messages = [diagnostic.message for diagnostic in caught.value.diagnostics]
    assert len(messages) == 2
    assert messages[0].startswith("at data.labels.y=6, objective.rho=7: ")
    assert messages[1].startswith("at data.labels.y=-1, objective.rho=0.5: ")
    assert all(found.source and found.source.name == "--over" for found in caught.value.diagnostics)


def test_a_mistake_of_a_variant_names_it(tiny: Path) -> None:
    with pytest.raises(SpecError, match=r"at odd: .*rho"):
        plan_of(variants=("odd: objective.rho=3",))


# --- baselines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BASELINES)
@pytest.mark.parametrize("name", ["digits", "mnist-m2", "mnist-m2-conv", "two-labels", "attributes", "table"])
def test_a_baseline_keeps_the_classifier_and_nothing_else(name: str, kind: Baseline) -> None:
    path = str(ROOT / "specs" / f"{name}.yaml")
    whole = load(path)
    alone = load(path, baseline_overrides(whole, kind))
    assert not alone.latent and alone.supervised == whole.supervised
    for label in whole.supervised:
        assert alone.recognition[label] == whole.recognition[label]
    models = [compile_spec(graphs, seed=3).state_dict() for graphs in (whole, alone)]
    kept = {key for key in models[1] if key.startswith("factors.recognition") or "recognition" in key}
    assert kept and all(models[0][key].equal(models[1][key]) for key in kept)
    assert alone.spec.objective.alpha == whole.spec.objective.alpha
    assert alone.spec.objective.labelled_share(10, 90) == (
        1.0 if kind == "labels-only" else whole.spec.objective.labelled_share(10, 90)
    )


def test_a_derived_recognition_graph_stays_as_it_was_derived(tiny: Path) -> None:
    text = SPEC[: SPEC.index("recognition:")] + "recognition: auto\n" + SPEC[SPEC.index("networks:") :]
    text = text.replace("  h: {role: deterministic}\n", "")
    whole = load("auto.yaml", (), text=text)
    alone = load("auto.yaml", baseline_overrides(whole, "labels-only"), text=text)
    assert alone.recognition["y"].parents == whole.recognition["y"].parents


@pytest.mark.parametrize(("name", "latent"), [("adgm", "a"), ("m1m2", "z1"), ("mnist-label-below", "z")])
def test_a_label_behind_a_latent_has_no_baseline(name: str, latent: str) -> None:
    whole = load(str(ROOT / "specs" / f"{name}.yaml"))
    with pytest.raises(RunError, match=f"reads the latent {latent}, .*\n.*--variant"):
        baseline_overrides(whole, "labels-only")


def test_a_spec_without_labels_has_no_baseline() -> None:
    with pytest.raises(RunError, match="no supervised variable"):
        baseline_overrides(load(str(ROOT / "specs" / "mnist-vae.yaml")), "generative-off")


def test_training_in_stages_keeps_the_stages_of_the_classifier(tiny: Path) -> None:
    stages = (
        '[{"from": "a", "factors": ["recognition.h", "generative.x"]}, {"from": "b", "factors": ["recognition.z"]}]'
    )
    whole = load("tiny.yaml", (f"training.initialize={stages}",))
    texts = baseline_overrides(whole, "labels-only")
    (text,) = [text for text in texts if text.startswith("training.initialize=")]
    assert json.loads(text.partition("=")[2]) == [{"from": "a", "factors": ["recognition.h"], "freeze": False}]


def test_a_plot_says_how_many_seeds_are_there(tmp_path: Path) -> None:
    path = write_tiny(tmp_path)
    plan = build_plan(str(path), SPEC, (), read_fields(["data.labels.y=6,12"]), (0, 1, 2), (), ())
    assert list(plan.titles) == [AS_WRITTEN]

    def titled(*counts: int) -> str:
        return _seeds(plan, [{"test_error": {"mean": 1.0, "std": 0.0, "n": n}} for n in counts], "test")

    assert titled(3, 3) == "mean ± standard deviation of 3 seeds"
    assert titled(2, 3) == "mean ± standard deviation of 2 to 3 seeds"
    assert titled(1) == "mean ± standard deviation of 1 seed"
