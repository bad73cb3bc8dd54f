"""Statistics of batch norms, computed anew from training clips."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def precise_batch_norm(model: nn.Module, batches: Iterable[Tensor], device: torch.device) -> None:
    """Replace running statistics by the average over `batches` of clips (B, 3, T, H, W), with the weights as they are.

    Moving averages mix statistics of weights that have changed since; with few or small batches that costs accuracy.

    Raises:
        ValueError: the batch norms are frozen.
    """
    if getattr(model, "frozen", False):
        raise ValueError("batch norms are frozen: compute precise statistics before `freeze_batch_norm`")
    torch.optim.swa_utils.update_bn(batches, model, device)
