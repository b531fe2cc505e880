"""The end of an emitted file: weights from a checkpoint, rows of data, a short training loop."""

from collections.abc import Mapping

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.objective_weights import scheduled
from compiler.emission.text import block, docstring, remarked
from compiler.tensors.expression import Expression, text_of
from graphspec.graphs.graph import Variable
from graphspec.language import Schedule

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}

CHECKPOINT = '''
"""Layers and tensors of this file -> their names in a checkpoint of the compiled model."""


def from_graphspec(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of the compiled model as a `state_dict` of `Model`."""
    renamed = {}
    for ours, theirs in FROM_GRAPHSPEC.items():
        for key, value in state.items():
            if key == theirs or key.startswith(theirs + "."):
                renamed[ours + key[len(theirs) :]] = value
    return renamed


def load_weights(model: Model, path: str) -> None:
    """Weights from a run's checkpoints/best.safetensors (or a file of `torch.save`)."""
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        state = torch.load(path, weights_only=True)
    renamed = from_graphspec(state)
    if len(renamed) < len(state):
        raise ValueError(f"{path} has tensors that this file does not know: emit it beside the data")
    model.load_state_dict(renamed)
'''

STREAMS = """
has_label = labelled(rows)
with_label, without = torch.nonzero(has_label).squeeze(1), torch.nonzero(~has_label).squeeze(1)
"""
STREAM = """
stream = without if len(without) else with_label
order = stream[torch.randperm(len(stream), generator=generator)]
"""
WITH_LABELLED = """
if len(without) and len(with_label):
    size = (min(LABELLED_BATCH_SIZE, len(with_label)),)
    at = torch.cat([at, with_label[torch.randint(len(with_label), size, generator=generator)]])
"""

MAIN = """
if __name__ == "__main__":
    source = torch.Generator().manual_seed(SEED)
    data = read_rows(sys.argv[1]) if len(sys.argv) > 1 else random_rows(1000, source)
"""


def main_code(starts: bool) -> str:
    """The end of the file. starts: parts of the model start from runs."""
    begun = ("    fresh = Model()", "    begin(fresh)", "    train(fresh, data, source)")
    return MAIN + "\n".join(begun if starts else ("    train(Model(), data, source)",)) + "\n"


def checkpoint_code(renames: dict[str, str]) -> str:
    """The table of names, and the functions that read a checkpoint by it."""
    entries = "".join(f'"{ours}": "{theirs}", ' for ours, theirs in renames.items())
    return f"FROM_GRAPHSPEC = {{{entries}}}{CHECKPOINT}"


def training_constants(plan: EmissionPlan) -> tuple[list[str], list[str]]:
    """Constants of the training loop; the learning rate as a function where it changes."""
    training, supervised = plan.graphs.spec.training, plan.graphs.supervised
    constants = [
        remarked(f"SEED = {training.seed}", "of initial weights and of draws"),
        f"EPOCHS = {training.epochs}",
        remarked(f"BATCH_SIZE = {training.batch_size}", "rows without labels a step" if supervised else ""),
    ]
    if supervised:
        size = training.labelled_batch_size or training.batch_size
        constants.append(remarked(f"LABELLED_BATCH_SIZE = {size}", "rows with a label a step"))
    if isinstance(training.learning_rate, Schedule):
        return constants, [scheduled("learning_rate", training.learning_rate, "step size of the optimizer")]
    return [*constants, f"LEARNING_RATE = {training.learning_rate}"], []


def data_code(plan: EmissionPlan) -> list[str]:
    """`random_rows` and `read_rows`."""
    names = (*plan.graphs.observed, *plan.graphs.supervised)
    entries = "".join(f'"{name}": {_random(plan.graphs.variables[name])}, ' for name in names)
    hidden = [
        f'rows["{name}"][count // 10 :] = {"-1" if plan.graphs.variables[name].discrete else "math.nan"}'
        for name in plan.graphs.supervised
    ]
    some = ", a tenth of them with labels" if hidden else ""
    told = f"Rows of noise with the right shapes{some}: enough to see that everything runs."
    images = any(len(plan.graphs.variables[name].shape) == 3 for name in plan.graphs.observed)
    held = f"Rows from an .npz with the arrays {', '.join(names)}{'; images already in [0, 1]' if images else ''}."
    read = (f"names = {list(names)}", "return {name: torch.from_numpy(arrays[name]) for name in names}")
    return [
        block(
            "def random_rows(count: int, generator: torch.Generator) -> dict[str, Tensor]:",
            *(docstring(told), f"rows = {{{entries}}}", *hidden, "return rows"),
        ),
        block(
            "def read_rows(path: str) -> dict[str, Tensor]:",
            *(docstring(held), block("with np.load(path) as arrays:", *read)),
        ),
    ]


def _random(variable: Variable) -> str:
    shape = text_of((Expression("count"), *variable.row_shape))
    drawn = f"torch.rand({shape}, generator=generator)"
    normal = f"torch.randn({shape}, generator=generator)"
    match variable.domain:
        case "unit":
            return drawn
        case "positive":
            return f"{drawn} + 0.5"
        case "binary" | "category" | "count":
            low = variable.minimum
            high = low + (variable.support or 10)
            return f"torch.randint({low}, {high}, {shape}, generator=generator)"
        case "direction":
            return f"F.normalize({normal}, dim=1)"
        case "simplex":
            return f"torch.softmax({normal}, dim=1)"
        case _:
            return normal


def loop_code(plan: EmissionPlan, extras: dict[str, str], factors: Mapping[str, float]) -> list[str]:
    """`train`, and before it what it trains where networks have learning rates of their own. factors: of networks."""
    return [*([_groups_code(factors)] if factors else []), _loop_code(plan, extras, bool(factors))]


def _groups_code(factors: Mapping[str, float]) -> str:
    rates = ", ".join(f'"{path}": {factor}' for path, factor in factors.items())
    return "\n".join(
        (
            f"LEARNING_RATE_FACTORS = {{{rates}}}",
            block(
                "def parameter_groups(model: Model, rate: float) -> list[dict[str, Any]]:",
                docstring("Weights with their learning rates: `rate` times the factors of these networks."),
                "factors: dict[Tensor, float] = {}",
                block(
                    "for path, factor in LEARNING_RATE_FACTORS.items():",
                    "factors |= dict.fromkeys(model.get_submodule(path).parameters(), factor)",
                ),
                "groups: dict[float, list[Tensor]] = {}",
                block(
                    "for weight in model.parameters():",
                    "groups.setdefault(factors.get(weight, 1.0), []).append(weight)",
                ),
                'return [{"params": each, "factor": f, "lr": f * rate} for f, each in groups.items()]',
            ),
        )
    )


def _loop_code(plan: EmissionPlan, extras: dict[str, str], in_groups: bool) -> str:
    training, supervised = plan.graphs.spec.training, bool(plan.graphs.supervised)
    varies = isinstance(training.learning_rate, Schedule)
    gamma = supervised and plan.graphs.spec.objective.gamma is not None
    told = "An epoch is one pass over the rows."
    if supervised:
        told = "An epoch is one pass over the rows without labels; each step adds as many labelled rows, drawn anew."
    rate, decay = "learning_rate(0.0)" if varies else "LEARNING_RATE", f", weight_decay={training.weight_decay}"
    trained = f"parameter_groups(model, {rate})" if in_groups else f"model.parameters(), lr={rate}"
    optimizer = f"torch.optim.{OPTIMIZERS[training.optimizer]}({trained}"
    moved = ('group["factor"] * ' if in_groups else "") + "learning_rate(epoch)"
    given = ["model", "batch", "generator"]
    counts = {"epoch": "epoch", "data_rows": "count", "labelled_rows": "len(with_label)", "rho": "rho",
              "unlabelled_rows": "len(without)"}  # fmt: skip
    given += [f"{name}={counts[name]}" for name in dict.fromkeys((*extras, *(["rho"] if gamma else [])))]
    clip = f"nn.utils.clip_grad_norm_(model.parameters(), {training.gradient_clip})"
    batch = block(
        "for at in order.split(BATCH_SIZE):",
        *([WITH_LABELLED] if supervised else []),
        "batch = {name: values[at] for name, values in rows.items()}",
        f"value = loss({', '.join(given)})",
        "optimizer.zero_grad()",
        "value.backward()",
        *([clip] if training.gradient_clip else []),
        "optimizer.step()",
    )
    epoch = block(
        "for epoch in range(EPOCHS):",
        *([block("for group in optimizer.param_groups:", f'group["lr"] = {moved}')] if varies else []),
        STREAM if supervised else "order = torch.randperm(count, generator=generator)",
        batch,
        'print(f"epoch {epoch + 1}: loss of the last batch {value.item():.3f}")',
    )
    return block(
        "def train(model: Model, rows: dict[str, Tensor], generator: torch.Generator) -> None:",
        docstring(told),
        f"optimizer = {optimizer}{decay if training.weight_decay else ''})",
        STREAMS if supervised else "count = len(next(iter(rows.values())))",
        *(["rho = labelled_share(len(with_label), len(without))"] if gamma else []),
        epoch,
    )
