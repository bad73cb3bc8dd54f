"""What a linear probe reads off single frames, or off frames without their order, in 500 clips of each stand-in."""

from functools import cache

import numpy as np
import pytest

from cpnet.standins import jester, kinetics, something

HEIGHT = 32
SAMPLED = 8  # frames of each clip


def frame_statistics(frame):
    """Means and deviations of colours in 4x4 cells, histograms of colours, and of directions of edges."""
    H, W = (n // 4 * 4 for n in frame.shape[:2])
    frame = frame[:H, :W].astype(float) / 255
    cells = frame.reshape(4, H // 4, 4, W // 4, 3)
    colours = [np.histogram(frame[..., c], 8, (0, 1))[0] / (H * W) for c in range(3)]
    dy, dx = np.gradient(frame.mean(2))
    edges = np.histogram(np.arctan2(dy, dx), 8, (-np.pi, np.pi), weights=np.hypot(dx, dy))[0] / (H * W)
    return np.concatenate([cells.mean((1, 3)).ravel(), cells.std((1, 3)).ravel(), *colours, 10 * edges])


def statistics_of_clips(module, classes, count, seed=0):
    """(clips, frames, statistics) and labels; as many clips of each class."""
    statistics, labels = [], []
    for i in range(count):
        film = module.compose(classes[i % len(classes)], HEIGHT, np.random.RandomState([seed, i]))
        chosen = np.linspace(0, film.shape[0] - 1, SAMPLED).round().astype(int)
        statistics.append([frame_statistics(frame) for frame in film.frames(chosen)])
        labels.append(i % len(classes))
    return np.array(statistics), np.array(labels)


def probe(features, labels, folds=5, ridge=30.0):
    """Accuracy in percent of a linear classifier by cross-validation over blocks of clips."""
    features = (features - features.mean(0)) / (features.std(0) + 1e-9)
    targets = np.eye(labels.max() + 1)[labels]
    right = 0
    for held_out in np.array_split(np.arange(len(labels)), folds):
        kept = np.setdiff1d(np.arange(len(labels)), held_out)
        x, y = features[kept], targets[kept] - targets[kept].mean(0)
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
        right += (np.argmax(features[held_out] @ weights + targets[kept].mean(0), 1) == labels[held_out]).sum()
    return 100 * right / len(labels)


def motion_classes(module):
    """Those with a partner, partners side by side."""
    return [
        name for first in module.CLASSES for name in (first, module.CLASSES[first].partner) if is_first(module, first)
    ]


def is_first(module, name):
    return module.CLASSES[name].partner is not None and not module.CLASSES[name].backwards


@cache
def statistics_of_partners(module):
    """Statistics and labels of 500 clips or a few more; the label of a partner is one more or less."""
    classes = motion_classes(module)
    return statistics_of_clips(module, classes, -(-500 // len(classes)) * len(classes))


def test_single_frames_do_not_tell_classes_that_motion_decides():
    statistics, labels = statistics_of_partners(something)
    random = np.random.RandomState(0)
    frames = [random.randint(SAMPLED, size=len(labels)) for _ in range(SAMPLED)]  # nobody knows when one was taken
    accuracy = np.mean([probe(statistics[np.arange(len(labels)), t], labels) for t in frames])
    assert accuracy <= 100 / (labels.max() + 1) + 5


@pytest.mark.parametrize("module", [something, jester])
def test_bags_of_frames_do_not_tell_partners(module):
    statistics, labels = statistics_of_partners(module)
    bags = np.concatenate([statistics.mean(1), statistics.std(1)], axis=1)
    pairs = [np.isin(labels, (first, first + 1)) for first in range(0, labels.max(), 2)]
    assert 45 <= np.mean([probe(bags[pair], labels[pair] % 2) for pair in pairs]) <= 55


def test_first_and_last_frame_tell_partners():
    statistics, labels = statistics_of_partners(something)
    change = statistics[:, -1] - statistics[:, 0]
    pairs = [np.isin(labels, (first, first + 1)) for first in range(0, labels.max(), 2)]
    assert np.mean([probe(change[pair], labels[pair] % 2) for pair in pairs]) > 80


def test_appearance_tells_most_of_kinetics():
    classes = sorted(kinetics.CLASSES)
    statistics, labels = statistics_of_clips(kinetics, classes, 500)
    assert probe(statistics[:, SAMPLED // 2], labels) >= 3 * 100 / len(classes)
    bags = np.concatenate([statistics.mean(1), statistics.std(1)], axis=1)
    assert probe(bags, labels) >= 3 * 100 / len(classes)
