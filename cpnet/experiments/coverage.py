"""How often 95 % intervals over seeds and videos contain the true difference of two networks, by simulation."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import norm

from cpnet.experiments.intervals import SIDE, over_seeds_and_videos
from cpnet.progress import progress_bar

SEEDS, VIDEOS = (3, 5), (50, 200, 500, 1000)
SPREADS = (0.0, 0.2, 0.5)  # of a network's accuracy over seeds, standard deviation in logits


def coverage(seeds: int, videos: int, spread: float, trials: int, random: np.random.Generator) -> dict[str, float]:
    """Of made-up pairs of networks, how often the interval covers the true difference, and how wide it is, in points.

    `known half` is that of an interval whose standard error is known.
    """
    true = np.mean([np.subtract(*_accuracies(400, 4000, spread, random)).mean() for _ in range(20)])
    estimates = []
    for _ in range(trials):
        accuracies = _accuracies(seeds, videos, spread, random)
        right = 100.0 * (random.random(accuracies.shape) < accuracies)
        estimates.append(over_seeds_and_videos(right[0] - right[1]))
    errors = np.array([estimate.mean for estimate in estimates]) - 100 * true
    halves = np.array([estimate.half for estimate in estimates])
    return {
        "covered, %": 100 * float(np.mean(np.abs(errors) <= halves)),
        "half": float(halves.mean()),
        "known half": float(norm.ppf(1 - SIDE) * errors.std()),
    }


def _accuracies(seeds: int, videos: int, spread: float, random: np.random.Generator) -> np.ndarray:
    """(2, seeds, videos) from 0 to 1: of two networks about 20 points apart, more on some videos than others."""
    hard, apart = random.normal(0, 1.5, videos), random.normal(1.5, 1.5, videos)
    of_seeds = random.normal(0, spread, (2, seeds, 1))
    return 1 / (1 + np.exp(-(1 + hard + np.array([0.5, -0.5])[:, None, None] * apart + of_seeds)))


def coverage_table(trials: int) -> pd.DataFrame:
    """One line a number of seeds, a number of videos and a spread over seeds."""
    cells = [(seeds, videos, spread) for seeds in SEEDS for videos in VIDEOS for spread in SPREADS]
    random = np.random.default_rng(0)

    def lines() -> Iterator[dict[str, float]]:
        for seeds, videos, spread in progress_bar(True, iterable=cells, desc="coverage", unit="cell"):
            yield {"seeds": seeds, "videos": videos, "spread": spread} | coverage(seeds, videos, spread, trials, random)

    return pd.DataFrame(lines())
