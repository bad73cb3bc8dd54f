"""Reading frames of a video file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch  # noqa: F401, before decord: loaded after it, CUDA can hang


def decode_frames(path: Path, indices: Sequence[int]) -> np.ndarray:
    """Frames of a video by number, in the order asked for.

    Args:
        path: any file that decord reads.
        indices: frame numbers from 0, in any order, repeats allowed.

    Returns:
        Frames (len(indices), H, W, 3), uint8 RGB.

    Raises:
        FileNotFoundError: no such file.
        ValueError: decord cannot read the file; the message names it and says why.
        IndexError: an index outside the video; the message names both.
    """
    import decord  # here and not above: importing it costs every program that decodes nothing

    if not path.is_file():
        raise FileNotFoundError(f"no video file {path}")
    try:
        reader = decord.VideoReader(str(path), num_threads=1)  # more threads fail on some webm files
        outside = [index for index in indices if not 0 <= index < len(reader)]
        if outside:
            raise IndexError(f"{path} has {len(reader)} frames, but frame {outside[0]} was asked for")
        return reader.get_batch(list(indices)).asnumpy()
    except (decord.DECORDError, RuntimeError) as error:
        raise ValueError(f"decord cannot read {path}: {str(error).splitlines()[0]}") from error
