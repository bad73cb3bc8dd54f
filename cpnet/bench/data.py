"""Training clips a second, by layout, backend and number of workers, beside decoding alone."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from cpnet.bench.timing import relative
from cpnet.data.clips import random_clip
from cpnet.data.decode import Backend
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import Dataset, Index
from cpnet.data.loader import training_batches
from cpnet.data.transforms import clip_generator
from cpnet.data.videos import TrainingClips

ALONE = "decoding alone"
HEIGHTS: dict[Dataset, int] = {"kinetics": 256, "something": 240, "jester": 100}  # of frames, as distributed
BACKENDS: dict[str, tuple[Backend, ...]] = {
    "kinetics": ("decord", "pyav"),
    "something": ("decord", "pyav"),
    "jester": ("decord",),  # which reads no folder of JPEG files: Pillow does
}


def measure_data(
    index: Index,
    clips: int,
    workers: Sequence[int],
    repeats: int,
    shape: tuple[int, int, int] = (8, 4, 112),
) -> pd.DataFrame:
    """Clips a second, from the first clip of an epoch on: the start of workers and decoders, seconds, is left out.

    Args:
        index: of videos to train on.
        clips: number of clips in an epoch.
        workers: numbers of loader processes.
        repeats: epochs to take the median of, after one that is not timed.
        shape: num_frames, frame_step and size of the clips.

    Returns:
        dataset, decoder, candidate ("decoding alone" or "2 workers"), clips/s, and those over decoding alone.
    """
    if clips < 2:
        raise ValueError(f"clips={clips}: give 2 or more, as time is taken from the first clip on")
    num_frames, frame_step, size = shape
    index = replace(index, videos=index.videos[:clips])
    frames = []
    for backend in BACKENDS[index.dataset]:
        read = IsolatedDecoder(backend)  # in a process of its own: decord and PyAV clash in one
        loaded = TrainingClips(index, num_frames=num_frames, frame_step=frame_step, size=size, read=read)
        epochs: dict[str, Callable[[int], Iterable[object]]] = {ALONE: partial(_decode, loaded)}
        epochs |= {f"{n} workers": partial(training_batches, loaded, 1, workers=n) for n in workers}
        decoder = "JPEG" if index.dataset == "jester" else backend
        frame = pd.DataFrame({"dataset": index.dataset, "decoder": decoder, "candidate": list(epochs)})
        frame["clips/s"] = [_rate(epoch, repeats) for epoch in epochs.values()]
        frames.append(relative(frame, ALONE, "clips/s"))
    return pd.concat(frames, ignore_index=True)


def _decode(clips: TrainingClips, epoch: int) -> Iterator[np.ndarray]:
    """Frames of a random clip of each video, and nothing else of what loading does."""
    generator = clip_generator(clips.seed, epoch, 0)
    choose = partial(random_clip, num_frames=clips.num_frames, frame_step=clips.frame_step, generator=generator)
    return (clips.read(video.path, choose) for video in clips.index.videos)


def _rate(epoch: Callable[[int], Iterable[object]], repeats: int) -> float:
    """Clips a second after the first one: median of epochs, of which the first is not timed."""
    rates = []
    for number in range(1 + repeats):
        ends = [time.perf_counter() for _ in epoch(number)]
        rates.append((len(ends) - 1) / (ends[-1] - ends[0]))
    return statistics.median(rates[1:])
