"""`input_noise` and `input_dropout` as code: parents disturbed before a network reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import nn

from compiler.emission.writing import ClassText
from compiler.networks.layers import Disturbance


def inputs_of(module: nn.Module) -> Disturbance | None:
    """What disturbs a network's parents, if anything does."""
    found = next((child for child in module.modules() if isinstance(child, Disturbance)), None)
    return found if found is not None and (found.noise or found.rate) else None


@contextmanager
def disturbed_inputs(text: ClassText, inputs: Disturbance | None, prefix: str) -> Iterator[None]:
    """Within the block the class's entries are the parents as this network reads them in training.

    Raises SpecError (GS090) where a parent varies over more than the rows, or comes relaxed.
    """
    before = text.entries
    if inputs is not None and inputs.parents:
        if not text.single or any(before[name].hot for name in inputs.parents):
            raise text.refuse("input_noise or input_dropout on parents that are drawn or enumerated")
        text.noisy = True
        text.entries = {
            name: replace(entry, argument=_disturbed(text, inputs, entry.argument, len(entry.parent.shape), prefix))
            if name in inputs.parents
            else entry
            for name, entry in sorted(before.items(), key=lambda pair: pair[0])
        }
        text.entries = {name: text.entries[name] for name in before}
    yield
    text.entries = before


def _disturbed(text: ClassText, inputs: Disturbance, argument: str, dims: int, prefix: str) -> str:
    """Statements; the name of the disturbed value."""
    local = text.scope.fresh(f"noisy_{argument}")
    code = argument
    if inputs.noise:
        layer = text.own(f"{prefix}noise_{argument}", f"InputNoise({inputs.noise}, {dims})")
        code = f"{layer}({code}, lead, generator)"
    if inputs.rate:
        layer = text.own(f"{prefix}dropout_{argument}", f"Dropout({inputs.rate}, {dims})")
        code = f"{layer}({code}, lead, generator)"
    return text.assign(local, code)
