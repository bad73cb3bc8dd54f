"""An interval for two sources of chance at once: the seeds of a training, and the videos that it is tested on.

All seeds are tested on the same videos, so seeds and videos are crossed. What is compared is paired per video, and the
difference of seed s at video v is taken as mean + seed_s + video_v + rest_sv. Components of variance are those of the
analysis of variance, none of them negative, with Satterthwaite's degrees of freedom: F. E. Satterthwaite, "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2, 1946; for readers and cases in the
place of seeds and videos S. L. Hillis, "A comparison of denominator degrees of freedom methods for multiple observer
ROC analysis", Statistics in Medicine 26, 2007.
"""

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


def over_seeds_and_videos(differences: np.ndarray) -> Estimate:
    """Mean of differences (seeds, videos), in points, as an estimate for other seeds and other videos.

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
    one_video = 100 / V / float(student.ppf(1 - SIDE, freedom))  # the interval reaches as far: all alike is no proof
    return Estimate(float(mean), max(float((total / (S * V)) ** 0.5), one_video), float(freedom), S, V)
