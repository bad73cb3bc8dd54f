"""Screening of a whole data set: every video decoded to its end, in child processes that can be killed."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from cpnet.data.decode import Backend, decode_frames
from cpnet.data.isolated import DEADLINE, Child, DecoderDied, serve
from cpnet.data.layouts import Video
from cpnet.data.quarantine import Problem
from cpnet.progress import progress_bar

CHUNK = 64  # frames decoded at once: bounds the memory of a child


def check_videos(
    videos: Sequence[Video],
    root: Path,
    *,
    backend: Backend = "decord",
    jobs: int = 2,
    deadline: float = DEADLINE,
    progress: bool = True,
) -> list[Problem]:
    """Decode every frame of every video; a decoder that hangs or crashes costs its process, not the check.

    Args:
        root: of the data set; paths of problems are relative to it.
        backend: what reads video files, see `cpnet.data.decode`.
        jobs: processes side by side.
        deadline: seconds for one video. Then its process is killed, and another takes its place.

    Returns:
        The videos that failed, in the order of `videos`.

    Raises:
        ValueError: no process, or no time.
    """
    if jobs < 1 or deadline <= 0:
        raise ValueError(f"jobs={jobs}, deadline={deadline:g}: give at least one process, and more than 0 seconds")
    local = threading.local()

    def screen(video: Video) -> Problem | None:
        if not hasattr(local, "child"):
            local.child = Child(serve_reasons, backend)
        try:
            reason = local.child.ask(video.path, deadline)
        except DecoderDied as death:
            reason = str(death)
        return Problem(video.id, str(video.path.relative_to(root)), reason) if reason else None

    with (
        ThreadPoolExecutor(jobs) as pool,
        progress_bar(progress, total=len(videos), desc="videos", unit="video") as bar,
    ):
        problems = []
        for problem in pool.map(screen, videos):
            bar.update()
            problems.append(problem)
    return [problem for problem in problems if problem is not None]


def serve_reasons(connection: Connection, backend: Backend) -> None:
    """In a child: answer each path by why its video cannot be used, "" if it can."""
    serve(connection, lambda path: _reason(path, backend))


def _reason(path: Path, backend: Backend) -> str:
    """Why not every frame of a video can be decoded; "" if every one can."""
    length = 0

    def first_chunk(n: int) -> range:
        nonlocal length
        length = n
        return range(min(CHUNK, n))

    try:
        decode_frames(path, first_chunk, backend)
        for start in range(CHUNK, length, CHUNK):
            decode_frames(path, range(start, min(start + CHUNK, length)), backend)
    except Exception as error:  # whatever a damaged file makes a decoder raise is the answer
        return str(error) or type(error).__name__
    return ""
