"""Reading frames by number, from video files and from folders of JPEG files."""

import itertools
import math
import re
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

Backend = Literal["decord", "pyav"]
UNREADABLE = (FileNotFoundError, ValueError)  # what `decode_frames` raises for a damaged video
WITH_AN_INDEX = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")  # formats whose frames PyAV finds by their times
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# Frame numbers, or a function that gives them for a number of frames.
Indices = Sequence[int] | Callable[[int], Sequence[int]]
# Whatever is called as `decode_frames`.
Reader = Callable[[Path, Indices], np.ndarray]


def decode_frames(path: Path, indices: Indices, backend: Backend = "decord") -> np.ndarray:
    """Frames of a video by number, in the order asked for.

    A process should use one backend only: decord and PyAV ship two versions of FFmpeg, which can clash.
    `IsolatedDecoder` has a process for each, and gives decord only what it reads right.

    Args:
        path: a video file, a folder of JPEG files 00001.jpg, 00002.jpg, ..., or an image, a video of one frame.
        indices: frame numbers from 0, in any order, repeats allowed; or a function of the number of frames.
        backend: what reads video files. PyAV reads every file as a player shows it. decord misreads those of which
            `doubts` says why.

    Returns:
        Frames (len(indices), H, W, 3), uint8 RGB: those that a player shows, turned as it turns them.

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


def visible(path: Path) -> bool:
    """Whether a file or folder is not one that systems leave behind and hide, as macOS does ._00001.jpg."""
    return not path.name.startswith(".")


def _decode_folder(path: Path, indices: Indices) -> np.ndarray:
    names = [file.name for file in path.glob("*.jpg") if visible(file)]
    if not names:
        others = sorted(file.name for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and visible(file))
        if others:
            raise ValueError(f"{path} has {others[0]}, but frames are read from files *.jpg: rename or convert them")
    chosen = choose_frames(path, indices, len(names))
    frames, prefix, strange = _numbered(names)
    first = 0 if 0 in frames else 1
    gap = next((i for i in range(first, first + len(frames)) if i not in frames), None)
    shortest = frames[min(frames)] if frames else ""
    if strange:
        raise ValueError(f"{path} has {strange[0]} beside {len(frames)} frames named as {shortest}: remove it")
    if gap is not None:
        digits = len(shortest.removeprefix(prefix).removesuffix(".jpg"))
        raise ValueError(f"{path} has {len(names)} frames, but not {prefix}{gap:0{digits}d}.jpg: fetch the video again")
    return _decode_images([path / frames[first + i] for i in range(len(frames))], chosen)


def _numbered(names: Sequence[str]) -> tuple[dict[int, str], str, list[str]]:
    """Names of frames by number, what stands before it in most, and names that are not so."""
    parsed = {name: re.fullmatch(r"(.*?)(\d+)\.jpg", name) for name in sorted(names)}
    prefixes = Counter(match[1] for match in parsed.values() if match)
    prefix = prefixes.most_common(1)[0][0] if prefixes else ""
    frames = {int(match[2]): name for name, match in parsed.items() if match and match[1] == prefix}
    known = set(frames.values())
    return frames, prefix, [name for name in parsed if name not in known]


def _decode_images(files: Sequence[Path], chosen: Sequence[int]) -> np.ndarray:
    frames = {}
    for i in set(chosen):
        try:
            with Image.open(files[i]) as image:
                frames[i] = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError) as error:  # Pillow calls a broken PNG so
            raise ValueError(f"{files[i]} cannot be read: {error}") from error
    return _stacked(files[0].parent, frames, chosen)


def _stacked(path: Path, frames: dict[int, np.ndarray], chosen: Sequence[int]) -> np.ndarray:
    """(len(chosen), H, W, 3) of frames by number."""
    sizes = {frame.shape[:2] for frame in frames.values()}
    if len(sizes) > 1:
        raise ValueError(f"the frames of {path} have different heights and widths: {sorted(sizes)}")
    return np.stack([frames[i] for i in chosen])


def _decode_with_decord(path: Path, indices: Indices) -> np.ndarray:
    if "decord" not in sys.modules:
        import torch  # noqa: F401, before decord: loaded after it, CUDA can hang
    import decord

    try:
        # More threads fail on some webm files. Frames that decord replaces by their neighbours are errors.
        reader = decord.VideoReader(str(path), num_threads=1, fault_tol=0)
        chosen = choose_frames(path, indices, len(reader))
        once = sorted(set(chosen))  # to go back is to decode anew from a key frame on
        return reader.get_batch(once).asnumpy()[np.searchsorted(once, chosen)]
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError) as error:
        why = re.sub(r"^\[[\d:]+\] \S+: ", "", str(error).splitlines()[0])  # without time and line of its source
        raise ValueError(f"decord cannot read {path}: {why}") from error


def doubts(path: Path) -> str:
    """Why decord would give wrong frames of a video file without saying so; "" if it would not; decodes a frame."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        packets: list[Any] = [packet for packet in container.demux(stream) if packet.size]
        reason = _why_in_order(container, packets)
    if reason:
        return reason
    if round(np.linalg.det(_turn(next(_shown(path))))) != 1:
        return "it is to be shown mirrored, or turned by less than 90 degrees"
    key = -math.inf
    for pts, is_key in ((packet.pts, packet.is_keyframe) for packet in packets):  # in the order of decoding
        key = pts if is_key else key
        if pts < key:
            return "frames shown before a key frame need it (open groups of pictures)"
    return ""


def _why_in_order(container: Any, packets: Sequence[Any]) -> str:
    """Why frames cannot be found by their times; "" if they can."""
    if container.format.name not in WITH_AN_INDEX:
        return f"a file of format {container.format.name} has no index of its frames"
    if any(packet.is_discard for packet in packets):
        return "it has frames that no player shows, as cuts without encoding have"
    times = {packet.pts for packet in packets}
    return "its frames have no times" if None in times or len(times) < len(packets) else ""


def _decode_with_pyav(path: Path, indices: Indices) -> np.ndarray:
    import av

    try:
        with av.open(str(path)) as container:
            stream: Any = container.streams.best("video")
            if stream is None:
                raise ValueError(f"{path} has no video stream")
            if stream.codec_context is None:
                raise ValueError(f"{path} is in a format that PyAV cannot read")
            packets = [packet for packet in container.demux(stream) if packet.size]
            if _why_in_order(container, packets):
                return _decode_in_order(path, indices)
            stream.codec_context.thread_count = 1
            times = sorted(packet.pts for packet in packets if packet.pts is not None)  # B-frames are out of order
            keys = sorted(packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None)
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
                if frame is None or frame.pts != times[i]:  # no picture of its own, as before an intra refresh
                    return _decode_in_order(path, indices)
                if frame.is_corrupt:
                    raise ValueError(f"PyAV cannot read {path}: frame {i} is damaged")
                now, frames[i] = frame.pts, _upright(path, frame)
            return _stacked(path, frames, chosen)
    except av.FFmpegError as error:
        raise ValueError(f"PyAV cannot read {path}: {error}") from error


def _decode_in_order(path: Path, indices: Indices) -> np.ndarray:
    """Frames as they are decoded one after the other, which is as they are shown: for files whose times say nothing."""
    chosen = choose_frames(path, indices, sum(1 for _ in _shown(path)))
    wanted = set(chosen)
    shown = itertools.islice(_shown(path), max(wanted) + 1)
    frames = {i: _upright(path, frame) for i, frame in enumerate(shown) if i in wanted}
    return _stacked(path, frames, chosen)


def _shown(path: Path) -> Iterator[Any]:
    import av

    with av.open(str(path)) as container:
        stream: Any = container.streams.best("video")
        stream.codec_context.thread_count = 1
        for i, frame in enumerate(container.decode(stream)):
            if frame.is_corrupt:
                raise ValueError(f"PyAV cannot read {path}: frame {i} is damaged")
            yield frame


def _upright(path: Path, frame: Any) -> np.ndarray:
    """(H, W, 3) of a frame, turned and mirrored as a player does it."""
    ((a, b), (c, d)), image = _turn(frame), frame.to_ndarray(format="rgb24")
    if abs(a * d - b * c) != 1:
        raise ValueError(f"{path} is to be shown turned by {frame.rotation} degrees: encode it anew, upright")
    if a == 0:
        image, across, down = image.transpose(1, 0, 2), c, b
    else:
        across, down = a, d
    return np.ascontiguousarray(image[::down, ::across])


def _turn(frame: Any) -> np.ndarray:
    """((a, b), (c, d)), each -1, 0 or 1: what is at (x, y) of a frame is shown at (a x + c y, b x + d y)."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            matrix = np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]
            return (np.sign(matrix) * (abs(matrix) > abs(matrix).max() / 50)).astype(int)
    return np.eye(2, dtype=int)


def choose_frames(path: Path, indices: Indices, length: int) -> list[int]:
    """Frame numbers of a video of `length` frames; errors as of `decode_frames`."""
    if length == 0:
        raise ValueError(f"{path} has no frames")
    chosen = list(indices(length) if callable(indices) else indices)
    outside = [index for index in chosen if not 0 <= index < length]
    if outside:
        raise IndexError(f"{path} has {length} frames, but frame {outside[0]} was asked for")
    return chosen
