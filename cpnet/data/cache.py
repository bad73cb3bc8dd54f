"""Decoded videos kept on disk, for data sets that fit."""

import hashlib
import io
from pathlib import Path

import numpy as np

from cpnet.data.decode import UNREADABLE, Indices, Reader, choose_frames
from cpnet.files import write_atomically


class DiskCache:
    """Call it as `decode_frames`: a video is decoded as a whole once, and kept as an array on disk.

    Processes that use the same folder share it, and its pages in memory. What cannot be decoded to its end is read anew
    each time, so that a cache never changes what is returned.

    Args:
        read: what decodes a video.
        folder: where the arrays are; a video is told by its path, size and time.
    """

    def __init__(self, read: Reader, folder: Path) -> None:
        self.read, self.folder = read, folder
        self.uncached: set[Path] = set()

    def __call__(self, path: Path, indices: Indices) -> np.ndarray:
        """Frames (T, H, W, 3) of a video; arguments and errors as of `decode_frames`."""
        if path in self.uncached or not path.exists():
            return self.read(path, indices)
        state = path.stat()
        key = f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"
        file = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        try:
            frames = np.load(file, mmap_mode="r")
        except (OSError, ValueError, EOFError):  # not there, or not whole
            try:
                frames = self.read(path, range)
            except UNREADABLE:
                self.uncached.add(path)
                return self.read(path, indices)
            array = io.BytesIO()
            np.save(array, frames)
            write_atomically(file, array.getvalue())  # another process may read or write the same video
        return np.asarray(frames[choose_frames(path, indices, len(frames))])
