"""Accuracy on a stand-in by how far things move between the frames of a clip; the paper does not have it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.claims import Measured
from cpnet.experiments.correspondences import filmed, validation_clips
from cpnet.experiments.gains import decided_by
from cpnet.experiments.run import Run, load
from cpnet.standins.truth import largest_step


def steps_of_videos(training: VideoTraining, count: int) -> np.ndarray:
    """(count,) of the first validation videos: how far the fastest thing moves, in pixels between neighbouring frames.

    NaN where something else than motion decides the class.
    """
    spec = training.data.rendered
    assert spec is not None
    clips, found = validation_clips(spec), np.full(count, np.nan)
    for i in np.flatnonzero(decided_by(count, spec.name, ("motion",))):
        found[i] = largest_step(*filmed(training, clips[i]), training.data.size)
    return found


def by_displacement(runs: Sequence[Run], parts: int = 4) -> pd.DataFrame:
    """Top-1 where motion decides, in parts of equally many videos, those that move least first.

    Args:
        runs: of one stand-in, with clips that are alike.
        parts: number of parts.

    Returns:
        One line a run and part: row, seed, px (median of the part), top1 in percent.
    """
    columns = ["row", "seed", "px", "top1"]
    frame = load(runs)
    hits = {row: Measured(row).right(frame) for row in dict.fromkeys(run.row for run in runs)}
    counts = {len(right) for of_seed in hits.values() for right in of_seed.values()}
    if not counts:
        return pd.DataFrame(columns=columns)
    (count,) = counts
    training = runs[0].training
    assert isinstance(training, VideoTraining)
    steps = steps_of_videos(training, count)
    order = np.argsort(steps)[: np.count_nonzero(~np.isnan(steps))]  # NaN comes last
    lines = [
        (row, seed, float(np.median(steps[part])), right[part].mean())
        for row, of_seed in hits.items()
        for seed, right in of_seed.items()
        for part in np.array_split(order, parts)
    ]
    return pd.DataFrame(lines, columns=columns)
