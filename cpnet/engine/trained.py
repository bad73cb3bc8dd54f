"""Trained networks ready to use, from the folder of a training or from a stored record; `cpnet.load` is `load`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from cpnet import results
from cpnet.data.decode import Backend
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import NO_LABEL, Index, Split, Video, read_index
from cpnet.data.moving_square import CLASSES as TOY_CLASSES
from cpnet.engine.checkpoint import WEIGHTS, find_checkpoint, load_weights
from cpnet.engine.folder import CONFIG
from cpnet.engine.machine import Machine, is_main_process
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase
from cpnet.engine.setting import VideoData, check_classes, check_same_everywhere, ensure_rendered
from cpnet.models import create_for_clips, create_model
from cpnet.standins import Spec, class_names


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        model: network with its trained weights, in evaluation mode: clips (B, 3, T, H, W) to scores (B, classes).
        classes: names of the classes by label.
        config: all that determines the training.
    """

    model: nn.Module
    classes: tuple[str, ...]
    config: dict[str, Any]

    def predict(
        self,
        video: Path | str,
        protocol: Protocol = Protocol(10, 3),  # noqa: B008, frozen
        machine: Machine = Machine(),  # noqa: B008
    ) -> dict[str, float]:
        """Softmax scores of a video file, or of a folder of JPEG frames, by class, the likeliest first.

        Raises:
            FileNotFoundError, ValueError: the video cannot be read, or a toy network; the message says why.
        """
        (scores,) = self.scores(self._index_of(Path(video)), protocol, machine)
        if scores.isnan().any():
            raise ValueError(f"{video} cannot be read to its end: python -m cpnet data check says more")
        ranked = scores.sort(descending=True)
        return {self.classes[i]: s for s, i in zip(ranked.values.tolist(), ranked.indices.tolist(), strict=True)}

    def clip(self, video: Path | str, frame_step: int | None = None) -> Tensor:
        """The clip (3, T, S, S), uint8, in the middle of a video; its frames are as far apart as in training if None.

        Raises:
            FileNotFoundError, ValueError: as `predict`.
        """
        index, data = self._index_of(Path(video)), VideoData(**self.config["data"])
        phase = Phase(**self.config["recipe"]["phases"][-1])
        phase = replace(phase, frame_step=phase.frame_step if frame_step is None else frame_step)
        views, _, _, readable = Protocol().views(index, phase, data, IsolatedDecoder(data.backend))[0]
        if not readable:
            raise ValueError(f"{video} cannot be read to its end: python -m cpnet data check says more")
        return views[0]

    def _index_of(self, video: Path) -> Index:
        """An index of a video alone, once it can be read; says which decoder that takes."""
        self._check_videos()
        read = IsolatedDecoder(self.config["data"]["backend"])
        read(video, [0])  # says why, if the video cannot be read
        for reason in read.by_pyav.values():
            print(f"read by PyAV: {reason}")
        return Index(self.config["data"]["name"], "test", self.classes, [Video(video.stem, video, NO_LABEL)])

    def _check_videos(self) -> None:
        if self.config["data"] == "toy":
            raise ValueError("a network of the toy study sees moving squares, no video files: call its `model`")

    def scores(self, index: Index, protocol: Protocol, machine: Machine) -> Tensor:
        """Scores (videos, classes) of the videos that an index lists, NaN for those that cannot be read."""
        recipe, data = self.config["recipe"], VideoData(**self.config["data"])
        accelerator = machine.accelerator(recipe["precision"])
        check_same_everywhere([index])
        views = protocol.views(index, Phase(**recipe["phases"][-1]), data, IsolatedDecoder(data.backend))
        if views.pairs and is_main_process():
            sides = "; ".join(f"{self.classes[a]} and {self.classes[b]}" for a, b in views.pairs.items() if a < b)
            print(f"in mirrored views, scores of left and right are exchanged: {sides}")
        return protocol.scores(self.model, views, machine, accelerator)

    def index(self, split: Split, root: Path | None = None) -> Index:
        """Index of the data set in `root`, or of the stand-in that was trained on.

        Raises:
            ValueError: no folder given or known, a data set with other classes, or a toy network.
        """
        self._check_videos()
        data = self.config["data"]
        if root is None and "rendered" in data:
            root = ensure_rendered(Spec(**data["rendered"]))
        if root is None:
            raise ValueError(f"no folder of {data['name']}: give --data-root")
        index = read_index(data["name"], root, split)
        check_classes(index, self.classes, root)
        return index


def load(path: Path | str, which: str = "last", backend: Backend | None = None) -> Trained:
    """A trained network.

    Args:
        path: folder that `python -m cpnet train` or `reproduce` has written, or JSON file of a stored result whose
            weights are beside it.
        which: checkpoint of a folder, "last" or "best"; of a result, "last", or "epoch2" if that is kept.
        backend: what is to read video files first, "decord" or "pyav"; as in training if None.

    Raises:
        FileNotFoundError: no training there, no checkpoint yet, or no weights beside the result.
        ValueError: a damaged file; the message names it.
    """
    config, classes, weights = _stored(Path(path), which)
    model = _untrained(config, len(classes))
    weights(model)
    if backend is not None and config["data"] != "toy":
        config["data"] = config["data"] | {"backend": backend}
    return Trained(model.eval(), classes, config)


def _stored(path: Path, which: str) -> tuple[dict[str, Any], tuple[str, ...], Callable[[nn.Module], object]]:
    """Config, classes, and what puts the trained weights into a network."""
    if path.suffix == ".json":
        config = results.read(path)["config"]
        file = path.with_suffix(".safetensors" if which == "last" else f".{which}.safetensors")
        if not file.is_file():
            raise FileNotFoundError(f"{file} is not kept: train it anew, and give the folder in runs/training/")
        classes = TOY_CLASSES if config["data"] == "toy" else class_names(config["data"]["name"])
        return config, classes, partial(load_weights, file)
    file = path / CONFIG
    if not file.is_file():
        raise FileNotFoundError(f"no {CONFIG} in {path}: give the folder of a training")
    try:
        stored = json.loads(file.read_text())
        config, classes = stored["config"], tuple(stored["classes"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is damaged ({type(error).__name__} {error}): train again") from error
    checkpoint = find_checkpoint(path, which)
    if checkpoint is None:
        raise FileNotFoundError(f"no checkpoint in {path} yet: has its training been started?")
    return config, classes, partial(load_weights, checkpoint / WEIGHTS)


def _untrained(config: dict[str, Any], num_classes: int) -> nn.Module:
    arguments = {name: value for name, value in config["model_args"].items() if name != "pretrained"}
    arguments["seed"] = config["seed"]
    if config["data"] == "toy":
        return create_model(config["model"], **arguments)
    longest = max(phase["num_frames"] for phase in config["recipe"]["phases"])
    return create_for_clips(config["model"], longest, num_classes=num_classes, **arguments)
