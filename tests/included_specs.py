"""A flat spec cut in two: some of its variables in a spec of their own, under other names, and the rest including it."""

from pathlib import Path
from random import Random
from typing import Any

import yaml
from random_specs import NAMES, Drawn, parents_of

SIDES = ("generative", "recognition")


def spec_drawn(seed: int) -> Drawn:
    """A random flat spec without plates; discrete variables are summed."""
    random = Random(seed)
    names = NAMES[: random.randint(2, 4)]
    kinds = {name: random.choice([2, 3, 0]) for name in names}
    supervised = tuple(name for name in names if random.random() < 0.6)
    objective = {"samples": "2", "estimators": f"{{{', '.join(f'{n}: enumerate' for n in names if kinds[n])}}}"}
    generative, recognition = parents_of(random, (*names, "x")), parents_of(random, names, "x")
    return Drawn(kinds, supervised, generative, recognition, objective, random.random() < 0.3)


def split(text: str, random: Random, folder: Path, *, plate: str | None = None) -> Path:
    """Writes inner.yaml and outer.yaml, which includes it; returns the latter. Both together say what `text` says.

    plate: only variables of this plate are included, and the inner spec knows nothing of it.
    """
    flat = yaml.safe_load(text)
    fitting = [n for n, v in flat["variables"].items() if v.get("plate") == plate]
    inside = {name for name in fitting if random.random() < 0.7} or set(fitting[:1])
    there = {name: random.choice(["n_", "a_", "z_"]) + name for name in inside}
    declared = {name for name in inside if random.random() < 0.3}
    inner: dict[str, Any] = {"graphspec": 1, "variables": {}, "networks": flat["networks"]}
    roles = {}
    for name in inside:
        inner["variables"][there[name]] = dict(flat["variables"][name])
        inner["variables"][there[name]].pop("plate", None)
        role = flat["variables"][name]["role"]
        if role in ("supervised", "latent") and name not in declared and random.random() < 0.4:
            inner["variables"][there[name]]["role"] = "observed"
            roles[there[name]] = role
    left = {name: value for name, value in flat["variables"].items() if name not in inside - declared}
    outer = {**flat, "variables": left}
    for side in SIDES:
        mine = {n: f for n, f in flat[side].items() if n in inside and set(f.get("parents", ())) <= inside}
        mine = {n: f for n, f in mine.items() if there[n] not in roles or side == "generative"}
        inner[side] = {there[name]: _renamed(factor, there) for name, factor in mine.items() if random.random() < 0.8}
        outer[side] = {name: factor for name, factor in flat[side].items() if there.get(name) not in inner[side]}
    rename = {old: name for name, old in there.items() if not name.startswith("part_") or name != f"part_{old}"}
    include: dict[str, Any] = {"spec": "inner.yaml", "rename": rename}
    include |= {"roles": roles} if roles else {}
    include |= {"plate": plate} if plate else {}
    outer["include"] = {"part": include}
    for name, spec in (("inner", inner), ("outer", outer)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return folder / "outer.yaml"


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: names.get(item, item)
            if key in ("by", "image", "pose") and isinstance(item, str)
            else _renamed(item, names)
            for key, item in value.items()
        }
    return [names.get(item, item) for item in value] if isinstance(value, list) else value
