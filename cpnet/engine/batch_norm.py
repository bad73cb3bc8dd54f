"""Statistics of batch norms, computed anew from training clips."""

from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn


def precise_batch_norm(model: nn.Module, batches: Iterable[Tensor], device: torch.device) -> None:
    """Replace running statistics by the average over `batches` of clips (B, 3, T, H, W), with the weights as they are.

    Moving averages mix statistics of weights that have changed since; with few or small batches that costs accuracy.

    Raises:
        ValueError: the batch norms are frozen, or there is no batch.
    """
    if any(getattr(module, "frozen", False) for module in model.modules()):
        raise ValueError("batch norms are frozen: compute precise statistics before `freeze_batch_norm`")
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        raise ValueError("no batch to compute statistics from")
    torch.optim.swa_utils.update_bn(chain([first], batches), model, device)
