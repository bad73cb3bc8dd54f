"""Files: a folder for one process at a time, whether something can be written, and writing it as a whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process is; the lock of a process that dies is gone with it.

    Raises:
        ValueError: another process has the lock; the message names the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, blocking=False):
            yield
    except Timeout:
        raise ValueError(f"another process is working in {folder}: wait for it, or give another folder") from None


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
