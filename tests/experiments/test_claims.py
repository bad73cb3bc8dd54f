import numpy as np
import pandas as pd
import pytest

from cpnet.experiments.claims import Verdict, difference_at_least, paired_difference, summarise


def test_outcomes_are_four():
    with pytest.raises(ValueError, match="holds, does not hold, undecided, not run"):
        Verdict("maybe", "")


@pytest.mark.parametrize(
    ("outcomes", "summary"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undecided"], "undecided"),
        (["undecided", "does not hold", "holds"], "does not hold"),
        (["holds", "not run"], "not run"),
        ([], "not run"),
    ],
)
def test_a_table_is_as_good_as_its_worst_claim(outcomes, summary):
    assert summarise(outcomes) == summary


def test_a_paired_difference_is_students():
    first = pd.Series([62.0, 61.0, 63.0], index=[0, 1, 2], name="a")
    half = 4.303 * 1.0 / 3**0.5
    verdict = paired_difference(first, pd.Series([60.0, 60.0, 60.0], index=[2, 1, 0], name="b"))
    assert verdict == Verdict("undecided", f"a - b: +2.0 ± {half:.1f} points, 3 seeds")
    assert paired_difference(first, first - 2).outcome == "holds"
    assert paired_difference(first - 2, first).outcome == "does not hold"
    assert paired_difference(first, first - 2, least=3).outcome == "does not hold"
    alike = paired_difference(first, (first - 2).rename("b"), finest=2.5)
    assert alike == Verdict("undecided", "a - b: +2.0 ± 2.5 points, 3 seeds")
    assert paired_difference(first, first[:2] - 2).outcome == "undecided"
    assert paired_difference(first, pd.Series([1.0], index=[0], name="b")).outcome == "undecided"
    assert paired_difference(first, pd.Series(dtype=float)).outcome == "not run"


def test_a_difference_over_clips_has_the_interval_of_binomials():
    rng = np.random.RandomState(0)
    differences = 100 * (rng.binomial(500, 0.6, 20_000) - rng.binomial(500, 0.2, 20_000)) / 500
    half = 1.96 * differences.std()
    verdict = difference_at_least(60.0, 20.0, 500, 14.0)
    assert verdict.outcome == "holds" and verdict.evidence.startswith("60.0 - 20.0 = 40.0 ± ")
    assert float(verdict.evidence.split()[-2]) == pytest.approx(half, abs=0.15)
    assert difference_at_least(60.0, 60.0 - 14 - half + 0.2, 500, 14.0).outcome == "undecided"
    assert difference_at_least(60.0, 59.0, 500, 14.0).outcome == "does not hold"
