"""Accuracy of a model on a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cpnet.data.loader import evaluation_batches
from cpnet.data.transforms import normalise
from cpnet.data.videos import EvaluationViews
from cpnet.engine.machine import Machine
from cpnet.progress import progress_bar

if TYPE_CHECKING:
    from accelerate import Accelerator

PIXELS_AT_ONCE = 2**24  # of the clips that a network sees together: 8 of 32 frames of 256x256


@dataclass(frozen=True)
class Evaluation:
    """Accuracy, in percent.

    Attributes:
        top1, top5: share of all expected clips or videos whose label has the highest score, or one of the five highest.
        right: of "val_top1" and "val_top5", which clips or videos those are, (N,) bool.
        per_class: top-1 of those of each class, in label order; NaN where there is none.
        n_expected, n_scored: how many the data set has, and how many got a score; the others count as errors.
    """

    top1: float
    top5: float
    right: dict[str, Tensor]
    per_class: list[float]
    n_expected: int
    n_scored: int


def accuracy(scores: Tensor, labels: Tensor | Sequence[int]) -> Evaluation:
    """Accuracy of scores (N, classes), where a row of NaN got no score, against labels (N,)."""
    labels = torch.as_tensor(labels)
    scored = ~scores.isnan().any(1)
    ranked = scores.nan_to_num().topk(min(5, scores.shape[1])).indices  # (N, 5)
    hits = (ranked == labels[:, None]) & scored[:, None]
    right = {"val_top1": hits[:, 0], "val_top5": hits.any(1)}
    top1, top5 = (100 * which.double() for which in right.values())
    per_class = [top1[labels == c].mean().item() for c in range(scores.shape[1])]
    n_scored = int(scored.count_nonzero())
    return Evaluation(top1.mean().item(), top5.mean().item(), right, per_class, len(labels), n_scored)


@torch.no_grad()
def evaluate(model: nn.Module, dataset: Dataset, *, batch_size: int, device: torch.device) -> Evaluation:
    """Score every clip of items (clip, label) once, in evaluation mode, which the model is left in."""
    model.to(device).eval()
    logits, labels = [], []
    for clips, targets in DataLoader(dataset, batch_size):
        logits.append(model(clips.to(device)).cpu())  # (B, classes)
        labels.append(targets)
    return accuracy(torch.cat(logits), torch.cat(labels))


@torch.no_grad()
def score_videos(
    model: nn.Module,
    views: EvaluationViews,
    machine: Machine,
    accelerator: Accelerator | None = None,
    *,
    batch_size: int = 1,
    clips_at_once: int = 32,
) -> Tensor:
    """Softmax averaged over all views of each video, in evaluation mode, which the model is left in.

    In mirrored views left and right are exchanged, where the data set has classes of both.

    Args:
        machine: processes that load videos, and the progress bar.
        accelerator: device, precision and processes; those of the machine, in float32, if None.
        batch_size: videos that are loaded together.
        clips_at_once: views that the network sees together, fewer of large ones; equal views of a batch are seen once.

    Returns:
        (videos, classes), float32 on the CPU, the same in all processes; NaN for videos that cannot be read.

    Raises:
        FloatingPointError: NaN of a video that can.
    """
    accelerator = accelerator or machine.accelerator()
    model.to(accelerator.device).eval()
    batches = evaluation_batches(
        views,
        batch_size,
        workers=machine.workers,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
    )
    found: list[tuple[int, Tensor]] = []
    show = machine.progress and accelerator.is_main_process
    with progress_bar(show, total=len(batches), desc="evaluating", position=machine.position, leave=False) as bar:
        for batch in batches:
            B, V = batch.views.shape[:2]
            # Short videos and square frames have many equal views: (U, 3, T, S, S), and for each view which, (B V,).
            distinct, which = batch.views.flatten(0, 1).unique(dim=0, return_inverse=True)
            fitting = max(1, PIXELS_AT_ONCE // distinct[0, 0].numel())
            chunks = distinct.split(min(clips_at_once, fitting))  # (at most clips_at_once, 3, T, S, S)
            with accelerator.autocast():
                logits = torch.cat([model(normalise(chunk.to(accelerator.device))) for chunk in chunks])
            scores = views.exchange(logits.float().softmax(1).cpu()[which].unflatten(0, (B, V))).mean(1)  # (B, classes)
            if scores[batch.readable].isnan().any():
                raise FloatingPointError("the network gives NaN for videos that are read: train in fp32, or slower")
            scores[~batch.readable] = float("nan")
            found += zip(batch.place.tolist(), map(Tensor.clone, scores), strict=True)  # not with all its batch
            bar.update()
    if accelerator.num_processes > 1:
        from accelerate.utils import gather_object  # here and not above: see `Machine.accelerator`

        found = gather_object(found)
    return torch.stack([scores for _, scores in sorted(found, key=lambda item: item[0])])
