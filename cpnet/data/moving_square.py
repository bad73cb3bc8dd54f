"""The toy data of Section 4: a 2x2 white square moves left, right, up or down on a black canvas, 7 to 9 px a step."""

import hashlib
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

CLASSES = ("left", "right", "up", "down")
SQUARE = 2
STEPS = (7, 8, 9)
MAX_DRAWS = 1000  # for a validation clip that is not in the training split
NUM_CLIPS = {"train": 1000, "val": 200}

Placement = Literal["inside", "naive"]


class ToyMotion(Dataset[tuple[Tensor, int]]):
    """Clips of one split, balanced over `CLASSES`, deterministic from `seed` on any machine; no clip is in both splits.

    The square travels 21 to 27 of the 30 pixels it has, so it must start near an edge, and a convolution that sees the
    edge and the square at once can read the label off one frame. `placement="inside"` keeps the square at least
    `margin` pixels from every edge, redrawing steps until the travel fits; `placement="naive"` is `margin=0`.
    A margin of 3 leaves two 3x3 convolutions with zero padding nothing to read (tests/models/test_toy_nets.py).

    Args:
        split: "train" (1000 clips) or "val" (200).
        seed: seed of the whole data set, both splits.
        placement: "inside" or "naive", see above.
        margin: number of black pixels between the square and every edge, 0 to 4; only for `placement="inside"`.
        size, num_frames: canvas and clip length, 32 and 4 in the paper; less makes a miniature for quick checks.
    """

    def __init__(
        self,
        split: Literal["train", "val"] = "train",
        seed: int = 0,
        placement: Placement = "inside",
        margin: int = 3,
        size: int = 32,
        num_frames: int = 4,
    ) -> None:
        if split not in NUM_CLIPS:
            raise ValueError(f'split={split!r}: choose "train" or "val"')
        if placement not in ("inside", "naive"):
            raise ValueError(f'placement={placement!r}: choose "inside" or "naive"')
        margin = 0 if placement == "naive" else margin
        room, travel = size - SQUARE - 2 * margin, min(STEPS) * (num_frames - 1)
        if margin < 0 or num_frames < 2 or room < travel:
            raise ValueError(
                f"size={size}, num_frames={num_frames}, margin={margin}: the square has {room} pixels to travel, "
                f"but {num_frames - 1} steps take at least {travel}"
            )
        paths, labels = _draw(seed, room, margin, num_frames)
        first, count = (0 if split == "train" else NUM_CLIPS["train"]), NUM_CLIPS[split]
        self.paths, self.labels = paths[first : first + count], labels[first : first + count]
        self.frames = _render(self.paths, size)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Clip (3, T, H, W) float in [0, 1], and label."""
        clip = torch.from_numpy(self.frames[index]).permute(3, 0, 1, 2).float() / 255
        return clip, int(self.labels[index])

    def digest(self) -> str:
        """SHA-256 over frames and labels."""
        return hashlib.sha256(self.frames.tobytes() + self.labels.astype("<i8").tobytes()).hexdigest()


def _draw(seed: int, room: int, margin: int, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Top-left corners (clips, T, 2) as (row, column), and labels (clips,), train clips first."""
    rng = np.random.RandomState(seed)  # its stream is frozen across numpy versions
    count = sum(NUM_CLIPS.values())
    labels = np.arange(count) % len(CLASSES)  # any run of four clips is balanced
    seen: set[bytes] = set()
    paths = np.empty((count, num_frames, 2), dtype=np.int64)
    for i, label in enumerate(labels):
        for _ in range(MAX_DRAWS):
            path = _draw_path(rng, CLASSES[label], room, margin, num_frames)
            if i < NUM_CLIPS["train"] or path.tobytes() not in seen:
                break
        else:
            raise ValueError(
                f"every clip that fits is in the training split: give more room than {room} pixels (size, margin)"
            )
        seen.add(path.tobytes())
        paths[i] = path
    return paths, labels


def _draw_path(rng: np.random.RandomState, direction: str, room: int, margin: int, num_frames: int) -> np.ndarray:
    """Corners (T, 2) of a square that has `room` pixels to travel, `margin` from the edges."""
    steps = rng.choice(STEPS, num_frames - 1)
    while steps.sum() > room:
        steps = rng.choice(STEPS, num_frames - 1)
    start = rng.randint(room - steps.sum() + 1)
    along = start + np.concatenate([[0], steps.cumsum()])  # right or down
    if direction in ("left", "up"):
        along = room - along
    across = np.full(num_frames, rng.randint(room + 1))
    return margin + np.stack([across, along] if direction in ("left", "right") else [along, across], axis=1)


def _render(paths: np.ndarray, size: int) -> np.ndarray:
    """White squares at `paths` (clips, T, 2) on black: frames (clips, T, H, W, 3), uint8."""
    frames = np.zeros((*paths.shape[:2], size, size, 3), dtype=np.uint8)
    clip, t = np.indices(paths.shape[:2])
    for row in range(SQUARE):
        for column in range(SQUARE):
            frames[clip, t, paths[..., 0] + row, paths[..., 1] + column] = 255
    return frames
