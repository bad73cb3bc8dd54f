"""Indexes of Kinetics-400, Something-Something v2, Jester v1 and still images, from the folders as distributed.

    Kinetics-400   annotations/{train,val,test}.csv or {train,val,test}.csv,
                   with the header label,youtube_id,time_start,time_end,split;
                   <split>/*.mp4 (CVDF) or <split>/<class>/*.mp4 (crawler);
                   replacement/replacement_for_corrupted_k400/*.mp4
    Something v2   something-something-v2-{labels,train,validation,test}.json or labels/{...}.json;
                   20bn-something-something-v2/<id>.webm
    Jester v1      jester-v1-{labels,train,validation,test}.csv or labels/{...}.csv;
                   20bn-jester-v1/<id>/00001.jpg, ...
    images         <split>/<class>/*.jpg, *.jpeg or *.png, as ImageNet is kept

Labels are matched by name. Their index is the alphabetical order of names for Kinetics, Jester and images, whose labels
come in different orders, and the number in labels.json for Something-Something (alphabetical as well).
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple

from cpnet.choices import check_choice
from cpnet.data.annotations import csv_rows, first_file, read_json, semicolon_rows
from cpnet.data.decode import IMAGE_SUFFIXES, visible
from cpnet.data.quarantine import FILE_NAME, read_quarantine

Dataset = Literal["kinetics", "something", "jester", "images"]
Split = Literal["train", "val", "test"]

NUM_CLASSES = {"kinetics": 400, "something": 174, "jester": 27, "images": 1000}
NO_LABEL = -1
NO_LABEL_SAID = "no label, which only a test split may lack: fill it in or remove the row"
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".flv", ".3gp", ".ts", ".mpg", ".gif", ".h264")
SHOWN = 3  # examples of a problem in a summary

# Mirrored, a clip of one is a clip of the other (the released code's pairs, by name).
FLIP_PAIRS: dict[str, tuple[tuple[str, str], ...]] = {
    "kinetics": (),
    "something": (
        ("Pulling something from left to right", "Pulling something from right to left"),
        ("Pushing something from left to right", "Pushing something from right to left"),
        ("Turning the camera left while filming something", "Turning the camera right while filming something"),
    ),
    "jester": (("Sliding Two Fingers Left", "Sliding Two Fingers Right"), ("Swiping Left", "Swiping Right")),
    "images": (),
}


class Video(NamedTuple):
    """An entry of an index: a video file, or a folder of JPEG frames."""

    id: str
    path: Path
    label: int  # NO_LABEL in a test split without answers


@dataclass
class Index:
    """What a split lists.

    Attributes:
        classes: names by label.
        videos: those whose file or folder exists, in the order of the annotation.
        missing: those whose file or folder does not exist, at the path where it was expected.
        quarantined: those that exist, but that a check found to be damaged.
        malformed: annotation rows that could not be used: where, and why; they are listed, and never scored.
        replaced: how many are read from the folder of replacements, Kinetics only.
        order: place in the annotation, by path.
    """

    dataset: str
    split: str
    classes: tuple[str, ...]
    videos: list[Video] = field(default_factory=list)
    missing: list[Video] = field(default_factory=list)
    quarantined: list[Video] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    replaced: int = 0
    order: dict[Path, int] = field(default_factory=dict)

    @property
    def listed(self) -> list[Video]:
        """All that the split lists, usable or not: what an accuracy is over.

        They are in the order of the annotation, whichever can be used today, as results keep hits by place; rows that
        are malformed come last.
        """
        there = [*self.videos, *self.missing, *self.quarantined]
        unusable = [Video(where, Path(where), NO_LABEL) for where in self.malformed]
        return sorted(there, key=lambda video: self.order.get(video.path, 0)) + unusable

    @property
    def n_expected(self) -> int:
        """How many the split lists."""
        return len(self.listed)

    def labels(self) -> list[int]:
        """Of all videos, in the order of `listed`."""
        return [video.label for video in self.listed]

    @property
    def labelled(self) -> bool:
        """Whether any video has a label, which of a test split none may have."""
        return any(label != NO_LABEL for label in self.labels())

    def add(self, video: Video) -> None:
        """Put a video where it belongs."""
        self.order.setdefault(video.path, len(self.order))
        (self.videos if video.path.exists() else self.missing).append(video)

    def summary(self) -> str:
        """One paragraph: how many videos and classes there are, and how many of what is wrong, with examples."""
        official = NUM_CLASSES[self.dataset]
        found = f"{self.n_expected} listed, {len(self.videos)} found"
        lines = [f"{self.dataset} {self.split}: {found}, {len(self.classes)} classes"]
        if len(self.classes) != official:
            lines[0] += f" (the official release has {official})"
        for problem, items in (
            ("listed but not there", [f"{video.id} at {video.path}" for video in self.missing]),
            ("damaged", [video.id for video in self.quarantined]),
            ("unusable rows", self.malformed),
        ):
            if items:
                more = ", ..." if len(items) > SHOWN else ""
                lines.append(f"{len(items)} {problem}: {', '.join(items[:SHOWN])}{more}")
        if self.replaced:
            lines.append(f"{self.replaced} read from the folder of replacements")
        return "\n".join(lines)


def read_index(dataset: Dataset, root: str | Path, split: Split, quarantine: bool = True) -> Index:
    """Read the index of a split.

    Args:
        root: the folder that holds annotations and videos, see the top of this file.
        quarantine: set aside the videos that `quarantine.jsonl` in `root` lists, if there is one.

    Raises:
        FileNotFoundError: no annotation under `root`; the message names the places looked at.
        ValueError: unknown data set or split, an annotation file that is not what it should be, or no video at all.
    """
    readers = {"kinetics": _kinetics, "something": _something, "jester": _jester, "images": _images}
    check_choice("dataset", dataset, readers)
    if split not in ("train", "val", "test"):
        raise ValueError(f"split={split!r}: choose train, val or test")
    root = Path(root).expanduser()
    index = readers[dataset](root, split)
    if quarantine and (root / FILE_NAME).is_file():
        bad = {root / problem.path for problem in read_quarantine(root / FILE_NAME)}
        index.quarantined = [video for video in index.videos if video.path in bad]
        index.videos = [video for video in index.videos if video.path not in bad]
    if not index.videos:
        wanted = [video.path.relative_to(root).parts[0] for video in index.missing[:1]]
        folders = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name not in (".git", *wanted))
        near = [name for folder in wanted for name in get_close_matches(folder, folders, cutoff=0.4)]
        hint = f"did you mean the folder {near[0]}?" if near else f"its folders are {', '.join(folders) or 'none'}"
        raise ValueError(f"no usable video in the {split} split under {root}: {hint}\n{index.summary()}")
    return index


def flip_label_map(classes: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[int, int | None]:
    """Labels that swap when a clip is mirrored, both ways, from pairs of names; None where the other is no class.

    So a subset of the classes can be used: clips of a class whose partner is absent are not mirrored.
    """
    label = {name: i for i, name in enumerate(classes)}
    both = [(label.get(one), label.get(other)) for one, other in pairs]
    return {a: b for one, other in both for a, b in ((one, other), (other, one)) if a is not None}


def _kinetics(root: Path, split: Split) -> Index:
    tables = {name: _kinetics_tables(name) for name in ("train", "val", split)}  # others name classes, if there
    listed = [name for name in tables if name == split or any((root / file).is_file() for file in tables[name])]
    rows = {name: list(csv_rows(first_file(root, tables[name]))) for name in listed}
    named = ((row.get("label") or "").strip() for part in rows.values() for _, row in part)
    labels = {name.replace("_", " ") for name in named if name}
    index = Index("kinetics", split, tuple(sorted(labels)))
    label = {name: i for i, name in enumerate(index.classes)}
    films = Counter(row.get("youtube_id") for _, row in rows[split])
    replaced = _files(root / "replacement/replacement_for_corrupted_k400")
    by_film = {stem[:11]: path for stem, path in replaced.items()}  # times of replacements may be others
    found = _files(root / split)
    for where, row in rows[split]:
        try:
            video_id, name = row["youtube_id"], (row.get("label") or "").strip().replace("_", " ")
            stem = f"{video_id}_{int(row['time_start']):06d}_{int(row['time_end']):06d}"
        except (KeyError, TypeError, ValueError) as error:
            index.malformed.append(f"{where}: {type(error).__name__} {error}")
            continue
        if not name and split != "test":
            index.malformed.append(f"{where}: {NO_LABEL_SAID}")
            continue
        alone = films[video_id] == 1  # of several clips of a film, only times say which a file is
        replacement = replaced.get(stem) or (by_film.get(video_id) if alone else None)
        index.replaced += replacement is not None
        path = replacement or found.get(stem) or (found.get(video_id) if alone else None)
        index.add(Video(video_id, path or root / split / f"{stem}.mp4", label[name] if name else NO_LABEL))
    return index


def _kinetics_tables(split: str) -> list[str]:
    names = {"train": ("train",), "val": ("val", "validate"), "test": ("test",)}[split]
    places = ("annotations/", "annotations/kinetics_", "", "kinetics_")
    return [f"{place}{name}.csv" for place in places for name in names]


def _files(folder: Path) -> dict[str, Path]:
    """Video files in a folder and in its sub-folders, by name without suffix; links are followed, once."""
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for directory, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(directory)
        if real in seen:  # a link to what has been read, or to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if visible(Path(name)))
        for name in sorted(files):
            path = Path(directory, name)
            if path.suffix.lower() in VIDEO_SUFFIXES and visible(path):
                found[path.stem] = path
    return found


def _something(root: Path, split: Split) -> Index:
    labels = read_json(_annotation(root, "something-something-v2", "labels", "json"), dict)
    try:
        label = {name: int(number) for name, number in labels.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"the labels of Something-Something under {root} are no map of names to numbers") from error
    if sorted(label.values()) != list(range(len(label))):
        raise ValueError(f"the labels of Something-Something under {root} are not numbered from 0 on")
    index = Index("something", split, tuple(sorted(label, key=label.__getitem__)))
    annotation = _annotation(root, "something-something-v2", split, "json")
    answers = _answers(root) if split == "test" else {}
    for i, row in enumerate(read_json(annotation, list)):
        row = row if isinstance(row, dict) else {}
        video_id = str(row.get("id", ""))
        template = answers.get(video_id) if split == "test" else row.get("template") or ""
        where, folder = f"{annotation.name}, item {i}", root / "20bn-something-something-v2"
        _add(index, label, where, video_id, template, folder, ".webm")
    return index


def _jester(root: Path, split: Split) -> Index:
    names = [row[0] for _, row in semicolon_rows(_annotation(root, "jester-v1", "labels", "csv")) if row[0]]
    index = Index("jester", split, tuple(sorted(set(names))))
    label = {name: i for i, name in enumerate(index.classes)}
    answers = _answers(root) if split == "test" else {}
    for where, row in semicolon_rows(_annotation(root, "jester-v1", split, "csv")):
        name = answers.get(row[0]) if split == "test" else (row[1] if len(row) == 2 else "")
        _add(index, label, where, row[0], name, root / "20bn-jester-v1", "")
    return index


def _images(root: Path, split: Split) -> Index:
    if not (root / split).is_dir():
        raise FileNotFoundError(f"no folder {root / split}: images are looked for in {split}/<class>/")
    classes = sorted(folder.name for folder in (root / split).iterdir() if folder.is_dir() and visible(folder))
    index = Index("images", split, tuple(classes))
    for label, name in enumerate(index.classes):
        for path in sorted((root / split / name).iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES and visible(path):
                index.add(Video(path.stem, path, label))
    return index


def _add(
    index: Index, label: Mapping[str, int], where: str, video_id: str, name: str | None, folder: Path, suffix: str
) -> None:
    """A TwentyBN video; `name` is None where no label is known, and brackets around placeholders are dropped."""
    name = name if name is None else str(name).replace("[", "").replace("]", "")
    if not video_id:
        index.malformed.append(f"{where}: no id")
    elif name is not None and not name.strip():
        index.malformed.append(f"{where}: {NO_LABEL_SAID}")
    elif name is not None and name not in label:
        index.malformed.append(f"{where}: unknown label {name!r}")
    else:
        index.add(Video(video_id, folder / f"{video_id}{suffix}", NO_LABEL if name is None else label[name]))


def _answers(root: Path) -> dict[str, str]:
    """Labels of the test split by id, where the release has them."""
    files = [root / name for name in ("labels/test-answers.csv", "test-answers.csv") if (root / name).is_file()]
    return {row[0]: row[1] for file in files[:1] for _, row in semicolon_rows(file) if len(row) == 2}


def _annotation(root: Path, prefix: str, name: str, suffix: str) -> Path:
    """The file of labels, or that of a split."""
    long = "validation" if name == "val" else name
    return first_file(root, [f"{prefix}-{long}.{suffix}", f"labels/{long}.{suffix}"])
