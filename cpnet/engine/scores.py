"""Scores of videos kept on disk, and the files that servers of test sets take."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from cpnet.data.layouts import Index
from cpnet.engine.machine import is_main_process
from cpnet.files import write_atomically

KEY = "cpnet_scores"  # of the texts in a file's metadata: one key, as the order of several is not defined


class Scores(NamedTuple):
    """Scores of the videos of a split.

    Attributes:
        scores: (videos, classes) float32; a row of NaN for a video that could not be read.
        ids: names of the videos, as the data set has them.
        labels: class numbers, -1 where unknown.
        classes: names by class number.
    """

    scores: Tensor
    ids: list[str]
    labels: list[int]
    classes: list[str]


def scores_of(scores: Tensor, index: Index) -> Scores:
    """Scores of all that an index lists, but for malformed rows, which have no id."""
    videos = index.listed[: index.n_expected - len(index.malformed)]
    return Scores(scores[: len(videos)], [v.id for v in videos], [v.label for v in videos], [*index.classes])


def save_scores(path: Path, scores: Scores) -> None:
    """Write scores to one safetensors file, texts as JSON in its metadata, as a whole or not at all."""
    texts = json.dumps({"version": 1, "ids": scores.ids, "classes": scores.classes})
    tensors = {"scores": scores.scores.contiguous(), "labels": torch.tensor(scores.labels)}
    write_atomically(path, save(tensors, {KEY: texts}))


def read_scores(path: Path) -> Scores:
    """Scores of a file that `save_scores` has written."""
    with safe_open(path, "pt") as file:
        texts = json.loads(file.metadata()[KEY])
        return Scores(file.get_tensor("scores"), texts["ids"], file.get_tensor("labels").tolist(), texts["classes"])


def scored_once(path: Path, index: Index, score: Callable[[], Tensor]) -> Tensor:
    """Scores of all that an index lists, in each process: those of an earlier call in a file, or new ones, kept there.

    Args:
        path: the main process reads and writes it.
        score: computes them, in all processes together.
    """
    from accelerate.utils import broadcast_object_list  # here and not above: see `Machine.accelerator`

    kept: list[Tensor | None] = [None]
    if is_main_process() and path.is_file():
        found = read_scores(path)
        if found[1:] == scores_of(found.scores, index)[1:]:
            print(f"tested before: {path}")
            kept = [F.pad(found.scores, (0, 0, 0, len(index.malformed)), value=float("nan"))]
    broadcast_object_list(kept)
    if kept[0] is not None:
        return kept[0]
    scores = score()
    if is_main_process():
        save_scores(path, scores_of(scores, index))
    return scores


def write_submissions(folder: Path, dataset: Literal["kinetics", "something", "jester"], scores: Scores) -> list[Path]:
    """Write the files that a server of a test set takes, each with every video, and return their paths.

    Kinetics: `kinetics-test.json`, in ActivityNet's format, the five best classes of a video by name, best first.
    Something-Something and Jester: TwentyBN's servers are gone, and with them the description of their format. So there
    are two files: `<dataset>-test-indices.csv` with lines `id;i1;i2;i3;i4;i5`, class numbers, best first, as the
    released code has them in its logs; and `<dataset>-test-labels.csv` with lines `id;name of the best class`, as the
    published `test-answers.csv`. Neither has a header. Class numbers are those of `scores.classes`.

    A video that could not be read has no scores: it is given the classes 0 to 4 in this order, in Kinetics with a score
    of 0, so that its line exists. How many these are is printed. Fewer than five classes are listed all.

    Raises:
        ValueError: another data set, an id that comes twice, or a text that would break a line.
    """
    if dataset not in ("kinetics", "something", "jester"):
        raise ValueError(f"dataset={dataset!r}: choose kinetics, something or jester, which have servers")
    repeated = [video for video, times in Counter(scores.ids).items() if times > 1]
    if repeated:
        raise ValueError(f"id {repeated[0]!r} comes more than once: give each video once")
    # The five best classes of each row, best first, the lower number of equals first; of NaN the first five.
    best = scores.scores.nan_to_num().sort(dim=1, descending=True, stable=True).indices[:, :5].tolist()
    texts = _activitynet(scores, best) if dataset == "kinetics" else _twentybn(scores, best)
    files = {folder / f"{dataset}-test{name}": text for name, text in texts.items()}
    for file, text in files.items():
        write_atomically(file, text.encode())
    unread = int(scores.scores.isnan().any(1).count_nonzero())
    if unread:
        print(f"{unread} of {len(scores.ids)} videos could not be read: they are given the first classes, in order")
    return [*files]


def _activitynet(scores: Scores, best: list[list[int]]) -> dict[str, str]:
    """The file by how its name ends."""
    results = {
        video: [{"label": scores.classes[c], "score": row[c]} for c in classes]
        for video, row, classes in zip(scores.ids, scores.scores.nan_to_num().tolist(), best, strict=True)
    }
    content = {"version": "KINETICS VERSION 1.0", "results": results, "external_data": {}}
    return {".json": json.dumps(content, allow_nan=False)}


def _twentybn(scores: Scores, best: list[list[int]]) -> dict[str, str]:
    """The files by how their names end."""
    for text in (*scores.ids, *scores.classes):
        if ";" in text or len(text.splitlines()) != 1:
            raise ValueError(f"{text!r} cannot stand in a line of fields between semicolons: rename it")
    rows = [*zip(scores.ids, best, strict=True)]
    return {
        "-indices.csv": "".join(f"{video};{';'.join(map(str, classes))}\n" for video, classes in rows),
        "-labels.csv": "".join(f"{video};{scores.classes[classes[0]]}\n" for video, classes in rows),
    }
