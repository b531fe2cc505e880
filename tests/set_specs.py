"""Specs whose labels of elements are a set."""

HEAD = """
graphspec: 1
plates: {{things: {plate}}}
variables:
  x: {{role: observed, domain: real, size: 3}}
{variables}
generative:
{generative}
recognition:
{recognition}
networks: {{default: {{kind: mlp, hidden: [3], activation: tanh}}}}
objective: {objective}
data: {{source: scenes.npz, variables: {{{columns}}}, plates: {{things: {{order: unknown}}}}}}
"""
COUNTS = {
    "fixed": ("{size: 3}", ""),
    "ragged": ("{size: 3, count: k}", "  k: {role: observed, domain: count, max: 3}"),
    "counted": ("{size: 3, count: k}", "  k: {role: supervised, domain: count, max: 3}"),
}


def set_spec(plate: str, variables: str, generative: str, recognition: str, objective: str = "{}") -> str:
    """A spec with one plate of things; plate: fixed, ragged (observed count) or counted (some rows have the count)."""
    form, count = COUNTS[plate]
    variables = "\n".join(filter(None, [count, variables.strip("\n")]))
    if plate == "counted":
        generative, recognition = (
            f"  k: {{}}\n{generative.strip(chr(10))}",
            f"  k: {{parents: [x]}}\n{recognition.strip(chr(10))}",
        )
    known = [
        line.split(":")[0].strip() for line in variables.splitlines() if "supervised" in line or "observed" in line
    ]
    columns = ", ".join(f"{name}: {name}" for name in ("x", *known))
    return HEAD.format(plate=form, variables=variables, generative=generative.strip("\n"),
                       recognition=recognition.strip("\n"), objective=objective, columns=columns)  # fmt: skip


ONE = ("  y: {role: supervised, domain: category, classes: 3, plate: things}\n  z: {role: latent, size: 2, plate: things}",
       "  y: {}\n  z: {parents: [y]}\n  x: {parents: [y@sum, z@sum]}")  # fmt: skip
SPECS = {
    "exact labels of elements, latents below": lambda plate: set_spec(
        plate, *ONE, "  y: {parents: [x, things]}\n  z: {parents: [x, y, things]}", "{alpha: {y: 3}}"
    ),
    "a draw above the label": lambda plate: set_spec(
        plate, *ONE, "  z: {parents: [x, things]}\n  y: {parents: [z, x]}", "{alpha: 2}"
    ),
    "a class above the label": lambda plate: set_spec(
        plate,
        "  c: {role: latent, domain: category, classes: 2, plate: things}\n"
        "  y: {role: supervised, domain: category, classes: 3, plate: things}\n"
        "  o: {role: observed, size: 2, plate: things}",
        "  c: {}\n  y: {parents: [c]}\n  o: {parents: [c, y]}\n  x: {}",
        "  c: {parents: [x, o]}\n  y: {parents: [c, o, things]}",
        "{alpha: 2}",
    ),
    "a walk above two labels": lambda plate: set_spec(
        plate,
        "  a: {role: latent, size: 1, plate: things}\n"
        "  crop: {role: supervised, size: 2, plate: things}\n"
        "  y: {role: supervised, domain: category, classes: 3, plate: things}\n"
        "  h: {role: deterministic, plate: things}",
        "  a: {}\n  y: {}\n  crop: {parents: [y]}\n  x: {parents: [crop@sum, a@mean]}",
        "  h: {parents: [x, h@previous, a@previous], network: {kind: mlp, hidden: [3]}}\n  a: {parents: [h]}\n"
        "  crop: {parents: [a, h]}\n  y: {parents: [a, x]}",
        "{alpha: {crop: 2, y: 5}, samples: 2}",
    ),
    "a label of the row above": lambda plate: set_spec(
        plate,
        "  r: {role: supervised, domain: category, classes: 2}\n"
        "  y: {role: supervised, domain: real, size: 2, plate: things}\n"
        "  u: {role: latent, size: 2}",
        "  r: {}\n  u: {}\n  y: {parents: [r, u]}\n  x: {parents: [y@mean, u]}",
        "  r: {parents: [x]}\n  y: {parents: [r, x, things]}\n  u: {parents: [x, r, y@mean]}",
    ),
}
