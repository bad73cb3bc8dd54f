"""Where a gain is: accuracy by class, and by what decides the class, on stand-ins for videos."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from cpnet.data.layouts import Dataset
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
    """The first row gains nothing over the second on classes that one frame decides, but for a margin."""
    return Comparison("gain where one frame decides", _gain(name, STILL, rows), -margin, margin)


def more_gain(name: Dataset, rows: tuple[str, str]) -> Comparison:
    """It gains more on classes that motion decides than on those that one frame decides."""
    contrast = {**_gain(name, ("motion",), rows), **_gain(name, STILL, rows, sign=-1.0)}
    return Comparison("gain where motion decides less that where one frame does", contrast, low=0.0)


def _gain(name: Dataset, kinds: Sequence[str], rows: tuple[str, str], sign: float = 1.0) -> Contrast:
    videos = partial(decided_by, name=name, kinds=kinds)
    return {Measured(row, videos=videos): sign * part for row, part in zip(rows, (1.0, -1.0), strict=True)}


def by_class(name: Dataset, frame: pd.DataFrame, rows: tuple[str, str]) -> pd.DataFrame:
    """Gain of the first row over the second, one line a class, the largest first: gain, half of its 95 % interval.

    Args:
        name: the stand-in.
        frame: of `cpnet.results.measurements`.
        rows: names of rows that share seeds.
    """
    hits = [Measured(row).right(frame) for row in rows]
    seeds = sorted(set(hits[0]) & set(hits[1]))
    columns = ["class", "decided by", "videos", "gain", "half"]
    if len(seeds) < 2:
        return pd.DataFrame(columns=columns).set_index("class")
    gains = np.stack([hits[0][seed] - hits[1][seed] for seed in seeds])  # (seeds, videos)
    classes, kinds = np.array(val_classes(name, gains.shape[1])), class_table(name)["decided by"]
    lines = []
    for label in class_names(name):
        mine = gains[:, classes == label]
        estimate = over_seeds_and_videos(mine)
        lines.append((label, kinds[label], mine.shape[1], estimate.mean, estimate.half))
    return pd.DataFrame(lines, columns=columns).sort_values("gain", ascending=False, kind="stable").set_index("class")


def confusion(name: Dataset, runs: Sequence[Run]) -> pd.DataFrame:
    """Share of the videos of a class, by rows, that are taken for a class, by columns, in percent over all runs.

    Partners, films of which one is the other backwards, stand beside each other.
    """
    partner, names = class_table(name)["partner, played backwards"], class_names(name)
    order = sorted(names, key=lambda label: (not partner[label], min(label, partner[label] or label), label))
    pairs: list[tuple[str, str]] = []
    for record in records(runs):
        predicted = [int(number) for number in record["predicted"]["val"].split()]
        of_run = zip(val_classes(name, len(predicted)), predicted, strict=True)
        pairs += [(label, names[number]) for label, number in of_run if number >= 0]  # it could be read
    found = pd.DataFrame(pairs, columns=["class", "taken for"])
    shares = pd.crosstab(found["class"], found["taken for"], normalize="index")
    return 100 * shares.reindex(index=order, columns=order, fill_value=0.0)
