import numpy as np
import pandas as pd
import pytest
from made_results import measured, right_about

from cpnet.experiments.claims import (
    Comparison,
    Measured,
    Verdict,
    all_hold,
    difference,
    fewer_weights,
    mean_difference,
    more_accurate,
    rising,
    slope,
    within,
)

A, B = Measured("a"), Measured("b")


def test_outcomes_are_four():
    with pytest.raises(ValueError, match="holds, does not hold, undecided, partly run, not run"):
        Verdict("maybe", "")


@pytest.mark.parametrize(
    ("outcomes", "summary"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undecided"], "undecided"),
        (["undecided", "does not hold", "holds"], "does not hold"),
        (["holds", "not run"], "partly run"),
        (["holds", "partly run"], "partly run"),
        (["not run", "not run"], "not run"),
        ([], "not run"),
    ],
)
def test_a_table_is_as_good_as_its_worst_claim(outcomes, summary):
    assert all_hold([Verdict(outcome, "") for outcome in outcomes]).outcome == summary


def test_several_verdicts_say_how_many_hold_and_each_evidence_once():
    verdicts = [Verdict("holds", "a"), Verdict("undecided", "b"), Verdict("holds", "a")]
    assert all_hold(verdicts) == Verdict("undecided", "2 of 3 hold; a; b")


@pytest.mark.parametrize(
    ("least", "outcome"), [(0.0, "holds"), (6.0, "holds"), (10.0, "undecided"), (14.0, "does not hold")]
)
def test_a_difference_is_judged_by_its_interval(least, outcome):
    verdict = more_accurate(measured({"a": 50.0, "b": 40.0}), [("a", "b")], least)
    assert verdict.outcome == outcome
    assert verdict.evidence.startswith("a - b: +10.0 ± ") and verdict.evidence.endswith(" points, 3 seeds x 500 videos")


def test_videos_are_paired():
    """50 % and 40 %, of the same videos but for a tenth, or of others."""
    frame = measured({"a": 50.0, "b": 40.0}, n=100, noise=(0, 0, 0)).query("metric == 'val_top1'")
    turned = [r[::-1] if row == "b" else r for row, r in zip(frame["row"], frame["right"], strict=True)]
    others = frame.assign(right=turned)
    assert within(frame, [difference(A, B, 0.0)]).outcome == "holds"
    assert within(others, [difference(A, B, 0.0)]).outcome == "undecided"


def test_of_some_videos_mean_and_interval_are_those_of_these_alone():
    few = np.arange(500) < 100
    frame = measured({"a": 50.0, "b": 40.0}, n=500).query("metric == 'val_top1'")
    alone = frame.assign(right=[right[few] for right in frame["right"]])
    some = {Measured(row, videos=lambda count: few): sign for row, sign in (("a", 1.0), ("b", -1.0))}
    found = within(frame, [Comparison("some", some)]).effects[0]
    expected = within(alone, [difference(A, B)]).effects[0]
    assert found.mean == pytest.approx(expected.mean) and found.half == pytest.approx(expected.half, rel=0.05)


def test_equivalence_needs_the_whole_interval_within_its_margin():
    chance = Comparison("guessing", {A: 1.0}, 45.0, 55.0)

    def judged(percent, n):
        return within(measured({"a": percent}, n=n), [chance])

    assert judged(50.0, 1100) == Verdict("holds", judged(50.0, 1100).evidence)
    assert judged(50.0, 1100).evidence.startswith("guessing: 50.0 ± ")
    assert judged(50.0, 60).outcome == "undecided"  # no evidence of chance, though it is at chance
    assert judged(54.0, 429).outcome == "undecided"
    assert judged(65.0, 1100).outcome == judged(35.0, 1100).outcome == "does not hold"


def test_fewer_seeds_than_three_decide_nothing():
    frame = measured({"a": 90.0, "b": 10.0}, seeds=(0, 1), noise=(0, 0, 0))
    assert within(frame, [difference(A, B, 0.0)]) == Verdict("undecided", "a - b: +80.0 points, 2 of at least 3 seeds")
    both = pd.concat([measured({"a": 90.0}), measured({"b": 10.0}, seeds=(2, 3, 4), noise=(0, 0, 0))])
    assert within(both, [difference(A, B, 0.0)]).evidence == "a - b: +80.0 points, 1 of at least 3 seeds"
    assert within(measured({"a": 90.0}), [difference(A, B, 0.0)]).outcome == "not run"


def test_of_the_miniature_nothing_is_claimed():
    assert more_accurate(measured({"a": 50.0, "b": 40.0}, profile="smoke"), [("a", "b")]).outcome == "not run"


def test_one_contradiction_among_many_comparisons_is_corrected_for():
    """A difference that contradicts a claim by itself need not among twenty: chance has one of forty so."""
    made = {"a": 49.0, "b": 60.0} | {f"c{i}": 20.0 for i in range(19)}
    frame = measured(made, n=100, noise=(0, 0, 0)).query("metric == 'val_top1'").copy()
    only_a = np.arange(100) >= 97  # 3 videos, and 11 that only b is right about: one chance of 66
    frame["right"] = [r | only_a if row == "a" else r for row, r in zip(frame["row"], frame["right"], strict=True)]
    others = [("a", row) for row in frame["row"].unique() if row != "a"]
    assert more_accurate(frame, others[:1]).outcome == "does not hold"
    assert more_accurate(frame, others).outcome == "undecided"


def test_what_is_only_partly_run_holds_no_claim():
    frame = measured({"a": 50.0, "b": 40.0})
    partly = more_accurate(frame, [("a", "b"), ("a", "missing")])
    assert partly.outcome == "partly run" and partly.evidence.startswith("1 of 2 hold; a - b: +10.0")
    assert more_accurate(frame, [("b", "a"), ("a", "missing")]).outcome == "does not hold"


def test_the_least_certain_comparisons_are_spelt_out():
    rows = {"a": 90.0} | {f"b{i}": 80.0 - 10 * i for i in range(6)}
    verdict = more_accurate(measured(rows), [("a", row) for row in rows if row != "a"])
    assert verdict.evidence.startswith("6 of 6 hold; the least certain are ") and verdict.evidence.count(" ± ") == 4
    assert "a - b0: " in verdict.evidence and "a - b5: " not in verdict.evidence


def test_slopes_are_those_of_least_squares():
    xs, ys = [0.0, 1.0, 2.0, 4.0, 6.0], [3.0, 5.0, 4.0, 9.0, 8.0]
    assert np.dot(slope(xs), ys) == pytest.approx(np.polyfit(xs, ys, 1)[0])
    frame = measured({"n0": 40.0, "n1": 44.0, "n2": 48.0}, noise=(0, 0, 0))
    assert rising(frame, {"n0": 0, "n1": 1, "n2": 2}, "module").evidence.startswith("slope per module: +4.0 ± ")
    assert rising(frame, {"n0": 2, "n1": 1, "n2": 0}, "module").outcome == "does not hold"


def test_a_mean_difference_weighs_all_cells_of_a_group_alike():
    frame = measured({"a": 60.0, "b": 40.0, "c": 30.0}, noise=(0, 0, 0))
    cells = Comparison("a - others", mean_difference([A], [B, Measured("c")]), 0.0)
    assert within(frame, [cells]).evidence.startswith("a - others: +25.0 ± ")


def test_weights_are_compared_as_counted():
    frame = measured({"a": 1.0, "b": 1.0}, weights={"a": 3, "b": 4})
    assert fewer_weights(frame, "a", ["b"]) == Verdict("holds", "a 3, b 4")
    assert fewer_weights(frame, "b", ["a"]).outcome == "does not hold"
    assert fewer_weights(frame, "a", ["missing"]).outcome == "not run"


def test_results_without_videos_are_not_judged():
    frame = measured({"a": 50.0, "b": 40.0})
    assert within(frame.assign(right=None), [difference(A, B, 0.0)]).outcome == "not run"
    assert right_about(50.0, 4).tolist() == [True, True, False, False]
