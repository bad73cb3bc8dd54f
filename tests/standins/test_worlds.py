"""What classes there are, and how they are filmed."""

import numpy as np
import pytest

from cpnet.data.layouts import FLIP_PAIRS
from cpnet.standins import jester, kinetics, something

# The official number of each template that is acted out, in labels.json of Something-Something v2.
OFFICIAL = {
    "Approaching something with your camera": 0,
    "Covering something with something": 6,
    "Holding something": 16,
    "Holding something behind something": 17,
    "Holding something next to something": 19,
    "Lifting something up completely, then letting it drop down": 28,
    "Moving away from something with your camera": 32,
    "Moving something and something away from each other": 36,
    "Moving something and something closer to each other": 37,
    "Moving something away from something": 40,
    "Moving something away from the camera": 41,
    "Moving something closer to something": 42,
    "Moving something down": 43,
    "Moving something towards the camera": 44,
    "Moving something up": 45,
    "Pulling something from behind of something": 85,
    "Pulling something from left to right": 86,
    "Pulling something from right to left": 87,
    "Pushing something from left to right": 93,
    "Pushing something from right to left": 94,
    "Putting something behind something": 104,
    "Showing a photo of something to the camera": 124,
    "Throwing something in the air and catching it": 153,
    "Turning the camera downwards while filming something": 165,
    "Turning the camera left while filming something": 166,
    "Turning the camera right while filming something": 167,
    "Turning the camera upwards while filming something": 168,
    "Uncovering something": 171,
}
GESTURES = """Doing other things,Drumming Fingers,No gesture,Pulling Hand In,Pulling Two Fingers In,Pushing Hand Away,
Pushing Two Fingers Away,Rolling Hand Backward,Rolling Hand Forward,Shaking Hand,Sliding Two Fingers Down,
Sliding Two Fingers Left,Sliding Two Fingers Right,Sliding Two Fingers Up,Stop Sign,Swiping Down,Swiping Left,
Swiping Right,Swiping Up,Thumb Down,Thumb Up,Turning Hand Clockwise,Turning Hand Counterclockwise,
Zooming In With Full Hand,Zooming In With Two Fingers,Zooming Out With Full Hand,Zooming Out With Two Fingers"""
PARTNERS = [
    (module, name, chosen.partner)
    for module in (something, jester)
    for name, chosen in module.CLASSES.items()
    if chosen.partner and not chosen.backwards
]
WORLDS = [(module, name) for module in (something, jester, kinetics) for name in module.CLASSES]


def film(module, name, seed=0, height=32):
    return module.compose(name, height, np.random.RandomState(seed)).frames()


def test_classes_bear_official_names():
    assert set(something.CLASSES) == set(OFFICIAL)
    assert sorted(something.CLASSES) == sorted(OFFICIAL, key=OFFICIAL.__getitem__)  # the order of labels is kept
    assert sorted(jester.CLASSES) == GESTURES.replace("\n", "").split(",")


@pytest.mark.parametrize(("module", "name"), [(something, "something"), (jester, "jester")])
def test_mirror_pairs_are_there(module, name):
    assert all(one in module.CLASSES for pair in FLIP_PAIRS[name] for one in pair)


@pytest.mark.parametrize("module", [something, jester])
def test_partners_are_mutual_and_motion_decides_them(module):
    partnered = {name: chosen for name, chosen in module.CLASSES.items() if chosen.partner}
    for name, chosen in partnered.items():
        partner = module.CLASSES[chosen.partner]
        assert partner.partner == name and partner.backwards != chosen.backwards
        assert chosen.decided_by == partner.decided_by == "motion"
    if module is something:
        assert {n for n, chosen in module.CLASSES.items() if chosen.decided_by == "motion"} == set(partnered)


@pytest.mark.parametrize(("module", "name", "partner"), PARTNERS)
def test_partners_are_each_other_played_backwards(module, name, partner):
    forwards, backwards = film(module, name, seed=5), film(module, partner, seed=5)
    assert np.array_equal(forwards, backwards[::-1])
    assert not np.array_equal(forwards, backwards)


@pytest.mark.parametrize(("module", "name"), WORLDS)
def test_clips_depend_on_their_seed_alone(module, name):
    first, again, other = film(module, name), film(module, name), film(module, name, seed=1)
    assert first.dtype == np.uint8 and first.ndim == 4 and first.shape[3] == 3
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize(("module", "name"), [world for world in WORLDS if world[0] is not kinetics])
def test_but_for_trembling_things_move_where_motion_decides_and_only_there(monkeypatch, module, name):
    monkeypatch.setattr(module, "tremble", lambda random, T, size: np.zeros(T))
    frames = film(module, name)
    moves = bool((frames != frames[0]).any())
    assert moves == (module.CLASSES[name].decided_by == "motion")


def test_kinetics_has_long_clips_of_many_sizes_and_rates():
    names = sorted(kinetics.CLASSES)
    assert len(names) >= 40
    clips = [kinetics.compose(names[i], 32, np.random.RandomState(i)) for i in range(40)]
    assert all(clip.shape[0] >= 96 and min(clip.shape[1:]) >= 32 for clip in clips)
    assert len({clip.shape for clip in clips}) > 20 and len({clip.rate for clip in clips}) == 5
    assert all(n % 2 == 0 for clip in clips for n in clip.shape[1:])


def test_kinetics_has_groups_that_share_appearance():
    by_appearance = {}
    for name, chosen in kinetics.CLASSES.items():
        by_appearance.setdefault((chosen.object, chosen.scene), []).append((name, chosen))
    groups = [group for group in by_appearance.values() if len(group) > 1]
    alone = [group for group in by_appearance.values() if len(group) == 1]
    assert len(groups) >= 5 and len(alone) > sum(map(len, groups))
    assert all(
        chosen.decided_by == "motion" and len({c.act for _, c in group}) == len(group)
        for group in groups
        for _, chosen in group
    )
    assert all(chosen.decided_by == "appearance" for ((_, chosen),) in alone)


def test_the_camera_moves_in_three_clips_of_ten():
    clips = [kinetics.compose("boat standing (room)", 32, np.random.RandomState(seed)) for seed in range(300)]
    assert 0.22 < np.mean([np.ptp(clip.camera.zoom) > 0 for clip in clips]) < 0.38


def test_what_acts_is_the_last_and_largest_of_some_that_look_alike():
    for seed in range(20):
        layers = kinetics.compose("car rising (road)", 32, np.random.RandomState(seed)).layers
        alike = [layer for layer in layers[:-1] if layer.image is layers[-1].image]
        assert 1 <= len(alike) <= 3 and all(layer.radius < layers[-1].radius for layer in alike)
        assert all(np.ptp(layer.y) == 0 for layer in alike) and np.ptp(layers[-1].y) > 0.4
