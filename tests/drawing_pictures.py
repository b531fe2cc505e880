"""Specs and random pictures for the tests of drawing."""

from random import Random

from graphspec.drawing.picture import Edge, Node, Panel, Picture

VAE = """
graphspec: 1
name: vae
variables:
  x: {role: observed, domain: unit, shape: [1, 28, 28]}
  z: {role: latent, domain: real, size: 20}
generative:
  z: {}
  x: {parents: [z], distribution: bernoulli}
recognition:
  z: {parents: [x]}
"""

M2 = """
graphspec: 1
name: m2
description: A <label>, a style & a shared trunk.
variables:
  x: {role: observed, domain: unit, shape: [1, 28, 28]}
  digit_label: {role: supervised, domain: category, classes: 10}
  z_style: {role: latent, domain: real, size: 50}
  end: {role: deterministic}
generative:
  digit_label: {}
  z_style: {}
  x: {parents: [digit_label, z_style], distribution: bernoulli, network: decoder}
recognition:
  end: {parents: [x], network: {kind: mlp, hidden: [500]}}
  digit_label: {parents: [end], network: {kind: linear}}
  z_style: {parents: [end, digit_label], network: {kind: linear}}
networks:
  decoder: {kind: mlp, hidden: [500]}
"""

LADDER = """
graphspec: 1
name: ladder
variables:
  x: {role: observed, domain: unit, shape: [1, 28, 28]}
  z1: {role: latent, domain: real, size: 32}
  z2: {role: latent, domain: real, size: 16}
  z3: {role: latent, domain: real, size: 8}
  d1: {role: deterministic}
  d2: {role: deterministic}
  d3: {role: deterministic}
  t2: {role: deterministic}
  t1: {role: deterministic}
generative:
  z3: {}
  t2: {parents: [z3]}
  z2: {parents: [t2]}
  t1: {parents: [t2, z2]}
  z1: {parents: [t1]}
  x: {parents: [t1, z1], distribution: bernoulli}
recognition:
  d1: {parents: [x]}
  d2: {parents: [d1]}
  d3: {parents: [d2]}
  z3: {parents: [d3]}
  z2: {parents: [d2, t2]}
  z1: {parents: [d1, t1]}
"""

QUESTIONS = """
graphspec: 1
name: questions
plates:
  questions: {size: 6}
variables:
  answer: {role: observed, domain: category, classes: 5, plate: questions}
  group: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 3}
  w: {role: latent, domain: real, size: 2, plate: questions}
  e: {role: deterministic, size: 32, plate: questions}
generative:
  group: {}
  z: {parents: [group]}
  w: {}
  answer: {parents: [z, w, questions], network: {kind: linear, by: questions}}
recognition:
  e: {parents: [answer, questions]}
  group: {parents: [e@sum]}
  z: {parents: [e@sum, e@max, group]}
  w: {parents: [e, z, e@previous]}
"""

CORPUS = """
graphspec: 1
name: corpus
plates:
  sentences: {size: 4, ordered: true}
  words: {size: 6, inside: sentences, ordered: true}
  pictures: {size: 3}
variables:
  w: {role: observed, domain: category, classes: 50, plate: words}
  image: {role: observed, size: 8, plate: pictures}
  topic: {role: supervised, domain: category, classes: 5}
  style: {role: latent, domain: real, size: 4}
  s: {role: latent, domain: real, size: 3, plate: sentences}
  tag: {role: supervised, domain: category, classes: 7, plate: words}
  v: {role: latent, domain: real, size: 2, plate: pictures}
  e: {role: deterministic, size: 16, plate: words}
  g: {role: deterministic, size: 16, plate: pictures}
generative:
  topic: {}
  style: {}
  s: {parents: [topic]}
  tag: {parents: [s]}
  w: {parents: [tag, s, style]}
  v: {parents: [style, topic]}
  image: {parents: [v]}
recognition:
  e: {parents: [w, words]}
  g: {parents: [image, pictures]}
  topic: {parents: [e@mean, g@max]}
  style: {parents: [e@mean, g@mean]}
  tag: {parents: [e, e@previous, e@next, e@mean]}
  s: {parents: [e@mean, topic, tag@first]}
  v: {parents: [g, style]}
"""

ROLES = ("observed", "supervised", "latent", "deterministic")


def random_picture(seed: int) -> Picture:
    """Two DAGs on 1 to 15 nodes, most edges of q against those of p; a few nodes stand on one side only."""
    random = Random(seed)
    count = random.randint(1, 15)
    names = [random.choice((f"z{i}", f"digit_label_{i}", f"w_{i}", f"Wide{i}MMMM")) for i in range(count)]
    nodes = {name: Node(name, random.choice(ROLES), "") for name in names}
    share = random.uniform(0.5, 2.0) / max(count - 1, 1)
    down = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if random.random() < share]
    later = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if random.random() < share]
    up = [(b, a) for a, b in later]  # acyclic: every edge goes against the order of names
    touched = [{end for edge in edges for end in edge} for edges in (down, up)]
    alone = {name for name in names if all(name not in ends for ends in touched)}
    first = tuple(name for name in names if name in touched[0] or name in alone)
    second = tuple(name for name in names if name in touched[1])
    return Picture("random", "", nodes, (_panel("generative", first, down), _panel("recognition", second, up)))


def _panel(side, names: tuple[str, ...], edges: list[Edge]) -> Panel:
    return Panel(side, names, tuple(edges), ())
