"""The folder of a training on videos: what is trained in it, by whom, its checkpoints, and the network read from it."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from cpnet import results
from cpnet.data.decode import Backend
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.layouts import Index, Split, read_index
from cpnet.data.videos import EvaluationViews
from cpnet.engine.accelerator import make_accelerator
from cpnet.engine.checkpoint import find_checkpoint, load_weights
from cpnet.engine.protocols import Protocol
from cpnet.engine.recipe import Phase
from cpnet.lock import NAME as LOCK
from cpnet.models import create_model, for_clips
from cpnet.standins import Spec

if TYPE_CHECKING:
    from accelerate import Accelerator

CONFIG, PARTS, FINISHED = "config.json", "parts.json", "finished"


def open_folder(folder: Path, config: dict[str, Any], index: Index, rerun: bool) -> None:
    """Say in the folder what is trained there; what a finished training has left goes if it is to run again."""
    if rerun and (folder / FINISHED).exists():
        for path in folder.iterdir():
            if path.name != LOCK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    videos = [(video.id, video.label) for video in index.videos]  # their order is that of the training clips
    content = {"config": config, "classes": list(index.classes), "videos": digest(videos)}
    file = folder / CONFIG
    if file.exists() and find_checkpoint(folder) is not None:
        before = json.loads(file.read_text())
        for name, what in (("config", "network, data or recipe"), ("classes", "classes"), ("videos", "videos")):
            if before.get(name) != content[name]:
                raise ValueError(
                    f"{folder} holds a training with another {what}, see its {CONFIG}: "
                    "give another folder, or what it was begun with (a quarantine list written since counts too)"
                )
    results.write_atomically(file, (json.dumps(content, indent=1) + "\n").encode())


class Parts:
    """Where a training comes from that was interrupted: commit, tree, processes and seconds of each call."""

    def __init__(self, file: Path, accelerator: Accelerator) -> None:
        self.file, self.main = file, accelerator.is_main_process
        self.earlier: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
        source = results.provenance(accelerator.device, 0.0)
        self.now = {name: source[name] for name in ("commit", "dirty", "device", "threads")}
        self.now["processes"] = accelerator.num_processes
        self.start = time.monotonic()

    def write(self) -> None:
        """Bring the file up to date."""
        self.now["wall_s"] = round(time.monotonic() - self.start, 1)
        if self.main:
            results.write_atomically(self.file, (json.dumps([*self.earlier, self.now], indent=1) + "\n").encode())

    def summary(self) -> dict[str, Any]:
        """What a record says: seconds of all, dirty if any was, and all of them if there were several."""
        every = [*self.earlier, self.now]
        found = {
            "wall_s": round(sum(part["wall_s"] for part in every), 1),
            "dirty": any(part["dirty"] for part in every),
            "processes": self.now["processes"],
        }
        return found | ({"parts": every} if len(every) > 1 else {})


@dataclass(frozen=True)
class Training:
    """A training read from its folder: its config, names of classes by label, and the network, in evaluation mode."""

    config: dict[str, Any]
    classes: tuple[str, ...]
    model: nn.Module

    @property
    def backend(self) -> Backend:
        return self.config["data"]["backend"]

    def accelerator(self, device: str) -> Accelerator:
        """With the precision of the training."""
        return make_accelerator(device, self.config["recipe"]["precision"])

    def index(self, split: Split, root: Path | None) -> Index:
        """Of the data set in `root`, or of the stand-in that was trained on.

        Raises:
            ValueError: no folder given or known, or a data set with other classes.
        """
        data = self.config["data"]
        if root is None and "rendered" in data:
            root = rendered_folder(Spec(**data["rendered"]))
        if root is None:
            raise ValueError(f"no folder of {data['name']}: give --data-root")
        index = read_index(data["name"], root, split)
        if index.classes != self.classes:
            only = sorted({*index.classes} ^ {*self.classes})
            raise ValueError(
                f"{root} has other classes than those trained on ({len(index.classes)} and {len(self.classes)}; "
                f"one has {', '.join(only[:3])}): give the data set it was trained on"
            )
        return index

    def views(self, index: Index, protocol: Protocol) -> EvaluationViews:
        """Views of the videos of an index, of clips as in the last phase."""
        phase = Phase(**self.config["recipe"]["phases"][-1])
        return protocol.views(index, phase, self.config["data"]["size"], IsolatedDecoder(self.backend))


def read_training(folder: Path, which: str = "last") -> Training:
    """Read the network of a training.

    Args:
        folder: that `python -m cpnet train` or `reproduce` has written.
        which: checkpoint, "last" or "best".

    Raises:
        FileNotFoundError: no training there, or no checkpoint yet.
        ValueError: a damaged file; the message names it.
    """
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"no {CONFIG} in {folder}: give the folder of a training")
    try:
        stored = json.loads((folder / CONFIG).read_text())
        config, classes = stored["config"], tuple(stored["classes"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / CONFIG} is damaged ({type(error).__name__} {error}): train again") from error
    arguments = {name: value for name, value in config["model_args"].items() if name != "pretrained"}
    longest = max(phase["num_frames"] for phase in config["recipe"]["phases"])
    model = create_model(config["model"], num_classes=len(classes), **for_clips(config["model"], longest) | arguments)
    load_weights(_checkpoint(folder, which), model)
    return Training(config, classes, model.eval())


def rendered_folder(spec: Spec) -> Path:
    """Where a stand-in is rendered to."""
    name = f"{spec.name}-{spec.train}+{spec.val}-{spec.size}px-seed{spec.seed}-revision{spec.revision}"
    return results.runs_folder() / "data" / name


def digest(content: object) -> str:
    """SHA-256 of the JSON of something."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _checkpoint(folder: Path, which: str) -> Path:
    found = find_checkpoint(folder, which)
    if found is None:
        raise FileNotFoundError(f"no checkpoint in {folder} yet: has its training been started?")
    return found
