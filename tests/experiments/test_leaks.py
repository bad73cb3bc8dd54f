from made_results import NOTHING, measured, outcomes

from cpnet.experiments.leaks import TABLE
from cpnet.standins import class_table
from cpnet.standins.write import clips_of


def told(percent, n=1100):
    rows = {name: {("val_partners", ""): value} for name, value in percent.items()}
    return measured(rows, n=n, noise=(0.8, 0.0, -0.8))


def test_who_guesses_has_half_with_evidence():
    assert outcomes(TABLE, told({"kinetics": 50.0, "something": 51.0, "jester": 49.0})) == ["holds"] * 3
    assert outcomes(TABLE, told({"kinetics": 60.0, "something": 54.0, "jester": 40.0})) == [
        "does not hold",
        "undecided",
        "does not hold",
    ]
    few = told({"kinetics": 50.0, "something": 50.0, "jester": 50.0}, n=200)
    assert set(outcomes(TABLE, few)) == {"undecided"}
    assert set(outcomes(TABLE, NOTHING)) == {"not run"}


def test_each_stand_in_has_1100_videos_of_partners_that_no_table_has():
    for run in TABLE.runs(seeds=0):
        spec = run.training.data.rendered
        partner = class_table(spec.name)["partner, played backwards"]
        labels = [clip.label for clip in clips_of(spec) if clip.split == "val"]
        assert sum(partner[label] != "" for label in labels) >= 1100 and spec.seed == 2
