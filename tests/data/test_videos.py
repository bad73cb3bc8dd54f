"""From the official layout to clips and views, in the form of Jester and of Something-Something."""

import json

import pytest
import torch
from numbered_videos import numbered, numbers

from cpnet.data import transforms, videos
from cpnet.data.clips import even_clips
from cpnet.data.decode import decode_frames
from cpnet.data.layouts import Index, Video, read_index
from cpnet.data.videos import EvaluationViews, TrainingClips
from cpnet.standins.encode import write_jpegs, write_webm

LENGTHS = {"10": 30, "11": 17, "12": 5, "13": 40, "14": 24}
CLIP = {"num_frames": 4, "frame_step": 2, "size": 32, "read": decode_frames}


@pytest.fixture
def index(tmp_path):
    for video_id, length in LENGTHS.items():
        write_jpegs(tmp_path / "20bn-jester-v1" / video_id, numbered(length))
    (tmp_path / "jester-v1-labels.csv").write_text("Swiping Left\nSwiping Right\nThumb Up\n")
    labels = ["Swiping Left", "Thumb Up", "Swiping Right", "Thumb Up", "Swiping Left"]
    rows = "".join(f"{i};{label}\n" for i, label in zip(LENGTHS, labels, strict=True))
    (tmp_path / "jester-v1-train.csv").write_text(rows)
    return read_index("jester", tmp_path, "train")


def damage(index, video_id):
    (video,) = [v for v in index.videos if v.id == video_id]
    for file in video.path.iterdir():
        file.write_bytes(b"damaged")


def test_an_epoch_has_every_video_once_with_its_label(index, monkeypatch):
    monkeypatch.setattr("cpnet.data.videos.training_clip", lambda frames, label, *rest: (frames, label))
    samples = list(TrainingClips(index, **CLIP))
    assert [sample.label for sample in samples] == [0, 2, 1, 2, 0]
    assert [sample.place for sample in samples] == [0, 1, 2, 3, 4]
    for sample, length in zip(samples, LENGTHS.values(), strict=True):
        found = numbers(sample.clip)
        start = found[0]
        sampled = list(range(start, min(length, start + 8), 2))
        assert found == [sampled[i % len(sampled)] for i in range(4)]
        assert start <= max(0, length - 8)
    assert not any(sample.substituted for sample in samples)


def test_clips_are_uint8_squares_in_the_order_channels_time(index):
    sample = TrainingClips(index, **CLIP)[0]
    assert sample.clip.shape == (3, 4, 32, 32) and sample.clip.dtype == torch.uint8


def test_clips_depend_on_seed_epoch_and_index(index):
    first, again, other_seed = (TrainingClips(index, **CLIP, seed=seed) for seed in (3, 3, 4))
    clip = first[0].clip
    assert torch.equal(again[0].clip, clip) and not torch.equal(other_seed[0].clip, clip)
    again.set_epoch(1)
    assert not torch.equal(again[0].clip, clip)


def test_training_substitutes_a_damaged_video_the_same_way_every_time(index):
    dataset = TrainingClips(index, **CLIP)
    before = dataset[3]
    damage(index, "11")
    sample = dataset[1]
    assert sample.substituted and sample.clip.float().std() > 0
    assert torch.equal(dataset[1].clip, sample.clip) and dataset[1].label == sample.label
    assert not dataset[3].substituted and torch.equal(dataset[3].clip, before.clip)


def test_training_on_damaged_videos_only_is_an_error_that_names_the_remedy(index):
    for video_id in LENGTHS:
        damage(index, video_id)
    with pytest.raises(ValueError, match=r"jester-v1/10 and 10 others cannot be read.*data check"):
        TrainingClips(index, **CLIP)[0]


def test_mirrored_gestures_change_their_label(index, monkeypatch):
    monkeypatch.setattr(transforms, "_uniform", lambda low, high, generator: low)  # a draw of 0: mirrored
    dataset = TrainingClips(index, **CLIP, flip_label_map={0: 1, 1: 0})
    assert [dataset[i].label for i in range(5)] == [1, 2, 0, 2, 1]


@pytest.mark.parametrize(("num_clips", "num_crops"), [(1, 1), (3, 1), (1, 3), (2, 10), (8, 6)])
def test_views_are_clips_times_crops(index, num_clips, num_crops):
    views = EvaluationViews(index, **CLIP, num_clips=num_clips, num_crops=num_crops)[0]
    assert views.views.shape == (num_clips * num_crops, 3, 4, 32, 32) and views.readable


def test_frames_are_resized_once_for_all_crops(index, monkeypatch):
    sizes, resize = [], videos.resize
    monkeypatch.setattr(videos, "resize", lambda frames, size: sizes.append(size) or resize(frames, size))
    EvaluationViews(index, **CLIP, num_clips=3, num_crops=10)[0]
    assert len(sizes) == 3


def test_views_are_of_the_right_frames(index, monkeypatch):
    monkeypatch.setattr(videos, "resize", lambda frames, size: torch.from_numpy(frames).permute(0, 3, 1, 2))
    monkeypatch.setattr(videos, "take", lambda clip, crop: clip)
    views = EvaluationViews(index, **CLIP, num_clips=3, num_crops=3)[3].views
    expected = [clip for clip in even_clips(40, 4, 2, 3) for _ in range(3)]
    assert [numbers(clip.permute(1, 2, 3, 0).numpy()) for clip in views] == expected


def test_evaluation_counts_unreadable_videos_and_never_substitutes(tmp_path, index):
    damage(index, "11")
    with (tmp_path / "jester-v1-train.csv").open("a") as lines:
        lines.write("99;Thumb Up\n")
    index = read_index("jester", tmp_path, "train")
    dataset = EvaluationViews(index, **CLIP)
    assert len(dataset) == index.n_expected == 6
    views = [dataset[i] for i in range(6)]
    assert [v.readable for v in views] == [True, False, True, True, True, False]
    assert [v.place for v in views] == [0, 1, 2, 3, 4, 5]
    assert not views[1].views.any() and views[1].label == 2
    assert views[5].label == 2


def test_webm_files_in_the_layout_of_something(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "labels.json").write_text(json.dumps({"Moving something up": "0"}))
    item = {"id": "7", "label": "", "template": "Moving [something] up", "placeholders": ["cup"]}
    (tmp_path / "labels" / "validation.json").write_text(json.dumps([item]))
    write_webm(tmp_path / "20bn-something-something-v2" / "7.webm", numbered(20), 12)
    index = read_index("something", tmp_path, "val")
    views = EvaluationViews(index, **CLIP, num_clips=2, num_crops=3)[0]
    assert views.readable and views.views.shape == (6, 3, 4, 32, 32)


def test_crops_that_do_not_fit_are_an_error_and_no_damaged_video(tmp_path):
    write_jpegs(tmp_path / "a", numbered(10))
    index = Index("jester", "val", ("x",), [Video("a", tmp_path / "a", 0)])
    options = {"num_frames": 2, "frame_step": 1, "read": decode_frames}
    with pytest.raises(ValueError, match="short_side=8: crops of size=16 do not fit, give that or more"):
        EvaluationViews(index, size=16, short_side=8, **options)
    with pytest.raises(ValueError, match="num_crops=4"):
        EvaluationViews(index, size=16, num_crops=4, **options)[0]
