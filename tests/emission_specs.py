"""Small specs that between them use every piece of emitted code."""

M2 = """
graphspec: 1
name: m2
variables:
  x: {{role: observed, domain: unit, shape: [1, 6, 6]}}
  y: {{role: supervised, domain: category, classes: 3}}
  z: {{role: latent, domain: real, size: 2}}
  h: {{role: deterministic}}
generative:
  y: {{}}
  z: {{}}
  x: {{parents: [y, z], {x}}}
recognition:
  h: {{parents: [x], network: {trunk}}}
  y: {{parents: [h], network: {{kind: linear}}}}
  z: {{parents: [h, y], network: {{kind: linear}}, {z}}}
objective: {objective}
"""
MLP = "{kind: mlp, hidden: [7], activation: tanh}"


def m2(
    x: str = "distribution: bernoulli", trunk: str = MLP, z: str = "stop_gradient: [h]", objective: str = "{}"
) -> str:
    """Kingma et al.'s M2 on tiny images."""
    if "network" not in x:
        x += f", network: {MLP}"
    return M2.format(x=x, trunk=trunk, z=z, objective=objective)


ARCHITECTURES = {
    "mlp, layer norm, dropout": m2(trunk="{kind: mlp, hidden: [6, 5], normalization: layer, dropout: 0.3}"),
    "mlp, batch norm": m2(trunk="{kind: mlp, hidden: [6, 5], activation: gelu, normalization: batch}"),
    "cnn, batch norm, dropout": m2(
        trunk="{kind: cnn, channels: [3, 4], kernel: 3, stride: 2, hidden: [5], normalization: batch, dropout: 0.2}"
    ),
    "cnn without hidden layers, layer norm": m2(
        trunk="{kind: cnn, channels: [3], kernel: 4, stride: 3, normalization: layer, activation: leaky_relu}"
    ),
    "deconv, cropped": m2(
        "distribution: normal, network: {kind: deconv, channels: [4, 3], kernel: 3, stride: 2, hidden: [5]}"
    ),
    "deconv, batch norm, dropout": m2(
        "distribution: bernoulli, "
        "network: {kind: deconv, channels: [4], kernel: 2, stride: 4, normalization: batch, dropout: 0.2}"
    ),
    "resnet down and up": m2(
        "distribution: {kind: discretized_logistic, levels: 16}, "
        "network: {kind: resnet, direction: up, channels: [4, 3], blocks: 1, hidden: [5], normalization: batch}, "
        "parameters: {scale: {learned: channel, minimum: 0.004}}",
        trunk="{kind: resnet, channels: [3, 5], blocks: 2, hidden: [6], normalization: layer, dropout: 0.1}",
    ),
}

FAMILIES = """
graphspec: 1
variables:
  a: {role: observed, domain: real, size: 3}
  b: {role: observed, domain: positive, size: 2}
  c: {role: observed, domain: unit, size: 2}
  d: {role: observed, domain: count, size: 4}
  e: {role: observed, domain: count, min: 1, max: 4}
  f: {role: observed, domain: simplex, shape: [3, 2]}
  g: {role: observed, domain: binary}
  k: {role: observed, domain: category, classes: 3, shape: [2]}
  l: {role: latent, domain: positive, size: 2}
  s: {role: latent, domain: simplex, size: 3}
  u: {role: latent, domain: unit, shape: []}
  v: {role: latent, domain: unit, size: 2}
  w: {role: latent, domain: real, size: 3}
  z: {role: latent, domain: positive, size: 2}
generative:
  l: {}
  s: {}
  u: {}
  v: {distribution: beta, parameters: {concentration1: 2, concentration0: learned}}
  w: {distribution: WIDE, parameters: {loc: [0.5, 0.0, -1.0], scale: 1.5}}
  z: {distribution: gamma, parameters: {concentration: 2, rate: {learned: variable, minimum: 0.1, maximum: 3}}}
  a: {parents: [w, l], distribution: FIRST}
  b: {parents: [z, u], distribution: gamma}
  c: {parents: [v, s], distribution: beta}
  d: {parents: [l, w], distribution: COUNTS}
  e: {parents: [s], distribution: ordered_logistic}
  f: {parents: [w]}
  g: {parents: [u]}
  k: {parents: [v, e]}
recognition:
  l: {parents: [a, b]}
  s: {parents: [e, f]}
  u: {parents: [c, g]}
  v: {parents: [c], distribution: beta}
  w: {parents: [a, d, k], distribution: WIDE_Q}
  z: {parents: [b], distribution: gamma}
networks: {default: {kind: mlp, hidden: [4], activation: softplus}}
"""


def families(first: str, counts: str, wide: str = "laplace", wide_q: str = "laplace") -> str:
    """Every family that a hidden or observed variable may have."""
    words = {"FIRST": first, "COUNTS": counts, "WIDE_Q": wide_q, "WIDE": wide}
    text = FAMILIES
    for word, family in words.items():
        text = text.replace(f"distribution: {word},", f"distribution: {family},").replace(
            f"distribution: {word}}}", f"distribution: {family}}}"
        )
    return text


ALL_FAMILIES = {
    "student_t, poisson": families("student_t", "poisson"),
    "laplace, negative_binomial": families("laplace", "negative_binomial", wide="normal"),
    "normal, zero-inflated poisson": families("normal", "zero_inflated_poisson", "normal", "student_t"),
    "zero-inflated negative binomial": families("normal", "zero_inflated_negative_binomial", "normal", "normal"),
}

RELAXED = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  c: {role: supervised, domain: count, min: 1, max: 3}
  k: {role: latent, domain: category, classes: 3, shape: [2]}
  b: {role: supervised, domain: binary, size: 2}
generative:
  c: {}
  k: {parents: [c]}
  b: {parents: [c], parameters: {probs: {learned: element, minimum: 0.1, maximum: 0.9}}}
  x: {parents: [b, c, k]}
recognition:
  c: {parents: [x]}
  k: {parents: [c, x]}
  b: {parents: [k]}
networks: {default: {kind: mlp, hidden: [4], activation: elu}}
objective:
  samples: 3
  estimators:
    c: {kind: relax, temperature: {from: 1, to: 0.5, epochs: 10}}
    k: {kind: relax, straight_through: HARD}
    b: {kind: relax, temperature: 0.8, straight_through: HARD}
  beta: {k: 2, c: 0.5}
  alpha: {c: 2, b: {from: 0, to: 3, begin: 2, epochs: 10, shape: cosine, cycles: 2}}
""".replace("parents: [c], parameters: {probs: {learned: element, minimum: 0.1, maximum: 0.9}}", "parents: [c]")

WEIGHTLESS = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 4, 5]}
  m: {role: observed, domain: real, shape: [2, 4, 5]}
  t: {role: observed, domain: real, size: 3}
  l: {role: latent, domain: real, size: 3}
  r: {role: latent, domain: real, shape: [1, 4, 5]}
  p: {role: latent, domain: real, size: 3}
  s: {role: latent, domain: real, shape: []}
  normals: {role: deterministic, domain: direction, shape: [3, 4, 5]}
  shading: {role: deterministic, shape: [1, 4, 5]}
  picture: {role: deterministic, shape: [1, 4, 5]}
  placed: {role: deterministic, shape: [1, 4, 5]}
  window: {role: deterministic, shape: [1, 3, 3]}
generative:
  l: {}
  r: {}
  p: {}
  s: {parameters: {loc: learned, scale: {learned: element, initial: 0.5, maximum: 2}}}
  normals: {parents: [l], network: {kind: mlp, hidden: [4], activation: silu}}
  shading: {parents: [l, normals], network: {kind: dot, minimum: 0}}
  picture: {parents: [r, shading], network: {kind: product}}
  placed: {parents: [picture, p], network: {kind: affine_write, image: picture, pose: p, side: [2, 4], reach: 1.5}}
  x:
    parents: [placed]
    distribution: normal
    network: {kind: identity}
    parameters: {scale: {learned: variable, minimum: 0.02}}
  m: {parents: [r, s], network: {kind: sum, maximum: 1}, parameters: {scale: learned}}
  t: {parents: [l], network: {kind: elementwise}}
recognition:
  window: {parents: [x, p], network: {kind: affine_read, image: x, pose: p, side: [2, 4], reach: 1.5}}
  p: {parents: [t]}
  l: {parents: [window, m]}
  r: {parents: [x, m], network: {kind: cnn, channels: [2, 3], kernel: 3, stride: 1, hidden: [4]}}
  s: {parents: [t, l]}
networks: {default: {kind: mlp, hidden: [5], activation: sigmoid}}
objective: {samples: 2}
"""

DIRECTIONS = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 4}
  l: {role: supervised, domain: direction, size: 3}
  d: {role: latent, domain: direction, shape: [2, 3]}
  e: {role: latent, domain: direction, size: 4}
generative:
  l: {}
  d: {parents: [l]}
  e: {parameters: {loc: learned, concentration: 3}}
  x: {parents: [l, d, e]}
recognition:
  l: {parents: [x]}
  d: {parents: [x, l]}
  e: {parents: [x, d]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {samples: 2}
"""

OWN_PARAMETERS = """
graphspec: 1
variables:
  x: {role: observed, domain: count, size: 5}
  batch: {role: observed, domain: category, classes: 3}
  total: {role: observed, domain: positive, size: 1}
  z: {role: latent, domain: real, size: 2}
  y: {role: supervised, domain: category, classes: 3}
  share: {role: deterministic, domain: simplex, size: 5}
generative:
  z: {}
  y: {parents: [z]}
  share: {parents: [z, batch], network: {kind: mlp, hidden: [6], dropout: 0.1}}
  x:
    parents: [share, total, batch]
    distribution: negative_binomial
    parameters:
      mean: {parents: [share, total], network: {kind: product}}
      dispersion: {parents: [batch], network: {kind: linear}}
recognition:
  z: {parents: [x, batch], network: {kind: mlp, hidden: [6], normalization: batch, dropout: 0.1}}
  y: {parents: [z]}
networks: {default: {kind: mlp, hidden: [6]}}
objective: {samples: 3, beta: {z: {from: 0.1, to: 1, epochs: 400, shape: exponential}}, gamma: 2, alpha: 5/rho}
"""

ODD_NAMES = (
    """
graphspec: 1
name: odd
description: 'odd """
    + '"' * 3
    + r""" \n names'
variables:
  lambda: {role: observed, domain: real, size: 2}
  model: {role: supervised, domain: category, classes: 2}
  log_p_model: {role: latent, domain: real, size: 2}
  model_given: {role: latent, domain: real, shape: []}
  hidden: {role: deterministic}
  generator: {role: deterministic, domain: positive, size: 2}
generative:
  model: {}
  log_p_model: {parents: [model]}
  model_given: {}
  generator: {parents: [log_p_model]}
  lambda: {parents: [generator, model_given]}
recognition:
  hidden: {parents: [lambda], network: default}
  log_p_model: {parents: [hidden]}
  model: {parents: [log_p_model, hidden]}
  model_given: {parents: [hidden, generator]}
networks: {default: {kind: mlp, hidden: [3]}}
objective: {samples: 2}
"""
)

LABELS = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  a: {role: supervised, domain: category, classes: 3}
  b: {role: supervised, domain: binary, size: 3}
  c: {role: supervised, domain: real, size: 2}
  z: {role: latent, domain: real, size: 2}
generative:
  a: {}
  b: {parents: [a]}
  c: {parents: [z]}
  z: {parents: [a]}
  x: {parents: [a, b, z]}
recognition:
  a: {parents: [x]}
  b: {parents: [x, a]}
  z: {parents: [x, b]}
  c: {parents: [z, a]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: OBJECTIVE
"""

SPLIT = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
generative:
  y: {}
  z: {}
  x: {parents: [y, z]}
recognition:
  y: {parents: [x]}
  z: {parents: [x, y]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: OBJECTIVE
"""

OWN_MODULE = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 4}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
generative:
  y: {}
  z: {}
  x:
    parents: [y, z]
    network: {kind: python, target: own_nets:Synth, args: {taps: 5, word: 'it''s'}}
    parameters: {scale: learned}
recognition:
  y: {parents: [x]}
  z: {parents: [x, y], network: {kind: python, target: own_nets:Both}}
networks: {default: {kind: mlp, hidden: [4]}}
"""

OWN_NETS = """
import torch
from torch import nn


class Synth(nn.Module):
    def __init__(self, inputs, outputs, taps, word):
        super().__init__()
        assert word == "it's"
        self.first = nn.Linear(inputs["y"][0] + inputs["z"][0], taps)
        self.last = nn.Linear(taps, outputs["loc"][0])

    def forward(self, y, z):
        return self.last(torch.tanh(self.first(torch.cat([y, z], -1))))


class Both(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.maps = nn.ModuleDict({name: nn.Linear(inputs["x"][0], shape[0]) for name, shape in outputs.items()})

    def forward(self, x, y):
        return {name: layer(x) + y.sum(-1, keepdim=True) for name, layer in self.maps.items()}
"""
