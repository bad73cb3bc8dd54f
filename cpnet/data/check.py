"""Screening of a whole data set: every video decoded to its end, in child processes that can be killed."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import cast

from cpnet.data.decode import Reader
from cpnet.data.isolated import AT_ONCE, IsolatedDecoder
from cpnet.data.layouts import Video
from cpnet.data.quarantine import Problem
from cpnet.progress import progress_bar


def check_videos(
    videos: Sequence[Video], root: Path, read: IsolatedDecoder, sound: Path, *, jobs: int = 2
) -> list[Problem]:
    """Decode every frame of every video; a decoder that hangs or crashes costs its process, not the check.

    Args:
        root: folder of the data set; paths of problems are relative to it.
        read: what decodes, `AT_ONCE` frames in a call, which bounds memory.
        sound: file of the paths found sound so far, a line each: a check that was stopped does not read them again.
        jobs: number of processes side by side.

    Returns:
        The videos that failed, in the order of `videos`.

    Raises:
        ValueError: no process, or what decodes is not installed.
        ChildProcessError, TimeoutError: what decodes does not start.
    """
    if jobs < 1:
        raise ValueError(f"jobs={jobs}: give at least one process")

    before, problems = set(sound.read_text().splitlines()) if sound.is_file() else set(), []

    def screen(video: Video) -> Problem:
        path = str(video.path.relative_to(root))
        return Problem(video.id, path, "" if path in before else _reason(video.path, read.decode_in_child))

    with (
        ThreadPoolExecutor(jobs) as pool,  # each thread has a decoder of its own
        closing(cast(Generator[Problem], pool.map(screen, videos))) as screened,  # an interrupt waits for no more
        sound.open("a") as file,
    ):
        for video in progress_bar(True, iterable=screened, total=len(videos), desc="videos", unit="video"):
            if video.reason:
                problems.append(video)
            elif video.path not in before:
                print(video.path, file=file, flush=True)
    return problems


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
    except (ChildProcessError, TimeoutError):  # no decoder has started
        raise
    except ImportError as error:
        raise ValueError(f"no video can be read: {error}") from error
    except Exception as error:  # whatever a damaged file makes a decoder raise is the answer
        return str(error).removeprefix(f"{path}: ") or type(error).__name__
    return ""
