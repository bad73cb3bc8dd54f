"""Films and the same films backwards: whether scores tell them apart."""

from torch import Tensor

from cpnet.data.layouts import Index
from cpnet.standins.write import class_table


def partners_told_apart(scores: Tensor, index: Index) -> list[bool]:
    """Of each video of a class with a partner, whether its own class scores higher than the partner.

    The partner is the same film backwards: who does not see the order of frames is right about half of them.
    """
    if index.dataset == "images":
        return []
    partner = class_table(index.dataset)["partner, played backwards"].to_dict()  # type: ignore[arg-type]
    label = {name: i for i, name in enumerate(index.classes)}
    partners = [label.get(partner.get(name, "")) for name in index.classes]
    pairs = [(row, own, partners[own]) for row, own in zip(scores, index.labels(), strict=True)]
    return [bool(row[own] > row[other]) for row, own, other in pairs if other is not None]  # not if unreadable
