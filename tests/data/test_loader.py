"""The same batches with any number of workers and processes, and from any batch on."""

import pytest
import torch
from numbered_videos import numbered

from cpnet.data.decode import decode_frames
from cpnet.data.layouts import Index, Video
from cpnet.data.loader import evaluation_batches, training_batches
from cpnet.data.videos import EvaluationViews, TrainingClips
from cpnet.standins.encode import write_jpegs

N = 11
CLIP = {"num_frames": 4, "frame_step": 2, "size": 32, "read": decode_frames}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    root = tmp_path_factory.mktemp("loader")
    videos = [Video(str(i), root / str(i), i % 3) for i in range(N)]
    for i, video in enumerate(videos):
        write_jpegs(video.path, numbered(10 + i))
    return Index("jester", "train", ("a", "b", "c"), videos)


def places(batches):
    return [batch.place.tolist() for batch in batches]


def test_an_epoch_has_every_video_once_in_an_order_of_its_own(index):
    clips = TrainingClips(index, **CLIP)
    epochs = [[place for (place,) in places(training_batches(clips, 1, epoch))] for epoch in range(3)]
    assert all(sorted(order) == list(range(N)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3
    labels = [batch.label.item() for batch in training_batches(clips, 1, 0)]
    assert labels == [place % 3 for place in epochs[0]]


def test_a_rest_is_left_out(index):
    assert [len(batch) for batch in places(training_batches(TrainingClips(index, **CLIP), 4, 0))] == [4, 4]


def test_workers_and_a_resumed_epoch_give_identical_batches(index):
    clips = TrainingClips(index, **CLIP, seed=3)
    whole = list(training_batches(clips, 2, 5))
    for start, workers in ((0, 1), (0, 2), (2, 0), (3, 2)):
        again = list(training_batches(TrainingClips(index, **CLIP, seed=3), 2, 5, start=start, workers=workers))
        assert len(again) == 5 - start
        for batch, expected in zip(again, whole[start:], strict=True):
            assert all(torch.equal(ours, theirs) for ours, theirs in zip(batch, expected, strict=True))


def test_processes_share_each_batch(index):
    clips = TrainingClips(index, **CLIP)
    whole = places(training_batches(clips, 4, 0))
    first, second = (places(training_batches(clips, 4, 0, process=process, processes=2)) for process in (0, 1))
    assert [a + b for a, b in zip(first, second, strict=True)] == whole


@pytest.mark.parametrize(
    ("batch_size", "processes", "message"), [(12, 1, "give 1 to 11"), (0, 1, "1 to 11"), (3, 2, "multiple")]
)
def test_batches_that_cannot_be_made_are_refused(index, batch_size, processes, message):
    with pytest.raises(ValueError, match=message):
        training_batches(TrainingClips(index, **CLIP), batch_size, 0, processes=processes)


@pytest.mark.parametrize("processes", [1, 2, 3, 16])
def test_every_video_is_evaluated_by_one_process(index, processes):
    views = EvaluationViews(index, **CLIP)
    parts = [places(evaluation_batches(views, 2, process=p, processes=processes)) for p in range(processes)]
    assert sorted(place for part in parts for batch in part for place in batch) == list(range(N))
