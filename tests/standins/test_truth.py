import numpy as np
import pytest
from PIL import Image

from cpnet.standins import class_names
from cpnet.standins.canvas import WORLD, Camera, Film, Layer
from cpnet.standins.truth import BACKGROUND, displacement_table, displacements, truth
from cpnet.standins.write import compose_clips


def test_things_jump_between_frames_of_a_clip_of_something_and_creep_in_kinetics():
    """A path of 0.75 heights in 11.5 frames, of which every fourth is seen, is 14.6 of 56 pixels a frame."""
    table = displacement_table({"something": ("something", 56, 8, 4), "kinetics": ("kinetics", 48, 8, 12)})
    assert table.loc["something", "pixels"] == pytest.approx(14.6, abs=1.5)
    assert table.loc["something", "cells of res4"] == pytest.approx(table.loc["something", "pixels"] / 8)
    assert table.loc["kinetics", "pixels"] < 5


def test_a_displacement_is_as_many_pixels_as_the_clip_is_large():
    small, large = (displacements("jester", size, 8, 4, videos=20) for size in (28, 56))
    assert np.allclose(2 * small, large)


SIDE = 64  # pixels of a frame and of the clip: 16 rows and columns of 4 pixels


def square(colour, x, y, half, angle=0.0):
    """An opaque square; `x`, `y` and `half` in pixels of the frame."""
    image = Image.new("RGBA", (32, 32), (*colour, 255))
    return Layer(
        image, (np.asarray(x) - SIDE / 2) / SIDE, (np.asarray(y) - SIDE / 2) / SIDE, np.asarray(half) / SIDE, angle
    )


def film(*layers, camera=None, T=3, backwards=False):
    ground = Image.new("RGB", (int(WORLD * SIDE),) * 2, (90, 90, 90))
    return Film(ground, layers, camera or Camera(), (T, SIDE, SIDE), backwards)


def of(made, frames=(0, 1, 2), grid=(16, 16)):
    return truth(made, frames, SIDE, grid)


def test_a_square_that_moves_is_followed():
    """8 px a frame are two columns; it covers columns 3 to 6 of row 5, whose centres are at 12.5 to 24.5 px."""
    found = of(film(square((255, 0, 0), [18, 26, 34], 22, 7.9)))
    assert (found.shows[0, 5] == 0).nonzero()[0].tolist() == [3, 4, 5, 6]
    assert (found.shows[1, 5] == 0).nonzero()[0].tolist() == [5, 6, 7, 8]
    assert np.allclose(found.places[0, 5, 3], [[5, 3], [5, 5], [5, 7]])
    assert np.allclose(found.places[2, 5, 8], [[5, 4], [5, 6], [5, 8]])
    assert found.seen[0, 5, 3].all()
    assert np.allclose(found.places[0, 0, 0], [[0, 0]] * 3) and found.shows[0, 0, 0] == BACKGROUND


def test_what_another_thing_hides_and_what_leaves_the_view_is_not_seen():
    front = square((0, 255, 0), [50, 26, 50], 22, 7.9)
    found = of(film(square((255, 0, 0), [18, 26, 90], 22, 7.9), front))
    assert found.shows[0, 5, 3] == 0 and found.shows[1, 5, 5] == 1
    assert found.seen[0, 5, 3].tolist() == [True, False, False]  # hidden by the second, then out of view
    ground = found.places[0, 5, 9]
    assert np.allclose(ground, [[5, 9]] * 3) and found.shows[0, 5, 9] == BACKGROUND
    assert found.seen[0, 5, 7].tolist() == [True, False, True]  # background that the second covers once


def test_growth_and_turns_move_points_around_the_centre():
    found = of(film(square((255, 0, 0), 32.5, 32.5, [8, 16, 8], [0, 0, np.pi / 2])))
    assert np.allclose(found.places[0, 8, 9], [[8, 9], [8, 10], [9, 8]])  # one column right of the centre


def test_a_camera_moves_the_background_and_zooms_into_it():
    found = of(film(camera=Camera(x=np.array([0, 0.125, 0]), zoom=np.array([1, 1, 2]))))
    assert np.allclose(found.places[0, 8, 10], [[8, 10], [8, 8], [8.125, 12.125]])  # (x + .5 - 32) * 2 + 32 pixels


def test_a_film_played_backwards_has_the_same_truth_in_other_frames():
    layers = (square((255, 0, 0), [18, 26, 34], 22, 7.9),)
    plain, back = of(film(*layers)), of(film(*layers, backwards=True), frames=(2, 1, 0))
    assert all(np.array_equal(getattr(plain, name), getattr(back, name)) for name in ("shows", "places", "seen"))


def test_near_positions_are_those_around_the_place_in_other_frames():
    found = of(film(square((255, 0, 0), [18, 26, 34], 22, 7.9)))
    near = found.near.reshape(3, 16, 16, 3, 16, 16)[0, 5, 4]
    assert not near[0].any()
    for t, column in ((1, 6), (2, 8)):
        rows, columns = near[t].nonzero()
        assert sorted(zip(rows, columns, strict=True)) == [
            (r, c) for r in (4, 5, 6) for c in range(column - 1, column + 2)
        ]


@pytest.mark.parametrize("name", ["kinetics", "something", "jester"])
def test_colours_are_followed_through_rendered_films(name):
    """Where a point is seen again, its colour is nearer to its own than that of its old place, if it moved."""
    nearer = []
    for made in compose_clips(name, class_names(name)[:12], 64, seed=3):
        T, H, W = made.shape
        frames, side = made.frames().astype(float), min(H, W)
        found = truth(made, range(0, T, 4), side, (side // 2, side // 2))
        places, seen = found.places[0], found.seen[0]
        moved = np.abs(places - places[:, :, :1]).max(-1) > 2
        used = seen & moved & (found.shows[0] >= 0)[..., None]
        top, left = (H - side) // 2, (W - side) // 2
        r, c, b = used.nonzero()
        y, x = np.round(places[used] * 2).astype(int).T
        old = frames[0, top + 2 * r, left + 2 * c]
        new, stay = frames[4 * b, top + y, left + x], frames[4 * b, top + 2 * r, left + 2 * c]
        nearer += list(np.abs(new - old).sum(-1) < np.abs(stay - old).sum(-1))
    assert len(nearer) > 500 and np.mean(nearer) > 0.85
