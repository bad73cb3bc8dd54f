"""Files: a folder for one process at a time, whether something can be written, and writing it as a whole."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Inside, no other process is; the lock of a process that dies is gone with it, if the file system has locks.

    Raises:
        ValueError: another process has the lock, and this one is not to wait; the message names the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        if not wait:
            raise ValueError(
                f"another process is working in {folder}: wait for it, or give another folder (on a file system "
                f"without locks, a process that was killed has left {folder / LOCK}: delete it)"
            ) from None
        print(f"waiting for another process, which is working in {folder}", file=sys.stderr, flush=True)
        held = lock.acquire()
    with held:
        yield


def check_writable(path: Path) -> None:
    """Before long work: whether a file can be written there, creating the folders above it.

    Raises:
        ValueError: it cannot; the message says why.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError("it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror or error}): give another file") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it: readers see all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
