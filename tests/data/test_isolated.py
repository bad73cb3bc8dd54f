"""A decoder that hangs or crashes costs its process, not the caller."""

import os
import pickle
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numbered_videos import numbered, numbers
from torch.utils.data import DataLoader

from cpnet.data.decode import decode_frames
from cpnet.data.isolated import Child, IsolatedDecoder
from cpnet.data.layouts import Index, Video
from cpnet.data.videos import EvaluationViews, TrainingClips
from cpnet.standins.encode import write_jpegs, write_mp4

CLIP = {"num_frames": 4, "frame_step": 2, "size": 32}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("isolated") / "video.mp4"
    write_mp4(path, numbered(30), 25)
    return path


@pytest.fixture(scope="module")
def decoder():
    return IsolatedDecoder(deadline=20)


@pytest.fixture
def hanging(tmp_path):
    os.mkfifo(tmp_path / "hang.mp4")  # opening it never returns, in C code
    return tmp_path / "hang.mp4"


def test_frames_are_those_of_the_decoder_itself(video, decoder):
    assert np.array_equal(decoder(video, [7, 0, 29, 7]), decode_frames(video, [7, 0, 29, 7]))


def test_a_frame_that_many_views_show_is_decoded_and_sent_once(video, monkeypatch):
    asked = []
    ask = Child.ask
    monkeypatch.setattr(
        Child, "ask", lambda child, message, deadline: asked.append(message) or ask(child, message, deadline)
    )
    IsolatedDecoder()(video, [5, 1, 5])
    IsolatedDecoder()(video, lambda length: [2, 2, 0])
    assert [message for message in asked if message[1] != "doubts"] == [(video, [1, 5]), (video, None), [0, 2]]


def test_a_function_of_the_length_is_called_here_once(video, decoder):
    lengths = []
    found = numbers(decoder(video, lambda length: lengths.append(length) or [length - 1, 3]))
    assert lengths == [30] and found == [29, 3]


@pytest.mark.parametrize(
    ("name", "indices", "error", "message"),
    [
        ("absent.mp4", [0], FileNotFoundError, r"absent\.mp4"),
        ("text.mp4", [0], ValueError, r"decord cannot read .*text\.mp4"),
        ("video.mp4", [30], IndexError, "30 frames, but frame 30"),
        ("video.mp4", lambda length: [length], IndexError, "30 frames, but frame 30"),
    ],
)
def test_errors_are_those_of_the_decoder_itself(video, decoder, name, indices, error, message):
    video.with_name("text.mp4").write_text("no video")
    for read in (decoder, decode_frames):
        with pytest.raises(error, match=message):
            read(video.with_name(name), indices)
    assert numbers(decoder(video, [5])) == [5]


def test_a_choice_that_fails_leaves_no_late_answer_behind(video, decoder):
    def fail(length):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decoder(video, fail)
    assert numbers(decoder(video, [5, 6])) == [5, 6]


def test_many_frames_have_more_time_than_few(video, decoder, monkeypatch):
    given, ask = [], Child.ask
    monkeypatch.setattr(Child, "ask", lambda *arguments: given.append(arguments[2]) or ask(*arguments))
    decoder(video, [0] * 65)
    write_mp4(video.with_name("long.mp4"), numbered(65), 25)
    decoder(video.with_name("long.mp4"), lambda length: range(length))
    assert given == [20, 20, 20, 40]  # the last for 65 frames, after questions for doubts and for the length


def test_a_decoder_stuck_in_c_is_killed_at_its_deadline(video, hanging):
    decoder = IsolatedDecoder(deadline=1)
    with pytest.raises(ValueError, match=r"hang\.mp4: not decoded within 1 seconds"):
        decoder(hanging, [0])
    decoder.deadline = 20
    assert numbers(decoder(video, [5])) == [5]


def test_a_decoder_that_crashes_is_replaced(video, decoder):
    decoder(video, [0])
    pid = decoder.children.decord.process.pid

    def crash(length):
        os.kill(pid, signal.SIGSEGV)
        return [0]

    with pytest.raises(ValueError, match=r"video\.mp4: the decoder crashed, exit code -11"):
        decoder(video, crash)
    assert numbers(decoder(video, [5])) == [5]


def test_threads_have_decoders_of_their_own(video, decoder):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda i: numbers(decoder(video, [i % 30])), range(60)))
    assert found == [[i % 30] for i in range(60)]


def test_a_copy_decodes_in_a_child_of_its_own(video, decoder):
    copy = pickle.loads(pickle.dumps(decoder))
    assert (copy.backend, copy.deadline) == (decoder.backend, decoder.deadline)
    assert numbers(copy(video, [4])) == [4]


def test_a_decoder_that_is_not_installed_is_named(video, tmp_path, monkeypatch):
    (tmp_path / "decord.py").write_text("raise ImportError('no decord here')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="no decord here"):
        IsolatedDecoder()(video, [0])


def test_a_decoder_that_does_not_start_is_named(video, tmp_path, monkeypatch):
    (tmp_path / "decord.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ChildProcessError, match="a process for decoding did not start, exit code 3"):
        IsolatedDecoder()(video, [0])


def test_frames_that_are_not_kept_are_decoded_all_the_same(video, tmp_path):
    read, cut = IsolatedDecoder(keep=False), tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[:-200])
    assert len(read(video, range(30))) == 0 and len(IsolatedDecoder()(video, range(30))) == 30
    with pytest.raises(ValueError, match="cannot read"):
        read(cut, range(30))


def test_a_child_goes_without_torch(video, decoder):
    decoder(video, [0])
    process = decoder.children.decord.process
    assert "torch" not in Path(f"/proc/{process.pid}/maps").read_text()


def test_no_time_is_refused():
    with pytest.raises(ValueError, match="deadline=0: give more"):
        IsolatedDecoder(deadline=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_hanging_video_neither_hangs_nor_ends_a_loader(tmp_path, video, hanging, workers):
    write_jpegs(tmp_path / "folder", numbered(20))
    paths = [video, hanging, tmp_path / "folder"]
    index = Index("jester", "val", ("Thumb Up",), [Video(path.name, path, 0) for path in paths])
    read = IsolatedDecoder(deadline=20)
    read(video, [0])  # forked workers must not use this child
    read.deadline = 4
    loader = DataLoader(EvaluationViews(index, **CLIP, read=read), batch_size=None, num_workers=workers)
    assert [views.readable for views in loader] == [True, False, True]
    clips = list(DataLoader(TrainingClips(index, **CLIP, read=read), batch_size=None, num_workers=workers))
    assert [clip.substituted for clip in clips] == [False, True, False]
    assert all(torch.count_nonzero(clip.clip) for clip in clips)
