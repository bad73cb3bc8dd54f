"""Writing videos, with the ffmpeg that imageio-ffmpeg ships."""

from pathlib import Path

import imageio_ffmpeg
import numpy as np


def write_mp4(path: Path, frames: np.ndarray, fps: float, crf: int = 10) -> None:
    """Encode frames (T, H, W, 3), uint8 RGB with even H and W, as H.264, creating the folder.

    Args:
        crf: constant rate factor, 0 (lossless) to 51.

    Raises:
        ValueError: frames of another type or shape.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(f"{path}: frames must be uint8 (T, H, W, 3), got {frames.dtype} {frames.shape}")
    H, W = frames.shape[1:3]
    if H % 2 or W % 2:
        raise ValueError(f"{path}: 4:2:0 video needs an even height and width, got {H}x{W}")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (W, H),
        fps=fps,
        codec="libx264",
        quality=None,
        macro_block_size=1,
        output_params=["-crf", str(crf), "-threads", "1"],
    )
    writer.send(None)  # starts ffmpeg
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
