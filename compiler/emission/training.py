"""The end of an emitted file: weights from a checkpoint, rows of data, a short training loop."""

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.objective_weights import scheduled
from compiler.emission.text import INDENT, docstring, number, statement
from graphspec.graphs.graph import Variable
from graphspec.language import Schedule

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}


def checkpoint_lines(renames: dict[str, str]) -> list[str]:
    """The table of names, and the functions that read a checkpoint by it."""
    lines = ["FROM_GRAPHSPEC = {"]
    for ours, theirs in renames.items():
        line = f'{INDENT}"{ours}": "{theirs}",'
        lines += [line] if len(line) <= 120 else [f'{INDENT}"{ours}": (', f'{INDENT * 2}"{theirs}"', f"{INDENT}),"]
    return [
        *lines,
        "}",
        '"""Layers and tensors of this file -> their names in a checkpoint of the compiled model."""',
        "",
        "",
        "def from_graphspec(state: dict[str, Tensor]) -> dict[str, Tensor]:",
        *docstring("A checkpoint of the compiled model as a `state_dict` of `Model`."),
        f"{INDENT}renamed = {{}}",
        f"{INDENT}for ours, theirs in FROM_GRAPHSPEC.items():",
        f"{INDENT * 2}for key, value in state.items():",
        f'{INDENT * 3}if key == theirs or key.startswith(theirs + "."):',
        f"{INDENT * 4}renamed[ours + key[len(theirs) :]] = value",
        f"{INDENT}return renamed",
        "",
        "",
        "def load_weights(model: Model, path: str) -> None:",
        *docstring("Weights from a run's checkpoints/best.safetensors (or a file of `torch.save`)."),
        f'{INDENT}if path.endswith(".safetensors"):',
        f"{INDENT * 2}from safetensors.torch import load_file",
        "",
        f"{INDENT * 2}state = load_file(path)",
        f"{INDENT}else:",
        f"{INDENT * 2}state = torch.load(path, weights_only=True)",
        f"{INDENT}model.load_state_dict(from_graphspec(state))",
    ]


def training_constants(plan: EmissionPlan) -> tuple[list[str], list[str]]:
    """Constants of the training loop; the learning rate as a function where it changes."""
    training = plan.graphs.spec.training
    remark = "rows without labels a step" if plan.graphs.supervised else ""
    constants = statement(f"SEED = {training.seed}", 0, "of initial weights and of draws")
    constants += statement(f"EPOCHS = {training.epochs}", 0) + statement(
        f"BATCH_SIZE = {training.batch_size}", 0, remark
    )
    if plan.graphs.supervised:
        size = training.labelled_batch_size or training.batch_size
        constants += statement(f"LABELLED_BATCH_SIZE = {size}", 0, "rows with a label a step")
    if isinstance(training.learning_rate, Schedule):
        return constants, ["", "", *scheduled("learning_rate", training.learning_rate, "step size of the optimizer")]
    return [*constants, *statement(f"LEARNING_RATE = {number(training.learning_rate)}", 0)], []


def data_lines(plan: EmissionPlan) -> list[str]:
    """`random_rows` and `read_rows`."""
    names = (*plan.graphs.observed, *plan.graphs.supervised)
    entries = [line for name in names for line in statement(f'"{name}": {_random(plan.graphs.variables[name])},', 2)]
    hidden = []
    for name in plan.graphs.supervised:
        variable = plan.graphs.variables[name]
        blank = "-1" if variable.discrete else "math.nan"
        hidden += statement(f'rows["{name}"][count // 10 :] = {blank}')
    listed = ", ".join(f'"{name}"' for name in names)
    some = ", a tenth of them with labels" if hidden else ""
    told = f"Rows of noise with the right shapes{some}: enough to see that everything runs."
    images = any(len(plan.graphs.variables[name].shape) == 3 for name in plan.graphs.observed)
    held = f"Rows from an .npz with the arrays {', '.join(names)}{'; images already in [0, 1]' if images else ''}."
    return [
        "def random_rows(count: int, generator: torch.Generator) -> dict[str, Tensor]:",
        *docstring(told),
        f"{INDENT}rows = {{",
        *entries,
        f"{INDENT}}}",
        *hidden,
        f"{INDENT}return rows",
        "",
        "",
        "def read_rows(path: str) -> dict[str, Tensor]:",
        *docstring(held),
        f"{INDENT}with np.load(path) as arrays:",
        *statement(f"names = [{listed}]", 2),
        f"{INDENT * 2}return {{name: torch.from_numpy(arrays[name]) for name in names}}",
    ]


def _random(variable: Variable) -> str:
    shape = f"({', '.join(['count', *map(str, variable.shape)])}{',' if not variable.shape else ''})"
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


def loop_lines(plan: EmissionPlan, extras: dict[str, str]) -> list[str]:
    """`train`."""
    training, supervised = plan.graphs.spec.training, bool(plan.graphs.supervised)
    scheduled_rate = isinstance(training.learning_rate, Schedule)
    rate = "learning_rate(0.0)" if scheduled_rate else "LEARNING_RATE"
    decay = f", weight_decay={training.weight_decay}" if training.weight_decay else ""
    given = ["model", "batch", "generator"]
    counts = {"data_rows": "count", "labelled_rows": "len(with_label)", "unlabelled_rows": "len(without)"}
    given += [f"{name}={'epoch' if name == 'epoch' else counts[name]}" for name in extras if name != "rho"]
    gamma = supervised and plan.graphs.spec.objective.gamma is not None
    given += ["rho=rho"] if gamma else []
    clip = training.gradient_clip
    step = [
        f"value = loss({', '.join(given)})",
        "optimizer.zero_grad()",
        "value.backward()",
        *([f"nn.utils.clip_grad_norm_(model.parameters(), {number(clip)})"] if clip else []),
        "optimizer.step()",
    ]
    return [
        "def train(model: Model, rows: dict[str, Tensor], generator: torch.Generator) -> None:",
        *docstring(_told(supervised)),
        *statement(f"optimizer = torch.optim.{OPTIMIZERS[training.optimizer]}(model.parameters(), lr={rate}{decay})"),
        *(_streams(gamma) if supervised else [*statement("count = len(next(iter(rows.values())))")]),
        f"{INDENT}for epoch in range(EPOCHS):",
        *([f"{INDENT * 2}for group in optimizer.param_groups:", f'{INDENT * 3}group["lr"] = learning_rate(epoch)']
          if scheduled_rate else []),
        *_batches(supervised),
        *(line for code in step for line in statement(code, 3)),
        f'{INDENT * 2}print(f"epoch {{epoch + 1}}: loss of the last batch {{value.item():.3f}}")',
    ]  # fmt: skip


def main_lines() -> list[str]:
    """What the file does when it is run."""
    return [
        'if __name__ == "__main__":',
        f"{INDENT}source = torch.Generator().manual_seed(SEED)",
        *statement("data = read_rows(sys.argv[1]) if len(sys.argv) > 1 else random_rows(1000, source)"),
        f"{INDENT}train(Model(), data, source)",
    ]


def _told(supervised: bool) -> str:
    if not supervised:
        return "An epoch is one pass over the rows."
    return "An epoch is one pass over the rows without labels; each step adds as many labelled rows, drawn anew."


def _streams(gamma: bool) -> list[str]:
    share = statement("rho = labelled_share(len(with_label), len(without))") if gamma else []
    return [
        *statement("has_label = labelled(rows)"),
        *statement("with_label, without = torch.nonzero(has_label).squeeze(1), torch.nonzero(~has_label).squeeze(1)"),
        *share,
    ]


def _batches(supervised: bool) -> list[str]:
    inner = INDENT * 2
    if not supervised:
        return [
            f"{inner}for at in torch.randperm(count, generator=generator).split(BATCH_SIZE):",
            f"{inner}    batch = {{name: values[at] for name, values in rows.items()}}",
        ]
    return [
        f"{inner}stream = without if len(without) else with_label",
        f"{inner}order = stream[torch.randperm(len(stream), generator=generator)]",
        f"{inner}for at in order.split(BATCH_SIZE):",
        f"{inner}    if len(without) and len(with_label):",
        f"{inner}        size = (min(LABELLED_BATCH_SIZE, len(with_label)),)",
        f"{inner}        at = torch.cat([at, with_label[torch.randint(len(with_label), size, generator=generator)]])",
        f"{inner}    batch = {{name: values[at] for name, values in rows.items()}}",
    ]
