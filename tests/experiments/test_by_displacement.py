"""Accuracy by how far things move, on results that are made up from it."""

import numpy as np
import pandas as pd
import pytest

from cpnet.experiments import by_displacement, table3d
from cpnet.experiments.gains import val_classes
from cpnet.standins import class_table

COUNT = 60
ROWS = ["c2d_step12", "cpnet_step12"]


@pytest.fixture
def runs():
    return table3d.TABLE.runs("cpu", 0, ROWS)


@pytest.fixture
def steps(runs):
    return by_displacement.steps_of_videos(runs[0].training, COUNT)


def test_only_classes_that_motion_decides_have_a_step(steps):
    kinds = class_table("kinetics")["decided by"][val_classes("kinetics", COUNT)].to_numpy()
    assert ((kinds == "motion") == ~np.isnan(steps)).all()
    assert 0.5 < np.nanmin(steps) < np.nanmax(steps) < 12


def test_fewer_frames_between_those_of_a_clip_are_smaller_steps(steps):
    (dense,) = table3d.TABLE.runs("cpu", 0, ["c2d_step4"])
    smaller = by_displacement.steps_of_videos(dense.training, COUNT)
    assert np.nanmedian(smaller) < np.nanmedian(steps) < 3 * np.nanmedian(smaller)


def test_parts_hold_what_moves_as_far(monkeypatch, runs, steps):
    """A network that is right about what moves farther than the median, and one that is right about the rest."""
    far = steps > np.nanmedian(steps)
    right = {"c2d_step12": far, "cpnet_step12": ~far}
    lines = [("table3d", row, "cpu", 0, "", "val_top1", 0.0, right[row]) for row in ROWS]
    columns = ["table", "row", "profile", "seed", "protocol", "metric", "value", "right"]
    monkeypatch.setattr(by_displacement, "load", lambda runs: pd.DataFrame(lines, columns=columns))
    found = by_displacement.by_displacement(runs, parts=2).set_index("row")["top1"]
    assert found["c2d_step12"].tolist() == [0, 100] and found["cpnet_step12"].tolist() == [100, 0]
