"""Screening of a whole data set: every video decoded to its end, in child processes that can be killed."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from cpnet.data.decode import Backend, decode_frames
from cpnet.data.layouts import Video
from cpnet.data.quarantine import Problem
from cpnet.progress import progress_bar

CHUNK = 64  # frames decoded at once: bounds the memory of a child
START_SECONDS = 300.0  # for a child to import what it needs, on a busy machine


def check_videos(
    videos: Sequence[Video],
    root: Path,
    *,
    backend: Backend = "decord",
    jobs: int = 2,
    deadline: float = 60.0,
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
    children = [_Child(backend, deadline) for _ in range(min(jobs, len(videos)))]
    idle: SimpleQueue[_Child] = SimpleQueue()
    for child in children:
        idle.put(child)

    def screen(video: Video) -> Problem | None:
        child = idle.get()
        try:
            reason = child.screen(video.path)
        finally:
            idle.put(child)
        return Problem(video.id, str(video.path.relative_to(root)), reason) if reason else None

    try:
        with (
            ThreadPoolExecutor(max(1, len(children))) as pool,
            progress_bar(progress, total=len(videos), desc="videos", unit="video") as bar,
        ):
            problems = []
            for problem in pool.map(screen, videos):
                bar.update()
                problems.append(problem)
    finally:
        for child in children:
            child.kill()
    return [problem for problem in problems if problem is not None]


class _Child:
    """A process that decodes one video after another; it is started when needed, and after it died."""

    def __init__(self, backend: Backend, deadline: float) -> None:
        self.backend, self.deadline = backend, deadline
        self.process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection | None = None

    def screen(self, path: Path) -> str:
        """Why a video cannot be used; "" if it can."""
        if self.process is None:
            self._start()
        assert self.connection is not None and self.process is not None
        try:
            self.connection.send(path)
            if self.connection.poll(self.deadline):
                return self.connection.recv()
            reason = f"not decoded within {self.deadline:g} seconds"
        except (EOFError, OSError):
            self.process.join()
            reason = f"the decoder crashed, exit code {self.process.exitcode}"
        self.kill()
        return reason

    def kill(self) -> None:
        """End the process, even one that is stuck in C code."""
        if self.process is not None and self.connection is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
        self.process = self.connection = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # decoders do not survive a fork
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.backend), daemon=True)
        self.process.start()
        theirs.close()
        if not self.connection.poll(START_SECONDS):
            raise TimeoutError(f"a process for decoding did not start within {START_SECONDS:g} seconds")
        self.connection.recv()


def _serve(connection: Connection, backend: Backend) -> None:
    connection.send("ready")
    while True:
        try:
            path = connection.recv()
        except EOFError:
            return
        connection.send(_reason(path, backend))


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
