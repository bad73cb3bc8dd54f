"""Rendering a whole data set into its official layout: side by side, deterministic, and resumable."""

import base64
import hashlib
import itertools
import json
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pandas as pd
from PIL import Image

from cpnet.choices import check_choice
from cpnet.data.layouts import Dataset
from cpnet.files import locked, write_atomically
from cpnet.progress import progress_bar
from cpnet.standins import jester, kinetics, something
from cpnet.standins.canvas import Film, Random
from cpnet.standins.encode import write_jpegs, write_mp4, write_webm
from cpnet.standins.pictures import OBJECTS, SCENES

NAMES: tuple[Dataset, ...] = get_args(Dataset)
VIDEOS: dict[str, ModuleType] = {"kinetics": kinetics, "something": something, "jester": jester}

REVISION = 4  # raised when a change of code changes pictures
SPEC = "rendered.json"  # what a folder holds
COMPLETE = "rendered.complete"  # there once all is written
UNFINISHED = ".unfinished"  # folder of files that are being written
MIN_SIZE = 32
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Spec:
    """All that determines a rendered data set.

    Attributes:
        name: which data set to stand in for; "images" are still images of the world of "kinetics".
        train, val, test: number of clips of each split, in turn of all classes; a test split has its labels apart, as
            the releases of Something-Something and Jester have them.
        size: height of the frames in pixels; the least short side for "kinetics".
        seed: seed of all random draws; clip i of a split does not depend on the number of clips.
        revision: raised when a change of code changes pictures.
    """

    name: Dataset
    train: int
    val: int
    size: int
    seed: int
    revision: int = REVISION
    test: int | None = None

    def written(self) -> dict[str, Any]:
        """As its folder has it, without what is None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Clip:
    """A clip to be rendered: its id, its class, its place in its split, and its file or folder below the root."""

    split: str
    number: int
    label: str
    id: str
    path: str


def render(spec: Spec, out: Path, *, jobs: int = 2, progress: bool = True) -> None:
    """Render a data set; what an interrupted call has written is kept, and annotations come last.

    Where another process renders it already, wait for that one.

    Args:
        spec: what is rendered, of the revision in use.
        out: folder of the data set.
        jobs: number of processes side by side.

    Raises:
        ValueError: unknown name, sizes out of range, another revision, or a folder that holds another data set.
    """
    check_choice("name", spec.name, NAMES)
    if spec.revision != REVISION:
        raise ValueError(f"revision={spec.revision}: this code renders revision {REVISION}")
    counts = (spec.train, spec.val, spec.test or 0)
    if min(counts) < 0 or sum(counts) == 0 or spec.size < MIN_SIZE or spec.size % 2 or jobs < 1:
        raise ValueError(
            f"train={spec.train}, val={spec.val}, test={spec.test}, size={spec.size}, jobs={jobs}: give at least one "
            f"clip, an even size of {MIN_SIZE} or more, and at least one process"
        )
    _claim(out, spec)
    clips = clips_of(spec)
    with locked(out, wait=True), ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        pending = [clip for clip in clips if not (out / clip.path).exists()]
        if not pending and is_rendered(spec, out):  # by the process that was waited for, or by an earlier call
            return
        written = pool.map(partial(_render_clip, spec, out), pending, chunksize=8)
        done = len(clips) - len(pending)
        for _ in progress_bar(progress, iterable=written, total=len(clips), initial=done, desc=spec.name, unit="clip"):
            pass
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)
        for split in SPLITS if spec.test else SPLITS[:2]:
            _annotate(spec, out, split, [clip for clip in clips if clip.split == split])
        (out / COMPLETE).touch()


def is_rendered(spec: Spec, out: Path) -> bool:
    """Whether a folder holds a data set as a whole."""
    return (out / COMPLETE).exists() and _held(out) == spec.written()


def clips_of(spec: Spec) -> list[Clip]:
    """The clips of a data set; in each run of as many clips as there are classes, every class is there once."""
    classes = class_names(spec.name)
    clips = []
    for split, count in zip(SPLITS, (spec.train, spec.val, spec.test or 0), strict=True):
        turns = (_random(spec.seed, split, -1 - turn).permutation(classes) for turn in itertools.count())
        labels = itertools.islice(itertools.chain.from_iterable(turns), count)
        clips += [Clip(split, i, str(label), *_file(spec, split, i, str(label))) for i, label in enumerate(labels)]
    return clips


def class_names(name: Dataset) -> tuple[str, ...]:
    """Names of the classes of a stand-in, by label."""
    return tuple(sorted(_composers(name)))


def compose_clips(name: Dataset, labels: Sequence[str], size: int = 72, seed: int = 0) -> Iterator[Film]:
    """A fresh clip of each class that is named."""
    compose = _composers(name)
    return (compose[label](size, _random(seed, "val", i)) for i, label in enumerate(labels))


def examples(name: Dataset, size: int = 72, seed: int = 0) -> dict[str, np.ndarray]:
    """Frames (T, H, W, 3) of a freshly rendered clip of every class."""
    labels = class_names(name)
    return {label: film.frames() for label, film in zip(labels, compose_clips(name, labels, size, seed), strict=True)}


def class_table(name: Dataset) -> pd.DataFrame:
    """For every class of a stand-in for videos: what decides it, and the class that is the same film backwards."""
    check_choice("name", name, VIDEOS)
    classes = VIDEOS[name].CLASSES
    rows = [(label, classes[label].decided_by, classes[label].partner or "") for label in class_names(name)]
    return pd.DataFrame(rows, columns=["class", "decided by", "partner, played backwards"]).set_index("class")


def _claim(out: Path, spec: Spec) -> None:
    """Write what the folder is to hold, or compare it with what it holds already."""
    file = out / SPEC
    if file.is_file():
        found = _held(out)
        if found != spec.written():
            raise ValueError(f"{out} holds {found}, not {spec.written()}: give another folder, or delete it")
        return
    if out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise ValueError(f"{out} is not empty, and holds no rendered data: give another folder")
    write_atomically(file, json.dumps(spec.written()).encode())


def _held(out: Path) -> Any:
    """What a folder says that it holds; None if that is damaged."""
    try:
        return json.loads((out / SPEC).read_text())
    except json.JSONDecodeError:
        return None


def _random(seed: int, split: str, number: int) -> Random:
    """Source of draws for a clip, or for the order of classes where `number` is negative."""
    entropy = (seed, SPLITS.index(split), int(number < 0), abs(number))
    return Random(np.random.SeedSequence(entropy).generate_state(4))


def _composers(name: Dataset) -> Mapping[str, Callable[[int, Random], Film]]:
    """By class, what composes a clip of it from a height and a source of draws."""
    if name == "images":
        return {f"{o} ({scene})": partial(kinetics.compose_still, o, scene) for o in OBJECTS for scene in SCENES}
    return {label: partial(VIDEOS[name].compose, label) for label in VIDEOS[name].CLASSES}


def _file(spec: Spec, split: str, number: int, label: str) -> tuple[str, str]:
    """Id and path of a clip."""
    if spec.name == "kinetics":
        name = hashlib.sha256(f"{spec.seed} {split} {number}".encode()).digest()
        youtube_id = base64.urlsafe_b64encode(name).decode()[:11]
        return youtube_id, f"{split}/{youtube_id}_000000_000010.mp4"
    if spec.name == "images":
        return f"{number:07d}", f"{split}/{label}/{number:07d}.jpg"
    number += 1 + {"train": 0, "val": spec.train, "test": spec.train + spec.val}[split]
    if spec.name == "jester":
        return str(number), f"20bn-jester-v1/{number}"
    return str(number), f"20bn-something-something-v2/{number}.webm"


def film_of(spec: Spec, clip: Clip) -> Film:
    """The film that a clip of a data set shows."""
    return _composers(spec.name)[clip.label](spec.size, _random(spec.seed, clip.split, clip.number))


def _render_clip(spec: Spec, out: Path, clip: Clip) -> None:
    film = film_of(spec, clip)
    frames = film.frames()
    path, unfinished = out / clip.path, out / UNFINISHED / f"{os.getpid()}-{Path(clip.path).name}"
    unfinished.parent.mkdir(exist_ok=True)
    if spec.name == "kinetics":
        write_mp4(unfinished, frames, film.rate, crf=18)
    elif spec.name == "something":
        write_webm(unfinished, frames, film.rate, crf=24)
    elif spec.name == "jester":
        write_jpegs(unfinished, frames)
    else:
        Image.fromarray(frames[0]).save(unfinished, quality=90)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(path)


def _annotate(spec: Spec, out: Path, split: str, clips: list[Clip]) -> None:
    long = "validation" if split == "val" else split
    if spec.name == "kinetics":
        listed = [(clip.label, clip.id, 0, 10, "validate" if split == "val" else split) for clip in clips]
        frame = pd.DataFrame(listed, columns=["label", "youtube_id", "time_start", "time_end", "split"])
        (out / "annotations").mkdir(exist_ok=True)
        frame.to_csv(out / "annotations" / f"{split}.csv", index=False, lineterminator="\r\n")
    elif spec.name == "something":
        labels = {label: str(i) for i, label in enumerate(class_names(spec.name))}
        templates = [re.sub("(something)", r"[\1]", clip.label, flags=re.IGNORECASE) for clip in clips]
        items = [
            {"id": clip.id, "label": clip.label, "template": template, "placeholders": []}
            for clip, template in zip(clips, templates, strict=True)
        ]
        if split == "test":
            items = [{"id": clip.id} for clip in clips]
        (out / "something-something-v2-labels.json").write_text(json.dumps(labels, indent=1))
        (out / f"something-something-v2-{long}.json").write_text(json.dumps(items, indent=1))
    elif spec.name == "jester":
        (out / "jester-v1-labels.csv").write_text("".join(f"{label}\n" for label in class_names("jester")))
        rows = [clip.id if split == "test" else f"{clip.id};{clip.label}" for clip in clips]
        (out / f"jester-v1-{long}.csv").write_text("".join(f"{row}\n" for row in rows))
    if split == "test" and spec.name in ("something", "jester"):
        (out / "test-answers.csv").write_text("".join(f"{clip.id};{clip.label}\n" for clip in clips))
