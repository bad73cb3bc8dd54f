"""Which frames of a video make a clip, and which crops of them make the views of a test (the released code's rules)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from cpnet.choices import check_choice

NUM_CROPS = (1, 3, 5, 6, 8, 10)

# A clip of T frames at step s is given T * s frames of a video by the released code, though it shows the first of each
# step only: it sees beginnings more than ends. A symmetric one is given what it shows, (T - 1) * s + 1 frames.
ClipRule = Literal["released", "symmetric"]


class Crop(NamedTuple):
    """A square of a frame in pixels, and whether it is mirrored."""

    top: int
    left: int
    size: int
    mirrored: bool = False


def random_clip(
    length: int, num_frames: int, frame_step: int, generator: torch.Generator, rule: ClipRule = "released"
) -> list[int]:
    """Frames of a training clip: a start drawn uniformly from where the clip fits, then every `frame_step`-th frame.

    Args:
        length: number of frames of the video.
        num_frames: number T of frames of the clip.
        frame_step: distance of neighbouring frames.
        generator: source of the random draw.
        rule: how long a clip is, see `ClipRule`.

    Raises:
        ValueError: an argument below 1.
    """
    slack = _slack(length, num_frames, frame_step, rule)
    start = int(torch.randint(slack + 1, (), generator=generator))
    return _frames(start, length, num_frames, frame_step)


def even_clips(
    length: int, num_frames: int, frame_step: int, num_clips: int, rule: ClipRule = "released"
) -> list[list[int]]:
    """Frames of `num_clips` clips whose starts are spread evenly over where a clip fits; one clip is in the middle.

    Arguments and errors as of `random_clip`.
    """
    if num_clips < 1:
        raise ValueError(f"num_clips={num_clips}: give 1 or more")
    slack = _slack(length, num_frames, frame_step, rule)
    places = [j * slack / (num_clips - 1) for j in range(num_clips)] if num_clips > 1 else [slack / 2]
    starts = [int(place) if rule == "released" else round(place) for place in places]  # halves to even: either way
    return [_frames(start, length, num_frames, frame_step) for start in starts]


def resized(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width with the short side as given and the long one in proportion, rounded down to an even number."""
    long_side = short_side * max(height, width) // min(height, width) // 2 * 2
    long_side = max(long_side, short_side)
    return (long_side, short_side) if height > width else (short_side, long_side)


def crops(height: int, width: int, size: int, num_crops: int) -> list[Crop]:
    """Spatial views of a frame.

    Args:
        height, width: size of the frame, after `resized`.
        size: side of the square crops.
        num_crops: 1, the centre; 5, the corners and the centre; 10, these and their mirror images; 3, 6 or 8, along the
            long side from end to end.

    Returns:
        The crops; of 3, 6 and 8 the two ends come first.

    Raises:
        ValueError: another `num_crops`, or a frame smaller than the crop.
    """
    check_choice("num_crops", num_crops, NUM_CROPS)
    if size > min(height, width):
        raise ValueError(f"a crop of {size} does not fit a frame of {height}x{width}: resize the frames first")
    top, left = (height - size) // 2, (width - size) // 2
    centre = Crop(top, left, size)
    if num_crops == 1:
        return [centre]
    if num_crops in (5, 10):
        corners = [Crop(y, x, size) for y in (0, height - size) for x in (0, width - size)]
        plain = [*corners, centre]
        return plain if num_crops == 5 else plain + [crop._replace(mirrored=True) for crop in plain]
    end = max(height, width) - size
    if num_crops == 3:
        inner = [max(height, width) // 2 - size // 2]
    else:
        inner = [j * (end // (num_crops - 1)) for j in range(1, num_crops - 1)]
    return [Crop(offset, left, size) if height > width else Crop(top, offset, size) for offset in (0, end, *inner)]


def take(frames: Tensor, crop: Crop) -> Tensor:
    """The crop of frames (..., H, W)."""
    view = frames[..., crop.top : crop.top + crop.size, crop.left : crop.left + crop.size]
    return view.flip(-1) if crop.mirrored else view


def _slack(length: int, num_frames: int, frame_step: int, rule: ClipRule) -> int:
    """Largest start at which a clip fits, 0 if it never does."""
    for name, value in (("length", length), ("num_frames", num_frames), ("frame_step", frame_step)):
        if value < 1:
            raise ValueError(f"{name}={value}: give 1 or more")
    unseen = frame_step - 1 if rule == "released" else 0  # after the last frame
    return max(0, length - (num_frames - 1) * frame_step - 1 - unseen)


def _frames(start: int, length: int, num_frames: int, frame_step: int) -> list[int]:
    """Every `frame_step`-th frame from `start`; where the video ends too early, the sampled ones over again."""
    sampled: Sequence[int] = range(start, min(length, start + num_frames * frame_step), frame_step)
    return [sampled[i % len(sampled)] for i in range(num_frames)]
