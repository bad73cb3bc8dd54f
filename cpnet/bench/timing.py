"""What all benchmarks share."""

import ctypes
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch

R = TypeVar("R")

STATUS = Path("/proc/self/status")  # Linux


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


def peak_bytes(prepare: Callable[[], Callable[[], object]], device: str) -> float:
    """Most bytes that a call holds at once beyond those held before it; NaN where nobody counts.

    Use it in a fresh process, see `in_child`.

    Args:
        prepare: makes the call, and whatever is not to be counted.
        device: "cpu" or "cuda".
    """
    if device == "cpu" and STATUS.exists():
        M_MMAP_THRESHOLD = -3
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**16)  # glibc gives tensors back when they are freed
    call = prepare()
    before = _peak_memory(device, reset=True)
    call()
    return max(_peak_memory(device) - before, 4096.0)  # pages are the finest that is counted


def _now(device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _peak_memory(device: str, reset: bool = False) -> float:
    """Most bytes held so far by this process on `device`, after `reset` those held now; NaN where nobody counts."""
    if device != "cpu":
        if reset:
            torch.cuda.reset_peak_memory_stats(device)
        return float(torch.cuda.max_memory_allocated(device))
    if not STATUS.exists():
        return float("nan")
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (peak,) = [line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")]
    return 1024.0 * int(peak)
