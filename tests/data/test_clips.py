from collections import Counter

import pytest
import torch
from helpers import seeded

from cpnet.data.clips import Crop, crops, even_clips, random_clip, resized, take

# Temporal sampling, against positions worked out by hand


@pytest.mark.parametrize(
    ("length", "num_frames", "frame_step", "expected"),
    [
        (10, 4, 2, [1, 3, 5, 7]),  # slack 2
        (11, 4, 2, [1, 3, 5, 7]),  # slack 3, rounded down
        (8, 4, 2, [0, 2, 4, 6]),
        (7, 4, 2, [0, 2, 4, 6]),  # the last frame is there although the span is not
        (6, 4, 2, [0, 2, 4, 0]),  # sampled ones over again
        (3, 8, 1, [0, 1, 2, 0, 1, 2, 0, 1]),
        (1, 3, 5, [0, 0, 0]),
        (300, 8, 12, [102, 114, 126, 138, 150, 162, 174, 186]),  # Table 3 at 1/12 of the frame rate
    ],
)
def test_centre_clips(length, num_frames, frame_step, expected):
    assert even_clips(length, num_frames, frame_step, 1) == [expected]


def test_even_clips():
    assert [clip[0] for clip in even_clips(20, 4, 2, 4)] == [0, 4, 8, 12]
    assert [clip[0] for clip in even_clips(19, 4, 2, 4)] == [0, 3, 7, 11]  # 11/3 and 22/3, rounded down
    assert even_clips(5, 4, 2, 3) == [[0, 2, 4, 0]] * 3
    assert [clip[0] for clip in even_clips(300, 8, 4, 25)] == [268 * j // 24 for j in range(25)]


def test_random_clips_start_uniformly_wherever_they_fit():
    generator = seeded(0)
    starts = Counter(random_clip(12, 4, 2, generator)[0] for _ in range(5000))
    assert sorted(starts) == [0, 1, 2, 3, 4]
    chi2 = sum((n - 1000) ** 2 / 1000 for n in starts.values())
    assert chi2 < 18.467  # upper 0.1 % point with 4 degrees of freedom


# Lengths of the stand-ins, each with the clips that tables take of them
FILMS = [((97, 143), (8, 12)), ((97, 143), (8, 4)), ((97, 143), (16, 6)), ((97, 143), (32, 3))]
FILMS += [((33, 41), (8, 4)), ((33, 41), (16, 2)), ((35, 41), (8, 4))]


def seen_too_early(clip, length):
    """Frames by which the middle of a clip lies before that of its video."""
    return (length - 1) / 2 - sum(clip) / len(clip)


@pytest.mark.parametrize(("lengths", "shape"), FILMS)
@pytest.mark.parametrize("num_clips", [1, 2, 3, 10, 25])
def test_symmetric_clips_see_as_much_of_the_beginning_as_of_the_end(lengths, shape, num_clips):
    every = range(lengths[0], lengths[1] + 1, 2)
    early = [
        sum(seen_too_early(clip, length) for clip in even_clips(length, *shape, num_clips, "symmetric")) / num_clips
        for length in every
    ]
    assert max(map(abs, early)) <= 0.5 and abs(sum(early)) <= 0.5  # a half frame, either way in turn
    released = [seen_too_early(even_clips(length, *shape, 1)[0], length) for length in every]
    assert sum(released) / len(released) >= (shape[1] - 1) / 2


@pytest.mark.parametrize(("lengths", "shape"), FILMS)
def test_random_symmetric_clips_are_as_likely_backwards(lengths, shape):
    for length in lengths:
        starts = {random_clip(length, *shape, seeded(seed), "symmetric")[0] for seed in range(1000)}
        last = (shape[0] - 1) * shape[1]
        assert starts == {length - 1 - last - start for start in starts} == set(range(length - last))


@pytest.mark.parametrize("length", [1, 5, 8, 9, 31])
def test_random_clips_are_runs_of_the_step(length):
    for seed in range(20):
        clip = random_clip(length, 4, 2, seeded(seed))
        assert len(clip) == 4 and max(clip) < length
        if length >= 8:
            assert clip == list(range(clip[0], clip[0] + 8, 2))


@pytest.mark.parametrize("arguments", [(0, 4, 1), (5, 0, 1), (5, 4, 0)])
def test_impossible_clips_are_refused(arguments):
    with pytest.raises(ValueError, match="=0: give 1 or more"):
        even_clips(*arguments, 1)
    with pytest.raises(ValueError, match="num_clips=0"):
        even_clips(5, 4, 1, 0)


# Spatial views


@pytest.mark.parametrize(
    ("height", "width", "short_side", "expected"),
    [
        (240, 320, 128, (128, 170)),  # 170.67, even below
        (320, 240, 128, (170, 128)),
        (100, 176, 112, (112, 196)),  # 197.12
        (240, 427, 224, (224, 398)),  # 398.53
        (64, 64, 56, (56, 56)),
        (101, 102, 55, (55, 55)),  # 55.5, even below would be smaller than the short side
    ],
)
def test_resizing_keeps_the_aspect(height, width, short_side, expected):
    assert resized(height, width, short_side) == expected


@pytest.mark.parametrize(
    ("num_crops", "expected"),
    [
        (1, [(8, 29)]),
        (5, [(0, 0), (0, 58), (16, 0), (16, 58), (8, 29)]),
    ],
)
def test_centre_and_corners(num_crops, expected):
    """Crops of 112 from 128x170."""
    assert crops(128, 170, 112, num_crops) == [Crop(y, x, 112) for y, x in expected]


def test_ten_crops_are_five_and_their_mirror_images():
    five, ten = (crops(128, 170, 112, n) for n in (5, 10))
    assert ten == [*five, *(crop._replace(mirrored=True) for crop in five)]


@pytest.mark.parametrize(
    ("num_crops", "expected"),
    [
        (3, [0, 199, 99]),  # the middle: 227 - 128
        (6, [0, 199, 39, 78, 117, 156]),  # steps of 199 // 5
        (8, [0, 199, 28, 56, 84, 112, 140, 168]),  # steps of 199 // 7
    ],
)
@pytest.mark.parametrize("upright", [False, True])
def test_crops_along_the_long_side(num_crops, expected, upright):
    """Crops of 256 from 256x455."""
    if upright:
        assert crops(455, 256, 256, num_crops) == [Crop(y, 0, 256) for y in expected]
    else:
        assert crops(256, 455, 256, num_crops) == [Crop(0, x, 256) for x in expected]


@pytest.mark.parametrize("num_crops", [1, 3, 5, 6, 8, 10])
@pytest.mark.parametrize(("height", "width"), [(112, 112), (112, 113), (150, 112), (128, 171)])
def test_every_view_lies_in_the_frame(num_crops, height, width):
    views = crops(height, width, 112, num_crops)
    assert len(views) == num_crops
    frames = torch.zeros(2, height, width)
    assert all(take(frames, view).shape == (2, 112, 112) for view in views)
    assert all(view.top >= 0 and view.left >= 0 for view in views)


def test_mirrored_crops_are_taken_mirrored():
    frame = torch.arange(12).view(1, 3, 4)
    assert take(frame, Crop(1, 2, 2)).tolist() == [[[6, 7], [10, 11]]]
    assert take(frame, Crop(1, 2, 2, mirrored=True)).tolist() == [[[7, 6], [11, 10]]]


def test_wrong_views_are_refused():
    with pytest.raises(ValueError, match="num_crops=4: choose one of 1, 3, 5, 6, 8, 10"):
        crops(128, 170, 112, 4)
    with pytest.raises(ValueError, match="a crop of 112 does not fit a frame of 100x176: resize"):
        crops(100, 176, 112, 3)
