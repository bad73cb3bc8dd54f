"""What is trained on what: a network by its name, and videos of a data set or of its stand-in."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import tyro

from cpnet import results
from cpnet.choices import check_choice
from cpnet.data.cache import DiskCache
from cpnet.data.clips import ClipRule
from cpnet.data.decode import Backend, Reader
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import Dataset, Index
from cpnet.data.transforms import Augmentation
from cpnet.engine.machine import check_alike, is_main_process
from cpnet.models.families import VariantName
from cpnet.models.resnet import Stem
from cpnet.nn.correspondence import Pair
from cpnet.nn.neighbours import Metric
from cpnet.standins import Spec, is_rendered, render

KEPT_DECODED = 72  # pixels of height, at most


@dataclass(frozen=True)
class Network:
    """A network by name, and its arguments; None is the network's own default.

    Attributes:
        name: see `python -m cpnet models`.
        width: channels of conv1; 64 in the paper.
        stem: strides up to res2, by the size of the input.
        variant: as the released code has the network, or as the paper prints it.
        positions: positions of CP modules, such as 1, 4, res3.
        k: proposals of CP modules.
        displacement_scale: factor on the displacements that CP modules see.
        pair: what CP modules are given of two features, see `cpnet.nn.CPModule`.
        metric: what makes neighbours in CP modules, see `cpnet.nn.neighbours`.
        dropout: dropout before the last layer.
        pretrained: "imagenet", or a file of weights.
    """

    name: str = "cpnet_resnet18"
    width: int | None = None
    stem: Stem | None = None
    variant: VariantName | None = None
    positions: str | None = None
    k: int | None = None
    displacement_scale: float | None = None
    pair: Pair | None = None
    metric: Metric | None = None
    dropout: float | None = None
    pretrained: str | None = None

    def arguments(self) -> dict[str, Any]:
        """What is given, for `create_model`."""
        return {name: value for name, value in asdict(self).items() if name != "name" and value is not None}


@dataclass(frozen=True)
class VideoData:
    """Which videos, and how they are read.

    Attributes:
        name: name of the data set.
        size: height and width of the clips.
        backend: what decodes video files.
        augmentation: how training clips are changed, see `cpnet.data.transforms.training_clip`.
        clip_rule: where clips may lie in their video, see `cpnet.data.clips`.
        rendered: the stand-in, rendered when needed; None for a folder in the official layout.
    """

    name: Dataset = "something"
    size: int = 112
    backend: Backend = "decord"
    augmentation: Augmentation = "released"
    clip_rule: ClipRule = "released"
    rendered: Annotated[Spec | None, tyro.conf.Suppress] = None

    def __post_init__(self) -> None:
        for name, choices in (("augmentation", Augmentation), ("clip_rule", ClipRule), ("backend", Backend)):
            check_choice(name, getattr(self, name), get_args(choices))
        if self.size < 1:
            raise ValueError(f"size={self.size}: give 1 or more pixels")

    def reader(self) -> Reader:
        """Decodes in child processes; small stand-ins are kept on disk, decoded: some GB each."""
        read = IsolatedDecoder(self.backend)
        if self.rendered is None or self.rendered.size > KEPT_DECODED:
            return read
        return DiskCache(read, results.runs_folder() / "decoded" / self.backend)


def rendered_folder(spec: Spec) -> Path:
    """Where a stand-in is rendered to."""
    counts = "+".join(str(n) for n in (spec.train, spec.val, spec.test) if n is not None)
    name = f"{spec.name}-{counts}-{spec.size}px-seed{spec.seed}-revision{spec.revision}"
    return results.runs_folder() / "data" / name


def ensure_rendered(spec: Spec, *, progress: bool = True) -> Path:
    """The folder of a stand-in, which the main process renders if it is not there."""
    folder = rendered_folder(spec)
    if is_main_process() and not is_rendered(spec, folder):
        render(spec, folder, progress=progress)
    while not is_rendered(spec, folder):  # others wait for the main process; a barrier would time out
        time.sleep(1)
    return folder


def index_digest(index: Index) -> str:
    """SHA-256 of ids and labels of all videos that a split lists."""
    videos = sorted((video.id, video.label) for video in index.listed)
    return digest([index.classes, videos])


def check_classes(index: Index, classes: Sequence[str], root: Path | None) -> None:
    """ValueError if an index has other classes than those of the training."""
    if index.classes != classes:
        only = sorted({*index.classes} ^ {*classes})
        raise ValueError(
            f"{index.split} of {root} has other classes than those trained on ({len(index.classes)} and "
            f"{len(classes)}; one has {', '.join(only[:3])}): give the data set it was trained on"
        )


def check_same_everywhere(indexes: Iterable[Index]) -> None:
    """ValueError if processes have other indexes: of what is shared out by place, each would take another video."""
    found = []
    for index in indexes:
        listed = [(video.id, video.label) for video in index.listed]
        found.append(f"{index.split}: {len(index.videos)} of {len(listed)} ({digest(listed)[:8]})")
    check_alike("videos", found, "annotations, videos and quarantine.jsonl must be the same on all machines")


def digest(content: object) -> str:
    """SHA-256 of the JSON of something."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
