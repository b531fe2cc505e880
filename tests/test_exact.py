"""Exact variables: the objective of any spec with them is a sum over every path written out."""

import pytest
import torch
from exact_twin import ExactTwin
from plate_twin import assert_written_out
from test_plates import ROWS, model_of
from test_ragged_plates import ragged_rows

HEAD = "graphspec: 1\nnetworks: {default: {kind: mlp, hidden: [3], activation: tanh}}\n"

SPECS = {
    "mixture": """
variables: {x: {role: observed, size: 2}, c: {role: supervised, domain: category, classes: 4}}
generative: {c: {parameters: {probs: learned}}, x: {parents: [c]}}
recognition: {c: exact}
objective: {alpha: 1.7}
""",
    "standard prior, two labels in the order written": """
variables:
  x: {role: observed, size: 2}
  u: {role: observed, domain: binary}
  c: {role: supervised, domain: category, classes: 3}
  d: {role: supervised, domain: binary}
generative: {c: {}, d: {parents: [c]}, x: {parents: [c, d]}, u: {parents: [d]}}
recognition: {d: exact, c: exact}
objective: {alpha: {c: 1.7, d: 0.4}}
""",
    "beside drawn, relaxed and summed variables": """
variables:
  x: {role: observed, size: 2}
  t: {role: supervised, size: 1}
  c: {role: supervised, domain: category, classes: 3}
  k: {role: latent, domain: category, classes: 2}
  r: {role: latent, domain: category, classes: 2}
  z: {role: latent, size: 2}
generative: {c: {}, k: {}, r: {}, z: {parents: [c]}, t: {parents: [z, c]}, x: {parents: [c, k, z, r]}}
recognition: {k: {parents: [x]}, c: exact, r: {parents: [x]}, z: {parents: [x, k]}, t: {parents: [x, z]}}
objective: {alpha: {c: 1.7, t: 0.4}, samples: 3, beta: {z: 1.3, k: 0.8}, estimators: {r: relax}}
""",
    "a mixture in every element": """
plates: {things: {size: 3}}
variables:
  x: {role: observed, size: 2, plate: things}
  c: {role: supervised, domain: category, classes: 3, plate: things}
  s: {role: latent, size: 1}
generative: {s: {}, c: {parents: [s]}, x: {parents: [c, s]}}
recognition: {s: {parents: [x@mean]}, c: exact}
objective: {alpha: 1.7, samples: 2}
""",
    "inside out": """
plates: {votes: {size: 2}, marks: {size: 2, inside: votes}}
variables:
  x: {role: observed, size: 2}
  v: {role: observed, domain: category, classes: 2, plate: votes}
  m: {role: observed, domain: binary, plate: marks}
  y: {role: supervised, domain: category, classes: 3}
  c: {role: supervised, domain: category, classes: 2, plate: votes}
  d: {role: latent, domain: binary, plate: marks}
generative: {y: {}, c: {parents: [y, votes]}, x: {parents: [y]}, v: {parents: [c, y]}, d: {}, m: {parents: [d, c]}}
recognition: {y: exact, c: exact, d: exact}
objective: {alpha: {y: 2, c: 0.7}}
""",
    "hidden markov": """
plates: {time: {size: 4, ordered: true}}
variables:
  x: {role: observed, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 3, plate: time}
generative: {c: {parents: [c@previous], network: {kind: linear}}, x: {parents: [c]}}
recognition: {c: exact}
objective: {alpha: 1.7}
""",
    "factorial, one read by both": """
plates: {time: {size: 3, ordered: true}}
variables:
  x: {role: observed, size: 2, plate: time}
  u: {role: observed, size: 1}
  a: {role: supervised, domain: category, classes: 3, plate: time}
  b: {role: latent, domain: binary, plate: time}
  e: {role: latent, domain: category, classes: 2, plate: time}
generative:
  a: {parents: [a@previous, u]}
  b: {parents: [b@previous, a@previous]}
  e: {parents: [a]}
  x: {parents: [a, b, e, b@previous]}
recognition: {a: exact, b: exact, e: exact}
objective: {alpha: 0.6}
""",
    "switching dynamics": """
plates: {time: {size: 3, ordered: true}}
variables:
  x: {role: observed, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 2, plate: time}
  z: {role: latent, size: 1, plate: time}
  k: {role: latent, domain: binary}
generative:
  k: {}
  c: {parents: [c@previous, k]}
  z: {parents: [c], network: {kind: linear, by: c}}
  x: {parents: [z, c]}
recognition: {k: {parents: [x@mean]}, z: {parents: [x, x@previous, k]}, c: exact}
objective: {alpha: 1.7, samples: 2, beta: {z: 0.7}}
""",
    "chains within chains": """
plates: {texts: {size: 2, ordered: true}, words: {size: 2, inside: texts, ordered: true}}
variables:
  x: {role: observed, size: 1, plate: words}
  c: {role: supervised, domain: category, classes: 2, plate: texts}
  d: {role: supervised, domain: category, classes: 2, plate: words}
generative: {c: {parents: [c@previous]}, d: {parents: [d@previous, c, c@previous]}, x: {parents: [d]}}
recognition: {c: exact, d: exact}
objective: {alpha: {c: 0.5, d: 2}}
""",
    "own latents": """
plates: {time: {size: 3, ordered: true}}
variables:
  x: {role: observed, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 3, plate: time}
  z: {role: latent, size: 2, plate: time}
  k: {role: latent, domain: binary, plate: time}
generative: {c: {parents: [c@previous]}, k: {parents: [c]}, z: {parents: [k]}, x: {parents: [c, z, k]}}
recognition: {c: exact, k: {parents: [x, c]}, z: {parents: [x, c, k]}}
objective: {alpha: 1.7, samples: 2, beta: {z: 1.2}, free_bits: {z: 0.3}}
""",
    "own latents beside drawn ones, beta of the sum": """
variables:
  x: {role: observed, size: 2}
  c: {role: supervised, domain: category, classes: 3}
  z: {role: latent, size: 2}
  s: {role: latent, size: 1}
generative: {c: {}, s: {}, z: {parents: [c]}, x: {parents: [c, z, s]}}
recognition: {s: {parents: [x]}, c: exact, z: {parents: [x, c, s]}}
objective: {alpha: 1.7, samples: 3, beta: {c: 2.5, z: 1.5}}
""",
    "chains of any lengths, within elements of which there are any": """
plates: {texts: {count: n, ordered: true}, words: {count: m, inside: texts, ordered: true}}
variables:
  n: {role: observed, domain: count, min: 0, max: 2}
  m: {role: observed, domain: count, min: 0, max: 3, plate: texts}
  x: {role: observed, size: 1, plate: words}
  c: {role: supervised, domain: category, classes: 2, plate: texts}
  d: {role: supervised, domain: category, classes: 2, plate: words}
generative: {c: {parents: [c@previous]}, d: {parents: [d@previous, c]}, x: {parents: [d]}}
recognition: {c: exact, d: exact}
objective: {alpha: {c: 0.5, d: 2}}
""",
    "own latents of as many elements as there are": """
plates: {time: {count: n, ordered: true}, votes: {count: v}}
variables:
  n: {role: observed, domain: count, min: 0, max: 3}
  v: {role: observed, domain: count, min: 0, max: 2}
  x: {role: observed, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 3, plate: time}
  z: {role: latent, size: 2, plate: time}
  y: {role: supervised, domain: binary, plate: votes}
  t: {role: observed, domain: binary, plate: votes}
generative: {c: {parents: [c@previous]}, z: {}, x: {parents: [c, z]}, y: {}, t: {parents: [y]}}
recognition: {c: exact, y: exact, z: {parents: [x, c]}}
objective: {alpha: 1.7, samples: 2, beta: {c: 2}}
""",
    "beta of a chain": """
plates: {time: {size: 4, ordered: true}}
variables:
  x: {role: observed, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 3, plate: time}
generative: {c: {parents: [c@previous]}, x: {parents: [c]}}
recognition: {c: exact}
objective: {alpha: 1.7, beta: {c: 2.5}}
""",
    "two labels of one sum, both weighing draws": """
variables:
  x: {role: observed, size: 2}
  c: {role: supervised, domain: category, classes: 3}
  d: {role: supervised, domain: binary}
  z: {role: latent, size: 1}
generative: {z: {}, c: {parents: [z]}, d: {parents: [c, z]}, x: {parents: [c, d, z]}}
recognition: {z: {parents: [x]}, c: exact, d: exact}
objective: {alpha: {c: 1.7, d: 0.4}, samples: 3}
""",
    "counts, labels of elements of the shape, two sums": """
variables:
  x: {role: observed, size: 2}
  n: {role: supervised, domain: count, min: 1, max: 3}
  b: {role: supervised, domain: binary, size: 2}
generative: {n: {}, b: {parents: []}, x: {parents: [b], network: {kind: linear}}}
recognition: {n: exact, b: exact}
objective: {alpha: 1.7}
""",
}


def rows_of_row(rows, row):
    return {name: values[row : row + 1] for name, values in rows.items()}


@pytest.mark.parametrize("name", SPECS)
def test_value_and_gradient_are_those_of_a_sum_over_every_path(name: str) -> None:
    """Labels on any elements, none, and all; within 1e-9, gradients within 1e-8."""
    model = model_of(HEAD + SPECS[name])
    rows = ragged_rows(model, ROWS + 1)
    assert_written_out(model, rows, SPECS[name], ExactTwin)


SCORED = """
plates: {t: {size: 3, ordered: true}}
variables:
  x: {role: observed, size: 2, plate: t}
  c: {role: supervised, domain: category, classes: 2, plate: t}
  s: {role: latent, domain: binary}
generative: {s: {}, c: {parents: [c@previous]}, x: {parents: [c, s]}}
recognition: {c: exact, s: {parents: [x@mean]}}
"""


def test_a_baseline_leaves_out_one_draw_beside_labels_that_are_held() -> None:
    """The score function of what a sum depends on: its gradient is that of the exact sum over s on the average, and
    labels held in the sum are held in the baseline too."""
    one = {"x": torch.tensor([[[0.4, -0.8], [1.1, 0.2], [-0.5, 0.9]]], dtype=torch.float64)}
    unlabelled = {"c": torch.full((1, 3), -1)}
    asked = ("{samples: 3, estimators: {s: score_function}}", "{estimators: {s: enumerate}}")
    drawn, summed = (model_of(f"{HEAD}{SCORED}objective: {how}\n") for how in asked)
    drawn.load_state_dict(summed.state_dict())
    many = {name: values.expand(5_000, *values.shape[1:]) for name, values in {**one, **unlabelled}.items()}
    torch.manual_seed(0)
    drawn.bound(many).mean().backward()
    summed.bound({**one, **unlabelled}).mean().backward()
    for name, weight in summed.named_parameters():
        torch.testing.assert_close(drawn.get_parameter(name).grad, weight.grad, atol=0.03, rtol=0.05)
    assert bool(drawn.bound({**one, "c": torch.tensor([[0, -1, 1]])}).isfinite().all())
