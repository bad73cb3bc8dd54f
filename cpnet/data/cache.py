"""Decoded videos kept in memory or on disk, for data sets that fit."""

import hashlib
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from cpnet.data.decode import UNREADABLE, Indices, Reader, choose_frames
from cpnet.data.layouts import Video
from cpnet.progress import progress_bar

GIB = 2**30
LOCK = threading.Lock()  # for all caches: one of its own could not be sent to a spawned worker


class FrameCache:
    """Call it as `decode_frames`: a video is decoded as a whole once, and kept while there is room.

    What does not fit, and what cannot be decoded to its end, is read anew each time, so that a cache never changes what
    is returned.

    Args:
        read: decodes a video; must bear calls from several threads, as `IsolatedDecoder` does.
        max_gib: room for decoded frames, in GiB.
    """

    def __init__(self, read: Reader, max_gib: float = 4.0) -> None:
        self.read, self.room = read, int(max_gib * GIB)
        self.videos: dict[Path, np.ndarray] = {}  # (T, H, W, 3) each
        self.uncached: set[Path] = set()

    def __call__(self, path: Path, indices: Indices) -> np.ndarray:
        """Frames (T, H, W, 3) of a video; arguments and errors as of `decode_frames`."""
        frames = self._whole(path)
        if frames is None:
            return self.read(path, indices)
        return frames[choose_frames(path, indices, len(frames))]

    def fill(self, videos: Iterable[Video], jobs: int = 2, progress: bool = True) -> None:
        """Decode videos now: workers of a loader that are forked later share them.

        Args:
            jobs: threads that decode side by side.
        """
        paths = list(dict.fromkeys(video.path for video in videos))
        with ThreadPoolExecutor(jobs) as pool, progress_bar(progress, total=len(paths), desc="decoding") as bar:
            for _ in pool.map(self._whole, paths):
                bar.update()
        if self.uncached:
            print(
                f"{len(self.uncached)} of {len(paths)} videos do not fit into memory, or cannot be decoded to their end"
            )

    def _whole(self, path: Path) -> np.ndarray | None:
        """All frames of a video, or None if it is not in memory and will not be."""
        if path not in self.videos and path not in self.uncached:
            try:
                frames = self.read(path, range)
            except UNREADABLE:
                frames = None
            with LOCK:
                if frames is None or frames.nbytes > self.room:
                    self.uncached.add(path)
                elif path not in self.videos:
                    self.room -= frames.nbytes
                    self.videos[path] = frames
        return self.videos.get(path)


class DiskCache:
    """Call it as `decode_frames`: a video is decoded as a whole once, and kept as an array on disk.

    Processes that use the same folder share it, and its pages in memory. What cannot be decoded to its end is read anew
    each time, so that a cache never changes what is returned.

    Args:
        read: decodes a video.
        folder: of the arrays; a video is told by its path, size and time.
    """

    def __init__(self, read: Reader, folder: Path) -> None:
        self.read, self.folder = read, folder
        self.uncached: set[Path] = set()

    def __call__(self, path: Path, indices: Indices) -> np.ndarray:
        """Frames (T, H, W, 3) of a video; arguments and errors as of `decode_frames`."""
        if path in self.uncached or not path.exists():
            return self.read(path, indices)
        state = path.stat()
        key = f"{path.absolute()} {state.st_size} {state.st_mtime_ns}"
        file = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        frames = self._load(file)
        if frames is None:
            try:
                frames = self.read(path, range)
            except UNREADABLE:
                self.uncached.add(path)
                return self.read(path, indices)
            self._keep(frames, file)
        return np.asarray(frames[choose_frames(path, indices, len(frames))])

    def _load(self, file: Path) -> np.ndarray | None:
        """What is kept, if it is there and whole: a machine that lost power may have left part of it."""
        try:
            return np.load(file, mmap_mode="r")
        except FileNotFoundError:
            return None
        except (ValueError, EOFError, OSError):
            file.unlink(missing_ok=True)
            return None

    def _keep(self, frames: np.ndarray, file: Path) -> None:
        """Write as a whole or not at all: another process may read or write the same video."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        with unfinished.open("wb") as part:
            np.save(part, frames)
        unfinished.replace(file)
