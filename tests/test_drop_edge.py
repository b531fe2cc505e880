"""What each edge is worth: which edges can be dropped, and how their worth is told."""

from pathlib import Path

import pytest
from tiny_runs import SPEC, write_tiny
from typer.testing import CliRunner

from graphspec.diagnostics import SpecError
from runtime.cli.app import app
from runtime.errors import RunError
from runtime.sweeping.dropped_edges import edge_notes, edge_variants


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny(tmp_path)


def variants(spec: Path, *wanted: str, text: str = SPEC) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    found, notes = edge_variants(str(spec), text, (), wanted)
    return {each.name: each.overrides for each in found}, notes


def test_every_edge_that_the_spec_writes(tiny: Path) -> None:
    found, notes = variants(tiny, "all")
    edges = {"p: y -> x", "p: z -> x", "q: x -> h", "q: h -> y", "q: h -> z", "q: y -> z"}
    told = {name.removeprefix("without ") for name in found} | {note.split(" stays")[0] for note in notes}
    assert told == edges
    assert found["without p: z -> x"] == ("generative.x.parents=[y]",)
    assert found["without q: y -> z"] == ("recognition.z.parents=[h]",)
    assert list(variants(tiny, "p")[0]) == ["without p: y -> x", "without p: z -> x"]
    assert [*variants(tiny, "q: y->z", "q: y -> z")[0]] == ["without q: y -> z"]


def test_an_edge_that_a_rule_needs_stays_and_says_why(tiny: Path) -> None:
    _, notes = variants(tiny, "all")
    assert any(note.startswith("q: x -> h stays: ") and len(note) > 30 for note in notes)


def test_what_a_dropped_parent_stops_goes_with_it(tiny: Path) -> None:
    text = SPEC.replace("z: {parents: [h, y],", "z: {parents: [h, y], stop_gradient: [y],")
    tiny.write_text(text)
    found, _ = variants(tiny, "q: y -> z", text=text)
    assert found["without q: y -> z"] == ("recognition.z.parents=[h]", "recognition.z.stop_gradient=[]")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [("z -> x", "cannot read"), ("p: x -> z", "has no edge"), ("q: x -> h", "no edge can be dropped")],
)
def test_edges_that_are_not_there(tiny: Path, wanted: str, told: str) -> None:
    with pytest.raises(RunError) as caught:
        variants(tiny, wanted)
    assert told in caught.value.message


def test_a_broken_spec_is_told_as_such(tiny: Path) -> None:
    with pytest.raises(SpecError):
        variants(tiny, "all", text=SPEC.replace("role: latent", "role: latin"))


def test_worth_is_paired_by_seed_and_ranked() -> None:
    def seeds(*figures: tuple[float, float]) -> list[dict[str, float]]:
        return [{"seed": seed, "test_elbo": elbo, "test_error": error} for seed, (elbo, error) in enumerate(figures)]

    row = {
        "over": {},
        "seeds": seeds((-10.0, 5.0), (-12.0, 7.0)),
        "a": {"seeds": seeds((-11.0, 9.0), (-15.0, 9.0))},
        "b": {"seeds": seeds((-20.0, 5.0))},
        "other": {"seeds": seeds((0.0, 0.0))},
    }
    titles = {"": "", "a": "without p: z -> x", "b": "without p: y -> x", "other": "no style"}
    assert edge_notes(titles, [row], "test") == [
        "p: y -> x is worth +10.00 nats a row, +0.00 of the test error",
        "p: z -> x is worth +2.00 ± 1.00 nats a row, +3.00 ± 1.00 of the test error",
    ]


def test_the_runs_of_a_sweep(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)
    done = CliRunner().invoke(app, ["sweep", str(tiny), "--drop-edge", "p", "--list"])
    assert done.exit_code == 0, done.output
    assert "without p: z -> x" in done.output and "without p: y -> x" in done.output
    done = CliRunner().invoke(
        app, ["sweep", str(tiny), "--drop-edge", "p", "--search", "3", "--over", "data.seed=int(1,3)"]
    )
    assert done.exit_code == 1 and "leave out --baseline, --variant and --drop-edge" in done.output
