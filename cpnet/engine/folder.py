"""The folder of a training on videos: what is trained in it, by whom, and whether it is finished."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpnet import results
from cpnet.data.layouts import Index
from cpnet.engine.checkpoint import find_checkpoint
from cpnet.engine.setting import digest
from cpnet.files import LOCK, write_atomically

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
    write_atomically(file, (json.dumps(content, indent=1) + "\n").encode())


class Parts:
    """Where a training comes from that was interrupted: commit, tree, processes and seconds of each call."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self.file, self.main = folder / PARTS, accelerator.is_main_process
        self.earlier: list[dict[str, Any]] = json.loads(self.file.read_text()) if self.file.exists() else []
        source = results.provenance(accelerator.device)
        self.now = {name: source[name] for name in ("commit", "dirty", "device", "instructions", "threads")}
        self.now["processes"] = accelerator.num_processes
        self.start = time.monotonic()

    def write(self) -> None:
        """Bring the file up to date."""
        self.now["wall_s"] = round(time.monotonic() - self.start, 1)
        if self.main:
            write_atomically(self.file, (json.dumps([*self.earlier, self.now], indent=1) + "\n").encode())

    def summary(self) -> dict[str, Any]:
        """What a record says: seconds of all, dirty if any was, and all of them if there were several."""
        every = [*self.earlier, self.now]
        found = {
            "wall_s": round(sum(part["wall_s"] for part in every), 1),
            "dirty": any(part["dirty"] for part in every),
            "processes": self.now["processes"],
        }
        return found | ({"parts": every} if len(every) > 1 else {})
