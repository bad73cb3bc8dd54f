"""Reading frames by number, from video files and from folders of JPEG files."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch  # noqa: F401, before decord: loaded after it, CUDA can hang
from PIL import Image

Backend = Literal["decord", "pyav"]
UNREADABLE = (FileNotFoundError, ValueError)  # what `decode_frames` raises for a damaged video
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# Frame numbers, or a function that gives them for a number of frames.
Indices = Sequence[int] | Callable[[int], Sequence[int]]
# Whatever is called as `decode_frames`.
Reader = Callable[[Path, Indices], np.ndarray]


def decode_frames(path: Path, indices: Indices, backend: Backend = "decord") -> np.ndarray:
    """Frames of a video by number, in the order asked for.

    A process should use one backend only: decord and PyAV ship two versions of FFmpeg, which can clash.

    Args:
        path: a video file, a folder of JPEG files 00001.jpg, 00002.jpg, ..., or an image, a video of one frame.
        indices: frame numbers from 0, in any order, repeats allowed; or a function of the number of frames.
        backend: what reads video files. PyAV reads more of them. decord 0.6 gives wrong frames at the very end of H.264
            with open groups of pictures (encoders close them by default).

    Returns:
        Frames (len(indices), H, W, 3), uint8 RGB.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: the video cannot be read, or has no frames; the message names it and says why.
        IndexError: an index outside the video; the message names both.
    """
    if not path.exists():
        raise FileNotFoundError(f"no video {path}")
    if path.is_dir():
        return _decode_folder(path, indices)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _decode_images([path], choose_frames(path, indices, 1))
    if backend not in ("decord", "pyav"):
        raise ValueError(f'backend={backend!r}: choose "decord" or "pyav"')
    return _decode_with_decord(path, indices) if backend == "decord" else _decode_with_pyav(path, indices)


def _decode_folder(path: Path, indices: Indices) -> np.ndarray:
    files = sorted(path.glob("*.jpg"))
    chosen = choose_frames(path, indices, len(files))
    expected = [f"{i:05d}.jpg" for i in range(1, len(files) + 1)]
    names = [file.name for file in files]
    if names != expected:
        wrong = next(name for name in expected if name not in names)
        raise ValueError(f"{path} has {len(files)} frames, but not {wrong}: fetch the video again")
    return _decode_images(files, chosen)


def _decode_images(files: Sequence[Path], chosen: Sequence[int]) -> np.ndarray:
    frames = {}
    for i in set(chosen):
        try:
            with Image.open(files[i]) as image:
                frames[i] = np.asarray(image.convert("RGB"))
        except OSError as error:
            raise ValueError(f"{files[i]} cannot be read: {error}") from error
    sizes = {frame.shape for frame in frames.values()}
    if len(sizes) > 1:
        raise ValueError(f"the frames of {files[0].parent} have different sizes: {sorted(sizes)}")
    return np.stack([frames[i] for i in chosen])


def _decode_with_decord(path: Path, indices: Indices) -> np.ndarray:
    import decord  # here and not above: importing it costs every program that decodes nothing

    try:
        # More threads fail on some webm files. Frames that decord replaces by their neighbours are errors.
        reader = decord.VideoReader(str(path), num_threads=1, fault_tol=0)
        chosen = choose_frames(path, indices, len(reader))
        return reader.get_batch(chosen).asnumpy()
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError) as error:
        why = re.sub(r"^\[[\d:]+\] \S+: ", "", str(error).splitlines()[0])  # without time and line of its source
        raise ValueError(f"decord cannot read {path}: {why}") from error


def _decode_with_pyav(path: Path, indices: Indices) -> np.ndarray:
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path} has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ValueError(f"{path} is in a format that PyAV cannot read")
            stream.codec_context.thread_count = 1
            packets = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.pts is not None and p.size]
            times = sorted(pts for pts, _ in packets)  # of presentation: B-frames are stored out of order
            keys = sorted(pts for pts, is_key in packets if is_key)
            chosen = choose_frames(path, indices, len(times))
            frames: dict[int, np.ndarray] = {}
            decoder: Iterator[av.VideoFrame] = iter(())
            now: int | None = None
            for i in sorted(set(chosen)):
                key = keys[max(0, bisect_right(keys, times[i]) - 1)] if keys else times[0]
                if now is None or key > now:
                    container.seek(key, stream=stream)
                    decoder = container.decode(stream)
                frame = next((f for f in decoder if f.pts is not None and f.pts >= times[i]), None)
                if frame is None or frame.pts != times[i]:
                    raise ValueError(f"PyAV cannot read {path}: frame {i} is damaged")
                now, frames[i] = frame.pts, frame.to_ndarray(format="rgb24")
            return np.stack([frames[i] for i in chosen])
    except av.FFmpegError as error:
        raise ValueError(f"PyAV cannot read {path}: {error}") from error


def choose_frames(path: Path, indices: Indices, length: int) -> list[int]:
    """Frame numbers of a video of `length` frames; errors as of `decode_frames`."""
    if length == 0:
        raise ValueError(f"{path} has no frames")
    chosen = list(indices(length) if callable(indices) else indices)
    outside = [index for index in chosen if not 0 <= index < length]
    if outside:
        raise IndexError(f"{path} has {length} frames, but frame {outside[0]} was asked for")
    return chosen
