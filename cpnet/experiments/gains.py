"""Where a gain is: accuracy by class, and by what decides the class, on stand-ins for videos."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from cpnet.data.layouts import Dataset, read_index
from cpnet.experiments.claims import Comparison, Contrast, Measured
from cpnet.experiments.intervals import over_seeds_and_videos
from cpnet.experiments.run import Run, records
from cpnet.standins import Spec, class_names, class_table
from cpnet.standins.write import clips_of

STILL = ("appearance", "nothing moves")


def val_classes(name: Dataset, count: int) -> list[str]:
    """The class of each of the first validation videos of a stand-in: of any size, and of the seed that tables use."""
    return [clip.label for clip in clips_of(Spec(name, 0, count, 0, seed=0))]


def decided_by(count: int, name: Dataset, kinds: Sequence[str]) -> np.ndarray:
    """(count,) bool: of which of the first validation videos the class is decided by one of some kinds of things."""
    table = class_table(name)["decided by"]
    return np.isin(table[val_classes(name, count)], kinds)


def no_gain(name: Dataset, rows: tuple[str, str], margin: float) -> Comparison:
    """The first row gains little over the second on classes that need no motion, or loses."""
    return Comparison("gain where no motion is needed", _gain(name, STILL, rows), high=margin)


def more_gain(name: Dataset, rows: tuple[str, str]) -> Comparison:
    """It gains more on classes that motion decides than on the others."""
    contrast = {**_gain(name, ("motion",), rows), **_gain(name, STILL, rows, sign=-1.0)}
    return Comparison("gain where motion decides minus gain elsewhere", contrast, low=0.0)


def _gain(name: Dataset, kinds: Sequence[str], rows: tuple[str, str], sign: float = 1.0) -> Contrast:
    videos = partial(decided_by, name=name, kinds=kinds)
    return {Measured(row, videos=videos): sign * part for row, part in zip(rows, (1.0, -1.0), strict=True)}


def by_class(name: Dataset, frame: pd.DataFrame, rows: tuple[str, str], data_root: str = "") -> pd.DataFrame:
    """Gain of the first row over the second, one line a class, the largest first: gain, half of its 95 % interval.

    Args:
        name: the data set, or its stand-in if `data_root` is empty.
        frame: of `cpnet.results.measurements`.
        rows: names of rows that share seeds; with one seed there is no interval.

    Raises:
        ValueError: results of the real data, and no `data_root`, whose annotations name the classes.
    """
    hits = [Measured(row).right(frame) for row in rows]
    seeds = sorted(set(hits[0]) & set(hits[1]))
    columns = ["class", "decided by", "videos", "gain", "half"]
    if not seeds:
        return pd.DataFrame(columns=columns).set_index("class")
    gains = np.stack([hits[0][seed] - hits[1][seed] for seed in seeds])  # (seeds, videos)
    names, listed = _classes(name, gains.shape[1], data_root, real="paper" in set(frame["profile"]))
    labels = np.array(listed)
    kinds, lines = class_table(name)["decided by"], []
    for label in names:
        mine = gains[:, labels == label]
        if mine.shape[1]:
            half = over_seeds_and_videos(mine).half if min(mine.shape) > 1 else np.nan
            lines.append((label, kinds.get(label, "not known"), mine.shape[1], mine.mean(), half))
    return pd.DataFrame(lines, columns=columns).sort_values("gain", ascending=False, kind="stable").set_index("class")


def confusion(name: Dataset, runs: Sequence[Run], data_root: str = "") -> pd.DataFrame:
    """Share of the videos of a class, by rows, that are taken for a class, by columns, in percent over all runs.

    Partners, films of which one is the other backwards, stand beside each other.
    """
    every = [[int(number) for number in record["predicted"]["val"].split()] for record in records(runs)]
    real = any(run.profile == "paper" for run in runs)
    names, labels = _classes(name, len(every[0]) if every else 0, data_root, real)
    of_videos = [pair for predicted in every for pair in zip(labels, predicted, strict=True)]
    pairs = [(label, names[number]) for label, number in of_videos if label and number >= 0]  # it could be read
    found = pd.DataFrame(pairs, columns=["class", "taken for"])
    partner = class_table(name)["partner, played backwards"].to_dict()
    order = sorted(names, key=lambda label: (not partner.get(label), min(label, partner.get(label) or label), label))
    shares = pd.crosstab(found["class"], found["taken for"], normalize="index")
    return 100 * shares.reindex(index=order, columns=order, fill_value=0.0)


def _classes(name: Dataset, count: int, data_root: str, real: bool) -> tuple[Sequence[str], list[str]]:
    """Names of the classes, and the class of each validation video, "" of one without."""
    if not data_root:
        if real and count:
            raise ValueError(f"classes of {name} are read from its annotations: give data_root")
        return class_names(name), val_classes(name, count)
    index = read_index(name, data_root, "val")
    return index.classes, [index.classes[video.label] if video.label >= 0 else "" for video in index.listed]
