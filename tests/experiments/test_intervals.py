"""The interval over seeds and videos against Student's tests, where it is one, and against simulated trainings."""

import numpy as np
import pytest
from scipy import stats

from cpnet.experiments.coverage import coverage
from cpnet.experiments.intervals import over_seeds, over_seeds_and_videos


def students(sample):
    """Mean and half of the 95 % interval of a sample."""
    low, high = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    return sample.mean(), (high - low) / 2


def test_of_seeds_that_agree_it_is_students_over_videos():
    over_videos = 100.0 * np.random.default_rng(0).integers(-1, 2, 40)
    found = over_seeds_and_videos(np.tile(over_videos, (3, 1)))
    assert (found.mean, found.half) == pytest.approx(students(over_videos))


def test_of_videos_that_agree_it_is_students_over_seeds():
    over_seeds = np.array([3.0, 9.0, -4.0, 5.0])
    found = over_seeds_and_videos(np.tile(over_seeds[:, None], (1, 300)))
    assert (found.mean, found.half) == pytest.approx(students(over_seeds))


def test_chances_are_those_of_students_test():
    sample = 100.0 * np.random.default_rng(1).integers(-1, 2, 40)
    found = over_seeds_and_videos(np.tile(sample, (3, 1)))
    for bound in (-10.0, 0.0, 25.0):
        assert found.p_not_above(bound) == pytest.approx(stats.ttest_1samp(sample, bound, alternative="greater").pvalue)
        assert found.p_not_below(bound) == pytest.approx(stats.ttest_1samp(sample, bound, alternative="less").pvalue)


def test_the_order_of_seeds_and_of_videos_does_not_matter():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(5, 60)) + rng.normal(size=(5, 1)) + rng.normal(size=(1, 60))
    shuffled = values[rng.permutation(5)][:, rng.permutation(60)]
    assert over_seeds_and_videos(shuffled) == pytest.approx(over_seeds_and_videos(values))


def test_it_reaches_one_video_though_nothing_differs():
    assert over_seeds_and_videos(np.full((3, 50), 100.0)).half == pytest.approx(2.0)


def test_of_seeds_with_videos_of_their_own_it_is_students_over_seeds():
    values = 100.0 * (np.random.default_rng(4).random((5, 80)) < 0.3)
    found = over_seeds(values)
    assert (found.mean, found.half) == pytest.approx(students(values.mean(1)))
    assert over_seeds(np.full((3, 50), 25.0)).half == pytest.approx(2.0)
    with pytest.raises(ValueError, match="give two at least"):
        over_seeds(values[:1])


@pytest.mark.parametrize("shape", [(1, 50), (3, 1)])
def test_one_seed_or_one_video_has_no_interval(shape):
    with pytest.raises(ValueError, match="give two of both at least"):
        over_seeds_and_videos(np.zeros(shape))


@pytest.mark.parametrize("spread", [0.0, 0.2, 0.5])
@pytest.mark.parametrize(("seeds", "videos"), [(3, 50), (3, 500), (5, 50), (5, 500)])
def test_intervals_cover_the_true_difference_and_are_not_needlessly_wide(seeds, videos, spread):
    found = coverage(seeds, videos, spread, 500, np.random.default_rng(3))
    assert found["covered, %"] >= 93 - 2.5  # 500 trials know it to 2.2 points
    assert found["half"] <= stats.t.ppf(0.975, seeds - 1) / stats.norm.ppf(0.975) * found["known half"]
