"""What all benchmarks share."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import torch

R = TypeVar("R")


def check_device(device: str) -> None:
    """Raise ValueError for a GPU that is not there."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device={device!r}: this machine has no GPU that torch can use")


def in_child(function: Callable[..., R], *arguments: object) -> R:
    """Call in a fresh process: what one candidate leaves in the allocator or the caches is not the next one's."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def median_seconds(call: Callable[[], object], repeats: int, device: str) -> float:
    """Of `repeats` calls, after one that is not timed."""
    call()
    seconds = []
    for _ in range(repeats):
        start = _now(device)
        call()
        seconds.append(_now(device) - start)
    return statistics.median(seconds)


def _now(device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()
