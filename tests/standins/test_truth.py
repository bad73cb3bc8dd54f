import numpy as np
import pytest

from cpnet.standins.truth import displacement_table, displacements


def test_things_jump_between_frames_of_a_clip_of_something_and_creep_in_kinetics():
    """A path of 0.75 heights in 11.5 frames, of which every fourth is seen, is 14.6 of 56 pixels a frame."""
    table = displacement_table({"something": ("something", 56, 8, 4), "kinetics": ("kinetics", 48, 8, 12)})
    assert table.loc["something", "pixels"] == pytest.approx(14.6, abs=1.5)
    assert table.loc["something", "cells of res4"] == pytest.approx(table.loc["something", "pixels"] / 8)
    assert table.loc["kinetics", "pixels"] < 5


def test_a_displacement_is_as_many_pixels_as_the_clip_is_large():
    small, large = (displacements("jester", size, 8, 4, videos=20) for size in (28, 56))
    assert np.allclose(2 * small, large)
