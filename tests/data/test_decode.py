import subprocess
import sys

import numpy as np
import pytest
from numbered_videos import numbered, numbers
from PIL import Image

from cpnet.data.decode import decode_frames
from cpnet.data.isolated import IsolatedDecoder
from cpnet.data.moving_square import ToyMotion
from cpnet.standins.encode import write_mp4


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """30 frames whose brightness is their number."""
    path = tmp_path_factory.mktemp("video") / "ramp.mp4"
    levels = np.arange(30, dtype=np.uint8) * 8
    write_mp4(path, np.broadcast_to(levels[:, None, None, None], (30, 32, 64, 3)), fps=12)
    return path


def test_frames_come_in_the_order_asked_for(video):
    indices = [29, 0, 7, 7, 15]
    frames = decode_frames(video, indices)
    assert frames.shape == (5, 32, 64, 3)
    assert frames.dtype == np.uint8
    assert np.abs(frames.mean((1, 2, 3)) / 8 - indices).max() < 0.5


@pytest.mark.parametrize("index", [30, -1])
def test_an_index_outside_names_the_length(video, index):
    with pytest.raises(IndexError, match=rf"30 frames.*{index}"):
        decode_frames(video, [0, index])


def test_what_is_no_video_is_named(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with pytest.raises(ValueError, match=r"notes\.mp4"):
        decode_frames(text, [0])
    with pytest.raises(FileNotFoundError, match=r"absent\.mp4"):
        decode_frames(tmp_path / "absent.mp4", [0])


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((2, 8, 8, 3)), "uint8"),
        (np.zeros((2, 8, 8), np.uint8), "uint8"),
        (np.zeros((2, 7, 8, 3), np.uint8), "even"),
    ],
)
def test_frames_that_cannot_be_encoded_are_refused(tmp_path, frames, message):
    with pytest.raises(ValueError, match=message):
        write_mp4(tmp_path / "x.mp4", frames, fps=8)


def test_moving_squares_survive_the_round_trip_through_mp4(tmp_path):
    clips, read = ToyMotion("val").frames[::9], IsolatedDecoder()
    for i, frames in enumerate(clips):
        write_mp4(tmp_path / f"{i}.mp4", frames, fps=8)
        assert np.abs(read(tmp_path / f"{i}.mp4", range(4)).astype(int) - frames).max() <= 16


def test_importing_the_package_loads_neither_decord_nor_a_notebook_stack():
    program = (
        "import sys, cpnet, cpnet.data.decode, cpnet.data.moving_square; "
        "print([m for m in ('decord', 'IPython', 'papermill', 'nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_broken_image_cannot_be_read(tmp_path):
    noise = np.random.RandomState(0).randint(0, 256, (200, 200, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "image.png")
    first, second, rest = (tmp_path / "image.png").read_bytes().split(b"IDAT", 2)
    (tmp_path / "image.png").write_bytes(first + b"IDAT" + second + b"\0\0\0\0" + rest)  # Pillow: a SyntaxError
    with pytest.raises(ValueError, match=r"image\.png cannot be read"):
        decode_frames(tmp_path / "image.png", [0])


def test_decord_is_asked_for_each_frame_once_and_never_goes_back(tmp_path, monkeypatch):
    """Clips of a test overlap, and each begins before the last one ends: decord would decode from a key frame again."""
    import decord

    asked, reader = [], decord.VideoReader
    read = reader.get_batch
    monkeypatch.setattr(reader, "get_batch", lambda self, chosen: asked.append(chosen) or read(self, chosen))
    write_mp4(tmp_path / "x.mp4", numbered(12), 25)
    assert numbers(decode_frames(tmp_path / "x.mp4", [4, 5, 6, 2, 3, 4])) == [4, 5, 6, 2, 3, 4]
    assert asked == [[2, 3, 4, 5, 6]]
