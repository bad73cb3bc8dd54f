"""Videos whose frames carry their number in black and white cells, as real files of several kinds."""

import numpy as np

from cpnet.standins.encode import write_jpegs, write_mp4, write_webm

CELL, BITS = 16, 8
LENGTH = 75  # frames


def numbered(length=LENGTH):
    """Frames whose number is written in black and white cells, least significant bit on the left."""
    bits = (np.arange(length)[:, None] >> np.arange(BITS)) & 1  # (T, BITS)
    rows = np.kron(bits, np.ones(CELL, dtype=int))[:, None, :, None] * 235 + 10  # (T, 1, W, 1)
    return np.broadcast_to(rows, (length, 2 * CELL, BITS * CELL, 3)).astype(np.uint8)


def numbers(frames):
    cells = frames.mean(3).reshape(len(frames), 2 * CELL, BITS, CELL).mean((1, 3)) > 128
    return (cells * (1 << np.arange(BITS))).sum(1).tolist()


WRITERS = {
    "b-frames.mp4": lambda path: write_mp4(path, numbered(), 25, options=("-bf", "3", "-g", "12")),
    "ntsc.mp4": lambda path: write_mp4(path, numbered(), 30000 / 1001, options=("-bf", "2", "-g", "250")),
    "slow.mp4": lambda path: write_mp4(path, numbered(), 7.3, options=("-bf", "0", "-g", "5")),
    "open-gop.mp4": lambda path: write_mp4(path, numbered(), 24, options=("-bf", "3", "-g", "10", "-flags", "-cgop")),
    "vp9.webm": lambda path: write_webm(path, numbered(), 12),
    "frames": lambda path: write_jpegs(path, numbered()),
}
