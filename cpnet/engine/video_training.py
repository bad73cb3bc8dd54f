"""A training on videos: one network, trained in phases, and tested by several protocols."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from cpnet import results
from cpnet.data.decode import Reader
from cpnet.data.layouts import FLIP_PAIRS, Index, Split, flip_label_map, read_index
from cpnet.data.videos import TrainingClips
from cpnet.engine.checkpoint import weights_digest
from cpnet.engine.evaluate import accuracy
from cpnet.engine.folder import FINISHED, Parts, open_folder
from cpnet.engine.machine import Machine, is_main_process
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase, Recipe
from cpnet.engine.scores import scored_once, scores_of, write_submissions
from cpnet.engine.setting import (
    Network,
    VideoData,
    check_classes,
    check_same_everywhere,
    ensure_rendered,
    index_digest,
    rendered_folder,
)
from cpnet.engine.train import train
from cpnet.engine.training import Training
from cpnet.files import locked, write_atomically
from cpnet.models import create_for_clips
from cpnet.results import Record
from cpnet.standins import class_names
from cpnet.standins.partners import partners_told_apart

SPLITS: tuple[Split, Split] = ("train", "val")
IN_NO_CONFIG = ("keeps_weights", "snapshots", "init", "network")  # change no number, or are written in another way

# Scores (videos, classes) by a protocol, kept in a file if one is given, and the index of the videos that they are of.
Test = Callable[[Protocol, Phase, Index, Path | None], tuple[Tensor, Index]]


@dataclass(frozen=True, kw_only=True)
class VideoTraining(Training):
    """All that determines a network trained on videos, and its numbers.

    Attributes:
        network, data, recipe: what is trained, on what, and how; the recipe's seed is the training's.
        protocols: the tests. The one named "" gives `val_top1` and `val_top5`, another one `val_top1_<name>`, ...
        test_protocols: those of the test split, `test_top1` and so on; what the main one predicts is written to the
            folder of the training too, as servers take it.
        init: training whose weights are the initial ones, all but the classes'.
        revision: raised by hand when a change of code changes numbers, so that stale ones are not loaded.
        keeps_weights: store trained weights beside the record; if not, only the folder of the training has them, and
            the record their digest.
        snapshots: epochs, counted from 1, after which weights are stored beside the record too.
    """

    network: Network = Network()  # noqa: RUF009, frozen, as the next two
    data: VideoData = VideoData()  # noqa: RUF009
    recipe: Recipe = Recipe()  # noqa: RUF009
    protocols: Mapping[str, Protocol] = field(default_factory=lambda: {"": Protocol()})
    init: VideoTraining | None = None
    test_protocols: Mapping[str, Protocol] | None = None
    revision: int = 1
    keeps_weights: bool = False
    snapshots: tuple[int, ...] = ()

    @property
    def needs(self) -> tuple[VideoTraining, ...]:
        return () if self.init is None else (self.init,)

    @property
    def config(self) -> dict[str, Any]:
        """All that determines the numbers. What is None is left out, so that new options change no run_id."""
        config = {name: part for name, part in asdict(self).items() if name not in IN_NO_CONFIG}
        config["recipe"]["seed"] = self.seed
        config |= {"model": self.network.name, "model_args": self.network.arguments()}
        if self.init is not None:
            config["init"] = self.init.config
        return json.loads(json.dumps(_without_none(config)))

    @classmethod
    def from_config(cls, file: Path) -> Self:
        """The training of a config.json, maybe edited by hand, on a data set in a folder of its own.

        Raises:
            ValueError: it is no such file, or of a training that cannot be copied; the message says what is wrong.
        """
        try:
            config = json.loads(file.read_text())["config"]
            if "init" in config:
                raise ValueError(
                    "it starts from another run (init): remove that, and give a file as model_args.pretrained"
                )
            if config["seed"] != config["recipe"]["seed"]:
                raise ValueError("seed and recipe.seed differ: give both the same")
            protocols = {name: Protocol(**protocol) for name, protocol in config["protocols"].items()}
            if "" not in protocols:
                raise ValueError('protocols lack the one named "", which gives val_top1')
            return cls(
                seed=config["seed"],
                network=Network(config["model"], **config["model_args"]),
                data=VideoData(**config["data"] | {"rendered": None}),
                recipe=Recipe(**config["recipe"] | {"phases": tuple(Phase(**p) for p in config["recipe"]["phases"])}),
                protocols=protocols,
                test_protocols={n: Protocol(**p) for n, p in config.get("test_protocols", {}).items()} or None,
                revision=config["revision"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file} cannot be trained from: {type(error).__name__} {error}") from error

    def describe(self) -> str:
        """What is trained on what, how, and how it is tested, a line each."""
        spec, recipe, size = self.data.rendered, self.recipe, self.data.size
        given = " ".join(f"{name}={value}" for name, value in self.network.arguments().items())
        videos = f"stand-in, {spec.train} training and {spec.val} validation videos" if spec else "as distributed"
        phases = [f"{p.epochs} epochs, {p.num_frames} frames, step {p.frame_step}, lr {p.lr:g}" for p in recipe.phases]
        lines = {
            "network": f"{self.network.name} {given}",
            "start": f"{self.init.network.name} trained on {self.init.data.name}" if self.init else "",
            "data": f"{self.data.name} {videos}, clips of {size}x{size}",
            "recipe": f"{'; '.join(phases)}; {recipe.optimizer}, {recipe.schedule}, batches of {recipe.batch_size}",
            "tests": _named(self.protocols),
            "on test": _named(self.test_protocols or {}),
        }
        return "\n".join(f"{name:9}{text}" for name, text in lines.items() if text)

    def prepare(self, machine: Machine) -> None:
        """Render the stand-in."""
        if self.data.rendered is not None:
            ensure_rendered(self.data.rendered, progress=machine.progress)

    def verify(self, path: Path, machine: Machine) -> None:
        """Of an official data set at hand, compare the record's videos.

        Raises:
            ValueError: the record is of other videos.
        """
        if self.data.rendered is None and machine.data_root is not None:
            stored = results.read(path)["data"]
            for split in (split for split in (*SPLITS, "test") if split in stored):
                if stored[split] != index_digest(self.index(split, machine)):
                    raise ValueError(
                        f"{path} is of other {split} videos than {machine.data_root} lists: "
                        "give the folder it was computed with, or compute it again with --rerun"
                    )

    def finish(self, folder: Path) -> None:
        """From now on, to run again is to train anew."""
        (folder / FINISHED).touch()

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
        arguments = self.network.arguments()
        if self.init is not None:
            path = self.init.stored(roots or results.roots())
            if path is None:
                raise FileNotFoundError(f"no stored result of {self.init.run_id}, which {self.run_id} starts from")
            arguments["pretrained"] = str(path.with_suffix(".safetensors"))
        return create_for_clips(self.network.name, longest, num_classes=num_classes, seed=self.seed, **arguments)

    def measure(self, machine: Machine) -> tuple[Record, nn.Module]:
        """Train in `machine.folder`, or in `folder`, going on from where an interrupted one has stopped, and test."""
        folder = machine.folder or self.folder
        accelerator = machine.accelerator(self.recipe.precision)
        train_index, val_index = (self.index(split, machine) for split in SPLITS)
        test_index = self._test_index(machine)
        for index in (val_index, *test_index.values()):
            check_classes(index, train_index.classes, machine.data_root)
        check_same_everywhere((train_index, val_index, *test_index.values()))
        with locked(folder) if is_main_process() else nullcontext():
            if is_main_process():
                open_folder(folder, self.config, train_index, machine.rerun)
                if self.data.rendered is None:
                    print(train_index.summary(), val_index.summary(), *self._not_mirrored(train_index), sep="\n")
            accelerator.wait_for_everyone()
            parts = Parts(folder, accelerator)
            model, read = self.create_model(len(train_index.classes), machine.roots), self.data.reader()

            def test(protocol: Protocol, phase: Phase, index: Index, file: Path | None) -> tuple[Tensor, Index]:
                views = protocol.views(index, phase, self.data, read)
                score = partial(protocol.scores, model, views, machine, accelerator)
                return score() if file is None else scored_once(file, views.index, score), views.index

            indexes = {"val": val_index} | test_index
            for split, _, protocol in self._tested(indexes):  # what cannot be tested is not trained
                protocol.check(model)
                protocol.views(indexes[split], self.recipe.phases[-1], self.data, read)

            def validate(_: nn.Module, number: int) -> dict[str, float]:
                parts.write()
                scores, index = test(Protocol(), self.recipe.phases[number], val_index, None)
                found = accuracy(scores, index.labels())
                if is_main_process():  # of each phase the last epoch stays
                    packed = results.pack(found.right["val_top1"].tolist())
                    write_atomically(folder / _right_after(number), packed.encode())
                return {"val_top1": found.top1, "val_top5": found.top5}

            recipe, clips = replace(self.recipe, seed=self.seed), partial(self._clips, train_index, read)
            history = train(
                model,
                clips,
                recipe,
                folder,
                machine,
                validate=validate,
                accelerator=accelerator,
                snapshots=self.snapshots,
            )
            measured = self._tests(test, indexes, folder)
            for number in range(len(self.recipe.phases) - 1):
                name, packed = f"val_top1_phase{number + 1}", (folder / _right_after(number)).read_text()
                measured["right"][name] = packed
                measured["metrics"][name] = 100 * float(results.unpack(packed).mean())
            parts.write()
        metrics = {name: history[-1][name] for name in ("train_loss", "train_top1")} | measured["metrics"]
        measured |= {
            "metrics": metrics,
            "n_substituted": sum(epoch["substituted"] for epoch in history),
            "curves": {name: [epoch[name] for epoch in history] for name in history[0]},
            "data": {index.split: index_digest(index) for index in (train_index, val_index, *test_index.values())},
            "weights_sha256": weights_digest(model),
            "provenance": parts.summary(),
        }
        return measured, model

    def _not_mirrored(self, index: Index) -> list[str]:
        """A line for each class that training clips are not mirrored of, though others are."""
        alone = [
            index.classes[a] for a, b in flip_label_map(index.classes, FLIP_PAIRS[index.dataset]).items() if b is None
        ]
        return [f"{name}: clips are not mirrored, as what they then show is no class here" for name in alone]

    def _clips(self, index: Index, read: Reader, phase: Phase) -> TrainingClips:
        return TrainingClips(
            index,
            num_frames=phase.num_frames,
            frame_step=phase.frame_step,
            size=self.data.size,
            clip_rule=self.data.clip_rule,
            read=read,
            seed=self.seed,
            flip_label_map=flip_label_map(index.classes, FLIP_PAIRS[self.data.name]),
            augmentation=self.data.augmentation,
        )

    def _test_index(self, machine: Machine) -> dict[str, Index]:
        """The index of the test split, if that is tested and there is one."""
        if not self.test_protocols:
            return {}
        try:
            return {"test": self.index("test", machine)}
        except FileNotFoundError as error:
            print(f"the test split is left out: {error}")
            return {}

    def _tested(self, splits: Iterable[str]) -> list[tuple[str, str, Protocol]]:
        """Split, name and protocol of every test."""
        tests = {"val": self.protocols, "test": self.test_protocols or {}}
        return [(split, name, protocol) for split in splits for name, protocol in tests[split].items()]

    def _tests(self, test: Test, indexes: Mapping[str, Index], folder: Path) -> Record:
        """Metrics of all protocols, which videos they are right about, what the main ones predict, and how many videos
        the main one has scored."""
        right: dict[str, list[bool]] = {}
        predicted: dict[str, str] = {}
        for split, name, protocol in self._tested(indexes):
            kept = folder / f"scores.{split}.{name or 'main'}.safetensors"
            scores, index = test(protocol, self.recipe.phases[-1], indexes[split], kept)
            if split == "test" and not name and is_main_process():
                write_submissions(folder / "submission", index.dataset, scores_of(scores, index))  # type: ignore[arg-type]
            if not index.labelled:
                print(f"{index.dataset} {split} has no labels here: no accuracy, see {folder / 'submission'}")
                continue
            found = accuracy(scores, index.labels())
            told = {f"{split}{metric.removeprefix('val')}": which.tolist() for metric, which in found.right.items()}
            told[f"{split}_partners"] = partners_told_apart(scores, index) if self.data.rendered else []
            right |= {f"{metric}_{name}".rstrip("_"): which for metric, which in told.items() if which}
            if not name:
                unread = scores.isnan().any(1)
                predicted[split] = " ".join(map(str, scores.nan_to_num().argmax(1).masked_fill(unread, -1).tolist()))
            if split == "val" and not name:
                main = found
        metrics: dict[str, Any] = {name: 100 * sum(which) / len(which) for name, which in right.items()}
        metrics["val_per_class"] = [None if math.isnan(value) else value for value in main.per_class]
        packed = {name: results.pack(which) for name, which in right.items()}
        counts = {"n_expected": main.n_expected, "n_scored": main.n_scored}
        return {"metrics": metrics, "right": packed, "predicted": predicted, **counts}


def _named(protocols: Mapping[str, Protocol]) -> str:
    return ", ".join(f"{name or 'main'}: {p.num_clips}x{p.num_crops}" for name, p in protocols.items())


def _right_after(phase: int) -> str:
    """Name of the file that says which videos the last epoch of a phase is right about."""
    return f"right.phase{phase + 1}"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(part) for name, part in value.items() if part is not None}
    return [_without_none(part) for part in value] if isinstance(value, list | tuple) else value
