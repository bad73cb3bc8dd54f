"""The toy data of Section 4: a 2x2 white square moves left, right, up or down on a black canvas, 7 to 9 px a step."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
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
Distractors = Literal["none", "alike", "unlike"]
Corner = tuple[int, int]  # row and column
COLOURS = {"alike": (255, 255, 255), "unlike": (255, 0, 0)}
NUM_DISTRACTORS = 2
APART = SQUARE + 5  # of corners: no 5x5 field sees two squares of a frame


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
        steps: pixels that the square may move in a step; one of them is drawn for each.
        distractors: with "alike" two more white squares, with "unlike" two red ones stand still, with five black pixels
            or more between any two squares, wherever the moving one is.
    """

    def __init__(
        self,
        split: Literal["train", "val"] = "train",
        seed: int = 0,
        placement: Placement = "inside",
        margin: int = 3,
        size: int = 32,
        num_frames: int = 4,
        steps: Sequence[int] = STEPS,
        distractors: Distractors = "none",
    ) -> None:
        if split not in NUM_CLIPS:
            raise ValueError(f'split={split!r}: choose "train" or "val"')
        if placement not in ("inside", "naive"):
            raise ValueError(f'placement={placement!r}: choose "inside" or "naive"')
        if distractors not in ("none", *COLOURS):
            raise ValueError(f'distractors={distractors!r}: choose "none", "alike" or "unlike"')
        if min(steps, default=0) < 1:
            raise ValueError(f"steps={steps!r}: give numbers of pixels, at least 1")
        margin = 0 if placement == "naive" else margin
        room, travel = size - SQUARE - 2 * margin, min(steps) * (num_frames - 1)
        if margin < 0 or num_frames < 2 or room < travel:
            raise ValueError(
                f"size={size}, num_frames={num_frames}, margin={margin}: the square has {room} pixels to travel, "
                f"but {num_frames - 1} steps take at least {travel}"
            )
        number = 0 if distractors == "none" else NUM_DISTRACTORS
        places, labels = _draw(seed, room, num_frames, tuple(steps), number, *NUM_CLIPS.values())
        chosen = slice(0, NUM_CLIPS["train"]) if split == "train" else slice(NUM_CLIPS["train"], None)
        self.paths, self.still = np.split(margin + places[chosen], [num_frames], axis=1)
        self.labels = labels[chosen].copy()  # what is drawn is kept for the other split
        self.frames = _render(self.paths, size)
        if number:
            _draw_squares(self.frames, self.still, COLOURS[distractors])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Clip (3, T, H, W) float in [0, 1], and label."""
        clip = torch.from_numpy(self.frames[index]).permute(3, 0, 1, 2).float() / 255
        return clip, int(self.labels[index])

    def digest(self) -> str:
        """SHA-256 over frames and labels."""
        return hashlib.sha256(self.frames.tobytes() + self.labels.astype("<i8").tobytes()).hexdigest()


@lru_cache(maxsize=1)  # the other split is often asked for next
def _draw(
    seed: int, room: int, num_frames: int, steps: tuple[int, ...], distractors: int, num_train: int, num_val: int
) -> tuple[np.ndarray, np.ndarray]:
    """Top-left corners (clips, T + distractors, 2) as (row, column), and labels (clips,), train clips first."""
    rng = np.random.RandomState(seed)  # its stream is frozen across numpy versions
    count = num_train + num_val
    labels = np.arange(count) % len(CLASSES)  # any run of four clips is balanced
    seen: set[bytes] = set()
    places = np.empty((count, num_frames + distractors, 2), dtype=np.int64)
    for i, label in enumerate(labels):
        for _ in range(MAX_DRAWS):
            path = _draw_path(rng, CLASSES[label], room, num_frames, steps)
            places[i, :num_frames] = path
            if distractors:
                places[i, num_frames:] = _draw_distractors(rng, path, room, distractors)
            if i < num_train or places[i].tobytes() not in seen:
                break
        else:
            raise ValueError(
                f"every clip that fits is in the training split: give more room than {room} pixels (size, margin)"
            )
        seen.add(places[i].tobytes())
    return places, labels


def _draw_path(
    rng: np.random.RandomState, direction: str, room: int, num_frames: int, choices: Sequence[int]
) -> list[Corner]:
    """T corners of a square that has `room` pixels to travel."""
    steps = [room + 1]
    while sum(steps) > room:
        steps = [choices[i] for i in rng.randint(len(choices), size=num_frames - 1)]
    start = rng.randint(room - sum(steps) + 1)
    along = list(accumulate(steps, initial=start))  # right or down
    if direction in ("left", "up"):
        along = [room - place for place in along]
    across = rng.randint(room + 1)
    return [(across, place) if direction in ("left", "right") else (place, across) for place in along]


def _draw_distractors(rng: np.random.RandomState, path: list[Corner], room: int, count: int) -> list[Corner]:
    """Corners of squares that stand still, apart from each other and from those of a path.

    Raises:
        ValueError: no place was found.
    """
    for _ in range(MAX_DRAWS):
        drawn = rng.randint(room + 1, size=(count, 2)).tolist()
        others = [[*path, *drawn[:i]] for i in range(count)]
        if all(
            max(abs(row - r), abs(column - c)) >= APART
            for (row, column), there in zip(drawn, others, strict=True)
            for r, c in there
        ):
            return drawn
    raise ValueError(f"{count} distractors do not fit: give more room than {room} pixels (size, margin)")


def _render(paths: np.ndarray, size: int) -> np.ndarray:
    """White squares at `paths` (clips, T, 2) on black: frames (clips, T, H, W, 3), uint8."""
    frames = np.zeros((*paths.shape[:2], size, size, 3), dtype=np.uint8)
    for t in range(paths.shape[1]):
        _draw_squares(frames[:, t : t + 1], paths[:, t : t + 1], COLOURS["alike"])
    return frames


def _draw_squares(frames: np.ndarray, places: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Squares with corners `places` (clips, n, 2) in every frame of `frames` (clips, T, H, W, 3)."""
    clip = np.arange(len(frames))[:, None]
    for row in range(SQUARE):
        for column in range(SQUARE):
            frames[clip, :, places[..., 0] + row, places[..., 1] + column] = colour
