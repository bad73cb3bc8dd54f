"""Writing videos, with the ffmpeg that imageio-ffmpeg ships, and folders of JPEG files."""

from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image


def write_mp4(path: Path, frames: np.ndarray, fps: float, crf: int = 10, options: tuple[str, ...] = ()) -> None:
    """Encode frames (T, H, W, 3), uint8 RGB with even H and W, as H.264, creating the folder.

    Args:
        crf: constant rate factor, 0 (lossless) to 51.
        options: further options of ffmpeg, such as ("-bf", "3").

    Raises:
        ValueError: frames of another type or shape.
    """
    _write(path, frames, fps, "libx264", ("-crf", str(crf), *options))


def write_webm(path: Path, frames: np.ndarray, fps: float, crf: int = 30) -> None:
    """Encode frames (T, H, W, 3) as VP9; arguments and errors as of `write_mp4`, `crf` up to 63."""
    _write(path, frames, fps, "libvpx-vp9", ("-crf", str(crf), "-b:v", "0", "-deadline", "realtime", "-cpu-used", "8"))


def write_jpegs(folder: Path, frames: np.ndarray) -> None:
    """Write frames (T, H, W, 3) as 00001.jpg, 00002.jpg, ... into a folder, creating it."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(folder / f"{i:05d}.jpg", quality=90)


def _write(path: Path, frames: np.ndarray, fps: float, codec: str, options: tuple[str, ...]) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(f"{path}: frames must be uint8 (T, H, W, 3), got {frames.dtype} {frames.shape}")
    H, W = frames.shape[1:3]
    if H % 2 or W % 2:
        raise ValueError(f"{path}: 4:2:0 video needs an even height and width, got {H}x{W}")
    path.parent.mkdir(parents=True, exist_ok=True)
    output = [*options, "-threads", "1"]
    writer = imageio_ffmpeg.write_frames(
        str(path), (W, H), fps=fps, codec=codec, quality=None, macro_block_size=1, output_params=output
    )
    writer.send(None)  # starts ffmpeg
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
