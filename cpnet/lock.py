"""A folder that one process at a time may change."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process is; the lock of a process that dies is gone with it.

    Raises:
        ValueError: another process has the lock; the message names the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / NAME, blocking=False):
            yield
    except Timeout:
        raise ValueError(f"another process is working in {folder}: wait for it, or give another folder") from None
