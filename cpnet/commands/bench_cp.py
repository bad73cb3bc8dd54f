"""python -m cpnet bench cp."""

from cpnet.bench import cp
from cpnet.bench.timing import show, start


def bench_cp(*, device: str = "cpu", repeats: int = 7, threads: int | None = None) -> None:
    """Time and memory of the CP module against the direct form of Eq. 1, of its search against matrix products alone.

    The search is timed beside cdist with topk and beside faiss (on the CPU, if installed: pip install faiss-cpu), too.

    Args:
        device: cpu or cuda.
        repeats: rounds of timings to take the median of.
        threads: CPU threads; torch's default number if none is given.
    """
    start(device, threads, repeats)
    show(cp.measure_modules(device, repeats))
    show(cp.measure_searches(device, repeats))
