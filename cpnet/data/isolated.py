"""Decoding in child processes: a decoder that hangs is killed, one that crashes is replaced."""

import math
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from cpnet.data.decode import IMAGE_SUFFIXES, Backend, Indices, decode_frames, doubts

DEADLINE, AT_ONCE = 60.0, 64  # seconds for so many frames
DOUBTS = "doubts"  # asks for `doubts` in place of frames
START_SECONDS = 300.0  # for a child to import what it needs, on a busy machine


class DecoderDied(Exception):
    """A child process crashed, or was killed at its deadline; the message says which."""


class Child:
    """A process that decodes; it is started when needed, and again after it died.

    It is no `multiprocessing.Process`, which workers of a `DataLoader` may not start.
    """

    def __init__(self, backend: Backend, keep: bool) -> None:
        self.backend, self.keep = backend, keep
        self.process: subprocess.Popen[bytes] | None = None
        self.connection: Connection | None = None
        self.owner = 0  # process that started the child
        self.end: weakref.finalize | None = None  # keeps process and connection, which must not be collected before

    def ask(self, message: object, deadline: float) -> Any:
        """Send a message and wait for the answer.

        Raises:
            DecoderDied: none came within `deadline` seconds, or the process died by itself.
        """
        if self.owner != os.getpid():  # after a fork, the child is our parent's
            self.kill()
        if self.process is None:
            self._start()
        assert self.process is not None and self.connection is not None
        answered = False
        try:
            self.connection.send(message)
            if not self.connection.poll(deadline):
                raise DecoderDied(f"not decoded within {deadline:g} seconds")
            answer = self.connection.recv()
            answered = True
            return answer
        except (EOFError, OSError) as error:
            raise DecoderDied(f"the decoder crashed, exit code {self.process.wait()}") from error
        finally:
            if not answered:  # an interrupt too: a late answer must not be taken for the next one
                self.kill()

    def kill(self) -> None:
        """End the process, even one that is stuck in C code."""
        if self.end is not None:
            self.end()
        self.process = self.connection = self.end = None

    def _start(self) -> None:
        self.connection, theirs = Pipe()
        call = f"from cpnet.data.isolated import serve; serve({theirs.fileno()}, {self.backend!r}, {self.keep})"
        self.process = subprocess.Popen(
            [sys.executable, "-c", call],
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        )
        self.owner = os.getpid()
        self.end = weakref.finalize(self, _end, self.process, self.connection, self.owner)
        theirs.close()
        if not self.connection.poll(START_SECONDS):
            self.kill()
            raise TimeoutError(f"a process for decoding did not start within {START_SECONDS:g} seconds")
        try:
            self.connection.recv()
        except EOFError as error:
            code = self.process.wait()
            self.kill()
            raise ChildProcessError(f"a process for decoding did not start, exit code {code}") from error


def _end(process: subprocess.Popen[bytes], connection: Connection, owner: int) -> None:
    if owner == os.getpid():
        process.kill()
        process.wait()
    else:
        process.returncode = 0  # not ours to wait for
    connection.close()


class IsolatedDecoder:
    """Call it as `decode_frames`: it decodes video files in a child process, one for each thread and worker that calls.

    decord is given what it reads right: what it refuses, or would misread, PyAV reads in a child of its own. No second
    decoder tries a video at which one hangs or crashes.

    Args:
        backend: what reads video files, see `cpnet.data.decode`.
        deadline: seconds for each 64 frames of a call, or fewer. Then its process is killed, and the video counts as
            one that cannot be read.
        keep: give the frames that are asked for; without, they are decoded, and none of them is given.

    Attributes:
        by_pyav: videos that PyAV has read in place of decord, and why.
    """

    def __init__(self, backend: Backend = "decord", deadline: float = DEADLINE, keep: bool = True) -> None:
        if deadline <= 0:
            raise ValueError(f"deadline={deadline:g}: give more than 0 seconds")
        self.backend, self.deadline, self.keep = backend, deadline, keep
        self.children = threading.local()
        self.by_pyav: dict[Path, str] = {}
        self.trusted: set[Path] = set()

    def __call__(self, path: Path, indices: Indices) -> np.ndarray:
        """Frames (T, H, W, 3) of a video; arguments and errors as of `decode_frames`.

        A function that gives frame numbers may be called more than once, with other lengths.
        """
        if _of_images(path):  # Pillow neither hangs nor crashes
            return decode_frames(path, indices)
        return self.decode_in_child(path, indices)

    def decode_in_child(self, path: Path, indices: Indices) -> np.ndarray:
        """As a call, but frames of folders and images too are decoded in the child process."""
        try:
            if self.backend == "pyav" or _of_images(path):
                return self._ask(self.backend, path, indices)
            reason = self._why_not_decord(path)
            if not reason:
                try:
                    return self._ask("decord", path, indices)
                except ValueError as error:
                    reason = str(error)
            frames = self._instead(path, indices, reason)
            self.by_pyav[path] = reason
            return frames
        except DecoderDied as error:
            raise ValueError(f"{path}: {error}") from error

    def _why_not_decord(self, path: Path) -> str:
        if path not in self.by_pyav and path not in self.trusted:
            reason = self._child("pyav").ask((path, DOUBTS), self.deadline)
            if reason:
                return f"decord would misread it: {reason}"
            self.trusted.add(path)
        return self.by_pyav.get(path, "")

    def _instead(self, path: Path, indices: Indices, reason: str) -> np.ndarray:
        try:
            return self._ask("pyav", path, indices)
        except ValueError as error:
            raise ValueError(f"{reason}; {error}") from error

    def _child(self, backend: Backend) -> Child:
        children = self.children.__dict__  # those of this thread
        if backend not in children:
            children[backend] = Child(backend, self.keep)
        return children[backend]

    def _ask(self, backend: Backend, path: Path, indices: Indices) -> np.ndarray:
        child, chosen = self._child(backend), None if callable(indices) else list(indices)
        distinct = chosen and sorted(set(chosen))  # views share frames, which are decoded and sent once
        try:
            answer = child.ask((path, distinct), self._seconds(distinct or ()))
            while isinstance(answer, int):  # a length: frames are chosen here, where the caller's random draws are
                assert callable(indices)
                chosen = list(indices(answer))
                distinct = sorted(set(chosen))
                answer = child.ask(distinct, self._seconds(distinct))
        except BaseException:
            child.kill()  # it waits for frame numbers
            raise
        if isinstance(answer, Exception):
            raise answer
        if not self.keep or chosen == distinct:
            return answer
        assert chosen is not None and distinct is not None
        return answer[np.searchsorted(distinct, chosen)]

    def _seconds(self, distinct: Sequence[int]) -> float:
        return self.deadline * max(1, math.ceil(len(distinct) / AT_ONCE))

    def __reduce__(self) -> tuple[Any, ...]:
        return IsolatedDecoder, (self.backend, self.deadline, self.keep)  # a copy starts children of its own


def _of_images(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES


def serve(descriptor: int, backend: Backend, keep: bool) -> None:
    """In a child: answer a path and frame numbers, or None and numbers when asked, by frames or an exception.

    Without `keep` they are decoded, and none is sent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its parent, which says so
    connection = Connection(descriptor)

    def choose(length: int) -> list[int]:
        connection.send(length)
        return connection.recv()

    with suppress(ImportError):  # an answer will say so
        # Before the first deadline begins, and without torch, which weighs 190 MiB.
        import_module("av" if backend == "pyav" else backend)
    connection.send("ready")
    while True:
        try:
            path, indices = connection.recv()
        except EOFError:  # the parent is gone
            return
        try:
            answer = _answer(path, choose if indices is None else indices, backend, keep)
        except Exception as error:
            answer = error
        connection.send(answer)


def _answer(path: Path, indices: Any, backend: Backend, keep: bool) -> np.ndarray | str | Exception:
    if indices != DOUBTS:
        frames = decode_frames(path, indices, backend)
        return frames if keep else frames[:0]
    try:
        return doubts(path)
    except Exception:  # whoever decodes it says what is wrong
        return ""
