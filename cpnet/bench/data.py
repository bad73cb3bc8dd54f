"""Training clips a second, by layout, backend and number of workers, beside decoding alone."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cpnet.bench.timing import in_child
from cpnet.data.clips import random_clip
from cpnet.data.decode import Backend, decode_frames
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import Dataset, read_index
from cpnet.data.loader import training_batches
from cpnet.data.transforms import clip_generator
from cpnet.data.videos import TrainingClips
from cpnet.standins import render

HEIGHTS: dict[Dataset, int] = {"kinetics": 256, "something": 240, "jester": 100}  # as distributed
BACKENDS: dict[Dataset, tuple[Backend, ...]] = {
    "kinetics": ("decord", "pyav"),
    "something": ("decord", "pyav"),
    "jester": ("decord",),  # which reads no folder of JPEG files: Pillow does
}


def bench_data(
    roots: dict[Dataset, Path] | None = None,
    *,
    clips: int = 24,
    workers: Sequence[int] = (0, 1, 2),
    repeats: int = 3,
    shape: tuple[int, int, int] = (8, 4, 112),
    heights: dict[Dataset, int] = HEIGHTS,
) -> dict[tuple[str, str, str], float]:
    """Print clips a second, and return them by layout, backend and what was measured.

    Args:
        roots: data sets; stand-ins are rendered if None.
        clips: of each data set.
        workers: numbers of loader processes.
        repeats: epochs to take the median of, after one that is not timed.
        shape: num_frames, frame_step and size of the clips.
        heights: of the frames of stand-ins.
    """
    if clips < 2:
        raise ValueError(f"clips={clips}: give 2 or more, as time is taken from the first clip on")
    found: dict[tuple[str, str, str], float] = {}
    print(f"median of {repeats} epochs of {clips} clips of {shape[0]} frames, step {shape[1]}, {shape[2]}x{shape[2]}")
    print("from the first clip of an epoch on: the start of workers and decoders, seconds, is left out")
    print(f"{'':36}{'clips/s':>10}{'of decoding alone':>20}")
    with TemporaryDirectory() as folder:
        if roots is None:
            roots = {name: Path(folder, name) for name in heights}
            for name, root in roots.items():
                render(name, root, train=clips, val=0, size=heights[name], progress=False)
        for name, root in roots.items():
            for backend in BACKENDS[name]:
                title = "JPEG" if name == "jester" else backend
                for what, rate in in_child(_rates, name, root, backend, clips, tuple(workers), repeats, shape).items():
                    found[name, title, what] = rate
                    alone = rate / found[name, title, "decoding alone"]
                    print(f"{name:11}{title:8}{what:17}{rate:>10.1f}{alone:>19.2f}x", flush=True)
    return found


def _rates(
    name: Dataset,
    root: Path,
    backend: Backend,
    clips: int,
    workers: tuple[int, ...],
    repeats: int,
    shape: tuple[int, int, int],
) -> dict[str, float]:
    """Clips a second by what was measured, in a process of its own: a process should use one backend only."""
    num_frames, frame_step, size = shape
    index = read_index(name, root, "train")
    index.videos = index.videos[:clips]
    choose = partial(random_clip, num_frames=num_frames, frame_step=frame_step, generator=clip_generator(0, 0, 0))
    make = partial(TrainingClips, index, num_frames=num_frames, frame_step=frame_step, size=size)
    isolated = make(read=IsolatedDecoder(backend))
    epochs: dict[str, Callable[[int], Iterable[object]]] = {
        "decoding alone": lambda epoch: (decode_frames(video.path, choose, backend) for video in index.videos),
        **{f"{n} workers": partial(_epoch, isolated, n) for n in workers},
    }
    return {what: _rate(epoch, repeats) for what, epoch in epochs.items()}


def _epoch(clips: TrainingClips, workers: int, epoch: int) -> Iterable[object]:
    return training_batches(clips, 1, epoch, workers=workers)


def _rate(epoch: Callable[[int], Iterable[object]], repeats: int) -> float:
    """Clips a second after the first one: median of epochs, of which the first is not timed."""
    rates = []
    for number in range(1 + repeats):
        ends = [time.perf_counter() for _ in epoch(number)]
        rates.append((len(ends) - 1) / (ends[-1] - ends[0]))
    return statistics.median(rates[1:])
