import numpy as np
import pandas as pd
import pytest
from made_jester import make_jester
from made_results import NOTHING, measured

from cpnet.data.layouts import read_index
from cpnet.experiments import gains
from cpnet.experiments.claims import within
from cpnet.standins import Spec, class_names, class_table, render

ROWS = ("cpnet", "c2d")
N = 1000


def made(motion, still, name="something"):
    """CPNet right about so many percent of the videos that motion decides, and of the others; C2D about half of all."""
    frame = measured({"cpnet": 50.0, "c2d": 50.0}, n=N)
    moving = gains.decided_by(N, name, ("motion",))
    percent = {"cpnet": np.where(moving, motion, still), "c2d": np.full(N, 50.0)}
    drawn = [
        np.random.RandomState(seed).rand(N) < percent[row] / 100
        for row, seed in zip(frame["row"], frame["seed"], strict=True)
    ]
    frame["right"] = drawn
    return frame


def test_videos_are_those_that_are_rendered(tmp_path):
    render(Spec("jester", train=1, val=5, size=32, seed=0), tmp_path, jobs=1, progress=False)
    index = read_index("jester", tmp_path, "val")
    assert [index.classes[video.label] for video in index.videos] == gains.val_classes("jester", 5)


@pytest.mark.parametrize(
    ("motion", "still", "expected"),
    [
        (90, 51, ["holds", "holds"]),
        (90, 20, ["holds", "holds"]),
        (90, 90, ["does not hold", "undecided"]),
        (50, 90, ["does not hold"] * 2),
    ],
)
def test_a_gain_is_found_where_it_is(motion, still, expected):
    frame = made(motion, still)
    claims = [[gains.no_gain("something", ROWS, 5.0)], [gains.more_gain("something", ROWS)]]
    assert [within(frame, comparisons).outcome for comparisons in claims] == expected


def test_the_size_of_a_gain_is_the_mean_over_the_videos_of_its_kind():
    frame = made(80, 60)
    moving = gains.decided_by(N, "something", ("motion",))
    right = {
        row: np.mean([*frame.loc[(frame["row"] == row) & (frame["metric"] == "val_top1"), "right"]], 0) for row in ROWS
    }
    gain = 100 * (right["cpnet"] - right["c2d"])
    said = within(frame, [gains.more_gain("something", ROWS)]).evidence
    assert f"{gain[moving].mean() - gain[~moving].mean():+.1f} ±" in said


def test_kinds_of_classes_are_no_kinds_of_the_real_data():
    assert within(made(90, 50).assign(profile="paper"), [gains.no_gain("something", ROWS, 5.0)]).outcome == "not run"


def test_classes_of_the_real_data_are_not_those_of_the_stand_in():
    with pytest.raises(ValueError, match="classes of something are read from its annotations: give data_root"):
        gains.by_class("something", made(90, 50).assign(profile="paper"), ROWS)


def test_gains_of_classes_are_sorted_and_average_to_the_whole():
    frame = made(90, 50)
    found = gains.by_class("something", frame, ROWS)
    assert sorted(found.index) == list(class_names("something")) and found["videos"].sum() == N
    assert found["gain"].is_monotonic_decreasing and (found["half"] > 0).all()
    hits = frame[frame["metric"] == "val_top1"].groupby("row")["right"].apply(lambda rows: np.mean([*rows]))
    whole = 100 * (hits["cpnet"] - hits["c2d"])
    assert np.average(found["gain"], weights=found["videos"]) == pytest.approx(whole)
    assert gains.by_class("something", NOTHING, ROWS).empty
    assert gains.by_class("something", frame[frame["seed"] == 1], ROWS)["half"].isna().all()


def test_classes_of_the_real_data_are_those_of_its_annotation(tmp_path):
    root = make_jester(tmp_path / "data", val=6)
    frame = measured({"cpnet": 100.0, "c2d": 50.0}, n=6, profile="paper", seeds=(0,), noise=(0.0,) * 3)
    found = gains.by_class("jester", frame, ROWS, str(root))
    assert found["gain"].to_dict() == {"Blue": 50.0, "Green": 50.0, "Red": 50.0}
    assert set(found["decided by"]) == {"not known"}


def test_confusions_are_counted_and_partners_stand_side_by_side(monkeypatch):
    names = class_names("jester")
    labels = gains.val_classes("jester", 100)
    predicted = [names.index(label) for label in labels]
    predicted[0] = (predicted[0] + 1) % len(names)  # one error, and one video that could not be read
    predicted[1] = -1
    text = " ".join(map(str, predicted))
    monkeypatch.setattr(gains, "records", lambda runs: [{"predicted": {"val": text}}])
    found = gains.confusion("jester", [])
    others = pd.Series(labels[1:2] + labels[:1]).tolist()
    counted = [label for label in labels if label not in others]
    assert all(found.loc[label, label] == 100 for label in counted)
    mine = labels.count(labels[0])
    assert found.loc[labels[0], labels[0]] == pytest.approx(100 * (mine - 1) / mine)
    assert found.sum(axis=1).round(6).eq(100).all() and list(found.index) == list(found.columns)
    partner = class_table("jester")["partner, played backwards"]
    pairs = [i for i, label in enumerate(found.index) if partner[label]]
    assert all(found.index[i + 1] == partner[found.index[i]] for i in pairs[::2])
