"""python -m cpnet bench models."""

from typing import Literal

from cpnet.bench.models import measure_models
from cpnet.bench.timing import show, start


def bench_models(
    *,
    device: str = "cpu",
    repeats: int = 5,
    threads: int | None = 1,
    compile: bool = False,
    depth: Literal[18, 34, 101] = 18,
    clips: tuple[int, int, int] = (16, 8, 48),
    width: int = 16,
    stem: Literal["224", "112", "112_no_pool"] = "112_no_pool",
) -> None:
    """Time of a training step of every family of networks, relative to C2D's.

    The defaults are those of runs on stand-ins at profile cpu. C2D is timed on Conv3d 1x3x3, too.

    Args:
        device: cpu or cuda.
        repeats: rounds of timings to take the median of.
        threads: CPU threads; torch's default number if None.
        compile: time C2D and CPNet compiled, too, which takes some minutes before.
        depth: depth of the ResNet.
        clips: number of clips in a step, frames of each, and their height and width.
        width: channels of conv1, 64 in the paper.
        stem: strides up to res2.
    """
    start(device, threads, repeats)
    show(measure_models(clips, device, repeats, compile, depth=depth, width=width, stem=stem))
