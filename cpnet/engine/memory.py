"""Memory that training a module takes, counted rather than timed or sampled."""

import torch
from torch import Tensor, nn


def saved_for_backward(module: nn.Module, x: Tensor) -> int:
    """Bytes that the graph of `module(x)` keeps for the backward pass, each storage once, parameters left out."""
    kept = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    total = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal total
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in kept:
            kept.add(storage.data_ptr())
            alive.append(tensor)
            total += storage.nbytes()
        return tensor

    alive: list[Tensor] = []  # so that no address is used twice
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        module(x)
    return total
