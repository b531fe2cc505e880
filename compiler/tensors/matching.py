"""Labels that are a set: which of them goes to which element of a plate."""

from itertools import permutations

import torch
from torch import Tensor


def turned_labels(value: Tensor, dim: int, by: int) -> Tensor:
    """Element i has what element i + by had, around the end."""
    return value.roll(-by, dim)


@torch.no_grad()
def best_assignment(*scores: Tensor, there: Tensor | None = None) -> Tensor:
    """[n, B]: the label (by its place) of each element, so that the sum of their scores is the largest.

    scores: [n, B] each, the s-th of element i with label i + s, around the end. there: [n, B] bool, elements that are
    there; their labels are the first as many. Of assignments as good as each other the first, in the order of
    `itertools.permutations`: labels that do not differ stay.
    """
    turns = torch.stack(torch.broadcast_tensors(*scores)[: scores[0].shape[0]])
    n = len(turns)
    elements = torch.arange(n, device=turns.device)
    labels = (elements[:, None] + elements) % n  # of each turn and element
    table = torch.empty_like(turns)  # [element, label, B]
    table[elements.expand(n, n), labels] = turns
    if there is not None:
        alike = there[:, None] == there
        table = torch.where(alike, torch.where(there, table, 0.0), -torch.inf)
    orders = torch.tensor(list(permutations(range(n))), device=turns.device)
    totals = table[elements, orders].sum(1)  # [orders, B]
    return orders[totals.argmax(0)].T


def assigned(value: Tensor, choice: Tensor, dim: int) -> Tensor:
    """Along a plate's dimension, each element with the label that it was given. choice: [n, B] places; value: the
    plate's dimension at `dim`, rows behind it."""
    lead = value.shape[: dim + 2]
    index = choice.reshape(*(1,) * dim, *choice.shape, *(1,) * (value.dim() - dim - 2))
    return value.gather(dim, index.expand(*lead[:dim], *choice.shape, *value.shape[dim + 2 :]))


def log_orders(like: Tensor, *labelled: Tensor, there: Tensor | None = None) -> Tensor:
    """[B] nats: log of how many ways there are to give the labels of a row to its elements, k! / (k - m)!.

    labelled: of each variable, what a row has a label of, [n, B, *shape] bool; m elements have a label of some of them,
    all where nothing is said. there: [n, B] bool, the k elements that are there; all, where it is None. like: a number
    of the type wanted.
    """
    masks = [mask.reshape(*mask.shape[:2], -1).any(-1) for mask in labelled]
    some = torch.stack(torch.broadcast_tensors(*masks)).any(0) if masks else there
    assert some is not None, "without masks and counts it is a number"
    there = torch.ones_like(some) if there is None else there
    count, given = there.sum(0).to(like), (there & some).sum(0).to(like)
    return (count + 1).lgamma() - (count - given + 1).lgamma()
