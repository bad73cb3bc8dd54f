"""python -m cpnet bench train."""

from cpnet.bench import train
from cpnet.bench.timing import show, start


def bench_train(*, device: str = "cpu", repeats: int = 5, threads: int | None = None) -> None:
    """Time and memory of a training step with CP modules, with NL blocks at the same places, and with neither.

    Of ResNet-18, of single blocks at res3 and res4, and how both grow with the length of clips.

    Args:
        device: cpu or cuda.
        repeats: rounds of timings to take the median of.
        threads: CPU threads; torch's default number if none is given.
    """
    start(device, threads, repeats)
    for frame in train.measure_attention(device, repeats):
        show(frame)
