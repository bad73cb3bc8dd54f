"""Calls that run side by side in processes of their own, each with its share of the cores."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any

import torch

from cpnet.progress import progress_bar

Call = tuple[Any, ...]  # a function and its arguments

_line = 0


def line_of_worker() -> int:
    """Line of the progress bar of this process, below the count of calls; 0 where nothing runs side by side."""
    return _line


def run_side_by_side(calls: Sequence[Call], jobs: int, progress: bool, go_on: Callable[[], bool]) -> None:
    """Run `jobs` calls at a time, beginning none once `go_on` says no; those under way finish."""
    context = multiprocessing.get_context("spawn")
    lines = context.SimpleQueue()
    for line in range(1, jobs + 1):
        lines.put(line)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting = list(calls)
    with (
        ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(threads, lines)) as pool,
        progress_bar(progress, total=len(calls), desc="runs", unit="run") as bar,
    ):
        under_way: set[Future[None]] = set()
        while waiting or under_way:
            while waiting and len(under_way) < jobs and go_on():
                under_way.add(pool.submit(*waiting.pop(0)))
            if not under_way:
                return
            finished = next(as_completed(under_way))  # those under way finish, whatever becomes of others
            under_way.remove(finished)
            finished.result()
            bar.update()


def _start_worker(threads: int, lines: Any) -> None:
    global _line
    _line = lines.get()
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Whoever kills the command means its workers too; what they train goes on from its checkpoint next time."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
