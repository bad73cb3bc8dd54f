"""A run on videos: one network, trained in phases, and tested by several protocols."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import safetensors.torch
import torch
import tyro
from torch import Tensor, nn

from cpnet import results
from cpnet.data.cache import DiskCache
from cpnet.data.decode import Backend, Reader
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import FLIP_PAIRS, Dataset, Index, Split, flip_label_map, read_index
from cpnet.data.transforms import Augmentation
from cpnet.data.videos import TrainingClips
from cpnet.engine.accelerator import make_accelerator
from cpnet.engine.evaluate import Evaluation, accuracy
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.train import train
from cpnet.experiments.run import Machine, Run, is_main_process
from cpnet.experiments.training_folder import FINISHED, PARTS, Parts, digest, open_folder, rendered_folder
from cpnet.lock import locked
from cpnet.models import create_model, for_clips
from cpnet.models.families import VariantName
from cpnet.models.resnet import Stem
from cpnet.results import Record
from cpnet.standins import Spec, class_names, class_table, is_rendered, render

if TYPE_CHECKING:
    from accelerate import Accelerator

KEPT_DECODED = 72  # pixels of height, at most
SPLITS: tuple[Split, Split] = ("train", "val")


@dataclass(frozen=True)
class Network:
    """A network by name, and its arguments; None is the network's own default.

    Attributes:
        name: see `python -m cpnet models`.
        width: channels of conv1; 64 in the paper.
        stem: strides up to res2, by the size of the input.
        variant: as the released code has the network, or as the paper prints it.
        positions: of CP modules, such as 1, 4, res3.
        k: proposals of CP modules.
        displacement_scale: factor on the displacements that CP modules see.
        dropout: before the last layer.
        pretrained: "imagenet", or a file of weights.
    """

    name: str = "cpnet_resnet18"
    width: int | None = None
    stem: Stem | None = None
    variant: VariantName | None = None
    positions: str | None = None
    k: int | None = None
    displacement_scale: float | None = None
    dropout: float | None = None
    pretrained: str | None = None

    def arguments(self) -> dict[str, Any]:
        """What is given, for `create_model`."""
        return {name: value for name, value in asdict(self).items() if name != "name" and value is not None}


@dataclass(frozen=True)
class VideoData:
    """Which videos, and how they are read.

    Attributes:
        name: of the data set.
        size: height and width of the clips.
        backend: what decodes video files.
        augmentation: of training clips: as the released code, without its change of colours, or none.
        rendered: the stand-in, rendered when needed; None for a folder in the official layout.
    """

    name: Dataset = "something"
    size: int = 112
    backend: Backend = "decord"
    augmentation: Augmentation = "released"
    rendered: Annotated[Spec | None, tyro.conf.Suppress] = None

    def __post_init__(self) -> None:
        if self.augmentation not in get_args(Augmentation):
            raise ValueError(f"augmentation={self.augmentation!r}: choose one of {', '.join(get_args(Augmentation))}")

    def reader(self) -> Reader:
        """Decodes in child processes; small stand-ins are kept on disk, decoded: some GB each."""
        read = IsolatedDecoder(self.backend)
        if self.rendered is None or self.rendered.size > KEPT_DECODED:
            return read
        return DiskCache(read, results.runs_folder() / "decoded" / self.backend)


@dataclass(frozen=True)
class VideoRun(Run):
    """One number of a table about videos.

    Attributes:
        network, data, recipe: what is trained, on what, and how; the recipe's seed is the run's.
        protocols: of the tests. The one named "" gives `val_top1` and `val_top5`, another one `val_top1_<name>`, ...
        tuning: a stand-in whose validation split gives `tune_top1`, to choose between runs by.
        init: run whose trained weights are the initial ones, all but the classes'.
        revision: raised by hand when a change of code changes numbers, so that stale ones are not loaded.
        keeps_weights: store trained weights beside the record, as other runs start from them; if not, only the folder
            of the training has them, and the record their digest.
    """

    network: Network = Network()
    data: VideoData = VideoData()
    recipe: Recipe = Recipe()  # noqa: RUF009, frozen
    protocols: Mapping[str, Protocol] = field(default_factory=lambda: {"": Protocol()})
    tuning: Spec | None = None
    init: VideoRun | None = None
    revision: int = 1
    keeps_weights: bool = False

    @property
    def needs(self) -> tuple[Run, ...]:
        return () if self.init is None else (self.init,)

    @property
    def config(self) -> dict[str, Any]:
        """All that determines the number. What is None is left out, so that new options change no run_id."""
        config = _without_none(super().config)
        del config["keeps_weights"]
        config["recipe"]["seed"] = self.seed
        config["model"] = config.pop("network").pop("name")
        config["model_args"] = self.network.arguments()
        if self.init is not None:
            config["init"] = self.init.config
        return config

    def folder(self, machine: Machine) -> Path:
        """Of the training: what is trained, checkpoints, curves."""
        name = f"{self.table}-{self.row}-{self.profile}-seed{self.seed}-{self.run_id}"
        return machine.folder or results.runs_folder() / "training" / name

    def prepare(self, machine: Machine) -> None:
        """Render the stand-ins."""
        for spec in (self.data.rendered, self.tuning):
            if spec is None:
                continue
            folder = rendered_folder(spec)
            if is_main_process() and not is_rendered(spec, folder):
                render(**spec.arguments(), out=folder, progress=machine.progress)
            while not is_rendered(spec, folder):  # others wait for the main process; a barrier would time out
                time.sleep(1)

    def verify(self, path: Path, machine: Machine) -> None:
        """Of an official data set at hand, compare the record's videos.

        Raises:
            ValueError: the record is of other videos.
        """
        if self.data.rendered is None and machine.data_root is not None:
            stored = results.read(path)["data"]
            for split in SPLITS:
                if stored[split] != index_digest(self.index(split, machine)):
                    raise ValueError(
                        f"{path} is of other {split} videos than {machine.data_root} lists: "
                        "give the folder it was computed with, or compute it again with --rerun"
                    )

    def finish(self, machine: Machine) -> None:
        """From now on, to run again is to train anew."""
        (self.folder(machine) / FINISHED).touch()

    def index(self, split: Split, machine: Machine) -> Index:
        """Of the stand-in, or of the data set in `machine.data_root`.

        Raises:
            ValueError: an official data set, and no folder of it.
        """
        spec = self.data.rendered
        root = machine.data_root if spec is None else rendered_folder(spec)
        if root is None:
            raise ValueError(f"no folder of {self.data.name}: give data_root (--data-root on the command line)")
        return read_index(self.data.name, root, split)

    def create_model(self, num_classes: int | None = None, roots: tuple[Path, ...] = ()) -> nn.Module:
        """The network with its initial weights; for the classes of the stand-in if None."""
        if num_classes is None:
            num_classes = len(class_names(self.data.name))
        torch.manual_seed(self.seed)
        longest = max(phase.num_frames for phase in self.recipe.phases)
        arguments = for_clips(self.network.name, longest) | self.network.arguments()
        if self.init is not None:
            path = self.init.stored(roots or (results.local_root(), results.COMMITTED))
            if path is None:
                raise FileNotFoundError(f"no stored result of {self.init.title}, which {self.title} starts from")
            arguments["pretrained"] = str(path.with_suffix(".safetensors"))
        return create_model(self.network.name, num_classes=num_classes, seed=self.seed, **arguments)

    def measure(self, machine: Machine) -> tuple[Record, nn.Module]:
        """Train, going on from where an interrupted training has stopped, and test."""
        accelerator = make_accelerator(machine.device, self.recipe.precision)
        indexes = {split: self.index(split, machine) for split in SPLITS}
        folder = self.folder(machine)
        with locked(folder) if is_main_process() else nullcontext():
            if is_main_process():
                open_folder(folder, self.config, indexes["train"], machine.rerun)
            accelerator.wait_for_everyone()
            return self._measure(machine, accelerator, indexes["train"], indexes["val"])

    def _measure(
        self, machine: Machine, accelerator: Accelerator, train_index: Index, val_index: Index
    ) -> tuple[Record, nn.Module]:
        folder = self.folder(machine)
        parts = Parts(folder / PARTS, accelerator)
        model, read = self.create_model(len(train_index.classes), machine.roots), self.data.reader()

        def test(model: nn.Module, protocol: Protocol, phase: Phase, index: Index) -> tuple[Tensor, Index]:
            """Scores, and the index of the videos that they are of."""
            views = protocol.views(index, phase, self.data.size, read)
            shown = {"progress": machine.progress, "position": machine.position}
            return protocol.scores(model, views, accelerator, workers=machine.workers, **shown), views.index

        def validate(model: nn.Module, phase: Phase) -> dict[str, float]:
            parts.write()
            found = _accuracy(*test(model, Protocol(), phase, val_index))
            return {"val_top1": found.top1, "val_top5": found.top5}

        history = train(
            model,
            lambda phase: self._clips(train_index, phase, read),
            replace(self.recipe, seed=self.seed),
            folder,
            validate=validate,
            accelerator=accelerator,
            workers=machine.workers,
            compile=machine.compile,
            tensorboard=machine.tensorboard,
            progress=machine.progress,
            title=self.title,
            position=machine.position,
        )
        metrics: dict[str, Any] = {name: history[-1][name] for name in ("train_loss", "train_top1")}
        phase = self.recipe.phases[-1]
        tested = {name: test(model, protocol, phase, val_index) for name, protocol in self.protocols.items()}
        for name, (scores, index) in tested.items():
            metrics |= _metrics(scores, index, f"_{name}" if name else "", stand_in=self.data.rendered is not None)
        if self.tuning is not None:
            choosing = read_index(self.data.name, rendered_folder(self.tuning), "val")
            metrics["tune_top1"] = _accuracy(*test(model, Protocol(), phase, choosing)).top1
        main = _accuracy(*tested[""])
        metrics["val_per_class"] = [None if math.isnan(value) else value for value in main.per_class]
        parts.write()
        measured = {
            "metrics": metrics,
            "n_expected": main.n_expected,
            "n_scored": main.n_scored,
            "n_substituted": sum(epoch["substituted"] for epoch in history),
            "curves": {name: [epoch[name] for epoch in history] for name in history[0]},
            "data": {"train": index_digest(train_index), "val": index_digest(val_index)},
            "weights_sha256": weights_digest(model),
            "provenance": parts.summary(),
        }
        return measured, model

    def _clips(self, index: Index, phase: Phase, read: Reader) -> TrainingClips:
        return TrainingClips(
            index,
            num_frames=phase.num_frames,
            frame_step=phase.frame_step,
            size=self.data.size,
            read=read,
            seed=self.seed,
            flip_label_map=flip_label_map(index.classes, FLIP_PAIRS[self.data.name]),
            augmentation=self.data.augmentation,
        )


def read_config(path: Path, row: str) -> VideoRun:
    """The run of a config.json, maybe edited by hand, on a data set in a folder of its own.

    Raises:
        ValueError: it is no such file, or of a run that cannot be copied; the message says what is wrong.
    """
    try:
        config = json.loads(path.read_text())["config"]
        if "init" in config:
            raise ValueError("it starts from another run (init): remove that, and give a file as model_args.pretrained")
        if config["seed"] != config["recipe"]["seed"]:
            raise ValueError("seed and recipe.seed differ: give both the same")
        recipe = config["recipe"] | {"phases": tuple(Phase(**phase) for phase in config["recipe"]["phases"])}
        protocols = {name: Protocol(**protocol) for name, protocol in config["protocols"].items()}
        if "" not in protocols:
            raise ValueError('protocols lack the one named "", which gives val_top1')
        return VideoRun(
            table="own",
            row=row,
            profile="own",
            seed=config["seed"],
            network=Network(config["model"], **config["model_args"]),
            data=VideoData(**{name: value for name, value in config["data"].items() if name != "rendered"}),
            recipe=Recipe(**recipe),
            protocols=protocols,
            revision=config["revision"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be trained from: {type(error).__name__} {error}") from error


def partners_told_apart(scores: Tensor, index: Index, suffix: str = "") -> dict[str, float]:
    """Share of the videos of classes with a partner whose own class scores higher than the partner, in percent.

    The partner is the same film backwards: who does not see the order of frames has 50.
    """
    if index.dataset == "images":
        return {}
    partner = class_table(index.dataset)["partner, played backwards"].to_dict()  # type: ignore[arg-type]
    label = {name: i for i, name in enumerate(index.classes)}
    own = index.labels().tolist()
    others = [label.get(partner.get(index.classes[c], "")) for c in own]
    pairs = [(i, c, other) for i, (c, other) in enumerate(zip(own, others, strict=True)) if other is not None]
    if not pairs:
        return {}
    told = [float(scores[i, c] > scores[i, other]) for i, c, other in pairs]  # of what is unreadable, none
    return {f"val_partners{suffix}": 100 * sum(told) / len(told)}


def index_digest(index: Index) -> str:
    """SHA-256 of ids and labels of all videos that a split lists."""
    videos = sorted((video.id, video.label) for video in index.listed)
    return digest([index.classes, videos])


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of all parameters and buffers."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    return hashlib.sha256(safetensors.torch.save(tensors)).hexdigest()


def _accuracy(scores: Tensor, index: Index) -> Evaluation:
    return accuracy(scores, index.labels())


def _metrics(scores: Tensor, index: Index, suffix: str, *, stand_in: bool) -> dict[str, float]:
    found = _accuracy(scores, index)
    partners = partners_told_apart(scores, index, suffix) if stand_in else {}
    return {f"val_top1{suffix}": found.top1, f"val_top5{suffix}": found.top5, **partners}


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(part) for name, part in value.items() if part is not None}
    return [_without_none(part) for part in value] if isinstance(value, list) else value
