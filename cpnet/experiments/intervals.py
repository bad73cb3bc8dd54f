"""An interval for two sources of chance at once: the seeds of a training, and the videos that it is tested on.

All seeds are tested on the same videos, so seeds and videos are crossed. What is compared is paired per video, and the
difference of seed s at video v is taken as mean + seed_s + video_v + rest_sv. Components of variance are those of the
analysis of variance, none of them negative, with Satterthwaite's degrees of freedom: F. E. Satterthwaite, "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2, 1946; for readers and cases in the
place of seeds and videos S. L. Hillis, "A comparison of denominator degrees of freedom methods for multiple observer
ROC analysis", Statistics in Medicine 26, 2007.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

LEVEL = 0.95
SIDE = (1 - LEVEL) / 2  # chance of an error on each side


class Estimate(NamedTuple):
    """A mean in points, its standard error, degrees of freedom, and what it is the mean over."""

    mean: float
    error: float
    freedom: float
    seeds: int
    videos: int

    @property
    def half(self) -> float:
        """Half the width of the 95 % interval."""
        return float(student.ppf(1 - SIDE, self.freedom)) * self.error

    def p_not_above(self, bound: float) -> float:
        """Chance of a mean as high as this one, were the true one at `bound`."""
        return float(student.sf((self.mean - bound) / self.error, self.freedom))

    def p_not_below(self, bound: float) -> float:
        """Chance of a mean as low as this one, were the true one at `bound`."""
        return float(student.cdf((self.mean - bound) / self.error, self.freedom))

    def minus(self, other: Estimate) -> Estimate:
        """The difference from an estimate of other seeds and videos, with Welch's degrees of freedom."""
        squares = self.error**2, other.error**2
        freedom = sum(squares) ** 2 / (squares[0] ** 2 / self.freedom + squares[1] ** 2 / other.freedom)
        counts = min(self.seeds, other.seeds), min(self.videos, other.videos)
        return Estimate(self.mean - other.mean, sum(squares) ** 0.5, freedom, *counts)


def over_seeds(values: np.ndarray) -> Estimate:
    """Mean of values (seeds, videos), in points, where each seed has videos of its own: Student's over their means.

    Raises:
        ValueError: fewer than two seeds.
    """
    S, V = values.shape
    if S < 2:
        raise ValueError(f"{S} seeds: give two at least")
    error = float(values.mean(1).std(ddof=1)) / S**0.5
    return Estimate(float(values.mean()), _at_least(error, S - 1, 100 / V), S - 1, S, V)


def over_seeds_and_videos(differences: np.ndarray, one_video: float = 100.0) -> Estimate:
    """Mean of differences (seeds, videos), in points, as an estimate for other seeds and other videos.

    Args:
        one_video: most points that a video can change a difference by.

    Raises:
        ValueError: fewer than two seeds or two videos.
    """
    S, V = differences.shape
    if min(S, V) < 2:
        raise ValueError(f"{S} seeds and {V} videos: give two of both at least")
    mean, of_seeds, of_videos = differences.mean(), differences.mean(1), differences.mean(0)
    rest = differences - of_seeds[:, None] - of_videos[None] + mean
    rest_square = (rest**2).sum() / ((S - 1) * (V - 1))
    seed_square = max(V * of_seeds.var(ddof=1), rest_square)  # no component is negative
    video_square = S * of_videos.var(ddof=1)
    total = seed_square + max(video_square - rest_square, 0.0)
    parts = seed_square**2 / (S - 1) + video_square**2 / (V - 1) + rest_square**2 / ((S - 1) * (V - 1))
    freedom = total**2 / parts if parts else float(V - 1)
    error = _at_least(float((total / (S * V)) ** 0.5), freedom, one_video / V)
    return Estimate(float(mean), error, float(freedom), S, V)


def _at_least(error: float, freedom: float, half: float) -> float:
    """The interval reaches one video: that all are alike is no proof."""
    return max(error, half / float(student.ppf(1 - SIDE, freedom)))
