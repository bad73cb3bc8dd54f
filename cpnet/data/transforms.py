"""From decoded frames to the clip that a network sees: the released code's augmentation, one draw for all frames.

Frames come as uint8 (T, H, W, 3) and leave as uint8 (3, T, S, S), which is cheap to move; `normalise` makes them float.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from cpnet.data.clips import Crop, crops, resized, take

Augmentation = Literal["released", "crops", "flips", "none"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB
AREA, RATIO, TRIES = (0.5, 1.0), (0.9, 1.1), 10


def clip_generator(seed: int, epoch: int, index: int) -> torch.Generator:
    """Source of the draws for one clip in one epoch, whichever process draws."""
    state = np.random.SeedSequence((seed, epoch, index)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))


def training_clip(
    frames: np.ndarray,
    label: int,
    size: int,
    generator: torch.Generator,
    flip_label_map: Mapping[int, int | None] | None,
    augmentation: Augmentation = "released",
) -> tuple[Tensor, int]:
    """A random crop, colours jittered, maybe mirrored.

    Args:
        frames: (T, H, W, 3), uint8 RGB.
        label: class of the video.
        size: height and width S of the clip.
        generator: source of all random draws.
        flip_label_map: labels that swap when a clip is mirrored, {} if none does, None for those whose clips are not
            mirrored; None to mirror no clip.
        augmentation: "released", as the released code; "crops", without the colours; "flips", the view of a test, maybe
            mirrored; "none", the view of a test.

    Returns:
        The clip (3, T, S, S), uint8, and its label.
    """
    if augmentation in ("none", "flips"):
        height, width = resized(frames.shape[1], frames.shape[2], size)
        clip = view(frames, crops(height, width, size, 1)[0], size)
    else:
        top, left, height, width = random_crop(frames.shape[1], frames.shape[2], generator)
        cut = frames[:, top : top + height, left : left + width]
        if augmentation == "released":
            cut = jitter(cut, generator)
        clip = resize(cut, (size, size)).transpose(0, 1)
    if augmentation != "none" and flip_label_map is not None and _uniform(0, 1, generator) < 0.5:
        swapped = flip_label_map.get(label, label)
        if swapped is not None:
            clip, label = clip.flip(-1), swapped
    return clip, label


def view(frames: np.ndarray, crop: Crop, short_side: int) -> Tensor:
    """A view of a test: frames (T, H, W, 3) resized to `short_side`, and cropped; (3, T, S, S), uint8."""
    clip = resize(frames, resized(frames.shape[1], frames.shape[2], short_side))
    return take(clip, crop).transpose(0, 1)


def normalise(clips: Tensor) -> Tensor:
    """uint8 (..., 3, T, H, W) to float, with mean and standard deviation of ImageNet's pixels."""
    mean, std = (clips.new_tensor(v, dtype=torch.float32)[:, None, None, None] for v in (MEAN, STD))
    return (clips / 255 - mean) / std


def random_crop(height: int, width: int, generator: torch.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop of half to all of the frame's area, nearly square.

    After 10 draws that do not fit, the centre square.
    """
    for _ in range(TRIES):
        area, ratio = _uniform(*AREA, generator) * height * width, _uniform(*RATIO, generator)
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if _uniform(0, 1, generator) < 0.5:
            w, h = h, w
        if w <= width and h <= height:
            top, left = (int(torch.randint(n + 1, (), generator=generator)) for n in (height - h, width - w))
            return top, left, h, w
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side


def jitter(frames: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Brightness, saturation and hue of frames (T, H, W, 3) changed alike in all, and mixed half and half with them."""
    gain, offset = _uniform(0.75, 1.25, generator), _uniform(-0.25, 0.25, generator)
    saturation, hue = _uniform(0.75, 1.25, generator), _uniform(-0.1, 0.1, generator)
    T, H, W, _ = frames.shape
    image = Image.fromarray(np.ascontiguousarray(frames).reshape(T * H, W, 3)).convert("HSV")
    h, s, v = (np.asarray(channel, dtype=np.float32) for channel in image.split())
    h = np.rint(h + 256 * hue) % 256  # 256 steps around the circle
    s, v = (np.rint(x).clip(0, 255) for x in (s * saturation, np.abs(gain * v + 255 * offset)))
    changed = Image.merge("HSV", [Image.fromarray(x.astype(np.uint8)) for x in (h, s, v)]).convert("RGB")
    mixed = (frames.astype(np.uint16) + np.asarray(changed).reshape(frames.shape)) // 2
    return mixed.astype(np.uint8)


def resize(frames: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Frames (T, H, W, 3) to (T, 3, *size), bilinear, uint8."""
    tensor = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    if tensor.shape[2:] == size:
        return tensor
    return F.interpolate(tensor.float(), size, mode="bilinear", align_corners=False).round_().to(torch.uint8)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))
