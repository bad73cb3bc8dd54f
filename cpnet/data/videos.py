"""Clips to train on and views to test on, decoded from the videos of an index."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cpnet.data.clips import ClipRule, crops, even_clips, random_clip, resized, take
from cpnet.data.decode import UNREADABLE, Reader
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import FLIP_PAIRS, Index, flip_label_map
from cpnet.data.transforms import Augmentation, clip_generator, resize, training_clip

SUBSTITUTES = 10  # videos tried in place of a damaged one


class Sample(NamedTuple):
    """A clip (3, T, S, S) uint8, its label, its place in the index, and whether another video stands in for that."""

    clip: Tensor
    label: int
    place: int
    substituted: bool


class Views(NamedTuple):
    """Views (V, 3, T, S, S) uint8 of a video, its label, its place in the list of videos, and whether it could be read.

    Views are zero if it could not.
    """

    views: Tensor
    label: int
    place: int
    readable: bool


@dataclass(eq=False)
class VideoDataset(Dataset):
    """Clips of the videos of an index.

    Args:
        index: what a split lists.
        num_frames, frame_step: length T of a clip, and the distance of its neighbouring frames.
        size: height and width S of a clip.
        clip_rule: where clips may lie, see `cpnet.data.clips`.
        read: what decodes frames, called as `decode_frames`; `cpnet.data.cache` keeps them.
    """

    index: Index
    _: KW_ONLY
    num_frames: int
    frame_step: int
    size: int
    clip_rule: ClipRule = "released"
    read: Reader = field(default_factory=IsolatedDecoder)


@dataclass(eq=False, kw_only=True)
class TrainingClips(VideoDataset):
    """One random clip of each video an epoch; the same for the same seed, epoch and index, whichever worker loads it.

    A video that cannot be read is replaced by another one, drawn from the same seed, epoch and index.

    Args:
        index, num_frames, frame_step, size, clip_rule, read: see `VideoDataset`.
        seed: seed of all random draws.
        flip_label_map, augmentation: see `cpnet.data.transforms.training_clip`.
    """

    seed: int = 0
    flip_label_map: Mapping[int, int | None] | None = None
    augmentation: Augmentation = "released"
    epoch: int = field(default=0, init=False)

    def set_epoch(self, epoch: int) -> None:
        """Draw other clips from now on; loaders with persistent workers must be made anew."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.index.videos)

    def __getitem__(self, i: int) -> Sample:
        """The clip of video `i`.

        Raises:
            ValueError: neither the video nor any of its substitutes can be read.
        """
        generator = clip_generator(self.seed, self.epoch, i)
        chosen = i
        for _ in range(1 + SUBSTITUTES):
            video, before = self.index.videos[chosen], generator.get_state()
            try:
                frames = self.read(video.path, partial(self._choose, generator, before))
            except UNREADABLE as error:
                reason = error
                chosen = int(torch.randint(len(self.index.videos), (), generator=generator))
                continue
            clip, label = training_clip(
                frames, video.label, self.size, generator, self.flip_label_map, self.augmentation
            )
            return Sample(clip, label, i, substituted=chosen != i)
        raise ValueError(
            f"{self.index.videos[i].path} and {SUBSTITUTES} others cannot be read, the last because: {reason}; "
            "screen the data set with `python -m cpnet data check`"
        )

    def _choose(self, generator: torch.Generator, before: Tensor, length: int) -> list[int]:
        """The same draw, however many decoders ask for it."""
        generator.set_state(before)
        return random_clip(length, self.num_frames, self.frame_step, generator, self.clip_rule)


@dataclass(eq=False, kw_only=True)
class EvaluationViews(VideoDataset):
    """All views of each video that a split lists; one that cannot be read is never replaced.

    Args:
        index, num_frames, frame_step, size, clip_rule, read: see `VideoDataset`. Missing and quarantined videos count.
        num_clips, num_crops: number of views in time and in space, see `cpnet.data.clips`.
        short_side: short side to which frames are resized, at least `size`; `size` if None.
        shuffled: give each clip's frames in an order that is drawn for each video, as a control.
    """

    num_clips: int = 1
    num_crops: int = 1
    short_side: int | None = None
    shuffled: bool = False

    def __post_init__(self) -> None:
        if self.short_side is not None and self.short_side < self.size:
            raise ValueError(f"short_side={self.short_side}: crops of size={self.size} do not fit, give that or more")
        self.videos, self.readable = self.index.listed, set(self.index.videos)
        places = crops(self.size, self.size, self.size, self.num_crops)
        self.mirrored = torch.tensor([crop.mirrored for crop in places] * self.num_clips)  # (V,)
        self.pairs: dict[int, int] = {}  # labels that a mirrored view tells the other way round
        if self.mirrored.any():
            pairs = flip_label_map(self.index.classes, FLIP_PAIRS[self.index.dataset])
            self.pairs = {label: partner for label, partner in pairs.items() if partner is not None}

    def exchange(self, scores: Tensor) -> Tensor:
        """Scores (B, V, classes), in those of mirrored views left and right exchanged, where classes have them."""
        if not self.pairs:
            return scores
        partner = [self.pairs.get(label, label) for label in range(scores.shape[2])]
        return torch.where(self.mirrored[:, None], scores[..., partner], scores)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, i: int) -> Views:
        """Views of video `i`, crop by crop within clip by clip."""
        video = self.videos[i]
        if video in self.readable:
            try:
                frames = self.read(video.path, self._choose)  # (num_clips * T, H, W, 3)
            except UNREADABLE:
                pass
            else:
                return Views(self._views(frames, i), video.label, i, readable=True)
        shape = (self.num_clips * self.num_crops, 3, self.num_frames, self.size, self.size)
        return Views(torch.zeros(shape, dtype=torch.uint8), video.label, i, readable=False)

    def _choose(self, length: int) -> list[int]:
        clips = even_clips(length, self.num_frames, self.frame_step, self.num_clips, self.clip_rule)
        return [frame for clip in clips for frame in clip]

    def _views(self, frames: np.ndarray, i: int) -> Tensor:
        short_side = self.size if self.short_side is None else self.short_side
        height, width = resized(frames.shape[1], frames.shape[2], short_side)
        places = crops(height, width, self.size, self.num_crops)
        clips = frames.reshape(self.num_clips, self.num_frames, *frames.shape[1:])
        if self.shuffled:
            clips = clips[:, torch.randperm(self.num_frames, generator=clip_generator(0, 0, i)).numpy()]
        small = [resize(clip, (height, width)) for clip in clips]  # once for all crops
        return torch.stack([take(clip, place).transpose(0, 1) for clip in small for place in places])
