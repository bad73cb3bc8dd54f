"""Batches of clips and of views: the same whatever the number of workers and of processes, and from any batch on."""

import torch
from torch.utils.data import DataLoader

from cpnet.data.transforms import clip_generator
from cpnet.data.videos import EvaluationViews, Sample, TrainingClips, Views


def training_batches(
    clips: TrainingClips,
    batch_size: int,
    epoch: int,
    *,
    start: int = 0,
    workers: int = 0,
    process: int = 0,
    processes: int = 1,
) -> DataLoader[Sample]:
    """Shuffled batches of one epoch; a rest that fills no batch is left out.

    Args:
        batch_size: number of clips in a batch, of all processes together.
        start: number of batches to leave out, to go on within an epoch.
        workers: number of processes that load clips side by side.
        process, processes: index of this process, and how many share each batch.

    Raises:
        ValueError: too few clips for a batch, or a batch that processes cannot share evenly.
    """
    if not 1 <= batch_size <= len(clips):
        raise ValueError(f"batch_size={batch_size}: give 1 to {len(clips)}, the number of videos")
    if batch_size % processes:
        raise ValueError(f"batch_size={batch_size} cannot be shared by {processes} processes: give a multiple")
    clips.set_epoch(epoch)
    order = torch.randperm(len(clips), generator=clip_generator(clips.seed, epoch, len(clips)))
    batches = order[: len(clips) // batch_size * batch_size].view(-1, processes, batch_size // processes)
    chosen = batches[start:, process].tolist()
    return DataLoader(clips, batch_sampler=chosen, num_workers=workers, pin_memory=torch.cuda.is_available())


def evaluation_batches(
    views: EvaluationViews, batch_size: int = 1, *, workers: int = 0, process: int = 0, processes: int = 1
) -> DataLoader[Views]:
    """Batches of all views of each video, in the order of the index; each video goes to one process.

    Args:
        batch_size: number of videos in a batch.
        workers, process, processes: as of `training_batches`.
    """
    mine = range(process, len(views), processes)
    chosen = [list(mine[i : i + batch_size]) for i in range(0, len(mine), batch_size)]
    ahead = 1 if workers else None  # views of a video can take hundreds of MB
    pin = torch.cuda.is_available()
    return DataLoader(views, batch_sampler=chosen, num_workers=workers, prefetch_factor=ahead, pin_memory=pin)
