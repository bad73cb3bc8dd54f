"""Screening of a whole data set: every video decoded to its end, in child processes that can be killed."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cpnet.data.decode import Reader
from cpnet.data.isolated import AT_ONCE, IsolatedDecoder
from cpnet.data.layouts import Video
from cpnet.data.quarantine import Problem
from cpnet.progress import progress_bar


def check_videos(videos: Sequence[Video], root: Path, read: IsolatedDecoder, *, jobs: int = 2) -> list[Problem]:
    """Decode every frame of every video; a decoder that hangs or crashes costs its process, not the check.

    Args:
        root: folder of the data set; paths of problems are relative to it.
        read: what decodes, `AT_ONCE` frames in a call, which bounds memory.
        jobs: number of processes side by side.

    Returns:
        The videos that failed, in the order of `videos`.

    Raises:
        ValueError: no process.
    """
    if jobs < 1:
        raise ValueError(f"jobs={jobs}: give at least one process")

    def screen(video: Video) -> Problem | None:
        reason = _reason(video.path, read.decode_in_child)
        return Problem(video.id, str(video.path.relative_to(root)), reason) if reason else None

    with ThreadPoolExecutor(jobs) as pool:  # each thread has a decoder of its own
        found = pool.map(screen, videos)
        bar = progress_bar(True, iterable=found, total=len(videos), desc="videos", unit="video")
        return [problem for problem in bar if problem is not None]


def _reason(path: Path, read: Reader) -> str:
    """Why not every frame of a video can be decoded; "" if every one can."""
    length = 0

    def first_chunk(n: int) -> range:
        nonlocal length
        length = n
        return range(min(AT_ONCE, n))

    try:
        read(path, first_chunk)
        for start in range(AT_ONCE, length, AT_ONCE):
            read(path, range(start, min(start + AT_ONCE, length)))
    except Exception as error:  # whatever a damaged file makes a decoder raise is the answer
        return str(error).removeprefix(f"{path}: ") or type(error).__name__
    return ""
