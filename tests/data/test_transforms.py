import colorsys

import numpy as np
import pytest
import torch
from helpers import seeded

from cpnet.data import transforms
from cpnet.data.clips import Crop, crops
from cpnet.data.transforms import clip_generator, jitter, normalise, random_crop, training_clip, view


def frames(T=3, H=24, W=32, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (T, H, W, 3)).astype(np.uint8)


def fixed_draws(monkeypatch, **draws):
    """Every uniform draw replaced, by its range."""
    monkeypatch.setattr(transforms, "_uniform", lambda low, high, generator: draws[f"{low}..{high}"])


# Crops


def test_crops_are_nearly_square_parts_of_at_least_half_the_area():
    for seed in range(300):
        top, left, h, w = random_crop(128, 140, seeded(seed))
        assert top >= 0 and left >= 0 and top + h <= 128 and left + w <= 140
        if (top, left, h, w) != (0, 6, 128, 128):  # the fallback
            assert 0.49 < h * w / (128 * 140) <= 1
            assert 0.89 < h / w < 1.12


def test_wide_frames_give_crops_of_nearly_their_full_height():
    """16:9: half of the area is a square of 94 % of the height, and larger ones do not fit."""
    crops_found = [random_crop(128, 228, seeded(seed)) for seed in range(200)]
    heights = [h for _, _, h, _ in crops_found]
    assert min(heights) >= 0.88 * 128
    assert (0, 50, 128, 128) in crops_found  # often none of ten fits: the centre square


def test_a_crop_lands_on_the_right_pixels(monkeypatch):
    """Without jitter and resizing, pixels are those of the frames."""
    video = frames(2, 20, 20)
    monkeypatch.setattr(transforms, "random_crop", lambda height, width, generator: (3, 5, 8, 8))
    monkeypatch.setattr(transforms, "jitter", lambda cut, generator: cut)
    clip, label = training_clip(video, 4, 8, seeded(0), None)
    assert torch.equal(clip, torch.from_numpy(video[:, 3:11, 5:13]).permute(3, 0, 1, 2)) and label == 4


# Colours


def test_no_change_of_colours_changes_little(monkeypatch):
    fixed_draws(monkeypatch, **{"0.75..1.25": 1.0, "-0.25..0.25": 0.0, "-0.1..0.1": 0.0})
    video = frames()
    assert np.abs(jitter(video, seeded(0)).astype(int) - video).max() <= 4  # HSV in 8 bits


@pytest.mark.parametrize(("gain", "offset", "hue"), [(1.2, 0.1, 0.07), (0.8, -0.2, -0.1), (0.75, -0.25, 0.0)])
def test_jitter_against_the_formula(monkeypatch, gain, offset, hue):
    """On colorsys, pixel by pixel: V = |a V + 255 b|, S scaled, H turned, then the mean with the original."""
    fixed_draws(monkeypatch, **{"0.75..1.25": gain, "-0.25..0.25": offset, "-0.1..0.1": hue})
    video = frames(1, 8, 8)
    expected = np.empty((8, 8, 3))
    for y, x in np.ndindex(8, 8):
        h, s, v = colorsys.rgb_to_hsv(*(video[0, y, x] / 255.0))
        s, v = min(1, s * gain), min(1, abs(gain * v + offset))  # the gain stands for the factor of S too
        expected[y, x] = (np.array(colorsys.hsv_to_rgb((h + hue) % 1, s, v)) * 255 + video[0, y, x]) / 2
    error = np.abs(jitter(video, seeded(0))[0] - expected)
    assert error.max() <= 6 and error.mean() < 1.5  # Pillow's HSV has 8 bits a channel


def test_all_frames_get_the_same_colours():
    still = np.repeat(frames(1), 4, axis=0)
    out = jitter(still, seeded(3))
    assert (out == out[:1]).all() and not (out == still).all()


# Mirroring


@pytest.mark.parametrize(
    ("flip_label_map", "labels"),
    [(None, {3}), ({}, {3}), ({3: 5, 5: 3}, {3, 5}), ({1: 2, 2: 1}, {3}), ({3: None}, {3})],
)
def test_labels_follow_the_mirror(monkeypatch, flip_label_map, labels):
    monkeypatch.setattr(transforms, "random_crop", lambda height, width, generator: (0, 0, 24, 24))
    monkeypatch.setattr(transforms, "jitter", lambda cut, generator: cut)
    video = frames()
    plain = torch.from_numpy(video[:, :24, :24]).permute(3, 0, 1, 2)
    found = {True: 0, False: 0}
    seen = set()
    for seed in range(60):
        clip, label = training_clip(video, 3, 24, seeded(seed), flip_label_map)
        mirrored = not torch.equal(clip, plain)
        assert torch.equal(clip, plain.flip(-1) if mirrored else plain)
        assert label == (flip_label_map or {}).get(3, 3) if mirrored else label == 3
        found[mirrored] += 1
        seen.add(label)
    assert seen == labels
    never = flip_label_map is None or flip_label_map.get(3, 3) is None
    assert found[True] == 0 if never else 15 < found[True] < 45


# The rest


def test_a_clip_depends_on_seed_epoch_and_index_alone():
    def clip(*key):
        return training_clip(frames(), 0, 16, clip_generator(*key), {})[0]

    torch.manual_seed(1)
    first = clip(0, 1, 2)
    torch.manual_seed(2)
    np.random.seed(3)
    assert torch.equal(clip(0, 1, 2), first)
    assert all(not torch.equal(clip(*key), first) for key in [(1, 1, 2), (0, 2, 2), (0, 1, 3), (0, 2, 1)])


def test_views_are_resized_and_cropped():
    video = frames(2, 30, 40)
    whole = view(video, Crop(0, 0, 30), 30)
    assert torch.equal(whole, torch.from_numpy(video[:, :, :30]).permute(3, 0, 1, 2))
    for crop in crops(20, 26, 20, 3):
        assert view(video, crop, 20).shape == (3, 2, 20, 20)
    flat = np.full((1, 30, 40, 3), (10, 200, 30), dtype=np.uint8)
    assert (view(flat, Crop(2, 3, 15, mirrored=True), 20) == torch.tensor([10, 200, 30])[:, None, None, None]).all()


def test_bilinear_halving_averages():
    ramp = np.arange(8, dtype=np.uint8).repeat(3).reshape(1, 1, 8, 3).repeat(4, axis=1) * 10
    (row,) = view(ramp, Crop(0, 0, 2), 2)[0, :, 0].tolist()
    assert row == [5, 25]


def test_normalisation():
    clip = torch.tensor([0, 255, 128], dtype=torch.uint8).view(1, 3, 1, 1, 1).expand(2, 3, 4, 5, 5)
    out = normalise(clip)
    expected = [(0 - 0.485) / 0.229, (1 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225]
    torch.testing.assert_close(out[0, :, 0, 0, 0], torch.tensor(expected))
    assert out.dtype == torch.float32 and out.shape == clip.shape


def test_without_colours_the_crop_and_the_mirror_are_the_same(monkeypatch):
    """Which are drawn before and after: so the draws for colours are left out, not made."""
    video = frames(2, 24, 32)
    monkeypatch.setattr(transforms, "jitter", lambda cut, generator: pytest.fail("colours were changed"))
    clip, label = training_clip(video, 1, 16, seeded(0), {1: 2, 2: 1}, "crops")
    generator = seeded(0)
    top, left, h, w = random_crop(24, 32, generator)
    mirrored = float(torch.rand((), generator=generator, dtype=torch.float64)) < 0.5
    plain = transforms.resize(video[:, top : top + h, left : left + w], (16, 16))
    assert torch.equal(clip, (plain.flip(-1) if mirrored else plain).transpose(0, 1)) and label == (
        2 if mirrored else 1
    )


def test_without_augmentation_a_training_clip_is_the_view_of_a_test():
    video = frames(2, 24, 32)
    clip, label = training_clip(video, 1, 16, seeded(0), {1: 2, 2: 1}, "none")
    (crop,) = crops(16, 20, 16, 1)
    assert torch.equal(clip, view(video, crop, 16)) and label == 1


def test_flips_alone_mirror_the_view_of_a_test_and_swap_its_label():
    video = frames(2, 24, 32)
    plain, _ = training_clip(video, 1, 16, seeded(0), None, "none")
    found = [training_clip(video, 1, 16, seeded(seed), {1: 2, 2: 1}, "flips") for seed in range(40)]
    assert {label for _, label in found} == {1, 2}
    assert all(torch.equal(clip, plain if label == 1 else plain.flip(-1)) for clip, label in found)
    assert all(training_clip(video, 1, 16, seeded(seed), {1: None}, "flips")[1] == 1 for seed in range(10))
