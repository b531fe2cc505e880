"""In an emitted file: weights of runs that parts of the model start from, and parts that stay as they are."""

from compiler.emission.emission_plan import EmissionPlan
from compiler.factors.earlier_names import names_in_run
from compiler.factors.factor_modules import FactorModule
from compiler.model.model import module_name
from graphspec.graphs.graph import SIDES

BEGIN = '''
"""Runs that parts of the model start from: each with its tensors -> their names in a checkpoint of this model."""


def begin(model: Model) -> None:
    """Weights of these runs, which are looked for from the working folder; parts named in FROZEN stay as they are."""
    from safetensors.torch import load_file

    for run, names in STARTS_FROM:
        state = load_file(f"{run}/checkpoints/best.safetensors")
        taken = from_graphspec({names[key]: value for key, value in state.items() if key in names})
        model.load_state_dict(taken, strict=False)
    for name in FROZEN:
        getattr(model, name).requires_grad_(False).eval()
'''


def starting_code(plan: EmissionPlan) -> str:
    """The runs and the function `begin`; "" where nothing starts from a run."""
    starts = plan.graphs.spec.training.initialize
    if not starts:
        return ""
    factors = {factor.key: factor for side in SIDES for factor in plan.graphs.factors(side).values()}
    runs: list[tuple[str, dict[str, str]]] = []
    for entry in starts:
        found: dict[str, str] = {}
        for key in entry.factors:
            name, there = module_name(factors[key]), entry.key_there(key).replace(".", "--")
            module = plan.model.factors[name]
            assert isinstance(module, FactorModule), "every factor is one"
            for own, other in names_in_run(module, entry).items():
                found[f"factors.{there}.{other}"] = f"factors.{name}.{own}"
        runs.append((entry.run, found))
    frozen = dict.fromkeys(key for entry in starts if entry.freeze for key in entry.factors)
    kept = [plan.attributes[key] for key in frozen if key in plan.attributes and plan.prior(factors[key]) is None]
    return f"FROZEN = {kept!r}\nSTARTS_FROM = {runs!r}{BEGIN}"
