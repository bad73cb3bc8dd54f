import numpy as np
import pytest
import torch

from cpnet.data.moving_square import CLASSES, ToyMotion

VARIANTS = [{}, {"margin": 1}, {"margin": 2}, {"placement": "naive"}, {"seed": 7}]
# Of splits train and val with seed 0; a change means that every toy result is stale.
DIGESTS = {
    "train": "27f4d41294fd6ae839e0f65f232179acaac8c13e5286d51e0a776cde1fe607a9",
    "val": "0d9ae379e458f4414dadce116f34d334b43e36d17ef37ae36e4fe413daf43d93",
}


def corners(frames):
    """Top-left corners (clips, T, 2) from pixels, after a check that each frame holds one 2x2 white square."""
    assert frames.dtype == np.uint8 and set(np.unique(frames)) == {0, 255}
    white = frames[..., 0] == 255
    assert (frames == frames[..., :1]).all()
    assert (white.sum((2, 3)) == 4).all()
    rows, columns = white.any(3), white.any(2)
    for line in (rows, columns):
        assert (line.sum(2) == 2).all() and (line[..., 1:] & line[..., :-1]).any(2).all()
    return np.stack([rows.argmax(2), columns.argmax(2)], axis=2)


@pytest.mark.parametrize("split", ["train", "val"])
def test_digest_is_the_published_one_whatever_numpys_global_state(split):
    np.random.seed(123)
    before = np.random.get_state()[1].copy()
    assert ToyMotion(split).digest() == DIGESTS[split]
    assert (np.random.get_state()[1] == before).all()


def test_digest_depends_on_everything_that_changes_the_data():
    digests = {ToyMotion("val", **variant).digest() for variant in VARIANTS} | {ToyMotion("train").digest()}
    assert len(digests) == len(VARIANTS) + 1
    swapped = ToyMotion("val")
    swapped.labels = swapped.labels[::-1].copy()
    assert swapped.digest() not in digests


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize(("split", "count"), [("train", 1000), ("val", 200)])
def test_specification_of_section_4(split, count, variant):
    data = ToyMotion(split, **variant)
    assert len(data) == count and data.frames.shape == (count, 4, 32, 32, 3)
    assert (np.bincount(data.labels) == count // 4).all()
    places = corners(data.frames)
    steps = np.diff(places, axis=1)  # (clips, 3, 2)
    motion = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
    directions = np.array([motion[CLASSES[y]] for y in data.labels])  # (clips, 2)
    sizes = (steps * directions[:, None]).sum(2)
    assert (steps == sizes[..., None] * directions[:, None]).all()
    assert set(np.unique(sizes)) == {7, 8, 9}


def test_naive_is_a_margin_of_zero():
    assert ToyMotion("val", placement="naive").digest() == ToyMotion("val", margin=0).digest()


@pytest.mark.parametrize("margin", [0, 1, 2, 3])
@pytest.mark.parametrize("split", ["train", "val"])
def test_margin_is_respected_and_used(split, margin):
    places = corners(ToyMotion(split, margin=margin).frames)
    assert places.min() == margin and places.max() == 30 - margin


@pytest.mark.parametrize("split", ["train", "val"])
def test_naive_squares_touch_every_edge(split):
    places = corners(ToyMotion(split, placement="naive", margin=3).frames)
    for axis in (0, 1):
        assert places[..., axis].min() == 0 and places[..., axis].max() == 30


def test_steps_are_uniform_where_the_travel_always_fits():
    """Placement naive rejects no steps: 3600 draws of three values, chi-square below its upper 0.1 % point."""
    data = [ToyMotion(split, placement="naive") for split in ("train", "val")]
    steps = np.concatenate([np.abs(np.diff(corners(d.frames), axis=1)).sum(2).ravel() for d in data])
    counts = np.bincount(steps)[7:]
    assert len(counts) == 3 and ((counts - 1200) ** 2 / 1200).sum() < 13.816


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_no_validation_clip_is_in_the_training_set(variant):
    train, val = ({clip.tobytes() for clip in ToyMotion(split, **variant).frames} for split in ("train", "val"))
    assert not train & val


def test_items():
    data = ToyMotion("val")
    clip, label = data[5]
    assert clip.shape == (3, 4, 32, 32) and clip.dtype == torch.float32
    assert isinstance(label, int) and label == data.labels[5]
    np.testing.assert_array_equal(clip.permute(1, 2, 3, 0).numpy() * 255, data.frames[5])
    batch, labels = next(iter(torch.utils.data.DataLoader(data, batch_size=8)))
    assert batch.shape == (8, 3, 4, 32, 32) and labels.bincount(minlength=4).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(("size", "num_frames", "margin"), [(24, 2, 3), (24, 3, 1), (40, 4, 3), (48, 5, 0)])
def test_other_canvases_and_lengths(size, num_frames, margin):
    data = ToyMotion("val", size=size, num_frames=num_frames, margin=margin)
    assert data.frames.shape == (200, num_frames, size, size, 3)
    places = corners(data.frames)
    assert places.min() >= margin and places.max() <= size - 2 - margin
    steps = np.abs(np.diff(places, axis=1)).sum(2)
    assert steps.min() >= 7 and steps.max() <= 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "test"}, "split='test'"),
        ({"placement": "outside"}, "placement='outside'"),
        ({"margin": -1}, "margin=-1"),
        ({"margin": 5}, "margin=5.* 20 pixels .* at least 21"),
        ({"num_frames": 1}, "num_frames=1"),
        ({"size": 26}, "size=26"),
        ({"size": 29}, "every clip that fits"),
        ({"margin": 4}, "every clip that fits"),
    ],
    ids=str,
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ToyMotion(**arguments)
