import numpy as np
import pytest
from PIL import Image

from cpnet.standins.canvas import SHAPES, Camera, Film, Layer, cut_polygon, even, odd_length, played, texture, tremble

BLACK = Image.new("RGB", (300, 300))


def sprite(shape="disc"):
    return cut_polygon(np.full((64, 64, 3), 255.0), SHAPES[shape])


def centre(frame):
    """Centre of what is bright, in units of the height, from the frame's centre."""
    H, W = frame.shape[:2]
    weight = frame.mean(2).astype(float)
    ys, xs = np.mgrid[:H, :W] + 0.5
    return ((xs * weight).sum() / weight.sum() - W / 2) / H, ((ys * weight).sum() / weight.sum() - H / 2) / H


@pytest.mark.parametrize("place", [(0, 0), (0.3, -0.2), (-0.51, 0.33)])
def test_a_layer_is_where_it_is_put(place):
    (frame,) = Film(BLACK, [Layer(sprite(), *place, 0.1)], Camera(), (1, 100, 150)).frames()
    assert np.allclose(centre(frame), place, atol=0.005)
    assert (frame.mean(2) > 127).sum() == pytest.approx(np.pi * (0.95 * 10) ** 2, rel=0.1)


def test_a_camera_that_moves_right_sees_things_move_left_and_zoom_enlarges():
    camera = Camera(x=np.array([0, 0.2, 0]), y=np.array([0, 0, 0.1]), zoom=np.array([1, 1, 2]))
    frames = Film(BLACK, [Layer(sprite(), 0.1, 0, 0.08)], camera, (3, 100, 150)).frames()
    assert np.allclose([centre(f) for f in frames], [(0.1, 0), (-0.1, 0), (0.2, -0.2)], atol=0.006)
    areas = [(f.mean(2) > 127).sum() for f in frames]
    assert areas[2] == pytest.approx(4 * areas[0], rel=0.06)


def test_background_moves_with_the_camera():
    square = np.zeros((300, 300, 3), np.uint8)
    square[145:155, 165:175] = 255  # at (0.2, 0)
    camera = Camera(x=np.array([0, 0.3]))
    frames = Film(Image.fromarray(square), [], camera, (2, 100, 150)).frames()
    assert np.allclose([centre(f) for f in frames], [(0.2, 0), (-0.1, 0)], atol=0.006)


def test_angles_are_clockwise_and_later_layers_hide_earlier_ones():
    half = np.zeros((64, 64, 4), np.uint8)
    half[:32] = 255  # the upper half
    (frame,) = Film(BLACK, [Layer(Image.fromarray(half), 0, 0, 0.2, np.pi / 2)], Camera(), (1, 100, 100)).frames()
    assert centre(frame)[0] == pytest.approx(0.1, abs=0.01) and abs(centre(frame)[1]) < 0.01
    dark = cut_polygon(np.zeros((64, 64, 3)), SHAPES["square"])
    hidden = Film(BLACK, [Layer(sprite(), 0, 0, 0.1), Layer(dark, 0, 0, 0.2)], Camera(), (1, 100, 100)).frames()
    assert hidden.max() < 30


def test_what_lies_outside_the_frame_is_not_seen():
    frames = Film(BLACK, [Layer(sprite(), 5, 0, 0.1), Layer(sprite(), 0, 0, 0.0)], Camera(), (1, 40, 40)).frames()
    assert frames.max() == 0


def test_corners_are_where_a_square_is_drawn():
    square = Image.new("RGBA", (64, 64), (255, 255, 255, 255))
    camera = Camera(x=np.array([0, 0.1]), y=0.0, zoom=np.array([1, 1.5]))
    layer = Layer(square, 0.2, np.array([-0.1, 0.2]), 0.1, np.array([0, 0.3]))
    shot = Film(BLACK, [layer], camera, (2, 100, 150))
    for frame, corners in zip(shot.frames(), shot.corners()[0], strict=True):
        ys, xs = np.nonzero(frame.mean(2) > 127)
        assert np.allclose([xs.min(), ys.min()], corners.min(0), atol=1.5)
        assert np.allclose([xs.max(), ys.max()], corners.max(0), atol=1.5)
    backwards = Film(BLACK, [layer], camera, (2, 100, 150), backwards=True)
    assert np.array_equal(backwards.frames(), shot.frames()[::-1])
    assert np.array_equal(backwards.frames([1, 1, 0]), backwards.frames()[[1, 1, 0]])
    assert np.array_equal(backwards.corners(), shot.corners()[:, ::-1])


def test_actions_are_filmed_alike_in_both_directions_of_time():
    lengths = {odd_length(np.random.RandomState(seed), 33, 41) for seed in range(200)}
    assert lengths == {33, 35, 37, 39, 41}
    progress = np.array([played(np.random.RandomState(seed), 37, (10, 13), 2) for seed in range(2000)])
    assert (progress[:, 0] == 0).all() and (progress[:, -1] == 1).all()
    assert np.allclose(progress.mean(0), 1 - progress.mean(0)[::-1], atol=0.02)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_large_and_have_smooth_edges(shape):
    alpha = np.asarray(sprite(shape))[..., 3]
    assert 0.2 < (alpha > 127).mean() < 0.9
    assert ((alpha > 0) & (alpha < 255)).any() and alpha[[0, -1]].max() < 255


def test_textures_vary_within_and_between_clips():
    first, second = (texture(np.random.RandomState(seed), 64) for seed in (0, 1))
    assert first.shape == (64, 64, 3) and first.min() >= 0 and first.max() <= 255
    assert first.std() > 20 and np.abs(first - second).mean() > 20


def test_trembling_is_small_and_differs_from_frame_to_frame():
    noise = tremble(np.random.RandomState(0), 10000, 0.01)
    assert noise.std() == pytest.approx(0.01, rel=0.1) and np.abs(np.diff(noise)).min() > 0


@pytest.mark.parametrize("length", [47.2, 48, 71.9, 96, 33])
def test_widths_are_even_and_none_that_decord_fails_on(length):
    assert even(length) % 2 == 0 and abs(even(length) - length) < 3 and even(length) not in (48, 72)
