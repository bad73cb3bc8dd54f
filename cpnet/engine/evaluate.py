"""Accuracy of a model on a data set."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


@dataclass(frozen=True)
class Evaluation:
    """Accuracy, in percent.

    Attributes:
        top1: over all scored clips.
        per_class: top-1 of the clips of each class, in label order.
        n_expected, n_scored: clips in the data set, and clips that got a score.
    """

    top1: float
    per_class: list[float]
    n_expected: int
    n_scored: int


@torch.no_grad()
def evaluate(model: nn.Module, dataset: Dataset, *, batch_size: int, device: torch.device) -> Evaluation:
    """Score every clip once, in evaluation mode, which the model is left in."""
    model.to(device).eval()
    logits, labels = [], []
    for clips, targets in DataLoader(dataset, batch_size):
        logits.append(model(clips.to(device)).cpu())  # (B, classes)
        labels.append(targets)
    scores, target = torch.cat(logits), torch.cat(labels)
    hit = scores.argmax(1) == target  # (clips,)
    per_class = [100 * hit[target == c].double().mean().item() for c in range(scores.shape[1])]
    return Evaluation(100 * hit.double().mean().item(), per_class, len(dataset), len(target))  # type: ignore[arg-type]
