"""Scores of videos over views, in one process and in several."""

import math

import numpy as np
import pytest
import torch
from helpers import in_two_processes
from torch import nn

from cpnet.data.decode import decode_frames
from cpnet.data.layouts import Index, Video
from cpnet.data.transforms import normalise
from cpnet.data.videos import EvaluationViews
from cpnet.engine.evaluate import accuracy, score_videos
from cpnet.engine.machine import Machine
from cpnet.models import create_model
from cpnet.standins.encode import write_jpegs

N, CLASSES = 7, 3


QUIET = Machine(progress=False)


def make_views(root, damaged=(), **options):
    videos = [Video(str(i), root / str(i), i % CLASSES) for i in range(N)]
    for i, video in enumerate(videos):
        if not video.path.exists():
            write_jpegs(video.path, np.random.RandomState(i).randint(0, 256, (6, 20, 26, 3)).astype(np.uint8))
    index = Index("jester", "val", ("a", "b", "c"), videos)
    for i in damaged:
        (videos[i].path / "00002.jpg").unlink(missing_ok=True)
    clip = {"num_frames": 3, "frame_step": 1, "size": 16, "read": decode_frames}
    return EvaluationViews(index, **clip | options)


def make_model():
    torch.manual_seed(0)
    model = create_model("c2d_resnet18", num_classes=CLASSES, width=4)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


class BrighterSide(nn.Module):
    """Scores (B, classes): the side that is brighter, left for the first class, right for the second."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, clips):
        half = clips.shape[-1] // 2
        left, right = clips[..., :half].mean((1, 2, 3, 4)), clips[..., half:].mean((1, 2, 3, 4))
        others = torch.full((len(clips), self.classes - 2), -9.0)
        return torch.cat([torch.stack([left, right], 1), others], 1)


SIDES = {
    "jester": ["Swiping Left", "Swiping Right", "Stop Sign"],
    "something": ["Pushing something from left to right", "Pushing something from right to left"],
}


@pytest.mark.parametrize("dataset", SIDES)
@pytest.mark.parametrize(("num_clips", "num_crops"), [(1, 1), (1, 5), (1, 10), (2, 10)])
def test_mirrored_views_count_for_the_other_side(tmp_path, dataset, num_clips, num_crops):
    """Averaged as they are, mirrored views would say left as often as right."""
    videos = []
    for i in range(4):
        frames = np.zeros((6, 20, 26, 3), np.uint8)
        frames[:, :, slice(0, 13) if i % 2 == 0 else slice(13, 26)] = 255
        write_jpegs(tmp_path / str(i), frames)
        videos.append(Video(str(i), tmp_path / str(i), i % 2))
    index = Index(dataset, "val", tuple(SIDES[dataset]), videos)
    clip = {"num_frames": 3, "frame_step": 1, "size": 16, "read": decode_frames}
    views = EvaluationViews(index, **clip, num_clips=num_clips, num_crops=num_crops)
    scores = score_videos(BrighterSide(len(index.classes)), views, QUIET)
    assert accuracy(scores, index.labels()).top1 == 100
    assert (scores.max(1).values > 0.6).all()


def test_a_class_whose_partner_is_absent_keeps_its_scores():
    index = Index("jester", "val", ("Swiping Left", "Stop Sign"), [])
    views = EvaluationViews(index, num_frames=1, frame_step=1, size=16, num_crops=10)
    scores = torch.rand(3, 10, 2)
    assert torch.equal(views.exchange(scores), scores)


@pytest.mark.parametrize(("num_clips", "num_crops"), [(1, 1), (2, 10), (4, 3)])
def test_scores_are_those_of_a_plain_loop(tmp_path, num_clips, num_crops):
    model, views = make_model(), make_views(tmp_path, num_clips=num_clips, num_crops=num_crops)
    found = score_videos(model, views, QUIET, batch_size=3, clips_at_once=4)
    assert found.shape == (N, CLASSES)
    model.eval()
    with torch.no_grad():
        for i in range(N):
            sample = views[i]
            one_by_one = [model(normalise(view[None])).softmax(1)[0] for view in sample.views]
            assert len(one_by_one) == num_clips * num_crops
            torch.testing.assert_close(found[i], torch.stack(one_by_one).mean(0), rtol=1e-4, atol=1e-5)
    assert (found.max(1).values - found.min(1).values).max() > 0.01  # scores differ


def test_equal_views_are_seen_once(tmp_path):
    """Four clips of three frames fit six frames in different places, five do not; crops as high as a frame coincide."""
    model, seen = make_model(), []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    score_videos(model, make_views(tmp_path, num_clips=5, num_crops=10), QUIET, batch_size=N, clips_at_once=1000)
    assert seen == [N * 4 * 6]


def test_of_large_clips_fewer_are_seen_at_once(tmp_path, monkeypatch):
    model, seen = make_model(), []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    views = make_views(tmp_path, num_clips=5, num_crops=10)
    whole = score_videos(model, views, QUIET, batch_size=N)
    monkeypatch.setattr("cpnet.engine.evaluate.PIXELS_AT_ONCE", 2 * seen[0][2:].numel())
    seen.clear()
    assert torch.allclose(score_videos(model, views, QUIET, batch_size=N), whole, atol=1e-6)
    assert {shape[0] for shape in seen} == {2}


def test_videos_that_cannot_be_read_are_errors(tmp_path):
    views = make_views(tmp_path, damaged=(2, 5))
    scores = score_videos(make_model(), views, QUIET)
    assert scores.isnan().all(1).tolist() == [i in (2, 5) for i in range(N)]
    right = torch.eye(CLASSES)[torch.arange(N) % CLASSES]
    right[[2, 5]] = float("nan")
    found = accuracy(right, torch.arange(N) % CLASSES)
    assert (found.n_expected, found.n_scored) == (7, 5)
    assert found.top1 == found.top5 == pytest.approx(100 * 5 / 7)
    assert found.per_class == [100, 100, 0]


def test_a_network_that_gives_nan_is_not_taken_for_videos_that_cannot_be_read(tmp_path):
    model = make_model()
    torch.nn.init.constant_(model.fc.bias, float("nan"))
    with pytest.raises(FloatingPointError, match="the network gives NaN for videos that are read"):
        score_videos(model, make_views(tmp_path), QUIET)


def test_a_constant_classifier_is_at_chance():
    labels = torch.arange(40) % 8
    found = accuracy(torch.zeros(40, 8).index_fill(1, torch.tensor([3]), 1.0), labels)
    assert found.top1 == 100 / 8
    assert found.per_class == [100.0 * (c == 3) for c in range(8)]


def test_top5_by_brute_force_and_with_few_classes():
    scores = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 9
    ranks = [(row > row[label]).sum().item() for row, label in zip(scores, labels, strict=True)]
    found = accuracy(scores, labels)
    assert found.top1 == pytest.approx(100 * np.mean([r < 1 for r in ranks]))
    assert found.top5 == pytest.approx(100 * np.mean([r < 5 for r in ranks]))
    few = accuracy(scores[:, :3], labels % 3)
    assert few.top5 == 100 and few.top1 < 100
    assert math.isnan(accuracy(scores[:, :4], labels % 3).per_class[3])


SCRIPT = """
import sys; from pathlib import Path
import torch
from accelerate import Accelerator
from test_evaluate import QUIET, make_model, make_views, score_videos
accelerator = Accelerator(cpu=True)
views = make_views(Path(sys.argv[1]), num_clips=2)
scores = score_videos(make_model(), views, QUIET, accelerator)
torch.save(scores, f"{sys.argv[1]}/{accelerator.process_index}-{accelerator.num_processes}.pt")
"""


def test_two_processes_score_each_video_once(tmp_path):
    make_views(tmp_path)
    in_two_processes(SCRIPT, tmp_path, beside=__file__)
    alone = score_videos(make_model(), make_views(tmp_path, num_clips=2), QUIET)
    for process in (0, 1):
        found = torch.load(tmp_path / f"{process}-2.pt", weights_only=True)
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)
