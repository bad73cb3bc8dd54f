"""Files that several processes may read and write."""

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


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it: readers see all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
